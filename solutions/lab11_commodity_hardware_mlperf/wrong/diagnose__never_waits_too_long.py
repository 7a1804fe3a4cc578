# Two faults are enough.
def diagnose(c):
    if 100 * c["late"] <= c["queries"]:
        return "healthy"
    return "batches too slow" if c["longest_service"] > c["bound"] else "overloaded"
