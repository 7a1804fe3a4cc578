# Walks the chain from an image of zeros: right, and an image more for every step.
def merged_noise(noises, levels):
    x = torch.zeros_like(noises[0])
    for step in range(len(noises)):
        kept = levels[step + 1] / levels[step]
        x = kept.sqrt() * x + (1 - kept).sqrt() * noises[step]
    return x / (1 - levels[-1]).sqrt()
