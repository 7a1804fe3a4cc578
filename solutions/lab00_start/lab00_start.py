# %% [markdown]
# # Lab 00 · The machine, the notebook, the checker
#
# One step of `a * x + y` moves 12 bytes. While 12 bytes move, the matrix units of an H200 could do 2,472
# operations; the step needs 2. (A cell below works this out.) So the arithmetic is nearly free, and **what a
# program costs is mostly what it moves**. That sentence runs through all of these labs. Today you meet it in
# one kernel of ten lines.
#
# **When you are done, you can**
#
# 1. say what your machine offers, and what to do where something is missing;
# 2. read what a check tells you, and mend the code from it;
# 3. work out where the elements of a PyTorch view lie in memory;
# 4. write a Triton kernel with programs, lanes, a mask and strides, and count the bytes that it moves;
# 5. find that kernel's loads in GPU machine code, on a machine without a GPU.
#
# **Time** about 30 minutes; 75 when everything is new. **Marks** 10 points that show you how marks look; they
# do not count. **Cost** two cores and no GPU; the longest cell takes 5 to 10 seconds, the first time. With a
# GPU the same cells use it.
#
# <details><summary><b>Where do you come from?</b> What you may skip</summary>
#
# - *I write CUDA.* Skim 3, then use the table of words in 4. Its exercise takes you five minutes.
# - *I use PyTorch, but wrote no kernel yet.* Try the two exercises of 3 first; read the text only where one
#   fails.
# - *Both are new.* Read everything in order, and open each fold marked *New to this?*
# </details>

# %% setup tags=["setup"]
import lablib

lablib.require("0.1")

from lablib import device  # isort: skip  (before triton: it decides whether kernels are interpreted)

import torch
import triton
import triton.language as tl

from lablib import check, doctor, viz

device.seed(0)

# %% [markdown]
# Press **Shift + Enter** in every cell, from top to bottom. The one above takes about 3 seconds: it loads
# PyTorch and Triton.
#
# ## 1 · Your machine
#
# The labs ask the *doctor* what there is. Let us read its report.

# %% look_machine
from IPython.display import Markdown

needed = ("cores", "memory", "python", "torch", "triton", "gpu", "ptxas", "cuobjdump")
lines = [device.describe(), "", "| | part | found, or what its absence costs |", "|:-:|:--|:--|"]
for part in (found for found in doctor.report() if found.name in needed):
    text = part.detail if part.found else f"{part.detail}. Without it: {part.cost}."
    cure = f" Cure: {part.cure}" if part.cure else ""
    lines.append(f"| {'✓' if part.found else '○'} | **{part.name}** | {text}{cure} |")
Markdown("\n".join(lines))

# %% [markdown]
# A **✓** is there and works. A **○** is missing: the row says what you lose and, where there is a cure, what
# to do. No *gpu* is normal on a laptop: kernels then run in Triton's **interpreter**, slowly, with the same
# results. (It takes a few kernels that the compiler would refuse; the checks look for those.) Later labs use
# more tools: `python -m lablib.doctor` in a terminal shows all of them.
#
# ## 2 · How a lab works
#
# | cell | what you do with it |
# |---|---|
# | the setup cell | Run it first. It is locked. |
# | a cell that shows something | Run it, change it, run it again. Nobody marks it. |
# | **your cell**: `raise NotImplementedError` | Replace that line. *Your task* lists what is marked. |
# | **the check** below it | Run it. Silence means that it passed. It is locked. |
# | **Explain.** | Double-click and write. A person reads it. |
#
# Marking runs the checks that you see and some that you do not. Hidden checks ask for nothing that *Your
# task* leaves out; they ask it with other numbers and shapes. The **Validate** button above the notebook runs
# all visible checks in a fresh Python, so it also finds a cell that worked only because of one that you have
# deleted. An error prints many lines: **read the last one first**.
#
# ### A wrong answer, on purpose
#
# This function should subtract from each row the mean of that row. It runs. Its result has the right shape.


# %% look_message
def centre_wrongly(x):
    return x - x.mean(dim=1)


x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
wanted = torch.tensor([[-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]])
try:
    check.close(centre_wrongly(x), wanted, name="centre_wrongly(x)")
except AssertionError as message:
    print("The check says:", message)
print(centre_wrongly(x))

# %% [markdown]
# A check tells you **what it looked at, where the first difference is, what it got, and what it expected**.
# Read it slowly once: *6 of 9* are wrong, so 3 are right. Find those 3 in the printed tensor. What do their
# places have in common?
#
# **Your task.** `centre_rows(x)`: x is float32 or float64 of any shape (M, N). Return a tensor of the same
# shape and dtype in which each row has its own mean subtracted.
#
# <details><summary>Hint 1: the pattern</summary>Only the diagonal is right. So what was subtracted from
# column 1?</details>
# <details><summary>Hint 2: the shape of the mean</summary>
# <code>x.mean(dim=1)</code> has shape (3,). PyTorch lines shapes up from the <b>last</b> axis, so it meets
# the columns.
# </details>
# <details><summary>Hint 3: nearly there</summary>
# A mean of shape (M, 1) meets the rows. Look up <code>keepdim</code> in the documentation of
# <code>torch.mean</code>.
# </details>


# %% centre_rows tags=["solution"]
def centre_rows(x):
    ### BEGIN SOLUTION
    return x - x.mean(dim=1, keepdim=True)
    ### END SOLUTION


# %% test_centre_rows tags=["test", "core"] points=2 hours=0.05
rows = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 9.0]])
check.close(centre_rows(rows), torch.tensor([[-1.0, 0.0, 1.0], [-2.0, -1.0, 3.0]]), name="centre_rows(rows)")
### BEGIN HIDDEN TESTS
for shape in [(7, 7), (1, 9), (9, 1), (33, 5)]:
    for kind in (torch.float32, torch.float64):
        rows = check.rng.normal(*shape, dtype=kind) + 3
        centred = rows - rows.mean(dim=1, keepdim=True)
        check.close(centre_rows(rows), centred, name=f"centre_rows of {shape} {kind}")
### END HIDDEN TESTS

# %% [markdown]
# **A square test hides a wrong axis.** With 2 rows of 3 the broken function cannot even run. That is why the
# checks use odd shapes, and why yours should.
#
# ## 3 · PyTorch in ten minutes
#
# Memory is one long line of numbers. A tensor is a way to walk along it: where to start (**offset**), how
# many steps on each axis (**shape**), and how far one step goes (**strides**, in elements).
#
# ```text
# memory              0   1   2   3   4   5   6   7   8   9  10  11
#
# x          (3, 4)   0   1   2   3 | 4   5   6   7 | 8   9  10  11
#            from 0; next row +4, next column +1
#
# x[1:, ::2] (2, 2)                   4       6     | 8      10
#            from 4; next row +4, next column +2
# ```
#
# Nothing was copied in the second line. A tensor whose rows stand one after another without gaps, as those of
# `x` do, is **contiguous**: shape (M, N) then has strides (N, 1). (*dtype* below is the kind of number:
# float32 has 4 bytes.) Which of these share the memory of `x`? Decide before you run the cell.

# %% look_views
x = torch.arange(12.0).reshape(3, 4)
views = {
    "x": x,
    "x.T": x.T,
    "x[1:, ::2]": x[1:, ::2],
    "x[0].expand(3, 4)": x[0].expand(3, 4),
    "x.T.contiguous()": x.T.contiguous(),
    "x.to(torch.float16)": x.to(torch.float16),
}
print(f"{'':20} {'shape':8} {'strides':8} offset  contiguous  numel x itemsize = nbytes  memory of x")
for name, v in views.items():
    shared = v.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    print(
        f"{name:20} {tuple(v.shape)!s:8} {v.stride()!s:8} {v.storage_offset():6}  {v.is_contiguous()!s:10} "
        f"{v.numel():6} x {v.itemsize:8} = {v.nbytes:6}  {'shared' if shared else 'a copy'}"
    )

# %% [markdown]
# Look at `expand`: 12 elements and 48 bytes, says PyTorch, but a stride of 0. Three rows stand on the same
# four numbers. `nbytes` counts the elements of the *view*; it does not say how much memory they stand on.
#
# <details><summary><b>New to this?</b> Types, devices, broadcasting, gradients</summary>
#
# - **dtype** is the kind of number: float32 has 4 bytes (its <i>itemsize</i>), float16 and bfloat16 have 2,
#   int64 has 8.
# - **device** is where the memory is: <code>cpu</code> or <code>cuda</code>. Both operands must be on the
#   same one.
# - **Broadcasting** lines shapes up from the last axis; an axis of length 1 gets stride 0 and is walked again
#   and again.
# - **View or copy:** slices, <code>.T</code> and <code>expand</code> are views. A write to a view is seen in
#   the original.
# - **Autograd** writes the operations down on the way forward and walks them backwards. See the next cell.
# </details>

# %% look_gradient
x = torch.zeros(3, 2)
bias = torch.tensor([10.0, 20.0], requires_grad=True)  # shape (2,): it meets the columns
y = x + bias  # each bias is used in 3 rows ...
y.sum().backward()
print(f"y = {y.tolist()}")
print(f"d(sum of y) / d(bias) = {bias.grad.tolist()}")  # ... so its gradient is a sum of 3 ones

# %% [markdown]
# **What is broadcast on the way forward is summed on the way back.** You will meet this again in every
# backward kernel.
#
# ### Where is a view?
#
# **Your task.** `transposed_slice(M, N, a, b, c, d, step)`: x is a contiguous tensor of shape (M, N). Return
# `(shape, strides, offset)` of the view `x[a:b, c:d:step].T`: two tuples of two ints, and an int, all in
# elements. Here 0 ≤ a < b ≤ M, 0 ≤ c < d ≤ N and step ≥ 1. M and N go up to 2⁴⁰, so work with the numbers: no
# machine can make that tensor, and PyTorch refuses to pretend.
#
# <details><summary>Hint 1: before the transposition</summary>Draw <code>x[1:3, 0:4:2]</code> in the picture
# above. How far is it from one row to the next? Does that depend on how many columns the slice
# keeps?</details>
# <details><summary>Hint 2: how many columns</summary>From c in steps of <code>step</code>, staying below d:
# round (d - c) / step <b>up</b>. With whole numbers: <code>-(-p // q)</code>.</details>
# <details><summary>Hint 3: nearly there</summary><code>.T</code> swaps the two shapes and the two strides.
# The first element stays where it was: x[a, c].</details>


# %% transposed_slice tags=["solution"]
def transposed_slice(M, N, a, b, c, d, step):
    ### BEGIN SOLUTION
    columns = -(-(d - c) // step)
    return (columns, b - a), (step, N), a * N + c
    ### END SOLUTION


# %% test_transposed_slice tags=["test", "core"] points=2 hours=0.1
view = torch.empty(3, 4)[1:3, 0:4:3].T
expected = (tuple(view.shape), view.stride(), view.storage_offset())
check.equal(transposed_slice(3, 4, 1, 3, 0, 4, 3), expected, name="transposed_slice(3, 4, 1, 3, 0, 4, 3)")
### BEGIN HIDDEN TESTS
for _ in range(20):
    M, N, step = check.rng.choice(1, 40), check.rng.choice(1, 40), check.rng.choice(1, 6)
    a, c = check.rng.choice(0, M), check.rng.choice(0, N)
    b, d = check.rng.choice(a + 1, M + 1), check.rng.choice(c + 1, N + 1)
    view = torch.empty(M, N)[a:b, c:d:step].T
    expected = (tuple(view.shape), view.stride(), view.storage_offset())
    call = f"transposed_slice({M}, {N}, {a}, {b}, {c}, {d}, {step})"
    check.equal(transposed_slice(M, N, a, b, c, d, step), expected, name=call)
M = N = 2**40
expected = (((N - 5 + 2) // 3, 9), (3, N), 7 * N + 5)
check.equal(transposed_slice(M, N, 7, 16, 5, N, 3), expected, name="transposed_slice of a huge matrix")
### END HIDDEN TESTS

# %% [markdown]
# ### How much memory does it stand on?
#
# Take five numbers, `0 1 2 3 4`, and windows of 3 over them: `[[0, 1, 2], [1, 2, 3], [2, 3, 4]]`. As a view,
# that is shape (3, 3) with strides (1, 1): 9 elements on 5 places. A convolution can look at its input in
# this way.
#
# **Your task.** `distinct_bytes(x)`: return, as an int, how many bytes of memory the elements of x occupy,
# where a place that several elements share counts once. x has 1 to 10,000 elements, any dtype, any number of
# axes, and may be a slice, transposed, expanded, or windows that overlap (`x.unfold`).
#
# <details><summary>Hint 1: what does not help</summary><code>x.nbytes</code> counts shared places again and
# again. The storage also holds what a slice left out. And equal <i>values</i> may well stand in different
# places.</details>
# <details><summary>Hint 2: the place of one element</summary>Element [i, j] is at i · stride₀ + j · stride₁,
# counted from the first.</details>
# <details><summary>Hint 3: nearly there</summary>Build a tensor of all the places by broadcasting: for each
# axis add <code>torch.arange(size) * stride</code> along a new last axis. Then count the different
# ones.</details>


# %% distinct_bytes tags=["solution"]
def distinct_bytes(x):
    ### BEGIN SOLUTION
    places = torch.zeros((), dtype=torch.int64)
    for size, stride in zip(x.shape, x.stride(), strict=True):
        places = places[..., None] + torch.arange(size) * stride
    return places.unique().numel() * x.element_size()
    ### END SOLUTION


# %% test_distinct_bytes tags=["test", "core"] points=2 hours=0.1
base = torch.zeros(3, 4)
check.equal(distinct_bytes(base[0].expand(3, 4)), 16, name="distinct_bytes(base[0].expand(3, 4))")
check.equal(distinct_bytes(torch.zeros(5).unfold(0, 3, 1)), 20, name="distinct_bytes of 3 windows of 3")
check.equal(distinct_bytes(base[:, ::2]), 24, name="distinct_bytes(base[:, ::2])")
### BEGIN HIDDEN TESTS
for dtype in (torch.float16, torch.float32, torch.int64):
    height, width = check.rng.choice(3, 9), check.rng.choice(5, 12)
    base = torch.zeros(height, width, dtype=dtype)
    for name, places, seen in [
        ("a transposed slice", (height - 1) * ((width + 1) // 2), base[1:, ::2].T),
        ("an expanded column", height, base[:, None, :1].expand(height, 6, 7)),
        ("windows of 4, 3 apart", height * ((width - 4) // 3 * 3 + 4), base.unfold(1, 4, 3)),
        ("one element", 1, base[0, 0]),
    ]:
        check.equal(distinct_bytes(seen), places * base.itemsize, name=f"distinct_bytes of {name}, {dtype}")
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · Your first kernel
#
# The operation is `a * x + y`, known as AXPY since the first BLAS of 1979. What does an H200 pay for one
# element of it?
#
# <details><summary><b>New to this?</b> What a GPU is</summary>
#
# Think of a GPU as a hall of small workshops beside one large store. An H200 has 132 workshops, called
# *streaming multiprocessors* (SMs), and a store of 141 GB. A workshop has 2,048 hands (*threads*) and only a
# small shelf: what it works on must be fetched from the store, and what it makes must go back.
#
# The road to the store carries 4.8 TB a second. That is a lot, and still far too little: in the same second
# the workshops can do 989 · 10¹² operations on matrices. So a fast GPU program is above all one that makes
# few trips. A **kernel** is the list of instructions that all workshops follow, each on its own piece of the
# data.
# </details>

# %% look_balance
from lablib.gpu.specs import gpu

h200 = gpu("sm_90")
moved = 4 + 4 + 4  # bytes: load x, load y, store the result, in float32
meanwhile = moved / h200.bytes_per_s * h200.flops_per_s
print(f"{h200.name}: {h200.sms} SMs, {h200.bytes_per_s / 1e12} TB/s, {h200.flops_per_s / 1e12:.0f} TFLOP/s")
print(f"While {moved} bytes move, the matrix units could do {meanwhile:,.0f} operations. AXPY needs 2.")

# %% [markdown]
# A **pointer** is the address of a tensor's first element; pointer + i is the address of the element i places
# on. A Triton kernel is written for one **program**. The launch starts many of them: the **grid**. Each program
# takes `BLOCK` elements, one to a **lane**, and handles all its lanes at once. Ten elements do not divide
# into blocks of 4, so the last program has lanes that must keep still: they are **masked** off. Move the
# slider. Which size wastes the least? Which needs the fewest programs?

# %% look_programs
viz.program_grid(10, block=4, blocks=[2, 8, 16])

# %% [markdown]
# Here is a whole kernel. It doubles a vector.
#
# <details><summary><b>You know CUDA?</b> The same things by other names</summary>
#
# | CUDA | Triton |
# |:--|:--|
# | thread block, `blockIdx.x` | program, `tl.program_id(0)` |
# | `threadIdx.x`, one value a thread | lanes of `tl.arange(0, BLOCK)`, all in one tensor |
# | lane: 1 of the 32 threads of a warp | lane: one element of a program's block, any number of them |
# | `blockDim.x` | 32 `num_warps`; with a larger `BLOCK` a thread holds several lanes |
# | `if (i < n)` | `mask=i < n` |
# | registers and `__shared__` memory | the compiler chooses |
# | `__syncthreads()` | the compiler inserts it |
# </details>


# %% look_double
@triton.jit
def _double_kernel(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)  # the elements of this program, one a lane
    inside = i < n  # False in the lanes past the end
    x = tl.load(x_ptr + i, mask=inside)  # the address of x[0], plus i: one address a lane
    tl.store(out_ptr + i, 2 * x, mask=inside)


def double(x, BLOCK=4):
    n = x.numel()
    out = torch.empty_like(x)
    _double_kernel[(triton.cdiv(n, BLOCK),)](x, out, n, BLOCK=BLOCK)  # cdiv divides and rounds up
    return out


double(torch.arange(10.0, device=device.DEVICE))

# %% [markdown]
# `BLOCK` is a `tl.constexpr`: known when the kernel is compiled. `tl.arange` wants a power of 2. The rest is
# known at the launch.
#
# Every access was noted. Step through the programs: what does each load and store? Memory moves in pieces of 32
# bytes, called **sectors**. A cross is an element that came along unasked; we return to it below.

# %% look_memory
from lablib.gpu.trace import trace

viz.memory_map(trace(double, torch.arange(10.0, device=device.DEVICE)))

# %% [markdown]
# **Your task.** `axpy(a, x, y, BLOCK=512)`: `a * x + y` for a float a and two float32 vectors x and y of the
# same length n ≥ 1. **Their strides may be any positive numbers**, and differ: x may be a column of a matrix.
# Return a new vector. One launch, of one program for every `BLOCK` elements; the last may be partly masked.
# Every element is loaded once and stored once. All arithmetic is in the kernel. Two places are yours: the
# kernel's body, and `programs`, how many to launch.
#
# Predict first: what would `_double_kernel` read if it were given a column?
#
# <details><summary>Hint 1: how many programs?</summary>Enough for all n elements. <code>n // BLOCK</code>
# forgets the last block; <code>double</code> above does not.</details>
# <details><summary>Hint 2: where is x[i]?</summary>You answered that in section 3. A pointer counts in
# elements, as a stride does. The result is contiguous, whatever x and y are.</details>
# <details><summary>Hint 3: nearly there</summary>program_id → i → mask → load x at i · x_stride → load y at i
# · y_stride → store at i.</details>


# %% axpy tags=["solution"]
@triton.jit
def _axpy_kernel(a, x_ptr, y_ptr, out_ptr, x_stride, y_stride, n, BLOCK: tl.constexpr):
    ### BEGIN SOLUTION
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    x = tl.load(x_ptr + i * x_stride, mask=inside)
    y = tl.load(y_ptr + i * y_stride, mask=inside)
    tl.store(out_ptr + i, a * x + y, mask=inside)
    ### END SOLUTION


def axpy(a, x, y, BLOCK=512):
    n = x.numel()
    out = torch.empty(n, dtype=x.dtype, device=x.device)
    ### BEGIN SOLUTION
    programs = triton.cdiv(n, BLOCK)
    ### END SOLUTION
    _axpy_kernel[(programs,)](a, x, y, out, x.stride(0), y.stride(0), n, BLOCK=BLOCK)
    return out


# %% test_axpy tags=["test", "core"] points=2 hours=0.15
x, y = check.rng.normal(1000), check.rng.normal(1000)
got = check.traffic(axpy, 3.0, x, y, loads=x.nbytes + y.nbytes, stores=x.nbytes, launches=1, programs=2)
check.close(got, 3.0 * x + y, name="axpy(3.0, x, y)")
check.close(axpy(2.0, x[:1], y[:1]), 2.0 * x[:1] + y[:1], name="axpy of one element")
column, y = check.rng.normal(1000, 3)[:, 1], check.rng.normal(2000)[::2]
got = check.traffic(axpy, -0.5, column, y, loads=column.nbytes + y.nbytes, stores=y.nbytes)
check.close(got, -0.5 * column + y, name="axpy of a column and every second element")
### BEGIN HIDDEN TESTS
for n, BLOCK in [(2, 512), (511, 512), (512, 512), (513, 512), (100, 16)]:
    x = check.rng.normal(n, check.rng.choice(2, 6))[:, 1]
    y = check.rng.normal(n * 7)[::7]
    for one, other in [(x, y), (y, x)]:
        got = check.traffic(
            axpy, 1.5, one, other, BLOCK=BLOCK,
            loads=one.nbytes + other.nbytes, stores=4 * n, launches=1, programs=-(-n // BLOCK),
        )  # fmt: skip
        strides = f"{one.stride(0)} and {other.stride(0)}"
        check.close(got, 1.5 * one + other, name=f"axpy of {n} elements with strides {strides}")
### END HIDDEN TESTS

# %% [markdown]
# ### A row and a column
#
# Given a column, `_double_kernel` would have walked along the row: it takes neighbours in memory. Yours
# follows the stride.
#
# Does a column then cost the same as a row? It asks for equally many bytes. But memory arrives in whole
# sectors. Take a row and a column of a 256 by 256 matrix, and count both.

# %% look_sectors
matrix, y = torch.randn(256, 256, device=device.DEVICE), torch.zeros(256, device=device.DEVICE)
bars = []
for name, x in [("row", matrix[7]), ("column", matrix[:, 7])]:
    seen = trace(axpy, 2.0, x, y, BLOCK=64)
    fetched = 32 * seen.sectors("load")
    bars.append({"name": name, "loads": fetched, "stores": 32 * seen.sectors("store")})
    print(f"{name:6}: stride {x.stride(0):3}, asks for {seen.loaded_bytes} bytes, fetches {fetched}")
viz.traffic_bars(bars)

# %% [markdown]
# **Explain**, in the cell below. The row and the column have equally many elements, and the kernel asks for equally many bytes.
# Why does the column make the GPU fetch so many more? Derive both fetched numbers, separately for x and
# y, from the sector size, the itemsize and the strides. At which stride, in float32 elements, does it stop
# getting worse? Four sentences at most.

# %% explain_column [markdown] tags=["manual", "core"] points=2 hours=0.05
# ### BEGIN SOLUTION
# A sector of 32 bytes holds 8 float32. Along the row, stride 1, all 8 are used: 256 · 4 = 1024 bytes of x.
# Down the column, neighbours are 256 · 4 = 1024 bytes apart, so each element is alone in its sector: 256 · 32
# = 8192 bytes of x, 8 times as many; y is contiguous and costs 1024 bytes in both cases, which makes 2048 and
# 9216. From stride 8 on no two elements share a sector, so it does not get worse.
# ### END SOLUTION

# %% rubric_explain_column [markdown] tags=["rubric"]
# - 1: names the cause (memory comes in whole sectors of 32 bytes, and a column uses 4 bytes of each) and
#   derives both numbers: 1024 + 1024 for the row, 8192 + 1024 for the column. Half a point without the
#   derivation.
# - 1: stride 8, with the reason: 8 · 4 bytes is one sector, so from there each element has a sector of its
#   own. No point for 256 (that is this matrix's stride) or for a number without its reason.

# %% [markdown]
# ## 5 · The same kernel as machine code
#
# Triton's compiler needs no GPU, only a GPU's name. It takes your kernel down through five languages: TTIR,
# TTGIR, LLVM, PTX, and at last **SASS**, which is what an H200 (its target is called `sm_90`) executes. Lab06
# goes through all five; here you need only the last. Compiling twice takes 5 to 10 seconds the first time; then
# it is kept on disk.
#
# A GPU runs threads in groups of 32, called **warps**, and each thread keeps its numbers in **registers**. A
# program has 4 warps here, so with `BLOCK=512` each thread has 4 elements of x and 4 of y. Predict: how many load instructions (`LDG`) will you find for two vectors? And when x is a column?

# %% look_machine_code
from lablib.gpu.compile import compile_stages

matrix = torch.empty(4096, 4096, device="meta")  # a shape without memory: compiling reads no numbers
y = torch.empty(4096, device="meta")
row = compile_stages(axpy, 2.0, matrix[7], y, targets=["sm_90"])[0]
column = compile_stages(axpy, 2.0, matrix[:, 7], y, targets=["sm_90"])[0]
for name, code in [("row", row), ("column", column)]:
    print(f"{name:6}: {code.instructions['LDG']} LDG in {code.instructions.total()} instructions")
viz.compile_stages({"row": row, "column": column})

# %% [markdown]
# Two for the row. Triton compiles into the kernel what it sees at the launch: a stride of 1, a start and a
# length that divide by 16. So the compiler knows that 4 elements are neighbours and aligned, and one
# `LDG.E.128` fetches all 16 bytes (128 bits). Five for the column: 4 single loads for x, and 1 for y. The Python
# is the same. **The layout chose the instruction.** Switch between the two above, and point at the line of
# `tl.load`. Then try a row of 4095 elements, `matrix[7, :4095]` and `y[:4095]`: how many now?
#
# ## 6 · Where to go next
#
# You read a check, worked out a view's memory, wrote a kernel, counted its bytes to the last one, and saw its
# machine code. Press **Validate**, save, and hand in: every later lab works like this one.
#
# - lab01 builds a framework's inside: views, autograd, dispatch. Start here if section 3 was new.
# - lab06 writes kernels in earnest: softmax, matrix multiplication, split-K. Come here if section 4 was fun.
# - lab11 measures what your own machine can do, and asks how near a model comes.
#
# **Sources**
#
# - H200: 141 GB, 4.8 TB/s, 989 TFLOP/s dense bfloat16. NVIDIA, *H200 Tensor Core GPU datasheet*.
# - 132 SMs: NVIDIA, *H100 Tensor Core GPU architecture* (whitepaper); the H200 has the same processor with
#   other memory.
# - Views and strides: PyTorch documentation, *Tensor views* and *torch.Tensor.stride*.
# - AXPY with increments: Lawson, Hanson, Kincaid and Krogh, "Basic Linear Algebra Subprograms for Fortran
#   Usage", *ACM Transactions on Mathematical Software* 5(3), 1979.
# - Triton: Tillet, Kung and Cox, "Triton: an intermediate language and compiler for tiled neural network
#   computations", MAPL 2019.
# - Sectors of 32 bytes: NVIDIA, *Nsight Compute documentation*, Kernel Profiling Guide, Memory Tables.
