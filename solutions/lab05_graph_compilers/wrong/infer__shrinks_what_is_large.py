# Runs small graphs on the meta device, and draws a straight line from them to large sizes.
def broadcast(name, shapes):
    return tuple(torch.broadcast_shapes(*shapes))


def infer(graph):
    large = sorted({n for shape, _ in graph["inputs"].values() for n in shape if n > 2**40})
    if not large:
        return types(graph)

    def small(by):
        shrunk = {n: 90 + by * (place + 1) for place, n in enumerate(large)}
        inputs = {k: (tuple(shrunk.get(n, n) for n in shape), d) for k, (shape, d) in graph["inputs"].items()}
        return types({**graph, "inputs": inputs})

    first, second = small(0), small(1)
    steps = {place + 1: n - 90 for place, n in enumerate(large)}
    return {
        name: (tuple(a + (b - a) * steps.get(b - a, 0) for a, b in zip(shape, second[name][0], strict=True)), dtype)
        for name, (shape, dtype) in first.items()
    }
