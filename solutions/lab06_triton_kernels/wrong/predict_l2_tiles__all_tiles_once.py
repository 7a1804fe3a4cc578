# As if every tile of y needed one tile.
def predict_l2_tiles(tiles_m, tiles_n, k_tiles, in_flight, GROUP_M):
    return tiles_m * tiles_n
