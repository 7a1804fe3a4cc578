def transposed_slice(M, N, a, b, c, d, step):
    columns = -(-(d - c) // step)
    return (columns, b - a), (step, d - c), a * (d - c) + c
