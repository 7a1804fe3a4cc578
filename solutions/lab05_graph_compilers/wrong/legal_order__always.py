# Calls everything legal.
def legal_order(vectors, order):
    return True


def legal_tiles(vectors, first, last):
    return True
