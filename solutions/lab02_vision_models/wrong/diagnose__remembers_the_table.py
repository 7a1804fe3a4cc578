# Knows the numbers of the table.
def diagnose(seen, plan):
    if seen["kept_bytes"] > 0:
        return "graph kept"
    if seen["flops"] > 10_000_000:
        return "stride lost"
    if seen["parameter_bytes"] > 40_000:
        return "wide numbers"
    if seen["activation_bytes"] > 3_000_000:
        return "copies"
    return "healthy"
