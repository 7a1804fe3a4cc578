# The four counters of the example.
def diagnose(c):
    if c["passes"] == 65:
        return "one by one"
    if c["rows"] == 150:
        return "idle rows"
    if c["eta"] == 0:
        return "vain noise"
    return "healthy"
