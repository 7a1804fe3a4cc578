# %% [markdown]
# # Lab 02 · Networks that see, and what they cost
#
# This lab has three small networks: a CNN for digits, a 3D CNN for clips, a vision Transformer (ViT). Together they have 40 operations that multiply
# matrices or convolve. Run them on an H200 with one image at a time, and its arithmetic limits **none** of the 40: all wait for memory. With 256 images at a time it limits 3.
# (Section 4 computes both numbers.) To know which three, and why not the others, you need to see what a layer *does*: how often it uses each number that it loads.
#
# **After it you can**
# 1. write a convolution as a view and one matrix product, and say what the copy in between costs;
# 2. count parameters and operations of 2D, 3D and factorised convolutions by hand;
# 3. write a patch embedding and a Transformer block with as few, large products as possible;
# 4. predict FLOPs, bytes and training memory of any layer, and place it on a roofline at any batch;
# 5. train under a budget, and use a negative control to show what a network has learned.
#
# | | |
# |---|---|
# | Time | about 11½ hours: core 10¾ h, stretch ¾ h (the diagnosis in 6) |
# | Needs | lab00, or: you know what strides and a view are. Section 5 trains with PyTorch |
# | Machine | any, no GPU needed. The check of digits takes about 5 s, everything else less |
# | Grading | about 8 core-seconds, because it trains your networks again |
# | Points | 100 |

# %% setup tags=["setup"] withhold=["lablib.data.mnist", "lablib/data/mnist_5k.npz", "lablib.kernels.conv2d", "lablib.kernels.conv3d", "lablib.kernels.conv_shapes"]
import lablib

lablib.require("0.1")

from lablib import device  # isort: skip  (before triton: it decides whether kernels are interpreted)

import torch
import torch.nn.functional as F
from torch import nn

from lablib import check, viz
from lablib.data.moving_digits import moving_digits
from lablib.gpu.ledger import ledger
from lablib.gpu.specs import gpu
from lablib.models.cnn import CNN
from lablib.models.cnn3d import CNN3D
from lablib.models.vit import ViT
from lablib.train.metrics import accuracy

device.seed(0)
torch.backends.cudnn.allow_tf32 = False  # on a GPU, too, a float32 product keeps all of its bits

PRODUCTS = {"mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot"}


def check_products(seen, count, flops):
    """Assert how many matrix products a call ran, what they cost, and that nothing else did their work."""
    ready = [name for name in seen.torch_ops if any(part in name for part in ("conv", "im2col", "attention"))]
    assert not ready, f"it calls torch's own {', '.join(ready)}; write that part from views and matrix products."
    ran = [name for name in seen.torch_ops if name in PRODUCTS]
    assert len(ran) == count, f"it runs {len(ran)} matrix products ({', '.join(ran) or 'none'}), expected {count}."
    assert seen.flops == flops, f"its products do {seen.flops:,} FLOPs, expected {flops:,}."


# %% [markdown]
# ## 1 · A convolution is a view and one product
#
# A filter looks at a small **window** of the image, multiplies it with its weights, adds up, and moves on. In one dimension, five numbers have three windows of three:
#
# ```text
# memory     0  1  2  3  4
#
# windows    0  1  2            next window: +1
#               1  2  3         next place in a window: +1
#                  2  3  4
# ```
#
# Nine elements stand on five places. So nothing needs to be copied to *see* the windows: a shape of (3, 3) with strides (1, 1) shows them. (**Stride** has two meanings
# here. A tensor's strides say how far apart its elements lie. A convolution's stride says how far its window moves.) The same in two dimensions:

# %% look_windows
image = torch.arange(16.0).reshape(4, 4)
view = image.as_strided((2, 2, 3, 3), (4, 1, 4, 1))  # windows down, across; rows, columns of one
print("window (0, 0):", *view[0, 0].tolist(), "window (1, 1):", *view[1, 1].tolist(), sep="\n")
same = view.untyped_storage().data_ptr() == image.untyped_storage().data_ptr()
print(f"{view.numel()} elements on {image.numel()} places, same memory: {same}")

# %% [markdown]
# **Stride** s moves the window by s places. **Dilation** d takes every d-th place into the window, so that a kernel of k spans d · (k − 1) + 1 places. From n places there are
#
# $$\left\lfloor \frac{n - d\,(k-1) - 1}{s} \right\rfloor + 1 \quad\text{windows.}$$
#
# By hand: n = 7, k = 3, s = 2, d = 2. A window spans 5 places; it can start at 0 and at 2. Two windows: ⌊(7 − 4 − 1) / 2⌋ + 1 = 2.
#
# **Your task.** `windows(x, kernel, stride, dilation)` returns a **view** of `x`: no byte is copied.
# * `x`: shape (B, C, H, W), float32, **any strides**: it may be a slice, or have its channels last.
# * `kernel`, `stride`, `dilation`: pairs of ints, for height and width. No padding.
# * The view has shape (B, C, kernel[0], kernel[1], windows down, windows across).
#
# <details><summary>Hint 1: six axes, six strides</summary>One step along each axis of the view: how far is it in x, counted in x's own strides?</details>
# <details><summary>Hint 2: two axes walk along the height</summary>One goes from place to place in a window, the other from window to window. Which of them does the dilation stretch, which the stride?</details>
# <details><summary>Hint 3: nearly there</summary><code>x.as_strided(shape, strides)</code>, with <code>b, c, h, w = x.stride()</code> and strides (b, c, h · dilation, …, h · stride, …).</details>


# %% windows tags=["solution"]
def windows(x, kernel, stride, dilation):
    ### BEGIN SOLUTION
    (B, C, H, W), (b, c, h, w) = x.shape, x.stride()
    down = (H - dilation[0] * (kernel[0] - 1) - 1) // stride[0] + 1
    across = (W - dilation[1] * (kernel[1] - 1) - 1) // stride[1] + 1
    strides = (b, c, h * dilation[0], w * dilation[1], h * stride[0], w * stride[1])
    return x.as_strided((B, C, *kernel, down, across), strides)
    ### END SOLUTION


# %% test_windows tags=["test", "core"] points=5 hours=0.75 covers=["convnets", "lo2"]
def windows_oracle(x, kernel, stride, dilation):
    columns = F.unfold(x, kernel, dilation, stride=stride)
    sizes = zip(x.shape[2:], kernel, stride, dilation, strict=True)
    counts = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in sizes]
    return columns.reshape(*x.shape[:2], *kernel, *counts)


x = check.rng.normal(2, 3, 7, 8)
how = ((3, 2), (1, 1), (1, 1))
y = check.cost(windows, x, *how, allocated=0)
check.close(y, windows_oracle(x, *how), name="windows(x, (3, 2), (1, 1), (1, 1))")
### BEGIN HIDDEN TESTS
for how in [((3, 3), (2, 1), (1, 1)), ((2, 3), (1, 3), (3, 2)), ((1, 5), (2, 2), (1, 2))]:
    for x in (
        check.rng.normal(2, 2, 9, 12),
        check.rng.normal(2, 9, 12, 3).permute(0, 3, 1, 2),
        check.rng.normal(3, 4, 12, 30)[1:, ::2, 2:11, 3:27:2],
    ):
        y = check.cost(windows, x, *how, allocated=0)
        check.close(y, windows_oracle(x, *how), name=f"windows of x with strides {x.stride()}, {how}")
### END HIDDEN TESTS

# %% [markdown]
# Now the arithmetic. One output is a sum over channels and places of a window: `weight[o] · window`. All windows side by side make a matrix, and all outputs are **one matrix product**:
#
# ```text
#  filters                    windows, one a column              outputs
#  (O × C·kh·kw)        ·     (C·kh·kw × places)          =      (O × places)
# ```
#
# A GPU's matrix units do nothing but such products, so that is how GPUs convolve nearly always. But the units want a matrix in memory, and the view is none: no single stride leads from one row of that matrix
# to the next. Someone must copy, and the copy is kh · kw times the image. Here it is for one layer of 64 channels, 56 × 56 pixels, float16:

# %% look_im2col
pixels, weights = 2 * 64 * 56 * 56, 2 * 64 * 64 * 9
viz.traffic_bars([
    {"name": "windows copied (im2col)", "loads": pixels + 9 * pixels + weights, "stores": 9 * pixels + pixels},
    {"name": "copied tile by tile, on the chip", "loads": pixels + weights, "stores": pixels},
], target=2 * pixels + weights)  # fmt: skip

# %% [markdown]
# The second bar is what GPU libraries do: they gather the windows of one tile into shared memory, and never write the large matrix (cuDNN calls it *implicit GEMM*). Lab06's tiles are the same idea. Here you
# write the first one, and count its memory.
#
# **Your task.** `conv2d_product(x, w, stride, padding, dilation)` returns what `F.conv2d` would, without calling it (nor `F.unfold`).
# * `x`: (B, C, H, W), `w`: (O, C, kh, kw), float32, contiguous. The rest are pairs of ints; padding is with zeros. Result: (B, O, H', W').
# * **One** matrix product for the whole batch (`@`, `torch.bmm` and the like; `einsum` and `tensordot` make the copy themselves, so give them the view of the windows and no copy), of exactly 2 · B · O · H' · W' · C · kh · kw FLOPs: a multiplication and an addition are two.
# * The windows are copied **once**. At no time does it hold more than the padded image, one copy of the windows and the result.
#
# You may use `windows` of above if it works, or write it again.
#
# <details><summary>Hint 1: padding</summary><code>F.pad</code> counts from the last axis: (left, right, top, bottom).</details>
# <details><summary>Hint 2: where the copy happens</summary><code>reshape</code> copies when no strides can show what you ask for. Ask for the shape that the product needs at once: a second change of axes is a second copy.</details>
# <details><summary>Hint 3: nearly there</summary>pad → windows → reshape to (B, C·kh·kw, places) → <code>w.flatten(1) @ …</code> → view as (B, O, H', W').</details>


# %% conv2d_product tags=["solution"]
def conv2d_product(x, w, stride, padding, dilation):
    ### BEGIN SOLUTION
    x = F.pad(x, (padding[1], padding[1], padding[0], padding[0]))
    (B, C, H, W), (b, c, h, v), kernel = x.shape, x.stride(), w.shape[2:]
    down, across = ((n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip((H, W), kernel, stride, dilation, strict=True))
    strides = (b, c, h * dilation[0], v * dilation[1], h * stride[0], v * stride[1])
    columns = x.as_strided((B, C, *kernel, down, across), strides).reshape(B, -1, down * across)
    return (w.flatten(1) @ columns).view(B, -1, down, across)
    ### END SOLUTION


# %% test_conv2d_product tags=["test", "core"] points=10 hours=1.0 covers=["convnets", "lo2"]
def judge_conv2d(x, w, stride, padding, dilation):
    want = F.conv2d(x, w, None, stride, padding, dilation)
    seen = check.observe(conv2d_product, x, w, stride, padding, dilation)
    check.close(seen.value, want, name=f"the convolution with stride {stride}, padding {padding}, dilation {dilation}")
    window = w[0].numel()
    check_products(seen, 1, 2 * want.numel() * window)
    copied = 4 * window * want[:, 0].numel()
    padded = 4 * x.shape[0] * x.shape[1] * (x.shape[2] + 2 * padding[0]) * (x.shape[3] + 2 * padding[1])
    most = padded + copied + want.nbytes
    assert copied <= seen.peak_bytes <= most, (
        f"it holds {seen.peak_bytes:,} bytes at once, expected {copied:,} (the windows) to {most:,} (padded image, windows, result)."
    )


judge_conv2d(check.rng.normal(2, 3, 9, 8), check.rng.normal(5, 3, 3, 3), (1, 1), (1, 1), (1, 1))
### BEGIN HIDDEN TESTS
for kernel, stride, padding, dilation in [
    ((3, 2), (2, 1), (1, 0), (1, 1)),
    ((3, 3), (1, 3), (0, 2), (2, 3)),
    ((1, 4), (2, 2), (2, 1), (1, 2)),
]:
    x, w = check.rng.normal(3, 4, 11, 14), check.rng.normal(7, 4, *kernel)
    judge_conv2d(x, w, stride, padding, dilation)
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · Time is one more axis
#
# How much of a digit does one output of the CNN see? Each layer looks at windows of the layer below, whose places looked at windows themselves: the **receptive field** grows with depth, and every
# stride multiplies the growth of what follows. Move the slider: after which layer does an output see the whole width? (The darker a pixel, the more paths lead from it to the output.)

# %% look_receptive_field
strides = {"stem": 2, "block 1a": 1, "1b": 1, "block 2a": 2, "2b": 1, "block 3a": 1, "3b": 1}
path = [{"name": name, "kernel": (3, 3), "stride": (s, s)} for name, s in strides.items()]
viz.receptive_field(path, (28, 28))

# %% [markdown]
# A clip has frames. A network that looks at each frame alone cannot tell a digit that moves left from the same film run backwards: no single frame differs. A 3D filter also reaches over time. After which layer does one output see all six frames?

# %% look_receptive_field_3d
conv3 = {"name": "conv", "kernel": (3, 3, 3), "stride": (1, 1, 1)}
pool = {"name": "pool", "kernel": (1, 2, 2), "stride": (1, 2, 2), "padding": (0, 0, 0)}
viz.receptive_field([conv3, pool, conv3, pool, conv3], (6, 16, 16))

# %% [markdown]
# What does time cost? A filter of t × d × d over C channels has t · d² · C weights, so a **3D** layer with O filters has t · d² · C · O, and uses all of them at every place of its result.
#
# The **(2+1)D** layer splits it: first M filters of 1 × d × d in space, then O filters of t × 1 × 1 in time. It has M · d² · C + O · t · M weights. Small case: C = O = 2, t = d = 3.
#
# | | weights | with M = 3 |
# |---|---|---|
# | 3D | 3 · 9 · 2 · 2 | **108** |
# | (2+1)D | M · 9 · 2 + 2 · 3 · M = 24 M | 72 |
#
# With M = 4 it has 96, with M = 5 it would have 120: so M = 4 is the widest split that costs no more.
#
# **Your task.** Two functions in one cell; all numbers are ints.
# * `conv3d_cost(shape, channels_out, kernel, stride, padding)` returns `(parameters, flops)` of a 3D convolution without bias. `shape` is the input's (B, C, T, H, W); the others are triples for time, height, width.
# * `split_width(channels_in, channels_out, t, d)` returns the largest M for which (2+1)D has no more weights than 3D.
#
# Work with the numbers: shapes may be larger than any machine could hold. (In grading your cells find no `lablib.kernels.conv2d`, `lablib.kernels.conv3d` and `lablib.kernels.conv_shapes`.)
#
# <details><summary>Hint 1: how many places</summary>The formula of section 1 with dilation 1, after padding has made each axis longer by twice the padding.</details>
# <details><summary>Hint 2: FLOPs</summary>Every weight is used once for every place of the result and every clip, and one use is two operations.</details>
# <details><summary>Hint 3: the width</summary>Both sides of "no more than" are known but M. Whole numbers round down with <code>//</code>.</details>


# %% conv3d_cost tags=["solution"]
def conv3d_cost(shape, channels_out, kernel, stride, padding):
    ### BEGIN SOLUTION
    B, C, *sizes = shape
    parameters, places = channels_out * C, B
    for n, k, s, p in zip(sizes, kernel, stride, padding, strict=True):
        parameters *= k
        places *= (n + 2 * p - k) // s + 1
    return parameters, 2 * parameters * places
    ### END SOLUTION


def split_width(channels_in, channels_out, t, d):
    ### BEGIN SOLUTION
    return t * d * d * channels_in * channels_out // (d * d * channels_in + t * channels_out)
    ### END SOLUTION


# %% test_conv3d_cost tags=["test", "core"] points=5 hours=0.75 covers=["cnn3d", "lo3"]
def counted_conv3d(shape, channels_out, kernel, stride, padding):
    layer = nn.Conv3d(shape[1], channels_out, kernel, stride, padding, bias=False, device="meta")
    return layer.weight.numel(), ledger(layer, torch.empty(shape, device="meta")).total.flops


how = ((2, 3, 6, 16, 16), 8, (3, 3, 3), (1, 2, 2), (1, 1, 1))
check.equal(conv3d_cost(*how), counted_conv3d(*how), name="conv3d_cost (parameters, flops)")
check.equal(split_width(2, 2, 3, 3), 4, name="split_width(2, 2, 3, 3)")
### BEGIN HIDDEN TESTS
for kernel, stride, padding in [((3, 5, 1), (2, 1, 3), (0, 2, 1)), ((1, 3, 3), (1, 1, 1), (0, 0, 0))]:
    shape = [check.rng.choice(*ends) for ends in [(1, 9), (1, 9), (7, 20), (7, 20), (7, 20)]]
    how = (shape, check.rng.choice(1, 9), kernel, stride, padding)
    check.equal(conv3d_cost(*how), counted_conv3d(*how), name=f"conv3d_cost{how}")
for _ in range(5):
    C_in, C_out, t, d = (check.rng.choice(*ends) for ends in [(1, 70), (1, 70), (1, 6), (1, 6)])
    whole = t * d * d * C_in * C_out
    fits = [M for M in range(whole + 1) if M * (d * d * C_in + t * C_out) <= whole]
    check.equal(split_width(C_in, C_out, t, d), max(fits), name=f"split_width({C_in}, {C_out}, {t}, {d})")
n = 2**40
expected = (27, 2 * 27 * 5 * n * n * n)
check.equal(conv3d_cost((5, 1, n, n, n), 1, (3, 3, 3), (1, 1, 1), (1, 1, 1)), expected, name="a huge conv3d_cost")
### END HIDDEN TESTS

# %% [markdown]
# Now build the pair, and let it do no more work than it must. Where the layer also skips places in space, *which* of the two does it decides the cost, though not the result. (Frames are another matter: see hint 2.)
#
# **Your task.** `conv2plus1d(x, spatial, temporal, stride)` applies first the filters in space, then those in time.
# * `x`: (B, C, T, H, W); `spatial`: (M, C, d, d); `temporal`: (O, M, t). float32; d and t are odd, and padding is half a kernel (d // 2, t // 2).
# * `stride` is (stride in time, stride in space). The result has the shape of a 3D convolution with those strides: (B, O, T', H', W').
# * The fewest FLOPs that this order allows, exactly. `F.conv3d` may be used, here and here only.
#
# Its result is that of one 3D convolution whose filters are products of the two: that is the check. (A real network has a norm and a ReLU between the two, so that it can do more.)
#
# <details><summary>Hint 1: filters in space</summary>A filter of 1 × d × d is <code>spatial[:, :, None]</code>: one axis of length 1 more.</details>
# <details><summary>Hint 2: strides</summary>The second convolution should get as few places as possible. Which skipping can be done before it, and which can not?</details>
# <details><summary>Hint 3: nearly there</summary>The first has stride (1, s, s) and padding (0, d // 2, d // 2).</details>


# %% conv2plus1d tags=["solution"]
def conv2plus1d(x, spatial, temporal, stride):
    ### BEGIN SOLUTION
    in_time, in_space = stride
    d, t = spatial.shape[-1], temporal.shape[-1]
    y = F.conv3d(x, spatial[:, :, None], stride=(1, in_space, in_space), padding=(0, d // 2, d // 2))
    return F.conv3d(y, temporal[..., None, None], stride=(in_time, 1, 1), padding=(t // 2, 0, 0))
    ### END SOLUTION


# %% test_conv2plus1d tags=["test", "core"] points=10 hours=1.0 covers=["cnn3d", "lo3"]
def judge_conv2plus1d(B, C, M, C_out, t, d, stride, size):
    x = check.rng.normal(B, C, *size)
    spatial, temporal = check.rng.normal(M, C, d, d), check.rng.normal(C_out, M, t)
    strides, padding = (stride[0], stride[1], stride[1]), (t // 2, d // 2, d // 2)
    whole = torch.einsum("omt,mchw->octhw", temporal.double(), spatial.double())
    want = F.conv3d(x.double(), whole, None, strides, padding).float()
    places = want[0, 0, 0].numel()
    flops = 2 * B * places * M * (size[0] * C * d * d + want.shape[2] * C_out * t)
    y = check.cost(conv2plus1d, x, spatial, temporal, stride, flops=flops)
    check.close(y, want, name=f"conv2plus1d with stride {stride}")


judge_conv2plus1d(2, 3, 4, 5, 3, 3, (1, 1), (6, 8, 8))
judge_conv2plus1d(1, 2, 6, 3, 3, 3, (1, 2), (5, 9, 9))
### BEGIN HIDDEN TESTS
judge_conv2plus1d(2, 2, 5, 4, 5, 3, (2, 1), (8, 7, 9))
judge_conv2plus1d(1, 3, 7, 2, 3, 5, (2, 3), (7, 10, 8))
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Patches, and a block of few large products
#
# A ViT cuts the image into patches that do not overlap, and turns each into a vector, a **token**, by one matrix. That is a convolution whose stride equals its kernel, so the windows share nothing:
# the copy is as large as the image, not nine times as large.
#
# ```text
#  image 4 × 6, patches of 2        tokens, row by row
#    0  1 |  2  3 |  4  5             0:   0  1  6  7
#    6  7 |  8  9 | 10 11             1:   2  3  8  9
#   -------+-------+-------           2:   4  5 10 11
#   12 13 | 14 15 | 16 17             3:  12 13 18 19   …
#   18 19 | 20 21 | 22 23
# ```
#
# **Your task.** `patch_embed(x, w, bias, patch)` returns the tokens, (B, T, D): row by row, left to right.
# * `x`: (B, C, H, W), float32, **any strides**; `patch` divides H and W. `w`: (D, C, patch, patch), `bias`: (D,), as `nn.Conv2d` keeps them.
# * One matrix product. Allocated are the patches, copied once, and the result: **not a byte more**. No convolution of torch's.
#
# <details><summary>Hint 1: a view first</summary>An axis of H = rows · patch can be shown as two. <code>x.unfold(2, patch, patch)</code> does it for any strides.</details>
# <details><summary>Hint 2: the order of axes</summary>Tokens come first, and inside a token the order of <code>w.flatten(1)</code>: channel, row, column. Permute while it is still a view.</details>
# <details><summary>Hint 3: the bias</summary>Adding it afterwards makes a second tensor as large as the result. <code>F.linear</code> and <code>torch.addmm</code> add it in the product.</details>


# %% patch_embed tags=["solution"]
def patch_embed(x, w, bias, patch):
    ### BEGIN SOLUTION
    view = x.unfold(2, patch, patch).unfold(3, patch, patch).permute(0, 2, 3, 1, 4, 5)
    B, rows, columns = view.shape[:3]
    return F.linear(view.reshape(B, rows * columns, -1), w.flatten(1), bias)
    ### END SOLUTION


# %% test_patch_embed tags=["test", "core"] points=5 hours=0.75 covers=["vits", "lo1"]
def judge_patch_embed(x, D, patch):
    w, bias = check.rng.normal(D, x.shape[1], patch, patch), check.rng.normal(D)
    want = F.conv2d(x, w, bias, patch).flatten(2).transpose(1, 2).contiguous()
    seen = check.observe(patch_embed, x, w, bias, patch)
    check.close(seen.value, want, name=f"the tokens of {tuple(x.shape)} in patches of {patch}")
    check_products(seen, 1, 2 * want.numel() * w[0].numel())
    check.equal(seen.allocated_bytes, 4 * x.numel() + want.nbytes, name="bytes allocated")


judge_patch_embed(check.rng.normal(2, 3, 8, 12), 5, 4)
### BEGIN HIDDEN TESTS
judge_patch_embed(check.rng.normal(3, 9, 6, 2).permute(0, 3, 1, 2), 4, 3)
judge_patch_embed(check.rng.normal(2, 4, 20, 20)[:, ::2, 2:12, 1:11], 7, 5)
### END HIDDEN TESTS

# %% [markdown]
# Then tokens must exchange what they know. In **attention** each token makes three vectors: a *query* (what it looks for), a *key* (what it offers) and a *value* (what it hands over). The score of two tokens is
# query · key; a softmax turns the scores of one query into weights that add up to 1; and the token receives the mean of all values with these weights. By hand, with three tokens and scores (0, 0, ln 2): the
# exponentials are 1, 1 and 2, the weights ¼, ¼ and ½. Several **heads** do this side by side, each with its own part of the vectors. An **MLP** then works on each token alone: a wider layer, GELU (a smooth ReLU), and a layer back.
#
# Attention and MLP make a **block**. The usual one runs attention, and **after** it an MLP: four products with weights (queries, keys and values count as one), one after the other. Large models such as GPT-J and ViT-22B let both read the
# **same** input and add both results:
#
# $$y = x + \text{attention}(\text{norm}(x)) + \text{MLP}(\text{norm}(x))$$
#
# Look at what becomes possible. Both branches begin with a product of the same tokens, so their weights can stand under one another in one matrix. Both end in a product whose results are added, and a sum of
# two products is **one** product of longer rows: $a A^T + h H^T = [a\; h]\,[A\; H]^T$. Four products with weights become two:

# %% look_parallel_block
C, T = 64, 49
blocks = {
    "one after the other": [(C, 3 * C), (C, C), (C, 4 * C), (4 * C, C)],
    "in parallel, merged": [(C, 3 * C + 4 * C), (C + 4 * C, C)],
}
for name, sizes in blocks.items():
    layers = [nn.Linear(*pair, bias=False, device="meta") for pair in sizes]
    found = [ledger(layer, torch.empty(T, layer.in_features, device="meta")).total for layer in layers]
    flops, weights = sum(row.flops for row in found), sum(row.parameter_bytes for row in found)
    tokens = sum(row.read_bytes + row.written_bytes for row in found)
    print(f"{name}: {len(found)} products, {flops:,} FLOPs, {weights:,} bytes of weights, {tokens:,} of tokens")

# %% [markdown]
# The same arithmetic, **fewer and larger products**: half the launches, and fewer bytes of tokens.
#
# **Your task.** `parallel_block(x, norm_w, norm_b, w_in, b_in, w_out, b_out, heads)`; all float32.
# * `x`: (B, T, C). `norm_w`, `norm_b`: (C,), a layer norm over the last axis with eps 10⁻⁵.
# * `w_in`: (3C + F, C), `b_in`: (3C + F,). Of the columns of its result, the first C are queries, then C keys, C values, and F hidden values of the MLP, to which GELU (the exact one) is applied. Head j owns columns j · C/heads to (j + 1) · C/heads − 1 of queries, keys and values.
# * Attention of a head: softmax(q · kᵀ / √(C / heads)) · v, over all T tokens.
# * `w_out`: (C, C + F), `b_out`: (C,). Its input has the C results of attention first, then the F of the MLP. The result is x plus its product.
# * **Four matrix products in all**: in, scores, mix, out. Write the softmax out: no `scaled_dot_product_attention`.
#
# <details><summary>Hint 1: heads</summary>View C columns as (heads, C / heads), and move the heads' axis before the tokens': (B, heads, T, C / heads). A product of such tensors does all heads at once.</details>
# <details><summary>Hint 2: and back</summary><code>transpose(1, 2).reshape(B, T, C)</code>.</details>
# <details><summary>Hint 3: nearly there</summary>norm → linear → split(3C, F) → scores, softmax, mix → cat with GELU of the F → linear → + x.</details>


# %% parallel_block tags=["solution"]
def parallel_block(x, norm_w, norm_b, w_in, b_in, w_out, b_out, heads):
    ### BEGIN SOLUTION
    B, T, C = x.shape
    y = F.linear(F.layer_norm(x, (C,), norm_w, norm_b), w_in, b_in)
    qkv, hidden = y[..., : 3 * C], y[..., 3 * C :]
    q, k, v = qkv.unflatten(2, (3, heads, C // heads)).permute(2, 0, 3, 1, 4)
    weights = torch.softmax(q @ k.transpose(2, 3) * (C // heads) ** -0.5, dim=-1)
    mixed = (weights @ v).transpose(1, 2).reshape(B, T, C)
    return x + F.linear(torch.cat([mixed, F.gelu(hidden)], dim=-1), w_out, b_out)
    ### END SOLUTION


# %% test_parallel_block tags=["test", "core"] points=10 hours=1.25 covers=["vits", "lo3"]
def block_oracle(x, norm_w, norm_b, w_in, b_in, w_out, b_out, heads):
    x, norm_w, norm_b, w_in, b_in, w_out, b_out = (t.double() for t in (x, norm_w, norm_b, w_in, b_in, w_out, b_out))
    C, d = x.shape[2], x.shape[2] // heads
    y = F.layer_norm(x, (C,), norm_w, norm_b)
    parts = [y @ w_in[first : first + d].T + b_in[first : first + d] for first in range(0, 3 * C, d)]
    mixed = []
    for j in range(heads):
        q, k, v = parts[j], parts[heads + j], parts[2 * heads + j]
        mixed.append(torch.softmax(q @ k.mT / d**0.5, -1) @ v)
    hidden = F.gelu(y @ w_in[3 * C :].T + b_in[3 * C :])
    return (x + torch.cat([*mixed, hidden], -1) @ w_out.T + b_out).float()


def judge_block(B, T, C, hidden, heads):
    shapes = [(B, T, C), (C,), (C,), (3 * C + hidden, C), (3 * C + hidden,), (C, C + hidden), (C,)]
    tensors = [check.rng.normal(*shape) * (0.4 if len(shape) == 2 else 1.0) for shape in shapes]
    seen = check.observe(parallel_block, *tensors, heads)
    check.close(seen.value, block_oracle(*tensors, heads), rtol=1e-4, name=f"the block of {heads} heads")
    check_products(seen, 4, 2 * B * T * C * (4 * C + 2 * hidden) + 4 * B * T * T * C)


judge_block(2, 5, 12, 48, 3)
### BEGIN HIDDEN TESTS
judge_block(3, 7, 8, 20, 1)
judge_block(1, 10, 16, 24, 4)
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · What each layer costs
#
# `lablib.gpu.ledger` runs a model once, and writes down what every operation costs: FLOPs, bytes of weights, bytes of other tensors read and written. On torch's `meta` device tensors have shapes but no numbers, so
# that any batch can be asked about. Here is the CNN for one image, a row a module:

# %% look_ledger
from torch.utils.flop_counter import FlopCounterMode

found = ledger(CNN().to("meta").eval(), torch.empty(1, 1, 28, 28, device="meta"))
print(found)
for model, shape in [(CNN(), (1, 28, 28)), (CNN3D(), (1, 6, 16, 16)), (ViT(), (1, 28, 28))]:
    x = torch.empty(2, *shape, device="meta")
    with FlopCounterMode(display=False) as counter:
        model.to("meta").eval()(x)
    ours = ledger(model, x).total.flops
    print(
        f"{type(model).__name__:6} ledger {ours:11,}  torch's counter {counter.get_total_flops():11,}  equal: {ours == counter.get_total_flops()}"
    )

# %% [markdown]
# You are going to compute such rows without running anything. For a **batch** of B inputs, a layer with a product
# * does B times the arithmetic, and reads and writes B times the activations;
# * reads its weights **once**.
#
# **Your task.** `layer_cost(layer, batch, itemsize)` returns a dict of four ints: `flops`, `parameter_bytes` (weights and bias), `read_bytes` (all other operands), `written_bytes`. Each tensor is read or written once.
# `layer` is a dict; its sizes are for one input:
#
# | `kind` | other keys |
# |---|---|
# | `"conv"` | `channels_in`, `channels_out`, `kernel`, `size_in`, `size_out` (tuples, of two axes or three), `groups`, `bias` (True or False) |
# | `"linear"` | `features_in`, `features_out`, `rows` (how many vectors one input has: a ViT's tokens), `bias` |
# | `"product"` | `count`, `M`, `K`, `N`: for one input, `count` products of an (M, K) by a (K, N) tensor. No weights |
# | `"relu"` | `elements` |
#
# FLOPs are those of products, two for a multiplication and its addition; adding a bias is not counted, as in torch's counter. With `groups` g, every filter sees only channels_in / g channels. Batches may be huge: work with the numbers.
#
# <details><summary>Hint 1: places and windows</summary>FLOPs of a convolution: 2 · elements of the result · weights of one filter.</details>
# <details><summary>Hint 2: what the batch multiplies</summary>Everything but parameter_bytes.</details>
# <details><summary>Hint 3: many axes</summary><code>math.prod(kernel)</code> serves two axes and three.</details>


# %% layer_cost tags=["solution"]
def layer_cost(layer, batch, itemsize):
    ### BEGIN SOLUTION
    from math import prod

    kind, weights = layer["kind"], 0
    if kind == "conv":
        filter_size = layer["channels_in"] // layer["groups"] * prod(layer["kernel"])
        read = layer["channels_in"] * prod(layer["size_in"])
        written = layer["channels_out"] * prod(layer["size_out"])
        flops = 2 * written * filter_size
        weights = layer["channels_out"] * (filter_size + layer["bias"])
    elif kind == "linear":
        read, written = (layer["rows"] * layer[key] for key in ("features_in", "features_out"))
        flops = 2 * read * layer["features_out"]
        weights = layer["features_out"] * (layer["features_in"] + layer["bias"])
    elif kind == "product":
        count, M, K, N = (layer[key] for key in ("count", "M", "K", "N"))
        read, written, flops = count * (M * K + K * N), count * M * N, 2 * count * M * N * K
    else:
        read = written = layer["elements"]
        flops = 0
    return {
        "flops": batch * flops,
        "parameter_bytes": itemsize * weights,
        "read_bytes": itemsize * batch * read,
        "written_bytes": itemsize * batch * written,
    }
    ### END SOLUTION


# %% layers tags=["setup"]
class Product(nn.Module):
    """Products of two batches of matrices, neither of them weights."""

    def forward(self, a, b):
        return torch.bmm(a, b)


def describe(model, x):
    """The convolutions, linear layers and ReLUs of a model as plain dicts, in the order in which they run."""
    found = []

    def note(module, args, y):
        if isinstance(module, (nn.Conv2d, nn.Conv3d)):
            found.append({
                "kind": "conv", "channels_in": module.in_channels, "channels_out": module.out_channels,
                "kernel": tuple(module.kernel_size), "size_in": tuple(args[0].shape[2:]),
                "size_out": tuple(y.shape[2:]), "groups": module.groups, "bias": module.bias is not None,
            })  # fmt: skip
        elif isinstance(module, nn.Linear):
            sizes = {"features_in": module.in_features, "features_out": module.out_features}
            rows = y[0].numel() // module.out_features
            found.append({"kind": "linear", **sizes, "rows": rows, "bias": module.bias is not None})
        elif isinstance(module, nn.ReLU):
            found.append({"kind": "relu", "elements": y[0].numel()})

    hooks = [module.register_forward_hook(note) for module in model.modules()]
    model(x)
    for hook in hooks:
        hook.remove()
    return found


def costs(row):
    """A row of the ledger as `layer_cost` returns it."""
    return {key: getattr(row, key) for key in ("flops", "parameter_bytes", "read_bytes", "written_bytes")}


# %% test_layer_cost tags=["test", "core"] points=10 hours=1.0 covers=["convnets", "vits", "lo2"]
def judge_layer(layer, shape, dtype=torch.float32):
    module, batch = layer.to("meta", dtype), check.rng.choice(2, 40)
    one, several = (torch.empty(count, *shape, dtype=dtype, device="meta") for count in (1, batch))
    (description,) = describe(module, one)
    check.equal(
        layer_cost(description, batch, dtype.itemsize), costs(ledger(module, several).total),
        name=f"the cost of {description} at batch {batch}",
    )  # fmt: skip
    return description, costs(ledger(module, one).total)


judge_layer(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), (3, 28, 28))
judge_layer(nn.Linear(64, 192), (49, 64))
judge_layer(nn.ReLU(), (16, 14, 14))
product = {"kind": "product", "count": 4, "M": 49, "K": 16, "N": 49}
a, b = torch.empty(12, 49, 16, device="meta"), torch.empty(12, 16, 49, device="meta")
check.equal(layer_cost(product, 3, 4), costs(ledger(Product(), a, b).total), name=f"the cost of {product} at batch 3")
### BEGIN HIDDEN TESTS
judge_layer(nn.Conv2d(6, 12, (3, 5), groups=3), (6, 11, 17), torch.float16)
judge_layer(nn.Conv3d(2, 5, (3, 1, 3), stride=(1, 2, 2)), (2, 6, 9, 8), torch.float64)
wide = check.rng.choice(3, 60)
judge_layer(nn.Linear(wide, 7, bias=False), (wide,), torch.float16)
count, M, K, N = (check.rng.choice(2, 30) for _ in range(4))
product = {"kind": "product", "count": count, "M": M, "K": K, "N": N}
a, b = torch.empty(5 * count, M, K, device="meta").half(), torch.empty(5 * count, K, N, device="meta").half()
check.equal(layer_cost(product, 5, 2), costs(ledger(Product(), a, b).total), name=f"the cost of {product} at batch 5")
description, one = judge_layer(nn.Conv2d(16, 16, 3, padding=1), (16, 28, 28))
huge = {key: value * (1 if key == "parameter_bytes" else 10**15) for key, value in one.items()}
check.equal(layer_cost(description, 10**15, 4), huge, name="the cost at batch 10¹⁵")
### END HIDDEN TESTS

# %% [markdown]
# Now put every layer of all three models under the H200's roof, in float16. A layer left of the ridge waits for memory, one to the right for arithmetic. Move the slider to larger batches: weights are read once
# for all images, so layers move right. **Which model moves least, and what do its layers read that is not a weight?**

# %% look_layer_roofline
h200 = gpu("sm_90")
roof = {"name": h200.name, "flops_per_s": h200.flops_per_s, "bytes_per_s": h200.bytes_per_s}
inputs = {"CNN": (CNN, (1, 28, 28)), "3D CNN": (CNN3D, (1, 6, 16, 16)), "ViT": (ViT, (1, 28, 28))}
points = {}
for name, (make, shape) in inputs.items():
    model = make().half().to("meta").eval()
    rows = ledger(model, torch.empty(1, *shape, dtype=torch.half, device="meta")).rows
    points[name] = [
        {"layer": row.module, "flops": row.flops, "weight_bytes": row.parameter_bytes, "activation_bytes": row.read_bytes + row.written_bytes}
        for row in rows if row.flops
    ]  # fmt: skip
viz.layer_roofline(points, roof, batches=[1, 4, 16, 64, 256])

# %% [markdown]
# A layer of W weight bytes, that does F operations and moves A bytes of activations for each input, needs at batch B
#
# * B · F / peak seconds to compute, and (W + B · A) / bandwidth seconds to move.
#
# By hand: F = 100, W = 30, A = 2, peak 10 a second, bandwidth 1 a second. Computing takes 10 · B, moving 30 + 2 · B: at B = 3 it is 30 against 36, at B = 4 it is 40 against 38. So B = 4.
#
# **Your task.** `ridge_batch(flops, weight_bytes, activation_bytes, flops_per_s, bytes_per_s)` returns the smallest batch (an int from 1 up) at which computing takes at least as long as moving, or `None` if there is none. All arguments are ints, `weight_bytes` may be 0; be exact.
#
# <details><summary>Hint 1: when never?</summary>For huge B the weights do not count any more. What is left on both sides?</details>
# <details><summary>Hint 2: exact</summary>Multiply both sides with both rates: only whole numbers remain.</details>
# <details><summary>Hint 3: round up</summary><code>-(-p // q)</code></details>


# %% ridge_batch tags=["solution"]
def ridge_batch(flops, weight_bytes, activation_bytes, flops_per_s, bytes_per_s):
    ### BEGIN SOLUTION
    gain = flops * bytes_per_s - activation_bytes * flops_per_s  # what each input adds on the side of computing
    needed = weight_bytes * flops_per_s
    if gain < 0 or (needed and gain == 0):
        return None
    return max(1, -(-needed // gain)) if gain else 1
    ### END SOLUTION


# %% test_ridge_batch tags=["test", "core"] points=5 hours=0.5 covers=["commodity_hardware", "lo2"]
check.equal(ridge_batch(100, 30, 2, 10, 1), 4, name="ridge_batch(100, 30, 2, 10, 1)")
check.equal(ridge_batch(100, 30, 10, 10, 1), None, name="ridge_batch(100, 30, 10, 10, 1)")
### BEGIN HIDDEN TESTS
check.equal(ridge_batch(100, 0, 10, 10, 1), 1, name="ridge_batch(100, 0, 10, 10, 1)")
for _ in range(20):
    ends = [(50, 5000), (1, 20000), (1, 20), (20, 90), (1, 9)]
    F1, W1, A1, peak, rate = case = [check.rng.choice(*pair) for pair in ends]
    never = F1 * rate <= A1 * peak
    first = None if never else next(B for B in range(1, 10**7) if B * F1 * rate >= (W1 + B * A1) * peak)
    check.equal(ridge_batch(*case), first, name=f"ridge_batch{tuple(case)}")
big = 10**12
check.equal(ridge_batch(2 * big + 1, big, 1, 2 * big, 1), big * 2 * big, name="ridge_batch that rounding would spoil")
### END HIDDEN TESTS

# %% [markdown]
# ### What training keeps
#
# A backward pass needs numbers of the forward pass, so autograd **keeps** them. Which ones depends on the formula of the layer's gradient:
#
# | layer | keeps | because |
# |---|---|---|
# | conv, linear, gelu | its input | the gradient of the weights (of gelu: the slope) is made of it |
# | norm | its input; mean and 1/σ of each channel, float32 | its gradient has all three |
# | relu | its **output** | where it is 0, the gradient is 0 |
# | pool (max) | its input; the place of every maximum, **int64** | the gradient goes to that place |
# | flatten | nothing | it is a view |
#
# A tensor that is kept already is not kept twice: the output of a ReLU **is** the input of the convolution behind it. For the CNN in training, the ledger says:

# %% look_kept
for batch in (1, 256):
    model = CNN().to("meta")
    kept = sum(ledger(model, torch.empty(batch, 1, 28, 28, device="meta"), backward=True).saved.values())
    weights = sum(4 * p.numel() for p in model.parameters())
    print(
        f"batch {batch:3}: {kept:11,} bytes of activations kept, {weights:,} bytes of weights: {kept / weights:.1f} ×"
    )

# %% [markdown]
# **Your task.** `kept_bytes(chain, batch)` returns, for a chain of layers in training, a list of ints: the bytes that each layer is the **first** to keep. Everything is float32, the indices of a pool are int64. The chain's own input counts too, where a layer keeps it.
# `chain` is a list of dicts with `kind` (one of the table), `elements_in` and `elements_out` (of one input), and for a norm `channels`. In the chain each layer's output is the next one's input.
#
# <details><summary>Hint 1: what to remember</summary>Walk along the chain with one fact about the tensor in your hand: is it kept already?</details>
# <details><summary>Hint 2: after a flatten</summary>A view stands on the same memory: the fact stays.</details>
# <details><summary>Hint 3: what the batch does not multiply</summary>A norm's mean and 1/σ are for channels: two float32 numbers each, whatever the batch.</details>


# %% kept_bytes tags=["solution"]
def kept_bytes(chain, batch):
    ### BEGIN SOLUTION
    kept, held = [], False
    for layer in chain:
        kind, first = layer["kind"], 0
        if kind in ("conv", "linear", "gelu", "norm", "pool") and not held:
            first += 4 * batch * layer["elements_in"]
        if kind == "norm":
            first += 8 * layer["channels"]
        elif kind == "pool":
            first += 8 * batch * layer["elements_out"]
        elif kind == "relu":
            first += 4 * batch * layer["elements_out"]
        held = kind == "relu" or (kind == "flatten" and held)
        kept.append(first)
    return kept
    ### END SOLUTION


# %% chains tags=["setup"]
KINDS = {
    nn.Conv2d: "conv", nn.Linear: "linear", nn.GELU: "gelu", nn.BatchNorm2d: "norm", nn.ReLU: "relu",
    nn.MaxPool2d: "pool", nn.Flatten: "flatten",
}  # fmt: skip


def chain_of(model, x):
    """The layers of an nn.Sequential as plain dicts."""
    chain = []
    for layer in model:
        y = layer(x)
        row = {"kind": KINDS[type(layer)], "elements_in": x[0].numel(), "elements_out": y[0].numel()}
        chain.append({**row, "channels": layer.num_features} if row["kind"] == "norm" else row)
        x = y
    return chain


# %% test_kept_bytes tags=["test", "core"] points=5 hours=0.75 covers=["backpropagation", "lo1"]
def judge_kept(layers, shape, batch):
    model = nn.Sequential(*layers).to("meta")
    saved = ledger(model, torch.empty(batch, *shape, device="meta"), backward=True).saved
    chain = chain_of(model, torch.empty(2, *shape, device="meta"))
    want = [saved.get(str(place), 0) for place in range(len(layers))]
    kinds = ", ".join(row["kind"] for row in chain)
    check.equal(kept_bytes(chain, batch), want, name=f"bytes kept at batch {batch} by {kinds}")


judge_kept([nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)], (3, 16, 16), 4)
### BEGIN HIDDEN TESTS
batch = check.rng.choice(5, 20)
judge_kept(
    [nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.GELU(), nn.Flatten(), nn.Linear(600, 5)], (1, 14, 14), batch
)
judge_kept(
    [nn.Conv2d(2, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 3, 1), nn.ReLU(), nn.Flatten(), nn.Linear(75, 9)],
    (2, 12, 12),
    batch,
)
judge_kept([nn.BatchNorm2d(3), nn.GELU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(75, 9)], (3, 10, 10), batch)
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · Train under a budget
#
# An answer here is a network **and** its weights. You give the network as plain rows, so that whoever marks it can build it again, count it and test it without running any of your code:
#
# | row | meaning |
# |---|---|
# | `("conv", channels_in, channels_out, kernel, stride)` | kernel and stride: tuples of 2 or 3 ints. Padding is half a kernel, no bias |
# | `("norm", channels)` | batch norm |
# | `("relu",)` | |
# | `("pool", size)` | max pool; size: an int or a tuple |
# | `("mean",)` | mean over all places; leaves (B, channels) |
# | `("flatten",)`, `("linear", features_in, features_out)` | |


# %% build tags=["setup"]
def build(layers):
    """The network that rows describe, untrained."""
    modules, axes = [], 0
    for kind, *sizes in layers:
        if kind == "conv":
            channels_in, channels_out, kernel, stride = sizes
            axes = len(kernel)
            padding = tuple(k // 2 for k in kernel)
            convolution = {2: nn.Conv2d, 3: nn.Conv3d}[axes]
            modules.append(convolution(channels_in, channels_out, kernel, stride, padding, bias=False))
        elif kind == "norm":
            modules.append({0: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[axes](*sizes))
        elif kind == "relu":
            modules.append(nn.ReLU())
        elif kind == "pool":
            modules.append({2: nn.MaxPool2d, 3: nn.MaxPool3d}[axes](*sizes))
        elif kind == "mean":
            modules += [{2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}[axes](1), nn.Flatten()]
            axes = 0
        elif kind == "flatten":
            modules.append(nn.Flatten())
            axes = 0
        elif kind == "linear":
            modules.append(nn.Linear(*sizes))
        else:
            raise ValueError(f"build knows conv, norm, relu, pool, mean, flatten and linear; it got {kind!r}.")
    return nn.Sequential(*modules)


def rebuilt(answer, shape, most_parameters, most_flops):
    """The trained network of an answer, if it is within its budget for an input of this shape."""
    layers, state = answer
    assert type(state) is dict, f"the weights are a {type(state).__name__}; return dict(model.state_dict())."
    model = build(layers)
    parameters = sum(p.numel() for p in model.parameters())
    assert parameters <= most_parameters, f"{parameters:,} parameters, at most {most_parameters:,} are allowed."
    flops = ledger(build(layers).to("meta").eval(), torch.empty(1, *shape, device="meta")).total.flops
    assert flops <= most_flops, f"{flops:,} FLOPs for one input, at most {most_flops:,} are allowed."
    model.load_state_dict(state)
    return model.eval()


def turned(images, turn):
    """All images turned or mirrored in one of 8 ways."""
    images = images.rot90(turn % 4, (-2, -1))
    return (images if turn < 4 else images.mT).contiguous()


# %% [markdown]
# ### Digits
#
# 4000 images to train on. An MLP spends its weights on *places*: moved by two pixels, a digit meets other weights. A convolution uses the same weights everywhere. Is that worth anything at equal size?
#
# **Your task.** `train_digits(x, y)` trains a network and returns `(layers, state)`: its rows, and `dict(model.state_dict())`.
# * `x`: (N, 1, 28, 28) in [0, 1], `y`: (N,) from 0 to 9. Build with `build(layers)`; train as you like, on one core, within 30 s (the solution needs about 4).
# * At most **60,000 parameters** and **2,000,000 FLOPs** an image.
# * At least **97%** of 1000 images that you never saw are right.
#
# The check turns or mirrors all images in one way, and gives the classes other numbers: weights from elsewhere are of no use, and `x` and `y` are all that you need. (In grading your cells find no `lablib.data.mnist`.) It trains a second time if the first result falls short.
# (Mean and standard deviation of 24 runs of `benchmarks/lab02.py`: the solution 98.3 ± 0.3%, at least 97.8; an MLP of 57,000 parameters, trained in the same way, 94.9 ± 0.5%, at most 96.1. So an answer as good as the solution fails by bad luck less than once in a million times.)
#
# <details><summary>Hint 1: where the FLOPs go</summary>Two strides of 2 at the start leave a sixteenth of the places.</details>
# <details><summary>Hint 2: 4000 images are few</summary>Move each by up to two pixels, anew in every epoch: <code>torch.roll</code> of the whole batch does, if every batch moves another way.</details>
# <details><summary>Hint 3: nearly there</summary>Three times conv, norm, relu with stride 2 and 16, 32, 64 channels, flatten, linear. AdamW with <code>OneCycleLR</code> up to 0.01, batches of 50, 8 epochs.</details>


# %% train_digits tags=["solution"]
def train_digits(x, y):
    ### BEGIN SOLUTION
    layers = [
        ("conv", 1, 16, (5, 5), (2, 2)), ("norm", 16), ("relu",),
        ("conv", 16, 32, (3, 3), (2, 2)), ("norm", 32), ("relu",),
        ("conv", 32, 64, (3, 3), (2, 2)), ("norm", 64), ("relu",),
        ("flatten",), ("linear", 64 * 4 * 4, 10),
    ]  # fmt: skip
    model, epochs, batch = build(layers), 8, 50
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=epochs * -(-len(x) // batch))
    places = torch.arange(28)
    for _ in range(epochs):
        for chosen in torch.randperm(len(x)).split(batch):
            down, right = torch.randint(-2, 3, (2, len(chosen), 1))
            rows, columns = (places + down) % 28, (places + right) % 28
            each = torch.arange(len(chosen))[:, None, None]
            images = x[chosen][each, 0, rows[:, :, None], columns[:, None, :]][:, None]
            optimizer.zero_grad()
            F.cross_entropy(model(images), y[chosen], label_smoothing=0.1).backward()
            optimizer.step()
            schedule.step()
    return layers, dict(model.state_dict())
    ### END SOLUTION


# %% test_train_digits tags=["test", "core"] points=10 hours=1.25 covers=["convnets", "lo3"]
from lablib.data.mnist import mnist

digits, turn, names = mnist(), check.rng.choice(0, 8), check.rng.uniform(10).argsort().cpu()
share = 0.0
for _ in range(2):
    check.seed(check.rng.choice(0, 2**31))
    answer = train_digits(turned(digits.train_x, turn), names[digits.train_y])
    model = rebuilt(answer, (1, 28, 28), most_parameters=60_000, most_flops=2_000_000)
    share = max(share, accuracy(model, turned(digits.test_x, turn), names[digits.test_y]))
    if share >= 0.97:
        break
assert share >= 0.97, f"{share:.1%} of the held-out digits are right, expected at least 97%."

# %% [markdown]
# ### Clips
#
# In `moving_digits` a digit moves left or right. Every clip is there twice: forwards under one class, backwards under the other. So the **same frames** stand under both classes, and only their order tells.
# That is a dataset with a built-in *negative control*: a network that ignores the order is right half of the time, whatever its size.
#
# Here is a short clip, four frames side by side. Read it from left to right, then from right to left:

# %% look_clip
clips = moving_digits(train=2, test=2, frames=4)
for row in clips.train_x[0, 0].permute(1, 0, 2):
    if row.any():
        print(" | ".join("".join(" ▒█"[int(2 * pixel + 0.5)] for pixel in frame) for frame in row))

# %% [markdown]
# **Your task.** `train_clips(x, y)` returns `(layers, state)` as above.
# * `x`: (N, 1, 6, 16, 16), `y`: (N,), 0 or 1. In the check digits move up or down, and the classes may be swapped.
# * At most **5,000 parameters** and **2,000,000 FLOPs** for a clip of 6 frames; within 30 s on one core (the solution needs about 1).
# * At least **95%** right on clips of held-out digits, **with 6 frames, and with 4 and 9**, on which it was not trained.
#
# <details><summary>Hint 1: other lengths</summary>Which rows of the table work for any number of frames?</details>
# <details><summary>Hint 2: which way</summary>One filter that reaches over three frames can tell left from right. How does its answer get to the classes, wherever the digit is?</details>
# <details><summary>Hint 3: nearly there</summary>Twice a 3D conv (3, 3, 3) with stride (1, 2, 2), norm, relu; 8 and 16 channels; mean; linear. 6 epochs of batches of 32.</details>


# %% train_clips tags=["solution"]
def train_clips(x, y):
    ### BEGIN SOLUTION
    layers = [
        ("conv", 1, 8, (3, 3, 3), (1, 2, 2)), ("norm", 8), ("relu",),
        ("conv", 8, 16, (3, 3, 3), (1, 2, 2)), ("norm", 16), ("relu",),
        ("mean",), ("linear", 16, 2),
    ]  # fmt: skip
    model, epochs, batch = build(layers), 6, 32
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=epochs * -(-len(x) // batch))
    for _ in range(epochs):
        for chosen in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            F.cross_entropy(model(x[chosen]), y[chosen]).backward()
            optimizer.step()
            schedule.step()
    return layers, dict(model.state_dict())
    ### END SOLUTION


# %% test_train_clips tags=["test", "core"] points=10 hours=1.0 covers=["cnn3d", "lo1"]
draw, swapped = check.rng.choice(0, 1000), check.rng.choice(0, 2)
clips = moving_digits(train=512, test=256, seed=draw)
check.seed(check.rng.choice(0, 2**31))
answer = train_clips(clips.train_x.mT.contiguous(), clips.train_y ^ swapped)
network = rebuilt(answer, (1, 6, 16, 16), most_parameters=5_000, most_flops=2_000_000)
for frames in (6, 4, 9):
    shown = clips if frames == 6 else moving_digits(train=2, test=256, frames=frames, seed=draw + 1)
    share = accuracy(network, shown.test_x.mT.contiguous(), shown.test_y ^ swapped)
    assert share >= 0.95, f"{share:.1%} of the clips of {frames} frames are right, expected at least 95%."

# %% [markdown]
# Is it really the motion? Take it away, and train again. Averaged frames hold every place that the digit was at, but no order; shuffled frames hold an order that means nothing. Both must end near 50%. If one did not, something
# other than motion would give the class away. (About 3 s. In 8 runs averaged frames ended at 50% exactly (can you say why?), shuffled ones between 48 and 51%.)


# %% look_controls
def averaged(clips):
    return clips.mean(dim=2, keepdim=True).expand_as(clips)


def shuffled(clips):
    order = torch.rand(len(clips), clips.shape[2]).argsort(dim=1)
    return clips[torch.arange(len(clips))[:, None], 0, order][:, None]


clips, clips_right = moving_digits(train=512, test=512), {}
for name, change in {"as they are": lambda x: x, "averaged": averaged, "shuffled": shuffled}.items():
    layers, state = train_clips(change(clips.train_x), clips.train_y)
    model = build(layers)
    model.load_state_dict(state)
    clips_right[name] = accuracy(model, change(clips.test_x), clips.test_y)
    print(f"frames {name:12} {clips_right[name]:.1%} of 512 held-out clips are right")

# %% [markdown]
# ## 6 · Diagnose from counters (stretch)
#
# A network runs twice as long as it should, and gives right answers. You have no debugger, only the ledger: what one run cost, beside what the layers' shapes say that it should cost. Here are five runs of one network on the same images.


# %% counters tags=["setup"]
class Copied(nn.Module):
    """Hands a copy on, laid out anew."""

    def forward(self, x):
        return x.to(memory_format=torch.channels_last).contiguous(memory_format=torch.contiguous_format)


def network_of(widths, last_stride=2, copies=False):
    layers, channels = [], 1
    for place, width in enumerate(widths, 1):
        stride = last_stride if place == len(widths) else 2
        layers += [nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [Copied()] if copies and place == 1 else []
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)).eval()


def counters(model, batch, dtype=torch.float32, graph=False):
    """What a run for inference cost: FLOPs, bytes of weights and of activations moved, bytes kept for a backward pass."""
    x = torch.empty(batch, 1, 32, 32, dtype=dtype, device="meta")
    found = ledger(model.to("meta", dtype), x, backward=graph)
    rows = [row for row in found.rows if not row.backward]
    return {
        "flops": sum(row.flops for row in rows),
        "parameter_bytes": sum(row.parameter_bytes for row in rows),
        "activation_bytes": sum(row.read_bytes + row.written_bytes for row in rows),
        "kept_bytes": sum(found.saved.values()),
    }


def faulty_runs(widths, batch):
    """A plan, and runs by fault."""
    plan = counters(network_of(widths), batch)
    return plan, {
        "healthy": counters(network_of(widths), batch),
        "stride lost": counters(network_of(widths, last_stride=1), batch),
        "wide numbers": counters(network_of(widths), batch, dtype=torch.float64),
        "copies": counters(network_of(widths, copies=True), batch),
        "graph kept": counters(network_of(widths), batch, graph=True),
    }


# %% look_counters
plan, runs = faulty_runs((16, 32), batch=8)
table = {"plan": plan, **dict(zip("ABCDE", (runs[name] for name in sorted(runs)), strict=True))}
print(" " * 16, *(f"{name:>11}" for name in table))
for counter in plan:
    print(f"{counter:16}", *(f"{column[counter]:11,}" for column in table.values()))

# %% [markdown]
# **Your task.** `diagnose(seen, plan)` takes the counters of a run and those of the plan, two dicts as above, and returns one of
# * `"stride lost"`: a layer does not skip places as planned;
# * `"wide numbers"`: it computes in float64 what was planned in float32;
# * `"copies"`: tensors are written again without need, in another layout;
# * `"graph kept"`: inference runs as if a backward pass were to come;
# * `"healthy"`.
#
# There is at most one fault. Other runs have other networks and batches.
#
# <details><summary>Hint 1: what a fault leaves alone</summary>All but one of the faults change the bytes of activations. Which counter does only one of them change?</details>
# <details><summary>Hint 2: arithmetic</summary>Only one fault makes the network compute more. Only one makes its weights larger.</details>
# <details><summary>Hint 3: the rest</summary>Ask for copies last.</details>


# %% diagnose tags=["solution"]
def diagnose(seen, plan):
    ### BEGIN SOLUTION
    if seen["kept_bytes"] > plan["kept_bytes"]:
        return "graph kept"
    if seen["flops"] > plan["flops"]:
        return "stride lost"
    if seen["parameter_bytes"] > plan["parameter_bytes"]:
        return "wide numbers"
    if seen["activation_bytes"] > plan["activation_bytes"]:
        return "copies"
    return "healthy"
    ### END SOLUTION


# %% test_diagnose tags=["test", "stretch"] points=5 hours=0.75 covers=["convnets", "lo1"]
expected_plan, visible = faulty_runs((16, 32), batch=8)
diagnoses = {name: diagnose(seen, expected_plan) for name, seen in visible.items()}
check.equal(diagnoses, {name: name for name in visible}, name="your diagnoses")
### BEGIN HIDDEN TESTS
for widths in ((check.rng.choice(4, 40),), (16, check.rng.choice(20, 200), 8), (2, 3, 4)):
    expected_plan, hidden = faulty_runs(widths, batch=check.rng.choice(1, 70))
    for fault, seen in hidden.items():
        check.equal(diagnose(seen, expected_plan), fault, name=f"the diagnosis of a network of {widths} channels")
### END HIDDEN TESTS

# %% [markdown]
# ## Measure and explain
#
# Back to the opening question. How much does a larger batch gain? Predict, with your own functions: for the CNN in float16, how many times less time does **one image** take on an H200 in a batch of 256 than alone?
# Take each convolution and linear layer to need the longer of computing and moving. The cell keeps your first answer. (To start over, delete `predictions.json` beside this notebook.)


# %% lock_prediction
def image_seconds(layers, batch):
    seconds = 0.0
    for layer in layers:
        cost = layer_cost(layer, batch, itemsize=2)
        moved = cost["parameter_bytes"] + cost["read_bytes"] + cost["written_bytes"]
        seconds += max(cost["flops"] / h200.flops_per_s, moved / h200.bytes_per_s)
    return seconds / batch


with_products = [row for row in describe(CNN().eval(), torch.zeros(1, 1, 28, 28)) if row["kind"] != "relu"]
predicted = image_seconds(with_products, 1) / image_seconds(with_products, 256)
predicted = check.lock("time of an image, batch 1 over batch 256", predicted)

# %% [markdown]
# Now the ledger, with **every** operation that PyTorch runs; and then a clock, on this machine. (About 2 s. No check looks at the clock.)

# %% look_batches
import statistics
import time

for name, (make, shape) in inputs.items():
    model, each = make().half().to("meta").eval(), {}
    for batch in (1, 256):
        found = ledger(model, torch.empty(batch, *shape, dtype=torch.half, device="meta"))
        each[batch] = found.seconds(h200.flops_per_s, h200.bytes_per_s) / batch
        if batch == 256:
            products = sum(row.bytes for row in found.rows if row.flops) / found.total.bytes
    print(
        f"{name:6} alone {1e9 * each[1]:4.0f} ns, in 256 {1e9 * each[256]:4.0f} ns: {each[1] / each[256]:.2f} ×; products move {products:.0%} of the bytes"
    )
print(f"You predicted {predicted:.2f} × for the CNN.\n")

model, clock = CNN().eval(), {}
with torch.no_grad():
    for batch in (1, 256):
        x, times = torch.rand(batch, 1, 28, 28), []
        for _ in range(12):
            start = time.perf_counter()
            model(x)
            times.append(time.perf_counter() - start)
        clock[batch] = statistics.median(times[2:]) / batch
operations = len(ledger(CNN().to("meta").eval(), torch.empty(1, 1, 28, 28, device="meta")).rows)
print(
    f"This machine: alone {1e6 * clock[1]:.0f} µs, in 256 {1e6 * clock[256]:.0f} µs an image: {clock[1] / clock[256]:.1f} ×, with {operations} operations a pass"
)

# %% [markdown]
# **Explain** (in at most 200 words, in the cell below). You have three ratios for the CNN: your prediction, the ledger's, and the clock's.
# 1. Why does the ledger's gain fall short of your prediction? Name the operations that you left out, and say which of the two parts of their time a batch could shorten. Use one number that the cells print.
# 2. The work of an image takes this machine about as long alone as in a batch; what comes on top is the time to *start* operations. How long does it take to start one? Suppose that an H200 takes as
#    long. What then sets the time of one image, which by the bound needs about 80 ns? And is the real gain of a batch of 256 smaller or larger than both ratios?
# 3. Which single change to the program (not to the hardware) would bring the ledger's ratio nearer to your prediction, and why?

# %% explain_batch [markdown] tags=["manual", "core"] points=10 hours=0.75 covers=["convnets", "lo2", "lo3"]
# ### BEGIN SOLUTION
# 1. I counted only products. Norms, ReLUs, additions and the mean do no products, and read almost no weights: they move activations, and these grow with the batch. A batch only shares the reading of weights, so
#    nothing of their time can be shared. At batch 256 products move only 29% of the CNN's bytes; the other 71% take as long an image as before. So 2.3 × becomes 1.4 ×.
# 2. Here one image took 457 µs alone and 261 µs in the batch. The difference, 196 µs, is spread over 30 operations: 6.5 µs to start each. On an H200 the same 196 µs would be more than two thousand times the 80 ns
#    of the bound: one image waits for launches, not for memory. A batch of 256 starts the same 30 operations once, 0.8 µs an image, so the real gain is much larger than both ratios, about
#    196 / (0.8 + 0.06) = 230 ×: launches still take most of the time.
# 3. Fuse each norm (in inference: fold it into the convolution's weights), ReLU and addition into the product before it, as an epilogue. Then their tensors are not written and read again, the products move nearly all
#    bytes, and what the batch shares, the weights, is a larger part of the whole.
# ### END SOLUTION

# %% rubric_explain_batch [markdown] tags=["rubric"]
# **10 points.**
# * 4: the ledger counts operations without products (norm, ReLU, addition, mean; 1 for naming them), whose traffic is activations and grows with the batch, so that sharing weights gains nothing there (2); a number from the cells, such as 29% of the bytes (1).
# * 3: the time to start one operation from the clock's two numbers and the count of operations (1; their own numbers, any machine); launches set the time of one image on the GPU, hundreds of times the bound or more (1); a batch shares them, so the real gain is larger than both ratios (1).
# * 3: fusing or folding norm and ReLU into the products (or a compiler that does; 2), because their activations then make no trip to memory (1). "A larger batch" or "a faster GPU" earns nothing.

# %% record_figures
from lablib.ledger import record

# Your figures are kept in labs/ledger.json: lab18 fills the tables of its claims and its essay from there.
record("lab02_vision_models", {
    "cnn_batch_256_time_ratio": lambda: clock[1] / clock[256],
    "cnn_batch_256_time_ratio_h200_bound": lambda: predicted,
    "clips_right_share": lambda: clips_right["as they are"],
    "clips_averaged_right_share": lambda: clips_right["averaged"],
})  # fmt: skip

# %% [markdown]
# ## What to take along
#
# * A convolution, a patch embedding and a linear layer are one thing: a view, perhaps a copy, and a matrix product.
# * Count three things of a layer: operations, weights, activations. A batch shares only the weights.
# * Operations without products cost no FLOPs, and in small networks they move most of the bytes.
# * A result needs a control that must fail. Averaged frames at 50% say more than ordered frames at 100%.
#
# **Next:** lab03 asks the same of language models, where one token at a time makes the weights the whole traffic. lab05 folds norms into convolutions by itself; lab11 measures your machine's own roofs.
#
# **Sources**
# * Chellapilla, Puri, Simard: *High performance convolutional neural networks for document processing*, IWFHR 2006. Convolution as one matrix product.
# * Chetlur et al.: *cuDNN: efficient primitives for deep learning*, arXiv:1410.0759, 2014. The copy made tile by tile.
# * Tran et al.: *Learning spatiotemporal features with 3D convolutional networks*, arXiv:1412.0767, 2014; *A closer look at spatiotemporal convolutions for action recognition*, arXiv:1711.11248, 2017, for (2+1)D and its width.
# * Dosovitskiy et al.: *An image is worth 16x16 words*, arXiv:2010.11929, 2020. ViT.
# * Wang, Komatsuzaki: *GPT-J-6B*, 2021, and Dehghani et al.: *Scaling vision transformers to 22 billion parameters*, arXiv:2302.05442. Blocks in parallel.
# * Luo, Li, Urtasun, Zemel: *Understanding the effective receptive field in deep convolutional neural networks*, arXiv:1701.04128, 2017. Why its middle counts most.
# * Williams, Waterman, Patterson: *Roofline: an insightful visual performance model*, CACM 52(4), 2009.
# * NVIDIA: *H200 Tensor Core GPU datasheet*. 989 TFLOP/s, 4.8 TB/s.
# * Data: MNIST (LeCun et al., 1998), digits of 8 × 8 (Alpaydin and Kaynak, UCI, 1998); `lablib/data/README.md` has licences.
