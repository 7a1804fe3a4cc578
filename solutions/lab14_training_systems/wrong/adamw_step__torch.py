# Lets torch do it, an operation a trip.
def adamw_step(p, g, m, v, flag, step, scale, rate, decay):
    if int(flag):
        return
    g = g / scale
    m.mul_(0.9).add_(0.1 * g)
    v.mul_(0.999).add_(0.001 * g * g)
    direction = m / (1 - 0.9**step) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
    p.mul_(1 - rate * decay).sub_(rate * direction)
