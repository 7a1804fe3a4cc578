# %% [markdown]
# # Lab 14 · Training systems: where the memory goes
#
# A model of 7 billion parameters in float32 is 28 GB. To take one step of AdamW it needs 112 GB before it has seen a single token: the parameters, a gradient for each, and two moments
# for each. An H200 has 141 GB (NVIDIA's datasheet). Whatever is left must hold everything that the backward pass wants to see again.
#
# So training is a problem of memory first. In this lab you predict a training step's memory to within 2%, then take it apart piece by piece:
# backward kernels that need less, blocks that are computed again, 16-bit numbers, smaller batches, smaller states.
#
# **After it you can**
# 1. say before a run how many bytes it needs, of which kind, and when;
# 2. write backward kernels that read each number once and keep nothing twice;
# 3. plan which activations to keep and which to compute again, optimally;
# 4. train in 16 bits, in pieces of a batch, with an optimizer in one pass, and know what each of them changes.
#
# | | |
# |---|---|
# | Time | about 12½ hours: core 10½ h, stretch 2 h (8-bit states in 6, and the diagnosis in 5) |
# | Needs | lab06 (masks, programs, counted bytes); lab03 helps for the GPT |
# | Machine | any. Nothing is graded by a clock; no cell takes more than about 5 s |
# | Grading | about 2 core-seconds a hand-in |
# | Points | 100 |
#
# In grading, answers run without `lablib.models`, `lablib.train.memory`, `lablib.train.plans`, `lablib.kernels.adamw`, `lablib.kernels.layer_norm`, `lablib.kernels.rms_norm`, `lablib.kernels.cross_entropy` and `lablib.kernels.fused_linear_cross_entropy`. Read them as much as you like; do not import them.

# %% setup tags=["setup"] withhold=["lablib.models", "lablib.train.memory", "lablib.train.plans", "lablib.kernels.adamw", "lablib.kernels.layer_norm", "lablib.kernels.rms_norm", "lablib.kernels.cross_entropy", "lablib.kernels.fused_linear_cross_entropy"]
import lablib

lablib.require("0.1")

from lablib import device  # isort: skip  (before triton: it decides whether kernels are interpreted)

import math

import torch
import triton
import triton.language as tl

from lablib import check, viz
from lablib.train.chain import Chain, replay

device.seed(0)
print(device.describe())

# %% [markdown]
# ## 1 · A ledger of a training step
#
# Five kinds of tensors share the memory.
#
# | kind | how large | lives |
# |---|---|---|
# | parameters | what the model is | always |
# | gradients | as large | from the backward pass to the step |
# | optimizer states | AdamW: twice as large | always, after the first step |
# | activations | grows with the batch | from the forward to the backward pass |
# | temporaries | one or two tensors | during an operation |
#
# Here are two steps of the course's GPT (8 texts of 128 characters) and of its CNN (100 images), each written down after every operation. Both are on torch's `meta` device: sizes are real, numbers are not computed. Move along the step: when is most held, and by what?

# %% look_step
from lablib.models.cnn import CNN
from lablib.models.gpt import GPT
from lablib.train.memory import memory_of_steps

tokens = torch.zeros(8, 128, dtype=torch.int64, device="meta")
gpt_steps = memory_of_steps(GPT().to("meta"), tokens, tokens)
viz.memory_over_step(gpt_steps.moments, title="GPT, 8 texts of 128 characters: what is held when?")

# %% [markdown]
# Before you look at the CNN, predict. It has 56 250 parameters, 0.9 MB with gradients and states. What share of its peak do activations take, at 100 images of 28 × 28? Put a number between 0 and 1 into the cell; it keeps the first. (To start over, delete `predictions.json` beside this notebook.)

# %% lock_prediction
predicted_share = check.lock("activations' share of the CNN's peak, 100 images", 0.5)  # put your own in its place

# %% look_share
images, classes = torch.zeros(100, 1, 28, 28, device="meta"), torch.zeros(100, dtype=torch.int64, device="meta")
cnn_steps = memory_of_steps(CNN().to("meta"), images, classes)
for name, steps in [("GPT", gpt_steps), ("CNN", cnn_steps)]:
    peak = steps.peak
    activations, parameters = peak.held["activations"], peak.held["parameters"]
    print(
        f"{name}: peak {peak.total / 1e6:.1f} MB in the {peak.phase} pass; activations are {activations / peak.total:.1%} of it,"
    )
    print(f"     {activations / parameters:.0f} bytes for each byte of parameters")
print(f"You predicted {predicted_share:.1%} for the CNN.")
viz.memory_over_step(cnn_steps.moments, title="CNN, 100 images: what is held when?")

# %% [markdown]
# A convolution uses each weight at every place of every image, so few weights make many activations. **Vision models fill the memory with activations, language models also with states.** What saves one need not save the other.
#
# Now to a formula. Autograd keeps, of each operation, what its derivative needs. Here is one Transformer block's list, in units of B·T·C numbers (B texts, T tokens, C features, H heads; here T = 2C / H on purpose, so that the softmax stands out):

# %% look_saved
from lablib.models.transformer import Block


def saved_tensors(block, x):
    """Shape and bytes of each piece of memory that autograd keeps of a block; parameters are not counted."""
    known, kept = {p.data_ptr() for p in block.parameters()}, {}

    def keep(t):
        if t.data_ptr() not in known:
            kept.setdefault(t.untyped_storage().data_ptr(), t.detach())
        return t.detach()

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        block(x)
    return list(kept.values())


B, T, C, H = 2, 8, 16, 4
for t in saved_tensors(Block(C, H, causal=True), torch.randn(B, T, C, requires_grad=True)):
    nbytes = t.untyped_storage().nbytes()
    print(f"{tuple(t.shape)!s:15} {t.dtype!s:14} {nbytes:6} B  {nbytes / (4 * B * T * C):6.4f} · BTC")

# %% [markdown]
# **Your task.** `predict(B, T, C, depth, H, V)` for the course's GPT, in float32 with AdamW (V characters; context T): a dict of bytes with the keys
# `"parameters"`, `"gradients"`, `"optimizer states"`, `"activations"` (the most of each at any moment of the second step) and `"peak"` (the most of all together).
# * Each of the five within 2% of the recorder's count. C is 32 to 256, T 4 to 256, H divides C, H · T is at most 4 · C, depth is 2 to 6, V at most 500.
# * The GPT: an embedding (V, C) that the last layer shares, places (T, C), the blocks, a LayerNorm at the end. A block's matrices: (3C, C), (C, C), (4C, C), (C, 4C), each with a bias, and two LayerNorms.
# * After the blocks, autograd keeps the last LayerNorm's input, statistics and output, and the log-probabilities (B, T, V).
#
# The peak is at one of three moments, beside parameters and states. Find them in the picture by their operations:
# * `_log_softmax_backward_data`, the first of the backward pass: all activations are there, and two gradients of shape (B, T, V).
# * the `sum` of the bias gradient of the last block's last matrix: the blocks' activations are there, what came after them is freed; gradients of the residual, (B, T, C), of the hidden layer, (B, T, 4C), of that matrix and of the embedding.
# * `div` in the optimizer's step: all gradients, and two temporaries as large as the parameter that it works on.
#
# <details><summary>Hint 1: one block</summary>
#
# Add up the list above by kind: how many lines are 1 · BTC or a multiple? Which grow with T², which with T alone?
# </details>
# <details><summary>Hint 2: the small ones</summary>
#
# LayerNorm keeps a mean and a reciprocal deviation for each token. The mask is one byte an element, and one for all texts and heads.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# A block keeps 16·B·T·C + B·H·T² + 4·B·T numbers of 4 bytes, and T² bytes. The three moments: 3·P + activations + 2·BTV numbers; 3·P + the blocks' activations + (5·BTC + 4·C² + V·C) numbers; 4·P + two of the largest matrix.
# </details>


# %% predict tags=["solution"]
def predict(B, T, C, depth, H, V):
    ### BEGIN SOLUTION
    parameters = 4 * (V * C + T * C + depth * (12 * C * C + 13 * C) + 2 * C)
    block = 4 * (16 * B * T * C + B * H * T * T + 4 * B * T) + T * T
    activations = depth * block + 4 * (2 * B * T * C + 2 * B * T + B * T * V)
    logits = 3 * parameters + activations + 2 * 4 * B * T * V
    hidden = 3 * parameters + depth * block + 4 * (5 * B * T * C + 4 * C * C + V * C)
    step = 4 * parameters + 2 * 4 * max(4 * C * C, V * C, T * C)
    return {
        "parameters": parameters,
        "gradients": parameters,
        "optimizer states": 2 * parameters,
        "activations": activations,
        "peak": max(logits, hidden, step),
    }
    ### END SOLUTION


# %% test_predict tags=["test", "core"] points=10 hours=1.5 covers=["backpropagation", "lo1"]
def judge_prediction(B, T, C, depth, H, V):
    from lablib.models.gpt import GPT
    from lablib.train.memory import memory_of_steps

    texts = torch.zeros(B, T, dtype=torch.int64)
    seen = memory_of_steps(GPT(V, T, C, depth, H), texts, texts)
    counted = {kind: seen.most(kind) for kind in ("parameters", "gradients", "optimizer states", "activations")}
    counted["peak"] = seen.peak.total
    told = predict(B, T, C, depth, H, V)
    shape = f"B={B}, T={T}, C={C}, depth={depth}, H={H}, V={V}"
    for kind, nbytes in counted.items():
        yours = told.get(kind, 0)
        assert 0.98 <= yours / nbytes <= 1.02, (
            f"{kind} of {shape}: {nbytes:,} bytes are held, you predict {yours:,.0f}."
        )


judge_prediction(8, 64, 32, 2, 2, 72)
judge_prediction(1, 4, 64, 2, 4, 72)
### BEGIN HIDDEN TESTS
judge_prediction(check.rng.choice(4, 9), check.rng.choice(40, 65), 32, 2, 1, check.rng.choice(300, 500))
judge_prediction(check.rng.choice(2, 5), check.rng.choice(50, 65), 64, 3, 4, check.rng.choice(60, 90))
judge_prediction(1, check.rng.choice(4, 9), 64, 2, 4, check.rng.choice(400, 500))
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · Backward kernels that keep less
#
# A LayerNorm keeps its input x, and the layer after it keeps its output y. Both are B·T·C numbers: 2 of the 16 in your list are there for one LayerNorm. But x and y say the same:
#
# * z = (x − mean) · r, and y = z · w + b, so **z = (y − b) / w**. With y, w, b and r = 1 / σ, the backward pass never needs x.
# * g = dy · w, dx = r · (g − mean(g) − z · mean(g · z)), means along the row.
# * dw = Σ dy · z and db = Σ dy, sums over all rows.
#
# By hand, a row of two: x = (1, 3), w = (1, 1), b = 0. Then z = (−1, 1), r = 1. For dy = (1, 0): mean(g) = ½, mean(g·z) = −½, so dx = (1 − ½ − ½, 0 − ½ + ½) = (0, 0). Two numbers, normalised, are always −1 and 1: of course nothing changes.
#
# The sums over rows are the difficulty: rows belong to different programs. So each of P programs takes every P-th row, keeps its shares of dw and db in registers from its first row to its last, and stores them once:


# %% look_rows
rows, programs = 7, 3
for p in range(programs):
    print(f"program {p}: rows {list(range(p, rows, programs))}  ->  shares[{p}]")
M, N = 16384, 8192
for P in (M, 528):  # 528: four for each of an H200's 132 SMs
    print(f"{P:5} programs: {4 * (3 * M * N) / 1e9:.2f} GB of rows and {4 * 2 * P * N / 1e9:.2f} GB of shares")

# %% [markdown]
# **Your task.** `layer_norm_backward(dy, y, w, b, r, programs)` returns dx, shape (M, N), and shares, shape (programs, 2, N): the shares of dw, then those of db, of rows p, p + programs, p + 2 · programs …
# * All float32 and contiguous, `r` of shape (M,), N at most 4096, no weight nearer to 0 than 0.1, `programs` at most M.
# * One launch. Of `dy` and `y` each element is loaded once, of `w` and `b` once a program, of `r` once a row. All results are stored once.
#
# The launcher is given. A `for` loop over `range(p, M, programs)` works in a kernel.
#
# <details><summary>Hint 1: masked lanes</summary>
#
# They divide by w too. What should `other=` be for w, so that no lane becomes NaN?
# </details>
# <details><summary>Hint 2: what to carry</summary>
#
# `dw = tl.zeros((BLOCK_N,), tl.float32)` before the loop, `dw += …` in it, one store after it.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# In the loop: load dy, y, r → z → g → dx → store; `dw += dy * z`, `db += dy`. A mean is `tl.sum(…, axis=0) / N`. Masked lanes of dy are 0, so g is 0 there, whatever z is.
# </details>


# %% layer_norm_backward tags=["solution"]
@triton.jit
def _layer_norm_backward_kernel(
    dy_ptr, y_ptr, w_ptr, b_ptr, r_ptr, dx_ptr, shares_ptr, M, N, PROGRAMS, BLOCK_N: tl.constexpr
):  # fmt: skip
    ### BEGIN SOLUTION
    columns = tl.arange(0, BLOCK_N)
    inside = columns < N
    w = tl.load(w_ptr + columns, mask=inside, other=1.0)
    b = tl.load(b_ptr + columns, mask=inside, other=0.0)
    dw = tl.zeros((BLOCK_N,), tl.float32)
    db = tl.zeros((BLOCK_N,), tl.float32)
    for row in range(tl.program_id(0), M, PROGRAMS):
        dy = tl.load(dy_ptr + row * N + columns, mask=inside, other=0.0)
        y = tl.load(y_ptr + row * N + columns, mask=inside, other=0.0)
        r = tl.load(r_ptr + row)
        z = (y - b) / w
        g = dy * w
        dx = r * (g - tl.sum(g, axis=0) / N - z * (tl.sum(g * z, axis=0) / N))
        tl.store(dx_ptr + row * N + columns, dx, mask=inside)
        dw += dy * z
        db += dy
    share = shares_ptr + tl.program_id(0) * 2 * N + columns
    tl.store(share, dw, mask=inside)
    tl.store(share + N, db, mask=inside)
    ### END SOLUTION


def layer_norm_backward(dy, y, w, b, r, programs):
    M, N = dy.shape
    dx = torch.empty((M, N), dtype=torch.float32, device=dy.device)
    shares = torch.empty((programs, 2, N), dtype=torch.float32, device=dy.device)
    BLOCK_N = triton.next_power_of_2(N)
    _layer_norm_backward_kernel[(programs,)](dy, y, w, b, r, dx, shares, M, N, programs, BLOCK_N=BLOCK_N)
    return dx, shares


# %% look_layer_norm_backward
from lablib.gpu.trace import trace

ones = torch.ones(5, device=device.DEVICE)
dy, y = torch.randn(2, 4, 5, device=device.DEVICE)
viz.memory_map(trace(layer_norm_backward, dy, y, ones, 0 * ones, ones[:4], 2))


# %% test_layer_norm_backward tags=["test", "core"] points=10 hours=1.5 covers=["backpropagation", "lo2"]
def judge_layer_norm(M, N, programs):
    x, dy = (2 * check.rng.normal(M, N) + 1).requires_grad_(), check.rng.normal(M, N)
    w = (check.rng.uniform(N, low=0.5, high=2.0) * (1 - 2 * check.rng.integers(0, 2, N))).requires_grad_()
    b = check.rng.normal(N).requires_grad_()
    y = torch.nn.functional.layer_norm(x, (N,), w, b)
    r = (x.var(dim=1, correction=0) + 1e-5).rsqrt().detach()
    y.backward(dy)
    y, w_, b_ = y.detach(), w.detach(), b.detach()
    moved = {"loads": 4 * (2 * M * N + M + 2 * N * programs), "stores": 4 * (M * N + 2 * N * programs)}
    dx, shares = check.traffic(layer_norm_backward, dy, y, w_, b_, r, programs, **moved, launches=1, programs=programs)
    check.close(dx, x.grad, rtol=1e-3, name="dx")
    z = (y - b_) / w_
    parts = [torch.stack([(dy * z)[p::programs].sum(dim=0), dy[p::programs].sum(dim=0)]) for p in range(programs)]
    check.close(shares, torch.stack(parts), rtol=1e-3, name="the shares of dw and db")


judge_layer_norm(7, 64, 3)
### BEGIN HIDDEN TESTS
for M, N, programs in [(1, 8, 1), (5, 123, 5), (33, 257, 4)]:
    judge_layer_norm(M, N, programs)
### END HIDDEN TESTS

# %% [markdown]
# ### The largest tensor of a language model
#
# The GPT of this course has 72 characters. Llama 3 has 128 256 tokens: its logits for 8192 places are 8192 × 128 256 numbers, 2.1 GB in bfloat16, and eager autograd makes their log-probabilities and their gradient besides. **But the
# gradient of a logit is its probability, minus one where the target is. Who has just computed the loss has it in registers.** So compute both at once, and write the gradient where the logits were: nothing is allocated but the losses. (An H200 takes 1.5 ms for
# these logits with lablib's kernel, which reads twice because such a row fits into no SM, and 4.6 ms with torch: `benchmarks/results/2026-11-23-h200-kernels.json`.)
#
# **Your task.** `cross_entropy_in_place(logits, target, smoothing, scale)` returns the loss of each row, float32, shape (M,), and **overwrites the logits** with the gradient of `scale` · Σ losses.
# * `logits`: float32, (M, N), contiguous, N at most 8192. `target`: int64, (M,); −100 is a row that does not count: loss 0, gradient 0.
# * Label smoothing ε: the target distribution q is 1 − ε at the target, plus ε / N everywhere. The loss is log Σ exp(x) − Σ q·x, its gradient softmax(x) − q.
# * One program a row, every logit loaded once and stored once. Logits may be large, or −1000 below the others.
#
# <details><summary>Hint 1: the target's logit</summary>
#
# It is in a register already. `tl.where(columns == t, x, 0.0)` leaves it alone.
# </details>
# <details><summary>Hint 2: Σ q·x</summary>
#
# (1 − ε) · x[t] + ε · mean(x). What do masked lanes hold, and what does it do to the mean?
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# maximum → exp → sum → loss = log(sum) + maximum − Σ q·x → gradient = (exp / sum − ε / N − (1 − ε) · [n = t]) · scale → zero where t is −100 → two stores.
# </details>


# %% cross_entropy_in_place tags=["solution"]
@triton.jit
def _cross_entropy_kernel(x_ptr, target_ptr, loss_ptr, N, smoothing, scale, BLOCK_N: tl.constexpr):
    ### BEGIN SOLUTION
    row = tl.program_id(0)
    columns = tl.arange(0, BLOCK_N)
    inside = columns < N
    t = tl.load(target_ptr + row)
    x = tl.load(x_ptr + row * N + columns, mask=inside, other=float("-inf"))
    largest = tl.max(x, axis=0)
    e = tl.exp(x - largest)
    total = tl.sum(e, axis=0)
    finite = tl.where(inside, x, 0.0)
    chosen = tl.sum(tl.where(columns == t, finite, 0.0), axis=0)
    expected = (1 - smoothing) * chosen + smoothing * (tl.sum(finite, axis=0) / N)
    gradient = e / total - smoothing / N - tl.where(columns == t, 1 - smoothing, 0.0)
    counts = t != -100
    tl.store(x_ptr + row * N + columns, tl.where(counts, gradient * scale, 0.0), mask=inside)
    tl.store(loss_ptr + row, tl.where(counts, tl.log(total) + largest - expected, 0.0))
    ### END SOLUTION


def cross_entropy_in_place(logits, target, smoothing, scale):
    M, N = logits.shape
    losses = torch.empty(M, dtype=torch.float32, device=logits.device)
    BLOCK_N = triton.next_power_of_2(N)
    _cross_entropy_kernel[(M,)](logits, target, losses, N, smoothing, scale, BLOCK_N=BLOCK_N)
    return losses


# %% test_cross_entropy_in_place tags=["test", "core"] points=10 hours=1.0 covers=["backpropagation", "lo3"]
def judge_cross_entropy(logits, target, smoothing, scale):
    M, N = logits.shape
    want = logits.double().requires_grad_()
    losses = torch.nn.functional.cross_entropy(want, target, reduction="none", label_smoothing=smoothing)
    (scale * losses.sum()).backward()
    kept = int((target != -100).sum())
    moved = {"loads": (4 * kept * N + 8 * M, 4 * M * N + 8 * M), "stores": 4 * M * N + 4 * M}
    got = check.traffic(
        cross_entropy_in_place, check.inout(logits), target, smoothing, scale, **moved, launches=1, programs=M
    )
    check.close(got, losses.detach().float(), rtol=1e-4, name="the losses")
    check.close(logits, want.grad.float(), rtol=1e-4, name="the gradient, where the logits were")


judge_cross_entropy(3 * check.rng.normal(6, 72), check.rng.integers(0, 72, 6), 0.1, 1 / 6)
### BEGIN HIDDEN TESTS
target = check.rng.integers(0, 300, 9)
target[check.rng.choice(0, 9)] = -100
judge_cross_entropy(40 * check.rng.normal(9, 300) + 100, target, 0.2, 0.5)
judge_cross_entropy(
    check.rng.normal(4, 33) - 1000 * check.rng.integers(0, 2, 4, 33), check.rng.integers(0, 33, 4), 0.0, 1.0
)
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Keep it, or compute it again
#
# A Transformer block keeps 16 times its input, and more. **Its input alone is enough to make the rest again.** That costs the block's forward pass a second time, about a third more arithmetic, as a backward pass costs about two forward passes.
#
# A model is a chain, x₀ → block 1 → x₁ → … → xₙ. A **plan** is a list of actions:
#
# | action | makes | holds afterwards |
# |---|---|---|
# | `("forward", i)` | xᵢ from xᵢ₋₁ | xᵢ: `output_bytes` |
# | `("save", i)` | xᵢ and what the backward pass of block i needs | `saved_bytes`, xᵢ included |
# | `("drop", i)` | | xᵢ of a forward no longer |
# | `("backward", i)` | the gradient of xᵢ₋₁ | what `save` held no longer |
#
# x₀ is always there. The backward passes come in the order n, …, 1, each once. (Gradients of activations and temporaries are not counted here: they are the same for every plan.)
# `replay` follows a plan, refuses what cannot be done, and counts. Three blocks by hand, with outputs of 10 bytes, 160 bytes saved, 1 FLOP each:

# %% look_plans
three = Chain((10,) * 3, (160,) * 3, (1,) * 3)
keep_all = [("save", 1), ("save", 2), ("save", 3), ("backward", 3), ("backward", 2), ("backward", 1)]
keep_two = [
    ("forward", 1), ("forward", 2), ("save", 3), ("backward", 3), ("drop", 2),
    ("save", 2), ("backward", 2), ("drop", 1), ("save", 1), ("backward", 1),
]  # fmt: skip
for name, plan in [("keep all", keep_all), ("keep outputs", keep_two)]:
    seen = replay(three, plan)
    print(f"{name:12}: at most {seen.peak_bytes} bytes, {seen.flops} FLOPs forward, held {seen.held}")

# %% [markdown]
# With n equal blocks, cut the chain into segments. Keep what enters each segment, and one segment's insides at a time. Few long segments make the insides large; many short ones make the kept inputs many. At **√n** segments of √n blocks both
# are about √n (Chen and others, 2016).
#
# **Your task, first part.** `sqrt_plan(n)`: the plan for n blocks with segments of k = ⌈√n⌉ blocks, the last one as long as what is left.
# * On the way forward, every segment but the last is passed without saving; only the output of its last block stays. The last segment is saved at once.
# * On the way back a segment at a time is saved and its backward passes are done. So no block runs more than twice, and those of the last segment once. What no later action needs is dropped before more is made.
#
# <details><summary>Hint 1: the order</summary>
#
# Segments forward from first to last, then backward from last to first. Which x must be there when segment s is saved?
# </details>
# <details><summary>Hint 2: dropping</summary>
#
# On the way forward, drop xᵢ₋₁ after `("forward", i)` unless i begins a segment. On the way back, drop a segment's input after its backward passes. x₀ is never dropped.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# With segments as pairs (first, last): for all but the last, `forward` each block of it; for segments in reverse: `save` first … last, `backward` last … first, and `drop` first − 1 unless it is 0.
# </details>


# %% sqrt_plan tags=["solution"]
def sqrt_plan(n):
    ### BEGIN SOLUTION
    k = math.isqrt(n - 1) + 1
    segments = [(first, min(first + k - 1, n)) for first in range(1, n + 1, k)]
    plan = []
    for first, last in segments[:-1]:
        for i in range(first, last + 1):
            plan.append(("forward", i))
            if i > first:
                plan.append(("drop", i - 1))
    for first, last in reversed(segments):
        plan += [("save", i) for i in range(first, last + 1)]
        plan += [("backward", i) for i in range(last, first - 1, -1)]
        if first > 1:
            plan.append(("drop", first - 1))
    return plan
    ### END SOLUTION


# %% test_sqrt_plan tags=["test", "core"] points=5 hours=1.0 covers=["backpropagation", "lo3"]
def judge_sqrt(n):
    k = math.ceil(math.sqrt(n))
    count = math.ceil(n / k)
    tail = n - (count - 1) * k
    seen = replay(Chain((10,) * n, (160,) * n, (1,) * n), sqrt_plan(n))
    check.equal(seen.flops, 2 * n - tail, name=f"forward passes of sqrt_plan({n})")
    peak = max((count - 1) * 10 + tail * 160, (count - 2) * 10 + k * 160 if count > 1 else 0)
    check.equal(seen.peak_bytes, peak, name=f"the peak of sqrt_plan({n}) with outputs of 10 and 160 bytes saved")


judge_sqrt(9)
### BEGIN HIDDEN TESTS
for n in (1, 2, 7, check.rng.choice(20, 60), 64):
    judge_sqrt(n)
### END HIDDEN TESTS

# %% [markdown]
# Does it hold in torch? Here is your plan on nine Transformer blocks: the bytes of all tensors that are really there, and gradients against plain autograd's.

# %% look_run
from lablib.train.chain import measure, run

plain, planned = [torch.nn.Sequential(*(Block(32, 4, causal=True) for _ in range(9))) for _ in range(2)]
planned.load_state_dict(plain.state_dict())
x, gradient = torch.randn(2, 4, 16, 32)
plain(x).backward(gradient)
_, held = run(list(planned), x, gradient, sqrt_plan(9))
chain = measure(list(planned), x)
seen = replay(chain, sqrt_plan(9))
print(f"keep all:  {sum(chain.saved_bytes):9,} bytes")
print(
    f"sqrt_plan: {seen.peak_bytes:9,} bytes counted, {max(held):,} held; {seen.flops / sum(chain.flops):.2f} forward passes"
)
pairs = zip(plain.parameters(), planned.parameters(), strict=True)
print(f"gradients differ by at most {max(float((a.grad - b.grad).abs().max()) for a, b in pairs):.0e}")

# %% [markdown]
# ### The optimum
#
# √n is for equal blocks, and it cannot be told a budget. Real chains are not equal: a CNN's first blocks are large and cheap, its last small and dear. Given the sizes and a budget, which plan computes least?
#
# Consider blocks i to j, with xᵢ₋₁ there and m bytes free. Whatever the plan, it first does one of two things.
#
# * **Save block i.** It holds `saved_bytes` of i until the end. Remaining: blocks i + 1 to j, with that much less.
# * **Run ahead**: forward i … k − 1, and keep xₖ₋₁. Do blocks k to j with `output_bytes` of k − 1 less. Drop xₖ₋₁. Then blocks i to k − 1 are a problem of the same kind, with all m bytes again.
#
# The picture shows plans of a CNN's blocks: move the budget, and see what is computed again.

# %% look_budget
from lablib.train.plans import best_plan

cnn = CNN().to("meta")
cnn_blocks = [torch.nn.Sequential(cnn.stem, cnn.norm, torch.nn.ReLU()), *cnn.blocks]
cnn_chain = measure(cnn_blocks, images)
everything = sum(cnn_chain.saved_bytes)
shares = (1.0, 0.9, 0.8, 0.7, 0.6, 0.55)
plans = []
for share in shares:
    plan = best_plan(cnn_chain, int(share * everything))
    seen = replay(cnn_chain, plan)
    plans.append({"budget": f"{share:.0%} of what all save", "plan": plan, "held": seen.held, "flops": seen.flops})
viz.checkpoint_plans(plans)

# %% [markdown]
# **Your task, second part.** `optimal_plan(output_bytes, saved_bytes, flops, budget)`: lists of n ints (entry i − 1 is block i's) and an int. Return a plan, a list of actions, of the fewest FLOPs that never holds more than `budget` bytes; `None` if there is none.
# * "Fewest" among the plans that the two choices above can make. (They keep an output until the backward pass that it is kept for. Of 5215 random chains of 2 to 6 blocks and budgets that allow a plan, one that does not was better for 25; the lab's needed up to 1.31 times the FLOPs: `benchmarks/lab14.py`. If yours finds those too, it passes.)
# * While running ahead, xₜ₋₁ and xₜ are both held for a moment. You need not look at that: saving block t later needs more, since `saved_bytes` includes the output.
# * n is up to 24: of 2ⁿ plans you cannot try all, of problems (i, j, m) there are few.
#
# <details><summary>Hint 1: the function to remember</summary>
#
# `least(i, j, m)` returns the FLOPs of the best plan of blocks i to j in m bytes, infinity if there is none. `functools.cache` remembers it.
# </details>
# <details><summary>Hint 2: where it ends</summary>
#
# For i = j only saving is left. FLOPs of running ahead: those of blocks i … k − 1, plus both sub-problems, which count their own.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Let `least` return the choice too (0 for save, else k), and write a second function that follows the choices and lists actions.
# </details>


# %% optimal_plan tags=["solution"]
def optimal_plan(output_bytes, saved_bytes, flops, budget):
    ### BEGIN SOLUTION
    import functools

    out, kept, work = [0, *output_bytes], [0, *saved_bytes], [0, *flops]

    @functools.cache
    def least(i, j, m):
        best, choice = math.inf, 0
        if kept[i] <= m:
            best = work[i] + (least(i + 1, j, m - kept[i])[0] if i < j else 0)
        ahead = 0
        for k in range(i + 1, j + 1):
            ahead += work[k - 1]
            total = ahead + (least(k, j, m - out[k - 1])[0] if out[k - 1] < m else math.inf)
            if total < best:
                total += least(i, k - 1, m)[0]
            if total < best:
                best, choice = total, k
        return best, choice

    def actions(i, j, m):
        k = least(i, j, m)[1]
        if k == 0:
            rest = actions(i + 1, j, m - kept[i]) if i < j else []
            return [("save", i), *rest, ("backward", i)]
        ahead = [("forward", i)]
        for t in range(i + 1, k):
            ahead += [("forward", t), ("drop", t - 1)]
        return [*ahead, *actions(k, j, m - out[k - 1]), ("drop", k - 1), *actions(i, k - 1, m)]

    n = len(flops)
    return actions(1, n, budget) if least(1, n, budget)[0] < math.inf else None
    ### END SOLUTION


# %% test_optimal_plan tags=["test", "core"] points=15 hours=2.0 covers=["backpropagation", "lo3"]
def judge_plan(chain, budget, least):
    """`least` FLOPs are possible; None if no plan is."""
    plan = optimal_plan(list(chain.output_bytes), list(chain.saved_bytes), list(chain.flops), budget)
    told = f"{chain}, budget {budget}"
    if least is None:
        assert plan is None, f"{told}: no plan fits, expected None, got {plan}."
        return
    seen = replay(chain, plan or [])
    good = seen.peak_bytes <= budget and seen.flops <= least
    assert good, f"{told}: your plan holds {seen.peak_bytes} bytes for {seen.flops} FLOPs, {least} are enough: {plan}"


from lablib.train.plans import best_plan as searched

small = Chain((6, 9, 3, 5), (14, 18, 21, 9), (4, 3, 8, 5))
for budget in (62, 50, 41, 33, 27, 20):
    best = searched(small, budget)
    judge_plan(small, budget, best and replay(small, best).flops)
judge_plan(Chain((10,) * 16, (160,) * 16, (1,) * 16), 700, 28)
### BEGIN HIDDEN TESTS
import functools


def fewest(chain, budget):
    out, kept, work = chain.output_bytes, chain.saved_bytes, chain.flops

    @functools.cache
    def of(i, j, m):
        found = [work[i] + (of(i + 1, j, m - kept[i]) if i < j else 0)] if kept[i] <= m else []
        for k in range(i + 1, j + 1):
            if out[k - 1] < m:
                found.append(sum(work[i:k]) + of(k, j, m - out[k - 1]) + of(i, k - 1, m))
        return min(found, default=math.inf)

    count = of(0, len(work) - 1, budget)
    return None if count == math.inf else count


def drawn(n, largest=40):
    outputs = [check.rng.choice(1, 20) for _ in range(n)]
    kept = [one + check.rng.choice(0, largest) for one in outputs]
    return Chain(tuple(outputs), tuple(kept), tuple(check.rng.choice(1, 10) for _ in range(n)))


for n in (1, 2, 3, 4, 5, 6, 7):
    chain = drawn(n)
    for budget in (max(chain.saved_bytes), max(chain.saved_bytes) + 20, sum(chain.saved_bytes) * 2 // 3):
        judge_plan(chain, budget, fewest(chain, budget))
judge_plan(drawn(4), 0, None)
chain = drawn(20)
budget = max(chain.saved_bytes) + sum(chain.output_bytes) // 3
judge_plan(chain, budget, fewest(chain, budget))
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · Sixteen bits, and what falls out of them
#
# A gradient in float16 takes half the memory, and an H200 multiplies it at 989 TFLOP/s, float32 at 67 (NVIDIA's datasheet). But float16 ends: above 65 504 is infinity, below 6 · 10⁻⁸ is nothing.

# %% look_half
for value in (1e-3, 1e-6, 1e-8, 7e4):
    print(f"{value:7.0e} in float16: {float(torch.tensor(value).half()):.3e}", end="    ")
    print(f"times 1024: {float(torch.tensor(value * 1024).half()):.3e}")
weight = torch.tensor(1.0)
print("1 + 0.0001 in float16:", float(weight.half() + torch.tensor(1e-4).half()), " in float32:", float(weight + 1e-4))

# %% [markdown]
# Small gradients survive if the **loss is multiplied** before the backward pass, since a gradient is linear in the loss; a factor of 2¹⁶ would do, until one gradient passes 65 504. And small updates survive if the weights are kept in **float32** and only a copy is rounded. Nobody knows the right
# factor, so it moves: up until something overflows, then down, and the step that overflowed is **skipped**.
#
# **Your task.** `train_half(weights, half_gradients, steps, scale, interval, rate, max_norm)` returns the new weights, a list of float32 tensors, and the scale after the last step.
# * `weights`: list of float32 tensors; they stay as they are. `scale`, `rate`, `max_norm`: floats. `interval`: an int.
# * A step calls `half_gradients(copies, scale)` once, with float16 copies of the current weights. It returns float16 gradients of `scale` · loss.
# * If any number of any of them is infinite or NaN: the weights stay, the scale halves, the count of good steps begins again.
# * Otherwise: gradients to float32, divided by the scale, all multiplied with min(1, max_norm / norm), where norm is that of all numbers together; then w ← w − rate · g. After `interval` good steps in a row the scale doubles and the count begins again.
#
# <details><summary>Hint 1: who is finite?</summary>
#
# One infinity in one tensor is enough for all. What is ∞ − ∞, if you sum first? `torch.isfinite` looks at each number.
# </details>
# <details><summary>Hint 2: order</summary>
#
# max_norm is meant for true gradients. Divide first. And in which dtype is 1e-7 / 1024 not zero?
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `gradients = [g.float() / scale for g in …]`, `norm = torch.sqrt(sum(g.square().sum() for g in gradients))`, `factor = min(1.0, max_norm / float(norm))` (a norm of 0?).
# </details>


# %% train_half tags=["solution"]
def train_half(weights, half_gradients, steps, scale, interval, rate, max_norm):
    ### BEGIN SOLUTION
    weights, good = [w.clone() for w in weights], 0
    for _ in range(steps):
        scaled = half_gradients([w.half() for w in weights], scale)
        if not all(bool(torch.isfinite(g).all()) for g in scaled):
            scale, good = scale / 2, 0
            continue
        gradients = [g.float() / scale for g in scaled]
        norm = math.sqrt(sum(float(g.double().square().sum()) for g in gradients))
        factor = min(1.0, max_norm / norm) if norm > 0 else 1.0
        weights = [w - rate * factor * g for w, g in zip(weights, gradients, strict=True)]
        good += 1
        if good == interval:
            scale, good = scale * 2, 0
    return weights, scale
    ### END SOLUTION


# %% test_train_half tags=["test", "core"] points=10 hours=1.0 covers=["scalability", "lo2"]
def judge_half(given, bad, scale, interval, rate, max_norm):
    """`given`: true gradients of each step, or None; `bad` says which number spoils a step's first tensor, if any."""
    start = [check.rng.normal(6, 5), check.rng.normal(9)]
    before, calls = [w.clone() for w in start], []

    def half_gradients(copies, scale):
        calls.append(([c.clone() for c in copies], scale))
        gradients = [(g * scale).half() for g in given[len(calls) - 1]]
        if len(calls) - 1 in bad:
            place, values = bad[len(calls) - 1]
            gradients[place].view(-1)[: len(values)] = torch.tensor(values, dtype=torch.float16)
        return gradients

    got, last = train_half(start, half_gradients, len(given), scale, interval, rate, max_norm)
    weights, good, scales = [w.double() for w in before], 0, []
    for step, true in enumerate(given):
        scales.append(scale)
        for copy, w in zip(calls[step][0], weights, strict=True):
            check.close(copy, w.half(), rtol=4e-3, name=f"the copies of step {step}")
        rounded = [(g * scale).half().double() / scale for g in true]
        if step in bad or not all(bool(torch.isfinite(g).all()) for g in rounded):
            scale, good = scale / 2, 0
            continue
        norm = math.sqrt(sum(float(g.square().sum()) for g in rounded))
        factor = rate * min(1.0, max_norm / max(norm, 1e-30))
        weights, good = [w - factor * g for w, g in zip(weights, rounded, strict=True)], good + 1
        if good == interval:
            scale, good = 2 * scale, 0
    told = torch.tensor([*(told for _, told in calls), last])
    check.close(told, torch.tensor([*scales, scale]), name="the scale of each step, and the last")
    for number, (w, want) in enumerate(zip(got, weights, strict=True)):
        moved, wanted = w.double() - before[number].double(), want - before[number].double()
        check.close(moved.float(), wanted.float(), rtol=1e-2, name=f"how far weights[{number}] moved")
    for w, kept in zip(start, before, strict=True):
        check.equal(w, kept, name="the weights that you were given")


def gradients(count, size=1.0):
    return [[size * check.rng.normal(6, 5), size * check.rng.normal(9)] for _ in range(count)]


judge_half(gradients(8), {3: (0, [math.inf])}, 1024.0, 2, 0.1, 1e9)
### BEGIN HIDDEN TESTS
judge_half(gradients(9), {2: (1, [math.nan]), 6: (0, [math.inf, -math.inf]), 7: (1, [-math.inf])}, 512.0, 3, 0.1, 1e9)
judge_half(gradients(6), {}, 256.0, 100, 0.1, 2.0)
judge_half(gradients(4, 3e-8), {}, 65536.0, 100, 1e5, 1e9)
judge_half([*gradients(1), *gradients(1, 0.0), *gradients(2)], {}, 64.0, 2, 0.1, 1e3)
judge_half(gradients(12), {}, 2.0**14, 2, 0.1, 1e9)
### END HIDDEN TESTS

# %% [markdown]
# bfloat16 has float32's exponents and needs no scale; it has 8 bits of precision, so the weights in float32 stay. On GPUs that have it, it is what one trains in.
#
# ## 5 · A large batch in small pieces
#
# Activations grow with the batch, and nothing else does. So run the batch in **micro-batches** and add up their gradients: the memory of a small batch, the gradient of the large one. If it is added up rightly: the mean of (2, 4) is 3, of (9) it is 9, the mean of both is 6; but the mean of (2, 4, 9) is 5.
# **A mean of means is the mean only if all parts weigh the same.**
#
# Texts have different lengths. Targets that do not count are −100, and a micro-batch's mean is over those that do. Until October 2024 the trainer of Hugging Face's transformers gave every micro-batch the same weight, however few tokens it had (its own account is among the sources). How far off is the gradient then?


# %% mean_loss tags=["setup"]
def mean_loss(weights, x, y):
    """Mean cross entropy of the targets that count: x, y int64 of shape (rows, T); NaN if there is none."""
    table, head = weights
    logits = torch.tanh(table[x]) @ head
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten(), ignore_index=-100)


# %% look_means
def gradient_of(weights, x, y):
    return torch.autograd.grad(mean_loss(weights, x, y), weights)[0]


weights = [torch.randn(72, 32, requires_grad=True), torch.randn(32, 72, requires_grad=True)]
x, y = torch.randint(0, 72, (2, 8, 128))
for row, length in enumerate((4, 8, 16, 32, 48, 64, 96, 128)):
    y[row, length:] = -100
right = gradient_of(weights, x, y)
mean_of_means = sum(gradient_of(weights, x[row : row + 1], y[row : row + 1]) for row in range(8)) / 8
print(
    f"8 texts of 4 to 128 tokens, one each micro-batch: off by {float((mean_of_means - right).norm() / right.norm()):.0%}"
)

# %% [markdown]
# **Your task.** `accumulate(weights, x, y, rows)` returns the gradients of `mean_loss(weights, x, y)`, a list of tensors like `weights`, computed in micro-batches of `rows` rows in order (the last may be shorter).
# * The graph of one micro-batch is freed before the next is made: the peak must be that of one micro-batch. No micro-batch is larger.
# * A micro-batch without a target that counts adds nothing (its `mean_loss` is NaN). At least one target counts in the whole batch. The arguments stay as they are (their `.grad` too).
#
# <details><summary>Hint 1: weights of parts</summary>
#
# Before the loop you may count: how many targets of the whole batch count?
# </details>
# <details><summary>Hint 2: where gradients go</summary>
#
# `torch.autograd.grad(loss, leaves)` returns them; `loss.backward()` adds them to `.grad` of your own leaves, `w.detach().requires_grad_()`.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# For each part: n = its targets that count; skip it if 0; `(mean_loss(leaves, …) * (n / total)).backward()`.
# </details>


# %% accumulate tags=["solution"]
def accumulate(weights, x, y, rows):
    ### BEGIN SOLUTION
    leaves = [w.detach().requires_grad_() for w in weights]
    total = int((y != -100).sum())
    for x_part, y_part in zip(x.split(rows), y.split(rows), strict=True):
        count = int((y_part != -100).sum())
        if count:
            (mean_loss(leaves, x_part, y_part) * (count / total)).backward()
    return [leaf.grad for leaf in leaves]
    ### END SOLUTION


# %% test_accumulate tags=["test", "core"] points=10 hours=1.0 covers=["scalability", "lo1"]
def judge_accumulation(batch, rows, T, ignored, most):
    """`ignored`: places whose target does not count; `most`: bytes held at once."""
    V, C = 20, 8
    weights = [check.rng.normal(V, C), check.rng.normal(C, V)]
    x, y = check.rng.integers(0, V, batch, T), check.rng.integers(0, V, batch, T)
    for place in ignored:
        y[place] = -100
    leaves = [w.clone().requires_grad_() for w in weights]
    mean_loss(leaves, x, y).backward()
    got = check.cost(accumulate, weights, x, y, rows, peak=most)
    for number, leaf in enumerate(leaves):
        check.close(got[number], leaf.grad, rtol=1e-4, name=f"the gradient of weights[{number}]")


judge_accumulation(12, 3, 64, [], (20_000, 80_000))
### BEGIN HIDDEN TESTS
judge_accumulation(
    10, 4, 64, [(slice(None), slice(40, None)), (0, slice(3, None)), (9, slice(1, None))], (20_000, 100_000)
)
judge_accumulation(9, 2, 32, [slice(2, 4), (5, slice(5, None))], (5_000, 35_000))
judge_accumulation(5, 8, 16, [(1, slice(2, None))], (5_000, 60_000))
### END HIDDEN TESTS

# %% [markdown]
# ### Diagnose from counters (stretch)
#
# Four training loops, all with the right gradients. Each takes steps of four micro-batches. The recorder of exercise 1 watched the third step, and counted bytes. What is wrong with which?

# %% look_counters
from lablib.train.faulty_loops import FAULTS, counters

loops = [counters(fault) for fault in FAULTS]
print(" " * 33, *(f"{loop:>12}" for loop in "ABCD"))
for name in loops[0]:
    print(f"{name:33}", *(f"{loop[name]!s:>12}" for loop in loops))

# %% [markdown]
# **Your task.** `diagnose(c)` takes such a dict and returns one of
# * `"one graph"`: several micro-batches' activations are held at once;
# * `"gradients kept"`: gradients are held through the forward pass, where they serve nothing;
# * `"results kept"`: something stays from step to step, and more of it each step;
# * `"healthy"`: none of these.
#
# Each loop has at most one fault. Hidden loops have other widths, depths and numbers of micro-batches, 2 to 8.
#
# <details><summary>Hint 1: compare</summary>
#
# Which two counters should be equal in a healthy loop? Which should be zero, which should not grow?
# </details>
# <details><summary>Hint 2: a margin</summary>
#
# A micro-batch's input, or the next one's first tensors, may come on top. Two graphs are about twice one.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Three comparisons: activations against 1.5 × those of one micro-batch; gradients against 0; the last entry of the list against its first.
# </details>


# %% diagnose tags=["solution"]
def diagnose(c):
    ### BEGIN SOLUTION
    if c["activations"] > 1.5 * c["activations_of_one_micro_batch"]:
        return "one graph"
    if c["gradients_before_the_forward_pass"] > 0:
        return "gradients kept"
    if c["kept_after_each_step"][-1] > c["kept_after_each_step"][0]:
        return "results kept"
    return "healthy"
    ### END SOLUTION


# %% test_diagnose tags=["test", "stretch"] points=5 hours=0.5 covers=["scalability", "lo1"]
from lablib.train.faulty_loops import FAULTS as faults
from lablib.train.faulty_loops import counters as counted

check.equal([diagnose(counted(fault)) for fault in faults], list(faults), name="your diagnoses of A, B, C, D")
### BEGIN HIDDEN TESTS
first, apart = check.rng.choice(0, 4), check.rng.choice(1, 4)
for number, fault in enumerate([faults[(first + apart * n) % 4] for n in range(4)] + list(faults[::-1])):
    micro_batches = check.rng.choice(2, 4) if number < 4 else check.rng.choice(4, 9)
    rows = check.rng.choice(4, 100)
    width, depth = 8 * check.rng.choice(1, 16), check.rng.choice(2, 5)
    told = f"{fault}, {micro_batches} micro-batches of {rows} rows, {depth} layers of {width}"
    check.equal(diagnose(counted(fault, micro_batches, rows, width, depth)), fault, name=f"the diagnosis of {told}")
### END HIDDEN TESTS

# %% [markdown]
# ## 6 · The optimizer in one pass
#
# AdamW does about 15 operations an element. In PyTorch's plain form each is a kernel, and each kernel a trip to memory. Fused, a step reads p, g, m, v and writes p, m, v: **7 numbers, 28 bytes a parameter in float32**. (On an H200, 2²⁸ parameters take 1.76 ms
# with lablib's kernel: 4.27 TB/s; `benchmarks/results/2026-11-23-h200-kernels.json`.)
#
# * m ← β₁ m + (1 − β₁) g and v ← β₂ v + (1 − β₂) g²
# * p ← (1 − η λ) p − η m̂ / (√v̂ + ε), with m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ)
#
# Exercise 4 adds two trips: one to divide by the scale, one to look for infinities. The first costs nothing inside the kernel. The second has to be known before: an earlier kernel leaves a flag in memory. The host need not wait for it; **the optimizer's own programs read it**, and do nothing if it is set.


# %% exact_adamw tags=["setup"]
def exact_adamw(p, g, m, v, step, rate, decay):
    """New p, m and v in float64."""
    p, g, m, v = (t.double() for t in (p, g, m, v))
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    direction = m / (1 - 0.9**step) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
    return (1 - rate * decay) * p - rate * direction, m, v


# %% [markdown]
# **Your task.** `adamw_step(p, g, m, v, flag, step, scale, rate, decay)` updates `p`, `m` and `v` in place and returns nothing.
# * All float32, contiguous, one shape, any number of elements. `g` is the gradient times `scale`. β₁ = 0.9, β₂ = 0.999, ε = 1e-8; `rate` is η, `decay` λ, `step` is t, from 1 up.
# * `flag`: int32, shape (1,). If it is not 0, the step is skipped: nothing is stored and no element of p, g, m, v is loaded. Each program loads it once.
# * One launch, 1024 elements a program, each number loaded and stored once.
#
# The launcher is given: it computes on the host what is the same for all elements.
#
# <details><summary>Hint 1: skipping</summary>
#
# A mask can say more than "inside the array". What is `inside & (flag == 0)`?
# </details>
# <details><summary>Hint 2: the scale</summary>
#
# `g * inverse_scale`, right after the load. m and v must never see the scaled gradient.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# load flag → mask → load p, g, m, v → m, v → p = p · keep − rate_1 · m / (√(v / correction_2) + ε) → three stores.
# </details>


# %% adamw_step tags=["solution"]
@triton.jit
def _adamw_kernel(
    p_ptr, g_ptr, m_ptr, v_ptr, flag_ptr, n, inverse_scale, keep, rate_1, correction_2, BLOCK: tl.constexpr
):  # fmt: skip
    ### BEGIN SOLUTION
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    active = (at < n) & (tl.load(flag_ptr) == 0)
    p = tl.load(p_ptr + at, mask=active, other=0.0)
    g = tl.load(g_ptr + at, mask=active, other=0.0) * inverse_scale
    m = tl.load(m_ptr + at, mask=active, other=0.0)
    v = tl.load(v_ptr + at, mask=active, other=0.0)
    m += 0.1 * (g - m)
    v += 0.001 * (g * g - v)
    p = p * keep - rate_1 * m / (tl.sqrt(v / correction_2) + 1e-8)
    tl.store(p_ptr + at, p, mask=active)
    tl.store(m_ptr + at, m, mask=active)
    tl.store(v_ptr + at, v, mask=active)
    ### END SOLUTION


def adamw_step(p, g, m, v, flag, step, scale, rate, decay):
    keep, rate_1, correction_2 = 1 - rate * decay, rate / (1 - 0.9**step), 1 - 0.999**step
    grid = (triton.cdiv(p.numel(), 1024),)
    _adamw_kernel[grid](p, g, m, v, flag, p.numel(), 1 / scale, keep, rate_1, correction_2, BLOCK=1024)


# %% test_adamw_step tags=["test", "core"] points=10 hours=1.0 covers=["scalability", "lo2", "lo3"]
def judge_adamw(n, step, scale, rate, decay, skipped):
    p, g, m = check.rng.normal(n), check.rng.normal(n), 0.1 * check.rng.normal(n)
    v = check.rng.uniform(n, low=0.1)
    flag = torch.tensor([skipped], dtype=torch.int32, device=p.device)
    before, programs = [t.clone() for t in (p, m, v)], triton.cdiv(n, 1024)
    moved = {"loads": 4 * programs + 16 * n * (not skipped), "stores": 12 * n * (not skipped)}
    names = [check.inout(t) for t in (p, m, v)]
    check.traffic(
        adamw_step, names[0], g * scale, names[1], names[2], flag, step, scale, rate, decay,
        **moved, launches=1, programs=programs,
    )  # fmt: skip
    want = before if skipped else exact_adamw(before[0], g, *before[1:], step, rate, decay)
    for got, exact, name in zip((p, m, v), want, ("p", "m", "v"), strict=True):
        check.close(got, exact.float(), rtol=1e-4, name=f"{name} after step {step}")


judge_adamw(1500, 1, 1024.0, 0.1, 0.01, skipped=0)
judge_adamw(1500, 2, 1024.0, 0.1, 0.01, skipped=1)
### BEGIN HIDDEN TESTS
judge_adamw(1, 1, 1.0, 0.01, 0.0, skipped=0)
judge_adamw(3000, 100, 64.0, 0.5, 0.3, skipped=0)
judge_adamw(1025, 7, 256.0, 0.5, 0.3, skipped=5)
### END HIDDEN TESTS

# %% [markdown]
# ### Eight-bit states (stretch)
#
# Two moments in float32 are 8 bytes a parameter, more than the parameter and its gradient in 16 bits together. Each block of 256 neighbours can share one float32, its largest magnitude, and keep a code of 8 bits a number: 2 + 8 / 256 bytes in place of 8 (Dettmers and others, 2021, with finer codes than these).
# m is signed: 127 steps up, 127 down. v spans many powers of ten, and a v rounded to 0 makes a step without bounds; its **root** spans half as many, and the root is what the step divides by.
#
# **Your task.** `adamw8_step(p, g, m_code, m_top, u_code, u_top, step, rate)`: as above, without flag, scale and decay, in place, with the states
# * `m_code`: int8, m = `m_top` · code / 127; `u_code`: uint8, u = √v = `u_top` · code / 255. `m_top`, `u_top`: float32, one number for each block of 256 elements (the last block may be shorter).
# * Decode, update m and v, update p **with these m and v, before they are rounded**; then the new tops, the largest |m| and the largest √v of the block; then the nearest codes. A block whose top is 0 has codes 0.
# * One launch, a block a program, 16 bytes an element and 16 a program, each number loaded and stored once.
#
# <details><summary>Hint 1: a whole block</summary>
#
# A program holds its 256 numbers in registers, so the new top is a `tl.max` away.
# </details>
# <details><summary>Hint 2: nearest</summary>
#
# `tl.floor(x + 0.5)` rounds to the nearest integer, of negative numbers too. `.to(tl.int8)` cuts off.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# code = floor(127 · m / top + 0.5), where top is replaced by 1 if it is 0: `tl.where(top > 0, top, 1.0)`.
# </details>


# %% adamw8_step tags=["solution"]
@triton.jit
def _adamw8_kernel(
    p_ptr, g_ptr, m_ptr, m_top_ptr, u_ptr, u_top_ptr, n, rate_1, correction_2, BLOCK: tl.constexpr
):  # fmt: skip
    ### BEGIN SOLUTION
    block = tl.program_id(0)
    at = block * BLOCK + tl.arange(0, BLOCK)
    inside = at < n
    p = tl.load(p_ptr + at, mask=inside, other=0.0)
    g = tl.load(g_ptr + at, mask=inside, other=0.0)
    m = tl.load(m_ptr + at, mask=inside, other=0).to(tl.float32) * (tl.load(m_top_ptr + block) / 127)
    u = tl.load(u_ptr + at, mask=inside, other=0).to(tl.float32) * (tl.load(u_top_ptr + block) / 255)
    m += 0.1 * (g - m)
    v = u * u + 0.001 * (g * g - u * u)
    u = tl.sqrt(v)
    tl.store(p_ptr + at, p - rate_1 * m / (tl.sqrt(v / correction_2) + 1e-8), mask=inside)
    m_top = tl.max(tl.abs(m), axis=0)
    u_top = tl.max(u, axis=0)
    m_code = tl.floor(127 * (m / tl.where(m_top > 0, m_top, 1.0)) + 0.5)
    u_code = tl.floor(255 * (u / tl.where(u_top > 0, u_top, 1.0)) + 0.5)
    tl.store(m_ptr + at, m_code.to(tl.int8), mask=inside)
    tl.store(u_ptr + at, u_code.to(tl.uint8), mask=inside)
    tl.store(m_top_ptr + block, m_top)
    tl.store(u_top_ptr + block, u_top)
    ### END SOLUTION


def adamw8_step(p, g, m_code, m_top, u_code, u_top, step, rate):
    rate_1, correction_2 = rate / (1 - 0.9**step), 1 - 0.999**step
    grid = (triton.cdiv(p.numel(), 256),)
    _adamw8_kernel[grid](p, g, m_code, m_top, u_code, u_top, p.numel(), rate_1, correction_2, BLOCK=256)


# %% test_adamw8_step tags=["test", "stretch"] points=5 hours=1.5 covers=["quantisation", "scalability", "lo3"]
def judge_adamw8(n, step, rate, quiet=False):
    """`quiet`: the first block's gradients and states are all 0."""
    blocks = triton.cdiv(n, 256)
    p, g = check.rng.normal(n), check.rng.normal(n)
    m_code = check.rng.integers(-127, 128, n).to(torch.int8)
    u_code = check.rng.integers(40, 256, n).to(torch.uint8)
    m_top, u_top = check.rng.uniform(blocks, low=0.1), check.rng.uniform(blocks, low=0.5, high=2.0)
    if quiet:
        g[:256] = m_code[:256] = u_code[:256] = m_top[0] = u_top[0] = 0

    def per_element(tops):
        return tops.repeat_interleave(256)[:n].double()

    start = p.clone(), m_code.double() / 127 * per_element(m_top), u_code.double() / 255 * per_element(u_top)
    exact_p, m, v = exact_adamw(start[0], g, start[1], start[2] ** 2, step, rate, 0.0)
    states = [check.inout(t) for t in (p, m_code, m_top, u_code, u_top)]
    moved = {"loads": 10 * n + 8 * blocks, "stores": 6 * n + 8 * blocks}
    check.traffic(adamw8_step, states[0], g, *states[1:], step, rate, **moved, launches=1, programs=blocks)
    check.close(p, exact_p.float(), rtol=1e-4, name="p")
    for code, top, exact, levels, name in ((m_code, m_top, m, 127, "m"), (u_code, u_top, v.sqrt(), 255, "√v")):
        padded = torch.nn.functional.pad(exact.abs(), (0, 256 * blocks - n)).view(blocks, 256)
        check.close(top, padded.amax(dim=1).float(), rtol=1e-4, name=f"the tops of {name}")
        wrong = (code.double() - exact / per_element(top).clamp(min=1e-30) * levels).abs().max()
        assert float(wrong) <= 0.51, f"A code of {name} is {float(wrong):.2f} steps off: expected the nearest."


judge_adamw8(700, 3, 0.1)
### BEGIN HIDDEN TESTS
judge_adamw8(1, 1, 0.1)
judge_adamw8(2048, 50, 0.3)
judge_adamw8(600, 2, 0.1, quiet=True)
### END HIDDEN TESTS

# %% [markdown]
# ## 7 · Measure and explain
#
# All of it together, for a GPT of 124 million parameters (width 768, 12 blocks, 12 heads) that reads 8 texts of 1024 tokens with 50 000 words, counted on `meta`.

# %% look_large
texts = torch.zeros(8, 1024, dtype=torch.int64, device="meta")
peak = memory_of_steps(GPT(50_000, 1024, 768, 12, 12).to("meta"), texts, texts).peak
print(f"{peak.total / 1e9:.1f} GB at the peak:", ", ".join(f"{kind} {n / 1e9:.2f} GB" for kind, n in peak.held.items()))
print(f"of the activations, softmax outputs: {12 * 8 * 12 * 1024**2 * 4 / 1e9:.1f} GB")

# %% [markdown]
# **Explain** (in at most 200 words, in the cell below).
# 1. What did you predict for the CNN's share of activations in exercise 1, and what came? The CNN has several times the GPT's activations for each byte of parameters: give both ratios, and say why.
# 2. You have 8 GB for the GPT above. Which of these do you use first, and how many GB does each save: blocks computed again, micro-batches, flash attention (which keeps no softmax output), 8-bit states? Use the numbers printed above.
# 3. One of those four changes the numbers that the training computes beyond rounding. Which, and how would you see whether it matters?

# %% explain_memory [markdown] tags=["manual", "core"] points=10 hours=0.5 covers=["scalability", "lo3"]
# ### BEGIN SOLUTION
# 1. I predicted 50%; the recorder counted 84%. A weight of a convolution is used at every place of every image, so each of the few weights brings many outputs. So a byte of parameters has 68 bytes of activations (15.3 MB to 0.2 MB), in the GPT 13 (42 MB to 3.3 MB).
# 2. The peak is 16.1 GB, 11.4 of them activations, so those first. Flash attention takes away the softmax outputs, 4.8 GB, for nearly nothing. Computing blocks again leaves the insides of one block
#    of twelve: of 11.4 GB the log-probabilities are 1.6, of the rest 11/12 go, about 8.9 GB, for a third more arithmetic. Micro-batches of 1 text in place of 8 leave an eighth of activations and
#    temporaries, 12.8 GB less, but hold the sum of the gradients meanwhile, 0.5 GB more: 12.3 GB, with the same arithmetic in smaller products; they alone suffice. 8-bit states save 6 bytes a parameter: 124 M · 6 B = 0.7 GB, the least here.
# 3. 8-bit states: each moment is rounded to one of 255 steps of its block's largest. Train twice with the same seed and data, once with float32 states, and compare held-out losses; their difference against that of two seeds says whether it matters.
# ### END SOLUTION

# %% rubric_explain_memory [markdown] tags=["rubric"]
# **10 points.**
# * 3: compares prediction and count with numbers (1), gives both ratios (1), and names weight reuse (1).
# * 5: 1 for each saving with a figure within 20% of what the printed numbers give, 1 for an order with its reason (largest kind first, or free ones first).
# * 2: names 8-bit states (1) and an experiment that compares held-out losses, with a second seed or another measure of noise (1).
# * "Micro-batches change the result": no point, unless batch norm is named, which neither model has.

# %% record_figures
from lablib.ledger import record

# Your figures are kept in labs/ledger.json: lab18 fills the tables of its claims and its essay from there.
record("lab14_training_systems", {
    "cnn_activations_share": lambda: cnn_steps.peak.held["activations"] / cnn_steps.peak.total,
    "cnn_activations_share_predicted": lambda: predicted_share,
    "gpt_activations_share": lambda: gpt_steps.peak.held["activations"] / gpt_steps.peak.total,
    "cnn_forward_flops_ratio_55_percent_held": lambda: plans[-1]["flops"] / sum(cnn_chain.flops),
})  # fmt: skip

# %% [markdown]
# ## What to take along
#
# * Parameters, gradients, two states: 16 bytes a parameter in float32, before the first activation.
# * What the backward pass can compute from what is there anyway need not be kept: y for x, a block's input for its insides.
# * A plan of what to keep is a small dynamic programme. √n is its answer for equal blocks when no budget is told.
# * Scale losses, not weights; skip what overflowed; weigh parts of a batch by what they hold.
# * An optimizer is memory traffic: 28 bytes a parameter, and less only with smaller states.
#
# **Next:** lab15 spreads the same bytes over several GPUs.
#
# **Sources**
# * Chen, Xu, Zhang, Guestrin: *Training deep nets with sublinear memory cost*, arXiv:1604.06174, 2016. √n segments.
# * Beaumont, Eyraud-Dubois, Hermann, Joly, Shilova: *Optimal checkpointing for heterogeneous chains*, arXiv:1911.13214, 2019. The dynamic programme, and why plans that drop early can be better.
# * Griewank, Walther: *Algorithm 799: revolve*, ACM TOMS 26(1), 2000. The optimum for equal steps.
# * Micikevicius and others: *Mixed precision training*, arXiv:1710.03740, 2017. Float32 weights, loss scaling.
# * Loshchilov, Hutter: *Decoupled weight decay regularization*, arXiv:1711.05101, 2017. Dettmers, Lewis, Shleifer, Zettlemoyer: *8-bit optimizers via block-wise quantization*, arXiv:2110.02861, 2021.
# * Hugging Face: *Fixing gradient accumulation*, huggingface.co/blog/gradient_accumulation, October 2024; transformers, issue 24725 and pull request 34191.
# * Ba, Kiros, Hinton: *Layer normalization*, arXiv:1607.06450, 2016. Szegedy and others: *Rethinking the Inception architecture for computer vision*, arXiv:1512.00567, 2015: label smoothing.
# * NVIDIA: H200 datasheet. Llama Team: *The Llama 3 herd of models* (128 256 tokens), arXiv:2407.21783, 2024.
