# %% [markdown]
# # A lab to attack
#
# Exercises whose tests count: the bytes that a kernel moves, the memory that torch takes.

# %% setup tags=["setup"]
from lablib import device  # isort: skip  (before triton: it decides whether kernels are interpreted)

from collections import Counter

import torch
import triton
import triton.language as tl

from lablib import check

assert device and Counter

# %% [markdown]
# ## 1 · Work that is counted


# %% scale tags=["solution"]
@triton.jit
def _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):
    ### BEGIN SOLUTION
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < count
    x = tl.load(x_ptr + offsets, mask=inside)
    tl.store(y_ptr + offsets, alpha * x, mask=inside)
    ### END SOLUTION


def scale(x, alpha):
    ### BEGIN SOLUTION
    y = torch.empty_like(x)
    _scale_kernel[(triton.cdiv(x.numel(), 16),)](x, y, x.numel(), alpha, BLOCK=16)
    return y
    ### END SOLUTION


# %% test_scale tags=["test", "core"] points=10 hours=1
for count in (5, 40):
    x = check.rng.normal(count)
    y = check.traffic(scale, x, 1.5, loads=x.nbytes, stores=x.nbytes, launches=1, programs=triton.cdiv(count, 16))
    check.close(y, 1.5 * x)


# %% row_softmax tags=["solution"]
def row_softmax(x):
    ### BEGIN SOLUTION
    y = x - x.amax(1, keepdim=True)
    y.exp_()
    y /= y.sum(1, keepdim=True)
    return y
    ### END SOLUTION


# %% test_row_softmax tags=["test", "core"] points=10 hours=1
x = check.rng.normal(20, 30)
y = check.cost(row_softmax, x, flops=0, peak=(x.nbytes, x.nbytes + 2 * 4 * 20))
check.close(y, torch.softmax(x, 1))


# %% [markdown]
# ## 2 · Work that is not


# %% tally tags=["solution"]
def tally(items):
    ### BEGIN SOLUTION
    return dict(Counter(items))
    ### END SOLUTION


# %% test_tally tags=["test", "core"] points=10 hours=1
items = check.rng.integers(0, 9, 40).tolist()
check.equal(tally(items), dict(Counter(items)))
