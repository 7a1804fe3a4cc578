# As if the L2 kept nothing even within a step.
def predict_l2_tiles(tiles_m, tiles_n, k_tiles, in_flight, GROUP_M):
    waves = tiles_m * tiles_n // in_flight
    return waves * 2 * in_flight * k_tiles
