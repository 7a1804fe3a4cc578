# The integral of the test itself.
def epsilon(q, sigma, rounds, delta, orders):
    from lablib.federated.privacy import renyi_divergence

    return min(
        rounds * renyi_divergence(q, sigma, a) + math.log((a - 1) / a) - math.log(delta * a) / (a - 1) for a in orders
    )
