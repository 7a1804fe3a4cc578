# %% [markdown]
# # Lab 09 · Quantisation
#
# An H200 multiplies one row of numbers with a matrix of 28672 × 8192 bfloat16 weights in 0.110 ms. With weights of 4 bits it takes 0.043 ms: 2.6 times as fast, for a quarter of the bytes. Two matrices of 8192 × 8192 in int8
# multiply at 1312 TOP/s, where bfloat16 reaches 781. So fewer bits buy two different things: **fewer bytes to read**, and **cheaper arithmetic**. (All figures stand in `assets/h200.json`.)
#
# The price is that every number must become one of few. With 4 bits there are 16. In this lab you choose which 16, compute with integers and nothing else, and find out what each choice costs a vision and a language model.
#
# **After it you can**
# 1. map floats to integers and back, bit-exactly, with a scale and a zero point, for a tensor or for each channel;
# 2. choose where to clip, from samples;
# 3. run a layer with no floating-point operation at all, as a small chip does;
# 4. take a language model to 3 bits, and tell a method that knows what matters from one that does not;
# 5. write the kernel that reads 4 bits a weight;
# 6. train through rounding, and export a network that lab12 builds in hardware.
#
# | | |
# |---|---|
# | Time | about 12 hours: core 11¼ h, stretch ½ h (the diagnosis in 7) |
# | Needs | lab02 and lab03 (the models), lab06 (Triton, for exercise 5) |
# | Machine | any laptop, no GPU. Cells take less than 5 s unless they say so; none takes more than 20 s |
# | Grading | about 10 core-seconds, because your training runs again |
# | Points | 100 |
#
# **In every exercise** arguments stay as they were, results are new tensors, and a linear layer computes x · Wᵀ with W of shape (N, K): N outputs, K inputs, as PyTorch keeps it. Rounding is to the nearest integer, halves to the even one, as `torch.round` does.
# In grading your cells find no `lablib.kernels.matmul_int8` and `lablib.kernels.matmul_int4`, and no digits: no `lablib.data.digits`, no `lablib.hls.designs.digits`.

# %% setup tags=["setup"] withhold=["lablib.kernels.matmul_int8", "lablib.kernels.matmul_int4", "lablib.data.digits", "lablib/data/digits.npz", "lablib.hls.designs.digits", "lablib/hls/designs/digits_network.npz"]
import lablib

lablib.require("0.1")

from lablib import device  # isort: skip  (before triton: it decides whether kernels are interpreted)

import copy
import json
from pathlib import Path

import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import nn

from lablib import check, viz
from lablib.compress.calibration import layer_inputs
from lablib.data.austen import austen
from lablib.gpu.specs import gpu
from lablib.gpu.trace import trace
from lablib.models.gpt import GPT
from lablib.models.vit import ViT
from lablib.models.weights import load
from lablib.train.metrics import accuracy, bits_per_character

device.seed(0)
torch.backends.cudnn.allow_tf32 = False  # on a GPU, too, a float32 product keeps all of its bits
torch.set_num_threads(1)  # our arrays are small: a second core would mostly wait
LINEAR = [f"blocks.{i}.{name}" for i in range(4) for name in ("attention.qkv", "attention.out", "mlp.0", "mlp.2")]


def windows_of(tokens, count, length=128):
    """The first `count` windows of a text, shape (count, length)."""
    return tokens[: count * length].view(count, length)


# %% [markdown]
# The models come trained: a ViT that reads MNIST's digits, and a GPT that writes Jane Austen, one character at a time. Nearly all of their weights stand in the same 16 linear layers, four in each of four blocks. The ViT is judged by its accuracy on 500 images that it never
# saw. The GPT is judged by **perplexity** on a text that it never saw: 2 to the power of the bits that it needs to tell the next character. Perplexity 3 means: as unsure as between three equally likely characters. Fewer is better.

# %% look_models
from lablib.data.mnist import mnist

images, text = mnist(), austen()
vit, gpt = load(ViT(), "vit"), load(GPT(), "gpt")
some_text = text.test[:3000]  # short, so that it stays quick


def quality(model):
    """Accuracy of the ViT on 500 images, perplexity of the GPT."""
    if isinstance(model, GPT):
        return 2 ** bits_per_character(model, some_text)
    return accuracy(model, images.test_x[:500], images.test_y[:500])


as_floats = {"ViT": quality(vit), "GPT": quality(gpt)}
print(f"ViT {as_floats['ViT']:.1%} of images right, GPT perplexity {as_floats['GPT']:.3f}")

# %% [markdown]
# ## 1 · A ruler with few marks
#
# Quantisation lays a ruler over the numbers. The marks are `scale` apart, and each number goes to the nearest mark. What is stored is the mark's integer **q**. By hand, with a scale of 0.5:
#
# ```text
#   x        -0.9    0.1    0.7    1.9
#   x/scale  -1.8    0.2    1.4    3.8
#   q          -2      0      1      4       stored
#   scale·q  -1.0    0.0    0.5    2.0       what it stands for: nowhere more than scale/2 away
# ```
#
# A signed integer of b bits goes from −2ᵇ⁻¹ to 2ᵇ⁻¹ − 1. There are two ways to lay the ruler.
# * **Symmetric**: 0 stands for 0. The scale is max|x| / (2ᵇ⁻¹ − 1), and the lowest integer stays unused, so that −x is as good as x.
# * **Affine**: the lowest integer stands for the least number, the highest for the greatest. Then 0.0 falls on some integer, the **zero point** z, and q stands for scale · (q − z).
#
# What comes out of a GELU is never below −0.17, and as high as 5 above. Move the slider: how many of the symmetric levels are never used? What do you get for them if you move the zero point?

# %% look_levels
activations = layer_inputs(vit, ["blocks.1.mlp.2"], images.train_x[:50])["blocks.1.mlp.2"].flatten()[::16]
low, high = float(activations.min()), float(activations.max())
schemes = []
for bits in (8, 4, 3):
    step = (high - low) / (2**bits - 1)
    schemes.append({"name": f"symmetric, {bits} bits", "bits": bits, "scale": high / (2 ** (bits - 1) - 1), "zero_point": 0})  # fmt: skip
    schemes.append({"name": f"affine, {bits} bits", "bits": bits, "scale": step, "zero_point": round(-(2 ** (bits - 1)) - low / step)})  # fmt: skip
viz.quantisation_levels(activations, schemes)

# %% [markdown]
# Must 0.0 have a level of its own? Yes: padding, masks and ReLU write exact zeros, and a zero that is off by half a step adds up over thousands of terms. So the zero point is rounded to an integer, and the range is stretched to contain 0.
#
# One scale may serve a whole tensor, or each slice along an axis has its own: **per channel**. A scale for each output channel of a weight costs one multiplication an output. (A scale for each *input* channel could not leave the sum. Why?)
#
# **Your task.** `quantise(x, bits, symmetric, axis=None)` returns `(q, scale, zero_point)`.
# * `x`: float32, any shape. `bits`: 2 to 8. `axis`: None for one scale, otherwise each slice along that axis has its own.
# * `q`: int8, shape of `x`. `scale`: float32, `zero_point`: int32, both of shape () for one scale; otherwise of as many axes as `x`, with length 1 except along `axis`.
# * **Bit-exact**, so the order of operations is part of the contract. All in float32:
#   * symmetric: scale = max|x| / (2ᵇ⁻¹ − 1), zero point 0, q = round(x / scale).
#   * affine: lo = min(x, 0), hi = max(x, 0); scale = (hi − lo) / (2ᵇ − 1); zero point = round(−2ᵇ⁻¹ − lo / scale); q = round(x / scale) + zero point, clipped to −2ᵇ⁻¹ … 2ᵇ⁻¹ − 1.
#   * A slice of zeros has scale 1.
#
# <details><summary>Hint 1: one code for both shapes</summary><code>x.amax(dim=…, keepdim=True)</code> takes a list of axes. Which axes are they for one scale, which for one a channel?</details>
# <details><summary>Hint 2: where to clip</summary>Rounding x / scale and rounding the zero point can both go up: then their sum is one too many.</details>
# <details><summary>Hint 3: the order</summary>Round x / scale first, and add the integer zero point afterwards. Rounding the sum is another function: halves go elsewhere.</details>


# %% quantise tags=["solution"]
def quantise(x, bits, symmetric, axis=None):
    ### BEGIN SOLUTION
    half = 2 ** (bits - 1)
    others = [a for a in range(x.dim()) if axis is None or a != axis % x.dim()]
    if symmetric:
        span = x.abs().amax(dim=others, keepdim=True)
        scale = span / (half - 1)
    else:
        lo, hi = x.amin(dim=others, keepdim=True).clamp(max=0), x.amax(dim=others, keepdim=True).clamp(min=0)
        span = hi - lo
        scale = span / (2 * half - 1)
    scale = torch.where(span > 0, scale, 1.0)
    zero = torch.zeros_like(scale) if symmetric else (-half - lo / scale).round()
    q = ((x / scale).round() + zero).clamp(-half, half - 1).to(torch.int8)
    if axis is None:
        scale, zero = scale.reshape(()), zero.reshape(())
    return q, scale, zero.to(torch.int32)
    ### END SOLUTION


# %% test_quantise tags=["test", "core"] points=10 hours=1.0 covers=["quantisation", "lo1"]
def quantised_by_slice(x, bits, symmetric):
    """The same for one slice, with one scale."""
    half = 2 ** (bits - 1)
    if symmetric:
        scale, zero = x.abs().max() / (half - 1), torch.zeros((), device=x.device)
    else:
        lo, hi = torch.minimum(x.min(), torch.zeros_like(x.min())), torch.maximum(x.max(), torch.zeros_like(x.max()))
        scale = (hi - lo) / (2**bits - 1)
    scale = scale if x.any() else torch.ones_like(scale)
    if not symmetric:
        zero = torch.round(-half - lo / scale)
    q = torch.clamp(torch.round(x / scale) + zero, -half, half - 1)
    return q.to(torch.int8), scale, zero.to(torch.int32)


def judge_quantise(x, bits, symmetric, axis=None):
    if axis is None:
        wanted = quantised_by_slice(x, bits, symmetric)
    else:
        found = [quantised_by_slice(part, bits, symmetric) for part in x.split(1, dim=axis)]
        shape = [x.shape[a] if a == axis % x.dim() else 1 for a in range(x.dim())]
        q, scale, zero = zip(*found, strict=True)
        wanted = torch.cat(q, dim=axis), torch.stack(scale).view(shape), torch.stack(zero).view(shape)
    how = f"{bits} bits, {'symmetric' if symmetric else 'affine'}, axis {axis}"
    for name, got, want in zip(("q", "scale", "zero_point"), quantise(x, bits, symmetric, axis), wanted, strict=True):
        check.equal(got, want, name=f"{name} ({how})")


judge_quantise(check.rng.normal(40, 30), 8, True)
judge_quantise(check.rng.normal(40, 30) + 1, 4, False)
judge_quantise(
    check.rng.normal(6, 50) * torch.tensor([[1.0], [2], [4], [8], [16], [32]], device=device.DEVICE), 8, True, 0
)
### BEGIN HIDDEN TESTS
judge_quantise(check.rng.normal(5, 7, 6) + 0.5, 3, False, 1)
judge_quantise(check.rng.uniform(9, 40, low=1.0, high=2.0), 8, False, -1)  # 0 lies outside: the range must be stretched
judge_quantise(-check.rng.uniform(300), 5, False)
judge_quantise(check.rng.integers(-7, 8, 64, 64) * 0.5, 4, True)  # halves
judge_quantise(check.rng.integers(-8, 8, 500) + 0.5, 4, False)  # x / scale goes up to 8, and must be clipped to 7
ends, halves = torch.tensor([-9.0, 6.0], device=device.DEVICE), check.rng.integers(-9, 6, 500) + 0.5
judge_quantise(torch.cat([ends, halves]), 4, False)  # halves, and an odd zero point
steps = check.rng.uniform(200, 1, low=0.1, high=9.0)
judge_quantise(torch.cat([7 * steps, steps * (torch.arange(-7, 7, device=device.DEVICE) + 0.5)], dim=1), 4, True, 0)
for symmetric in (True, False):
    x = check.rng.normal(4, 30) * torch.tensor([[1.0], [0], [1e-3], [1e3]], device=device.DEVICE)
    judge_quantise(x, check.rng.choice(2, 9), symmetric, 0)
    judge_quantise(torch.zeros(3, 4, device=device.DEVICE), 8, symmetric)
### END HIDDEN TESTS

# %% [markdown]
# What does it cost the models? Round all 16 weight matrices, with one scale a matrix and with one a row. (About 5 s.) Which model gives way first, and what does a scale for each row buy?


# %% look_weights
def rounded_weights(model, bits, symmetric, axis):
    """A copy of a model whose linear weights stand on the levels of integers."""
    model = copy.deepcopy(model)
    for path in LINEAR:
        weight = model.get_submodule(path).weight
        q, scale, zero = quantise(weight.detach(), bits, symmetric, axis)
        weight.data = scale * (q - zero)
    return model


print("weights rounded        ViT right   GPT perplexity, as a multiple of the float model's")
for bits in (8, 4, 3):
    for name, symmetric, axis in [
        ("symmetric", True, None),
        ("symmetric, a row", True, 0),
        ("affine, a row", False, 0),
    ]:
        found = [quality(rounded_weights(model, bits, symmetric, axis)) for model in (vit, gpt)]
        print(f"{bits} bits, {name:17} {found[0]:6.1%}   {found[1] / as_floats['GPT']:.3f}")

# %% [markdown]
# ## 2 · Where to clip
#
# Weights are known. Activations are not: they come with the data. So one takes samples, runs the model, looks at what arrives at each layer, and fixes a scale. That is **calibration**.
#
# The obvious range is the greatest number seen. But one odd number among a million sets the scale for all others. Make the range smaller, and two errors trade places: the marks move together (less **rounding** error), and what lies beyond the last mark is cut off (more **clipping** error). Move the slider through the input of a GPT layer. Where is the sum least?

# %% look_clipping
train_text = windows_of(text.train, 16)
arriving = layer_inputs(gpt, ["blocks.1.mlp.2"], train_text)["blocks.1.mlp.2"].flatten()[::32]
largest = float(arriving.abs().max())
viz.quantisation_levels(
    arriving,
    [{"name": f"{share:.0%}", "bits": 4, "scale": share * largest / 7, "zero_point": 0} for share in (1, 0.7, 0.5, 0.35, 0.25, 0.15)],
)  # fmt: skip

# %% [markdown]
# Three rules are in use. **Min-max** clips nothing. **Percentile** lets a fixed share of the numbers be clipped, whatever that costs. **MSE** tries ranges and takes the one with the least mean squared error.
#
# **Your task.** `clip_range(x, method, bits)` returns the range T, a float32 tensor of shape (). Numbers beyond ±T will be clipped.
# * `x`: float32, any shape, not all zero. Levels are symmetric, with scale T / (2ᵇ⁻¹ − 1).
# * `"minmax"`: T = max|x|.
# * `"percentile"`: T is the least number of |x| such that at least 99.9% of |x| are at most T.
# * `"mse"`: of the 100 candidates max|x| · i / 100, i = 1 … 100, one whose levels give the least mean squared error.
# * A layer's activations are large: at no time hold more than **5 × the bytes of `x`**, `x` not counted. (100 candidates at once would be 100 ×.)
#
# <details><summary>Hint 1: the percentile</summary>Sort, or <code>kthvalue</code>. Which k is the least that leaves at most 0.1% above? Beware of 0.999 · n in floating point: 1000 · 0.999 is not quite an integer everywhere. In integers, k = n − n // 1000.</details>
# <details><summary>Hint 2: the error of a candidate</summary>It has two parts, but you need not tell them apart: clamp x to ±T, round it to the levels, compare with x.</details>
# <details><summary>Hint 3: memory</summary>A Python loop over 100 candidates lets each one's arrays go before the next.</details>


# %% clip_range tags=["solution"]
def clip_range(x, method, bits):
    ### BEGIN SOLUTION
    size = x.abs().flatten()
    if method == "percentile":
        n = size.numel()
        return size.kthvalue(n - n // 1000).values
    largest = size.max()
    if method == "minmax":
        return largest
    top = 2 ** (bits - 1) - 1
    errors = []
    for i in range(1, 101):
        step = largest * (i / 100) / top
        errors.append(((size / step).round().clamp(max=top) * step - size).square().mean())
    return largest * ((int(torch.stack(errors).argmin()) + 1) / 100)
    ### END SOLUTION


# %% test_clip_range tags=["test", "core"] points=10 hours=1.0 covers=["quantisation", "lo4"]
def clipping_error(x, limit, bits):
    top = 2 ** (bits - 1) - 1
    step = limit.double() / top
    return float(((x.double() / step).round().clamp(-top, top) * step - x.double()).square().mean())


def judge_clip(x, method, bits):
    limit = check.cost(clip_range, x, method, bits, peak=(4, 5 * x.nbytes))
    size = x.abs().flatten()
    if method == "mse":
        candidates = [size.max() * i / 100 for i in range(1, 101)]
        least = min(clipping_error(x, one, bits) for one in candidates)
        check.equal(
            (type(limit), tuple(limit.shape), limit.dtype),
            (torch.Tensor, (), torch.float32),
            name="type, shape and dtype of T",
        )
        got = clipping_error(x, limit, bits)
        near = min(float((limit - one).abs() / size.max()) for one in candidates)
        assert got <= 1.0001 * least and near <= 1e-5, (
            f"T = {float(limit):.5g} has a mean squared error of {got:.5g}; the best of the 100 candidates has {least:.5g}."
        )
    else:
        n = size.numel()
        wanted = size.max() if method == "minmax" else size.sort().values[n - n // 1000 - 1]
        check.equal(limit, wanted, name=f"T by {method} of {n} numbers")


x = check.rng.normal(20, 200)
for method in ("minmax", "percentile", "mse"):
    judge_clip(x, method, 4)
### BEGIN HIDDEN TESTS
heavy = check.rng.normal(8, 1000) ** 3
judge_clip(heavy, "mse", 8)
judge_clip(heavy - 2, "mse", 3)
judge_clip(-heavy.abs(), "minmax", 8)
for n in (999, 1000, 1001, 20000):
    judge_clip(check.rng.normal(n) - 1, "percentile", 8)
### END HIDDEN TESTS

# %% [markdown]
# Now both models with quantised activations: what enters each linear layer is rounded, with one scale a layer, fixed on samples. Weights stay floats, so that you see the one effect alone. (About 6 s.)


# %% look_activations
def rounded_inputs(model, samples, method, bits):
    """A copy of a model in which all that enters a linear layer is rounded to integers' levels."""
    model, top = copy.deepcopy(model), 2 ** (bits - 1) - 1
    for path, x in layer_inputs(model, LINEAR, samples).items():
        step = float(clip_range(x[:256], method, bits)) / top
        rounding = lambda _, given, step=step: ((given[0] / step).round().clamp(-top, top) * step,)  # noqa: E731
        model.get_submodule(path).register_forward_pre_hook(rounding)
    return model


print("inputs rounded        ViT right   GPT perplexity, as a multiple of the float model's")
for bits in (8, 5):
    for method in ("minmax", "percentile", "mse"):
        found = [quality(rounded_inputs(model, samples, method, bits)) for model, samples in ((vit, images.train_x[:40]), (gpt, train_text))]  # fmt: skip
        print(f"{bits} bits, {method:12} {found[0]:9.1%}   {found[1] / as_floats['GPT']:.3f}")

# %% [markdown]
# ## 3 · Integers all the way
#
# A small chip has no floating-point unit. Can a layer run without one? Write every number as scale · (q − z):
#
# $$y = \mathrm{ReLU}\Big(\sum_k w_k x_k + b\Big) \quad\Rightarrow\quad s_y\,(q_y - z_y) = \mathrm{ReLU}\Big(s_w s_x \sum_k q_{w,k}\,(q_{x,k} - z_x) + b\Big)$$
#
# The sum is one of integers, exact in 32 bits. The bias becomes an integer of the sum's own scale, b / (s_w · s_x). What is left is one real factor, **M = s_w · s_x / s_y**, for each output channel. It brings the sum to the output's scale: **requantisation**. And M, too, becomes an integer: with 31 bits,
#
# $$M \approx \frac{m}{2^{r}}, \qquad 2^{30} \le m < 2^{31}$$
#
# By hand, with 4 bits in place of 31 (so 8 ≤ m < 16): M = 0.3 gives m = 10, r = 5, since 10 / 32 = 0.3125; a better r would need a larger m. A sum of 100 becomes (100 · 10 + 16) >> 5 = 31. The 16 is half of 2⁵: a shift alone rounds down, with the half it rounds to nearest.
#
# The ReLU is free: it is the lower end of the clipping, at z_y, which stands for 0. Without a ReLU the clipping starts at −128.
#
# **Your task.** Two functions. All tensors are on the CPU here.
#
# `fixed_point(factor)` returns `(m, r)`, both int32 of the shape of `factor`. This one runs once, beforehand: floats are allowed.
# * `factor`: float64, positive, from 2⁻³⁰ to 1 (1 is not reached). m / 2ʳ is the nearest to the factor with 2³⁰ ≤ m < 2³¹.
#
# `integer_linear(x, x_zero, w, bias, m, r, y_zero, relu)` returns int8, (M, N). **No floating-point operation, and no way round it.**
# * `x`: int8, (M, K). `w`: int8, (N, K). `bias`, `m`, `r`: int32, (N,). `x_zero`, `y_zero`: Python ints from −128 to 127. K is at most 1000.
# * sum = Σ w · (x − x_zero) + bias fits in 32 bits. y = y_zero + ((sum · m + 2ʳ⁻¹) >> r), clipped to y_zero … 127 if `relu`, otherwise to −128 … 127. The shift is arithmetic: it rounds towards −∞.
# * At most 24 torch operations, whatever the sizes, all on integers (or bools), and no Triton kernel; at most 64 bytes of constants.
#
# <details><summary>Hint 1: m and r</summary><code>torch.frexp</code> splits a float into a mantissa from ½ to 1 and an exponent. What if the mantissa rounds up to 2³¹?</details>
# <details><summary>Hint 2: how wide is what?</summary>x − x_zero has 9 bits. The sum has 32. The product with m has 63.</details>
# <details><summary>Hint 3: in torch</summary>On the CPU <code>@</code> multiplies int32 matrices. Tensors shift with <code>&gt;&gt;</code>, element by element; <code>1 &lt;&lt; (r - 1)</code> makes the halves, in the dtype of r.</details>


# %% integer_linear tags=["solution"]
def fixed_point(factor):
    ### BEGIN SOLUTION
    mantissa, exponent = torch.frexp(factor)
    m = (mantissa * 2**31).round().to(torch.int64)
    carried = m == 2**31
    m, exponent = torch.where(carried, 2**30, m), exponent + carried
    return m.to(torch.int32), (31 - exponent).to(torch.int32)
    ### END SOLUTION


def integer_linear(x, x_zero, w, bias, m, r, y_zero, relu):
    ### BEGIN SOLUTION
    total = (x.to(torch.int32) - x_zero) @ w.to(torch.int32).T + bias
    r = r.to(torch.int64)
    y = (total.to(torch.int64) * m + (1 << (r - 1))) >> r
    return (y + y_zero).clamp(y_zero if relu else -128, 127).to(torch.int8)
    ### END SOLUTION


# %% test_integer_linear tags=["test", "core"] points=15 hours=2.0 covers=["quantisation", "lo2"]
def integer_layer(M, N, K, x_zero, y_zero, relu=True):
    """Operands of a layer, on the CPU; factors that spread the sums over the int8 range and beyond."""
    x, w = check.rng.integers(-128, 128, M, K), check.rng.integers(-127, 128, N, K)
    bias = check.rng.integers(-20000, 20000, N)
    factor = check.rng.uniform(N, low=0.5, high=2.0).double() * 128 / (127 * 74 * K**0.5)
    m, r = exact_fixed_point(factor)
    return (x.to(torch.int8).cpu(), x_zero, w.to(torch.int8).cpu(), *(t.to(torch.int32).cpu() for t in (bias, m, r)), y_zero, relu)  # fmt: skip


def exact_fixed_point(factor):
    found = []
    for value in factor.tolist():
        numerator, denominator = value.as_integer_ratio()
        r = 30
        while (2 * (numerator << r) + denominator) // (2 * denominator) < 2**30:
            r += 1
        found.append(((2 * (numerator << r) + denominator) // (2 * denominator), r))
    return torch.tensor(found, dtype=torch.int32).T.contiguous().unbind()


def integer_oracle(x, x_zero, w, bias, m, r, y_zero, relu):
    total = (x.long() - x_zero) @ w.long().T + bias
    scaled = [
        [(s * a + (1 << b - 1)) >> b for s, a, b in zip(row, m.tolist(), r.tolist(), strict=True)]
        for row in total.tolist()
    ]
    return torch.tensor(scaled).add(y_zero).clamp(y_zero if relu else -128, 127).to(torch.int8)


def judge_integer(*layer):
    seen = check.observe(integer_linear, *layer)
    check.equal(seen.value, integer_oracle(*layer), name="integer_linear's result")
    floats = [name for name in seen.dtypes if not name.startswith(("int", "uint", "bool"))]
    assert not floats, f"integer_linear computes in {', '.join(floats)}; its operations: {', '.join(seen.torch_ops)}."
    assert len(seen.torch_ops) <= 24, (
        f"integer_linear runs {len(seen.torch_ops)} torch operations, expected at most 24."
    )
    assert not seen.launches, "integer_linear launches a kernel; the contract asks for torch operations on integers."
    assert seen.outside_bytes <= 64, (
        f"{seen.outside_bytes} bytes of the result's making come from Python or numpy, expected at most 64: compute in torch."
    )


def judge_fixed_point(factor):
    for name, got, want in zip("mr", fixed_point(factor), exact_fixed_point(factor), strict=True):
        check.equal(got, want, name=f"{name} of factors {factor[:3].tolist()} …")


judge_fixed_point(torch.tensor([0.3, 0.5, 0.0123], dtype=torch.float64))
judge_integer(*integer_layer(5, 7, 40, 3, -128))
### BEGIN HIDDEN TESTS
judge_fixed_point(torch.tensor([1 - 2**-40, 0.25 - 2**-42, 2.0**-30, 2.0**-29 - 2.0**-64], dtype=torch.float64))
judge_fixed_point(check.rng.uniform(50).double().cpu() * 0.99 + 0.001)
judge_integer(*integer_layer(6, 9, 1000, -128, 5))
judge_integer(*integer_layer(33, 4, 17, 127, -20, relu=False))
x, x_zero, w, bias, m, r, *_ = integer_layer(4, 8, 1000, -128, -128)
judge_integer(torch.full_like(x, 127), x_zero, torch.full_like(w, 127), bias, m, r, -128, True)  # the largest sums
ones, halves = torch.ones_like(w[:, :1]), torch.full_like(m, 2**30)  # a factor of one half
judge_integer(x[:, :8].reshape(-1, 1), 0, ones, torch.zeros_like(bias), halves, torch.full_like(r, 31), 0, False)
### END HIDDEN TESTS

# %% [markdown]
# A whole network in integers: the digits of 8 × 8 pixels, 64 → 32 → 10, trained in floats, then run with `quantise` and your two functions.


# %% float_digits tags=["setup"]
def float_digits(x, y, epochs=30):
    """Train 64 → 32 → 10 in floats. `x`: (N, 64) in [0, 1]. Weights and biases as a dict, named as lab12 does."""
    layers = nn.Linear(64, 32), nn.Linear(32, 10)
    parameters = [p for layer in layers for p in layer.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=3e-3, weight_decay=0.02)
    for _ in range(epochs):
        for chosen in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            F.cross_entropy(layers[1](layers[0](x[chosen]).relu()), y[chosen]).backward()
            optimizer.step()
    names = ("weights0", "bias0", "weights1", "bias1")
    return {name: p.detach().clone() for name, p in zip(names, parameters, strict=True)}


def digit_layers(parameters, x):
    """What both layers of a network give for images (N, 64) in [0, 1]."""
    hidden = F.linear(x, parameters["weights0"], parameters["bias0"]).relu()
    return hidden, F.linear(hidden, parameters["weights1"], parameters["bias1"])


# %% look_integer_network
from lablib.data.digits import digits

data = digits()
train_x, test_x = data.train_x.flatten(1), data.test_x.flatten(1)
torch.manual_seed(0)
trained = float_digits(train_x, data.train_y)
x_q, x_scale, x_zero = quantise(test_x, 8, False)  # pixels lie between 0 and 1 in all images
for number, outputs in enumerate(digit_layers(trained, train_x)):
    w_q, w_scale, _ = quantise(trained[f"weights{number}"], 8, True, 0)
    _, y_scale, y_zero = quantise(outputs, 8, False)
    sum_scale = w_scale.flatten().double() * x_scale
    bias = (trained[f"bias{number}"] / sum_scale).round().to(torch.int32)
    m, r = fixed_point(sum_scale / y_scale)
    x_q = integer_linear(x_q, int(x_zero), w_q, bias, m, r, int(y_zero), relu=number == 0)
    x_scale, x_zero = y_scale, y_zero
    print(
        f"layer {number}: m from {int(m.min())} to {int(m.max())}, r from {int(r.min())} to {int(r.max())}, output {x_q.dtype}, zero point {int(y_zero)}"
    )
for name, scores in {"floats": digit_layers(trained, test_x)[1], "integers": x_q}.items():
    print(f"{name:8} {(scores.argmax(1) == data.test_y).float().mean():.1%} of 360 digits right")

from lablib.hls.designs.dense import DenseLayer, dense_reference

x_q, shift = quantise(test_x, 8, False)[0], 9  # lab12's layers know no m: a power of two, and its half in the bias
w_q = quantise(trained["weights0"], 8, True)[0]
golden = dense_reference(
    DenseLayer(w_q.numpy(), torch.full((32,), 1 << shift - 1).numpy(), shift, relu=True), x_q.numpy()
)
m, r = torch.full((32,), 2**30, dtype=torch.int32), torch.full((32,), 30 + shift, dtype=torch.int32)
same = integer_linear(x_q, 0, w_q, torch.zeros(32, dtype=torch.int32), m, r, 0, relu=True) == torch.from_numpy(golden)
print("with m = 2**30, equal to the golden model of lab12's hardware:", bool(same.all()))

# %% [markdown]
# ## 4 · A language model at 3 bits
#
# With 8 levels a weight, rounding to the nearest costs perplexity. You saw it in exercise 1: about 10% with a scale and an offset for each row. Large models are worse off. In them a few **channels** of the activations are many times as large as all others, and the weights that meet them matter most. (Dettmers et al. keep less than 0.1% of the numbers apart, in models of up to 175 billion parameters, and can then multiply all others in int8.)
#
# Our GPT is too small to have grown such channels, so we give it some. A LayerNorm ends with a gain for each channel. Multiply the gain (and the shift) of 8 of the 128 channels by 8, and divide the weights that read them by 8: **the function is the same**, to the last bit, since 8 is a power of two. But rounding is no longer the same.


# %% outliers tags=["setup"]
def with_outliers(model, channels):
    """A copy of a GPT that computes the same, with larger activations in some channels: (8, n) ints, a row a LayerNorm."""
    model = copy.deepcopy(model)
    pairs = [(norm, layer) for b in model.blocks for norm, layer in ((b.norm1, b.attention.qkv), (b.norm2, b.mlp[0]))]
    with torch.no_grad():
        for (norm, layer), chosen in zip(pairs, channels, strict=True):
            norm.weight[chosen] *= 8
            norm.bias[chosen] *= 8
            layer.weight[:, chosen] /= 8
    return model


def row_levels(w, bits):
    """The lowest level of each row of weights and the step to the next, (N, 1) each. One of the levels is 0."""
    low, high = w.amin(dim=1, keepdim=True).clamp(max=0), w.amax(dim=1, keepdim=True).clamp(min=0)
    step = ((high - low) / (2**bits - 1)).clamp(min=1e-12)
    return (low / step).round() * step, step


def nearest(w, low, step, bits):
    """The code of the level that is nearest to each weight, uint8."""
    return ((w - low) / step).round().clamp(0, 2**bits - 1).to(torch.uint8)


def rounded_rows(w, bits):
    """Each weight at its nearest level."""
    low, step = row_levels(w, bits)
    return low + step * nearest(w, low, step, bits)


def moments(model, samples):
    """H = XᵀX / rows of what each linear layer is given, float32, by path."""
    return {path: x.T @ x / len(x) for path, x in layer_inputs(model, LINEAR, samples).items()}


# %% look_outliers
torch.manual_seed(0)
models = {"as trained": [gpt], "with outliers": []}
for _ in range(3):  # three choices of channels
    models["with outliers"].append(with_outliers(gpt, torch.stack([torch.randperm(128)[:8] for _ in range(8)])))
H = {name: [moments(model, train_text) for model in several] for name, several in models.items()}
for name, several in models.items():
    rms = H[name][0]["blocks.2.mlp.0"].diagonal().sqrt()
    print(
        f"{name:13} perplexity {quality(several[0]):.6f}; channels entering blocks.2.mlp.0: median {rms.median():.2f}, largest {rms.max():.2f}"
    )

# %% [markdown]
# Each row of weights has its own affine ruler. Written from its lowest mark, code q = 0 … 2ᵇ − 1 stands for low + step · q, and one of the marks is 0. `row_levels` and `nearest`, above, do that.
#
# Predict, before you measure: by what factor does the perplexity grow when all 16 matrices are rounded to 3 bits, as trained, and with outlier channels? **Change the two guesses** if you expect something else. Your first answer is kept. (To start over, delete `predictions.json` beside this notebook.)

# %% lock_prediction
guess_as_trained, guess_with_outliers = 1.1, 1.1
guesses = {
    "as trained": check.lock("perplexity at 3 bits, as trained", guess_as_trained),
    "with outliers": check.lock("perplexity at 3 bits, with outliers", guess_with_outliers),
}

# %% look_rounding_to_nearest
BITS = 3


def requantised(model, moments, method):
    """A copy of a model whose linear weights are what `method(w, h)` makes of them."""
    model = copy.deepcopy(model)
    for path in LINEAR:
        weight = model.get_submodule(path).weight
        weight.data = method(weight.detach(), moments[path])
    return model


def to_nearest(w, h):
    return rounded_rows(w, BITS)


ROWS = {"round to nearest": "", "random channels": "4a", "activation-aware": "4a", "error feedback": "4b", "both": "4b"}
table = {name: {} for name in ROWS}


def fill(row, method):
    """Measure one method on all models."""
    for name, several in models.items():
        found = [quality(requantised(*one, method)) for one in zip(several, H[name], strict=True)]
        table[row][name] = [perplexity / as_floats["GPT"] for perplexity in found]


def show_table():
    rows = [{"name": name, "values": table[name], "todo": f"exercise {when}"} for name, when in ROWS.items()]
    return viz.quality_table(
        rows, title="What do three bits cost the GPT?", axis="perplexity, as a multiple of the float model's"
    )


fill("round to nearest", to_nearest)
for name, guess in guesses.items():
    found = ", ".join(f"{factor:.2f}" for factor in table["round to nearest"][name])
    print(f"{name:13} perplexity × {found}; you predicted × {guess:.2f}")
show_table()

# %% [markdown]
# Why did the same function suffer more? The outlier channels' weights are now an eighth of their neighbours, so many of them round to one level: their relative error is eight times as large. And just these are multiplied by large numbers.
#
# The error that counts is that of the **outputs**. With ΔW what rounding changed, and H = XᵀX / rows of the layer's inputs:
#
# $$\frac{1}{\text{rows}} \lVert X\,\Delta W^T \rVert^2 = \sum_n \Delta w_n\, H\, \Delta w_n^T = \operatorname{tr}(\Delta W\, H\, \Delta W^T)$$
#
# So H, which is (K, K), is all that one must keep of any number of samples. Two methods follow from it.
#
# ### 4a · Scale what matters
#
# Multiply column k of W by s_k, and divide the input by s_k: again the same function. Larger columns get finer levels, relative to their size. Behind a LayerNorm the division of the inputs costs nothing: it goes into the gain. (For `attention.out` it goes into the weights that make the values; before `mlp.2`, behind a GELU, it stays a division.) This is **activation-aware** scaling: s_k = rms_kᵖ, where rms_k = √H_kk is how large channel k of the input is. p = 0 changes nothing. p = 1 makes all inputs equally large, and leaves all the trouble to the weights. In between lies the best, and one **searches** for it.
#
# **Your task.** `activation_aware(w, h, bits)` returns `(codes, low, step, s)`.
# * `w`: float32, (N, K). `h`: float32, (K, K), as above. `codes`: uint8, (N, K), at most 2ᵇ − 1. `low`, `step`: float32, (N, 1). `s`: float32, (K,), positive.
# * The weights stand for **(low + step · codes) / s**.
# * s = rmsᵖ with p from 0, 1/20, 2/20, … 1, and rms = √max(H_kk, 10⁻⁸). Levels: `row_levels` of w · s; codes: the nearest.
# * Of the 21, take the one with the least output error tr(ΔW · H · ΔWᵀ).
#
# <details><summary>Hint 1: the error, cheaply</summary>The trace of a product needs only its diagonal: <code>((d @ h) * d).sum()</code>.</details>
# <details><summary>Hint 2: which ΔW?</summary>The difference in the weights that the layer ends up with: after dividing by s again.</details>
# <details><summary>Hint 3: ties</summary>A loop that keeps the best so far is all that it takes.</details>


# %% errors tags=["setup"]
def output_error(got, w, h):
    """tr(ΔW · H · ΔWᵀ), in float64."""
    difference = got.double() - w.double()
    return float(((difference @ h.double()) * difference).sum())


def codes_and_levels(answer, w, bits):
    """Check shapes and dtypes of an answer's codes, low and step; return them in float64."""
    kinds = [(tuple(t.shape), t.dtype) for t in answer[:3]]
    N, K = w.shape
    check.equal(
        kinds, [((N, K), torch.uint8), ((N, 1), torch.float32), ((N, 1), torch.float32)], name="codes, low and step"
    )
    assert int(answer[0].max()) < 2**bits, f"a code is {int(answer[0].max())}, expected at most {2**bits - 1}."
    return (t.double() for t in answer[:3])


def sampled_moments(rows, K, loud=()):
    """H of random inputs that hang together, some channels of which are large."""
    x = check.rng.normal(rows, K) @ (check.rng.normal(K, K) * 0.8 ** torch.arange(K, device=device.DEVICE)[:, None])
    x[:, list(loud)] *= 30
    return x.T @ x / rows


# %% activation_aware tags=["solution"]
def activation_aware(w, h, bits):
    ### BEGIN SOLUTION
    rms, best = h.diagonal().clamp(min=1e-8).sqrt(), None
    for i in range(21):
        s = rms ** (i / 20)
        low, step = row_levels(w * s, bits)
        codes = nearest(w * s, low, step, bits)
        difference = (low + step * codes) / s - w
        error = float(((difference @ h) * difference).sum())
        if best is None or error < best[0]:
            best = error, (codes, low, step, s)
    return best[1]
    ### END SOLUTION


# %% test_activation_aware tags=["test", "core"] points=10 hours=1.25 covers=["quantisation", "lo3", "lo4"]
def least_scaled_error(w, h, bits):
    """The least output error of the 21 candidates."""
    w, rms = w.double(), h.double().diagonal().clamp(min=1e-8).sqrt()
    found = []
    for i in range(21):
        s = rms ** (i / 20)
        low, step = row_levels(w * s, bits)
        found.append(output_error((low + step * nearest(w * s, low, step, bits)) / s, w, h))
    return min(found)


def scaled_weights(w, h, bits):
    answer = activation_aware(w, h, bits)
    codes, low, step = codes_and_levels(answer, w, bits)
    s = answer[3]
    check.equal(
        (tuple(s.shape), s.dtype, bool((s > 0).all())),
        ((w.shape[1],), torch.float32, True),
        name="shape and dtype of s, and s > 0",
    )
    return (low + step * codes) / s.double()


def judge_aware(w, h, bits):
    got, least = output_error(scaled_weights(w, h, bits), w, h), least_scaled_error(w, h, bits)
    assert abs(got - least) <= 2e-3 * least, (
        f"the output error is {got:.5g}; the best of the 21 exponents has {least:.5g}, round to nearest {output_error(rounded_rows(w, bits), w, h):.5g}."
    )


judge_aware(check.rng.normal(24, 40), sampled_moments(300, 40, loud=[3, 17]), 3)
### BEGIN HIDDEN TESTS
h = sampled_moments(300, 64, loud=[1, 2, 60])
h[5], h[:, 5] = 0, 0  # a channel that is never active
judge_aware(check.rng.normal(33, 64), h, 4)
judge_aware(check.rng.normal(16, 32) + 2, torch.eye(32, device=device.DEVICE), 2)
channels = torch.stack([check.rng.uniform(128).argsort()[:8] for _ in range(8)]).cpu()
noisy = with_outliers(load(GPT(), "gpt"), channels)
start = check.rng.choice(0, 10**6)
h_of = moments(noisy, windows_of(austen().train[start:], 16))
for path in ("blocks.0.attention.qkv", "blocks.3.mlp.0", "blocks.1.mlp.2"):
    judge_aware(noisy.get_submodule(path).weight.detach(), h_of[path], 3)
### END HIDDEN TESTS

# %% [markdown]
# And the **control**: the same search, with the channels' sizes dealt out at random. It has the same freedom. If it did as well, knowing the activations would be worth nothing.


# %% look_activation_aware
def scaled(w, h):
    codes, low, step, s = activation_aware(w, h, BITS)
    return (low + step * codes) / s


def scaled_at_random(w, h):
    dealt = torch.randperm(len(h))
    codes, low, step, s = activation_aware(w, h[dealt][:, dealt], BITS)
    return (low + step * codes) / s


fill("random channels", scaled_at_random)
fill("activation-aware", scaled)
show_table()

# %% [markdown]
# ### 4b · Pass the error on
#
# Two inputs that always rise and fall together are nearly one input. If the first one's weight is rounded up, round the second one's down, and the output hardly moves. By hand: x₁ = x₂ = 1, weights 0.4 and 0.4, levels 0 and 1. To the nearest: 0 and 0, the output is 0 in place of 0.8. Passing the error on: 0.4 → 0 leaves 0.4 over; 0.4 + 0.4 = 0.8 → 1. The output is 1.
#
# In general (GPTQ): go through the columns. Round column k, to `nearest`. Then change all columns that are still floats so that the output error is as small as it can be. With U the upper triangular matrix for which UᵀU = H⁻¹, the best change has a short formula:
#
# $$e = \frac{w_k - \hat w_k}{U_{kk}}, \qquad w_j \leftarrow w_j - e\, U_{kj} \quad \text{for all } j > k$$
#
# (Row k of U is what elimination leaves of H⁻¹ when columns 0 … k − 1 are fixed already: one factorisation serves all steps, and all rows of W at once.) If channels never move together, H is diagonal, U is too, and nothing is passed on.
#
# **Your task.** `error_feedback(w, h, bits)` returns `(codes, low, step)`, shapes and dtypes as in 4a. The weights stand for low + step · codes.
# * `low`, `step`: `row_levels` of w as it came. They stay, whatever is added to a column.
# * Columns in order, 0 to K − 1. Before it is inverted, H gets 1% of its mean diagonal added to its diagonal: a channel without samples would make it singular.
# * The output error is within 3% of that of these steps in float64.
#
# <details><summary>Hint 1: U</summary><code>torch.linalg.cholesky(inverse, upper=True)</code>. In float64 there is less to worry about.</details>
# <details><summary>Hint 2: what is w_k in the formula?</summary>The column as it is now, with all that was passed on to it, not as it came.</details>
# <details><summary>Hint 3: all rows at once</summary><code>w[:, k + 1 :] -= e[:, None] * U[k, k + 1 :]</code></details>


# %% error_feedback tags=["solution"]
def error_feedback(w, h, bits):
    ### BEGIN SOLUTION
    low, step = row_levels(w, bits)
    left, h = w.double(), h.double()
    damped = h + 0.01 * h.diagonal().mean() * torch.eye(len(h), dtype=h.dtype, device=h.device)
    u = torch.linalg.cholesky(torch.linalg.inv(damped), upper=True)
    codes = torch.empty(w.shape, dtype=torch.uint8, device=w.device)
    for k in range(w.shape[1]):
        column = left[:, k : k + 1]
        codes[:, k : k + 1] = nearest(column, low, step, bits)
        error = (column - (low + step * codes[:, k : k + 1])) / u[k, k]
        left[:, k + 1 :] -= error * u[k, k + 1 :]
    return codes, low, step
    ### END SOLUTION


# %% test_error_feedback tags=["test", "core"] points=15 hours=2.0 covers=["quantisation", "lo3", "lo4"]
def fed_back(w, h, bits):
    """The weights that the contract's steps give in float64."""
    low, step = row_levels(w, bits)
    left, h = w.double(), h.double()
    inverse = torch.linalg.inv(h + 0.01 * h.diagonal().mean() * torch.eye(len(h), dtype=torch.float64, device=h.device))
    done = torch.zeros_like(left)
    for k in range(w.shape[1]):  # elimination of one channel after the other
        done[:, k] = (low + step * nearest(left[:, k : k + 1], low, step, bits))[:, 0]
        gain = inverse[k] / inverse[k, k]
        left = left - (left[:, k] - done[:, k])[:, None] * gain
        inverse = inverse - inverse[:, k : k + 1] * gain
    return done


def judge_feedback(w, h, bits):
    codes, low, step = codes_and_levels(error_feedback(w, h, bits), w, bits)
    got, wanted = output_error(low + step * codes, w, h), output_error(fed_back(w, h, bits), w, h)
    assert got <= 1.03 * wanted, (
        f"the output error is {got:.5g}; the contract's steps give {wanted:.5g}, round to nearest {output_error(rounded_rows(w, bits), w, h):.5g}."
    )


judge_feedback(check.rng.normal(24, 40), sampled_moments(300, 40), 3)
### BEGIN HIDDEN TESTS
h = sampled_moments(300, 48)
h[7], h[:, 7] = 0, 0
judge_feedback(check.rng.normal(20, 48), h, 2)
judge_feedback(check.rng.normal(30, 48) * 5 + 1, sampled_moments(30, 48), 4)  # fewer samples than channels
model, block = load(GPT(), "gpt"), check.rng.choice(0, 4)
h_of = moments(model, windows_of(austen().train[check.rng.choice(0, 10**6) :], 16))
for path in LINEAR[4 * block : 4 * block + 4]:
    judge_feedback(model.get_submodule(path).weight.detach(), h_of[path], 3)
### END HIDDEN TESTS

# %% [markdown]
# The two go together: scale first, then pass on the error. Fill the table. (About 6 s.)


# %% look_error_feedback
def fed(w, h):
    codes, low, step = error_feedback(w, h, BITS)
    return low + step * codes


def scaled_and_fed(w, h):
    *_, s = activation_aware(w, h, BITS)
    return fed(w * s, h / s / s[:, None]) / s


fill("error feedback", fed)
fill("both", scaled_and_fed)
show_table()

# %% [markdown]
# Read it with your predictions. Where there are no outliers, knowing the size of channels is worth nothing; where there are, it repairs what they did, and the same search with the sizes dealt out at random repairs nothing. Knowing how channels move *together* helps either way. (Means and standard deviations of 12 runs of `benchmarks/lab09.py`, each on other samples and with other outlier channels. As trained: to nearest 1.104, random 1.115 ± 0.007, activation-aware 1.101 ± 0.004, error feedback 1.052 ± 0.005, both 1.046 ± 0.006. With outliers: 1.56 ± 0.12, 1.71 ± 0.13, 1.133 ± 0.010, 1.126 ± 0.022, 1.058 ± 0.010. In each of the 12, with outliers: both < either alone < to nearest < random.)
#
# And the vision model, by the same five rules? (About 5 s.)

# %% look_vision_at_three_bits
vit_H = moments(vit, images.train_x[:100])
methods = {"round to nearest": to_nearest, "random channels": scaled_at_random, "activation-aware": scaled, "error feedback": fed, "both": scaled_and_fed}  # fmt: skip
images_right = {}
for BITS in (3, 2):
    for name, method in methods.items():
        images_right[BITS, name] = quality(requantised(vit, vit_H, method))
        print(
            f"{BITS} bits, {name:17} {images_right[BITS, name]:.1%} of images right; {as_floats['ViT']:.1%} as floats"
        )
BITS = 3

# %% [markdown]
# ## 5 · A kernel that reads four bits
#
# 3-bit codes are awkward to pack, so in memory they take 4, two to a byte. A GPU that writes one token multiplies one row of x with every matrix: each weight is read once and used once, and the time is the time to read. To unpack the weights into a float matrix first would read 4 bits, write 16 and read 16 again. So the codes must become floats **in registers**, between load and product.
#
# Rows of 8192 weights are too long for one ruler. Each **group** of successive weights along K has its own: W[n, k] = low[n, g] + step[n, g] · q[n, k], with g = ⌊k / GROUP⌋. Inside a group both leave the sum:
#
# $$\sum_{k \in g} x_{mk} W_{nk} = \text{step}_{ng} \sum_{k \in g} x_{mk}\, q_{nk} \;+\; \text{low}_{ng} \sum_{k \in g} x_{mk}$$
#
# The product on the matrix units has integers 0 … 15 for weights, exact in float16, and the lowest level costs one sum of x. By hand: x = (1, 2), q = (3, 1), step ½, low −1. Weights ½ and −½, product −½. By the formula: ½ · (3 + 2) − 1 · (1 + 2) = −½.
#
# Two codes share a byte. Of each group the **first half** of the codes stands in the low four bits of its bytes, the **second half** in the high four. (Neighbours in one byte would have to be interleaved again. This way a tile of bytes becomes two tiles of weights, one for each half of x.)


# %% pack tags=["setup"]
def pack(w, group):
    """Weights (N, K) as `packed` uint8 (N, K / 2), `low` and `step` float16 (N, K / group)."""
    groups = w.float().view(len(w), -1, group)
    low = groups.amin(dim=2).half()
    step = ((groups.amax(dim=2) - low.float()) / 15).clamp(min=1e-4).half()
    q = ((groups - low.float()[..., None]) / step.float()[..., None]).round().clamp(0, 15).to(torch.uint8)
    return (q[..., : group // 2] | q[..., group // 2 :] << 4).flatten(1), low, step


def unpack(packed, low, step):
    """The weights that they stand for, float64 (N, K)."""
    q = packed.view(*low.shape, -1)
    q = torch.cat([q & 15, q >> 4], dim=2).double()
    return (low.double()[..., None] + step.double()[..., None] * q).flatten(1)


# %% [markdown]
# **Your task.** `linear_w4(x, packed, low, step)` returns x · Wᵀ, (M, N), float16.
# * `x`: float16, (M, K), any row stride, unit column stride. `packed`: uint8, (N, K / 2); `low`, `step`: float16, (N, K / GROUP); all row-major. GROUP is a power of two, at least 32, and divides K. M and N are any numbers.
# * One kernel, one program a tile of `BLOCK_M` × `BLOCK_N`, `tl.program_id(0)` down the rows. Blocks are the caller's.
# * Every program loads its rows of x once, and its packed bytes, lows and steps once. So the bytes are
#   * 2 · M · K · ⌈N / BLOCK_N⌉ for x, and N · (K / 2 + 4 · K / GROUP) · ⌈M / BLOCK_M⌉ for the weights; 2 · M · N are stored.
# * Sums run in float32 and are rounded once. low and step enter in float32.
#
# The launcher is given.
#
# <details><summary>Hint 1: one group</summary>A loop over groups: load BLOCK_N × GROUP/2 bytes, and two tiles of x, BLOCK_M × GROUP/2 each. <code>(bytes &amp; 15).to(tl.float16)</code> is a tile of codes.</details>
# <details><summary>Hint 2: masks</summary>Only rows of x and rows of W can stick out. Steps and lows of rows that do not exist must not be loaded either.</details>
# <details><summary>Hint 3: nearly there</summary>acc = tl.dot(x0, tl.trans(q0)); acc = tl.dot(x1, tl.trans(q1), acc); total += acc · step[None, :] + sums[:, None] · low[None, :], with sums the row sums of both x tiles in float32.</details>


# %% linear_w4 tags=["solution"]
@triton.jit
def _linear_w4_kernel(
    x_ptr, packed_ptr, low_ptr, step_ptr, y_ptr, M, N, K, x_stride_m,
    GROUP: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    ### BEGIN SOLUTION
    HALF: tl.constexpr = GROUP // 2
    rows = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    inside_m, inside_n = rows < M, columns < N
    places = tl.arange(0, HALF)
    total = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for group in range(0, K // GROUP):
        x_ptrs = x_ptr + rows[:, None] * x_stride_m + group * GROUP + places[None, :]
        x0 = tl.load(x_ptrs, mask=inside_m[:, None], other=0.0)
        x1 = tl.load(x_ptrs + HALF, mask=inside_m[:, None], other=0.0)
        packed_ptrs = packed_ptr + columns[:, None] * (K // 2) + group * HALF + places[None, :]
        both = tl.load(packed_ptrs, mask=inside_n[:, None], other=0)
        acc = tl.dot(x0, tl.trans((both & 15).to(tl.float16)))
        acc = tl.dot(x1, tl.trans((both >> 4).to(tl.float16)), acc)
        sums = tl.sum(x0.to(tl.float32), axis=1) + tl.sum(x1.to(tl.float32), axis=1)
        ruler = columns * (K // GROUP) + group
        low = tl.load(low_ptr + ruler, mask=inside_n, other=0.0).to(tl.float32)
        step = tl.load(step_ptr + ruler, mask=inside_n, other=0.0).to(tl.float32)
        total += acc * step[None, :] + sums[:, None] * low[None, :]
    y_ptrs = y_ptr + rows[:, None] * N + columns[None, :]
    tl.store(y_ptrs, total.to(tl.float16), mask=inside_m[:, None] & inside_n[None, :])
    ### END SOLUTION


def linear_w4(x, packed, low, step, BLOCK_M=16, BLOCK_N=32):
    (M, K), N = x.shape, len(packed)
    y = torch.empty((M, N), dtype=torch.float16, device=x.device)
    grid = (triton.cdiv(M, BLOCK_M), triton.cdiv(N, BLOCK_N))
    GROUP = K // low.shape[1]
    _linear_w4_kernel[grid](
        x, packed, low, step, y, M, N, K, x.stride(0), GROUP=GROUP, BLOCK_M=BLOCK_M, BLOCK_N=BLOCK_N
    )
    return y


# %% [markdown]
# One row of x, as when a GPT writes a token, counted by the tracer. Beside it what unpacking into a float16 matrix first would move: read the packed weights, write the matrix, read it again.

# %% look_linear_w4
K, N = 256, 96
packed, low, step = pack(torch.randn(N, K, device=device.DEVICE), 64)
x = torch.randn(1, K, device=device.DEVICE).half()
seen, weights = trace(linear_w4, x, packed, low, step), packed.nbytes + low.nbytes + step.nbytes
bars = [
    {"name": "your kernel", "loads": seen.loaded_bytes, "stores": seen.stored_bytes},
    {"name": "unpacked first", "loads": weights + 2 * N * K + x.nbytes, "stores": 2 * N * K + 2 * N},
    {"name": "float16 weights", "loads": 2 * N * K + x.nbytes, "stores": 2 * N},
]
viz.traffic_bars(bars, target=weights + x.nbytes + 2 * N)


# %% test_linear_w4 tags=["test", "core"] points=15 hours=2.0 covers=["quantisation", "lo2", "lo3"]
def judge_w4(x, N, group, BLOCK_M, BLOCK_N):
    M, K = x.shape
    packed, low, step = pack(check.rng.normal(N, K) + 0.5 * check.rng.normal(N, 1), group)
    down, across = triton.cdiv(M, BLOCK_M), triton.cdiv(N, BLOCK_N)
    loads = 2 * M * K * across + N * (K // 2 + 4 * K // group) * down
    y = check.traffic(linear_w4, x, packed, low, step, BLOCK_M, BLOCK_N, loads=loads, stores=2 * M * N, launches=1, programs=down * across)  # fmt: skip
    check.rounded(y, x.double() @ unpack(packed, low, step).T, torch.float16)


judge_w4(check.rng.normal(5, 128, dtype=torch.float16), 40, 64, 16, 32)
### BEGIN HIDDEN TESTS
judge_w4(check.rng.normal(1, 256, dtype=torch.float16), 70, 32, 16, 64)
judge_w4(check.rng.normal(37, 128, dtype=torch.float16) + 3, 33, 128, 32, 16)
judge_w4(check.rng.normal(20, 300, dtype=torch.float16)[:, 40:296], 50, 256, 16, 32)
### END HIDDEN TESTS

# %% [markdown]
# How many bytes is that for one layer of a large model? And what does the 2 · 2 bytes of each group cost?

# %% look_bytes
N, K = 28672, 8192
viz.compare_bars(
    [{"name": "bfloat16", "value": 2.0 * N * K}]
    + [{"name": f"4 bits, groups of {g}", "value": N * (K / 2 + 4 * K / g)} for g in (32, 64, 128, 256)],
    "B", title=f"Weights of {N} × {K}",
)  # fmt: skip

# %% [markdown]
# ## 6 · Train through the rounding
#
# At 2 bits a symmetric weight is −1, 0 or 1 times a step. No choice of levels afterwards saves a small network there. But weights can be **trained** to stand well on three levels. One obstacle: rounding is flat. Its derivative is 0 nearly everywhere, so no gradient comes through.
#
# The **straight-through estimator** goes round it. Forwards it rounds; backwards it acts as if it had not. A weight beyond the last level by more than half a step gets no gradient: it is clipped, and moving it changes nothing.
#
# ```text
#   w         -1.7   -0.4    0.6    2.0        step 1, 2 bits: levels -1, 0, 1
#   forwards  -1.0    0.0    1.0    1.0
#   gradient     0     as      as      0       "as": what comes from behind, unchanged
# ```
#
# The optimizer moves the float weights, a little each step; now and then one of them crosses to another level.
#
# What for? A chip. lab12 puts this network, 64 → 32 → 10, on a small FPGA. Its steps are powers of two, so that a shift does all of requantisation (m is always 2³⁰). And a weight of −1, 0 or 1 needs no multiplier.
#
# **Your task.** Two functions; CPU here.
#
# `fake_quantise(w, step, bits)`: w rounded to the levels q · step with |q| ≤ 2ᵇ⁻¹ − 1, as floats. The gradient with respect to w is that of the result where |w| ≤ (2ᵇ⁻¹ − ½) · step, and 0 elsewhere. `step` is a float.
#
# `train_low_bits(parameters, x, y, bits)` returns a dict with the keys of `parameters`, and `value_bits`.
# * `parameters`: what `float_digits` trained: `weights0` (32, 64), `bias0`, `weights1` (10, 32), `bias1`. `x`: (N, 64), pixels in [0, 1], multiples of 1/16. `y`: (N,), 0 to 9. `bits`: 2 or 3.
# * The weights you return are float32, each matrix integer multiples −(2ᵇ⁻¹ − 1) … 2ᵇ⁻¹ − 1 of **one power of two**. Biases come back as they were: it is the weights that learn.
# * `value_bits`: a list of three ints, the bits behind the binary point of the pixels (4), of the hidden values and of the scores: for both the most with which the largest (over `x`) still is at most 127, that is ⌊log₂(127 / max|v|)⌋.
# * Judged **in integers**, by the golden model of lab12's hardware, on 360 digits that you never saw: at 3 bits at most 2 points fewer right than the float network, at 2 bits at most 4. Within 30 s (the solution needs about 2).
#
# The check shuffles the pixels and renames the classes, so weights from elsewhere are of no use. It trains a second time if the first result falls short. (Points lost in 24 runs of `benchmarks/lab09.py`, mean and standard deviation. At 3 bits −0.3 ± 0.5, and 2.1 ± 1.5 rounded afterwards; at 2 bits 0.4 ± 0.5, at most 1.4, and 12.2 ± 4.5, at least 5.0, rounded afterwards. So an answer as good as the solution fails by bad luck less than once in a million times.)
#
# <details><summary>Hint 1: forwards one thing, backwards another</summary><code>torch.autograd.Function</code>; or a sum of a part with gradient and a part without: <code>c + (rounded − c).detach()</code>, where c is w clamped.</details>
# <details><summary>Hint 2: which power of two?</summary>The one with the least squared rounding error of the float weights, of the few around max|w| / (2ᵇ⁻¹ − 1).</details>
# <details><summary>Hint 3: training</summary>Start from the float parameters. AdamW, learning rate 3 · 10⁻³ falling to 0, no weight decay, 20 epochs of batches of 32.</details>


# %% train_low_bits tags=["solution"]
def fake_quantise(w, step, bits):
    ### BEGIN SOLUTION
    top = 2 ** (bits - 1) - 1
    passed = w.clamp(-(top + 0.5) * step, (top + 0.5) * step)
    return passed + ((w.detach() / step).round().clamp(-top, top) * step - passed).detach()
    ### END SOLUTION


def train_low_bits(parameters, x, y, bits):
    ### BEGIN SOLUTION
    names, top = ("weights0", "weights1"), 2 ** (bits - 1) - 1
    trained = {name: p.clone().requires_grad_(name in names) for name, p in parameters.items()}

    def best_step(w):
        candidates = [2.0**-i for i in range(8)]
        rounded = [(w / step).round().clamp(-top, top) * step for step in candidates]
        return candidates[int(torch.stack([(one - w).square().sum() for one in rounded]).argmin())]

    steps = {name: best_step(parameters[name]) for name in names}

    def rounded():
        return {name: fake_quantise(p, steps[name], bits) if name in steps else p for name, p in trained.items()}

    epochs, batches = 20, -(-len(x) // 32)
    optimizer = torch.optim.AdamW(trained.values(), lr=3e-3, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * batches)
    for _ in range(epochs):
        for chosen in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            F.cross_entropy(digit_layers(rounded(), x[chosen])[1], y[chosen]).backward()
            optimizer.step()
            schedule.step()
    answer = {name: p.detach().clone() for name, p in rounded().items()}
    greatest = [float(v.abs().max()) for v in digit_layers(answer, x)]
    return answer | {"value_bits": [4] + [int(torch.tensor(127 / v).log2().floor()) for v in greatest]}
    ### END SOLUTION


# %% test_train_low_bits tags=["test", "core"] points=10 hours=1.25 covers=["quantisation", "lo3"]
from lablib.data.digits import digits
from lablib.hls.designs.digits import quantised
from lablib.hls.designs.network import network_reference


def shuffled_digits():
    """The digits, with pixels shuffled and classes renamed: train x, y, held-out x, y."""
    data, places, names = digits(), check.rng.uniform(64).argsort().cpu(), check.rng.uniform(10).argsort().cpu()
    return (
        data.train_x.flatten(1)[:, places],
        names[data.train_y],
        data.test_x.flatten(1)[:, places],
        names[data.test_y],
    )


def in_integers(answer, x, y, bits):
    """Share of images that lab12's golden model of an answer gets right."""
    check.equal(sorted(answer), ["bias0", "bias1", "value_bits", "weights0", "weights1"], name="the keys of the answer")
    for name in ("weights0", "weights1"):
        w = answer[name].double()
        some = w[w != 0].abs().min()
        unit = 2.0 ** int(some.log2().floor())  # the step is this, or a smaller power of two
        step = next(
            (unit / 2**i for i in range(bits) if bool((w / unit * 2**i == (w / unit * 2**i).round()).all())), None
        )
        top = 2 ** (bits - 1) - 1
        assert step and float(w.abs().max()) <= top * step, (
            f"{name} has {w.unique().numel()} values up to {float(w.abs().max()):.4g}; expected multiples -{top} … {top} of one power of two."
        )
    pairs = tuple((answer[f"weights{i}"].numpy(), answer[f"bias{i}"].numpy()) for i in range(2))
    scores = network_reference(quantised(pairs, answer["value_bits"]), (16 * x).round().to(torch.int64).numpy())
    return float((torch.from_numpy(scores).argmax(1) == y).float().mean())


def judge_training(bits, points):
    x, y, test_x, test_y = shuffled_digits()
    for _ in range(2):
        torch.manual_seed(check.rng.choice(0, 2**31))
        floats = float_digits(x, y)
        check.seed(check.rng.choice(0, 2**31))
        answer = train_low_bits(floats, x, y, bits)
        for name in ("bias0", "bias1"):
            check.equal(answer[name], floats[name], name=f"{name}, which stays as it was")
        for number, (values, got) in enumerate(zip(digit_layers(answer, x), answer["value_bits"][1:], strict=True)):
            most = float(values.abs().max())
            assert 63.4 < most * 2.0**got <= 127.1, (
                f"value_bits of layer {number} is {got}: its largest value, {most:.4g}, becomes {most * 2.0**got:.1f}."
            )
        share, wanted = (
            in_integers(answer, test_x, test_y, bits),
            (digit_layers(floats, test_x)[1].argmax(1) == test_y).float().mean() - points / 100,
        )
        if share >= wanted:
            break
    assert share >= wanted, (
        f"{share:.1%} of the held-out digits are right at {bits} bits, expected at least {wanted:.1%}."
    )


def judge_estimator(w, step, bits):
    w.requires_grad_()
    top, behind = 2 ** (bits - 1) - 1, check.rng.normal(*w.shape).cpu()
    y = fake_quantise(w, step, bits)
    check.close(y.detach(), (w.detach() / step).round().clamp(-top, top) * step, name=f"fake_quantise at {bits} bits")
    y.backward(behind)
    check.close(w.grad, behind * (w.detach().abs() <= (top + 0.5) * step), name="the gradient of w")


judge_estimator(2 * check.rng.normal(30, 20).cpu(), 0.5, 3)
judge_training(3, 2)
### BEGIN HIDDEN TESTS
judge_estimator(check.rng.normal(300).cpu(), 0.75, 2)
judge_training(2, 4)
### END HIDDEN TESTS

# %% [markdown]
# How much was there to recover? Left: the float weights, rounded to the same kind of levels, without training.


# %% look_recovered
def held_out(parameters):
    return (digit_layers(parameters, test_x)[1].argmax(1) == data.test_y).float().mean()


def rounded_afterwards(parameters, bits):
    """Weights at the power of two with the least rounding error."""
    top, result = 2 ** (bits - 1) - 1, dict(parameters)
    for name in ("weights0", "weights1"):
        w = parameters[name]
        found = [(w / s).round().clamp(-top, top) * s for s in (2.0**-i for i in range(8))]
        result[name] = min(found, key=lambda one, w=w: float((one - w).square().sum()))
    return result


print(f"floats: {held_out(trained):.1%}")
exported = {}
for bits in (3, 2):
    exported[bits] = train_low_bits(trained, train_x, data.train_y, bits)
    print(
        f"{bits} bits: {held_out(rounded_afterwards(trained, bits)):.1%} rounded afterwards, {held_out(exported[bits]):.1%} trained through the rounding"
    )

# %% [markdown]
# **Export.** `digits_network.npz` is what lab12 reads. Here lablib loads your file as it loads its own, and runs it three ways: in floats, by the golden model in numpy, and bit by bit from the C++ that becomes hardware.

# %% look_export
import numpy as np

from lablib.hls.designs.digits import digits as digits_network_of
from lablib.hls.designs.network import network

answer = exported[2]
arrays = {name: np.asarray(value) for name, value in answer.items()}
held_out_images = (16 * test_x).round().to(torch.uint8).numpy()
np.savez("digits_network.npz", **arrays, images=held_out_images, labels=data.test_y.numpy().astype(np.uint8), log=json.dumps({"lab": "09, 2 bits"}))  # fmt: skip
yours = digits_network_of(Path("digits_network.npz"))
design = network(yours.layers)
golden = design.golden(yours.images)
print(
    f"floats {(yours.float_logits(yours.images).argmax(1) == yours.labels).mean():.1%}, integers {(golden.argmax(1) == yours.labels).mean():.1%} of 360 right"
)
print("C++ equals the golden model on 20 images:", bool((design.software(yours.images[:20]) == golden[:20]).all()))
for number, layer in enumerate(yours.layers):
    values, zeros = np.unique(layer.weights).tolist(), np.mean(layer.weights == 0)
    print(f"layer {number}: weights {values} of int8, {zeros:.0%} zeros, shift {layer.shift}")

# %% [markdown]
# ## 7 · Diagnose from counters (stretch)
#
# A colleague's chip quantises activations to 8 bits, affine. Six builds of it run on data that they were calibrated for, or should have been. You see only counters. Errors are in steps, of what the codes stand for, minus the number that came.


# %% counters tags=["setup"]
BUILDS = ("healthy", "clipped", "too wide", "truncated", "zero point lost")


def counters(x, build, bits=8):
    """Quantise numbers as a build does, and count."""
    half = 2 ** (bits - 1)
    lo, hi = x.min().clamp(max=0), x.max().clamp(min=0)
    step = (hi - lo) / (2 * half - 1) * {"clipped": 0.6, "too wide": 8.0}.get(build, 1.0)
    zero = (-half - lo / step).round()
    q = x / step
    q = ((q.floor() if build == "truncated" else q.round()) + zero).clamp(-half, half - 1)
    error = q - (0 if build == "zero point lost" else zero) - x / step
    return {
        "at_ends": float(((q == -half) | (q == half - 1)).float().mean()),
        "codes_used": int(q.unique().numel()) / (2 * half),
        "mean_error": float(error.mean()),
        "rms_error": float(error.square().mean().sqrt()),
        "largest_error": float(error.abs().max()),
    }


# %% look_counters
torch.manual_seed(2)
x = torch.randn(20000)
cases = {"A": (F.gelu(x), "truncated"), "B": (F.gelu(x), "healthy"), "C": (x + 1, "zero point lost"), "D": (x.relu(), "healthy"), "E": (x + 1, "too wide"), "F": (x.relu(), "clipped")}  # fmt: skip
columns = {name: counters(*case) for name, case in cases.items()}
print(" " * 14, *(f"{name:>8}" for name in columns))
for counter in columns["A"]:
    print(f"{counter:14}", *(f"{column[counter]:8.3f}" for column in columns.values()))

# %% [markdown]
# **Your task.** `diagnose(c)` takes such a dict and returns one of
# * `"clipped"`: the range is too small for the numbers;
# * `"too wide"`: the range is many times too large, as when one odd sample set it;
# * `"truncated"`: the half is missing before the shift, so that all is rounded down;
# * `"zero point lost"`: the codes are read as if their zero point were 0 (the true zero point is at least 8 away from 0);
# * `"healthy"`.
#
# There is at most one fault. Data has other shapes and sizes: after a ReLU half of all numbers are exactly 0.
#
# <details><summary>Hint 1: what is the most?</summary>How large can the error of a healthy number be, in steps? Of one rounded down? Of one that is clipped?</details>
# <details><summary>Hint 2: a constant</summary>If all errors are about equal, mean and root mean square agree.</details>
# <details><summary>Hint 3: what at_ends tells</summary>Less than it seems to. Where do the zeros of a ReLU go?</details>


# %% diagnose tags=["solution"]
def diagnose(c):
    ### BEGIN SOLUTION
    if abs(c["mean_error"]) > 4 and c["rms_error"] < 1.05 * abs(c["mean_error"]):
        return "zero point lost"
    if c["largest_error"] > 1.01:
        return "clipped"
    if c["mean_error"] < -0.15:
        return "truncated"
    return "too wide" if c["codes_used"] < 0.25 else "healthy"
    ### END SOLUTION


# %% test_diagnose tags=["test", "stretch"] points=5 hours=0.5 covers=["quantisation", "lo1"]
def judge_diagnosis(name, x, builds=BUILDS):
    found = {build: diagnose(counters(x, build)) for build in builds}
    check.equal(found, {build: build for build in builds}, name=f"your diagnoses of {name}")


judge_diagnosis("numbers after a GELU", F.gelu(check.rng.normal(20000)))
### BEGIN HIDDEN TESTS
judge_diagnosis("numbers after a ReLU", 7 * check.rng.normal(20000).relu())
judge_diagnosis("normal numbers, moved", check.rng.normal(5000) + 1)
judge_diagnosis("normal numbers, moved down", 0.01 * (check.rng.normal(5000) - 2))
judge_diagnosis("uniform numbers", check.rng.uniform(30000, low=-0.2, high=3.0))
### END HIDDEN TESTS

# %% [markdown]
# ## Measure and explain
#
# The clock, as recorded on an H200 by `benchmarks/kernels.py`, with lablib's own kernels: `matmul_int4` is built on the same idea as yours, with a faster conversion, and `matmul_int8` scales its int32 sums at the end.

# %% look_seconds
recorded, h200 = json.loads(Path("assets/h200.json").read_text()), gpu("sm_90")
for row in recorded["products"]:
    M, N, K = row["M"], row["N"], row["K"]
    names = list(row["seconds"])
    for name, weight_bytes in zip(names, (2, 1 if names[1] == "int8" else 0.5 + 2 / 128), strict=True):
        seconds = row["seconds"][name]
        print(f"{M:4} × {N} × {K}  {name:9} {1e3 * seconds:.3f} ms; its weights alone take {1e3 * weight_bytes * N * K / h200.bytes_per_s:.3f} ms to read")  # fmt: skip
    print(
        f"     {names[1]} is {row['seconds'][names[0]] / row['seconds'][names[1]]:.2f} × as fast; the arithmetic at bfloat16's rate takes {2e3 * M * N * K / h200.flops_per_s:.3f} ms"
    )
show_table()

# %% [markdown]
# **Explain** (in at most 250 words, in the cell below).
# 1. You predicted two factors of perplexity. Why does the same function lose so much more with outlier channels? Why does activation-aware scaling help there and not on the GPT as trained, why does the random control help nowhere, and what does error feedback use that both do without?
# 2. One row of x: 4 bits are 3.9 × fewer bytes than 16, the clock says 2.6 ×. With 64 rows it says 1.8 ×. Which limit lies nearest in each case, memory, matrix units, or something else? Back each with a number from the cell above.
# 3. You are to serve the GPT to one user, token by token, and the ViT to a queue of 256 images at a time. Choose bits for weights and for activations of each, and say which count that lowers, whether that is what the machine waits for, and what it costs in quality, with a number from your notebook.

# %% explain_bits [markdown] tags=["manual", "core"] points=10 hours=0.75 covers=["quantisation", "lo3", "lo4"]
# ### BEGIN SOLUTION
# 1. The weights of outlier channels are an eighth as large, on the same ruler: their relative error is eight times as large, and it is multiplied by large inputs. Scaling by rms gives such columns finer levels. As trained, no channel is much larger than others (largest 1.9, median 1.2), so there is nothing to even out. The control
#    has the same search, but scales columns that do not matter. Error feedback uses the off-diagonal of H, how channels move together: the error of one column is made good by later ones.
# 2. One row: weights take 0.025 ms to read at 4 bits, the kernel 0.043; the arithmetic 0.0005. So neither memory nor matrix units: what is left is the unpacking, instructions for every word. bfloat16 takes 0.110 ms, 0.098 of which is reading: memory. 64 rows: the arithmetic takes 0.030 ms and reading 0.025, the kernel 0.064: unpacking and
#    products now both take time.
# 3. GPT, one token: each weight is read for one row, so bytes are the time: 4 bits, with error feedback; at 3 bits it costs 5% of perplexity as trained, 6% with outliers and both methods. Activations stay in 16 bits: they are few bytes. ViT, 256 images: thousands of rows share each weight, so arithmetic counts: int8 for both, 1.7 × as fast as bfloat16 at 8192³, at
#    97% of images right, as many as in floats. Fewer bits for its weights would save bytes that nobody waits for.
# ### END SOLUTION

# %% rubric_explain_bits [markdown] tags=["rubric"]
# **10 points.**
# * 4: outlier channels' small weights round badly and meet large inputs (1); as trained, channels are alike, so scaling has nothing to give (1); the control shows that knowing which channels, not the freedom to scale, is what helps (1); feedback uses correlations of channels (1).
# * 3: bfloat16 at one row waits for memory, 0.098 of 0.110 ms (1); int4 at one row does not: 0.025 of 0.043 ms, unpacking instructions (1); at 64 rows the arithmetic, 0.030 ms, is as long as reading (1).
# * 3: GPT few bits for weights because bytes are the time (1); ViT int8 for both because arithmetic is (1); for each a number of quality from the notebook (1).

# %% record_figures
from lablib.ledger import record

# Your figures are kept in labs/ledger.json: lab18 fills the tables of its claims and its essay from there.
record("lab09_quantisation", {
    "vit_points_lost_3_bits": lambda: 100 * (as_floats["ViT"] - images_right[3, "round to nearest"]),
    "vit_points_lost_3_bits_error_feedback": lambda: 100 * (as_floats["ViT"] - images_right[3, "error feedback"]),
    "gpt_perplexity_ratio_3_bits": lambda: table["round to nearest"]["as trained"][0],
    "gpt_perplexity_ratio_3_bits_error_feedback": lambda: table["error feedback"]["as trained"][0],
    "digits_right_share_2_bits_trained": lambda: held_out(exported[2]).item(),
})  # fmt: skip

# %% [markdown]
# ## What to take along
#
# * A ruler has two ends and a number of marks. All of quantisation is where to put them: whole or by channel, with a zero point or without, to the greatest number or inside it.
# * Integers suffice. A real factor is an integer and a shift; a ReLU is where the clipping begins; the bias can hold the half that rounds.
# * Judge a rounding by the outputs, on inputs as they come. The size of channels tells which weights matter; how they move together tells how to make errors good.
# * Few bits for weights save bytes: for one token at a time. Integers for both save arithmetic: for many rows. Ask what the machine waits for.
# * What rounding afterwards loses, training through the rounding can find again.
#
# **Next:** lab10 lets the input decide how much is computed. lab12 puts your `digits_network.npz` on a chip.
#
# **Sources**
# * Jacob et al.: *Quantization and training of neural networks for efficient integer-arithmetic-only inference*, arXiv:1712.05877, 2017. Zero points, fixed-point multipliers, training through rounding.
# * Dettmers, Lewis, Belkada, Zettlemoyer: *LLM.int8()*, arXiv:2208.07339, 2022. Outlier channels, and products of int8.
# * Lin et al.: *AWQ: activation-aware weight quantization*, arXiv:2306.00978, 2023. Its scales are from mean |x|, ours from the root mean square, which H holds.
# * Frantar, Ashkboos, Hoefler, Alistarh: *GPTQ*, arXiv:2210.17323, 2022; Hassibi, Stork: *Second order derivatives for network pruning: optimal brain surgeon*, NIPS 1992. Error feedback.
# * Kim, Henry, Fahim, Awadalla: *Who says elephants can't run*, arXiv:2211.10017, 2022. Dequantising in registers.
# * Bengio, Léonard, Courville: *Estimating or propagating gradients through stochastic neurons*, arXiv:1308.3432, 2013. The straight-through estimator.
# * NVIDIA: *H200 Tensor Core GPU datasheet*. 989 TFLOP/s in bfloat16, 4.8 TB/s.
# * Data: MNIST (LeCun et al., 1998), Jane Austen's novels, digits (Alpaydin and Kaynak, 1998); `lablib/data/README.md` has licences.
