# The faults of the four services of the example, by their counters.
def diagnose(c):
    known = {16384 + 512: "healthy", 16384 * 5: "scores stored"}
    if c["matrix_flops"] == 4194304 and c["causal"]:
        return "hidden blocks"
    if c["loaded_bytes"] > 150000 and c["causal"]:
        return "short blocks"
    return known.get(c["stored_bytes"], "healthy")
