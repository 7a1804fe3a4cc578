# Every node its own kernel.
def fuse(graph):
    return []
