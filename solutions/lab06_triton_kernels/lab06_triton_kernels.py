# %% [markdown]
# # Lab 06 · Triton kernels, from Python to SASS
#
# `torch.softmax(x / t, -1)` on a matrix of 16384 × 8192 float16 numbers takes 0.64 ms on an H200. `torch.compile` brings it to 0.19 ms. The kernel that you write
# below takes 0.14 ms, and nearly all of that is the time to read the matrix once and write it once. The arithmetic was never slow. The numbers made too many trips.
#
# In this lab you write the kernels that delete those trips. You count every byte that they move, on any laptop, and then read the
# machine code that they become. (All times quoted here were measured on one H200; `assets/h200.json` has them, with versions.)
#
# **After it you can**
# 1. write masked, strided and tiled Triton kernels, and say beforehand how many bytes they move;
# 2. explain why the order of programs changes what comes from memory, and choose it;
# 3. fuse work into a matrix product, and split one that leaves the GPU idle;
# 4. read TTIR, PTX and SASS well enough to choose a tile that fits.
#
# | | |
# |---|---|
# | Time | about 10 hours: core 8 h, stretch 2 h (exercise 6, and the diagnosis in 7) |
# | Needs | lab00, or: you know what a program, a lane and a mask are |
# | Machine | any. Without a GPU kernels run in Triton's interpreter: right, countable, slow. No cell takes more than 20 s |
# | Points | 100 |
#
# **In every exercise** the kernels do the work: torch may allocate and view, nothing else (a `.float()` in a launcher is a trip to memory too). Arguments stay as they
# were. No kernel touches anything outside its tensors. "Row-major" means contiguous, unless the text says otherwise.

# %% setup tags=["setup"] withhold=["lablib.gpu.cache", "lablib.kernels.schedule"]
import lablib

lablib.require("0.1")

from lablib import device  # isort: skip  (before triton: it decides whether kernels are interpreted)

import torch
import triton
import triton.language as tl

from lablib import check, viz
from lablib.gpu.compile import compile_stages
from lablib.gpu.occupancy import occupancy
from lablib.gpu.specs import gpu
from lablib.gpu.trace import trace
from lablib.kernels.matmul import matmul

device.seed(0)
print(device.describe())

# %% [markdown]
# ## Where a number lives
#
# ![Three boxes. SMs with registers and shared memory, an L2 cache of 60 MB, memory of 141 GB at 4.8 TB/s. The tracer counts bytes between SMs and L2, the cache model those between L2 and memory.](assets/memory.svg)
#
# A GPU is a hundred or so small processors (**SMs**) around one cache (**L2**) and one memory. Sizes and the 4.8 TB/s are those of the H200
# (NVIDIA's datasheet; the L2 as its driver reports it). The matrix units of the same chip do 989 · 10¹² float16
# operations a second, a multiplication and an addition counted as two. Divide:

# %% look_ridge
h200 = gpu("sm_90")
ridge = h200.flops_per_s / h200.bytes_per_s
print(f"In the time of one byte from memory, an {h200.name} does {ridge:.0f} float16 operations.")

# %% [markdown]
# **So count bytes first.** An elementwise operation does one operation for several bytes: it waits for memory nearly all the time. Only a kernel
# that uses each loaded number hundreds of times keeps the matrix units busy.
#
# Two instruments do the counting here.
# * **The tracer** runs your kernel and writes down every load and store of every program. Its bytes are exactly what the programs ask for. (An SM keeps a little of
#   what it loaded in an L1 cache, so somewhat fewer may cross to the L2.)
# * **The cache model** takes the order of your programs, and estimates what the L2 must fetch from memory.
#
# Both need no GPU. On a GPU your kernels run compiled, and are counted the same way.
#
# A check counts lines of a kernel from its `@triton.jit`, as the numbers beside your cell do.

# %% [markdown]
# ## 1 · Elementwise, with a mask and any strides
#
# One **program** computes one tile of the result. Its **lanes** are the elements of the tile. Tiles have a power of two on each side, arrays do not, so
# lanes that stick out must be switched off by a **mask**.
#
# Move the slider. Which tile wastes the fewest lanes on a 5 × 7 array, and why is that not the whole answer?

# %% look_tiles
viz.program_grid(5, 7, (2, 4), blocks=[(1, 4), (2, 4), (4, 4), (8, 8)])

# %% [markdown]
# An element's address is `pointer + row · stride_m + column · stride_n`. A transposed or sliced tensor differs from a plain one in nothing but
# these strides, so a kernel that takes both reads all of them without a copy.

# %% look_strides
x = torch.arange(12.0).reshape(3, 4)
for name, view in [("x", x), ("x.T", x.T), ("x[:, :2]", x[:, :2]), ("x[::2]", x[::2])]:
    same = view.data_ptr() == x.data_ptr()
    print(f"{name:9} shape {tuple(view.shape)}  strides {view.stride()}  same memory: {same}")

# %% [markdown]
# **Your task.** `scale_add(x, y, alpha)` returns `alpha · x + y`.
# * `x`, `y`: float32, one shape (M, N), **each with strides of its own**. The result is a new contiguous tensor.
# * One kernel, one program a tile of `BLOCK_M` × `BLOCK_N`. Each element of `x` and `y` is loaded once, each of the result stored once.
# * No element outside the arrays is touched.
#
# The launcher is given. Write the kernel. You need `tl.program_id`, `tl.arange`, `tl.load` and `tl.store`; masks are joined with `&`, not with `and`.
#
# <details><summary>Hint 1: the tile's rows and columns</summary>
#
# `tl.program_id(0)` counts tiles down, `tl.program_id(1)` across. `tl.arange(0, BLOCK_M)` gives the rows inside a tile.
# </details>
# <details><summary>Hint 2: from two vectors to a tile</summary>
#
# `rows[:, None]` has shape (BLOCK_M, 1), `columns[None, :]` has (1, BLOCK_N). Adding them gives all pairs, as in numpy.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `inside = (rows[:, None] < M) & (columns[None, :] < N)`, then load `x`, load `y`, store `alpha * x + y`, all with `mask=inside`.
# </details>


# %% scale_add tags=["solution"]
@triton.jit
def _scale_add_kernel(
    x_ptr, y_ptr, z_ptr, M, N, alpha,
    x_stride_m, x_stride_n, y_stride_m, y_stride_n,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    ### BEGIN SOLUTION
    rows = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    inside = (rows[:, None] < M) & (columns[None, :] < N)
    x_offsets = rows[:, None] * x_stride_m + columns[None, :] * x_stride_n
    y_offsets = rows[:, None] * y_stride_m + columns[None, :] * y_stride_n
    x = tl.load(x_ptr + x_offsets, mask=inside, other=0.0)
    y = tl.load(y_ptr + y_offsets, mask=inside, other=0.0)
    tl.store(z_ptr + rows[:, None] * N + columns[None, :], alpha * x + y, mask=inside)
    ### END SOLUTION


def scale_add(x, y, alpha, BLOCK_M=16, BLOCK_N=32):
    M, N = x.shape
    z = torch.empty((M, N), dtype=x.dtype, device=x.device)
    grid = (triton.cdiv(M, BLOCK_M), triton.cdiv(N, BLOCK_N))
    _scale_add_kernel[grid](x, y, z, M, N, alpha, *x.stride(), *y.stride(), BLOCK_M=BLOCK_M, BLOCK_N=BLOCK_N)
    return z


# %% [markdown]
# Look at it before you test it: step through the programs. A square lights when it is loaded or stored. (Memory moves in **sectors** of 32 bytes. A cross marks an
# element that came along with its sector, unasked; exercise 7 returns to it.)

# %% look_scale_add
x, y = torch.randn(5, 7, device=device.DEVICE), torch.randn(7, 5, device=device.DEVICE).T
viz.memory_map(trace(scale_add, x, y, 2.0, BLOCK_M=2, BLOCK_N=4))

# %% test_scale_add tags=["test", "core"] points=10 hours=1.0 covers=["commodity_hardware", "lo2"]
x, y = check.rng.normal(33, 100), check.rng.normal(100, 33).T
z = check.traffic(scale_add, x, y, 0.5, loads=x.nbytes + y.nbytes, stores=x.nbytes, launches=1)
check.close(z, 0.5 * x + y)
### BEGIN HIDDEN TESTS
for M, N, blocks in [(1, 1, (16, 32)), (64, 17, (4, 8)), (31, 129, (32, 64))]:
    x, y = check.rng.normal(N, 2 * M)[:, ::2].T, check.rng.normal(M, 3 * N + 9)[:, 4 : 3 * N + 4 : 3]
    counts = {"loads": 8 * M * N, "stores": 4 * M * N, "launches": 1}
    programs = triton.cdiv(M, blocks[0]) * triton.cdiv(N, blocks[1])
    z = check.traffic(scale_add, x, y, -1.5, *blocks, programs=programs, **counts)
    check.close(z, -1.5 * x + y)
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · A softmax that reads each number once
#
# Attention divides its scores by a temperature and takes a softmax. Written as two PyTorch calls, the division stores a whole matrix for
# the softmax to load it back. **A kernel is worth writing when it deletes a trip to memory.** Count the trips of a 4 × 6 float32 matrix:

# %% look_trips
M, N, itemsize = 4, 6, 4
one_pass = M * N * itemsize
viz.traffic_bars(
    [
        {"name": "x / t, then softmax", "loads": 2 * one_pass, "stores": 2 * one_pass},
        {"name": "one kernel, one pass", "loads": one_pass, "stores": one_pass},
    ],
    target=2 * one_pass,
)

# %% [markdown]
# One program takes one row, and holds all of it in registers. Then maximum, exponential, sum and division cost no memory at all.
#
# Before you write, predict: which `BLOCK_N` does a row of 5 numbers need, and what should the other lanes contain?

# %% look_row_programs
viz.program_grid(4, 5, 8, blocks=[4, 8, 16, 32])

# %% [markdown]
# **Your task.** `softmax_t(x, temperature)` returns the softmax of `x / temperature` along the last axis.
# * `x`: float32 or float16, shape (M, N), N at most 8192, **any row stride**, unit column stride. The result is new, contiguous, of `x`'s dtype.
# * `temperature` is a positive float. One kernel, one program a row. Every element is loaded once and stored once.
# * Large scores do not overflow: exp(89) is already infinite in float32, so subtract the row's maximum. Compute in float32, and round once, at the end.
#
# You need `tl.max`, `tl.exp` and `tl.sum`, with `axis=0`; `.to(tl.float32)` changes a dtype, and `y_ptr.dtype.element_ty` is the result's. (`num_warps` in the launcher says how many groups
# of 32 threads share the row.)
#
# <details><summary>Hint 1: the masked lanes</summary>
#
# Which value of `other=` changes neither the maximum nor the sum of exponentials?
# </details>
# <details><summary>Hint 2: strides</summary>
#
# In the slice `x[:, :257]` of a wider matrix, the next row does not start 257 elements later.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# load → to float32 → times 1/temperature → minus maximum → exp → divided by sum → to the result's dtype → store.
# </details>


# %% softmax_t tags=["solution"]
@triton.jit
def _softmax_t_kernel(x_ptr, y_ptr, row_stride, N, inverse_temperature, BLOCK_N: tl.constexpr):
    ### BEGIN SOLUTION
    row = tl.program_id(0)
    columns = tl.arange(0, BLOCK_N)
    inside = columns < N
    x = tl.load(x_ptr + row * row_stride + columns, mask=inside, other=float("-inf"))
    z = x.to(tl.float32) * inverse_temperature
    z = tl.exp(z - tl.max(z, axis=0))
    y = z / tl.sum(z, axis=0)
    tl.store(y_ptr + row * N + columns, y.to(y_ptr.dtype.element_ty), mask=inside)
    ### END SOLUTION


def softmax_t(x, temperature):
    M, N = x.shape
    y = torch.empty((M, N), dtype=x.dtype, device=x.device)
    BLOCK_N = triton.next_power_of_2(N)
    _softmax_t_kernel[(M,)](x, y, x.stride(0), N, 1.0 / temperature, BLOCK_N=BLOCK_N, num_warps=8)
    return y


# %% look_softmax_t
viz.memory_map(trace(softmax_t, torch.randn(4, 6, device=device.DEVICE), 0.7))

# %% test_softmax_t tags=["test", "core"] points=15 hours=1.5 covers=["commodity_hardware", "lo2", "lo3"]
x = 50 * check.rng.normal(5, 130)[:, :123]
y = check.traffic(softmax_t, x, 0.7, loads=x.nbytes, stores=x.nbytes, launches=1, programs=5)
check.close(y, torch.softmax(x / 0.7, -1))
### BEGIN HIDDEN TESTS
for M, N in [(1, 1), (3, 4097), (64, 257)]:
    x = check.rng.normal(M, N + 43)[:, :N]
    y = check.traffic(softmax_t, x, 2.0, loads=4 * M * N, stores=4 * M * N, programs=M)
    check.close(y, torch.softmax(x / 2.0, -1))
for x in (check.rng.normal(2, 64) * 200, check.rng.normal(2, 100) - 5000):
    check.close(check.traffic(softmax_t, x, 0.5), torch.softmax(x / 0.5, -1))
x = check.rng.normal(3, 100, dtype=torch.float16)
y = check.traffic(softmax_t, x, 0.3, loads=x.nbytes, stores=x.nbytes)
check.rounded(y, torch.softmax(x.double() / 0.3, -1), torch.float16)
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · A matrix product in tiles
#
# A linear layer computes y = x · Wᵀ. PyTorch keeps W as (N, K): output features by input features. Compute one element of y at a time,
# and every multiplication loads its two factors. Compute a tile of y at a time, and each loaded number is used once for every row or column of the tile.
#
# For a tile of `BLOCK_M` × `BLOCK_N`, walking along K:
#
# * x is loaded once for every tile *column*, W once for every tile *row*:
# * bytes loaded = itemsize · K · (M · ⌈N / BLOCK_N⌉ + N · ⌈M / BLOCK_M⌉).
#
# Here it is for 64 × 64 × 64 in float16:


# %% look_tile_traffic
def loaded_bytes(M, N, K, BLOCK_M, BLOCK_N, itemsize=2):
    return itemsize * K * (M * triton.cdiv(N, BLOCK_N) + N * triton.cdiv(M, BLOCK_M))


viz.traffic_bars(
    [
        {"name": f"tiles of {b} × {b}", "loads": loaded_bytes(64, 64, 64, b, b), "stores": 2 * 64 * 64}
        for b in (1, 4, 16, 32, 64)
    ],
    target=3 * 64 * 64 * 2,
)

# %% [markdown]
# Twice the tile, half the loads. That is the whole idea of tiling; the rest is the size of the register file.
#
# **Your task.** `linear(x, w)` returns x · wᵀ.
# * `x`: (M, K), `w`: (N, K), float16, row-major. The result is (M, N), float16. Sums run in **float32** and are rounded once.
# * One kernel, one program a tile, `tl.program_id(0)` down the rows of y and `tl.program_id(1)` across. Bytes loaded are the formula above, exactly.
# * M, N and K need not be multiples of the blocks. The blocks are the caller's: 32 unless told otherwise.
#
# You need `tl.zeros` and `tl.dot(a, b, acc)`, which adds the product of two tiles to `acc` on the matrix units. (`num_stages` in the launcher says how many tiles are
# under way from memory at once; exercise 7 returns to it.)
#
# <details><summary>Hint 1: one step along K</summary>
#
# Load a (BLOCK_M, BLOCK_K) tile of x and a (BLOCK_K, BLOCK_N) tile of wᵀ. Element (k, n) of wᵀ lies at `w_ptr + n * K + k`.
# </details>
# <details><summary>Hint 2: the last step along K</summary>
#
# What must lanes past K contain, so that they add nothing to a product?
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)`, then in `for k in range(0, K, BLOCK_K)`: two masked loads and `acc = tl.dot(a, b, acc)`; at the end one masked store of `acc.to(tl.float16)`.
# </details>


# %% linear tags=["solution"]
@triton.jit
def _linear_kernel(
    x_ptr, w_ptr, y_ptr, M, N, K, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr
):  # fmt: skip
    ### BEGIN SOLUTION
    rows = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    inner = tl.arange(0, BLOCK_K)
    acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for k in range(0, K, BLOCK_K):
        x_tile = tl.load(
            x_ptr + rows[:, None] * K + (k + inner)[None, :],
            mask=(rows[:, None] < M) & ((k + inner)[None, :] < K), other=0.0,
        )  # fmt: skip
        w_tile = tl.load(
            w_ptr + columns[None, :] * K + (k + inner)[:, None],
            mask=(columns[None, :] < N) & ((k + inner)[:, None] < K), other=0.0,
        )  # fmt: skip
        acc = tl.dot(x_tile, w_tile, acc)
    inside = (rows[:, None] < M) & (columns[None, :] < N)
    tl.store(y_ptr + rows[:, None] * N + columns[None, :], acc.to(tl.float16), mask=inside)
    ### END SOLUTION


def linear(x, w, BLOCK_M=32, BLOCK_N=32, BLOCK_K=32, num_warps=4, num_stages=3):
    (M, K), N = x.shape, w.shape[0]
    y = torch.empty((M, N), dtype=x.dtype, device=x.device)
    grid = (triton.cdiv(M, BLOCK_M), triton.cdiv(N, BLOCK_N))
    _linear_kernel[grid](
        x, w, y, M, N, K, BLOCK_M=BLOCK_M, BLOCK_N=BLOCK_N, BLOCK_K=BLOCK_K,
        num_warps=num_warps, num_stages=num_stages,
    )  # fmt: skip
    return y


# %% [markdown]
# Four programs, three steps along K. Step by instruction: each program walks along its own rows of x and of w.

# %% look_linear
half = dict(dtype=torch.float16, device=device.DEVICE)
x, w = torch.randn(32, 48, **half), torch.randn(32, 48, **half)
viz.memory_map(trace(linear, x, w, 16, 16, 16), step="instruction")

# %% test_linear tags=["test", "core"] points=15 hours=1.5 covers=["commodity_hardware", "lo2"]
x, w = check.rng.normal(70, 100, dtype=torch.float16), check.rng.normal(48, 100, dtype=torch.float16)
loads, stores = 2 * 100 * (70 * 2 + 48 * 3), 2 * 70 * 48
y = check.traffic(linear, x, w, loads=loads, stores=stores, launches=1, programs=6)
check.rounded(y, x.double() @ w.double().T, torch.float16)
### BEGIN HIDDEN TESTS
for M, N, K, blocks in [(33, 50, 70, (32, 32, 32)), (16, 100, 40, (16, 64, 16)), (70, 20, 33, (64, 16, 32))]:
    x, w = check.rng.normal(M, K, dtype=torch.float16), check.rng.normal(N, K, dtype=torch.float16)
    loads = 2 * K * (M * triton.cdiv(N, blocks[1]) + N * triton.cdiv(M, blocks[0]))
    y = check.traffic(linear, x, w, *blocks, loads=loads, stores=2 * M * N, launches=1)
    check.rounded(y, x.double() @ w.double().T, torch.float16)
# Sums that grow to hundreds and cancel to a few: float32 keeps the difference, float16 has lost it.
u, v = 16 * check.rng.normal(32, 512), check.rng.normal(32, 512)
x, w = torch.cat([u, 0.1 * v - u], dim=1).half(), torch.cat([v, v], dim=1).half()
y = check.traffic(linear, x, w, 32, 32, 128)
check.close(y, (x.double() @ w.double().T).half())
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · The order of programs
#
# Tiles cut what the SMs ask of the L2. What the L2 asks of memory depends on something that the kernel's arithmetic never mentions: **which programs run at the
# same time**. An H200 with one program on each SM runs 132 at once. If they lie in one long line of y, they share one panel of one operand and need a panel each of the
# other. If they form a block, they share both.
#
# Step through the **waves**, the programs in flight at once. (A stands for x, B for Wᵀ; a panel is a row of A's tiles, or a column of B's.) Groups of rows make blocks. But where
# a group ends, the wave goes on in the next, and its columns lie at both ends of y. In a **serpentine** order every second group runs back. Find a wave that this makes cheaper.

# %% look_orders
row_major = [(i, j) for i in range(8) for j in range(8)]
right = [[(2 * g + i, j) for j in range(8) for i in range(2)] for g in range(4)]
left = [[(2 * g + i, 7 - j) for j in range(8) for i in range(2)] for g in range(4)]
orders = {
    "row-major": row_major,
    "groups of 2 rows": right[0] + right[1] + right[2] + right[3],
    "serpentine": right[0] + left[1] + right[2] + left[3],
}
viz.tile_order(orders, grid=(8, 8), in_flight=12)

# %% [markdown]
# **Your task.** `serpentine_tile(pid, tiles_m, tiles_n, GROUP_M)` is a device function, to be called from kernels. It says which tile (row, column) of y program `pid` computes.
# * Rows of tiles are taken in groups of `GROUP_M`, from the top. The last group may have fewer rows.
# * Inside a group, `pid` runs **down** the rows first, then on to the next column.
# * The next column is the one to the **right** in the first group, the third, the fifth. In the others it is the one to the **left**: they start at the last column.
# * `pid` may be one id or a block of ids, so use `//`, `%`, `tl.minimum` and `tl.where`. (In grading there is no `lablib.kernels.schedule`: the order is yours.)
#
# The launcher below is given: it asks your function for every `pid`.
#
# <details><summary>Hint 1: which group</summary>
#
# A full group holds `GROUP_M * tiles_n` programs.
# </details>
# <details><summary>Hint 2: how many rows has it</summary>
#
# Rows left below the group's first row, but at most `GROUP_M`.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# With `i = pid % (GROUP_M * tiles_n)` and `rows` rows in the group: row `first + i % rows`, and `i // rows` columns lie behind. Behind is to the left or to the right.
# </details>


# %% serpentine_tile tags=["solution"]
@triton.jit
def serpentine_tile(pid, tiles_m, tiles_n, GROUP_M: tl.constexpr):
    ### BEGIN SOLUTION
    group = pid // (GROUP_M * tiles_n)
    first = group * GROUP_M
    rows = tl.minimum(tiles_m - first, GROUP_M)
    i = pid % (GROUP_M * tiles_n)
    behind = i // rows
    return first + i % rows, tl.where(group % 2 == 0, behind, tiles_n - 1 - behind)
    ### END SOLUTION


@triton.jit
def _order_kernel(row_ptr, column_ptr, tiles_m, tiles_n, GROUP_M: tl.constexpr, BLOCK: tl.constexpr):
    lanes = tl.arange(0, BLOCK)
    inside = lanes < tiles_m * tiles_n
    row, column = serpentine_tile(tl.minimum(lanes, tiles_m * tiles_n - 1), tiles_m, tiles_n, GROUP_M)
    tl.store(row_ptr + lanes, row, mask=inside)
    tl.store(column_ptr + lanes, column, mask=inside)


def program_order(tiles_m, tiles_n, GROUP_M):
    count = tiles_m * tiles_n
    row, column = (torch.empty(count, dtype=torch.int32, device=device.DEVICE) for _ in range(2))
    _order_kernel[(1,)](row, column, tiles_m, tiles_n, GROUP_M, BLOCK=triton.next_power_of_2(count))
    return row, column


# %% test_serpentine_tile tags=["test", "core"] points=10 hours=1.0 covers=["commodity_hardware", "lo3"]
row, column = check.traffic(program_order, 5, 3, 2)
check.equal(row.tolist(), [0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 4, 4, 4], name="the tile row by program")
check.equal(column.tolist(), [0, 0, 1, 1, 2, 2, 2, 2, 1, 1, 0, 0, 0, 1, 2], name="the tile column by program")
### BEGIN HIDDEN TESTS
for tiles_m, tiles_n, GROUP_M in [(7, 5, 3), (5, 8, 8), (9, 4, 1), (6, 6, 4), (16, 16, 4)]:
    expected = []
    for group, first in enumerate(range(0, tiles_m, GROUP_M)):
        height = min(GROUP_M, tiles_m - first)
        columns = range(tiles_n) if group % 2 == 0 else reversed(range(tiles_n))
        expected += [(first + i, j) for j in columns for i in range(height)]
    row, column = check.traffic(program_order, tiles_m, tiles_n, GROUP_M)
    order = list(zip(row.tolist(), column.tolist(), strict=True))
    check.equal(order, expected, name="(tile row, tile column) by program")
### END HIDDEN TESTS

# %% [markdown]
# ### Predict it
#
# A wave has `in_flight` programs. Say that it covers whole columns of its group: it is then a rectangle of `GROUP_M` rows and `in_flight / GROUP_M` columns of tiles.
# All its programs step along K together, so tiles that two of them share are loaded from memory once. K is long: nothing survives in the L2 until the next wave.
#
# **Your task.** `predict_l2_tiles(tiles_m, tiles_n, k_tiles, in_flight, GROUP_M)` returns the number of tiles of x and W that come from memory over the whole product, an int.
# Assume that `GROUP_M` divides `tiles_m` and `in_flight`, and that waves fill groups exactly. (In grading there is no `lablib.gpu.cache`, which plays the loads one by one.)
#
# <details><summary>Hint 1: one wave, one step</summary>
#
# The rectangle needs one tile of x for each of its rows. And of W?
# </details>
# <details><summary>Hint 2: all of it</summary>
#
# Multiply by the steps along K, and by the number of waves.
# </details>
# <details><summary>Hint 3: try it by hand</summary>
#
# A 4 × 4 grid of tiles, 4 in flight, `GROUP_M` = 2, one step along K: 4 waves, each a 2 × 2 square, so 4 · (2 + 2) = 16.
# </details>


# %% predict_l2_tiles tags=["solution"]
def predict_l2_tiles(tiles_m, tiles_n, k_tiles, in_flight, GROUP_M):
    ### BEGIN SOLUTION
    waves = tiles_m * tiles_n // in_flight
    return waves * (GROUP_M + in_flight // GROUP_M) * k_tiles
    ### END SOLUTION


# %% test_predict_l2_tiles tags=["test", "core"] points=5 hours=0.5 covers=["commodity_hardware", "lo3"]
from lablib.gpu.cache import matmul_l2

check.equal(predict_l2_tiles(8, 12, 3, 8, 4), 216, name="predict_l2_tiles(8, 12, 3, 8, 4)")
### BEGIN HIDDEN TESTS
shapes = [(16, 16, 16, 4), (16, 16, 16, 1), (8, 32, 32, 8), (24, 12, 36, 6)]
for tiles_m, tiles_n, in_flight, GROUP_M in shapes:
    k_tiles, order = check.rng.choice(24, 40), []
    for group in range(tiles_m // GROUP_M):
        columns = range(tiles_n) if group % 2 == 0 else reversed(range(tiles_n))
        order += [(group * GROUP_M + i, j) for j in columns for i in range(GROUP_M)]
    model = matmul_l2(order, k_tiles, tile_bytes=1, l2_bytes=5 * in_flight, in_flight=in_flight)
    call = f"predict_l2_tiles({tiles_m}, {tiles_n}, {k_tiles}, {in_flight}, {GROUP_M})"
    check.equal(predict_l2_tiles(tiles_m, tiles_n, k_tiles, in_flight, GROUP_M), model.misses, name=call)
### END HIDDEN TESTS

# %% [markdown]
# Lock your prediction for a real product now, before you see the model's answer: 8192 × 8192 × 16384 in tiles of 128 × 128 × 64 on a GPU with 128 programs in flight.
# By what factor do groups of 8 rows cut the tiles from memory, against groups of 2? The cell asks your function, and keeps the first answer. (To start over, delete
# `predictions.json` beside this notebook.)

# %% lock_prediction
size = dict(tiles_m=64, tiles_n=64, k_tiles=256, in_flight=128)
predicted = predict_l2_tiles(**size, GROUP_M=2) / predict_l2_tiles(**size, GROUP_M=8)
predicted = check.lock("tiles from memory, groups of 2 rows over groups of 8", predicted)

# %% [markdown]
# And now the model, with the H200's own sizes. How many programs does it hold at once? As many as fit on an SM, times 132: the **occupancy** times the number of SMs. The
# compiler says what one program takes (with four stages, as `benchmarks/lab06.py` runs it). The cell takes about 8 s: it plays twelve million tile loads.

# %% look_l2
from lablib.gpu.cache import matmul_l2

x, w = (torch.empty(8192, 16384, dtype=torch.float16, device="meta") for _ in range(2))
code = compile_stages(matmul, x, w.T, 128, 128, 64, 8, 4, targets=["sm_90"])[0]
fit = occupancy(h200, code.registers, code.shared_bytes, code.num_warps)
in_flight = h200.sms * fit.programs_per_sm
print(f"{code.registers} registers a thread, {code.shared_bytes} bytes shared: {fit.programs_per_sm} program an SM")
print(f"({fit.limited_by} allows no more), {in_flight} in flight\n")

tile_bytes = 128 * 64 * 2
runs = {}
for GROUP_M in (1, 2, 8, 16):
    row, column = program_order(64, 64, GROUP_M)
    order = list(zip(row.tolist(), column.tolist(), strict=True))
    runs[GROUP_M] = run = matmul_l2(order, 256, tile_bytes, h200.l2_bytes, in_flight)
    gigabytes = run.bytes_from_memory / 1e9
    print(f"GROUP_M = {GROUP_M:2}: {gigabytes:5.2f} GB from memory, L2 hit rate {run.hit_rate:.3f}")
for GROUP_M in (2, 8):
    order = [(first + i, j) for first in range(0, 64, GROUP_M) for j in range(64) for i in range(GROUP_M)]
    gigabytes = matmul_l2(order, 256, tile_bytes, h200.l2_bytes, in_flight).bytes_from_memory / 1e9
    print(f"If no group ran back: {gigabytes:5.2f} GB at GROUP_M = {GROUP_M}")
fewer = runs[2].misses / runs[8].misses
print(f"\nModel: {fewer:.2f} × fewer with groups of 8 than of 2; you predicted {predicted:.2f} ×.")

# %% [markdown]
# (Groups of one row gain nothing by running back: wherever a wave of 132 starts, it holds a whole row of 64 tiles, and so needs every panel of W.)
#
# ## 5 · An epilogue that never leaves the registers
#
# A Transformer's layer does not stop at x · Wᵀ. It adds a bias, applies an activation, adds the residual stream. As separate kernels, each of these
# loads and stores a whole matrix. What a kernel does to its tile between the product and the store is its **epilogue**. Fused into it, they work on the accumulator while it is still in registers. Only the residual must be loaded, and the bias, which is one row.

# %% look_epilogue_trips
M = N = K = 128
product = loaded_bytes(M, N, K, 32, 32)
matrix = M * N * 2
four_kernels = {"loads": product + 4 * matrix + 2 * N, "stores": 4 * matrix}
one_kernel = {"loads": product + matrix + 2 * N * (M // 32), "stores": matrix}
viz.traffic_bars([
    {"name": "product, + bias, silu, + residual", **four_kernels},
    {"name": "one kernel", **one_kernel},
])  # fmt: skip

# %% [markdown]
# **Your task.** `linear_silu(x, w, bias, residual)` returns silu(x · wᵀ + bias) + residual, where silu(v) = v / (1 + exp(−v)).
# * `x`: (M, K), `w`: (N, K), `bias`: (N,), `residual`: (M, N); all float16, row-major, of any size. The result is (M, N), float16. All arithmetic is in float32, rounded once.
# * **One** kernel. Beyond the loads of exercise 3 each program loads its part of `bias` once, and its tile of `residual` once. It stores its tile once.
# * Blocks of 32 × 32 × 32. This time you write the launcher too.
#
# <details><summary>Hint 1: start from what you have</summary>
#
# The loop along K is that of exercise 3. Copy it; if yours is not finished, `lablib/kernels/matmul.py` has one to read, with its operands laid out otherwise.
# </details>
# <details><summary>Hint 2: shapes</summary>
#
# `bias` belongs to columns: `bias[None, :]`. Which mask does it need?
# </details>
# <details><summary>Hint 3: the residual</summary>
#
# Same addresses and mask as the result. Load it after the loop: it then holds no registers while you multiply.
# </details>


# %% linear_silu tags=["solution"]
@triton.jit
def _linear_silu_kernel(
    x_ptr, w_ptr, bias_ptr, residual_ptr, y_ptr, M, N, K,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    ### BEGIN SOLUTION
    rows = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for k in range(0, K, BLOCK_K):
        inner = k + tl.arange(0, BLOCK_K)
        x_inside = (rows[:, None] < M) & (inner[None, :] < K)
        w_inside = (columns[None, :] < N) & (inner[:, None] < K)
        x_tile = tl.load(x_ptr + rows[:, None] * K + inner[None, :], mask=x_inside, other=0.0)
        w_tile = tl.load(w_ptr + columns[None, :] * K + inner[:, None], mask=w_inside, other=0.0)
        acc = tl.dot(x_tile, w_tile, acc)
    offsets = rows[:, None] * N + columns[None, :]
    inside = (rows[:, None] < M) & (columns[None, :] < N)
    v = acc + tl.load(bias_ptr + columns, mask=columns < N, other=0.0).to(tl.float32)[None, :]
    v = v / (1.0 + tl.exp(-v))
    v += tl.load(residual_ptr + offsets, mask=inside, other=0.0).to(tl.float32)
    tl.store(y_ptr + offsets, v.to(tl.float16), mask=inside)
    ### END SOLUTION


def linear_silu(x, w, bias, residual):
    ### BEGIN SOLUTION
    (M, K), N = x.shape, w.shape[0]
    y = torch.empty((M, N), dtype=x.dtype, device=x.device)
    grid = (triton.cdiv(M, 32), triton.cdiv(N, 32))
    _linear_silu_kernel[grid](x, w, bias, residual, y, M, N, K, BLOCK_M=32, BLOCK_N=32, BLOCK_K=32)
    return y
    ### END SOLUTION


# %% test_linear_silu tags=["test", "core"] points=10 hours=1.0 covers=["graph_optimisation", "commodity_hardware", "lo3"]
def silu_oracle(x, w, bias, residual):
    v = x.double() @ w.double().T + bias.double()
    return v * torch.sigmoid(v) + residual.double()


def silu_inputs(M, N, K):
    return [check.rng.normal(*shape, dtype=torch.float16) for shape in [(M, K), (N, K), (N,), (M, N)]]


M, N, K = 50, 96, 64
x, w, bias, residual = silu_inputs(M, N, K)
loads = 2 * K * (M * 3 + N * 2) + 2 * N * 2 + 2 * M * N
y = check.traffic(linear_silu, x, w, bias, residual, loads=loads, stores=2 * M * N, launches=1)
check.rounded(y, silu_oracle(x, w, bias, residual), torch.float16)
### BEGIN HIDDEN TESTS
for M, N, K in [(33, 70, 40), (64, 20, 100)]:
    x, w, bias, residual = silu_inputs(M, N, K)
    tiles_m, tiles_n = triton.cdiv(M, 32), triton.cdiv(N, 32)
    loads = 2 * K * (M * tiles_n + N * tiles_m) + 2 * N * tiles_m + 2 * M * N
    y = check.traffic(linear_silu, x, w, bias, residual, loads=loads, stores=2 * M * N, launches=1)
    check.rounded(y, silu_oracle(x, w, bias, residual), torch.float16)
### END HIDDEN TESTS

# %% [markdown]
# ## 6 · Split-K: when there are not enough tiles (stretch)
#
# A language model that decodes one token for each of 16 users multiplies a matrix of 16 rows. Its result has few tiles. How many of the 132 SMs get one?

# %% look_idle_sms
for M, N, K in [(16, 1024, 8192), (16, 4096, 4096), (4096, 4096, 4096)]:
    tiles = triton.cdiv(M, 64) * triton.cdiv(N, 64)
    busy = min(tiles, h200.sms) / h200.sms
    print(f"{M:5} × {N} × {K}: {tiles:5} tiles of 64 × 64, {busy:4.0%} of the SMs have work")

# %% [markdown]
# **Split-K** cuts the long sum into `splits` parts. Each part is a program of its own and stores a float32 partial tile into a workspace. A second kernel
# adds the parts, in a fixed order, and rounds once. (Atomic additions, in which many programs add to one place, would save the second kernel, and give a result that changes
# from run to run.)
#
# **Your task.** `linear_split_k(x, w, splits)` returns x · wᵀ.
# * `x`: (M, K), `w`: (N, K), float16, row-major, of any size; the result is (M, N), float16, summed in float32 and rounded once. Blocks of 32 × 32 × 32.
# * Two kernels. The first has a grid of (⌈M/32⌉, ⌈N/32⌉, `splits`). Part s = `tl.program_id(2)` covers steps s · n to (s + 1) · n − 1 along K, with n = ⌈⌈K/32⌉ / splits⌉; the last parts may be shorter, or empty.
# * The workspace is float32, shape (splits, M, N), each element stored once and loaded once. No atomics. Loads of x and w are those of exercise 3.
#
# <details><summary>Hint 1: the third axis of the grid</summary>
#
# n steps of 32 make one part. Where does part s start along K, and where does it end?
# </details>
# <details><summary>Hint 2: the end of a part</summary>
#
# A part ends where the next begins, or at K. An empty part must still store its zeros. (`part_length` counts elements of K: 32 · n.)
# </details>
# <details><summary>Hint 3: the second kernel</summary>
#
# Treat the result as one vector of M · N elements: for each split, load a block at `split * M * N + offsets` and add it to a float32 accumulator.
# </details>


# %% linear_split_k tags=["solution"]
@triton.jit
def _partial_kernel(x_ptr, w_ptr, part_ptr, M, N, K, part_length, BLOCK: tl.constexpr):
    ### BEGIN SOLUTION
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    part = tl.program_id(2)
    start = part * part_length
    end = tl.minimum(start + part_length, K)
    acc = tl.zeros((BLOCK, BLOCK), dtype=tl.float32)
    for k in range(start, end, BLOCK):
        inner = k + tl.arange(0, BLOCK)
        x_inside = (rows[:, None] < M) & (inner[None, :] < end)
        w_inside = (columns[None, :] < N) & (inner[:, None] < end)
        x_tile = tl.load(x_ptr + rows[:, None] * K + inner[None, :], mask=x_inside, other=0.0)
        w_tile = tl.load(w_ptr + columns[None, :] * K + inner[:, None], mask=w_inside, other=0.0)
        acc = tl.dot(x_tile, w_tile, acc)
    inside = (rows[:, None] < M) & (columns[None, :] < N)
    tl.store(part_ptr + part * M * N + rows[:, None] * N + columns[None, :], acc, mask=inside)
    ### END SOLUTION


@triton.jit
def _sum_parts_kernel(part_ptr, y_ptr, count, splits, BLOCK: tl.constexpr):
    ### BEGIN SOLUTION
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < count
    acc = tl.zeros((BLOCK,), dtype=tl.float32)
    for split in range(0, splits):
        acc += tl.load(part_ptr + split * count + offsets, mask=inside, other=0.0)
    tl.store(y_ptr + offsets, acc.to(tl.float16), mask=inside)
    ### END SOLUTION


def linear_split_k(x, w, splits):
    ### BEGIN SOLUTION
    (M, K), N = x.shape, w.shape[0]
    y = torch.empty((M, N), dtype=x.dtype, device=x.device)
    parts = torch.empty((splits, M, N), dtype=torch.float32, device=x.device)
    steps = triton.cdiv(triton.cdiv(K, 32), splits)
    grid = (triton.cdiv(M, 32), triton.cdiv(N, 32), splits)
    _partial_kernel[grid](x, w, parts, M, N, K, steps * 32, BLOCK=32)
    _sum_parts_kernel[(triton.cdiv(M * N, 512),)](parts, y, M * N, splits, BLOCK=512)
    return y
    ### END SOLUTION


# %% test_linear_split_k tags=["test", "stretch"] points=10 hours=1.5 covers=["parallelism", "commodity_hardware", "lo2"]
M, N, K, splits = 16, 64, 250, 3
x, w = check.rng.normal(M, K, dtype=torch.float16), check.rng.normal(N, K, dtype=torch.float16)
loads, stores = 2 * K * (2 * M + N) + 4 * splits * M * N, 4 * splits * M * N + 2 * M * N
y = check.traffic(linear_split_k, x, w, splits, loads=loads, stores=stores, launches=2)
check.rounded(y, x.double() @ w.double().T, torch.float16)
### BEGIN HIDDEN TESTS
for M, N, K, splits in [(16, 40, 200, 3), (5, 33, 64, 5), (40, 32, 96, 1), (64, 32, 256, 4)]:
    x, w = check.rng.normal(M, K, dtype=torch.float16), check.rng.normal(N, K, dtype=torch.float16)
    tiles_m, tiles_n = triton.cdiv(M, 32), triton.cdiv(N, 32)
    loads = 2 * K * (M * tiles_n + N * tiles_m) + 4 * splits * M * N
    stores = 4 * splits * M * N + 2 * M * N
    y = check.traffic(linear_split_k, x, w, splits, loads=loads, stores=stores, launches=2)
    check.rounded(y, x.double() @ w.double().T, torch.float16)
M, N, K, splits = 64, 32, 256, 4
x, w = check.rng.normal(M, K, dtype=torch.float16), check.rng.normal(N, K, dtype=torch.float16)
seen = check.observe(linear_split_k, x, w, splits).trace
check.equal(seen.launches[0].grid, (2, 1, 4), name="the grid of the first kernel")
columns = {part: set() for part in range(splits)}
for access in seen.accesses:
    if access.launch == 0 and access.op == "load":
        columns[access.program[2]] |= set((access.offsets % K).tolist())
for part in range(splits):
    check.equal(columns[part], set(range(64 * part, 64 * part + 64)), name=f"columns of K that part {part} loads")
### END HIDDEN TESTS

# %% [markdown]
# ## 7 · Down to the machine
#
# Your `linear` is Python. A GPU runs **SASS**. In between, Triton lowers the kernel step by step, and each step decides something:
#
# | stage | what it is | what is decided there |
# |---|---|---|
# | TTIR | operations on whole tiles | nothing about the GPU yet |
# | TTGIR | tiles with a layout | which thread holds which element, what goes through shared memory |
# | LLVM IR | one thread's program | addresses, loops |
# | PTX | NVIDIA's portable assembly | instructions, with unlimited registers |
# | SASS | the machine's own code | registers, and what spills |
#
# None of these steps needs the GPU itself. Compile **your own kernel** for three generations: A100 (sm_80), H200 (sm_90), B200 (sm_100). The first time takes about 10 s.
#
# Click a line of your kernel and follow it down. Where did `tl.dot` go in each generation? (Look for HMMA, HGMMA and UTCHMMA.)

# %% look_stages
meta = dict(dtype=torch.float16, device="meta")  # shapes without memory: nothing is run
x, w = torch.empty(4096, 4096, **meta), torch.empty(4096, 4096, **meta)
viz.compile_stages(compile_stages(linear, x, w, 128, 128, 64, 8, 3))

# %% [markdown]
# Bigger tiles load less. But on sm_80 and sm_90 the accumulator of a tile lives in registers (sm_100 has a memory of its own for it): `BLOCK_M * BLOCK_N` float32 numbers, shared by
# `32 * num_warps` threads, 32 to a warp, of at most 255 registers each.
# What does not fit **spills** to memory, and is loaded back in the innermost loop: on an H200, `linear` with a tile of 128 × 256 × 64 and 4 warps runs at 87 TFLOP/s, a sixth of
# what the same tile reaches when nothing spills.
# The tiles on their way in wait in shared memory: up to `num_stages` copies of both.
#
# Here is what the compiler makes of `lablib.kernels.matmul` with several tiles. It takes about 10 s the first time.

# %% look_configurations
a, b = torch.empty(4096, 4096, **meta), torch.empty(4096, 4096, **meta).T
names = ("BLOCK_M", "BLOCK_N", "BLOCK_K", "num_warps", "num_stages")
tiles = [(64, 64, 32, 4, 3), (64, 128, 64, 4, 3), (128, 128, 64, 4, 3), (128, 256, 64, 4, 3)]
rows = []
for target in ("sm_80", "sm_90"):
    for tile in tiles:
        code = compile_stages(matmul, a, b, *tile, targets=[target])[0]
        fit = occupancy(gpu(target), code.registers, code.shared_bytes, code.num_warps)
        rows.append({
            "target": target, **dict(zip(names, tile, strict=True)), "registers": code.registers,
            "spills": code.spill_bytes, "shared": code.shared_bytes, "occupancy": fit.fraction,
            "fits": fit.programs_per_sm > 0 and code.spill_bytes == 0,
        })  # fmt: skip
viz.configuration_table(rows)

# %% [markdown]
# **Your task.** `choose_tile(target)` returns the arguments that `matmul` should have on `"sm_80"` and on `"sm_90"`, as a dict with the keys `BLOCK_M`, `BLOCK_N`, `BLOCK_K`, `num_warps`, `num_stages`.
# The compiler judges, for float16 operands laid out as above:
# * no spills, and shared memory that fits;
# * the generation's own matrix instruction (HMMA, HGMMA) in the SASS, at least three stages, `BLOCK_K` at least 32;
# * at least 64 operations for each float16 number loaded on sm_80, and at least 85 on sm_90. A tile does BLOCK_M · BLOCK_N operations, counting a multiplication and its addition as one, for BLOCK_M + BLOCK_N numbers loaded.
#
# (What fits is not yet what is fastest. On the H200, 128 × 128 × 64 with 8 warps reaches 543 TFLOP/s, no less than the 535 of a larger tile that meets the rule for sm_90: two
# small programs on an SM can do as well as one large. `triton.autotune` measures; today you only rule out what cannot be good.)
#
# <details><summary>Hint 1: how large</summary>
#
# Which tiles reach 64? Which reach 85?
# </details>
# <details><summary>Hint 2: too many registers</summary>
#
# More warps share the same accumulator.
# </details>
# <details><summary>Hint 3: try</summary>
#
# `compile_stages(matmul, a, b, **choose_tile("sm_90"), targets=["sm_90"])[0].spill_bytes`
# </details>


# %% choose_tile tags=["solution"]
def choose_tile(target):
    ### BEGIN SOLUTION
    if target == "sm_80":
        return {"BLOCK_M": 128, "BLOCK_N": 128, "BLOCK_K": 64, "num_warps": 8, "num_stages": 3}
    return {"BLOCK_M": 128, "BLOCK_N": 256, "BLOCK_K": 64, "num_warps": 8, "num_stages": 3}
    ### END SOLUTION


# %% test_choose_tile tags=["test", "core"] points=10 hours=1.0 covers=["commodity_hardware", "lo2"]
def judge_tile(target, opcode, least):
    tile = choose_tile(target)
    keys = ["BLOCK_K", "BLOCK_M", "BLOCK_N", "num_stages", "num_warps"]
    check.equal(sorted(tile), keys, name="the keys of choose_tile")
    reuse = tile["BLOCK_M"] * tile["BLOCK_N"] / (tile["BLOCK_M"] + tile["BLOCK_N"])
    assert reuse >= least, f"{target}: {reuse:.1f} operations a number loaded, expected at least {least}."
    assert tile["num_stages"] >= 3, f"{target}: expected num_stages of at least 3, got {tile}."
    assert tile["BLOCK_K"] >= 32, f"{target}: expected BLOCK_K of at least 32, got {tile}."
    a, b = (torch.empty(4096, 4096, dtype=torch.float16, device="meta") for _ in range(2))
    check.machine_code(matmul, a, b.T, **tile, target=target, instructions=[opcode])


judge_tile("sm_90", "HGMMA", least=85)
### BEGIN HIDDEN TESTS
judge_tile("sm_80", "HMMA", least=64)
### END HIDDEN TESTS

# %% [markdown]
# ### Diagnose from counters (stretch)
#
# On a GPU you rarely see a fault. You see counters, and infer it. Here are the counters of four runs of one copy kernel. All four give the right answer.


# %% counters tags=["setup"]
def counters(function, *args, least):
    """What a profiler would tell of one call; `least` is the fewest bytes that it must load."""
    seen = trace(function, *args)
    return {
        "loaded_bytes": seen.loaded_bytes,
        "sector_bytes": 32 * seen.sectors("load"),
        "least_bytes": least,
        "lanes": sum(a.lanes for a in seen.accesses if a.op == "load"),
        "active_lanes": sum(a.offsets.size for a in seen.accesses if a.op == "load"),
    }


@triton.jit
def _copy_kernel(x_ptr, y_ptr, stride_m, stride_n, N, BLOCK: tl.constexpr, TIMES: tl.constexpr):
    row = tl.program_id(0)
    columns = tl.arange(0, BLOCK)
    for _ in range(TIMES):
        x = tl.load(x_ptr + row * stride_m + columns * stride_n, mask=columns < N, other=0.0)
        tl.store(y_ptr + row * N + columns, x, mask=columns < N)


def copy_rows(x, BLOCK=None, TIMES=1):
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    BLOCK = BLOCK or triton.next_power_of_2(x.shape[1])
    _copy_kernel[(x.shape[0],)](x, y, *x.stride(), x.shape[1], BLOCK=BLOCK, TIMES=TIMES)
    return y


# %% look_counters
x = torch.randn(64, 64, device=device.DEVICE)
cases = {"A": (x,), "B": (x, 64, 3), "C": (x.T,), "D": (x, 512)}
table = {name: counters(copy_rows, *args, least=x.nbytes) for name, args in cases.items()}
print(" " * 14, *(f"{name:>8}" for name in table))
for counter in table["A"]:
    print(f"{counter:14}", *(f"{table[name][counter]:8}" for name in table))

# %% [markdown]
# The memory system moves **sectors** of 32 bytes. A load that wants 4 bytes of a sector moves all 32.
#
# **Your task.** `diagnose(c)` takes such a dict and returns one of
# * `"reloads"`: elements are loaded more often than they need be;
# * `"strided"`: the sectors moved have more than twice the bytes that were loaded, because most of each is not used;
# * `"idle lanes"`: more than half the lanes are masked off;
# * `"healthy"`: none of these. Rows that start in the middle of a sector are healthy: they cost one sector more each, not eight times as many.
#
# Every kernel has at most one fault. The counters come from kernels of other shapes, with rows of at least 50 elements of 2, 4 or 8 bytes.
#
# <details><summary>Hint 1: compare, do not memorise</summary>
#
# All counters grow with the array. Which ratio of two of them does not?
# </details>
# <details><summary>Hint 2: three ratios</summary>
#
# Loaded over least, sectors over loaded, active lanes over lanes.
# </details>
# <details><summary>Hint 3: what grows with the element</summary>
#
# A column of elements of 8 bytes uses a quarter of each sector, one of 2 bytes a sixteenth.
# </details>


# %% diagnose tags=["solution"]
def diagnose(c):
    ### BEGIN SOLUTION
    if c["loaded_bytes"] > c["least_bytes"]:
        return "reloads"
    if c["sector_bytes"] > 2 * c["loaded_bytes"]:
        return "strided"
    if 2 * c["active_lanes"] < c["lanes"]:
        return "idle lanes"
    return "healthy"
    ### END SOLUTION


# %% test_diagnose tags=["test", "stretch"] points=5 hours=0.5 covers=["commodity_hardware", "lo1"]
x = check.rng.normal(64, 64)
visible = {"A": (x,), "B": (x, 64, 3), "C": (x.T,), "D": (x, 512)}
diagnoses = [diagnose(counters(copy_rows, *args, least=x.nbytes)) for args in visible.values()]
faults = ["healthy", "reloads", "strided", "idle lanes"]
check.equal(diagnoses, faults, name="your diagnoses of A, B, C, D")
### BEGIN HIDDEN TESTS
for dtype in (torch.float16, torch.float32, torch.float64):
    M, N = check.rng.choice(8, 16), check.rng.choice(50, 64)
    x = check.rng.normal(M, N, dtype=dtype)
    wide = check.rng.normal(M, N + 13, dtype=dtype)[:, 5 : N + 5]
    tall = check.rng.normal(N, M, dtype=dtype).T
    hidden = [("healthy", x), ("healthy", wide), ("reloads", x, 64, 2), ("strided", tall)]
    hidden += [("idle lanes", x, 128), ("idle lanes", x, 256)]
    for fault, *args in hidden:
        seen = counters(copy_rows, *args, least=M * N * x.element_size())
        check.equal(diagnose(seen), fault, name=f"the diagnosis of a {dtype} kernel")
### END HIDDEN TESTS

# %% [markdown]
# ## Measure and explain
#
# The counters are exact, but they are not seconds. Here are seconds. With a GPU the cell measures yours; without one it shows an H200's, as recorded. (The first
# bar is 4.7 × the last. Four trips in place of two explain a factor of 2. For the rest: PyTorch's two kernels together move 1.7 TB/s, where a copy on that GPU moves 4.2.)

# %% look_seconds
import json
from pathlib import Path

from lablib.gpu.bench import median_seconds

recorded = json.loads(Path("assets/h200.json").read_text())
softmax_rows = recorded["softmax_t, 16384 × 8192 float16"]
machine = recorded["machine"]
if not device.INTERPRETED:
    machine = torch.cuda.get_device_name()
    x = torch.randn(16384, 8192, **half)

    def two_calls(x, t):
        return torch.softmax(x / t, -1)

    timed = {"eager: x / t, then softmax": two_calls, "softmax_t": softmax_t}
    softmax_rows = [{"name": name, "seconds": median_seconds(f, x, 0.7)} for name, f in timed.items()]
viz.compare_bars(
    [{"name": row["name"], "value": row["seconds"]} for row in softmax_rows],
    "s",
    title=f"Softmax with a temperature, 16384 × 8192 float16, on {machine}",
)

# %% [markdown]
# And the product whose order of programs you chose, 8192 × 8192 × 16384, on the H200. (`benchmarks/lab06.py` runs it: the kernel of exercise 3 without its masks, in the order of `serpentine_tile`, with tiles of 128 × 128 × 64 and four stages.)

# %% look_order_seconds
order_rows = recorded["program order, 8192 × 8192 × 16384 float16"]
for row in order_rows:
    if row["GROUP_M"] in runs:
        gigabytes = runs[row["GROUP_M"]].bytes_from_memory / 1e9
        time, rate = 1e3 * row["seconds"], row["flops_per_s"] / 1e12
        print(f"GROUP_M = {row['GROUP_M']:2}: {time:.2f} ms, {rate:.0f} TFLOP/s; model: {gigabytes:.2f} GB from memory")
seconds = {row["GROUP_M"]: row["seconds"] for row in order_rows}
print(f"\nGROUP_M = 8 against 2: {fewer:.2f} × fewer bytes from memory, {seconds[2] / seconds[8]:.2f} × shorter.")

# %% [markdown]
# Why? A GPU loads and multiplies at the same time, so the **longer** of the two sets the floor. The roofline draws it: at low **arithmetic intensity** (operations for a byte from memory)
# a kernel lies under the slope, and fewer bytes make it faster; to the right of the ridge it lies under the flat roof, and only more operations a second do.

# %% look_roofline
flops, elements = 2 * 8192 * 8192 * 16384, 16384 * 8192
points = [
    {"name": f"GROUP_M = {g}", "flops": flops, "bytes": runs[g].bytes_from_memory, "seconds": seconds[g]}
    for g in (2, 8)
]
for row in recorded["softmax_t, 16384 × 8192 float16"]:
    if row["name"] != "torch.compile":
        trips = 2 if row["name"] == "softmax_t" else 4  # reads and writes of the whole matrix
        points.append(
            {"name": row["name"], "flops": 5 * elements, "bytes": trips * 2 * elements, "seconds": row["seconds"]}
        )
roof = {"name": "H200, datasheet", "flops_per_s": h200.flops_per_s, "bytes_per_s": h200.bytes_per_s}
viz.roofline(points, [roof])

# %% [markdown]
# **Explain** (in at most 200 words, in the cell below). You predicted one ratio of bytes; the model gave another; the clock gave a third.
# 1. Why does the model differ from your formula here? What did your formula assume that 132 SMs do not do?
# 2. Why is the time nearly the same, although the bytes are not? Compute, from the datasheet's rates, how long the H200 needs for the arithmetic and for the bytes at `GROUP_M = 2`, each alone.
# 3. Name one change to the product's shape, or to the GPU, that would make the order of programs matter for the time. Say why.

# %% explain_order [markdown] tags=["manual", "core"] points=10 hours=0.5 covers=["commodity_hardware", "lo2", "lo3"]
# ### BEGIN SOLUTION
# 1. The formula takes waves that fill a group exactly: 128 programs, a rectangle of 2 × 64 or 8 × 16 tiles. The H200 runs 132, so a wave ends inside a column or reaches over into the
#    next group. With `GROUP_M = 2` every wave reaches over, and the next group runs back: the wave meets its own columns again and needs fewer panels of W, 53 panels a wave in place of 66.
#    With `GROUP_M = 8` it needs more: 17 columns in place of 16, and now and then the rows of two groups, 26 panels a wave in place of 24. The formula gives 66 / 24 = 2.75, the model 2.04.
# 2. The arithmetic is 2 · 8192 · 8192 · 16384 = 2.2 · 10¹² operations: 2.2 ms at 989 TFLOP/s. At `GROUP_M = 2` the model moves 6.8 GB: 1.4 ms at 4.8 TB/s. The two overlap, and the
#    arithmetic takes longer, so the bytes were hidden already. The kernel runs at about half the arithmetic roof in both cases (4.3 and 4.1 ms): what limits it lies mostly inside the SM.
# 3. Anything that raises the time for bytes above the time for arithmetic: smaller tiles (fewer operations for a byte), a GPU with less bandwidth, a smaller L2, or faster matrix
#    units. And a kernel that comes nearer to the arithmetic roof: at 2.2 ms it would hide less.
# ### END SOLUTION

# %% rubric_explain_order [markdown] tags=["rubric"]
# **10 points.**
# * 3: says that waves of 132 do not fill groups, so they are not the rectangle of the formula (1 for naming the assumption only; 3 with a consequence: fewer panels where a wave turns back over its own columns, or more where it reaches over).
# * 4: 2 for about 2.2 ms of arithmetic and about 1.4 ms of traffic from the datasheet's rates; 2 for concluding that traffic hides behind arithmetic, so that fewer bytes do not shorten it.
# * 3: a change that raises traffic relative to arithmetic (smaller tiles, less bandwidth, smaller L2, faster matrix units), with the reason (1 for a change without one).
# * Claims that the model or the measurement is wrong earn nothing unless a number backs them.

# %% record_figures
from lablib.ledger import record

# Your figures are kept in labs/ledger.json: lab18 fills the tables of its claims and its essay from there.
record("lab06_triton_kernels", {
    "ridge_ops_per_byte": lambda: ridge,
    "group_2_over_8_bytes_ratio": lambda: fewer,
    "group_2_over_8_bytes_ratio_predicted": lambda: predicted,
})  # fmt: skip

# %% [markdown]
# ## What to take along
#
# * Count bytes before you write. Elementwise work is worth a kernel when it deletes a trip to memory.
# * A tile is reuse. Its size is bounded by registers, and the compiler tells you when you pass the bound.
# * What runs at the same time shares the cache. Blocks share more than lines.
# * A counter tells you what a kernel does. Only with the roof beside it does it tell you what to do next.
#
# **Next:** lab07 turns the softmax into an online one, and fuses it between two products: flash attention. lab05 finds such fusions in a graph by itself.
#
# **Sources**
# * Tillet, Kung, Cox: *Triton: an intermediate language and compiler for tiled neural network computations*, MAPL 2019. The programming model.
# * Williams, Waterman, Patterson: *Roofline: an insightful visual performance model*, CACM 52(4), 2009. Roof, ridge, arithmetic intensity.
# * Hong, Kung: *I/O complexity: the red-blue pebble game*, STOC 1981. Why tiles, and how few bytes a product can do with.
# * Milakov, Gimelshein: *Online normalizer calculation for softmax*, arXiv:1805.02867, 2018. Safe softmax and its passes.
# * NVIDIA: H200 datasheet; *CUDA C++ Programming Guide*, "Compute capabilities"; *PTX ISA*. Limits and instructions.
