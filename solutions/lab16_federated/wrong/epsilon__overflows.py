# Right on paper; exp overflows at large orders.
def epsilon(q, sigma, rounds, delta, orders):
    def cost(a):
        terms = [
            math.comb(a, k) * (1 - q) ** (a - k) * q**k * math.exp(k * (k - 1) / (2 * sigma**2)) for k in range(a + 1)
        ]
        return math.log(sum(terms)) / (a - 1)

    return max(0.0, min(rounds * cost(a) + math.log((a - 1) / a) - math.log(delta * a) / (a - 1) for a in orders))
