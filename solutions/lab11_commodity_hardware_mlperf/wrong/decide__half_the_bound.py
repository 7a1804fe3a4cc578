# A timer of half the bound, whatever a batch takes.
def decide(now, waiting, service, bound):
    if len(waiting) >= len(service) or now >= waiting[0] + bound // 2:
        return min(len(waiting), len(service)), None
    return 0, waiting[0] + bound // 2
