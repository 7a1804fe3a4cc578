def transposed_slice(M, N, a, b, c, d, step):
    return ((d - c) // step, b - a), (step, N), a * N + c
