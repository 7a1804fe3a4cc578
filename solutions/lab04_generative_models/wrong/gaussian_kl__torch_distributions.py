# Library calls. The density of a draw that rounded to the mean has lost its noise.
def gaussian_kl(mean, log_variance, prior_mean, prior_log_variance):
    cloud = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    prior = torch.distributions.Normal(prior_mean, (0.5 * prior_log_variance).exp())
    return torch.distributions.kl_divergence(cloud, prior).sum(dim=1)


def kl_of_draws(mean, log_variance, prior_mean, prior_log_variance, noise):
    cloud = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    prior = torch.distributions.Normal(prior_mean, (0.5 * prior_log_variance).exp())
    z = cloud.mean + cloud.stddev * noise
    return (cloud.log_prob(z) - prior.log_prob(z)).sum(dim=2)
