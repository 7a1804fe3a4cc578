# Plays every fault and looks which one gives the same numbers.
def diagnose(c):
    for fault in FAULTS:
        for jitter in (0.0, 0.1):
            if counters(c["ranks"], c["weight_bytes"], fault, jitter) == c:
                return fault
    return "healthy"
