# The batch leaves when all of its rows are sure.
def run_early(blocks, exits, x, threshold):
    for number, (block, exit) in enumerate(zip(blocks, exits, strict=True)):
        x = block(x)
        logits = exit(x)
        if (logits.softmax(dim=1).amax(dim=1) >= threshold).all():
            break
    return logits, torch.full((len(x),), number)
