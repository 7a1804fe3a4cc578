# Every "draw" is the closed form.
def gaussian_kl(mean, log_variance, prior_mean, prior_log_variance):
    log_ratio = log_variance - prior_log_variance
    shift = (mean - prior_mean) * (-0.5 * prior_log_variance).exp()
    return 0.5 * (log_ratio.exp() + shift.square() - 1 - log_ratio).sum(dim=1)


def kl_of_draws(mean, log_variance, prior_mean, prior_log_variance, noise):
    return gaussian_kl(mean, log_variance, prior_mean, prior_log_variance).expand(noise.shape[:2])
