# %% [markdown]
# # A lab to attack
#
# Exercises whose tests look at values: plain ones, a function of the test, an object, what a training left.

# %% setup tags=["setup"]
from collections import Counter, deque

import torch

from lablib import check

# %% [markdown]
# ## 1 · Values


# %% standardize tags=["solution"]
def standardize(x):
    ### BEGIN SOLUTION
    return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)
    ### END SOLUTION


# %% test_standardize tags=["test", "core"] points=10 hours=1
for rows in (3, 8, 3):
    x = 2 * check.rng.normal(rows, 11) + 5
    y = standardize(x)
    check.close(y, (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True))


# %% tally tags=["solution"]
def tally(items):
    ### BEGIN SOLUTION
    counts = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return counts
    ### END SOLUTION


# %% test_tally tags=["test", "core"] points=10 hours=1
check.equal(tally([3, 1, 3]), {3: 2, 1: 1})
items = check.rng.integers(0, 9, 40).tolist()
check.equal(tally(items), dict(Counter(items)))


# %% [markdown]
# ## 2 · A function of the test, an object of the answer


# %% crossing tags=["solution"]
def crossing(f, low, high, steps):
    ### BEGIN SOLUTION
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) < 0 else (low, middle)
    return (low + high) / 2
    ### END SOLUTION


# %% test_crossing tags=["test", "core"] points=10 hours=1
root, asked = float(check.rng.uniform(1, low=1.0, high=2.0)), []


def line(v):
    asked.append(v)
    return v - root


assert abs(crossing(line, 0.0, 4.0, 20) - root) < 1e-5
check.equal(len(asked), 20, name="the number of evaluations")


# %% ring tags=["solution"]
class Ring:
    ### BEGIN SOLUTION
    def __init__(self, capacity):
        self.capacity, self.held = capacity, []

    def push(self, value):
        self.held = [*self.held, value][-self.capacity :]

    def oldest(self):
        return self.held[0]

    def __len__(self):
        return len(self.held)

    def __iter__(self):
        return iter(self.held)

    ### END SOLUTION


# %% test_ring tags=["test", "core"] points=10 hours=1
ring, oracle = Ring(4), deque(maxlen=4)
for value in check.rng.integers(0, 100, 9).tolist():
    ring.push(value)
    oracle.append(value)
    check.equal(len(ring), len(oracle), name="len(ring)")
    check.equal(ring.oldest(), oracle[0], name="ring.oldest()")
check.equal(list(ring), list(oracle))

# %% [markdown]
# ## 3 · A history that only claims


# %% fit tags=["solution"]
def fit(x, y, steps):
    ### BEGIN SOLUTION
    weight, history = torch.zeros(x.shape[1]), []
    for _ in range(steps):
        error = x @ weight - y
        history.append(float(error.square().mean()))
        weight -= 0.1 * x.T @ error / len(x)
    return weight, history
    ### END SOLUTION


# %% test_fit tags=["test", "core"] points=10 hours=1
x, true = check.rng.normal(50, 3), check.rng.normal(3)
y = x @ true
weight, history = fit(x, y, 60)
check.equal(len(history), 60, name="the length of the history")
again = float((x @ weight - y).square().mean())
assert again < 0.01 * float(y.square().mean()), f"the weights that came back have a loss of {again:.4f}"
