# Takes away what lablib calls redundant, one after the other.
def simplify(graph):
    from lablib.graph.compare import redundant

    graph = {**graph, "nodes": [dict(node) for node in graph["nodes"]], "constants": dict(graph["constants"])}
    while redundant(graph):
        sentence = redundant(graph)[0]
        names = sentence.split("'")[1::2]
        (node,) = (node for node in graph["nodes"] if node["name"] in names[:1] or "needs" in sentence and node["name"] == names[-1])
        graph["nodes"].remove(node)
        if "always" in sentence:
            graph["constants"][node["name"]] = apply(node, graph["constants"])
        elif "computes" in sentence:
            for other in graph["nodes"]:
                other["inputs"] = [names[1] if name == names[0] else name for name in other["inputs"]]
            graph["outputs"] = [names[1] if name == names[0] else name for name in graph["outputs"]]
    used = {name for node in graph["nodes"] for name in node["inputs"]} | set(graph["outputs"])
    return {**graph, "constants": {name: value for name, value in graph["constants"].items() if name in used}}
