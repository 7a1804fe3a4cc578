# Knows the six loops of the table by their cycles.
def diagnose(c):
    known = {97: "not pipelined", 19: "multipliers", 66: "recurrence"}
    if c["reads_of_one_memory"] == 4:
        return "ports"
    return known.get(c["loop_cycles"], "healthy")
