# A loop over lablib's own bound, which draws one code for each image.
from lablib.models.vae import elbo as one_draw


def elbo(encode, decode, x, noise):
    def model(images, draw):
        mean, log_variance = encode(images)
        return decode(mean + (0.5 * log_variance).exp() * draw), mean, log_variance

    return torch.stack([one_draw(model, x, draw) for draw in noise]).mean(dim=0)
