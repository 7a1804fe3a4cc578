# Counts the tiles of x only.
def predict_l2_tiles(tiles_m, tiles_n, k_tiles, in_flight, GROUP_M):
    waves = tiles_m * tiles_n // in_flight
    return waves * GROUP_M * k_tiles
