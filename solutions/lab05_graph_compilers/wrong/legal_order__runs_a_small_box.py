# Runs the loops over a small box and looks whether writers come first.
def runs_right(vectors, moment):
    box = set(itertools.product(range(4), repeat=len(vectors[0])))
    pairs = [(tuple(a - b for a, b in zip(p, v, strict=True)), p) for p in box for v in vectors]
    return all(before not in box or moment(before) < moment(p) for before, p in pairs)


def legal_order(vectors, order):
    return runs_right(vectors, lambda p: tuple(p[loop] for loop in order))


def legal_tiles(vectors, first, last):
    return runs_right(vectors, lambda p: (*p[:first], *(n // 2 for n in p[first : last + 1]), *p[first:]))
