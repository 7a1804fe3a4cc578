# Works the deviation out for each draw.
def draw_codes(mean, log_variance, noise):
    return mean + (0.5 * log_variance.expand_as(noise)).exp() * noise
