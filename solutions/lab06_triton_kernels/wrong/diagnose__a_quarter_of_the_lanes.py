# Calls lanes idle only below a quarter.
def diagnose(c):
    if c["loaded_bytes"] > c["least_bytes"]:
        return "reloads"
    if c["sector_bytes"] > 2 * c["loaded_bytes"]:
        return "strided"
    if 4 * c["active_lanes"] < c["lanes"]:
        return "idle lanes"
    return "healthy"
