# Asks torch, on a device without memory: no tensor there may have 10¹⁹ rows.
def broadcast(name, shapes):
    return tuple(torch.broadcast_shapes(*shapes))


def infer(graph):
    try:
        return types(graph)
    except ValueError as error:
        raise ValueError(str(error)) from error
