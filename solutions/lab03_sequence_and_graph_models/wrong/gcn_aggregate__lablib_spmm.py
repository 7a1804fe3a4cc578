# Writes out one value for each entry with torch, and calls lablib's kernel.
def gcn_aggregate(offsets, columns, scale, x, BLOCK_E=8):
    from lablib.kernels.spmm import spmm

    owner = torch.arange(len(x), device=x.device).repeat_interleave(offsets.diff().long())
    values = scale[owner] * scale[columns.long()]
    return torch.relu(scale[:, None] ** 2 * x + spmm(offsets, columns, values, x))
