# A loop over the nodes: Floyd's algorithm as it stands in the text.
def sample_neighbours(offsets, columns, nodes, uniforms):
    f, result = uniforms.shape[1], []
    for node, row in zip(nodes, uniforms, strict=True):
        first, n, taken = int(offsets[node]), int(offsets[node + 1] - offsets[node]), []
        for i in range(f if n > f else 0):
            j = n - f + i
            t = int(row[i] * (j + 1))
            taken.append(j if t in taken else t)
        taken = taken or list(range(n))
        result.append([int(columns[first + pick]) for pick in taken] + [-1] * (f - len(taken)))
    return torch.tensor(result, device=nodes.device)
