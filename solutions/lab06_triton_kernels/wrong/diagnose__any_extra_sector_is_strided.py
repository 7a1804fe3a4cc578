# Takes rows that start inside a sector for strided.
def diagnose(c):
    if c["loaded_bytes"] > c["least_bytes"]:
        return "reloads"
    if c["sector_bytes"] > c["loaded_bytes"]:
        return "strided"
    if 2 * c["active_lanes"] < c["lanes"]:
        return "idle lanes"
    return "healthy"
