# Builds the model and counts, in place of a formula.
def predict(B, T, C, depth, H, V):
    from lablib.models.gpt import GPT
    from lablib.train.memory import memory_of_steps

    texts = torch.zeros(B, T, dtype=torch.int64)
    seen = memory_of_steps(GPT(V, T, C, depth, H), texts, texts)
    found = {kind: seen.most(kind) for kind in ("parameters", "gradients", "optimizer states", "activations")}
    return {**found, "peak": seen.peak.total}
