# Returns groups of one.
def fuse(graph):
    return [[node["name"]] for node in graph["nodes"] if node["op"] in POINTWISE]
