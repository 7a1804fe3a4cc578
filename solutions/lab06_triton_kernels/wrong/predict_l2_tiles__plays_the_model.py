# Lets the model of the cache play all loads.
def predict_l2_tiles(tiles_m, tiles_n, k_tiles, in_flight, GROUP_M):
    from lablib.gpu.cache import matmul_l2

    firsts = range(0, tiles_m, GROUP_M)
    order = [(first + i, j) for first in firsts for j in range(tiles_n) for i in range(GROUP_M)]
    return matmul_l2(order, k_tiles, tile_bytes=1, l2_bytes=5 * in_flight, in_flight=in_flight).misses
