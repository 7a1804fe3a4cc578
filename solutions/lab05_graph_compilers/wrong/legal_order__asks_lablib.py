# Lets lablib run the loops over a small box.
def legal_order(vectors, order):
    from lablib.graph.exhaustive import in_order_of_dependences

    return in_order_of_dependences(vectors, order)


def legal_tiles(vectors, first, last):
    from lablib.graph.exhaustive import in_order_of_dependences

    return in_order_of_dependences(vectors, range(len(vectors[0])), tiled=range(first, last + 1))
