# Runs the decoder of the check on the meta device.
def pass_cost(model, batch, new, past, itemsize):
    return counted(model, batch, new, past, {2: torch.float16, 4: torch.float32, 8: torch.float64}[itemsize])
