# Batches only requests that are at the same step.
def serve(predict, step, starts, times):
    x = starts.clone()
    for i in range(max(len(chain) for chain in times) - 1):
        active = [r for r, chain in enumerate(times) if i + 1 < len(chain)]
        for here in dict.fromkeys((times[r][i], times[r][i + 1]) for r in active):
            group = [r for r in active if (times[r][i], times[r][i + 1]) == here]
            t, s = (torch.full((len(group),), value) for value in here)
            x[group] = step(x[group], predict(x[group], t), t, s)
    return x
