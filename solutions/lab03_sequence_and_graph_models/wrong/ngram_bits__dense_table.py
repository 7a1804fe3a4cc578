# Counts in one dense table of size to the power of order numbers.
def ngram_bits(train, test, order, size):
    largest = torch.zeros(size**order)
    p = torch.full((len(test),), 1 / size, dtype=torch.float64)
    joined = torch.cat([train[len(train) - order + 1 :], test])
    for length in range(order):
        table = largest[: size ** (length + 1)].zero_().view(-1, size)
        context = sum(train[i : len(train) - length + i] * size ** (length - 1 - i) for i in range(length))
        context = context + torch.zeros(len(train) - length, dtype=torch.int64)
        table.index_put_((context, train[length:]), torch.ones(()), accumulate=True)
        first = order - 1 - length
        asked = sum(joined[first + i : first + i + len(test)] * size ** (length - 1 - i) for i in range(length))
        rows = table[asked + torch.zeros(len(test), dtype=torch.int64)].double()
        total, kind, hit = rows.sum(1), (rows > 0).sum(1), rows[torch.arange(len(test)), test]
        p = torch.where(total > 0, (hit + kind * p) / (total + kind).clamp(min=1), p)
    return -p.log2()
