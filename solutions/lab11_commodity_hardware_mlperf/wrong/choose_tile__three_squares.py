# Three square tiles that fit side by side: the textbook's rule.
def choose_tile(shape, lines):
    side = max(16, int(math.sqrt(16 * lines / 3)) // 16 * 16)
    return min(side, shape[0]), min(side, shape[1]), min(side, shape[2])
