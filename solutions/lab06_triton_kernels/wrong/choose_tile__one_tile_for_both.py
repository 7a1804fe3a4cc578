# The tile of sm_90 spills on sm_80.
def choose_tile(target):
    return {"BLOCK_M": 128, "BLOCK_N": 256, "BLOCK_K": 64, "num_warps": 8, "num_stages": 3}
