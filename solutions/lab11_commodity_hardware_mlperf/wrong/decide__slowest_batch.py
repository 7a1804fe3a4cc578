# Allows for the slowest batch there is, though a smaller one is to be run.
def decide(now, waiting, service, bound):
    if len(waiting) >= len(service) or now >= waiting[0] + bound - service[-1]:
        return min(len(waiting), len(service)), None
    return 0, waiting[0] + bound - service[-1]
