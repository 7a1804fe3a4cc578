# Knows the numbers of the table.
def diagnose(seen, healthy):
    numbers = tuple(seen[counter] for counter in COUNTERS)
    return next((fault for fault, known in COMPILED.items() if known == numbers), "healthy")
