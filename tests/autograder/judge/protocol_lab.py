# %% [markdown]
# # What can be said through proxies
#
# Each test cell says one thing that a lab may want to say; the judge must read it as a notebook does, or refuse it with
# a sentence.

# %% setup tags=["setup"]
import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from lablib import check


@dataclass
class Problem:
    weight: torch.Tensor
    bias: float


# %% [markdown]
# ## 1 · Functions


# %% masked_softmax tags=["solution"]
def masked_softmax(x, mask, t=1.0):
    ### BEGIN SOLUTION
    if t <= 0:
        raise ValueError(f"expected a temperature above 0, not {t}")
    return torch.softmax((x / t).masked_fill(~mask, float("-inf")), -1)
    ### END SOLUTION


# %% test_masked_softmax tags=["test", "core"] points=4 hours=1
x, mask = check.rng.normal(5, 7), check.rng.uniform(5, 7) > 0.3
mask[:, 0] = True
check.close(masked_softmax(x, mask, t=2.0), torch.softmax((x / 2).masked_fill(~mask, float("-inf")), -1))
check.raises(ValueError, masked_softmax, x, mask, t=-1.0)
y = check.cost(masked_softmax, x, mask, flops=0, peak=(2 * 4 * 35, 3 * 4 * 35 + 35))


# %% bisect tags=["solution"]
def bisect(f, low, high, steps):
    ### BEGIN SOLUTION
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) < 0 else (low, middle)
    return (low + high) / 2
    ### END SOLUTION


# %% test_bisect tags=["test", "core"] points=4 hours=1
asked = []


def parabola(v):
    asked.append(v)
    return v * v - 2


assert abs(bisect(parabola, 0.0, 2.0, 30) - 2**0.5) < 1e-6
check.equal(len(asked), 30, name="the number of evaluations")
both = torch.tensor([True, True])
crossing = bisect(lambda v: float(masked_softmax(torch.tensor([v, 1.0]), both)[0]) - 0.5, 0.0, 4.0, 30)
assert abs(crossing - 1.0) < 1e-6, crossing  # a callback that calls the student's code again


# %% sgd_ tags=["solution"]
def sgd_(parameter, gradient, rate):
    ### BEGIN SOLUTION
    parameter.sub_(rate * gradient)
    ### END SOLUTION


# %% test_sgd_ tags=["test", "core"] points=4 hours=1
parameter, gradient = check.rng.normal(8), check.rng.normal(8)
wanted = parameter - 0.1 * gradient
sgd_(check.inout(parameter), gradient, 0.1)
check.close(parameter, wanted)
parameter = check.rng.normal(8)
seen = check.observe(sgd_, check.inout(parameter), gradient, 0.1)
check.equal(seen.changed_inputs, [], name="the arguments that changed")
check.equal(seen.allocated_bytes, 32, name="the bytes that it allocates")

# %% [markdown]
# ## 2 · Views, generators, gradients


# %% transposed_tail tags=["solution"]
def transposed_tail(x):
    ### BEGIN SOLUTION
    return x.t()[1:]
    ### END SOLUTION


# %% test_transposed_tail tags=["test", "core"] points=4 hours=1
x = check.rng.normal(4, 5)
check.equal(transposed_tail(x).stride(), (1, 5), name="the strides")
seen = check.observe(transposed_tail, x)
check.close(seen.value, x.T[1:])
check.equal(seen.allocated_bytes, 0, name="the bytes that it allocates")


# %% fibonacci tags=["solution"]
def fibonacci():
    ### BEGIN SOLUTION
    a, b = 0, 1
    while True:
        yield a
        a, b = b, a + b
    ### END SOLUTION


# %% test_fibonacci tags=["test", "core"] points=4 hours=1
check.equal(list(itertools.islice(fibonacci(), 10)), [0, 1, 1, 2, 3, 5, 8, 13, 21, 34])


# %% gelu tags=["solution"]
def gelu(x):
    ### BEGIN SOLUTION
    return 0.5 * x * (1 + torch.erf(x / 2**0.5))
    ### END SOLUTION


# %% test_gelu tags=["test", "core"] points=4 hours=1
x = check.rng.normal(9, dtype=torch.float64).requires_grad_()
gelu(2 * x).sum().backward()
y = x.detach().clone().requires_grad_()
F.gelu(2 * y).sum().backward()
check.close(x.grad, y.grad)
assert torch.autograd.gradcheck(gelu, (check.rng.normal(4, dtype=torch.float64).requires_grad_(),))

# %% [markdown]
# ## 3 · Classes

# %% head tags=["solution"]
RATE = 0.5


class Head(nn.Module):
    ### BEGIN SOLUTION
    def __init__(self, features, classes):
        super().__init__()
        self.fc = nn.Linear(features, classes)
        self.scale = RATE

    def forward(self, x):
        return self.fc(x) * self.scale

    def widths(self):
        return {"in": self.fc.in_features, "out": self.fc.out_features}

    ### END SOLUTION


def make_head(problem):
    ### BEGIN SOLUTION
    head = Head(problem.weight.shape[1], problem.weight.shape[0])
    head.load_state_dict({"fc.weight": problem.weight, "fc.bias": torch.full((len(problem.weight),), problem.bias)})
    return head
    ### END SOLUTION


# %% test_head tags=["test", "core"] points=4 hours=1
mine, x = Head(6, 3), check.rng.normal(4, 6)
weight, bias = check.rng.normal(3, 6), check.rng.normal(3)
mine.load_state_dict({"fc.weight": weight, "fc.bias": bias})
check.close(mine(x), (x @ weight.T + bias) * RATE)
check.equal(sum(p.numel() for p in mine.parameters()), 21, name="the number of parameters")
check.equal(mine.widths(), {"in": 6, "out": 3})
check.close(mine.fc.weight.detach(), weight)
mine(x).sum().backward()
check.close(mine.fc.weight.grad, RATE * x.sum(0).expand(3, 6))
check.close(make_head(Problem(weight, 1.0))(x).detach(), (x @ weight.T + 1.0) * RATE)
y = check.cost(mine, x, flops=2 * 4 * 6 * 3)
check.seed(3)
drawn = Head(6, 3).fc.weight.detach()
torch.manual_seed(3)
check.close(drawn, nn.Linear(6, 3).weight.detach())
