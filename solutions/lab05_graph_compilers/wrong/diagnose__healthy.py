# Finds every compilation healthy.
def diagnose(seen, healthy):
    return "healthy"
