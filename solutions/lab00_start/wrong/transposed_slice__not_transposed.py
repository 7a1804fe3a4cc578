def transposed_slice(M, N, a, b, c, d, step):
    return (b - a, -(-(d - c) // step)), (N, step), a * N + c
