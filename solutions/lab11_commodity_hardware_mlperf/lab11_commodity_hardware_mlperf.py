# %% [markdown]
# # Lab 11 · Commodity hardware, and MLPerf
#
# An H200 does 989 TFLOP/s, says its datasheet. Give it lab02's ViT, one image at a time, and it can do no more than 27: under 3%. (Exercise 1 computes it.) Nobody lied. A peak says what a machine does when
# everything goes well; what you get depends on bytes, on caches, on **when** the questions come, and on how long the one who asks will wait. MLPerf is the agreement of an industry on how to ask.
#
# **After it you can**
# 1. measure the roofs of any machine, and say which of them holds a model back;
# 2. choose the tiles of a loop so that a cache serves it, and predict the misses;
# 3. run MLPerf's own load generator in its four scenarios, and read its verdict;
# 4. write a dynamic batcher that meets a latency bound with the least work;
# 5. turn a model to int8, prove its accuracy, and report a result that conforms;
# 6. tell the time to train from logs, and refuse runs that do not count.
#
# | | |
# |---|---|
# | Time | about 11½ hours: core 10 h, stretch 1½ h (the diagnosis in 4, and exercise 7) |
# | Needs | lab00. Of lab02: FLOPs, bytes, the roofline |
# | Machine | any CPU, no GPU needed. Cells that measure say how long they take on two idle cores; all others take less than 5 s |
# | Grading | no check reads a clock: what must be measured is shown, what is graded is counted or simulated. About 5 core-seconds |
# | Points | 100 |
#
# Where your answers run in grading, `lablib.gpu.cache_lines`, `lablib.kernels.matmul_int8` and `lablib.serving.logs` are absent: they hold what exercises 2, 5 and 6 ask for. In your notebook they are there, to look with.

# %% setup tags=["setup"] withhold=["lablib.gpu.cache_lines", "lablib.kernels.matmul_int8", "lablib.serving.logs"]
import lablib

lablib.require("0.1")

from lablib import device  # isort: skip  (before triton: it decides whether kernels are interpreted)

import json
import math
from copy import copy, deepcopy
from functools import partial

import torch
from torch import nn

from lablib import check, viz
from lablib.data.digits import digits
from lablib.data.graphs import karate_club
from lablib.gpu.ledger import ledger
from lablib.gpu.specs import gpu
from lablib.models.cnn import CNN
from lablib.models.cnn3d import CNN3D
from lablib.models.diffusion import UNet
from lablib.models.gcn import GCN, normalised_adjacency
from lablib.models.gpt import GPT
from lablib.models.vae import VAE
from lablib.models.vit import ViT
from lablib.models.weights import load

device.seed(0)
vit = load(ViT(), "vit").eval().requires_grad_(False)

# %% [markdown]
# ## 1 · The roofs of a machine
#
# A machine has two speeds: it computes so many operations a second, and its memory moves so many bytes a second. Both are found by **probes**: a large product that computes nearly all of the
# time, and a copy that does nothing but move. Here are a few. (About 5 s; it takes up to 1 GiB of memory for a moment.)

# %% look_probes
from lablib.gpu import cpu_roofs

caches = cpu_roofs.cache_sizes()
probes = cpu_roofs.probes()
print("caches of this machine:", ", ".join(f"{name} {size >> 10:,} KiB" for name, size in caches.items()))
for row in probes:
    rate, moved = row["flops"] / row["seconds"] / 1e9, row["bytes"] / row["seconds"] / 1e9
    print(f"{row['name']:18} {rate:7.1f} GFLOP/s {moved:7.1f} GB/s")

# %% [markdown]
# The small copies are fast, because they never reach memory: both arrays stay in a cache. Only a copy that is **larger than the last cache** tells of memory. To be safe, we ask for twice its size.
# And since other programs use the machine too, a probe can only come out too slow: a roof is the **best** that any valid probe reached, not the mean.
#
# Under these roofs, an operation takes at least the longer of computing and moving:
#
# $$t = \max\left(\frac{\text{FLOPs}}{\text{FLOP/s}},\ \frac{\text{bytes}}{\text{B/s}}\right)$$
#
# By hand, with 100 FLOP/s and 10 B/s: a product of 600 FLOPs and 20 bytes takes 6 s (it computes), an addition of 5 FLOPs and 40 bytes takes 4 s (it moves). A model runs one after the other: **10 s**, of which 40% wait for memory.
# Add up first, and you get max(6.05, 6) = 6.05 s. That would be right only if the addition could move while the product computes.
#
# **Your task.** Two functions in one cell.
# * `machine_roofs(probes, cache_bytes)` returns `{"flops_per_s": …, "bytes_per_s": …}`. `probes` are dicts as above (`flops`, `bytes`, `working_set` and `seconds`), in any order; `cache_bytes` is the size of the last cache. For bytes, only
#   probes count whose `working_set` is at least twice `cache_bytes`; where there is none, raise `ValueError`. For FLOPs, all count.
# * `model_time(rows, roofs)`: `rows` are pairs (FLOPs, bytes), one an operation. It returns `{"seconds": …, "memory_share": …}`: the bound of the whole, and the part of these seconds that belongs to operations which take longer to move than to compute.
#
# <details><summary>Hint 1: roofs</summary>Each roof is a maximum over probes, of a rate. Which probes stand in which maximum?</details>
# <details><summary>Hint 2: the whole</summary>A sum of maxima is not the maximum of sums.</details>
# <details><summary>Hint 3: the share</summary>It is a share of seconds, not of operations: in the example above it is 4 / 10, not 1 / 2.</details>


# %% machine_roofs tags=["solution"]
def machine_roofs(probes, cache_bytes):
    ### BEGIN SOLUTION
    from_memory = [p["bytes"] / p["seconds"] for p in probes if p["working_set"] >= 2 * cache_bytes]
    if not from_memory:
        raise ValueError(f"No probe touches {2 * cache_bytes} bytes: all may have stayed in the cache.")
    return {"flops_per_s": max(p["flops"] / p["seconds"] for p in probes), "bytes_per_s": max(from_memory)}
    ### END SOLUTION


def model_time(rows, roofs):
    ### BEGIN SOLUTION
    times = [(flops / roofs["flops_per_s"], moved / roofs["bytes_per_s"]) for flops, moved in rows]
    seconds = sum(max(pair) for pair in times)
    waiting = sum(moving for computing, moving in times if moving > computing)
    return {"seconds": seconds, "memory_share": waiting / seconds}
    ### END SOLUTION


# %% test_machine_roofs tags=["test", "core"] points=10 hours=1.0 covers=["commodity_hardware", "lo2"]
def random_probes(count, cache_bytes):
    rows = []
    for number in range(count):
        inside = number % 2 == 0
        size = check.rng.choice(1, 2 * cache_bytes) if inside else check.rng.choice(2, 9) * cache_bytes
        flops = check.rng.choice(10**6, 10**9) if number % 3 else 0
        seconds = check.rng.choice(1, 50) * (1e-6 if inside else 1e-5)
        rows.append({"name": str(number), "flops": flops, "bytes": size, "working_set": size, "seconds": seconds})
    return rows


def judge_roofs(count, cache_bytes):
    rows = random_probes(count, cache_bytes)
    got = machine_roofs(rows, cache_bytes)
    check.equal(sorted(got), ["bytes_per_s", "flops_per_s"], name="the keys of machine_roofs")
    computing = max(r["flops"] / r["seconds"] for r in rows)
    moving = max(r["bytes"] / r["seconds"] for r in rows if r["working_set"] >= 2 * cache_bytes)
    assert math.isclose(got["flops_per_s"], computing), (
        f"flops_per_s is {got['flops_per_s']:g}, expected {computing:g}."
    )
    assert math.isclose(got["bytes_per_s"], moving), f"bytes_per_s is {got['bytes_per_s']:g}, expected {moving:g}."


def judge_time(rows, flops_per_s, bytes_per_s):
    seconds = sum(max(f / flops_per_s, b / bytes_per_s) for f, b in rows)
    moving = sum(b / bytes_per_s for f, b in rows if b / bytes_per_s > f / flops_per_s)
    got = model_time(rows, {"flops_per_s": flops_per_s, "bytes_per_s": bytes_per_s})
    check.equal(sorted(got), ["memory_share", "seconds"], name="the keys of model_time")
    assert math.isclose(got["seconds"], seconds), f"it takes {got['seconds']:g} s, expected {seconds:g} s."
    share = moving / seconds
    assert math.isclose(got["memory_share"], share), f"memory_share is {got['memory_share']:g}, expected {share:g}."


judge_roofs(8, check.rng.choice(1000, 2000))
judge_time([(600, 20), (5, 40)], 100.0, 10.0)
### BEGIN HIDDEN TESTS
for count in (5, 20):
    judge_roofs(count, check.rng.choice(10**5, 10**7))
cache = check.rng.choice(100, 200)
edge = [
    dict(flops=0, bytes=2 * cache - less, working_set=2 * cache - less, seconds=1e-3 / (1 + 2 * less))
    for less in (0, 1)
]
got = machine_roofs(edge, cache)["bytes_per_s"]
assert math.isclose(got, 2000 * cache), f"with probes of twice the cache and a byte less, bytes_per_s is {got:g}."
check.raises(ValueError, machine_roofs, [{**edge[1], "working_set": cache}], cache)
for count in (1, 30):
    rows = [(check.rng.choice(1, 10**6), check.rng.choice(1, 10**5)) for _ in range(count)]
    judge_time(rows, float(check.rng.choice(10, 100)), float(check.rng.choice(1, 10)))
### END HIDDEN TESTS

# %% [markdown]
# Now every model of lab02 to lab04, at the size in which it comes: vision models with 32 inputs at once, a GPT that reads 128 characters, and the same GPT writing its next one. The ledger counts
# FLOPs and bytes of each operation, as lab02 did. (About 5 s.)
#
# Which models lie left of the ridge of *your* machine, and wait for memory?


# %% zoo tags=["setup"]
class Writes(nn.Module):
    """A GPT that writes character 128, again at each call: its cache of 127 is as before."""

    def __init__(self, gpt):
        super().__init__()
        self.gpt, past = gpt, gpt.cache()
        gpt(torch.zeros(1, 127, dtype=torch.int64), past)
        self.past = past

    def forward(self, token):
        return self.gpt(token, [copy(one) for one in self.past])


def zoo():
    """Models of lab02 to lab04 with inputs: by name, a module and the inputs of one call."""
    club, gpt = karate_club(), GPT().eval().requires_grad_(False)
    graph = normalised_adjacency(club.offsets, club.columns)
    return {
        "CNN": (CNN().eval(), torch.zeros(32, 1, 28, 28)),
        "3D CNN": (CNN3D().eval(), torch.zeros(32, 1, 6, 16, 16)),
        "ViT": (vit, torch.zeros(32, 1, 28, 28)),
        "GPT reads": (gpt, torch.zeros(1, 128, dtype=torch.int64)),
        "GPT writes": (Writes(gpt), torch.zeros(1, 1, dtype=torch.int64)),
        "GCN": (GCN(34, 16, 2).eval(), club.x, graph),
        "VAE": (VAE().eval(), torch.zeros(32, 1, 8, 8)),
        "U-Net step": (UNet().eval(), torch.zeros(32, 1, 8, 8), torch.ones(32, dtype=torch.int64)),
    }


# %% look_models
last_cache = max(caches.values(), default=32 * 2**20)
roofs = machine_roofs(probes, min(last_cache, probes[-1]["working_set"] // 2))  # the largest copy must do
points, waiting = [], {}
for name, (model, *inputs) in zoo().items():
    rows = [(row.flops, row.bytes) for row in ledger(model, *inputs).rows]
    seconds = cpu_roofs.best_seconds(partial(model.requires_grad_(False), *inputs), repeats=2)
    bound = model_time(rows, roofs)
    flops, moved = (sum(column) for column in zip(*rows, strict=True))
    points.append({"name": name, "flops": flops, "bytes": moved, "seconds": seconds})
    waiting[name] = bound["memory_share"]
    share = f"{waiting[name]:4.0%} waits for memory"
    print(f"{name:11} bound {1e3 * bound['seconds']:7.3f} ms, measured {1e3 * seconds:7.3f} ms, {share}")
h200 = gpu("sm_90")
rows = [(row.flops, row.bytes) for row in ledger(vit, torch.zeros(1, 1, 28, 28)).rows]
rate = sum(f for f, _ in rows) / model_time(rows, vars(h200))["seconds"]
print(
    f"The ViT on an H200, one image at a time: at most {rate / 1e12:.0f} TFLOP/s, {rate / h200.flops_per_s:.1%} of its peak"
)
viz.roofline(points, [{"name": "this machine", **roofs}])

# %% [markdown]
# Two things to see. A small model may run **above** its roof: all of its bytes fit into a cache, so the memory that the roof speaks of is never asked. And many run far below: the bound knows nothing of the microseconds that
# PyTorch needs to start an operation. A roof is what a machine cannot exceed for lack of bytes or operations; it is no forecast.
#
# ## 2 · Tiles for a cache
#
# On a GPU you place tiles in shared memory by hand (lab06). On a CPU nobody places anything: a cache keeps what was used last, in **lines** of 64 bytes, and the order of your loops decides what that is. Step through eight accesses
# in a cache of 2 sets with 2 ways, that is, of four lines: three elements of a column whose rows lie 256 bytes apart, the same three again, and two more. Why does the second time find nothing, although half of the cache is empty?

# %% look_cache_fill
import numpy as np

from lablib.gpu.cache_lines import Cache, history, matmul_addresses, play

column = np.array([0, 256, 512, 0, 256, 512, 64, 512])
viz.cache_fill(history(column, Cache(256, ways=2)), sets=2, ways=2)

# %% [markdown]
# The low part of a line's number says in which set it must stand. Rows that lie a power of two apart all want the same set: a **conflict**. Real caches have 8 to 16 ways, so it takes more rows, but a matrix of 4096 columns
# does it. Here a product in tiles of 16, with rows that lie 4096 bytes apart, or 64 bytes more. Misses come in three kinds: **compulsory** (never seen before), **capacity** (no cache of this size keeps it), **conflict** (the set was full, others were not):

# %% look_conflicts
l1 = Cache(8 * 1024, ways=4)  # a quarter of a small CPU's
for row_bytes in (4096, 4096 + 64):
    seen = play(matmul_addresses((48, 48, 48), (16, 16, 16), [row_bytes] * 3), l1)
    kinds = f"{seen.compulsory} compulsory, {seen.capacity} capacity, {seen.conflict} conflict"
    print(f"rows {row_bytes} bytes apart: {seen.total} misses ({kinds})")

# %% [markdown]
# Padding a row cures conflicts; only tiles cure **capacity**. So let a line stand anywhere (a fully associative cache), and look for the best tiles. The loops are these:
#
# ```text
# for i0, j0, k0 in steps of the tile:          # i0 outermost, k0 innermost
#     for i: for k: for j in steps of 16:       # inside the tile; 16 floats are one line
#         C[i, j:j+16] += A[i, k] * B[k, j:j+16]
# ```
#
# A is (M, K), B is (K, N), C is (M, N), float32. A tile is (m, n, k). Two things can stay in the cache while the loops go on, and each needs room:
#
# * the **tile of B**, k × n, is used again for every row i of the tile. Between two uses of one of its lines come the rest of it, two rows of C's tile (n each), and of A's tile the end of one row and the beginning of the next: a row (k), and one line more. If all that fits, it stays.
# * the **tile of C**, m × n, is used again in the next step k0. Between two uses come all of it, two tiles of B, and the tile of A (m × k).
#
# If B's tile stays, B is loaded once for every step i0: M / m times in all. A is loaded N / n times. C is loaded **once** if its tile stays too, or if k is all of K; otherwise K / k times.
#
# By hand: M = N = K = 64, so each matrix has 256 lines. With tiles (64, 32, 32), B's tile takes 64 lines, two rows of C's 4, A's row 2 and one line more: 71. In a cache of 128 lines it stays. C's tile would need 128 + 2 · 64 + 128: it does not.
# So A is loaded twice (512), B once (256), C twice (512): **1280** misses. The simulator agrees, and untiled there are 16896:

# %% look_tile
for tile in [(64, 64, 64), (16, 16, 16), (64, 32, 32)]:
    print(tile, play(matmul_addresses((64, 64, 64), tile), Cache(128 * 64)).total, "misses")

# %% [markdown]
# **Your task.** `choose_tile(shape, lines)` returns a tile (m, n, k), ints, for `shape` = (M, N, K) and a cache of `lines` lines, such that the simulator counts at most **1.1 times the misses of the best tile** that we find.
# * N and K are multiples of 16; n must be one too. 1 ≤ m ≤ M, n ≤ N, 1 ≤ k ≤ K; tiles at the edge may be smaller. Each operand starts at a line.
# * M, N, K are between 24 and 100, the cache has 40 to 160 lines of 64 bytes, and is smaller than the three matrices together.
# * The simulator is not there in grading. Your function should take less than a second.
#
# <details><summary>Hint 1: what to minimise</summary>Write the misses of a tile as a formula of (m, n, k), from the three sentences above. Count in lines: 16 floats each. A row of A's tile takes ⌈k / 16⌉, and one more if k neither divides 16 nor is a multiple of it.</details>
# <details><summary>Hint 2: how to find the minimum</summary>There are fewer than 100 · 6 · 100 tiles. Try all; it takes a tenth of a second. Skip tiles for which not even B's tile stays.</details>
# <details><summary>Hint 3: the last ten percent</summary>If k is no multiple of 16, tiles of A begin in the middle of a line, and that line is loaded for both, unless C's tile stays. Multiples of 16 and all of K are good choices for k; with k = 1 much of C can stay.</details>


# %% choose_tile tags=["solution"]
def choose_tile(shape, lines):
    ### BEGIN SOLUTION
    M, N, K = shape

    def misses(m, n, k):
        row_a = -(-k // 16) + (k % 16 > 0 and 16 % k > 0)  # one more where a row begins in the middle of a line
        tile_a, tile_b, tile_c, row_c = m * row_a, k * n // 16, m * n // 16, n // 16
        if tile_b + 2 * row_c + row_a + 1 > lines:
            return math.inf
        stays = k == K or tile_c + 2 * tile_b + tile_a <= lines
        cut = 0 if stays else sum(first % 16 > 0 for first in range(0, K, k))
        a, b, c = M * (K // 16 + cut), K * N // 16, M * N // 16
        return a * -(-N // n) + b * -(-M // m) + c * (1 if stays else -(-K // k))

    tiles = ((m, n, k) for m in range(1, M + 1) for n in range(16, N + 1, 16) for k in range(1, K + 1))
    return min(tiles, key=lambda tile: misses(*tile))
    ### END SOLUTION


# %% test_choose_tile tags=["test", "core"] points=14 hours=2.0 covers=["commodity_hardware", "lo2", "lo3"]
from itertools import product

from lablib.gpu.cache_lines import Cache, matmul_addresses, play


def least_misses(shape, lines):
    M, N, K = shape
    ms = sorted({-(-M // parts) for parts in range(1, 5)})
    ns = sorted({16 * -(-N // (16 * parts)) for parts in range(1, 5)})
    return min(play(matmul_addresses(shape, t), Cache(64 * lines)).total for t in product(ms, ns, {1, 16, 32, K}))


def judge_tile(shape, lines):
    tile = choose_tile(shape, lines)
    inside = all(type(size) is int and 1 <= size <= most for size, most in zip(tile, shape, strict=True))
    assert inside and tile[1] % 16 == 0, (
        f"choose_tile({shape}, {lines}) is {tile}: expected ints from 1 to the matrix's size, n in steps of 16."
    )
    got, best = play(matmul_addresses(shape, tile), Cache(64 * lines)).total, least_misses(shape, lines)
    assert got <= 1.1 * best, f"choose_tile({shape}, {lines}) is {tile}: {got} misses, and a tile with {best} exists."


judge_tile((64, 64, 48), 64)
### BEGIN HIDDEN TESTS
wide = [((56, 48, 80), 78), ((35, 48, 48), 43), ((34, 48, 80), 47)]
stationary = [((26, 32, 64), 99), ((28, 32, 64), 104), ((24, 32, 80), 96)]
tall = [((47, 48, 64), 72), ((79, 32, 32), 50), ((44, 48, 64), 72)]
for cases in (wide, stationary, tall):
    judge_tile(*cases[check.rng.choice(0, len(cases))])
judge_tile((92, 80, 32), 70)  # where a tile of B just does not stay
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Four ways to ask
#
# A server is fast *for a way of being asked*. MLPerf Inference knows four, and each has a metric of its own:
#
# | scenario | LoadGen sends | like | metric |
# |---|---|---|---|
# | SingleStream | one sample, the next when it is answered | a phone's camera | 90th percentile of latency |
# | MultiStream | eight samples at once, the next eight when they are answered | a car's cameras | 99th percentile of latency |
# | Server | single samples at random moments, at a rate that you promise | a web service | that rate, if a percentile of latencies meets a bound |
# | Offline | all samples at once | an archive to be labelled | samples a second |
#
# **LoadGen** is MLPerf's own program for this. It decides when samples come, and measures. You write the **system under test** (SUT): it gets *samples*, each with an id and the index of an input, and must report an answer for every id, exactly once. Who
# answers early may; who asks the model for eight at once may. But **results may not be cached**: an index that comes twice must be computed twice.
#
# In Offline you see all samples beforehand. For images that is just large batches. For **sentences of different length** there is more: a batch is padded to its longest, and padding is computed for nothing. Four sentences of lengths 2, 9, 3, 8 in
# batches of two: as they come, 2 · 9 + 2 · 8 = 34 places; longest first, 2 · 9 + 2 · 3 = **24**, and 22 of them are used.
#
# **Your task.** `answer(samples, lengths, predict, complete, most)` answers one query.
# * `samples`: a list of (id, index). `lengths[index]` is the length of an input.
# * `predict(indices)` runs the model on a batch of at most `most` indices, and returns a list of answers. `complete(ids, answers)` reports.
# * Batches are as few as possible, and the samples go into them **longest first** (equal lengths in any order).
# * **Each batch is reported before the next one is computed**, in one call of `complete`, so that nobody waits for others.
# * An empty query calls neither.
#
# <details><summary>Hint 1: order</summary><code>sorted(samples, key=…, reverse=True)</code></details>
# <details><summary>Hint 2: batches</summary>Slices of the sorted list: <code>range(0, len(samples), most)</code>.</details>
# <details><summary>Hint 3: a trap</summary>A dict from index to answer would be a cache: an index that comes twice must go to <code>predict</code> twice.</details>


# %% answer tags=["solution"]
def answer(samples, lengths, predict, complete, most):
    ### BEGIN SOLUTION
    ordered = sorted(samples, key=lambda sample: lengths[sample[1]], reverse=True)
    for first in range(0, len(ordered), most):
        batch = ordered[first : first + most]
        complete([one for one, _ in batch], predict([index for _, index in batch]))
    ### END SOLUTION


# %% test_answer tags=["test", "core"] points=12 hours=1.0 covers=["mlperf", "lo1"]
class Model:
    """Stands for LoadGen and a model: takes note of each call, in order."""

    def __init__(self, count, most):
        self.lengths = [check.rng.choice(1, 12) for _ in range(count)]
        self.salt, self.most, self.calls = check.rng.choice(1, 10**6), most, []

    def predict(self, indices):
        indices = list(indices)
        assert 0 < len(indices) <= self.most, f"predict got {len(indices)} indices; a batch holds 1 to {self.most}."
        self.calls.append(("predict", indices))
        return [self.salt + index for index in indices]

    def complete(self, ids, answers):
        self.calls.append(("complete", list(zip(ids, answers, strict=True))))


def judge_answer(count, asked, most):
    model = Model(count, most)
    samples = [(7919 * n + model.salt, check.rng.choice(0, count)) for n in range(asked)]
    answer(samples, model.lengths, model.predict, model.complete, most)
    batches = -(-asked // most)
    check.equal([name for name, _ in model.calls], ["predict", "complete"] * batches, name="the order of calls")
    computed = [index for name, found in model.calls if name == "predict" for index in found]
    longest = sorted((model.lengths[index] for _, index in samples), reverse=True)
    check.equal([model.lengths[index] for index in computed], longest, name="lengths in the order of computing")
    told = [pair for name, found in model.calls if name == "complete" for pair in found]
    want = sorted((one, model.salt + index) for one, index in samples)
    check.equal(sorted(told), want, name="pairs of id and answer, sorted")
    sizes = [[len(found) for name, found in model.calls if name == kind] for kind in ("complete", "predict")]
    check.equal(*sizes, name="ids in each call of complete")


judge_answer(count=20, asked=11, most=4)
### BEGIN HIDDEN TESTS
judge_answer(count=50, asked=1, most=8)
judge_answer(count=10, asked=64, most=16)
judge_answer(count=200, asked=101, most=32)
judge_answer(count=5, asked=0, most=3)
### END HIDDEN TESTS

# %% [markdown]
# Now the real LoadGen asks, about a CNN that reads digits of 8 × 8 pixels. LoadGen must be told beforehand how fast the server might be, so that it prepares enough questions: a probe measures that, and we promise twice as much.
# The runs last a second, an official one ten minutes. (The cell takes about 10 s. If a run is INVALID, LoadGen says why.)

# %% serve tags=["setup"]
cnn, digit_images = load(CNN(), "cnn_digits").eval().requires_grad_(False), digits().test_x


def classify(indices, model=cnn, inputs=digit_images):
    """The classes of some test images, one batch."""
    with torch.inference_mode():
        return model(inputs[indices]).argmax(1).tolist()


# %% look_scenarios
from lablib.serving import batching, loadgen


def sut(predict, most=32, lengths=(1,) * 1000):
    """A system under test: your function, around a model. Images all have one length."""
    return loadgen.answering(lambda samples, complete: answer(samples, lengths, predict, complete, most))


speed = loadgen.probe(sut(classify), len(digit_images))
print(f"probe: {speed:.0f} images a second in batches of 32\n")
for scenario in loadgen.SCENARIOS:
    rate = 100 if scenario == "Server" else 2 * speed
    result = loadgen.run(scenario, sut(classify), len(digit_images), rate=rate).result
    verdict = "VALID" if result["valid"] else f"INVALID: {', '.join(result['reasons'])}"
    print(f"{scenario:13} {verdict:8} {result['value']:12,.0f} {result['unit']:4} {result['metric']}")

# %% [markdown]
# LoadGen's SingleStream metric is not quite the 90th percentile of what it saw, but a little more: an **early stopping** estimate, which with 99% confidence is not below the true one. The fewer queries, the larger the margin, and below 64 queries
# (662 for a 99th percentile) there is no verdict at all. That is why our bound will be on the 90th percentile when LoadGen asks, and on the 99th in the simulation.
#
# ## 4 · A batcher that waits as long as it may
#
# In Server, samples come one by one at random moments. Answer each at once, and every batch has size one. But a batch of 32 takes far less than 32 times as long as a batch of one: **waiting for company costs latency and saves work.** How long may one wait? As
# long as the oldest query still gets its answer in time, and not a microsecond longer.
#
# To grade that without a clock, time is **virtual**: whole microseconds, and a batch of n takes `service[n - 1]` of them, exactly. The simulator asks your policy whenever the server is free and somebody waits. Here is a policy that never waits:


# %% greedy tags=["setup"]
def greedy(now, waiting, service, bound):
    """Run whoever waits, at once."""
    return min(len(waiting), len(service)), None


def poisson_arrivals(count, per_second):
    """Times in microseconds of queries that come at random, as in LoadGen's Server."""
    gaps = -torch.log1p(-check.rng.uniform(count).double().clamp(max=0.999999)) * 1e6 / per_second
    return gaps.cumsum(0).long().tolist()


def affine(start, each, most):
    """Service times of a server that needs ``start`` to begin and ``each`` for a query, in microseconds."""
    return [start + each * n for n in range(1, most + 1)]


# %% look_greedy
service, bound = affine(2000, 100, 32), 20_000
loads = {}
for rate in (300, 1200, 3000, 5500, 6500):
    arrivals = poisson_arrivals(600, rate)
    served = batching.simulate(greedy, arrivals, service, bound)
    busy = served.busy / (arrivals[-1] + served.latencies[-1])
    loads[f"{rate} queries/s"] = {"arrivals": arrivals, "latencies": served.latencies}
    print(f"{rate:5} queries/s: {len(arrivals) / len(served.batches):5.1f} a batch, server busy {busy:4.0%}")
viz.queue_latency(loads, bound)

# %% [markdown]
# Move the slider. Up to a rate, the queue is short and latencies are far below the bound: the server works hard for small batches, and uses none of the time that it has. Beyond a rate, the queue only grows, and no batcher helps: this server's
# best is 32 queries in 5200 µs, 6154 a second.
#
# **Your task.** `decide(now, waiting, service, bound)`; all times are ints, in microseconds.
# * `waiting`: arrival times of those who wait, oldest first, never empty. `service[n - 1]` is the time of a batch of n; its length is the largest batch. It never falls as n grows, but may **jump**.
# * Return `(n, None)` to run the n oldest now, or `(0, wake)` with `wake` > `now` to be asked again at `wake`, or when the next query comes if that is earlier.
# * At most 1% of queries may take longer than `bound`, at up to 90% of the best rate.
# * The server may be busy at most 5% longer than with our solution. (At a twentieth of the best rate ours is busy about a quarter as long as the greedy one.)
# * In the tests `bound` is at least 1.7 times the time of the batch with the best rate. If somebody is late already, get on with it.
#
# <details><summary>Hint 1: the deadline</summary>The oldest must be answered at <code>waiting[0] + bound</code>. So a batch of n must start no later than …</details>
# <details><summary>Hint 2: who comes along</summary>If not all who wait fit before that deadline, run as many as fit, now: waiting would only make it worse.</details>
# <details><summary>Hint 3: when to wake</summary>If all fit, one more may come. Wait until the last moment at which a batch of <b>one more</b> still meets the deadline; if that has come, run.</details>


# %% decide tags=["solution"]
def decide(now, waiting, service, bound):
    ### BEGIN SOLUTION
    deadline, most = waiting[0] + bound, min(len(waiting), len(service))
    fitting = [n for n in range(1, most + 1) if now + service[n - 1] <= deadline]
    if not fitting:
        return most, None
    n = fitting[-1]
    if n < len(waiting) or n == len(service):
        return n, None
    wake = deadline - service[n]
    return (n, None) if wake <= now else (0, wake)
    ### END SOLUTION


# %% look_decide
for name, policy in [("greedy", greedy), ("decide", decide)]:
    arrivals = poisson_arrivals(600, 1200)
    served = batching.simulate(policy, arrivals, service, bound)
    slow = batching.percentile(served.latencies, 0.99)
    print(
        f"{name}: {len(arrivals) / len(served.batches):5.1f} a batch, busy {served.busy / 1e3:.0f} ms, 99th percentile {slow} µs"
    )

# %% test_decide tags=["test", "core"] points=12 hours=2.0 covers=["mlperf", "lo1", "lo3"]
from lablib.serving import batching


def judge_decide(service, bound, load, count, most_busy):
    best = max(n / time for n, time in enumerate(service, start=1))
    arrivals = poisson_arrivals(count, load * best * 1e6)
    served = batching.simulate(decide, arrivals, service, bound)
    late = served.late(bound)
    what = f"at {load:.0%} of the best rate, with a bound of {bound} µs"
    assert late <= count // 100, f"{what}: {late} of {count} queries are late, expected at most {count // 100}."
    most = most_busy(arrivals)
    assert served.busy <= most, f"{what}: the server is busy for {served.busy} µs, expected at most {most:.0f}."


def third_of_greedy(arrivals):
    return batching.simulate(greedy, arrivals, affine(2000, 100, 32), 20_000).busy / 3


judge_decide(affine(2000, 100, 32), 20_000, load=0.1, count=300, most_busy=third_of_greedy)


### BEGIN HIDDEN TESTS
def ours(now, waiting, service, bound):
    deadline, most = waiting[0] + bound, min(len(waiting), len(service))
    fitting = [n for n in range(1, most + 1) if now + service[n - 1] <= deadline]
    if not fitting or fitting[-1] < len(waiting) or fitting[-1] == len(service):
        return (fitting or [most])[-1], None
    wake = deadline - service[fitting[-1]]
    return (fitting[-1], None) if wake <= now else (0, wake)


def nearly_ours(service, bound):
    return lambda arrivals: 1.05 * batching.simulate(ours, arrivals, service, bound).busy


scale = check.rng.choice(2, 9)
jump = [scale * (2000 + 200 * n) * (3 if n > 24 else 1) for n in range(1, 65)]
plain, flat = affine(2000 * scale, 100 * scale, 32), affine(5000 * scale, 20 * scale, 64)
for times, bound, share, count in [
    (plain, 20_000 * scale, 0.05, 200),
    (plain, 9_000 * scale, 0.5, 300),
    (plain, 20_000 * scale, 0.9, 400),
    (jump, 20_000 * scale, 0.9, 400),
    (flat, 25_000 * scale, 0.2, 300),
]:
    judge_decide(times, bound, share, count, nearly_ours(times, bound))
late = decide(10**6, [0, 1], [10, 20, 30], 100)
check.equal(late, (2, None), name="what decide does when everybody is late already")
### END HIDDEN TESTS

# %% [markdown]
# The same policy on a real clock, under LoadGen: the service times of this machine are measured first. (About 4 s. A real machine is not as punctual as a simulation, so the policy is told a bound of 100 ms, and LoadGen 300.)

# %% look_real_batcher
from lablib.serving import batching, loadgen

sizes = [1, 2, 4, 8, 16, 32]
measured = batching.measured_service(classify, sizes)
print("service times of this machine, µs:", {n: measured[n - 1] for n in sizes})
for name, policy in [("greedy", greedy), ("decide", decide)]:
    batches = []

    def counted(indices, batches=batches):
        batches.append(len(indices))
        return classify(indices)

    server = batching.worker(policy, counted, measured, 100_000)
    result = loadgen.run("Server", server, len(digit_images), rate=150, bound=0.3).result
    verdict = "VALID" if result["valid"] else "INVALID"
    print(f"{name}: {verdict} at {result['value']:.0f} queries/s, {sum(batches) / len(batches):.1f} images a batch")

# %% [markdown]
# ### Diagnose from counters (stretch)
#
# A run in Server was INVALID: too many queries came late. LoadGen does not say why. The counters of the simulator do.


# %% counters tags=["setup"]
def counters(policy, arrivals, service, bound):
    """What a server could tell of a run; times in microseconds."""
    from lablib.serving import batching

    served = batching.simulate(policy, arrivals, service, bound)
    return {
        "queries": len(arrivals), "late": served.late(bound), "bound": bound, "span": arrivals[-1] - arrivals[0],
        "busy": served.busy, "held": served.held, "backlog": served.backlog, "largest_batch": len(service),
        "longest_service": max(service[size - 1] for _, size in served.batches),
    }  # fmt: skip


def patient(now, waiting, service, bound):
    """Wait until the oldest is nearly late, and forget that a batch takes time."""
    wake = waiting[0] + bound
    return (0, wake) if now < wake and len(waiting) < len(service) else (min(len(waiting), len(service)), None)


def careful(now, waiting, service, bound):
    """Wait, but leave time for the slowest batch."""
    return patient(now, waiting, service, bound - service[-1])


# %% look_counters
alone = [300] + [30_000] * 63  # fast for a single query only
cases = {
    "A": (greedy, poisson_arrivals(400, 1500), affine(2000, 100, 32), 20_000),
    "B": (greedy, poisson_arrivals(400, 15_000), affine(2000, 100, 32), 20_000),
    "C": (patient, poisson_arrivals(400, 400), affine(2000, 100, 32), 20_000),
    "D": (greedy, poisson_arrivals(400, 2000), alone, 20_000),
}
table = {name: counters(*case) for name, case in cases.items()}
print(" " * 16, *(f"{name:>8}" for name in table))
for counter in table["A"]:
    print(f"{counter:16}", *(f"{table[name][counter]:8}" for name in table))

# %% [markdown]
# `span`: from the first arrival to the last. `busy`: time in which a batch ran. `held`: time in which the server was free although somebody waited. `backlog`: queries that were not answered yet when the last one came.
# `longest_service`: the time of its slowest batch.
#
# **Your task.** `diagnose(c)` takes such a dict and says what is wrong:
# * `"healthy"`: nothing; at most 1% of queries are late, whatever else the counters say.
# * `"batches too slow"`: it ran batches that alone take longer than the bound. Whoever is in one is late, and whoever waits for it too.
# * `"overloaded"`: queries come faster than the server can answer, in batches of any size.
# * `"waits too long"`: the server was free, and held queries back until they were late.
#
# A run has one fault at most, but the fault may have consequences: in D a queue grows as well. Which of these four runs has which? The runs in the tests have other times, rates and policies; some of those that are healthy wait, and some are busy all of the time.
#
# <details><summary>Hint 1: compare, do not memorise</summary>All times grow with the server's. Which counters belong together, so that their ratio does not?</details>
# <details><summary>Hint 2: cause before consequence</summary>A batch that is too slow makes a queue. A queue does not make a batch too slow.</details>
# <details><summary>Hint 3: the last two</summary>An overloaded server never holds anybody back, and is left with a backlog of many batches.</details>


# %% diagnose tags=["solution"]
def diagnose(c):
    ### BEGIN SOLUTION
    if 100 * c["late"] <= c["queries"]:
        return "healthy"
    if c["longest_service"] > c["bound"]:
        return "batches too slow"
    if c["backlog"] > 2 * c["largest_batch"]:
        return "overloaded"
    return "waits too long"
    ### END SOLUTION


# %% test_diagnose tags=["test", "stretch"] points=4 hours=0.5 covers=["mlperf", "lo1"]
def judge_diagnoses(scale):
    plain = affine(2000 * scale, 100 * scale, 32)
    alone = [300 * scale] + [30_000 * scale] * 63
    cases = [
        ("healthy", greedy, 1500, plain), ("overloaded", greedy, 15_000, plain), ("healthy", careful, 900, plain),
        ("waits too long", patient, 400, plain), ("batches too slow", greedy, 2000, alone),
    ]  # fmt: skip
    for want, policy, rate, service in cases:
        told = counters(policy, poisson_arrivals(400, rate / scale), service, 20_000 * scale)
        check.equal(diagnose(told), want, name=f"the diagnosis of {told}")


judge_diagnoses(1)
### BEGIN HIDDEN TESTS
judge_diagnoses(check.rng.choice(2, 20))
told = counters(careful, poisson_arrivals(400, 900), affine(2000, 100, 32), 20_000)
for late, want in [(4, "healthy"), (0, "healthy")]:
    check.equal(diagnose({**told, "late": late}), want, name=f"the diagnosis of a run with {late} of 400 queries late")
few = counters(greedy, poisson_arrivals(4, 1000), [9000], 10_000)
rare = {**few, "queries": 400, "late": 2, "longest_service": 12_000}
check.equal(diagnose(rare), "healthy", name="the diagnosis of a run with one slow batch and 2 of 400 queries late")
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · Faster is no excuse: int8, accuracy mode, and a result that conforms
#
# A model that answers at random is very fast. So MLPerf asks every performance run for an **accuracy run** of the same system: LoadGen sends each sample of the data set exactly once, and logs the answers. In the closed division the accuracy must reach
# **99% of the float32 model's** (99.9% for some models). You may quantise, but not train again.
#
# **Symmetric int8** keeps w ≈ q · s, with q a whole number from −127 to 127. A row (0.5, −2, 1) has the scale s = 2 / 127 and becomes (32, −127, 64): a quarter of the bytes. One scale for each **row** of a weight matrix costs nothing, since a row makes one output:
#
# $$y_o = \sum_i x_i\, w_{oi} \approx s_x\, s_o \sum_i q_i\, q_{oi}$$
#
# The sum is over whole numbers, so an int32 holds it exactly, and the two scales wait until it is done. One scale for the whole matrix would let the largest row spoil the others:

# %% look_scales
w = torch.tensor([[0.5, -2.0, 1.0], [0.004, 0.003, -0.005]])
for name, scale in [("one scale", w.abs().max() / 127), ("one a row", w.abs().amax(1, keepdim=True) / 127)]:
    print(f"{name}: whole numbers {(w / scale).round().int().tolist()}")

# %% [markdown]
# **Your task.** Two functions in one cell.
# * `quantise(x)`: float32, shape (…, N), no NaN. It returns `(q, scale)`: `q` int8, of x's shape; `scale` float32, of shape (…), one for each row (the last axis): its largest magnitude / 127, and 1 for a row of zeros. Round to the nearest, to even in the middle (`torch.round`).
# * `int8_linear(x, q, scale, bias)`: `x` (…, I) float32 is quantised row by row as above; `q` (O, I) int8 and `scale` (O,) are a quantised weight, `bias` (O,) float32. It returns (…, O) float32: the sum over whole numbers **exactly**, then the scales, then the bias.
#
# <details><summary>Hint 1: rows</summary><code>x.abs().amax(-1)</code>, and <code>scale[..., None]</code> to divide.</details>
# <details><summary>Hint 2: exactly</summary>127 · 127 · I passes 2²⁴ soon, and from there float32 skips whole numbers. int32 holds the sum; so does float64, up to 2⁵³, and on a CPU its product is the faster one.</details>
# <details><summary>Hint 3: nearly there</summary><code>(q_x.double() @ q.double().T)</code>, then to float32, times <code>scale_x[..., None]</code>, times <code>scale</code>, plus bias.</details>


# %% int8_model tags=["setup"]
gpt = load(GPT(), "gpt").eval().requires_grad_(False)


class Int8Linear(nn.Module):
    """A linear layer that holds int8 weights, and computes with the functions that it is given."""

    def __init__(self, layer, quantise, linear):
        super().__init__()
        (self.q, self.scale), self.bias, self.linear = quantise(layer.weight), layer.bias, linear

    def forward(self, x):
        return self.linear(x, self.q, self.scale, self.bias if self.bias is not None else torch.zeros_like(self.scale))


def to_int8(model, quantise, linear):
    """A copy of a model whose linear layers are int8."""
    model = deepcopy(model)
    for module in list(model.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, nn.Linear):
                setattr(module, name, Int8Linear(layer, quantise, linear))
    return model


# %% quantise tags=["solution"]
def quantise(x):
    ### BEGIN SOLUTION
    scale = x.abs().amax(-1) / 127
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return torch.round(x / scale[..., None]).to(torch.int8), scale
    ### END SOLUTION


def int8_linear(x, q, scale, bias):
    ### BEGIN SOLUTION
    q_x, scale_x = quantise(x)
    return (q_x.double() @ q.double().T).float() * scale_x[..., None] * scale + bias
    ### END SOLUTION


# %% test_quantise tags=["test", "core"] points=8 hours=1.0 covers=["quantisation", "mlperf", "lo4"]
from lablib.data.austen import austen
from lablib.data.mnist import mnist


def quantise_oracle(x):
    scale = x.abs().amax(-1) / 127
    scale[scale == 0] = 1.0
    return torch.round(x / scale[..., None]).to(torch.int8), scale


def judge_quantise(x):
    got, want = quantise(x), quantise_oracle(x)
    check.close(got[1], want[1], rtol=1e-6, name=f"the scales of x with shape {tuple(x.shape)}")
    assert got[0].dtype == torch.int8, f"quantise gives {got[0].dtype} numbers, expected torch.int8."
    error = (got[0].double() * want[1].double()[..., None] - x.double()).abs().amax(-1)
    most = 0.501 * want[1].double()  # half a step, and float32's own rounding
    assert bool((error <= most).all()), (
        f"q · scale is up to {float((error / want[1]).max()):.2f} steps off, expected 0.5."
    )


def judge_linear(x, w, bias):
    q, scale = quantise_oracle(w)
    q_x, scale_x = quantise_oracle(x)
    sums = (q_x.double() @ q.double().T).float()
    want = sums * scale_x[..., None] * scale + bias
    check.close(int8_linear(x, q, scale, bias), want, rtol=2e-6, name=f"int8_linear of shapes {x.shape} and {w.shape}")


x, w = check.rng.normal(4, 9), check.rng.normal(5, 9) * check.rng.uniform(5, 1, low=0.01, high=1)
judge_quantise(w)
judge_linear(x, w, check.rng.normal(5))
### BEGIN HIDDEN TESTS
x = check.rng.normal(2, 3, 40)
x[1, 1] = 0
judge_quantise(x)
halves = torch.tensor([[127.0, 0.5, 1.5, 2.5, -0.5, -127.0]], device=x.device)
check.equal(quantise(halves)[0].tolist(), [[127, 0, 2, 2, 0, -127]], name="the whole numbers of a row with halves")
w = check.rng.normal(7, 40)
w[3] = 0
judge_linear(x, w, check.rng.normal(7))
# Sums that grow to 10**9 and fall back to a few: float32 has lost those on the way.
x, w = check.rng.integers(50, 128, 2, 100_000), check.rng.integers(50, 128, 3, 100_000)
x[:, 0] = w[:, 0] = 127
x, w = torch.cat([x, x], 1), torch.cat([w, -w], 1)
w[:, -1] += check.rng.choice(1, 9)
ones, zeros = torch.ones(3, device=x.device), torch.zeros(3, device=x.device)
got = int8_linear(x.float(), w.to(torch.int8), ones, zeros)
check.close(got, (x.double() @ w.double().T).float(), rtol=1e-6, name="int8_linear of whole numbers that cancel")
text = austen().test[:1025]
cases = [(vit, mnist().test_x[:200], mnist().test_y[:200]), (gpt, text[:-1].view(8, 128), text[1:].view(8, 128))]
for model, inputs, truth in cases:
    with torch.no_grad():
        fp32 = (model(inputs).argmax(-1) == truth).sum().item()
        smaller = to_int8(model, quantise, lambda x, q, scale, bias: x @ (q.float() * scale[:, None]).T + bias)
        right = (smaller(inputs).argmax(-1) == truth).sum().item()
    what = f"with your int8 weights a {type(model).__name__} is right {right} times of {truth.numel()}"
    assert right >= 0.99 * fp32, f"{what}, expected 99% of {fp32}."
### END HIDDEN TESTS

# %% [markdown]
# Now a vision model and a language model with all their linear layers in int8, activations too, under LoadGen in accuracy mode: a ViT names digits, a GPT tells the character that follows a piece of a novel. Pieces have different lengths, so here your order of batches saves
# work; what is behind the end of a shorter one changes nothing, because a GPT only looks back. (About 8 s.)

# %% look_accuracy
from lablib.data.austen import austen
from lablib.data.mnist import mnist

images, labels = mnist().test_x[:256], mnist().test_y[:256].tolist()
novel = austen().test
pieces = [novel[150 * n :][: 10 + 37 * n % 110] for n in range(200)]
following = [novel[150 * n + len(piece)].item() for n, piece in enumerate(pieces)]


def next_character(indices, model):
    chosen = [pieces[index] for index in indices]
    with torch.inference_mode():
        logits = model(nn.utils.rnn.pad_sequence(chosen, batch_first=True))
    return [logits[row, len(piece) - 1].argmax().item() for row, piece in enumerate(chosen)]


vit_int8, gpt_int8 = (to_int8(model, quantise, int8_linear) for model in (vit, gpt))
read_int8 = partial(classify, model=vit_int8, inputs=images)
tell_int8 = partial(next_character, model=gpt_int8)
vision, language = sut(read_int8), sut(tell_int8, lengths=[len(piece) for piece in pieces])
accuracy_logs = {
    "ViT": loadgen.run("Offline", vision, len(images), accuracy=True).accuracy,
    "GPT": loadgen.run("Offline", language, len(pieces), accuracy=True).accuracy,
}
performance_runs = {
    name: loadgen.run("Offline", one, count, rate=2 * loadgen.probe(one, 64))
    for name, one, count in [("ViT", vision, len(images)), ("GPT", language, len(pieces))]
}
print(f"{accuracy_logs['ViT'][:170]}…\n")
print(*[line[:96] + " …" for line in performance_runs["ViT"].detail.splitlines() if '"result_' in line][:5], sep="\n")

# %% [markdown]
# That is what a submission hands in: a **detail log** of `:::MLLOG` lines, each a JSON object with a `key` and a `value`, and an **accuracy log**, a JSON list with `qsl_idx` (which input) and `data`: the bytes of the answer in hexadecimal, here an int64, little end first
# (`"0700000000000000"` is 7). `seq_id` only counts.
#
# **Your task.** `submission(detail, accuracy_log, labels, reference)` reads both texts and returns a dict with
# * `scenario`: the value of `effective_scenario`;
# * `result`: the value of the scenario's metric: `early_stopping_latency_ss` (SingleStream), `early_stopping_latency_ms` (MultiStream), `result_completed_samples_per_sec` (Server), `result_samples_per_second` (Offline);
# * `valid`: whether `result_validity` is `"VALID"` **and** `num_errors` is 0;
# * `accuracy`: the share of samples whose answer is their label; `labels[qsl_idx]` is an int;
# * `conforming`: whether it is valid and the accuracy is at least 99% of `reference`.
#
# Where a key comes twice, the last counts; lines of anything else stand in between. Raise `ValueError` if the accuracy log has not **every** sample of `labels` **exactly once**.
#
# <details><summary>Hint 1: lines</summary>Those that start with <code>:::MLLOG</code>; the rest of the line is JSON.</details>
# <details><summary>Hint 2: bytes</summary><code>int.from_bytes(bytes.fromhex(data), "little", signed=True)</code></details>
# <details><summary>Hint 3: exactly once</summary><code>sorted(…) != list(range(len(labels)))</code></details>


# %% submission tags=["solution"]
def submission(detail, accuracy_log, labels, reference):
    ### BEGIN SOLUTION
    metrics = {
        "SingleStream": "early_stopping_latency_ss", "MultiStream": "early_stopping_latency_ms",
        "Server": "result_completed_samples_per_sec", "Offline": "result_samples_per_second",
    }  # fmt: skip
    events = [json.loads(line[8:]) for line in detail.splitlines() if line.startswith(":::MLLOG")]
    last = {event["key"]: event["value"] for event in events}
    rows = json.loads(accuracy_log)
    if sorted(row["qsl_idx"] for row in rows) != list(range(len(labels))):
        raise ValueError(f"The accuracy log has {len(rows)} answers; expected each of {len(labels)} samples once.")
    answers = [(row["qsl_idx"], int.from_bytes(bytes.fromhex(row["data"]), "little", signed=True)) for row in rows]
    accuracy = sum(labels[index] == answer for index, answer in answers) / len(labels)
    valid = last["result_validity"] == "VALID" and last["num_errors"] == 0
    return {
        "scenario": last["effective_scenario"], "result": last[metrics[last["effective_scenario"]]], "valid": valid,
        "accuracy": accuracy, "conforming": valid and accuracy >= 0.99 * reference,
    }  # fmt: skip
    ### END SOLUTION


# %% look_submission
answers_fp32 = {
    "ViT": (classify(range(len(images)), vit, images), labels),
    "GPT": (next_character(range(len(pieces)), gpt), following),
}
kept_by_int8 = {}
for name, (found, truth) in answers_fp32.items():
    right = sum(a == b for a, b in zip(found, truth, strict=True)) / len(truth)
    told = submission(performance_runs[name].detail, accuracy_logs[name], truth, right)
    kept_by_int8[name] = told["accuracy"] / right
    print(f"{name}: float32 {right:.4f}, int8 {told['accuracy']:.4f}, conforming: {told['conforming']}")

# %% test_submission tags=["test", "core"] points=8 hours=1.0 covers=["mlperf", "lo3", "lo4"]
METRICS = {
    "SingleStream": "early_stopping_latency_ss", "MultiStream": "early_stopping_latency_ms",
    "Server": "result_completed_samples_per_sec", "Offline": "result_samples_per_second",
}  # fmt: skip


def write_detail(scenario, validity, errors):
    """A detail log in LoadGen's format, with numbers of its own; and its result."""
    value = check.rng.choice(1000, 10**6)
    keys = [*METRICS.values(), "result_mean_latency_ns", "result_90.00_percentile_latency_ns"]
    pairs = [("requested_scenario", scenario), ("effective_scenario", scenario), ("num_errors", 7)]
    pairs += [(key, check.rng.choice(1000, 10**6)) for key in keys]
    pairs += [(METRICS[scenario], value), ("result_validity", validity), ("num_errors", errors)]
    rows = [f":::MLLOG {json.dumps({'key': key, 'value': v, 'metadata': {'is_error': False}})}" for key, v in pairs]
    return "\n".join(["starting", *rows[:4], "", "loaded :::MLLOG", *rows[4:], ""]), value


def write_accuracy(answers, order):
    rows = [
        (n, index, answers[index].to_bytes(8, "little", signed=True).hex().upper()) for n, index in enumerate(order)
    ]
    return json.dumps([{"seq_id": n, "qsl_idx": index, "data": data} for n, index, data in rows])


def judge_submission(scenario, validity="VALID", errors=0, count=300, wrong=10, reference=0.97):
    detail, value = write_detail(scenario, validity, errors)
    truth = [check.rng.choice(0, 1000) for _ in range(count)]
    order = check.rng.uniform(count).argsort().tolist()
    answers = [label + (index < wrong) for index, label in enumerate(truth)]
    accuracy, valid = (count - wrong) / count, validity == "VALID" and not errors
    got = submission(detail, write_accuracy(answers, order), truth, reference)
    want = {"scenario": scenario, "result": value, "valid": valid, "accuracy": accuracy}
    check.equal({key: got[key] for key in want}, want, name=f"submission of a {validity} run with {errors} errors")
    what = f"conforming, at {accuracy} where float32 has {reference}"
    check.equal(got["conforming"], valid and accuracy >= 0.99 * reference, name=what)
    check.equal(len(got), 5, name="the number of keys")


judge_submission("Offline")
judge_submission("Server", validity="INVALID")
### BEGIN HIDDEN TESTS
for scenario in ("SingleStream", "MultiStream", "Server"):
    judge_submission(scenario)
judge_submission("Offline", errors=1)
judge_submission("Offline", wrong=12, reference=0.97)
judge_submission("Offline", wrong=12, reference=0.965)
judge_submission("Server", wrong=11, reference=0.975)
detail, truth = write_detail("Offline", "VALID", 0)[0], [check.rng.choice(0, 10) for _ in range(40)]
for order in ([*range(39)], [*range(40), 3], [*range(39), 3], [*range(1, 41)]):
    log = write_accuracy([*truth, 0], order)
    check.raises(ValueError, submission, detail, log, truth, 0.9)
### END HIDDEN TESTS

# %% [markdown]
# ## 6 · Time to train
#
# MLPerf Training asks one thing: how long until the model is **good enough**? Neither samples a second nor accuracy alone can be traded for the other. Training is random, so a result is a set of runs with different seeds: here five. From the rules:
#
# * The clock runs from `run_start` to `run_stop`; the target must have been reached by then.
# * **The fastest and the slowest are dropped**, and the mean of the others is the result.
# * One run that does not reach the target may count as the slowest. With two of them there is no result.
#
# Here are five real runs: the linear model of the handwritten digits, until 93%. (About 3 s.)

# %% look_runs
from lablib.serving.logs import TrainingLog


def epochs(seed, rate=0.05, most=30):
    """Train a linear model on 8 × 8 digits; yield its accuracy on the held-out ones after each epoch."""
    data, generator = digits(), torch.Generator().manual_seed(seed)
    x, test = data.train_x.flatten(1), data.test_x.flatten(1)
    w = 0.01 * torch.randn(64, 10, generator=generator)
    for _ in range(most):
        for rows in torch.randperm(len(x), generator=generator).split(32):
            error = torch.softmax(x[rows] @ w, 1) - nn.functional.one_hot(data.train_y[rows], 10)
            w -= rate * x[rows].T @ error / len(rows)
        yield (test @ w).argmax(1).eq(data.test_y).float().mean().item()


training_logs = []
for seed in range(5):
    log = TrainingLog()
    log.run(epochs(seed), target=0.93, seed=seed)
    training_logs.append(log.text)
lines = training_logs[0].splitlines()
print(*lines[:3], "…", *lines[-2:], sep="\n")

# %% [markdown]
# **Your task.** `time_to_train(logs, target)` takes five texts and returns the result in **minutes** (`time_ms` is in milliseconds), or raises `ValueError`.
# * A run **converged** if the `metadata` of its `run_stop` has `"status": "success"`. Any other status is a run that did not converge.
# * At most one run may not have converged: it counts as the slowest, whatever its clock says.
# * Refuse (`ValueError`): other than five logs; a log without exactly one `run_start`, one `run_stop` and one `seed`; two equal seeds; a stop that is not after its start; a "success" without an `eval_accuracy` of at least `target` between start and stop (by `time_ms`, ends included).
#
# Lines that are no events stand in between. Events come in any order: time is what `time_ms` says.
#
# <details><summary>Hint 1: read</summary>As in exercise 5, but keep all events: of <code>eval_accuracy</code> there are many.</details>
# <details><summary>Hint 2: not converged</summary>Give it an infinite time: sorting then does the rest.</details>
# <details><summary>Hint 3: two of them</summary>After dropping the slowest, an infinite time is still there.</details>


# %% time_to_train tags=["solution"]
def time_to_train(logs, target):
    ### BEGIN SOLUTION
    if len(logs) != 5:
        raise ValueError(f"A result has 5 runs, not {len(logs)}.")
    times, seeds = [], []
    for text in logs:
        events = [json.loads(line[8:]) for line in text.splitlines() if line.startswith(":::MLLOG")]
        one = {}
        for key in ("run_start", "run_stop", "seed"):
            found = [event for event in events if event["key"] == key]
            if len(found) != 1:
                raise ValueError(f"A run has {len(found)} events {key}, not one.")
            one[key] = found[0]
        start, stop = one["run_start"]["time_ms"], one["run_stop"]["time_ms"]
        if stop <= start:
            raise ValueError(f"A run stops at {stop} ms and starts at {start}.")
        seeds.append(one["seed"]["value"])
        converged = one["run_stop"]["metadata"].get("status") == "success"
        quality = [e["value"] for e in events if e["key"] == "eval_accuracy" and start <= e["time_ms"] <= stop]
        if converged and max(quality, default=-math.inf) < target:
            raise ValueError(f"A run claims success, but no evaluation reached {target}.")
        times.append(stop - start if converged else math.inf)
    if len(set(seeds)) < 5:
        raise ValueError(f"Two runs have the same seed: {seeds}.")
    middle = sorted(times)[1:-1]
    if math.inf in middle:
        raise ValueError("More than one run did not converge.")
    return sum(middle) / 3 / 60_000
    ### END SOLUTION


# %% look_time_to_train
print(f"{60 * time_to_train(training_logs, 0.93):.2f} s to 93% on this machine, the mean of the middle three")


# %% test_time_to_train tags=["test", "core"] points=12 hours=1.5 covers=["mlperf", "lo3"]
def event(key, time_ms, value=None, **metadata):
    kind = {"run_start": "INTERVAL_START", "run_stop": "INTERVAL_END"}.get(key, "POINT_IN_TIME")
    row = {"namespace": "", "time_ms": time_ms, "event_type": kind, "key": key, "value": value, "metadata": metadata}
    return f":::MLLOG {json.dumps(row)}"


def write_run(milliseconds, seed, status="success", best=0.9, drop=(), twice=(), late=0, shuffle=False):
    """A log of a run; `late` puts its best evaluation that many milliseconds after the stop."""
    start = check.rng.choice(10**6, 10**9)
    stop = start + milliseconds
    rows = [("seed", event("seed", start - 5, seed)), ("run_start", event("run_start", start))]
    rows += [("eval_accuracy", event("eval_accuracy", start + n, 0.1 * n, epoch_num=n)) for n in range(1, 4)]
    rows += [("eval_accuracy", event("eval_accuracy", stop + late, best, epoch_num=4))]
    rows += [("run_stop", event("run_stop", stop, status=status))]
    rows = [line for key, line in rows if key not in drop for _ in range(2 if key in twice else 1)]
    if shuffle:
        rows = [rows[n] for n in check.rng.uniform(len(rows)).argsort().tolist()]
    return "\n".join(["epoch 1 of 4", *rows, "done"])


def five(*changed, **options):
    """Five good runs with times in random order; the first ones as `changed` says."""
    times = [check.rng.choice(50_000, 900_000) for _ in range(5)]
    seeds = [check.rng.choice(0, 1000) * 5 + n for n in range(5)]
    changes = [*changed, *[{}] * 5]
    runs = [
        write_run(**{"milliseconds": t, "seed": s, **options, **c})
        for t, s, c in zip(times, seeds, changes, strict=False)
    ]
    return runs, times


def judge_minutes(runs, times, name):
    want = sum(sorted(times)[1:4]) / 3 / 60_000
    got = time_to_train(runs, 0.8)
    assert math.isclose(got, want), f"{name}: it takes {got!r} minutes, expected {want!r}."


judge_minutes(*five(), "five good runs")
runs, times = five({"status": "aborted", "best": 0.5})
judge_minutes(runs, [math.inf, *times[1:]], "one run that did not converge")
check.raises(ValueError, time_to_train, five({"best": 0.79})[0], 0.8)
### BEGIN HIDDEN TESTS
judge_minutes(*five(shuffle=True), "events in any order")
judge_minutes(*five({"best": 0.8}), "a run that reaches the target exactly")
runs, times = five({"status": "aborted", "milliseconds": 9})
judge_minutes(runs, [math.inf, *times[1:]], "one run that was given up early")
refused = [
    five({"status": "aborted"}, {"status": "error"})[0], five({"late": 3})[0], five()[0][:4], [*five()[0], write_run(9, 7)],
    five({"seed": 3}, {"seed": 3})[0], five({"milliseconds": -70_000, "status": "aborted"})[0],
]  # fmt: skip
refused += [five({how: (key,)})[0] for how in ("drop", "twice") for key in ("seed", "run_start", "run_stop")]
for runs in refused:
    check.raises(ValueError, time_to_train, runs, 0.8)
### END HIDDEN TESTS

# %% [markdown]
# ## 7 · The right machine (stretch)
#
# The same model, on five machines. Rates are peaks and watts are upper limits from datasheets, so what comes out are **bounds** under one assumption: that each machine is as good as it says. `assets/devices.json` names every source.

# %% devices tags=["setup"]
from pathlib import Path

DEVICES = json.loads(Path("assets/devices.json").read_text())


def needs(model, inputs):
    """What a call of a model needs: operations as (FLOPs, bytes), and bytes of memory for weights and the largest of them."""
    rows = ledger(model, *inputs).rows
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    return {
        "rows": [(row.flops, row.bytes) for row in rows],
        "memory": weights + max(r.read_bytes + r.written_bytes for r in rows),
    }


# %% look_devices
for name, d in DEVICES.items():
    rates = f"{d['flops_per_s'] / 1e12:8.3f} TFLOP/s {d['bytes_per_s'] / 1e9:7.1f} GB/s {d['watts']:6.1f} W"
    print(f"{name:16} {rates} {d['memory_bytes'] / 2**20:10,.0f} MiB")

# %% [markdown]
# A camera asks ten times a second, a data centre a million times. A machine is switched on **all of the time**, so if samples come at a rate, each costs *watts / rate*: the machine with the fewest watts wins, **if it keeps up**. Say that batches of b are filled as samples
# come, one after the other at equal intervals. Then
#
# * a batch must be done before the next is full: its seconds are at most b / rate;
# * the first of a batch waits for b − 1 others, and then for the batch: (b − 1) / rate + seconds are at most the bound.
#
# By hand: at 100 samples a second, a batch of 4 that takes 20 ms keeps up (40 ms), and its first sample waits 30 + 20 = 50 ms.
#
# **Your task.** `best_device(work, devices, rate, bound)` returns the pair (name, batch) with the least energy a sample among those that keep up, meet the bound and have the memory; of several batches on that machine the smallest. None if there is none.
# * `work`: by batch, a dict with `rows`, pairs (FLOPs, bytes) that run one after the other, and `memory`, in bytes.
# * `devices`: by name, a dict with `flops_per_s`, `bytes_per_s`, `watts`, `memory_bytes`. No two have the same watts. `rate` is in samples a second, `bound` in seconds.
#
# <details><summary>Hint 1: seconds</summary>Those of exercise 1. If yours is not finished, it is one line.</details>
# <details><summary>Hint 2: search</summary>All pairs; leave out what has no room, falls behind or is late.</details>
# <details><summary>Hint 3: the best</summary><code>min</code> of tuples (watts, batch, name) compares watts first.</details>


# %% best_device tags=["solution"]
def best_device(work, devices, rate, bound):
    ### BEGIN SOLUTION
    found = []
    for name, d in devices.items():
        for batch, need in work.items():
            seconds = sum(max(f / d["flops_per_s"], b / d["bytes_per_s"]) for f, b in need["rows"])
            keeps_up, waits = seconds * rate <= batch, (batch - 1) / rate + seconds
            if keeps_up and waits <= bound and need["memory"] <= d["memory_bytes"]:
                found.append((d["watts"], batch, name))
    _, batch, name = min(found, default=(0, 0, None))
    return (name, batch) if name else None
    ### END SOLUTION


# %% test_best_device tags=["test", "stretch"] points=10 hours=1.0 covers=["commodity_hardware", "lo3", "lo4"]
def random_device():
    return {
        "flops_per_s": 10.0 ** check.rng.choice(9, 14) * check.rng.choice(1, 10),
        "bytes_per_s": 10.0 ** check.rng.choice(8, 12) * check.rng.choice(1, 10),
        "watts": check.rng.choice(1, 10**9) / 10**6, "memory_bytes": check.rng.choice(10**6, 10**7),
    }  # fmt: skip


def judge_device(rate, bound):
    devices = {f"device {n}": random_device() for n in range(6)}
    single = [(check.rng.choice(10**6, 10**9), check.rng.choice(10**5, 10**8)) for _ in range(6)]
    work, best = {}, {}
    for b in (16, 1, 64, 4):
        rows = [(b * f, m + b * m // 8) for f, m in single]
        work[b] = {"rows": rows, "memory": 500_000 + check.rng.choice(10**4, 10**5) * b}
    for name, d in devices.items():
        for b, need in work.items():
            seconds = sum(max(f / d["flops_per_s"], m / d["bytes_per_s"]) for f, m in need["rows"])
            in_time = seconds <= b / rate and (b - 1) / rate + seconds <= bound
            if in_time and need["memory"] <= d["memory_bytes"]:
                best[name, b] = d["watts"], b
    want = min(best, key=best.__getitem__, default=None)
    name = f"best_device at {rate} samples a second within {bound} s"
    check.equal(best_device(work, devices, rate, bound), want, name=name)


simple = {"flops_per_s": 100.0, "bytes_per_s": 10.0, "watts": 5.0, "memory_bytes": 100}
four = {4: {"rows": [(600, 20), (5, 40)], "memory": 100}}  # 10 s; at 0.25 samples a second the first waits 12 more
check.equal(best_device(four, {"it": simple}, 0.25, 22.0), ("it", 4), name="best_device where one just fits")
for rate in (1, 10, 100, 1000):
    judge_device(rate, 0.5)
### BEGIN HIDDEN TESTS
for rate in (1, 10, 100, 1000, 10_000):
    for bound in (0.005, 0.05, 0.5, 5.0):
        judge_device(rate, bound)
check.equal(best_device(four, {"it": simple}, 0.25, 21.9), None, name="best_device where all are late")
check.equal(best_device(four, {"it": simple}, 0.41, 99.0), None, name="best_device where none keeps up")
check.equal(
    best_device(four, {"it": {**simple, "memory_bytes": 99}}, 0.25, 22.0), None, name="best_device without room"
)
### END HIDDEN TESTS

# %% [markdown]
# And for our models? The bound is 100 ms. Before you run it: which machine, at ten samples a second, and at a million?

# %% look_best_devices
with_batch = {
    "CNN": lambda b: (CNN().eval(), [torch.zeros(b, 1, 28, 28)]),
    "ViT": lambda b: (vit, [torch.zeros(b, 1, 28, 28)]),
    "GPT reads 128": lambda b: (GPT().eval(), [torch.zeros(b, 128, dtype=torch.int64)]),
}
for name, make in with_batch.items():
    work = {b: needs(*make(b)) for b in (1, 16, 128)}
    fastest = min(DEVICES, key=lambda n: model_time(work[1]["rows"], DEVICES[n])["seconds"])
    print(f"{name}: the fastest for one sample is the {fastest}. The thriftiest,")
    for rate in (10, 1000, 100_000, 1_000_000):
        print(f"    at {rate:9,} a second: {best_device(work, DEVICES, rate, 0.1)}")

# %% [markdown]
# ## Measure and explain
#
# The ViT answers one image at a time, and 32 at a time. How many times more images a second does the batch give? Exercise 1 predicts it, from the roofs that you measured. **Lock the prediction first.**

# %% lock_prediction
seconds_of = {}
for batch in (1, 32):
    rows = [(row.flops, row.bytes) for row in ledger(vit, torch.zeros(batch, 1, 28, 28)).rows]
    seconds_of[batch] = model_time(rows, roofs)["seconds"] / batch
predicted = check.lock("images a second, batches of 32 over single images", seconds_of[1] / seconds_of[32])

# %% [markdown]
# Now the measurement: LoadGen's Offline, with batches of at most 1, 4 and 32. (About 6 s. No check looks at it.)

# %% look_batches
offline = {}
for most in (1, 4, 32):
    server = sut(partial(classify, model=vit, inputs=images), most)
    promised = 2 * loadgen.probe(server, 64)
    offline[most] = loadgen.run("Offline", server, len(images), seconds=0.7, rate=promised).result["value"]
operations = len(ledger(vit, torch.zeros(1, 1, 28, 28)).rows)
print("Offline, by the largest batch:", {most: f"{rate:.0f} images/s" for most, rate in offline.items()})
print(f"measured {offline[32] / offline[1]:.2f} ×, predicted {predicted:.2f} ×")
print(f"one image: bound {1e6 * seconds_of[1]:.0f} µs, measured {1e6 / offline[1]:.0f} µs, {operations} operations")
print(f"an image of 32: bound {1e6 * seconds_of[32]:.0f} µs, measured {1e6 / offline[32]:.0f} µs")

# %% [markdown]
# **Explain** (in at most 200 words, in the cell below).
# 1. What does the bound leave out, so that a single image takes so much longer than it? Give the missing time for one operation, from the numbers above.
# 2. Use that time to correct the prediction: what ratio would you expect now? (A batch of 32 starts as many operations as a single image.) What is still missing?
# 3. In which of LoadGen's four scenarios would you *not* notice what you found, and why?

# %% explain_batches [markdown] tags=["manual", "core"] points=10 hours=0.5 covers=["commodity_hardware", "mlperf", "lo2", "lo3"]
# ### BEGIN SOLUTION
# 1. The bound counts arithmetic and bytes only. PyTorch must also start each operation: look up the kernel, allocate the result, start threads. On one machine a single image took 1500 µs against a bound of 300 µs, with 61 operations:
#    (1500 − 300) / 61 = 20 µs an operation.
# 2. A batch of 32 has the same 61 operations, so its overhead is 1200 / 32 = 38 µs an image. With a bound of 250 µs an image in the batch: (300 + 1200) / (250 + 38) = 5.2 ×, where the bounds alone gave 1.2 ×. Still missing: the bytes of small
#    batches come from a cache and are faster than the memory roof says; products of a few rows do not reach the roof for FLOPs; and LoadGen and Python take some µs a query.
# 3. Offline: it sends all samples at once, so every batch is full and the overhead is shared. (With a batcher, Server at a high rate hides it too; SingleStream shows all of it.)
# ### END SOLUTION

# %% rubric_explain_batches [markdown] tags=["rubric"]
# **10 points.** Numbers are those of the student's machine; what counts is that they follow from what the cells printed.
# * 4: names the cost of starting operations (dispatch, allocation), and divides the missing time by the number of operations (2 for the cause alone).
# * 4: 2 for adding this overhead to both times and dividing by 32 in the batch; 2 for one thing that is still missing (caches, low rates of small products, Python or LoadGen), with a reason.
# * 2: Offline, since full batches share the overhead.
# * "PyTorch is slow" without a number earns nothing.

# %% record_figures
from lablib.ledger import record

# Your figures are kept in labs/ledger.json: lab18 fills the tables of its claims and its essay from there.
record("lab11_commodity_hardware_mlperf", {
    "vit_accuracy_kept_int8": lambda: kept_by_int8["ViT"],
    "gpt_accuracy_kept_int8": lambda: kept_by_int8["GPT"],
    "vit_memory_bound_time_share": lambda: waiting["ViT"],
    "gpt_writing_memory_bound_time_share": lambda: waiting["GPT writes"],
    "vit_batch_32_rate_ratio": lambda: offline[32] / offline[1],
})  # fmt: skip

# %% [markdown]
# ## What to take along
#
# * A roof is a maximum of valid probes, and no forecast. A model's bound is a sum of maxima.
# * A cache keeps what was used last. Tiles decide what that is, and a formula with three terms finds them.
# * "How fast?" has no answer before "asked how, and until when?". Waiting is a resource: spend it up to the bound.
# * A result is a speed **and** an accuracy **and** a log that others can check.
#
# **Next:** lab12 builds the hardware itself. lab08 and lab09 go further with what int8 began.
#
# **Sources**
# * Reddi et al.: *MLPerf Inference benchmark*, ISCA 2020, arXiv:1911.02549; MLCommons: *Inference rules*, and LoadGen's source. Scenarios, metrics, accuracy targets.
# * Mattson et al.: *MLPerf Training benchmark*, MLSys 2020, arXiv:1910.01500; MLCommons: *Training rules*, "Benchmark results"; *mlperf_logging*. Time to train, logs.
# * Williams, Waterman, Patterson: *Roofline: an insightful visual performance model*, CACM 52(4), 2009.
# * Hill, Smith: *Evaluating associativity in CPU caches*, IEEE Transactions on Computers 38(12), 1989. Compulsory, capacity, conflict.
# * Crankshaw et al.: *Clipper: a low-latency online prediction serving system*, NSDI 2017. Batching under a latency bound.
# * Jouppi et al.: *TPU v4*, ISCA 2023, arXiv:2304.01433; datasheets as named in `assets/devices.json`.
