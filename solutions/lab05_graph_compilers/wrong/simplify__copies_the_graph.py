# Returns the graph as it is.
def simplify(graph):
    return dict(graph)
