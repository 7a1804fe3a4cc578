# %% [markdown]
# # Lab 07 · Flash attention: a matrix that is never there
#
# Take attention of 64 heads over 4096 positions, 128 numbers each, in bfloat16. Its matrix of scores has 64 · 4096² entries: 2.1 GB. To write the scores, read them for the softmax, write the
# probabilities and read them again is 8.6 GB. On an H200, whose memory copies 4.25 TB/s, these four trips alone take **2.0 ms**. The flash attention kernel of `lablib` does
# *all* of attention there in **0.84 ms**, measured.
#
# It does not do less arithmetic. It never writes the matrix. (`assets/h200_kernels.json` has the measurements of one H200 that this lab quotes, with versions.)
#
# **After it you can**
# 1. take a softmax of a row that you never see as a whole, and say why the pieces may come in any order;
# 2. write attention as one kernel that keeps its scores on the chip, skips what a causal mask hides, and moves exactly the bytes that you predicted;
# 3. write its backward pass, which computes the probabilities again because that is cheaper than keeping them;
# 4. load keys once for all heads that share them, and say how traffic depends on the size of a block.
#
# | | |
# |---|---|
# | Time | about 11 hours: core 10 h, stretch 1 h (`best_blocks` in 5, and the diagnosis in 6) |
# | Needs | lab06: tiles, masks, `tl.dot`. lab03's attention helps |
# | Machine | any. Without a GPU kernels run in Triton's interpreter. No cell takes more than 20 s |
# | Grading | about 4 core-seconds a hand-in |
# | Points | 100 |
#
# **In every exercise with a kernel** the kernels do the work: torch may allocate and view, nothing else. Arguments stay as they were. No kernel touches anything outside its
# tensors. Tensors are contiguous, in the shapes that are named. Attention here is softmax(q · kᵀ / √D) · v, with D numbers to a head.

# %% setup tags=["setup"]
import lablib

lablib.require("0.1")

from lablib import device  # isort: skip  (before triton: it decides whether kernels are interpreted)

import math

import torch
import triton
import triton.language as tl

from lablib import check, viz
from lablib.gpu.compile import compile_stages
from lablib.gpu.specs import gpu
from lablib.gpu.trace import trace

device.seed(0)
half = dict(dtype=torch.float16, device=device.DEVICE)
print(device.describe())

# %% [markdown]
# ## 1 · A softmax in pieces
#
# The softmax of a row divides exp(s) by the sum of all of them. And before the exponential we subtract the row's maximum, for exp(89) is already infinite in float32. So it seems that we must have
# seen the whole row before we can begin. That is what forces the scores into memory.
#
# But begin anyway, with the first piece of the row, and subtract the maximum *so far*. Keep three things:
#
# * **m**, the greatest score so far;
# * **l**, the sum of exp(s − m);
# * **o**, the sum of exp(s − m) · v, with the value v that belongs to each score.
#
# Now a piece comes with a greater score. Everything was measured from the old m. What has to happen to l and o? Step through a row of 8 scores, two at a time. Which steps shrink what is there, and which do not?

# %% look_online
scores = torch.tensor([1.0, 0.0, 2.0, 1.0, -1.0, -0.5, 4.0, 3.0])
viz.online_softmax(scores, block=2)

# %% [markdown]
# By hand, for the scores 1 and 3, one at a time. After the first: m = 1, l = 1. The second raises m to 3. Measured from there, the first is worth exp(1 − 3) = 0.135, so l = 0.135 + 1.
# The softmax is 0.135 / 1.135 = 0.119 and 0.881. Right.
#
# **A part of a row becomes two numbers and a vector, and two parts merge into one: rescale both to the greater m, then add.** Nothing in this says which part came first. So parts may be merged one after another, as
# flash attention does; in a tree, as in decoding, where many SMs (the GPU's processors) share one long row; or across machines, as in ring attention.
#
# A part of keys that are all hidden has m = −∞, l = 0, o = 0. It must change nothing.
#
# **Your task.** Two functions, in plain torch, all float32, for R rows at once.
# * `part(scores, values)`: scores (R, N), with −∞ for hidden keys; values (N, D). Returns m (R,), l (R,), o (R, D).
# * `merge(a, b)`: two such triples to one. It allocates at most 6 times the bytes of one triple.
#
# No NaN may come out, however much is hidden, and no infinity where scores are ±1000.
#
# <details><summary>Hint 1: what must be equal</summary>
#
# You can only add what is measured from the same maximum. Which one is safe for both?
# </details>
# <details><summary>Hint 2: −∞ minus −∞</summary>
#
# is NaN. Where m is −∞ all weights are to be 0, so subtract anything finite there: `m.masked_fill(m == float("-inf"), 0.0)`.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# m = max(m_a, m_b); each side's l and o times exp(its own m − m), then added.
# </details>


# %% merge tags=["solution"]
def part(scores, values):
    ### BEGIN SOLUTION
    m = scores.amax(dim=1)
    base = m.masked_fill(m == float("-inf"), 0.0)
    weights = (scores - base[:, None]).exp()
    return m, weights.sum(dim=1), weights @ values
    ### END SOLUTION


def merge(a, b):
    ### BEGIN SOLUTION
    (m_a, l_a, o_a), (m_b, l_b, o_b) = a, b
    m = torch.maximum(m_a, m_b)
    base = m.masked_fill(m == float("-inf"), 0.0)
    shrink_a, shrink_b = (m_a - base).exp(), (m_b - base).exp()
    return m, l_a * shrink_a + l_b * shrink_b, o_a * shrink_a[:, None] + o_b * shrink_b[:, None]
    ### END SOLUTION


# %% look_merge
scores, values = torch.randn(1, 6), torch.randn(6, 2)
exact = (scores.softmax(dim=1) @ values)[0]
pieces = [part(scores[:, i : i + 2], values[i : i + 2]) for i in (0, 2, 4)]
for name, (m, total, o) in {
    "(first, second), third": merge(merge(pieces[0], pieces[1]), pieces[2]),
    "third, (second, first)": merge(pieces[2], merge(pieces[1], pieces[0])),
}.items():
    result = ", ".join(f"{x:.6f}" for x in (o / total[:, None])[0].tolist())
    print(f"{name}: m = {m.item():.3f}, l = {total.item():.3f}, o / l = {result}")
print(f"softmax of the whole row, times values: {', '.join(f'{x:.6f}' for x in exact.tolist())}")


# %% test_merge tags=["test", "core"] points=15 hours=1.5 covers=["transformers", "lo1"]
def judge_parts(scores, values, cuts, tree):
    """Parts of the row between the cuts; `tree` names two of those that are left, again and again."""
    R, D = scores.shape[0], values.shape[1]
    N = scores.shape[1]
    left = []
    for begin, end in zip([0, *cuts], [*cuts, N], strict=True):
        left.append(part(scores[:, begin:end], values[begin:end]))
    triple = 4 * R * (D + 2)
    for i, j in tree:
        merged = check.cost(merge, left[i], left[j], allocated=(triple, 6 * triple))
        left = [one for k, one in enumerate(left) if k not in (i, j)] + [merged]
    m, total, o = left[0]
    check.close(m, scores.amax(dim=1), name="m")
    exact = scores.double() - scores.double().amax(dim=1, keepdim=True).clamp(min=-1e30)
    check.close(total, exact.exp().sum(dim=1).float(), rtol=1e-4, name="l")
    check.close(o, (exact.exp() @ values.double()).float(), rtol=1e-4, name="o")


judge_parts(3 * check.rng.normal(40, 12), check.rng.normal(12, 4), [4, 8], [(0, 1), (0, 1)])
### BEGIN HIDDEN TESTS
judge_parts(3 * check.rng.normal(5, 12), check.rng.normal(12, 4), [4, 8], [(1, 2), (1, 0)])
cuts, tree = [3, 5, 20, 21, 40], [(3, 1), (0, 3), (1, 2), (2, 0), (1, 0)]
scores, values = check.rng.normal(7, 50), check.rng.normal(50, 8)
judge_parts(scores + torch.linspace(-1000, 1000, 50, device=scores.device), values, cuts, tree)
judge_parts(scores - torch.linspace(0, 2000, 50, device=scores.device) - 1000, values, cuts, tree)
hidden = scores.clone()
hidden[:3, :21], hidden[2:5, 20:], hidden[0] = float("-inf"), float("-inf"), float("-inf")
judge_parts(hidden, values, cuts, tree)
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · Attention in one kernel
#
# Now put the loop on a chip. One program takes `BLOCK_M` queries of one head and keeps m, l and o of each in registers. It walks along the keys, `BLOCK_N` at a step: a product for the scores, the merge, a
# product for the values. The scores live for one step, in registers. **No tensor of S × S exists anywhere.**
#
# A causal query sees the keys up to itself. So a program needs no block of keys that lies wholly behind its last query. Skip the block: neither load nor multiply it. Move the
# slider: what part of the blocks is skipped, and why do smaller blocks not simply win?

# %% look_tiles
viz.attention_tiles(64, 64, blocks=[(8, 8), (16, 8), (16, 16), (32, 16)], causal=True)

# %% [markdown]
# Yours is attention as current language models have it, which differs in two ways from the plain one.
#
# * **Packed.** The projection before it is one matrix product, and leaves queries, keys and values of a position side by side: one tensor (S, 3, H, D). Number d of head h of the key at position i lies at
#   ((3 · i + 1) · H + h) · D + d. To split it into three would be a trip to memory.
# * **With a sink.** A softmax must put its weight somewhere, even where no key matters. A sink is one more score a head, learned, which takes part in the sum of the denominator and has no value:
#   pᵢⱼ = exp(sᵢⱼ) / (exp(sinkₕ) + Σ exp(sᵢₖ)). In the words of exercise 1 it is one more part: m = sink, l = 1, o = 0. Where would you merge it?
#
# The backward pass will need one number a row from here: **lse**, the logarithm of the denominator, m + log(l).
#
# **Your task.** `attend(qkv, sink)` returns `o` and `lse` of causal attention.
# * `qkv`: float16, (S, 3, H, D); D a power of two, at least 16. `sink`: float32, (H,). `o`: float16, (S, H, D). `lse`: float32, (H, S), the natural logarithm, sink included.
# * **One** kernel, a program for `BLOCK_M` queries of a head: `tl.program_id(0)` counts blocks, `tl.program_id(1)` heads.
# * Each program loads its queries once, its sink once, and the keys and values of whole blocks of `BLOCK_N` (at the end of the sequence, what is left), from the first up to the block with its last query, once each. `o` and `lse` are stored once, nothing else.
# * Scores, m, l and o in **float32**. The weights may be rounded to float16 for the second product.
# * Any S; block sizes are the caller's.
#
# The launcher is given. You need `k.T`, and `tl.where(condition, x, y)`.
#
# <details><summary>Hint 1: the walk</summary>
#
# Which key is the last that any query of this program sees? `range(0, end, BLOCK_N)` then visits what is needed. The last block of queries may end before `first + BLOCK_M`.
# </details>
# <details><summary>Hint 2: two masks</summary>
#
# Loads need one mask: does the position exist? Scores need another: does this query see this key? Hidden scores are −∞ *after* the product.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Begin with m = sink, l = 1, o = 0. In each step: m_new = max(m, max of s); p = exp(s − m_new); shrink = exp(m − m_new); l = l · shrink + sum of p; o = `tl.dot(p, v, o * shrink)`; m = m_new. At the end o / l and m + log(l).
# </details>


# %% attend tags=["solution"]
@triton.jit
def _attend_kernel(
    qkv_ptr, sink_ptr, o_ptr, lse_ptr, S, H, scale,
    D: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    ### BEGIN SOLUTION
    first = tl.program_id(0) * BLOCK_M
    head = tl.program_id(1)
    rows = first + tl.arange(0, BLOCK_M)
    columns = tl.arange(0, D)
    q_offsets = (rows * 3 * H + head)[:, None] * D + columns[None, :]
    q = tl.load(qkv_ptr + q_offsets, mask=rows[:, None] < S, other=0.0)
    m = tl.zeros((BLOCK_M,), dtype=tl.float32) + tl.load(sink_ptr + head)
    total = tl.full((BLOCK_M,), 1.0, dtype=tl.float32)
    o = tl.zeros((BLOCK_M, D), dtype=tl.float32)
    for n in range(0, tl.minimum(first + BLOCK_M, S), BLOCK_N):
        keys = n + tl.arange(0, BLOCK_N)
        k_offsets = ((keys * 3 + 1) * H + head)[:, None] * D + columns[None, :]
        k = tl.load(qkv_ptr + k_offsets, mask=keys[:, None] < S, other=0.0)
        v = tl.load(qkv_ptr + k_offsets + H * D, mask=keys[:, None] < S, other=0.0)
        s = tl.dot(q, k.T) * scale
        s = tl.where(keys[None, :] <= rows[:, None], s, float("-inf"))
        m_new = tl.maximum(m, tl.max(s, axis=1))
        p = tl.exp(s - m_new[:, None])
        shrink = tl.exp(m - m_new)
        total = total * shrink + tl.sum(p, axis=1)
        o = tl.dot(p.to(tl.float16), v, o * shrink[:, None])
        m = m_new
    o_offsets = (rows * H + head)[:, None] * D + columns[None, :]
    tl.store(o_ptr + o_offsets, (o / total[:, None]).to(tl.float16), mask=rows[:, None] < S)
    tl.store(lse_ptr + head * S + rows, m + tl.log(total), mask=rows < S)
    ### END SOLUTION


def attend(qkv, sink, BLOCK_M=32, BLOCK_N=32, num_warps=4, num_stages=2):
    S, _, H, D = qkv.shape
    o = torch.empty((S, H, D), dtype=qkv.dtype, device=qkv.device)
    lse = torch.empty((H, S), dtype=torch.float32, device=qkv.device)
    _attend_kernel[(triton.cdiv(S, BLOCK_M), H)](
        qkv, sink, o, lse, S, H, D**-0.5, D=D, BLOCK_M=BLOCK_M, BLOCK_N=BLOCK_N,
        num_warps=num_warps, num_stages=num_stages,
    )  # fmt: skip
    return o, lse


# %% [markdown]
# Look at it before you test it: three blocks of queries, 40 positions, one head. The cell prints for each position how often its query, its key and its value were loaded. Why do the digits fall from left to right, and
# what would they be without skipping?

# %% look_attend
qkv, sink = torch.randn(40, 3, 1, 16, **half), torch.zeros(1, device=device.DEVICE)
times = trace(attend, qkv, sink, 16, 16).times_touched("load", "qkv_ptr")[:, :, 0, 0]
for name, column in zip(("queries", "keys", "values"), times.T.tolist(), strict=True):
    print(f"{name:8}", "".join(map(str, column)))


# %% test_attend tags=["test", "core"] points=20 hours=2.5 covers=["transformers", "commodity_hardware", "lo2"]
def attend_oracle(qkv, sink):
    S, _, _, D = qkv.shape
    q, k, v = qkv.double().permute(1, 2, 0, 3)
    later = torch.ones(S, S, dtype=torch.bool, device=qkv.device).triu(1)
    s = (q @ k.transpose(1, 2) / math.sqrt(D)).masked_fill(later, float("-inf"))
    lse = torch.logaddexp(s.logsumexp(dim=2), sink.double()[:, None])
    return ((s - lse[:, :, None]).exp() @ v).transpose(0, 1), lse


def judge_attend(qkv, sink, BLOCK_M=32, BLOCK_N=32):
    S, _, H, D = qkv.shape
    blocks = triton.cdiv(S, BLOCK_M)
    ends = [min(S, triton.cdiv(min((i + 1) * BLOCK_M, S), BLOCK_N) * BLOCK_N) for i in range(blocks)]
    loads, stores = 2 * H * D * (S + 2 * sum(ends)) + 4 * H * blocks, 2 * S * H * D + 4 * H * S
    blocks_given = (BLOCK_M, BLOCK_N)
    o, lse = check.traffic(
        attend, qkv, sink, *blocks_given, loads=loads, stores=stores, launches=1, programs=H * blocks
    )
    exact_o, exact_lse = attend_oracle(qkv, sink)
    check.close(o, exact_o.half(), name="o")
    check.close(lse, exact_lse.float(), rtol=1e-4, name="lse")


judge_attend(check.rng.normal(80, 3, 2, 16, dtype=torch.float16), check.rng.normal(2))
### BEGIN HIDDEN TESTS
for S, H, D, blocks in [(33, 3, 32, (16, 32)), (70, 1, 16, (64, 16))]:
    judge_attend(check.rng.normal(S, 3, H, D, dtype=torch.float16), 2 * check.rng.normal(H), *blocks)
qkv = check.rng.normal(64, 3, 1, 16)
qkv[:, :2] *= 12  # scores of some hundreds
judge_attend(qkv.half(), 100 + 0 * check.rng.normal(1))
qkv = check.rng.normal(256, 3, 1, 16)
qkv[:, 0], qkv[:, 2] = 0, 1000 + qkv[:, 2]  # equal weights; their sum of values does not fit in float16
judge_attend(qkv.half(), 0 * check.rng.normal(1), 64, 64)
### END HIDDEN TESTS

# %% [markdown]
# And on a GPU? Compile your own kernel for an H200, without one, at D = 128. The matrix units' instruction is HGMMA; no register may spill. (The first time takes about 10 s.)

# %% look_machine_code
meta = torch.empty(4096, 3, 16, 128, dtype=torch.float16, device="meta"), torch.empty(16, device="meta")
print("block      warps  registers  bytes spilled  HGMMA")
for BLOCK_M, BLOCK_N, num_warps in [(64, 64, 4), (128, 64, 4), (128, 64, 8)]:
    code = compile_stages(attend, *meta, BLOCK_M, BLOCK_N, num_warps, targets=["sm_90"])[0]
    found = f"{code.registers:11}{code.spill_bytes:15}{code.instructions['HGMMA']:7}"
    print(f"{BLOCK_M:3} × {BLOCK_N:3}{num_warps:7}{found}")

# %% [markdown]
# The o of 128 queries is 128 × 128 float32 numbers: 128 registers for each of 128 threads, before anything else. More warps share it.
#
# ## 3 · Backward: compute it again
#
# The gradient needs the probabilities. Autograd keeps them from the forward pass, all S × S of a head. Look at what that is, and what we could keep instead:

# %% look_kept
heads, S, D = 64, 4096, 128
h200 = gpu("sm_90")
print(f"probabilities, bfloat16:       {heads * S * S * 2 / 1e9:.3f} GB")
print(f"o, bfloat16, and lse, float32: {heads * S * (2 * D + 4) / 1e9:.3f} GB")
print(f"one score again: {2 * D} operations, {1e12 * 2 * D / h200.flops_per_s:.2f} ps")
print(f"one probability written and read: 4 bytes, {1e12 * 4 / h200.bytes_per_s:.2f} ps")

# %% [markdown]
# **Computing a score again takes less time than fetching it.** And one number a row is enough to make a probability of a score without a second softmax: p = exp(s − lse).
#
# Write dO for the gradient of the loss with respect to O, and likewise for the others. (In this table S is the matrix of scores sᵢⱼ, not the number of positions; ∘ multiplies entry by entry; the factor 1 / √D is left out.)
# Go backwards through O = P · V, through the softmax, through S = Q · Kᵀ:
#
# | | for one entry | in tiles |
# |---|---|---|
# | values | dvⱼ = Σᵢ pᵢⱼ · doᵢ | dV = Pᵀ · dO |
# | probabilities | dpᵢⱼ = doᵢ · vⱼ | dP = dO · Vᵀ |
# | softmax | dsᵢⱼ = pᵢⱼ · (dpᵢⱼ − Σₖ pᵢₖ · dpᵢₖ) | dS = P ∘ (dP − delta) |
# | queries, keys | dqᵢ = Σⱼ dsᵢⱼ · kⱼ, dkⱼ = Σᵢ dsᵢⱼ · qᵢ | dQ = dS · K, dK = dSᵀ · Q |
#
# The third line by hand, for a query that sees two keys: p = (0.25, 0.75) and dp = (2, 4). Σ p · dp = 3.5, so ds = (0.25 · −1.5, 0.75 · 0.5) = (−0.375, 0.375). The two add up to zero: to raise all
# scores of a row alike changes nothing.
#
# The sum in the third line runs over a whole row, again. But it is Σₖ pᵢₖ · (doᵢ · vₖ) = doᵢ · oᵢ: **delta**ᵢ is a product of two rows that we have. No second pass.
#
# Look at the directions. dQ adds along keys, dK and dV add along queries. So there are two kernels: in one a program owns queries and walks along the keys, in the other it owns keys and walks along the
# queries. Each sum then stays with one program: no atomic additions, and the same bits every time.
#
# Yours has a **soft cap**, as some models do to keep scores tame: s = cap · tanh(x / cap), with x = q · kᵀ / √D. All keys are visible, as in a vision transformer. The derivative of tanh(u) is
# 1 − tanh²(u). A tanh for kernels, and the forward pass in plain torch, are given:


# %% given_capped tags=["setup"]
@triton.jit
def tanh(x):
    return 2.0 * tl.sigmoid(2.0 * x) - 1.0


def capped_attention(q, k, v, cap):
    """Attention with a soft cap, all scores at once: o (H, S, D) and lse (H, S)."""
    scores = cap * torch.tanh(q @ k.transpose(1, 2) / math.sqrt(q.shape[2]) / cap)
    return scores.softmax(dim=2) @ v, scores.logsumexp(dim=2)


# %% [markdown]
# **Your task, first kernel.** `grad_queries(q, k, v, o, lse, do, cap)` returns `dq` and `delta`.
# * `q`, `k`, `v`, `o`, `do`: (H, S, D), float32 or float16; `lse`: float32, (H, S), natural logarithm of the denominators. `dq` is like `q`, `delta` like `lse`. D is a power of two, at least 16.
# * **One** kernel, a program for `BLOCK` queries of a head (`tl.program_id(0)` blocks, `tl.program_id(1)` heads). It loads its rows of q, o, do and lse once, and all keys and values of the head once, `BLOCK` at a step.
# * Only `dq` and `delta` are stored, and **no other memory is allocated**. All arithmetic in float32; probabilities and ds may be rounded to the dtype of `q` for a product.
#
# The launcher is yours this time: exercise 2's shows the form. On a GPU `tl.dot` of float32 tiles rounds them to 10 bits unless you say `input_precision="ieee"`.
#
# <details><summary>Hint 1: what do lanes past the end do?</summary>
#
# Loaded as zeros, a key beyond S adds ds · 0 to dq. Do you need a mask besides those of loads and stores?
# </details>
# <details><summary>Hint 2: the chain through the cap</summary>
#
# With t = tanh(x / cap): s = cap · t, and ds must be multiplied with 1 − t² to become dx. Then x = q · k · scale: where does the scale come in once more?
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# t from `tl.dot(q, k.T)`; p = exp(cap · t − lse); dp from `tl.dot(do, v.T)`; ds = p · (dp − delta) · (1 − t²); dq = `tl.dot(ds, k, dq)`; store dq · scale.
# </details>


# %% grad_queries tags=["solution"]
@triton.jit
def _grad_queries_kernel(
    q_ptr, k_ptr, v_ptr, o_ptr, lse_ptr, do_ptr, dq_ptr, delta_ptr, S, scale, cap,
    D: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    ### BEGIN SOLUTION
    head = tl.program_id(1)
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    columns = tl.arange(0, D)
    inside = rows < S
    offsets = (head * S + rows)[:, None] * D + columns[None, :]
    q = tl.load(q_ptr + offsets, mask=inside[:, None], other=0.0)
    o = tl.load(o_ptr + offsets, mask=inside[:, None], other=0.0)
    do = tl.load(do_ptr + offsets, mask=inside[:, None], other=0.0)
    lse = tl.load(lse_ptr + head * S + rows, mask=inside, other=0.0)
    delta = tl.sum(o.to(tl.float32) * do.to(tl.float32), axis=1)
    dq = tl.zeros((BLOCK, D), dtype=tl.float32)
    for n in range(0, S, BLOCK):
        keys = n + tl.arange(0, BLOCK)
        k_offsets = (head * S + keys)[:, None] * D + columns[None, :]
        k = tl.load(k_ptr + k_offsets, mask=keys[:, None] < S, other=0.0)
        v = tl.load(v_ptr + k_offsets, mask=keys[:, None] < S, other=0.0)
        t = tanh(tl.dot(q, k.T, input_precision="ieee") * (scale / cap))
        p = tl.exp(cap * t - lse[:, None])
        dp = tl.dot(do, v.T, input_precision="ieee")
        ds = p * (dp - delta[:, None]) * (1.0 - t * t)
        dq = tl.dot(ds.to(k.dtype), k, dq, input_precision="ieee")
    tl.store(dq_ptr + offsets, (dq * scale).to(dq_ptr.dtype.element_ty), mask=inside[:, None])
    tl.store(delta_ptr + head * S + rows, delta, mask=inside)
    ### END SOLUTION


def grad_queries(q, k, v, o, lse, do, cap, BLOCK=32, num_warps=4):
    ### BEGIN SOLUTION
    H, S, D = q.shape
    dq, delta = torch.empty_like(q), torch.empty_like(lse)
    _grad_queries_kernel[(triton.cdiv(S, BLOCK), H)](
        q, k, v, o, lse, do, dq, delta, S, D**-0.5, cap, D=D, BLOCK=BLOCK, num_warps=num_warps
    )
    return dq, delta
    ### END SOLUTION


# %% test_grad_queries tags=["test", "core"] points=10 hours=1.5 covers=["transformers", "backpropagation", "lo2"]
def attention_case(H, S, D, cap, dtype=torch.float32):
    """Arguments and exact gradients, by autograd in float64."""
    q, k, v, do = (check.rng.normal(H, S, D).to(dtype) for _ in range(4))
    leaves = [x.double().requires_grad_() for x in (2 * q, k, v)]
    o, lse = capped_attention(*leaves, cap)
    exact = torch.autograd.grad(o, leaves, do.double())
    return [2 * q, k, v, o.detach().to(dtype), lse.detach().float(), do, cap], exact


def judge_grad_queries(H, S, D, cap, dtype=torch.float32, BLOCK=32):
    arguments, exact = attention_case(H, S, D, cap, dtype)
    rows, itemsize = H * S, dtype.itemsize
    loads = itemsize * rows * D * (3 + 2 * triton.cdiv(S, BLOCK)) + 4 * rows
    stores = itemsize * rows * D + 4 * rows
    dq, delta = check.traffic(grad_queries, *arguments, BLOCK, loads=loads, stores=stores, launches=1)
    rtol = 1e-4 if dtype == torch.float32 else 4e-3
    check.close(dq, exact[0].to(dtype), rtol=rtol, name="dq")
    expected = (arguments[3].double() * arguments[5].double()).sum(dim=2).float()
    check.close(delta, expected, rtol=1e-4, name="delta")


judge_grad_queries(1, 40, 16, 5.0)
small, _ = attention_case(1, 64, 16, 5.0)
_ = check.cost(grad_queries, *small, allocated=4 * 64 * 17)
### BEGIN HIDDEN TESTS
judge_grad_queries(2, 50, 32, 1.5, BLOCK=16)
judge_grad_queries(1, 70, 16, 30.0, torch.float16, BLOCK=64)
### END HIDDEN TESTS

# %% [markdown]
# **Your task, second kernel.** `grad_keys(q, k, v, lse, delta, do, cap)` returns `dk` and `dv`. The same arguments; `delta` now comes in, so you can begin here too.
# * **One** kernel, a program for `BLOCK` keys of a head. It loads its rows of k and v once, and all of q, do, lse and delta of the head once, `BLOCK` queries at a step.
# * Only `dk` and `dv` are stored, and no other memory is allocated. Precision as before. No atomic additions.
#
# The products want Pᵀ and dSᵀ. Do not transpose a tile of probabilities: that would send it through shared memory. Compute the transposed scores from the start, k · qᵀ. Which of lse and delta stand along rows now, and which along columns?
#
# <details><summary>Hint 1: turn the loop around</summary>
#
# The kernel is the first one with queries and keys exchanged. What belongs to the program, what to the step?
# </details>
# <details><summary>Hint 2: along columns</summary>
#
# In a tile of transposed scores a query is a column: `lse[None, :]`.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# pᵀ = exp(cap · tᵀ − lse); dv += pᵀ · do; dpᵀ = v · doᵀ; dsᵀ = pᵀ · (dpᵀ − delta) · (1 − t²); dk += dsᵀ · q; at the end dk · scale.
# </details>


# %% grad_keys tags=["solution"]
@triton.jit
def _grad_keys_kernel(
    q_ptr, k_ptr, v_ptr, lse_ptr, delta_ptr, do_ptr, dk_ptr, dv_ptr, S, scale, cap,
    D: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    ### BEGIN SOLUTION
    head = tl.program_id(1)
    keys = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    columns = tl.arange(0, D)
    offsets = (head * S + keys)[:, None] * D + columns[None, :]
    k = tl.load(k_ptr + offsets, mask=keys[:, None] < S, other=0.0)
    v = tl.load(v_ptr + offsets, mask=keys[:, None] < S, other=0.0)
    dk = tl.zeros((BLOCK, D), dtype=tl.float32)
    dv = tl.zeros((BLOCK, D), dtype=tl.float32)
    for first in range(0, S, BLOCK):
        rows = first + tl.arange(0, BLOCK)
        inside = rows < S
        q_offsets = (head * S + rows)[:, None] * D + columns[None, :]
        q = tl.load(q_ptr + q_offsets, mask=inside[:, None], other=0.0)
        do = tl.load(do_ptr + q_offsets, mask=inside[:, None], other=0.0)
        lse = tl.load(lse_ptr + head * S + rows, mask=inside, other=0.0)
        delta = tl.load(delta_ptr + head * S + rows, mask=inside, other=0.0)
        t = tanh(tl.dot(k, q.T, input_precision="ieee") * (scale / cap))
        p = tl.exp(cap * t - lse[None, :])
        dv = tl.dot(p.to(do.dtype), do, dv, input_precision="ieee")
        dp = tl.dot(v, do.T, input_precision="ieee")
        ds = p * (dp - delta[None, :]) * (1.0 - t * t)
        dk = tl.dot(ds.to(q.dtype), q, dk, input_precision="ieee")
    tl.store(dk_ptr + offsets, (dk * scale).to(dk_ptr.dtype.element_ty), mask=keys[:, None] < S)
    tl.store(dv_ptr + offsets, dv.to(dv_ptr.dtype.element_ty), mask=keys[:, None] < S)
    ### END SOLUTION


def grad_keys(q, k, v, lse, delta, do, cap, BLOCK=32, num_warps=4):
    ### BEGIN SOLUTION
    H, S, D = q.shape
    dk, dv = torch.empty_like(k), torch.empty_like(v)
    _grad_keys_kernel[(triton.cdiv(S, BLOCK), H)](
        q, k, v, lse, delta, do, dk, dv, S, D**-0.5, cap, D=D, BLOCK=BLOCK, num_warps=num_warps
    )
    return dk, dv
    ### END SOLUTION


# %% test_grad_keys tags=["test", "core"] points=10 hours=1.0 covers=["transformers", "backpropagation", "lo2"]
def keys_case(H, S, D, cap, dtype=torch.float32):
    """Arguments and exact gradients, by autograd in float64."""
    q, k, v, do = (check.rng.normal(H, S, D).to(dtype) for _ in range(4))
    leaves = [x.double().requires_grad_() for x in (2 * q, k, v)]
    o, lse = capped_attention(*leaves, cap)
    exact = torch.autograd.grad(o, leaves, do.double())
    delta = (o.detach() * do.double()).sum(dim=2).float()
    return [2 * q, k, v, lse.detach().float(), delta, do, cap], exact


def judge_grad_keys(H, S, D, cap, dtype=torch.float32, BLOCK=32):
    arguments, exact = keys_case(H, S, D, cap, dtype)
    rows, itemsize, blocks = H * S, dtype.itemsize, triton.cdiv(S, BLOCK)
    loads = 2 * itemsize * rows * D * (1 + blocks) + 2 * 4 * rows * blocks
    stores = 2 * itemsize * rows * D
    dk, dv = check.traffic(grad_keys, *arguments, BLOCK, loads=loads, stores=stores, launches=1)
    rtol = 1e-4 if dtype == torch.float32 else 4e-3
    check.close(dk, exact[1].to(dtype), rtol=rtol, name="dk")
    check.close(dv, exact[2].to(dtype), rtol=rtol, name="dv")


judge_grad_keys(1, 40, 16, 5.0)
small, _ = keys_case(1, 64, 16, 5.0)
_ = check.cost(grad_keys, *small, allocated=2 * 4 * 64 * 16)
### BEGIN HIDDEN TESTS
judge_grad_keys(2, 50, 32, 1.5, BLOCK=16)
judge_grad_keys(1, 70, 16, 30.0, torch.float16, BLOCK=64)
### END HIDDEN TESTS

# %% [markdown]
# The price is in the products. The equations need five (S, dP, dV, dK, dQ); two kernels compute S and dP twice, so yours does seven. `lablib`'s does the same. cuDNN's is 9% faster, forward and backward together, on the H200 at the size of the introduction, causal. But no probability ever left the chip.
#
# ## 4 · A window, and heads that share their keys
#
# Two changes of the model, which both save memory traffic, if the kernel lets them.
#
# **A sliding window**: a query sees the last `window` keys, itself among them. Then blocks can be skipped on both sides. Where is the edge? Query 5 with a window of 3 sees keys 3, 4 and 5.

# %% look_window
viz.attention_tiles(64, 64, blocks=[(4, 4), (8, 8), (16, 8), (32, 8)], causal=True, window=12)

# %% [markdown]
# **Grouped queries**: G query heads share one head of keys and values. A language model of 8 billion parameters with 32 query heads and 8 key heads keeps a fourth of the keys and values that it would keep with 32.
# But what a kernel *loads* is another matter. If each query head has programs of its own, all four of a group load the same keys: what is saved in capacity is not saved in traffic between L2 and SM.
#
# So let one program hold the queries of **all G heads** at `BLOCK` positions: a tile of BLOCK · G rows. To the product it is all the same which head a row belongs to. Each block of keys is loaded once for the group.

# %% look_groups
positions, G, D, BLOCK, window = 64, 4, 16, 8, 12
firsts = range(0, positions, BLOCK)
# From the block of the first key that is seen to the last query: how many keys the programs of one head load.
rows = sum(first + BLOCK - max(first - window + 1, 0) // 8 * 8 for first in firsts)
queries = 2 * positions * G * D
viz.traffic_bars([
    {"name": "each head its own programs", "loads": queries + G * 2 * 2 * D * rows, "stores": queries},
    {"name": "one program for the group", "loads": queries + 2 * 2 * D * rows, "stores": queries},
])  # fmt: skip

# %% [markdown]
# **Your task.** `attend_window(q, k, v, window)` returns o.
# * `q`: (H, S, D), `k`, `v`: (H_kv, S, D), float16. H = G · H_kv with G a power of two; query head h uses key head h // G. The result is like `q`. D is a power of two, at least 16.
# * Query i sees keys i − window + 1 to i, those that exist. `window` is at least 1.
# * **One** kernel, a program for `BLOCK` positions of all heads of a group: `tl.program_id(0)` counts blocks of positions, `tl.program_id(1)` key heads. `BLOCK` is a power of two, BLOCK · G at least 16.
# * Each program loads its queries once, and keys and values of whole blocks of `BLOCK_N`, once each: from the block of the first key that any of its queries sees to the block of the last. Blocks begin at multiples of `BLOCK_N`, and the last ends with the sequence.
# * Scores, m, l and o in float32; weights may be rounded to float16 for the second product.
#
# There is no sink here. So a query may meet a first block in which it sees *nothing*. What are m, exp(s − m) and exp(m_old − m_new) then?
#
# <details><summary>Hint 1: rows of the tile</summary>
#
# Row r of the tile: position `first + r // G`, head `kv_head * G + r % G`. (The other way round works as well.) The rest of the kernel sees rows only.
# </details>
# <details><summary>Hint 2: where to begin</summary>
#
# The first query of the block sees the furthest back. Its first key, not below 0, rounded down to a multiple of `BLOCK_N`.
# </details>
# <details><summary>Hint 3: a maximum that is never −∞</summary>
#
# Begin with m = −1e30. Then exp(−∞ − m) = 0 and exp(m − m) = 1, and no NaN arises.
# </details>


# %% attend_window tags=["solution"]
@triton.jit
def _attend_window_kernel(
    q_ptr, k_ptr, v_ptr, o_ptr, S, window, scale,
    G: tl.constexpr, D: tl.constexpr, BLOCK: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    ### BEGIN SOLUTION
    first = tl.program_id(0) * BLOCK
    kv_head = tl.program_id(1)
    rows = tl.arange(0, BLOCK * G)
    columns = tl.arange(0, D)
    positions = first + rows // G
    inside = positions[:, None] < S
    offsets = ((kv_head * G + rows % G) * S + positions)[:, None] * D + columns[None, :]
    q = tl.load(q_ptr + offsets, mask=inside, other=0.0)
    m = tl.full((BLOCK * G,), -1e30, dtype=tl.float32)
    total = tl.zeros((BLOCK * G,), dtype=tl.float32)
    o = tl.zeros((BLOCK * G, D), dtype=tl.float32)
    begin = tl.maximum(first - window + 1, 0) // BLOCK_N * BLOCK_N
    for n in range(begin, tl.minimum(first + BLOCK, S), BLOCK_N):
        keys = n + tl.arange(0, BLOCK_N)
        k_offsets = (kv_head * S + keys)[:, None] * D + columns[None, :]
        k = tl.load(k_ptr + k_offsets, mask=keys[:, None] < S, other=0.0)
        v = tl.load(v_ptr + k_offsets, mask=keys[:, None] < S, other=0.0)
        back = positions[:, None] - keys[None, :]
        s = tl.where((back >= 0) & (back < window), tl.dot(q, k.T) * scale, float("-inf"))
        m_new = tl.maximum(m, tl.max(s, axis=1))
        p = tl.exp(s - m_new[:, None])
        shrink = tl.exp(m - m_new)
        total = total * shrink + tl.sum(p, axis=1)
        o = tl.dot(p.to(tl.float16), v, o * shrink[:, None])
        m = m_new
    tl.store(o_ptr + offsets, (o / total[:, None]).to(tl.float16), mask=inside)
    ### END SOLUTION


def attend_window(q, k, v, window, BLOCK=16, BLOCK_N=32, num_warps=4, num_stages=2):
    ### BEGIN SOLUTION
    (H, S, D), H_kv = q.shape, k.shape[0]
    o = torch.empty_like(q)
    _attend_window_kernel[(triton.cdiv(S, BLOCK), H_kv)](
        q, k, v, o, S, window, D**-0.5, G=H // H_kv, D=D, BLOCK=BLOCK, BLOCK_N=BLOCK_N,
        num_warps=num_warps, num_stages=num_stages,
    )  # fmt: skip
    return o
    ### END SOLUTION


# %% test_attend_window tags=["test", "core"] points=15 hours=2.0 covers=["transformers", "lo3"]
def window_oracle(q, k, v, window):
    k, v = (x.double().repeat_interleave(q.shape[0] // k.shape[0], dim=0) for x in (k, v))
    i = torch.arange(q.shape[1], device=q.device)
    back = i[:, None] - i[None, :]
    s = q.double() @ k.transpose(1, 2) / math.sqrt(q.shape[2])
    return s.masked_fill((back < 0) | (back >= window), float("-inf")).softmax(dim=2) @ v


def judge_attend_window(H, H_kv, S, D, window, BLOCK=16, BLOCK_N=32):
    q = 2 * check.rng.normal(H, S, D, dtype=torch.float16)
    k, v = (check.rng.normal(H_kv, S, D, dtype=torch.float16) for _ in range(2))
    rows = 0
    for first in range(0, S, BLOCK):
        begin, last = max(first - window + 1, 0) // BLOCK_N, min(first + BLOCK, S) - 1
        rows += min(S, (last // BLOCK_N + 1) * BLOCK_N) - begin * BLOCK_N
    loads, programs = 2 * D * (H * S + 2 * H_kv * rows), triton.cdiv(S, BLOCK) * H_kv
    o = check.traffic(
        attend_window, q, k, v, window, BLOCK, BLOCK_N, loads=loads, stores=q.nbytes, launches=1, programs=programs
    )
    check.close(o, window_oracle(q, k, v, window).half(), name=f"o with a window of {window}")


judge_attend_window(4, 2, 70, 16, 20)
### BEGIN HIDDEN TESTS
judge_attend_window(4, 1, 90, 16, 1, BLOCK=8, BLOCK_N=16)
judge_attend_window(4, 2, 75, 32, 33, BLOCK=32, BLOCK_N=16)
judge_attend_window(2, 2, 40, 16, 100, BLOCK=16, BLOCK_N=16)
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · How many bytes, and how large a block?
#
# Now count, before you run anything. A program loads its queries once. Keys and values it loads as far as it walks. So over one head *all* keys are loaded again for every block of queries: **a larger block of queries means fewer loads.** It plays
# the part that the tile of lab06's product played.
#
# By hand: 64 positions, 16 numbers each, float16, blocks of 32 × 16, no mask. Queries: 64 · 16 · 2 = 2048 bytes. Two blocks of queries, each with all keys and values: 2 · 2 · 2048 bytes. Together 10,240.
# With a causal mask the first block stops at key 32: 8192.
#
# What is counted are bytes between L2 and SM, as always. From memory comes less: the keys and values of a head (2 MB at 4096 positions of 128) stay in an L2 of 60 MB, while its programs load them again and again. The scores of 64 heads (2.1 GB) would not.
#
# **Your task.** `attention_loads(H, S, D, BLOCK_M, BLOCK_N, causal)` returns the bytes that `lablib`'s forward kernel loads, an int.
# * float16, H heads, each with keys of its own, S positions of D numbers.
# * Blocks of queries and of keys as in exercise 2: the last block ends with the sequence; causal, a program stops after the block of keys with its last query. There is no sink.
#
# <details><summary>Hint 1: one block of queries</summary>
#
# Where does its walk end, without a mask, and with one?
# </details>
# <details><summary>Hint 2: whole blocks of keys</summary>
#
# Round the end up to a multiple of `BLOCK_N`, but not beyond S.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# A sum over `range(0, S, BLOCK_M)` gives the keys; 2 · H · D bytes for each, twice, and once for each query.
# </details>


# %% attention_loads tags=["solution"]
def attention_loads(H, S, D, BLOCK_M, BLOCK_N, causal):
    ### BEGIN SOLUTION
    keys = 0
    for first in range(0, S, BLOCK_M):
        end = min(first + BLOCK_M, S) if causal else S
        keys += min(triton.cdiv(end, BLOCK_N) * BLOCK_N, S)
    return 2 * H * D * (S + 2 * keys)
    ### END SOLUTION


# %% [markdown]
# Here is your formula for one head of 4096 positions of 128 numbers. Where does it meet the three kernels that write the scores? What stops the curve on the right?


# %% look_block_sizes
def three_kernels(S, D, tile=128):
    """Bytes between SMs and L2: S = Q Kᵀ in tiles, softmax, P V in tiles."""
    products = 2 * D * S * 2 * triton.cdiv(S, tile) + 2 * D * S * triton.cdiv(S, tile)
    return products + 4 * 2 * S * S


S, D = 4096, 128
curves = {
    name: {block: attention_loads(1, S, D, block, 64, causal) for block in (16, 32, 64, 128, 256, 512)}
    for name, causal in {"all keys": False, "causal": True}.items()
}
room = gpu("sm_90").shared_per_program
# A query has q in float16 and o in float32; of keys and values two blocks of 64 each are there, one on its way.
largest = max(block for block in curves["causal"] if D * (6 * block + 8 * 64) <= room)
viz.block_traffic(curves, {"three kernels": three_kernels(S, D)}, largest)

# %% [markdown]
# Twice the block, half the loads, until the chip is full. With M bytes on the chip a block has at most about M / 6D rows (q of 2 and o of 4 bytes a number), so loads fall as S² · D² / M. That is the theorem on the IO complexity of flash attention, and no exact attention
# grows more slowly for every M. (In truth q, k and v wait in shared memory, up to 227 KB of an H200's SM, and o lies in its 256 KB of registers.)


# %% counted tags=["setup"]
def counted_loads(H, S, BLOCK_M, BLOCK_N, causal):
    """Bytes that lablib's forward kernel loads, as the tracer counts them; heads of 64 numbers."""
    from lablib.kernels.flash_attention_forward import flash_attention_forward

    q, k, v = torch.zeros(3, 1, H, S, 64, dtype=torch.float16, device=device.DEVICE)
    blocks = {"BLOCK_M": BLOCK_M, "BLOCK_N": BLOCK_N}
    return trace(flash_attention_forward, q, k, v, causal, configuration=blocks).loaded_bytes


# %% test_attention_loads tags=["test", "core"] points=10 hours=1.0 covers=["transformers", "lo3"]
check.equal(attention_loads(1, 64, 16, 32, 16, False), 10240, name="attention_loads(1, 64, 16, 32, 16, False)")
check.equal(attention_loads(1, 64, 16, 32, 16, True), 8192, name="attention_loads(1, 64, 16, 32, 16, True)")
S = check.rng.choice(65, 96)
counted = counted_loads(1, S, 32, 32, True)
check.equal(attention_loads(1, S, 64, 32, 32, True), counted, name=f"attention_loads(1, {S}, 64, 32, 32, True)")
### BEGIN HIDDEN TESTS
for H, BLOCK_M, BLOCK_N, causal in [(2, 16, 64, True), (1, 64, 16, True), (2, 32, 16, False), (1, 16, 32, False)]:
    S = check.rng.choice(65, 96)
    call = f"attention_loads({H}, {S}, 64, {BLOCK_M}, {BLOCK_N}, {causal})"
    counted = counted_loads(H, S, BLOCK_M, BLOCK_N, causal)
    check.equal(attention_loads(H, S, 64, BLOCK_M, BLOCK_N, causal), counted, name=call)
S = 2 * check.rng.choice(35_000, 40_000) + 1  # too long to be run and counted
ends = [min(first + 128, S) for first in range(0, S, 128)]
expected = 2 * 8 * 80 * (S + 2 * sum(min(-(-end // 48) * 48, S) for end in ends))
check.equal(attention_loads(8, S, 80, 128, 48, True), expected, name=f"attention_loads(8, {S}, 80, 128, 48, True)")
### END HIDDEN TESTS

# %% [markdown]
# ### The best block for a chip (stretch)
#
# Say that a program may keep `on_chip_bytes` on the chip: a block of queries in float16, its o in float32, and two blocks each of keys and of values in float16, one in use and one on its way.
#
# **Your task.** `best_blocks(S, D, on_chip_bytes)` returns the pair (BLOCK_M, BLOCK_N), each one of 16, 32, 64, 128 and 256, that fits and loads the fewest bytes without a mask.
# Among equals, the larger BLOCK_N; then the smaller BLOCK_M. At least one pair fits.
#
# <details><summary>Hint 1: what fits</summary>
#
# For each of BLOCK_M rows 2 + 4 bytes a number; for each of BLOCK_N rows 2 · 2 · 2 bytes a number.
# </details>
# <details><summary>Hint 2: what counts</summary>
#
# Without a mask the loads depend on how many blocks of queries there are, and on nothing else.
# </details>
# <details><summary>Hint 3: 25 pairs</summary>
#
# Try them all: `min` with a key that is a tuple, ⌈S / BLOCK_M⌉ first.
# </details>


# %% best_blocks tags=["solution"]
def best_blocks(S, D, on_chip_bytes):
    ### BEGIN SOLUTION
    sizes = (16, 32, 64, 128, 256)
    fitting = [(m, n) for m in sizes for n in sizes if D * (6 * m + 8 * n) <= on_chip_bytes]
    return min(fitting, key=lambda blocks: (triton.cdiv(S, blocks[0]), -blocks[1], blocks[0]))
    ### END SOLUTION


# %% test_best_blocks tags=["test", "stretch"] points=5 hours=0.5 covers=["commodity_hardware", "lo3"]
check.equal(best_blocks(4096, 128, 232448), (256, 32), name="best_blocks(4096, 128, 232448)")
### BEGIN HIDDEN TESTS
sizes = [16, 32, 64, 128, 256]
rooms = [(4096, 128, 100_000), (100, 64, 232_448), (512, 64, 16_000), (200, 32, 14_336), (4096, 256, 70_000)]
for S, D, room in rooms:
    fitting = [(m, n) for m in sizes for n in sizes if 2 * m * D + 4 * m * D + 4 * 2 * n * D <= room]
    fewest = min(-(-S // m) for m, _ in fitting)
    widest = max(n for m, n in fitting if -(-S // m) == fewest)
    lowest = min(m for m, n in fitting if -(-S // m) == fewest and n == widest)
    check.equal(best_blocks(S, D, room), (lowest, widest), name=f"best_blocks({S}, {D}, {room})")
### END HIDDEN TESTS

# %% [markdown]
# ### Predict
#
# A causal mask hides nearly half of the scores. How much shorter will causal attention take than full attention, on an H200? Your formula knows one answer: the loads at blocks of 128 × 128 (and the products, block for block,
# nearly so: 1.94). The cell locks it before you see a clock. (To start over, delete `predictions.json` beside this notebook.) Before you run it: do you expect 2?

# %% lock_prediction
loads = {causal: attention_loads(64, 4096, 128, 128, 128, causal) for causal in (False, True)}
predicted = check.lock("time of full over causal attention, 4096 positions", loads[False] / loads[True])

# %% [markdown]
# And now the clock: four kernels on one H200, 4 × 16 heads, 4096 positions of 128 numbers, bfloat16.

# %% look_full_and_causal
import json
from pathlib import Path

recorded = json.loads(Path("assets/h200_kernels.json").read_text())
forward = [row for row in recorded["rows"] if row["kernel"] == "flash attention"]
cases = {row["case"]: {"lablib": row["ms"], **row["peers_ms"]} for row in forward}
full, causal = (cases[f"bf16 4 × 16 × 4096 × 128 {mask}"] for mask in ("full", "causal"))
long = cases["bf16 1 × 16 × 16384 × 128 causal"]
useful = 4 * 128 * 64 * 4096 * 4097 / 2  # operations on scores that a causal query sees
useful_long = 4 * 128 * 16 * 16384 * 16385 / 2
print(f"{'':14}{'full':>8}{'causal':>9}{'ratio':>7}   causal, TFLOP/s at 4096 and 16384 positions")
for name in full:
    rates = f"{useful / causal[name] / 1e9:9.0f}{useful_long / long[name] / 1e9:8.0f}"
    print(f"{name:14}{full[name]:5.2f} ms{causal[name]:6.2f} ms{full[name] / causal[name]:7.2f}{rates}")
recorded_gain = full["lablib"] / causal["lablib"]
print(f"You predicted {predicted:.2f} ×.")

# %% [markdown]
# What bounds them? Take the causal case, and let three parts of the chip work alone: the matrix units; the units for exponentials (16 a clock on an SM, while its matrix units do 4096 operations); the memory, with q, k, v and o moved once.

# %% look_alone
h200 = gpu("sm_90")
clocks_per_s = h200.flops_per_s / 4096  # of all SMs together, as the datasheet's rate has it
alone = {
    "matrix products": useful / h200.flops_per_s,
    "exponentials": 64 * 4096 * 4097 / 2 / (16 * clocks_per_s),
    "memory": 4 * 64 * 4096 * 128 * 2 / h200.bytes_per_s,
}
for name, seconds in alone.items():
    print(f"{name + ' alone':24}{1e3 * seconds:.3f} ms")
print(f"{'one after another':24}{1e3 * sum(alone.values()):.3f} ms")
print(f"{'measured, lablib':24}{causal['lablib']:.3f} ms")

# %% [markdown]
# And a kernel like yours? With a GPU the next cell times your `attend` beside PyTorch's backends. Without one it shows what the model solution reached on an H200.

# %% look_seconds
if device.INTERPRETED:
    print("No GPU here. The model solution on one H200, float16, causal, 64 heads × 4096 × 128:")
    for row in recorded["attend"]:
        blocks = ", ".join(map(str, row.get("blocks", [])))
        print(f"{row['name'] + (f' ({blocks})' if blocks else ''):28}{1e3 * row['seconds']:7.3f} ms")
else:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    from lablib.gpu.bench import median_seconds

    qkv, sink = torch.randn(4096, 3, 64, 128, **half), torch.zeros(64, device=device.DEVICE)
    q, k, v = (x[None].contiguous() for x in qkv.permute(1, 2, 0, 3))

    def sdpa():
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)

    print(f"attend: {1e3 * median_seconds(attend, qkv, sink, 64, 64, 4, 2):.3f} ms")
    for name in ("MATH", "EFFICIENT_ATTENTION", "FLASH_ATTENTION", "CUDNN_ATTENTION"):
        with sdpa_kernel(getattr(SDPBackend, name)):
            print(f"{name.lower()}: {1e3 * median_seconds(sdpa):.3f} ms")

# %% [markdown]
# ## 6 · Diagnose from counters (stretch)
#
# Four services compute attention. All results are right. Their counters are not all what they should be:


# %% counters tags=["setup"]
def counters(service, H, S, causal):
    """What a profiler tells of one call of a service, A to D, over H heads of 64 numbers, float16."""
    from lablib.kernels.flash_attention_forward import flash_attention_forward
    from lablib.kernels.matmul import matmul
    from lablib.kernels.softmax import softmax

    def separate(q, k, v):
        for one in range(H):
            matmul(softmax(matmul(q[0, one], k[0, one].T, 64, 64, 64)), v[0, one], 64, 64, 64)

    q, k, v = torch.zeros(3, 1, H, S, 64, dtype=torch.float16, device=device.DEVICE)
    blocks = {"BLOCK_M": 16 if service == "D" else 64, "BLOCK_N": 32}
    if service == "B":
        seen = trace(separate, q, k, v)
    else:
        seen = trace(flash_attention_forward, q, k, v, causal and service != "C", configuration=blocks)
    return {
        "heads": H, "positions": S, "head_dim": 64, "causal": causal, "loaded_bytes": seen.loaded_bytes,
        "stored_bytes": seen.stored_bytes, "matrix_flops": seen.dot_flops,
    }  # fmt: skip


# %% look_counters
asked = {"A": (128, True), "B": (64, False), "C": (128, True), "D": (128, True)}
table = {service: counters(service, 1, *case) for service, case in asked.items()}
print(" " * 14, *(f"{name:>9}" for name in table))
for counter in table["A"]:
    print(f"{counter:14}", *(f"{table[name][counter]!s:>9}" for name in table))

# %% [markdown]
# **Your task.** `diagnose(c)` takes such a dict and returns one of
# * `"scores stored"`: more than twice the bytes of the result are stored;
# * `"hidden blocks"`: the model is causal, but the products cover all pairs of a query and a key, or nearly (at least 95%);
# * `"short blocks"`: fewer than 20 matrix operations are done for each byte loaded, because each loaded key meets too few queries;
# * `"healthy"`: none of these.
#
# A service has at most one fault. The hidden cases have other sizes, all float16, and ask some services for causal attention and some for full.
#
# <details><summary>Hint 1: compare with what is needed</summary>
#
# How many bytes does the result have? How many operations are the two products over S × S pairs?
# </details>
# <details><summary>Hint 2: operations</summary>
#
# A pair of a query and a key costs 2 · D operations in each of two products. `matrix_flops` counts whole blocks.
# </details>
# <details><summary>Hint 3: three comparisons</summary>
#
# stored with 2 · 2 · H · S · D; operations with 0.95 · 4 · H · S² · D; operations with 20 · loaded.
# </details>


# %% diagnose tags=["solution"]
def diagnose(c):
    ### BEGIN SOLUTION
    H, S, D = c["heads"], c["positions"], c["head_dim"]
    if c["stored_bytes"] > 2 * 2 * H * S * D:
        return "scores stored"
    if c["causal"] and c["matrix_flops"] >= 0.95 * 4 * H * S * S * D:
        return "hidden blocks"
    if c["matrix_flops"] < 20 * c["loaded_bytes"]:
        return "short blocks"
    return "healthy"
    ### END SOLUTION


# %% test_diagnose tags=["test", "stretch"] points=5 hours=0.5 covers=["transformers", "lo1"]
faults = {"A": "healthy", "B": "scores stored", "C": "hidden blocks", "D": "short blocks"}
for service, fault in faults.items():
    seen = counters(service, 1, *((64, False) if service == "B" else (128, True)))
    check.equal(diagnose(seen), fault, name=f"your diagnosis of service {service}")
### BEGIN HIDDEN TESTS
for service, H, S, causal in [
    ("A", 1, 192, False),
    ("A", 2, 128, True),
    ("B", 1, 80, False),
    ("C", 2, 64, True),
    ("D", 1, 64, False),
    ("D", 3, 64, True),
]:
    name = f"the diagnosis of {H} heads, {S} positions, causal: {causal}"
    check.equal(diagnose(counters(service, H, S, causal)), faults[service], name=name)
### END HIDDEN TESTS

# %% [markdown]
# ## 7 · Explain
#
# **Explain** (in at most 250 words, in the cell below).
# 1. Compare your locked prediction with the clock. Why do kernels gain less from the mask than blocks and bytes say? Name two causes, and support one with a number that a cell printed.
# 2. The backward pass computes every score again, in both of your kernels, rather than keep P. Show with the datasheet's rates that this is right at D = 128. Up to which D would it hold, if one recomputed score costs 2 · D operations and a kept one 4 bytes?
# 3. A language model that decodes has one query for each head at a time, and thousands of keys. Which of the ideas of exercises 1 to 5 still help there, which do not, and why?

# %% explain_blocks [markdown] tags=["manual", "core"] points=10 hours=0.5 covers=["transformers", "commodity_hardware", "lo2", "lo3"]
# ### BEGIN SOLUTION
# 1. Blocks and bytes say 1.91 ×; the four kernels reach 1.56 to 1.84. What a program does besides its walk is the same with half the steps: it loads queries, waits for the first keys, stores o at the end. Blocks on the diagonal need a comparison and a
#    selection for each score. And programs are of unequal length, 1 to 32 steps, so that some SMs idle at the end. With 16384 positions the walk is four times as long: lablib's causal rate rises from 600 to 695 TFLOP/s.
# 2. 256 operations take 0.26 ps at 989 TFLOP/s, writing and reading 2 bytes each 0.83 ps at 4.8 TB/s. Equal when 2 · D / 989e12 = 4 / 4.8e12, D = 412. (Two kernels each recompute, but each would also read P: the bound for both together is 2 · 2 · D operations against 6 bytes, D = 309. And P would have to fit in memory.)
# 3. With one query a key that is loaded meets one row: no block of queries, no reuse, memory alone bounds it. Grouped queries help: G rows share each loaded key. A window bounds what is loaded. The merge helps most: one row's keys are split over many SMs, whose parts are merged. The causal mask hides nothing from the last query. There is no backward pass.
# ### END SOLUTION

# %% rubric_explain_blocks [markdown] tags=["rubric"]
# **10 points.**
# * 4: 1 for each of two causes (work per program that does not shrink: prologue, epilogue, first loads; masking on the diagonal; programs of unequal length, SMs idle at the end; blocks on the diagonal half used, where the student sees that the prediction has these already); 2 for a printed number that supports one (the rates at 4096 and 16384 positions, or the range 1.56 to 1.84).
# * 3: 2 for about 0.26 against 0.83 ps, or the same as rates; 1 for D of about 412 (309 where both kernels' recomputation and three trips are counted).
# * 3: 1 for no reuse by blocks of queries, hence memory-bound; 1 for the merge over parts that many SMs work on; 1 for grouped queries or the window, with what it saves.
# * A list of causes without a reason for any earns at most 1 in its part.

# %% record_figures
from lablib.ledger import record

# Your figures are kept in labs/ledger.json: lab18 fills the tables of its claims and its essay from there.
record("lab07_flash_attention", {
    "largest_query_block_rows": lambda: largest,
    "three_kernels_over_one_bytes_ratio": lambda: three_kernels(4096, 128) / curves["all keys"][largest],
    "full_over_causal_time_ratio_h200": lambda: recorded_gain,
    "full_over_causal_bytes_ratio": lambda: predicted,
})  # fmt: skip

# %% [markdown]
# ## What to take along
#
# * A softmax is a merge of parts. What can be merged need not be stored.
# * The scores live for one step in registers. What comes from memory is q, k, v; what goes back is o, and one number a row for the backward pass.
# * Arithmetic that replaces a trip to memory is cheap: compute it again.
# * Traffic falls with the block of queries, until the chip is full. Heads that share keys make the block larger for free.
# * Blocks that a mask hides must not be loaded. A mask alone saves nothing.
#
# **Next:** lab09 makes the keys smaller; lab17 serves a model whose keys lie in pages. lab05 finds by itself what may be fused.
#
# **Sources**
# * Dao, Fu, Ermon, Rudra, Ré: *FlashAttention*, arXiv:2205.14135, 2022. Tiles, recomputation, IO complexity (theorem 2, and proposition 3 for the bound from below).
# * Dao: *FlashAttention-2*, arXiv:2307.08691, 2023. Loops turned around, no rescaling by l before the end, delta.
# * Milakov, Gimelshein: *Online normalizer calculation for softmax*, arXiv:1805.02867, 2018. The merge.
# * Rabe, Staats: *Self-attention does not need O(n²) memory*, arXiv:2112.05682, 2021.
# * Shazeer: *Fast Transformer decoding: one write-head is all you need*, arXiv:1911.02150, 2019; Ainslie et al.: *GQA*, arXiv:2305.13245, 2023. Shared keys.
# * Xiao et al.: *Efficient streaming language models with attention sinks*, arXiv:2309.17453, 2023. Why weight collects where there is no content.
# * Gemma team: *Gemma 2*, arXiv:2408.00118, 2024. The soft cap. Grattafiori et al.: *The Llama 3 herd of models*, arXiv:2407.21783, 2024. 32 query heads, 8 key heads.
# * NVIDIA: H200 datasheet; *CUDA C++ Programming Guide*, "Arithmetic instructions": 16 exponentials a clock and SM.
