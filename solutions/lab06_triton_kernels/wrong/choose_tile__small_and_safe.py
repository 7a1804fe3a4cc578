# Fits everywhere, and reuses too little.
def choose_tile(target):
    return {"BLOCK_M": 64, "BLOCK_N": 64, "BLOCK_K": 32, "num_warps": 4, "num_stages": 3}
