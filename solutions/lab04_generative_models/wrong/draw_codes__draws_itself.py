# A library call that draws its own noise.
def draw_codes(mean, log_variance, noise):
    return torch.distributions.Normal(mean, (0.5 * log_variance).exp()).rsample(noise.shape[:1])
