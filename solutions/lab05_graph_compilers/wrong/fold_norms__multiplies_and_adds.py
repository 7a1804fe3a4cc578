# Writes the norm as a product and a sum: the trip to memory stays.
def fold_norms(graph):
    constants, nodes = dict(graph["constants"]), []
    for node in graph["nodes"]:
        if node["op"] != "batch_norm":
            nodes.append(node)
            continue
        gamma, beta, mean, variance = (constants.get(name) for name in node["inputs"][1:])
        scale = (variance + node["attributes"]["eps"]).rsqrt() * (1 if gamma is None else gamma)
        shift = (0 if beta is None else beta) - mean * scale
        rank = len(types(graph)[node["name"]][0]) - 2
        name = node["name"]
        constants |= {f"{name}.scale": scale.reshape(-1, *[1] * rank), f"{name}.shift": shift.reshape(-1, *[1] * rank)}
        product = {"name": f"{name}_mul", "op": "mul", "inputs": [node["inputs"][0], f"{name}.scale"], "attributes": {}}
        nodes += [product, {**node, "op": "add", "inputs": [f"{name}_mul", f"{name}.shift"], "attributes": {}}]
    return {**graph, "constants": constants, "nodes": nodes}
