# Waits for a full batch, for as long as it takes.
def decide(now, waiting, service, bound):
    return (len(service), None) if len(waiting) >= len(service) else (0, now + bound)
