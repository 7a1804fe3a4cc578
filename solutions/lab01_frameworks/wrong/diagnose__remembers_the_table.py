# Knows the four counts of the notebook.
def diagnose(counts, a, b):
    if counts["reads"] == 20:
        return "waits"
    if counts["copied_bytes"]:
        return "copies"
    return "calls" if counts["bytes"] < 1e5 else "healthy"
