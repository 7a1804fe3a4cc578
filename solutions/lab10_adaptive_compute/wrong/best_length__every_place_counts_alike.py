# As if a refusal did not end the pass; the best length is worked out apart.
def acceptance(p, q):
    return torch.minimum(p, q).sum(dim=-1)


def tokens_a_pass(rate, K):
    return 1.0 + rate * K


def best_length(rate, cost, most):
    return max(range(most + 1), key=lambda K: sum(rate**i for i in range(K + 1)) / (1 + cost * K))
