# Follows chains: a node and its only reader.
def fuse(graph):
    shapes, readers = types(graph), {}
    for node in graph["nodes"]:
        for name in node["inputs"]:
            readers.setdefault(name, []).append(node["name"])
    group_of, groups = {}, []
    for node in graph["nodes"]:
        for name in node["inputs"]:
            alone = readers.get(name) == [node["name"]] and name not in graph["outputs"]
            made = next((one for one in graph["nodes"] if one["name"] == name), None)
            if made is None or made["op"] in VIEWS or node["op"] not in POINTWISE or node["name"] in group_of:
                continue
            if alone and shapes[name][0] == shapes[node["name"]][0]:
                group = group_of.get(name)
                if group is None:
                    group = group_of[name] = [name]
                    groups.append(group)
                group.append(node["name"])
                group_of[node["name"]] = group
    return groups
