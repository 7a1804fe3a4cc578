# Two halves in turn, like double buffering.
def plan(kernels, sizes, kept):
    most = -(-max(sizes.values()) // 64) * 64
    names = [name for kernel in kernels for name in kernel["writes"]]
    return {name: place % 2 * most for place, name in enumerate(names)}
