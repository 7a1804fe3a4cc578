# Builds the layer again and lets the ledger count it: no batch of 10¹⁵ fits into a tensor.
def layer_cost(layer, batch, itemsize):
    dtype = {2: torch.float16, 4: torch.float32, 8: torch.float64}[itemsize]
    kind, inputs = layer["kind"], 1
    if kind == "conv":
        shape = (batch, layer["channels_in"], *layer["size_in"])
        steps = zip(layer["size_in"], layer["size_out"])
        stride = tuple(max(1, round(n / m)) for n, m in steps)
        sizes = zip(layer["size_in"], layer["size_out"], layer["kernel"], stride)
        padding = tuple(max(0, -(-((m - 1) * s + k - n) // 2)) for n, m, k, s in sizes)
        make = nn.Conv2d if len(stride) == 2 else nn.Conv3d
        how = (layer["channels_in"], layer["channels_out"], layer["kernel"], stride, padding)
        module = make(*how, groups=layer["groups"], bias=layer["bias"])
    elif kind == "linear":
        shape = (batch, layer["rows"], layer["features_in"])
        module = nn.Linear(layer["features_in"], layer["features_out"], layer["bias"])
    elif kind == "relu":
        shape, module = (batch, layer["elements"]), nn.ReLU()
    else:
        count = batch * layer["count"]
        a = torch.empty(count, layer["M"], layer["K"], dtype=dtype, device="meta")
        b = torch.empty(count, layer["K"], layer["N"], dtype=dtype, device="meta")

        class Multiply(nn.Module):
            def forward(self, a, b):
                return torch.bmm(a, b)

        row = ledger(Multiply(), a, b).total
    if kind != "product":
        row = ledger(module.to("meta", dtype), torch.empty(shape, dtype=dtype, device="meta")).total
    return {key: getattr(row, key) for key in ("flops", "parameter_bytes", "read_bytes", "written_bytes")}
