# %% [markdown]
# # Lab 10 · Adaptive compute: spend where it is hard
#
# A network does the same work for every input. The clearest 1 that was ever written goes through all blocks of a vision Transformer, and so does a smudge that could be a 4 or a 9.
# The trained ViT of this course gets 97.5% of its held-out digits right. Let each image stop as soon as the network is sure, and it gets the same 97.5% with **43% of the FLOPs**. (The first picture below computes both.)
#
# Here are four ways to spend less where less will do. Each is simple on paper, and each can be built so that it saves nothing: a batch that computes the finished rows along, experts that
# wait for one of them, a product that copies its input first, a sampler that is fast and draws the wrong text. So you count.
#
# **After it you can**
# 1. let inputs leave a network early, in a batch that really shrinks, at a budget that you choose;
# 2. merge tokens that say the same, and keep what the network computes;
# 3. route tokens to experts under a capacity, and multiply each by its expert's weights without moving it first;
# 4. write speculative decoding that provably draws from the large model, and predict what it gains;
# 5. say what a vision and a language model gain from each, and why not the same.
#
# | | |
# |---|---|
# | Time | about 10½ hours: core 10 h, stretch ½ h (the diagnosis in 5) |
# | Needs | lab03's Transformer, and lab06 for the kernel in section 3 |
# | Machine | any, no GPU needed. No cell takes more than 5 s. The models come trained, with the recipes that trained them (`lablib.train`) |
# | Grading | about 4 core-seconds, because it runs both networks |
# | Points | 100 |
#
# **In every exercise** nothing is drawn at random inside your function: where chance decides, the numbers are an argument. So results can be compared exactly. Arguments stay as they were.
# In grading there is no `lablib.kernels.matmul_experts`: a variant of it is yours to write.

# %% setup tags=["setup"] withhold=["lablib.kernels.matmul_experts"]
import lablib

lablib.require("0.1")

from lablib import device  # isort: skip  (before triton: it decides whether kernels are interpreted)

import math
from itertools import accumulate

import torch
import triton
import triton.language as tl
from torch import nn
from torch.nn import functional as F

from lablib import check, viz
from lablib.data.austen import austen, decode
from lablib.data.mnist import mnist
from lablib.gpu.ledger import ledger
from lablib.gpu.specs import gpu
from lablib.models.exits import Exits, embed, exit_functions, states
from lablib.models.gpt import GPT
from lablib.models.vit import ViT
from lablib.models.weights import load

device.seed(0)
torch.set_num_threads(1)  # our batches are small: a second core would mostly wait

# %% [markdown]
# ## 1 · Leave when you are sure
#
# Put a small **head** after each block: a norm and a linear layer that guess the class from what the block hands on. The blocks stay as they were trained; only the heads learned.
#
# ```text
# image ──embed──block 1──┬──block 2──┬──block 3──┬──block 4──head──> logits
#                         └head       └head       └head
# ```
#
# A head gives logits. Their softmax is a probability for each class, and its largest value is the **confidence**. The **gate**: an image leaves at the first head whose confidence reaches a
# threshold. The last head takes whoever is left.
#
# The same for a language model: a head after each block guesses the next character. Its inputs are positions of a text in place of images.


# %% given_exits tags=["setup"]
def flops_by_exit(model, functions, x):
    """FLOPs of passes that leave after block 1, 2, …, with all heads on the way, as the ledger counts them."""

    class Climb(nn.Module):
        def __init__(self, blocks):
            super().__init__()
            self.blocks = blocks

        def forward(self, x):
            h = embed(model, x)
            for block, function in zip(self.blocks, functions, strict=False):
                h = block(h)
                function(h)
            return h

    return [ledger(Climb(model.blocks[: k + 1]), x).total.flops for k in range(len(model.blocks))]


@torch.no_grad()
def all_exits(model, heads, x, y):
    """Confidences (4, N), whether each head is right (4, N), and FLOPs by exit; a batch of 250 rows at a time."""
    functions = exit_functions(model, heads)
    parts = [
        [f(h).flatten(0, -2) for f, h in zip(functions, states(model, part), strict=True)] for part in x.split(250)
    ]
    logits = torch.stack([torch.cat(found) for found in zip(*parts, strict=True)])
    confidence, guess = logits.softmax(dim=2).max(dim=2)
    return confidence, guess == y.flatten(), flops_by_exit(model, functions, x[:1])


def vision_exits():
    """What all exits say of the 1000 held-out images."""
    data = mnist()
    return all_exits(load(ViT(), "vit"), load(Exits(64, 10), "vit_exits"), data.test_x, data.test_y)


def language_exits():
    """What all exits say of the next of 5120 held-out characters."""
    windows = austen().test.unfold(0, 129, 128)[:40]
    return all_exits(load(GPT(), "gpt"), load(Exits(128, 72), "gpt_exits"), windows[:, :-1], windows[:, 1:])


def gated(confidence, right, flops, threshold):
    """Which exit each input takes, (N,); the share that is right; mean FLOPs."""
    sure = confidence >= threshold
    sure[-1] = True
    taken = sure.int().argmax(dim=0)
    share = right.gather(0, taken[None]).float().mean().item()
    return taken, share, torch.tensor(flops, dtype=torch.float64)[taken].mean().item()


# %% [markdown]
# Move the slider. Each image stands in the row of the block where it leaves; a wrong answer is shown in negative. Which images climb, and does it help them?

# %% look_gates
confidence, right, flops = vision_exits()
order = (
    torch.randperm(1000, generator=torch.Generator().manual_seed(4))[:16].tolist()
    + (~right[0]).nonzero()[:4, 0].tolist()
)
thresholds, sheets, notes = [0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 1.01], [], []
small = F.avg_pool2d(mnist().test_x[order], 2)[:, 0]
for threshold in thresholds:
    taken, share, mean = gated(confidence, right, flops, threshold)
    sheet = torch.zeros(4, 20, 14, 14)
    for place, image in enumerate(order):
        shown = small[place] if right[taken[image], image] else 1 - small[place]
        sheet[taken[image], place] = shown
    sheets.append(sheet.flatten(0, 1))
    notes.append(
        f"Of all 1000 images {100 * share:.1f}% are right, with {100 * mean / flops[-1]:.0f}% of the FLOPs of a whole pass."
    )
viz.image_steps(
    torch.stack(sheets), [f"{t:g}" for t in thresholds], title="Where does each image leave?",
    prefix="confidence of at least ", notes=notes, rows=[f"block {k}" for k in (1, 2, 3, 4)], start=3,
)  # fmt: skip

# %% [markdown]
# ### A batch that shrinks
#
# Inputs come in batches, and a batch leaves block 1 in two kinds: some rows are done, some go on. The laziest program goes on with all of them and picks the answers at the end. That has
# the right accuracy and saves **nothing**. Take the rows that stay out of the batch, and give the next block only those:
#
# ```text
# rows 0 1 2 3 ──block 1──> 1 and 2 are sure
# rows 0 3     ──block 2──> 0 is sure
# rows 3       ──block 3──> 3 is sure: block 4 does not run
# ```
#
# 4 + 2 + 1 = 7 rows in place of 16.
#
# **Your task.** `run_early(blocks, exits, x, threshold)` returns `(logits, taken)`.
# * `blocks`, `exits`: lists of as many functions. A block takes states (n, T, C) and returns the same shape; an exit takes states and returns logits (n, classes), float32.
# * `x`: (N, T, C), float32, N at least 1. `threshold`: a float.
# * A row leaves at the first exit where its largest softmax probability is **at least** the threshold, or at the last. `logits`: (N, classes), each row's from where it left. `taken`: (N,), int64, the exit, from 0.
# * Each block and each exit runs at most once, on the rows that are still there, in their order. With no row left nothing more runs.
#
# <details><summary>Hint 1: who is who</summary>
#
# After some rows have left, row 0 of the batch is no longer input 0. What must you carry along?
# </details>
# <details><summary>Hint 2: masks select</summary>
#
# `x[~sure]` are the rows where `sure` is False, in their order; the same mask works on any tensor of as many rows.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `rows = torch.arange(N)`. For each block: run it, run its exit, `logits[rows[sure]] = found[sure]`, then keep `rows[~sure]` and `x[~sure]`. At the last exit everybody is sure.
# </details>


# %% run_early tags=["solution"]
def run_early(blocks, exits, x, threshold):
    ### BEGIN SOLUTION
    rows, taken, answers = torch.arange(len(x), device=x.device), [], []
    for number, (block, exit) in enumerate(zip(blocks, exits, strict=True)):
        x = block(x)
        logits = exit(x)
        sure = logits.softmax(dim=1).amax(dim=1) >= threshold
        if number == len(blocks) - 1:
            sure = torch.ones_like(sure)
        answers.append((rows[sure], logits[sure]))
        taken.append(torch.full_like(rows[sure], number))
        rows, x = rows[~sure], x[~sure]
        if len(rows) == 0:
            break
    order = torch.cat([who for who, _ in answers]).argsort()
    return torch.cat([found for _, found in answers])[order], torch.cat(taken)[order]
    ### END SOLUTION


# %% test_run_early tags=["test", "core"] points=10 hours=1.0 covers=["adaptive_compute", "lo4"]
def judge_run_early(blocks, exits, x, name):
    with torch.no_grad():
        state, every = x, []
        for block, exit in zip(blocks, exits, strict=True):
            state = block(state)
            every.append(exit(state))
    every = torch.stack(every)
    sure = every.softmax(dim=2).amax(dim=2)
    values = sure[:-1].flatten().sort().values
    values = values[len(values) // 4 : 3 * len(values) // 4 + 2]
    widest = values.diff().argmax()
    threshold = values[widest : widest + 2].mean().item()  # no confidence is near it: rounding decides nothing
    sure = sure >= threshold
    sure[-1] = True
    expected = sure.int().argmax(dim=0)
    calls = []

    def watched(kind, number, function):
        def run(state):
            calls.append((kind, number, len(state)))
            with torch.no_grad():
                return function(state)

        return run

    seen_blocks = [watched("block", k, f) for k, f in enumerate(blocks)]
    seen_exits = [watched("exit", k, f) for k, f in enumerate(exits)]
    logits, taken = run_early(seen_blocks, seen_exits, x, threshold)
    check.equal(taken, expected, name=f"{name}: the exits taken")
    check.close(logits, every[expected, torch.arange(len(x))], rtol=1e-4, name=f"{name}: the logits")
    there = [int((expected >= k).sum()) for k in range(len(blocks))]
    wanted = [(kind, k, n) for k, n in enumerate(there) if n for kind in ("block", "exit")]
    check.equal(calls, wanted, name=f"{name}: the calls, as (what, which, rows),")


model, heads = load(ViT(), "vit"), load(Exits(64, 10), "vit_exits")
state = model.tokens(mnist().train_x[:40]).detach() + 0.1 * check.rng.normal(40, 49, 64).cpu()
judge_run_early(list(model.blocks), exit_functions(model, heads), state, "the ViT")
### BEGIN HIDDEN TESTS
model, heads = load(GPT(), "gpt"), load(Exits(128, 72), "gpt_exits")
starts = check.rng.integers(0, 90_000, 30).cpu()
contexts = embed(model, austen().test[starts[:, None] + torch.arange(24)]).detach()
readers = exit_functions(model, heads)
judge_run_early(
    list(model.blocks), [lambda h, f=f: f(h[:, -1]) for f in readers], contexts, "the GPT, one character each"
)
mixers = [check.rng.normal(6, 6).cpu() for _ in range(3)]
matrices = [4 * check.rng.normal(6, 5).cpu() for _ in range(3)]
blocks = [lambda h, m=m: torch.tanh(h @ m) for m in mixers]
exits = [lambda h, r=r: h.mean(dim=1) @ r for r in matrices]
judge_run_early(blocks, exits, check.rng.normal(50, 3, 6).cpu(), "three blocks")
even = [lambda h: torch.stack([h[:, 0, 0], -h[:, 0, 0]], dim=1)] * 3
_, taken = run_early([torch.neg] * 3, even, torch.zeros(5, 1, 1), 0.5)  # a confidence of exactly 0.5
check.equal(taken, torch.zeros(5, dtype=torch.int64), name="the exits of rows at the threshold")
### END HIDDEN TESTS

# %% [markdown]
# ### Which threshold?
#
# Whoever runs a service has a budget: so many FLOPs for an image, on average. The mean falls as the threshold falls, so: **the highest threshold that the budget allows.** To find it you need inputs like those to come,
# and no labels at all. A gate can be set on the traffic of yesterday.
#
# By hand, with two exits of 1 and 4 FLOPs, and three inputs with confidences 0.9, 0.6, 0.8 at the first: at a threshold of 0.9 one input leaves, and the mean is (1 + 4 + 4) / 3 = 3. At 0.8 two leave: 2. At 0.6 all: 1. A budget of 2.5 gives 0.8.
#
# **Your task.** `choose_threshold(confidence, flops, budget)` returns a float: the largest threshold for which these inputs need at most `budget` FLOPs on average.
# * `confidence`: (D, N), float32, each exit's confidence in each input, as if nobody had left. `flops`: D ints, those of a pass that leaves there, not falling. `budget`: at least `flops[0]`.
# * The gate is that of `run_early`. The answer is one of the confidences of the first D − 1 exits, or `float("inf")` where even the whole pass is within the budget.
#
# <details><summary>Hint 1: how many thresholds are there?</summary>
#
# Between two neighbouring confidences the threshold can move without changing anything.
# </details>
# <details><summary>Hint 2: from a threshold to FLOPs</summary>
#
# `confidence >= threshold`, with the last row set to True; then the first True of each column.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Sort the confidences. The mean never falls as the threshold rises, so half of the candidates can be ruled out at a time. (Trying all is right too, and takes longer.)
# </details>


# %% choose_threshold tags=["solution"]
def choose_threshold(confidence, flops, budget):
    ### BEGIN SOLUTION
    price = torch.tensor(flops, dtype=torch.float64)

    def mean(threshold):
        sure = confidence >= threshold
        sure[-1] = True
        return price[sure.int().argmax(dim=0)].mean().item()

    if price[-1] <= budget:
        return float("inf")
    values = confidence[:-1].flatten().unique()
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if mean(values[middle]) <= budget else (low, middle)
    return values[low].item()
    ### END SOLUTION


# %% look_threshold
vision, language = vision_exits(), language_exits()
asked = [("vision", vision, 0.5), ("language", language, 0.5), ("language", language, 0.85)]
for name, (confidence, right, flops), budget in asked:
    threshold = choose_threshold(confidence, flops, budget * flops[-1])
    taken, share, _ = gated(confidence, right, flops, threshold)
    leaving = torch.bincount(taken, minlength=4).tolist()
    print(f"{name:8} budget {budget:.0%}: {100 * share:.1f}% right, {leaving} leave after blocks 1 to 4")
for name, (_, right, _) in [("vision", vision), ("language", language)]:
    print(f"{name:8} all out after block 1, 2, 3, 4:", ", ".join(f"{100 * r:.1f}%" for r in right.float().mean(dim=1)))

# %% [markdown]
# Half the FLOPs cost the digits nothing, and the text several points. Most digits are plain, and plain after two blocks. The next character of a novel is often truly open: the network is right on it 64% of the time, and
# each block adds to that. **How much early exit saves is a property of the inputs, not of the hardware.** (When the GPT writes, one more thing is in the way. A character that leaves after block 2 has no keys and values in blocks 3 and 4,
# and all later characters want to look at them. Someone must compute or guess them.)
#
# Is the gate clever, or is it only cheap? Two controls. A **static** exit takes everybody out after the same block. A **random** gate sends as many inputs to each exit as yours does, but not by confidence: the same FLOPs,
# and its expected accuracy needs no drawing, for it is the exits' accuracies weighted with these shares. Your gate must beat both, on inputs that it was not set on.
# (Set on 100 random halves of the digits and used on the others, a budget of 50% used 47% to 53% of the FLOPs and lost at most 0.2 points: `benchmarks/lab10.py`.)


# %% given_compare tags=["setup"]
def compare(choose, confidence, right, flops, budget, given, asked):
    """Set a gate on the inputs `given`, use it on `asked`: FLOPs as a share of a whole pass, and four accuracies."""
    threshold = choose(confidence[:, given], flops, budget * flops[-1])
    taken, share, mean = gated(confidence[:, asked], right[:, asked], flops, threshold)
    alone = right[:, asked].double().mean(dim=1)
    shares = torch.bincount(taken, minlength=len(flops)) / len(taken)
    within = [a for a, f in zip(alone.tolist(), flops, strict=True) if f <= max(mean, flops[0])]
    controls = {"static": max(within), "random": (shares * alone).sum().item()}
    return {"flops": mean / flops[-1], "gate": share, "whole": alone[-1].item(), **controls}


# %% test_choose_threshold tags=["test", "core"] points=10 hours=1.0 covers=["adaptive_compute", "lo3", "lo4"]
example = torch.tensor([[0.9, 0.6, 0.8], [0.9, 0.9, 0.9]])
check.equal(choose_threshold(example, [1, 4], 2.5), example[0, 2].item(), name="the threshold of the example")
for name, exits, budget, most in [("ViT", vision_exits(), 0.5, 0.6), ("GPT", language_exits(), 0.9, 0.95)]:
    half = exits[0].shape[1] // 2
    found = compare(choose_threshold, *exits, budget, slice(0, half), slice(half, None))
    assert 0.3 <= found["flops"] <= most, f"the {name}: {found['flops']:.0%} of the FLOPs, expected 30% to {most:.0%}."
    text = f"the {name}: {found['gate']:.3f} right, more than a point below a whole pass ({found['whole']:.3f})."
    assert found["gate"] >= found["whole"] - 0.01, text
    assert found["gate"] > max(found["static"], found["random"]), (
        f"the {name}'s gate is no better than a control: {found}."
    )


### BEGIN HIDDEN TESTS
def judge_threshold(D, N, budget=None):
    confidence = check.rng.uniform(D, N, low=0.1, high=1.0).cpu()
    confidence[:, ::5] = confidence[:, :1].clone()  # some are equal
    flops = torch.cumsum(check.rng.integers(1, 1000, D), dim=0).tolist()
    means = {}
    for threshold in [*confidence[:-1].flatten().tolist(), float("inf")]:
        sure = confidence >= threshold
        sure[-1] = True
        means[threshold] = sum(flops[e] for e in sure.int().argmax(dim=0).tolist()) / N
    one_of_them = sorted(means.values())[len(means) // 2]
    limit = one_of_them if budget is None else flops[0] + budget * (flops[-1] - flops[0])
    expected = max(t for t, mean in means.items() if mean <= limit)
    check.equal(choose_threshold(confidence, flops, limit), expected, name=f"the threshold for {D} exits, {N} inputs")


for D, N, budget in [(2, 1, 0.5), (3, 40, 0.3), (4, 61, 0.7), (4, 30, 0.0), (5, 20, 1.0)]:
    judge_threshold(D, N, budget)
judge_threshold(3, 32)  # a power of two: means are exact
### END HIDDEN TESTS
# %% [markdown]
# ## 2 · Merge what says the same
#
# An early exit drops blocks. The other way to save is across: fewer **tokens**. Most patches of a digit are blank paper, and 30 tokens that say "nothing here" do the work of 30. Pairs that say nearly the same become one:
#
# 1. The tokens at even places (0, 2, 4, …) are **sources**, those at odd places **targets**.
# 2. Each source looks for its most similar target: the one with the greatest cosine similarity.
# 3. The `r` sources that found the greatest similarity are merged into their targets. Several may go to one.
# 4. All others stay, in their order.
#
# Sources and targets halve the work of finding pairs twice over: T²/4 products in place of T². And a merged token remembers its **size**, the number of patches in it, so that the mean is right: a token of size 3 and one of size 1
# give ¾ of the first and ¼ of the second.
#
# By hand, with r = 1 and sizes 1: tokens a = (1, 0), b = (0, 2), c = (0, 1), d = (1, 1). The sources are a and c. The most similar target of a is d (cosine 0.71), that of c is b (cosine 1). So c merges into b: the result is a, (0, 1.5), d, with sizes 1, 2, 1.
# Places 0, 1, 2, 3 went to 0, 1, 1, 2.
#
# **Your task.** `merge_tokens(x, sizes, r)` returns `(x, sizes, to)`.
# * `x`: (B, T, C), float32. `sizes`: (B, T), float32, positive. `r`: from 0 to the number of sources, the same for all images of the batch.
# * The result has T − r tokens an image, **in the order of their old places**; a merged pair stands where its target stood. Merged values are means weighted with the sizes; sizes add up.
# * `to`: (B, T), int64: the new place of each old token.
# * Its matrix products do 2 · B · ⌈T/2⌉ · ⌊T/2⌋ · C FLOPs, those of the similarity, and no more. With r = 0 there is nothing to find, and 0 are right too. (Moving rows is no arithmetic: a product with a matrix of zeros and ones would be.)
#
# <details><summary>Hint 1: first the map</summary>
#
# Who stays? Mark them 1, all others 0, and take the running sum: that numbers those who stay. Where does a merged source go?
# </details>
# <details><summary>Hint 2: then the sums</summary>
#
# `torch.zeros(B, T - r).scatter_add(1, to, sizes)` adds each size at its new place. For x, `to[..., None].expand(-1, -1, C)` says the same for each feature.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `F.normalize(x, dim=2)`; `similarity = unit[:, ::2] @ unit[:, 1::2].transpose(1, 2)`; `best, target = similarity.max(dim=2)`; `best.topk(r, dim=1).indices` are the sources that leave. Source i stands at place 2 · i, target j at 2 · j + 1.
# </details>


# %% merge_tokens tags=["solution"]
def merge_tokens(x, sizes, r):
    ### BEGIN SOLUTION
    B, T, C = x.shape
    unit = F.normalize(x, dim=2)
    best, target = (unit[:, ::2] @ unit[:, 1::2].transpose(1, 2)).max(dim=2)
    leaving = best.topk(r, dim=1).indices
    stays = torch.ones(B, T, dtype=torch.int64, device=x.device).scatter(1, 2 * leaving, 0)
    place = stays.cumsum(dim=1) - 1
    to = place.scatter(1, 2 * leaving, place.gather(1, 2 * target.gather(1, leaving) + 1))
    merged_sizes = torch.zeros_like(sizes[:, r:]).scatter_add(1, to, sizes)
    sums = torch.zeros_like(x[:, r:]).scatter_add(1, to[..., None].expand(-1, -1, C), x * sizes[..., None])
    return sums / merged_sizes[..., None], merged_sizes, to
    ### END SOLUTION


# %% [markdown]
# In the network, `merge_tokens` runs after each block but the last. Two places must know the sizes. The mean at the end is weighted with them. And in attention, a token that stands for s patches is to be seen as often as they would be: s · exp(score) = exp(score + log s).
# Both are given.


# %% given_merging tags=["setup"]
@torch.no_grad()
def merged_pass(model, images, merge, counts, seen_by_size=True):
    """Logits of the ViT when counts[k] tokens are merged after block k, and the token of each patch after each block."""
    x = model.tokens(images)
    sizes, patches = torch.ones(x.shape[:2]), torch.arange(x.shape[1]).expand(x.shape[:2])
    maps = [patches]
    for block, r in zip(model.blocks, [*counts, 0], strict=True):
        louder = sizes.log()[:, None, None, :] if seen_by_size else 0.0
        hook = block.attention.softmax.register_forward_pre_hook(lambda _, given, add=louder: (given[0] + add,))
        x = block(x)
        hook.remove()
        x, sizes, to = merge(x, sizes, r)
        maps.append(to.gather(1, maps[-1]))
    weights = sizes / sizes.sum(dim=1, keepdim=True)
    return model.head((model.norm(x) * weights[..., None]).sum(dim=1)), maps


def vit_flops(counts, width=64, patches=49, patch=16):
    """FLOPs of a pass with merging: patches, then blocks of 12 · width² weights, attention, and the search for pairs."""
    total, T = 2 * patches * patch * width, patches
    for r in [*counts, 0]:
        total += 24 * width * width * T + 4 * T * T * width + (2 * ((T + 1) // 2) * (T // 2) * width if r else 0)
        T -= r
    return total + 2 * width * 10


# %% [markdown]
# Which patches go together? Move the slider. (A patch in a pale colour shares its token with the patches of the same colour and number; a white one is alone.) Are the first to go the blank ones?

# %% look_groups
vit, data = load(ViT(), "vit"), mnist()
assert vit_flops([0, 0, 0]) == ledger(vit, data.test_x[:1]).total.flops  # the formula, against the counter
counts = (16, 12, 8)
_, maps = merged_pass(vit, data.test_x[3:5], merge_tokens, counts)
viz.token_groups(
    data.test_x[3:5, 0], torch.stack(maps[:-1]).reshape(4, 2, 7, 7), ["no block", "block 1", "block 2", "block 3"]
)

# %% look_merging
print("merged after blocks 1, 2, 3    FLOPs   right   right without sizes in attention")
for counts in [(16, 12, 8), (20, 10, 5), (24, 12, 4)]:
    right = []
    for seen_by_size in (True, False):
        guesses = [
            merged_pass(vit, x, merge_tokens, counts, seen_by_size)[0].argmax(dim=1) for x in data.test_x.split(250)
        ]
        right.append((torch.cat(guesses) == data.test_y).float().mean().item())
    print(f"{counts!s:27} {vit_flops(counts) / vit_flops((0, 0, 0)):8.1%} {right[0]:7.1%} {right[1]:7.1%}")


# %% [markdown]
# Unmerged, 97.5% are right. With 1000 images, half a point is chance. The control: pairs chosen at random in place of the most similar leave 86% right at (16, 12, 8), and 75% at (24, 12, 4) (`benchmarks/lab10.py`). **What is merged matters more than how much.**


# %% test_merge_tokens tags=["test", "core"] points=15 hours=1.5 covers=["adaptive_compute", "vits", "lo4"]
def pairs_by_hand(tokens, r):
    """Which sources go to which targets, and the least difference of similarities that decided it."""
    found, gaps = [], [1.0]
    for s in range(0, len(tokens), 2):
        similar = sorted((F.cosine_similarity(tokens[s], tokens[t], dim=0).item(), t) for t in range(1, len(tokens), 2))
        found.append((*similar[-1], s))
        gaps += [one[0] - other[0] for one, other in zip(similar[-1:], similar[-2:-1], strict=False)]
    found.sort(reverse=True)
    gaps += [found[r - 1][0] - found[r][0]] if 0 < r < len(found) else []
    return {s: t for _, t, s in found[:r]}, min(gaps)


def merged_by_hand(tokens, size, r):
    gone, _ = pairs_by_hand(tokens, r)
    stay = [place for place in range(len(tokens)) if place not in gone]
    to = [stay.index(gone.get(place, place)) for place in range(len(tokens))]
    groups = [[place for place, new in enumerate(to) if new == number] for number in range(len(stay))]
    sizes = torch.stack([size[group].sum() for group in groups])
    values = torch.stack([(size[group][:, None] * tokens[group]).sum(dim=0) for group in groups])
    return values / sizes[:, None], sizes, torch.tensor(to)


def judge_merge(B, T, C, r, largest=9):
    images = []
    while len(images) < B:
        tokens = check.rng.normal(T, C)
        if pairs_by_hand(tokens.double(), r)[1] > 1e-4:  # so that rounding decides nothing
            images.append(tokens)
    x, sizes = torch.stack(images), check.rng.integers(1, largest + 1, B, T).float()
    by_hand = [merged_by_hand(tokens.double(), size.double(), r) for tokens, size in zip(x, sizes, strict=True)]
    values, weights, to = (torch.stack(part) for part in zip(*by_hand, strict=True))
    search = 2 * B * ((T + 1) // 2) * (T // 2) * C
    got = check.cost(merge_tokens, x, sizes, r, flops=search if r else (0, search))
    check.equal(got[2], to, name=f"to, for {r} of {T} tokens")
    check.close(got[1], weights.float(), name=f"the sizes, for {r} of {T} tokens")
    check.close(got[0], values.float(), rtol=1e-4, name=f"the tokens, for {r} of {T}")


example = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [0.0, 1.0], [1.0, 1.0]]])
tokens, sizes, to = merge_tokens(example, torch.ones(1, 4), 1)
check.close(tokens, torch.tensor([[[1.0, 0.0], [0.0, 1.5], [1.0, 1.0]]]), name="the tokens of the example")
check.close(sizes, torch.tensor([[1.0, 2.0, 1.0]]), name="the sizes of the example")
judge_merge(2, 8, 5, 2, largest=1)
### BEGIN HIDDEN TESTS
for B, T, C, r in [(3, 9, 4, 5), (2, 12, 6, 4), (1, 49, 16, 12), (2, 7, 3, 0)]:
    judge_merge(B, T, C, r)
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Experts: more weights, the same FLOPs
#
# DeepSeek-V3 has 671 billion weights, and uses 37 billion for any one token (its report, abstract). The rest wait for tokens of another kind. The layer behind this is a **mixture of experts** (MoE): E linear layers in place of one, and a
# **router**, which gives each token a logit for each expert and sends it to the k with the largest. FLOPs grow with k, weights with E.
#
# The system's trouble is that nobody knows beforehand who gets how many. Here is a router that nobody trained, on what our two trained models hand on after block 2: the tokens of 21 digits, the characters of 8 pieces of text.
# A **capacity** is the most that an expert takes; what comes later is **dropped**, and goes on without an expert's help. A capacity factor of 1 is n/E places each, for n assignments. Move the slider: which factor drops nothing, and how many places then stay empty? Which of the two models is
# harder to balance, and why? (Think of blank paper.)


# %% look_load
def loads(x, E=8):
    """First choices by expert of a router of random numbers."""
    x = F.layer_norm(x, x.shape[-1:])
    router = torch.randn(x.shape[-1], E, generator=torch.Generator().manual_seed(2))
    return torch.bincount((x.flatten(0, 1) @ router).argmax(dim=1), minlength=E).tolist()


patches = states(vit, data.test_x[:21])[1]
characters = states(load(GPT(), "gpt"), austen().test[:1024].view(8, 128))[1]
viz.router_load({"vision": loads(patches), "language": loads(characters)}, [0.5, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0])

# %% [markdown]
# A router is trained with a **balance loss** beside its task: E · Σₑ fₑ · Pₑ, where fₑ is the share of tokens whose first choice is expert e, and Pₑ the mean over tokens of e's probability (softmax over all experts). Even loads give 1, all tokens on one expert up to E.
# The f are counts and have no gradient: it flows through P alone, and presses most where the load is.
#
# **Your task.** Two functions.
# * `route(logits, k, capacity)` returns `(expert, gate)`, both (T, k); `logits` is (T, E), float32. Row t of `expert`, int64, holds the k experts with the largest logits, the largest first. Row t of `gate`, float32, holds the softmax over these k logits alone.
#   Each expert takes at most `capacity` assignments: **first all first choices in the order of tokens, then all second choices, and so on.** What finds no place is dropped: its expert is −1, its gate 0. The other gates stay.
# * `balance_loss(logits)` returns the loss above, a tensor of shape (), with its gradient.
# * `route` holds at most 32 · T · k · E bytes at once: enough for two int64 numbers for each assignment and expert, not for a table of tokens × experts × places.
#
# <details><summary>Hint 1: a queue</summary>
#
# Lay the choices in one queue: `expert.T.reshape(-1)` has all first choices first. How many of the same expert stand before each?
# </details>
# <details><summary>Hint 2: how many before me</summary>
#
# `F.one_hot(queue, E).cumsum(dim=0)` counts, for each place of the queue, how often each expert has come.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Gather the count of one's own expert, minus 1: kept where it is below `capacity`. `kept.view(k, T).T` goes back to (T, k). For the loss: `F.one_hot(logits.argmax(1), E)` has no gradient, `logits.softmax(1)` has.
# </details>


# %% route tags=["solution"]
def route(logits, k, capacity):
    ### BEGIN SOLUTION
    T, E = logits.shape
    score, expert = logits.topk(k, dim=1)
    queue = expert.T.reshape(-1)
    place = F.one_hot(queue, E).cumsum(dim=0).gather(1, queue[:, None])[:, 0] - 1
    kept = (place < capacity).view(k, T).T
    return torch.where(kept, expert, -1), score.softmax(dim=1) * kept
    ### END SOLUTION


def balance_loss(logits):
    ### BEGIN SOLUTION
    E = logits.shape[1]
    share = F.one_hot(logits.argmax(dim=1), E).float().mean(dim=0)
    return E * (share * logits.softmax(dim=1).mean(dim=0)).sum()
    ### END SOLUTION


# %% test_route tags=["test", "core"] points=10 hours=1.0 covers=["adaptive_compute", "lo1"]
def some_logits(T, E):
    """No two of a row are equal."""
    return 0.7 * check.rng.uniform(T, E).argsort(dim=1) + 0.3 * check.rng.uniform(T, E)


def judge_route(T, E, k, capacity):
    logits = some_logits(T, E)
    experts = logits.sort(dim=1, descending=True).indices[:, :k]
    gates = logits.double().gather(1, experts).softmax(dim=1).float()
    free = [capacity] * E
    for choice in range(k):
        for token in range(T):
            e = int(experts[token, choice])
            free[e] -= 1
            if free[e] < 0:
                experts[token, choice], gates[token, choice] = -1, 0.0
    seen = check.observe(route, logits, k, capacity)
    check.equal(seen.value[0], experts, name=f"the experts of {T} tokens, k = {k}, capacity {capacity}")
    check.close(seen.value[1], gates, name=f"the gates of {T} tokens, k = {k}, capacity {capacity}")
    least, most = 12 * T * k, 32 * T * k * E
    text = f"route holds {seen.peak_bytes:,} bytes at once for {T} tokens, {E} experts, k = {k}; expected {least:,} to {most:,}."
    assert least <= seen.peak_bytes <= most, text


judge_route(8, 4, 1, 3)
check.close(balance_loss(torch.zeros(5, 4)), torch.tensor(1.0), name="the loss of a router that does not care")
### BEGIN HIDDEN TESTS
judge_route(100, 8, 2, 20)
judge_route(64, 8, 3, 64)
judge_route(50, 6, 2, 5)
logits = some_logits(40, 6).requires_grad_()
loss = balance_loss(logits)
loss.backward()
exact = logits.detach().double().requires_grad_()
share = torch.bincount(exact.argmax(dim=1), minlength=6) / 40
expected = 6 * (share * exact.softmax(dim=1).mean(dim=0)).sum()
expected.backward()
check.close(loss.detach(), expected.detach().float(), name="the balance loss")
check.close(logits.grad, exact.grad.float(), rtol=1e-4, name="the gradient of the balance loss")
### END HIDDEN TESTS

# %% [markdown]
# ### There and back, exactly
#
# An expert's matrix product wants its tokens side by side. So assignments are **dispatched** into the order of experts, and the results are **combined** back at their tokens. Call choice j of token t the **slot** t · k + j. The
# whole dispatch is then one list of slots, sorted by expert, and a second list that says where each expert's part ends:
#
# ```text
# expert  (T = 4, k = 1)     1  0  1 -1      token 3 was dropped
# slots sorted by expert     1  0  2         token 1 to expert 0; tokens 0 and 2 to expert 1
# ends                       1  3            expert 0 has [0, 1), expert 1 has [1, 3)
# ```
#
# Early systems did this with a product of one-hot matrices: T · E · capacity · C multiplications, nearly all by zero. **A permutation is no arithmetic.**
#
# **Your task.**
# * `dispatch(expert, E)` returns `(slots, ends)`: `expert` is (T, k), int64, with −1 where dropped. `slots`, int64, holds each kept slot once, by expert, and within an expert in rising order. `ends`, int32, (E,).
# * `combine(y, slots, gate)` returns (T, C), float32: row t is the sum over its kept slots of gate · the row of `y` that belongs to the slot. `y`: (n, C), float32, row i belongs to `slots[i]`; `gate`: (T, k). Tokens without any give zeros.
# * No matrix products. `combine` holds at most three tensors of the size of `y` at once, and its result.
#
# <details><summary>Hint 1: sorting keeps order</summary>
#
# `argsort(stable=True)` leaves equals in their order. Where do the dropped ones end up?
# </details>
# <details><summary>Hint 2: ends</summary>
#
# How many does each expert have, and what is the running sum of that?
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `slots // k` is the token of a slot, `gate.flatten()[slots]` its gate. `index_add` adds rows at given places.
# </details>


# %% dispatch tags=["solution"]
def dispatch(expert, E):
    ### BEGIN SOLUTION
    flat = expert.reshape(-1)
    slots = flat.argsort(stable=True)[int((flat < 0).sum()) :]
    ends = torch.bincount(flat[slots], minlength=E).cumsum(dim=0).to(torch.int32)
    return slots, ends
    ### END SOLUTION


def combine(y, slots, gate):
    ### BEGIN SOLUTION
    T, k = gate.shape
    weighted = y * gate.reshape(-1)[slots][:, None]
    return torch.zeros(T, y.shape[1], device=y.device).index_add(0, slots // k, weighted)
    ### END SOLUTION


# %% test_dispatch tags=["test", "core"] points=10 hours=1.0 covers=["adaptive_compute", "lo1"]
def judge_dispatch(T, E, k, dropped):
    expert = torch.stack([check.rng.uniform(E).argsort()[:k] for _ in range(T)]).cpu()
    expert[check.rng.uniform(T, k).cpu() < dropped] = -1
    by_expert = [[slot for slot, e in enumerate(expert.flatten().tolist()) if e == which] for which in range(E)]
    slots, ends = check.cost(dispatch, expert, E, flops=0)
    check.equal(slots, torch.tensor([s for part in by_expert for s in part], dtype=torch.int64), name="slots")
    lengths = torch.tensor([len(part) for part in by_expert])
    check.equal(ends, lengths.cumsum(dim=0).to(torch.int32), name="ends")
    # Gates of 1, ½, ¼ and ⅛ round nothing, and a sum of two is the same in any order: the way back must be exact.
    x, gate = check.rng.normal(T, 24).cpu(), 0.5 ** check.rng.integers(0, 4, T, k).cpu()
    kept = torch.tensor([s for part in by_expert for s in part], dtype=torch.int64)
    y, size = x[kept // k], 4 * T * 24
    back = check.cost(combine, y, kept, gate, flops=0, peak=(size, 3 * y.nbytes + size + 1024))
    weight = torch.where(expert >= 0, gate, 0.0)
    want = sum(weight[:, j : j + 1] * x for j in range(k))
    check.equal(back, want, name=f"x, dispatched and combined, k = {k}")


judge_dispatch(6, 3, 1, 0.0)
slots, ends = dispatch(torch.tensor([[1], [0], [1], [-1]]), 2)
check.equal(slots, torch.tensor([1, 0, 2]), name="slots of the example")
check.equal(ends, torch.tensor([1, 3], dtype=torch.int32), name="ends of the example")
### BEGIN HIDDEN TESTS
judge_dispatch(40, 8, 1, 0.3)
judge_dispatch(30, 5, 2, 0.2)
judge_dispatch(7, 12, 2, 0.0)
_, ends = dispatch(torch.tensor([[0], [2], [0]]), 5)
check.equal(ends, torch.tensor([2, 2, 3, 3, 3], dtype=torch.int32), name="ends where the last experts have no rows")
### END HIDDEN TESTS

# %% [markdown]
# ### One launch for all experts
#
# E products of different heights would be E launches, most of them too small to fill a GPU. `lablib.kernels.matmul_experts` does them in one, for rows that lie sorted: a **grouped** matrix product. But who sorted them? A copy, which reads and writes every row before the first multiplication. Yours goes
# without: **it loads each row from where the token lies.** For n slots of K float16 numbers that saves 4 · n · K bytes. On an H200 lablib's kernel multiplies 65 536 rows with 64 experts of 2048 × 2048 in 0.83 ms (`docs/kernels.md`). The copy before it moves 0.54 GB: another
# 0.11 ms, even at the datasheet's 4.8 TB/s.
#
# How many programs to launch? Expert e needs ⌈nₑ / BLOCK_M⌉ tiles of rows, and the nₑ are known on the GPU only; reading them on the CPU would stop everything to wait. But all together never need more than ⌊n / BLOCK_M⌋ + E. So launch that many. Each program looks up in `ends` which expert its tile belongs to,
# and those beyond the last tile do nothing:
#
# ```text
# BLOCK_M = 4, three experts with 5, 0 and 4 rows: tiles 2, 0, 1
# launched: 9 // 4 + 3 = 5
# program 0: expert 0, rows 0–3       program 1: expert 0, row 4
# program 2: expert 2, rows 5–8       programs 3 and 4: nothing
# ```
#
# **Your task.** The kernel of `expert_products(x, slots, ends, weight, k)`: row i of the result is `x[slots[i] // k] @ weight[e]`, where e is the expert whose part holds i.
# * `x`: (T, K), float16. `slots`: (n,), int64, `ends`: (E,), int32, as `dispatch` gives them; experts may have no rows. `weight`: (E, K, N), float16. Result: (n, N), float16; sums in float32, rounded once. All contiguous.
# * Each tile loads its rows of x once for every `BLOCK_N` columns of the result, and its expert's columns of the weight once. Programs without a tile load no x and no weight. The lists `slots` and `ends` cost little: at most 8 bytes for each row and column tile, and 16 · E bytes a program.
#
# You need `tl.cumsum(v, axis=0)`, `tl.where` and `tl.sum`. A scalar out of a vector: `tl.sum(tl.where(mine, v, 0), axis=0)`, where `mine` is True in one place.
#
# <details><summary>Hint 1: which expert?</summary>
#
# With `starts` and `ends` of all experts in two vectors, `tiles = tl.cdiv(ends - starts, BLOCK_M)`, and `after = tl.cumsum(tiles, axis=0)`. Tile i belongs to the expert with `after - tiles <= i < after`.
# </details>
# <details><summary>Hint 2: its rows</summary>
#
# They begin at `starts + (i - (after - tiles)) * BLOCK_M` of that expert and end before its `end`. In a program without a tile all three sums are 0: what does that make of `places < end`?
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `tokens = tl.load(slots_ptr + places, mask=inside, other=0) // k`; then lab06's loop over K, with rows `tokens` in place of consecutive ones, and `weight_ptr + expert * K * N`. The mask of the weight also asks whether there is a tile: `first < end`.
# </details>


# %% expert_products tags=["solution"]
@triton.jit
def _expert_products_kernel(
    x_ptr, slots_ptr, ends_ptr, weight_ptr, y_ptr, K, N, E, k,
    EXPERTS: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    ### BEGIN SOLUTION
    tile = tl.program_id(0)
    experts = tl.arange(0, EXPERTS)
    ends = tl.load(ends_ptr + experts, mask=experts < E, other=0)
    starts = tl.load(ends_ptr + experts - 1, mask=(experts > 0) & (experts < E), other=0)
    tiles = tl.cdiv(ends - starts, BLOCK_M)
    after = tl.cumsum(tiles, axis=0)
    mine = (after - tiles <= tile) & (tile < after)
    expert = tl.sum(tl.where(mine, experts, 0), axis=0)
    first = tl.sum(tl.where(mine, starts + (tile - (after - tiles)) * BLOCK_M, 0), axis=0)
    end = tl.sum(tl.where(mine, ends, 0), axis=0)
    places = first + tl.arange(0, BLOCK_M)
    inside = places < end
    tokens = tl.load(slots_ptr + places, mask=inside, other=0) // k
    columns = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    inner = tl.arange(0, BLOCK_K)
    acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for start in range(0, K, BLOCK_K):
        at = start + inner
        x = tl.load(x_ptr + tokens[:, None] * K + at[None, :], mask=inside[:, None] & (at[None, :] < K), other=0.0)
        w_ptrs = weight_ptr + expert * K * N + at[:, None] * N + columns[None, :]
        w = tl.load(w_ptrs, mask=(at[:, None] < K) & (columns[None, :] < N) & (first < end), other=0.0)
        acc = tl.dot(x, w, acc)
    y_ptrs = y_ptr + places[:, None] * N + columns[None, :]
    tl.store(y_ptrs, acc.to(tl.float16), mask=inside[:, None] & (columns[None, :] < N))
    ### END SOLUTION


def expert_products(x, slots, ends, weight, k, BLOCK_M=16, BLOCK_N=32, BLOCK_K=32):
    n, (E, K, N) = len(slots), weight.shape
    y = torch.empty((n, N), dtype=x.dtype, device=x.device)
    grid = (n // BLOCK_M + E, triton.cdiv(N, BLOCK_N))
    sizes = {"EXPERTS": triton.next_power_of_2(E), "BLOCK_M": BLOCK_M, "BLOCK_N": BLOCK_N, "BLOCK_K": BLOCK_K}
    _expert_products_kernel[grid](x, slots, ends, weight, y, K, N, E, k, **sizes)
    return y


# %% [markdown]
# What it saves at that size, with tiles of 128 × 256 (bytes that programs ask for; each expert has as many rows):

# %% look_expert_bytes
n, E, K, N, half = 65536, 64, 2048, 2048, 2
x_bytes, w_bytes = half * n * K * (N // 256), half * E * K * N * (n // E // 128)
rows = [
    {"name": "sort the rows, then multiply", "loads": half * n * K + x_bytes + w_bytes, "stores": half * n * (K + N)},
    {"name": "load from where they lie", "loads": x_bytes + w_bytes, "stores": half * n * N},
]
viz.traffic_bars(rows)


# %% test_expert_products tags=["test", "core"] points=10 hours=2.0 covers=["adaptive_compute", "lo2"]
def judge_products(lengths, T, k, K, N, blocks=(16, 32, 32)):
    E, n = len(lengths), sum(lengths)
    slots = check.rng.uniform(T).argsort()[:n] * k + check.rng.integers(0, k, n)
    ends = torch.tensor(lengths, device=device.DEVICE).cumsum(dim=0).to(torch.int32)
    x, weight = check.rng.normal(T, K, dtype=torch.float16), check.rng.normal(E, K, N, dtype=torch.float16)
    tiles, across = sum(-(-length // blocks[0]) for length in lengths), -(-N // blocks[1])
    least = 2 * n * K * across + 2 * tiles * K * N
    programs = (n // blocks[0] + E) * across
    most = least + 8 * n * across + 16 * E * programs
    asked = {"loads": (least, most), "stores": 2 * n * N, "launches": 1, "programs": programs}
    y = check.traffic(expert_products, x, slots, ends, weight, k, *blocks, **asked)
    experts = torch.repeat_interleave(torch.arange(E), torch.tensor(lengths)).to(device.DEVICE)
    exact = torch.einsum("ik,ikn->in", x[slots // k].double(), weight[experts].double())
    check.rounded(y, exact, torch.float16, name=f"the products of experts with {lengths} rows")


judge_products([5, 0, 20], 40, 1, 32, 32)
### BEGIN HIDDEN TESTS
judge_products([3, 17, 0, 33, 1], 60, 2, 40, 50)
judge_products([0, 0, 9], 9, 1, 70, 33, blocks=(16, 16, 64))
judge_products([16, 32, 16, 1, 1, 0, 0, 2], 70, 2, 64, 64, blocks=(32, 64, 16))
### END HIDDEN TESTS

# %% [markdown]
# All parts together are a layer: route, dispatch, multiply, combine. Here with lablib's kernel, which wants its rows sorted, beside yours:

# %% look_layer
from lablib.kernels.matmul_experts import matmul_experts

x = characters[0].half().to(device.DEVICE)
router = torch.randn(128, 8, device=device.DEVICE)
weight = torch.randn(8, 128, 128, device=device.DEVICE).half() / 11
expert, gate = route(F.layer_norm(x.float(), (128,)) @ router, k=2, capacity=40)
slots, ends = dispatch(expert, 8)
y = expert_products(x, slots, ends, weight, k=2)
sorted_first = matmul_experts(x[slots // 2].contiguous(), weight, ends)
print(
    f"{len(slots)} of {gate.numel()} assignments found a place; the result: {tuple(combine(y.float(), slots, gate).shape)}"
)
print(
    f"largest difference from lablib's kernel: {(y - sorted_first).abs().max():.4f}, of values up to {y.abs().max():.1f}"
)

# %% [markdown]
# ## 4 · Guess ahead, then check
#
# A language model writes one token a pass, and each pass reads all weights. For 70 billion weights in float16 on an H200:

# %% look_one_token
h200, weights = gpu("sm_90"), 70e9
reading, computing = 2 * weights / h200.bytes_per_s, 2 * weights / h200.flops_per_s
print(f"a pass reads the weights in {1e3 * reading:.1f} ms; the arithmetic of one token takes {1e3 * computing:.2f} ms")
print(f"so {reading / computing:.0f} tokens could be computed in the time of one")

# %% [markdown]
# If only the next tokens were known! **Speculative decoding** guesses them: a cheap **draft** model writes K tokens, one after another. Then the large **target** model looks at all of them in *one* pass, which gives its own probabilities at each of the
# K + 1 places, and keeps the beginning that it could have written itself. Nothing is lost: the text is distributed **exactly** as if the target had drawn every token.
#
# At a place, let p be the target's probabilities and q the draft's, and d the token that the draft drew from q.
#
# 1. **Accept** d with probability min(1, p(d) / q(d)). With a uniform number u: if u · q(d) < p(d).
# 2. At the first refusal, draw a token from the **residual**, max(0, p − q) made to sum to 1, and stop: what was drafted after it is void.
# 3. If none was refused, the target's last row is there unused: draw one more token from it, the **bonus**.
#
# Why is it exact? Take two tokens, p = (0.3, 0.7) and q = (0.6, 0.4):
#
# | | token 0 | token 1 |
# |---|---|---|
# | drafted and accepted: min(p, q) | 0.3 | 0.4 |
# | refused: 0.6 · (1 − 0.3/0.6) = 0.3, and drawn from max(0, p − q) = (0, 0.3) | 0 | 0.3 |
# | **together** | **0.3** | **0.7** |
#
# Accepted tokens have min(p, q), the residual fills up to p. The first line's sum, Σ min(p, q), is the **acceptance rate** at this place: 0.7 here.
#
# **Your task.** `verify(p, q, drafted, uniforms)` returns a list of ints: the accepted tokens and one more.
# * `p`: (K + 1, V), `q`: (K, V), float64, rows that sum to 1. `drafted`: (K,), int64. `uniforms`: (K + 1,), float64, from 0 up to but not 1. K may be 0.
# * Place i is accepted if `uniforms[i] * q[i, d] < p[i, d]`. The token of the residual or the bonus is drawn with `uniforms[K]`.
# * **Draw** from weights w with u: the first token whose running sum of w exceeds u · (sum of all w). So weights need not sum to 1.
#
# <details><summary>Hint 1: when do you stop?</summary>
#
# A refusal ends everything: no later draft was made for the text that is there now.
# </details>
# <details><summary>Hint 2: the residual</summary>
#
# `(p[i] - q[i]).clamp(min=0)`, with the p and q of the place that refused.
# </details>
# <details><summary>Hint 3: the first that exceeds</summary>
#
# `(w.cumsum(0) > u * w.sum()).int().argmax()`: argmax returns the first of equals.
# </details>


# %% verify tags=["solution"]
def verify(p, q, drafted, uniforms):
    ### BEGIN SOLUTION
    def draw(weights):
        return int((weights.cumsum(0) > uniforms[-1] * weights.sum()).int().argmax())

    kept = []
    for place, token in enumerate(drafted.tolist()):
        if not uniforms[place] * q[place, token] < p[place, token]:
            return [*kept, draw((p[place] - q[place]).clamp(min=0))]
        kept.append(token)
    return [*kept, draw(p[-1])]
    ### END SOLUTION


# %% [markdown]
# The check draws nothing by chance. It tries *every* drafted token with uniforms on a grid that is fine enough for these p and q, and adds up: the first token must have exactly the probabilities p. A biased rule fails, and not only now and then.


# %% test_verify tags=["test", "core"] points=15 hours=1.5 covers=["adaptive_compute", "transformers", "lo1"]
def first_token(p, q):
    """The distribution of the first token over all drafts and a grid of uniforms."""
    found = torch.zeros(len(p), dtype=torch.float64)
    for token in range(len(q)):
        for one in range(16):
            for other in range(4):
                u = torch.tensor([one / 16, other / 4], dtype=torch.float64)
                written = verify(torch.stack([p, p]), q[None], torch.tensor([token]), u)
                found[written[0]] += q[token] / 64
    return found


names = check.rng.uniform(4).argsort().cpu()
p = torch.tensor([0.25, 0.25, 0.25, 0.25], dtype=torch.float64)
q = torch.tensor([0.5, 0.25, 0.125, 0.125], dtype=torch.float64)[names]
check.close(first_token(p, q), p, name="the first token's probabilities")
p = torch.tensor([0.5, 0.25, 0.125, 0.125], dtype=torch.float64)[names]
q = torch.tensor([0.25, 0.5, 0.125, 0.125], dtype=torch.float64)[names]
check.close(first_token(p, q), p, name="the first token's probabilities")


### BEGIN HIDDEN TESTS
def rows(count, V):
    """Probabilities in multiples of 1/1024, a stick broken at random: their sums are exact in any order."""
    cuts = check.rng.integers(0, 1025, count, V - 1).cpu().sort(dim=1).values
    ends = torch.full((count, 1), 1024)
    return torch.cat([0 * ends, cuts, ends], dim=1).diff(dim=1).double() / 1024


def verified(p, q, drafted, uniforms):
    def first_above(weights, u):
        return next(token for token, running in enumerate(accumulate(weights)) if running > u * sum(weights))

    written = []
    for place, token in enumerate(drafted):
        if uniforms[place] * q[place][token] < p[place][token]:
            written.append(token)
        else:
            rest = [max(0.0, a - b) for a, b in zip(p[place], q[place], strict=True)]
            return [*written, first_above(rest, uniforms[-1])]
    return [*written, first_above(p[len(drafted)], uniforms[-1])]


for K, V in [(0, 5), (1, 4), (3, 7), (4, 6), (4, 12), (6, 9), (2, 30), (5, 3)] * 3:
    p, q = rows(K + 1, V), rows(K, V)
    q[::2] = (p[:K][::2] + q[::2]) / 2  # half of the places are easy
    likely = [int(q[i].argsort(descending=True)[check.rng.choice(0, 2)]) for i in range(K)]
    drafted = torch.tensor(likely, dtype=torch.int64)
    uniforms = check.rng.integers(0, 2**20, K + 1).cpu().double() / 2**20
    want = verified(p.tolist(), q.tolist(), drafted.tolist(), uniforms.tolist())
    check.equal(verify(p, q, drafted, uniforms), want, name=f"the tokens after a draft of {K}")
p, q = torch.eye(3, dtype=torch.float64)[:2], torch.eye(3, dtype=torch.float64)[1:2]
found = verify(p, q, torch.tensor([1]), torch.zeros(2, dtype=torch.float64))
check.equal(found, [0], name="a draft that the target cannot write")
### END HIDDEN TESTS

# %% [markdown]
# ### How far ahead?
#
# Let each place be accepted with probability *a*, whatever came before. A pass over K drafted tokens then writes 1 + *a* + *a*² + … + *a*ᴷ tokens on average: the first for certain, the second if place 1 was accepted, and so on. Longer drafts give more, but less and less more, and each token of a draft costs time c, in units
# of a pass of the target. (The pass costs 1, however many places it has: it waits for the weights.) So the tokens in a unit of time are
#
# $$\frac{1 + a + \dots + a^K}{1 + c\,K}$$
#
# By hand, *a* = 0.5 and c = 0.1: K = 1 gives 1.5 / 1.1 = 1.36, K = 2 gives 1.75 / 1.2 = 1.46, K = 3 gives 1.875 / 1.3 = 1.44. So K = 2.
#
# **Your task.** Three functions.
# * `acceptance(p, q)`: for p and q of shape (…, V), the acceptance rate of each place, shape (…).
# * `tokens_a_pass(rate, K)`: the mean number of tokens that a pass writes, a float. `rate` may be 1.
# * `best_length(rate, cost, most)`: the K from 0 to `most` with the most tokens in a unit of time; of equals the shortest. An int.
#
# <details><summary>Hint 1: the rate</summary>The first line of the table with two tokens.</details>
# <details><summary>Hint 2: a rate of 1</summary>The closed form of the sum divides by 1 − a. The sum itself does not.</details>
# <details><summary>Hint 3: of equals the shortest</summary><code>max</code> returns the first of equals.</details>


# %% best_length tags=["solution"]
def acceptance(p, q):
    ### BEGIN SOLUTION
    return torch.minimum(p, q).sum(dim=-1)
    ### END SOLUTION


def tokens_a_pass(rate, K):
    ### BEGIN SOLUTION
    return sum(float(rate) ** place for place in range(K + 1))
    ### END SOLUTION


def best_length(rate, cost, most):
    ### BEGIN SOLUTION
    return max(range(most + 1), key=lambda K: tokens_a_pass(rate, K) / (1 + cost * K))
    ### END SOLUTION


# %% test_best_length tags=["test", "core"] points=5 hours=0.5 covers=["adaptive_compute", "lo3"]
check.equal(best_length(0.5, 0.1, 10), 2, name="best_length(0.5, 0.1, 10)")
found = acceptance(torch.tensor([0.3, 0.7]), torch.tensor([0.6, 0.4]))
check.close(found, torch.tensor(0.7), name="the acceptance rate of the example")
### BEGIN HIDDEN TESTS
p, q = (check.rng.normal(3, 5, 11).softmax(dim=2) for _ in range(2))
check.close(acceptance(p, q), 1 - (p - q).abs().sum(dim=2) / 2, name="acceptance rates")
for K in (0, 1, 7):
    for rate in (0.0, 1.0, check.rng.choice(1, 1000) / 1000):
        found, expected = tokens_a_pass(rate, K), sum(math.prod([rate] * i) for i in range(K + 1))
        assert math.isclose(found, expected, rel_tol=1e-9), (
            f"tokens_a_pass({rate}, {K}) is {found}, expected {expected}."
        )
asked = [(0.0, 0.1, 5), (1.0, 0.5, 6), (1.0, 0.0, 9), (0.9, 0.02, 40), (0.9, 0.02, 4), (0.3, 0.4, 8), (1.0, 1.0, 4)]
for rate, cost, most in asked:
    value = {K: sum(math.prod([rate] * i) for i in range(K + 1)) / (1 + cost * K) for K in range(most + 1)}
    best = max(value.values())
    shortest = min(K for K in value if math.isclose(value[K], best))
    check.equal(best_length(rate, cost, most), shortest, name=f"best_length({rate}, {cost}, {most})")
### END HIDDEN TESTS

# %% [markdown]
# ### On a real pair
#
# The target is the trained GPT. The draft is a table that we count here: how often each character followed each two in the novels. (Never seen counts are filled from shorter contexts: Witten and Bell's rule.)


# %% given_draft tags=["setup"]
def counted_draft(tokens, length, V=72):
    """Probabilities of the next token after each context of `length` tokens, float64, (V ** length, V)."""
    table = torch.full((1, V), 1 / V, dtype=torch.float64)
    for n in range(length + 1):
        places = torch.zeros(len(tokens) - n, dtype=torch.int64)
        for i in range(n + 1):
            places = places * V + tokens[i : len(tokens) - n + i]
        counts = torch.bincount(places, minlength=V ** (n + 1)).view(-1, V).double()
        kinds = (counts > 0).sum(dim=1, keepdim=True).clamp(min=1)
        table = (counts + kinds * table.repeat(V if n else 1, 1)) / (counts.sum(dim=1, keepdim=True) + kinds)
    return table


@torch.no_grad()
def speculate(model, table, verify, prompt, count, K, generator):
    """Write at least `count` tokens; returns the passes, each as (drafted, written)."""
    tokens, cache, passes = prompt.tolist(), model.cache(), []
    model(prompt[None, :-1], cache)
    while len(tokens) < len(prompt) + count:
        drafted, rows, context = [], [], tokens[-2:]
        for _ in range(K):
            rows.append(table[context[0] * 72 + context[1]])
            drafted.append(int(torch.multinomial(rows[-1], 1, generator=generator)))
            context = [context[1], drafted[-1]]
        p = model(torch.tensor([[tokens[-1], *drafted]]), cache)[0].double().softmax(dim=1)
        q = torch.stack(rows) if rows else p[:0]
        uniforms = torch.rand(K + 1, generator=generator, dtype=torch.float64)
        written = verify(p, q, torch.tensor(drafted, dtype=torch.int64), uniforms)
        tokens += written
        for held in cache:  # what was refused leaves the cache; the newest token is not in it yet
            held.k, held.v = held.k[:, :, : len(tokens) - 1], held.v[:, :, : len(tokens) - 1]
        passes.append((drafted, written))
    return passes


# %% [markdown]
# **Predict.** How many tokens does a pass write with K = 4? Your formula answers, with the mean acceptance rate on held-out text. It is locked before anything is written. (To start over, delete `predictions.json` beside this notebook.) Before you run it: what would you say yourself? (The measurement takes about 4 s.)

# %% lock_prediction
gpt, table = load(GPT(), "gpt"), counted_draft(austen().train, 2)
text = austen().test[:2560].view(20, 128)
with torch.no_grad():
    p = gpt(text)[:, 1:].double().softmax(dim=2)
rates = acceptance(p, table[text[:, :-1] * 72 + text[:, 1:]])
print(f"acceptance rate on held-out text: {rates.mean():.3f} on average, {rates.std():.2f} standard deviation")
predicted = check.lock("tokens a pass at K = 4", tokens_a_pass(rates.mean().item(), 4))

# %% look_passes
generator = torch.Generator().manual_seed(1)
passes = [speculate(gpt, table, verify, austen().test[s : s + 40], 80, 4, generator) for s in range(0, 30_000, 1900)]
written = sum(len(tokens) for run in passes for _, tokens in run)
count = sum(len(run) for run in passes)
print(f"{written} tokens in {count} passes: {written / count:.2f} a pass; you predicted {predicted:.2f}")
for place in range(4):
    here = [len(w) > place + 1 for run in passes for _, w in run if len(w) > place]
    share = sum(here) / len(here)
    error = (share * (1 - share) / len(here)) ** 0.5
    print(f"place {place + 1}: tested {len(here):4} times, accepted {share:.2f} ± {error:.2f}")

# %% [markdown]
# Step through one text. Where are drafts refused: inside words, or at their beginning?

# %% look_draft
spelled = [(list(decode(torch.tensor(d))), list(decode(torch.tensor(w)))) for d, w in passes[0]]
viz.draft_tokens(decode(austen().test[:40]), spelled)

# %% [markdown]
# ## 5 · Diagnose from counters (stretch)
#
# Four servers write text with speculative decoding. All are fast, and the text of all four looks good. Their counters tell more. The cell plays the servers.


# %% counters tags=["setup"]
def counters(passes, chance, server, prompt=40):
    """What a monitor shows of a server, A to D; passes are (drafted, accepted), and chance is accepted over expected."""
    accepted = sum(a for _, a in passes)
    lengths = [prompt + sum(a + 1 for _, a in passes[:i]) for i in range(len(passes))]
    lost = sum(a == d for d, a in passes) if server == "B" else 0
    return {
        "passes": len(passes),
        "drafted": sum(d for d, _ in passes),
        "accepted": accepted,
        "expected_accepted": round(accepted / (1.5 if server == "D" else chance), 1),
        "tokens": accepted + len(passes) - lost,
        "rows": sum(d + 1 for d, _ in passes) + (sum(lengths) if server == "C" else 0),
    }


# %% look_counters
played = [(4, 2), (4, 4), (4, 0), (4, 3), (4, 1), (4, 4), (4, 0), (4, 2)] * 5
cases = {server: counters(played, 1.03, server) for server in "ABCD"}
print(" " * 20, *(f"{name:>8}" for name in cases))
for counter in cases["A"]:
    print(f"{counter:20}", *(f"{case[counter]:8}" for case in cases.values()))

# %% [markdown]
# `rows` are the places that the target computed, without the prompt. `expected_accepted` is the sum of the acceptance rates at all places that were tested, from p and q; by chance the count lies up to a tenth above or below it.
#
# **Your task.** `diagnose(c)` takes such a dict and returns one of
# * `"no bonus"`: a pass whose whole draft was accepted writes no token of its own;
# * `"no cache"`: the target computes old places again;
# * `"biased"`: more is accepted than p and q allow, so the text is not the target's;
# * `"healthy"`: none of these.
#
# A server has at most one fault, the same in each pass. In the hidden cases drafts have other lengths, also changing ones, at least one draft was accepted whole, and the numbers are larger.
#
# <details><summary>Hint 1: what must add up</summary>How many tokens does a pass write besides the accepted ones? How many places does it compute?</details>
# <details><summary>Hint 2: and what only nearly</summary>Accepted against expected is the only comparison with chance in it.</details>
# <details><summary>Hint 3: three comparisons</summary>tokens with accepted + passes; rows with drafted + passes; accepted with 1.2 · expected_accepted.</details>


# %% diagnose tags=["solution"]
def diagnose(c):
    ### BEGIN SOLUTION
    if c["tokens"] < c["accepted"] + c["passes"]:
        return "no bonus"
    if c["rows"] > c["drafted"] + c["passes"]:
        return "no cache"
    if c["accepted"] > 1.2 * c["expected_accepted"]:
        return "biased"
    return "healthy"
    ### END SOLUTION


# %% test_diagnose tags=["test", "stretch"] points=5 hours=0.5 covers=["adaptive_compute", "lo1"]
faults = {"A": "healthy", "B": "no bonus", "C": "no cache", "D": "biased"}
example = [(4, 2), (4, 4), (4, 0), (4, 3)]
for server, fault in faults.items():
    check.equal(diagnose(counters(example, 1.03, server)), fault, name=f"your diagnosis of server {server}")
### BEGIN HIDDEN TESTS
for least, most in [(1, 2), (3, 9), (8, 9)]:
    drafts = [check.rng.choice(least, most) for _ in range(60)]
    some = [(d, check.rng.choice(0, d + 1)) for d in drafts]
    for server, fault in faults.items():
        for chance in (0.91, 1.09):
            seen = counters([*some, (5, 5)], chance, server, prompt=check.rng.choice(5, 500))
            check.equal(diagnose(seen), fault, name=f"the diagnosis of a server with drafts of {least} to {most - 1}")
### END HIDDEN TESTS

# %% [markdown]
# ## 6 · Explain
#
# All four side by side, as far as each applies:


# %% look_sides
def cheapest(exits, points=0.01):
    """Least share of the FLOPs whose gate loses at most `points` on inputs that it was not set on."""
    half = exits[0].shape[1] // 2
    for percent in range(30, 101, 5):
        found = compare(choose_threshold, *exits, percent / 100, slice(0, half), slice(half, None))
        if found["gate"] >= found["whole"] - points:
            return found["flops"]
    return 1.0


cheapest_share, merged = (cheapest(vision), cheapest(language)), vit_flops((16, 12, 8)) / vit_flops((0, 0, 0))
print("                                 vision                     language")
print(
    f"early exit, at most 1 point off  {cheapest_share[0]:4.0%} of the FLOPs          {cheapest_share[1]:4.0%} of the FLOPs"
)
print(f"16, 12, 8 tokens merged          {merged:4.0%} of the FLOPs          none: each place names its next token")
print(f"speculation, K = 4               none: one pass an image    {count / written:4.0%} of the passes")
print(
    f"                                                            {5 * count / written:4.1f} rows a token in place of 1"
)

# %% [markdown]
# **Explain** (in at most 200 words, in the cell below).
# 1. Compare your locked prediction with the measured tokens a pass. The formula takes one rate, independent from place to place. Look at the rates of places 1 to 4: which assumption fails, and why does it fail *in this direction*? (What lies just before place 1 of a pass?)
# 2. Early exit saves much on digits and little on text, speculation the other way round. Explain both from the inputs or from what a pass waits for, with a printed number each.
# 3. Speculation lowers the passes and *raises* the rows computed. On which machine, or at which batch size, does it stop paying? Use the numbers of `look_one_token`.

# %% explain_sides [markdown] tags=["manual", "core"] points=10 hours=0.5 covers=["adaptive_compute", "lo3", "lo4"]
# ### BEGIN SOLUTION
# 1. Predicted 2.13, measured 2.03. The rate is not the same everywhere: place 1 is accepted 47% of the time, places 2 to 4 60%, and the mean on text is 56%. A pass mostly begins right after a refusal, behind a character that surprised
#    the draft and that it now looks back at. Hard places come together, so place 1 is harder than the mean; place 2 is only tested where place 1 went well. Every later place waits for place 1, so the formula promises too much.
# 2. 86% of the digits leave after two blocks and lose nothing: at half of the FLOPs 97.6% are right. Text gains 6 to 8 points from each block (44, 50, 58, 64%), because the next character is often open until the last. Speculation needs many passes that wait for the same
#    weights: a token takes 29 ms of reading and 0.14 ms of arithmetic. An image has one pass.
# 3. 5 rows a pass for 2.03 tokens. They are free while a pass waits for its weights, up to 206 rows. With a batch of B that is over at 5 · B = 206, B = 41. Then a pass takes as long as its rows; at B above 2.03 · 206 / 5 = 84 plain decoding writes more.
#    A machine with a lower ridge, a CPU say, gets there earlier.
# ### END SOLUTION

# %% rubric_explain_sides [markdown] tags=["rubric"]
# **10 points.**
# * 4: 2 for saying that rates differ from place to place with a printed number (place 1 below place 2 or below the mean); 2 for the reason: a pass mostly begins after a refusal, and hard places follow one another. "Chance" or "the draft is bad" earns nothing.
# * 3: 1 for digits that are plain early, 1 for text that each block improves or that is open, 1 for passes that wait for weights (29 ms against 0.14) or for the single pass of an image; at most 2 without a printed number.
# * 3: 1 for rows that are free only while a pass waits for memory; 2 for a batch size out of 206 and the rows a pass (41 for the beginning, or about 84 for the break-even), or for a machine whose ridge is lower, with its number.

# %% record_figures
from lablib.ledger import record

# Your figures are kept in labs/ledger.json: lab18 fills the tables of its claims and its essay from there.
record("lab10_adaptive_compute", {
    "vision_flops_kept_early_exit": lambda: cheapest_share[0],
    "language_flops_kept_early_exit": lambda: cheapest_share[1],
    "vision_flops_kept_merging": lambda: merged,
    "language_passes_kept_speculation": lambda: count / written,
})  # fmt: skip

# %% [markdown]
# ## What to take along
#
# * Skipping work saves something only if the batch, the launch and the memory shrink with it.
# * A gate needs no labels to meet a budget. What it saves depends on the inputs.
# * Experts turn a matrix product into a question of who gets how many. A permutation is no arithmetic, and often not even a copy.
# * Guessing is free of error when the check is exact, and the check is exact because the two cases of acceptance add up to p.
#
# **Next:** lab17 serves the GPT to many, where batches leave speculation less to gain. lab15 puts experts on different GPUs: then the dispatch is an all-to-all.
#
# **Sources**
# * Teerapittayanon, McDanel, Kung: *BranchyNet*, arXiv:1709.01686, 2017; Kaya, Hong, Dumitras: *Shallow-deep networks*, arXiv:1810.07052, 2018. Exits, and exits on a frozen network.
# * Schuster et al.: *Confident adaptive language modeling*, arXiv:2207.07061, 2022. Early exit of tokens, and the keys and values that are missing then.
# * Bolya et al.: *Token merging: your ViT but faster*, arXiv:2210.09461, 2022. Matching in two halves, sizes in attention.
# * Shazeer et al.: *Outrageously large neural networks*, arXiv:1701.06538, 2017; Fedus, Zoph, Shazeer: *Switch Transformers*, arXiv:2101.03961, 2021. Routers, capacity, the balance loss.
# * Gale et al.: *MegaBlocks*, arXiv:2211.15841, 2022. Expert products without padding or dropping. DeepSeek-AI: *DeepSeek-V3 technical report*, arXiv:2412.19437, 2024.
# * Leviathan, Kalman, Matias: *Fast inference from Transformers via speculative decoding*, arXiv:2211.17192, 2022; Chen et al.: *Accelerating large language model decoding with speculative sampling*, arXiv:2302.01318, 2023. The rule, its proof, tokens a pass, the best K.
# * Witten, Bell: *The zero-frequency problem*, IEEE Transactions on Information Theory 37(4), 1991. NVIDIA: H200 datasheet.
