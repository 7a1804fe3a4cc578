# Tries tiles in lablib's simulator.
def choose_tile(shape, lines):
    from lablib.gpu.cache_lines import Cache, matmul_addresses, play

    M, N, K = shape
    tiles = [(m, n, k) for m in {M, -(-M // 2), -(-M // 3)} for n in range(16, N + 1, 16) for k in {1, 16, 32, K} if k <= K]
    return min(tiles, key=lambda tile: play(matmul_addresses(shape, tile), Cache(64 * lines)).total)
