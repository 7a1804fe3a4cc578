# %% [markdown]
# # Lab NN · Title
#
# One real number that makes a reader want the idea; then the idea, in one sentence worth
# remembering. Say what the reader will have built at the end, and how long it takes.

# %% setup tags=["setup"]
import lablib

lablib.require("0.1")

from lablib import device  # isort: skip  (before triton: it decides whether kernels are interpreted)

import torch

from lablib import check

device.seed(0)

# %% [markdown]
# ## 1 · A mean that forgets
#
# A server reports its mean latency over the last `window` requests. Averaging afresh costs `window`
# additions a request; **a running sum costs two, whatever the window.**
#
# Before you write, predict: which request is the first whose mean covers a whole window?

# %% look_latencies
latencies_ms = torch.tensor([12.0, 11.0, 50.0, 12.0, 13.0])
latencies_ms.unfold(0, 3, 1)  # one row a window

# %% [markdown]
# **Your task.** `running_mean(x, window)`: x is float32 or float64 of shape (N,), window an int
# from 1 to N. Return shape (N - window + 1,), same dtype: the mean of every run of `window`
# neighbours.
#
# <details><summary>Hint: two sums</summary>The sum of x[i:j] is a difference of two prefix
# sums.</details>


# %% running_mean tags=["solution"]
def running_mean(x, window):
    ### BEGIN SOLUTION
    sums = torch.cumsum(torch.cat([x.new_zeros(1), x]), dim=0)
    return (sums[window:] - sums[:-window]) / window
    ### END SOLUTION


# %% test_running_mean tags=["test", "core"] points=60 hours=0.5 covers=["ml_systems", "lo1"]
x = torch.tensor([1.0, 2.0, 6.0, 3.0])
check.close(running_mean(x, 2), torch.tensor([1.5, 4.0, 4.5]), name="running_mean(x, 2)")
### BEGIN HIDDEN TESTS
for length, window in [(1, 1), (7, 7), (33, 5)]:
    x = check.rng.normal(length, dtype=torch.float64)
    name = f"running_mean of {length} values, window {window}"
    check.close(running_mean(x, window), x.unfold(0, window, 1).mean(dim=1), name=name)
### END HIDDEN TESTS

# %% explain_rounding [markdown] tags=["manual", "core"] points=40 hours=0.5 covers=["ml_systems", "lo3"]
# **Explain.** After a million requests the running sum is large and a latency is small. What goes
# wrong in float32, and what would you change? Two or three sentences.
#
# ### BEGIN SOLUTION
# A float32 keeps 24 significant bits: once the running sum is 2^24 times a latency, adding that
# latency changes nothing, and a difference of two such sums is mostly rounding error. Sum in
# float64, or keep a sum of the window alone: add what enters and subtract what leaves.
# ### END SOLUTION

# %% rubric_explain_rounding [markdown] tags=["rubric"]
# - 20: names the cause: a float32 has 24 significant bits, so a small addend is rounded away in a
#   large sum.
# - 20: proposes a change that works (float64, compensated summation, a sum of the window alone),
#   with the reason.
