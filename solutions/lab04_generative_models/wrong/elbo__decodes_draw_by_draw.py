# Encodes once, decodes K times.
def elbo(encode, decode, x, noise):
    mean, log_variance = encode(x)
    codes = mean + (0.5 * log_variance).exp() * noise
    told = torch.stack([log_binomial(x, decode(code)) for code in codes]).mean(dim=0)
    return told - kl_to_standard_normal(mean, log_variance)
