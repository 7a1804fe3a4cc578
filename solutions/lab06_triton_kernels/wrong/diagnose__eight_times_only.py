# Knows float32 only, where a strided load moves eight times too much.
def diagnose(c):
    if c["loaded_bytes"] > c["least_bytes"]:
        return "reloads"
    if c["sector_bytes"] == 8 * c["loaded_bytes"]:
        return "strided"
    if 2 * c["active_lanes"] < c["lanes"]:
        return "idle lanes"
    return "healthy"
