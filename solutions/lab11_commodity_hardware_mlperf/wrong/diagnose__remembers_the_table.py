# Knows the four runs of the notebook.
def diagnose(c):
    if c["late"] < 5:
        return "healthy"
    return {5200: "overloaded", 30_000: "batches too slow"}.get(c["longest_service"], "waits too long")
