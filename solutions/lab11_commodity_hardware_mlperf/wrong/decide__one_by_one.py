# No batches.
def decide(now, waiting, service, bound):
    return 1, None
