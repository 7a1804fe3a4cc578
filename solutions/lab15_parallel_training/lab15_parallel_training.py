# %% [markdown]
# # Lab 15 · Parallel training: who holds what, and who sends what
#
# Llama 3 has 405 billion weights. Training them with AdamW in float32 takes 16 bytes a weight: the weight, its gradient and two moments. That is 6.5 TB, and an H200 has 141 GB. So 46 GPUs are full before the
# first example arrives. It was trained on 16 384, in groups of 8, 16 and 128 at once, and they reached 41% of their peak (its report, table 4).
#
# Everything about such a machine follows from two questions: **which rank holds what, and which bytes must cross a wire before the next step?** Both have exact answers. You do not need
# 16 384 GPUs to get them right, and neither do you need one.
#
# **After it you can**
# 1. build an all-reduce from sends, and say why no other sends less;
# 2. train on several ranks as on one: different data, averaged gradients, sent while others are still computed;
# 3. split weights, gradients and moments over ranks, or a layer, or the depth, and count the bytes of each;
# 4. plan a run on 4096 ranks, and check the plan's bytes against PyTorch's own FSDP and tensor parallelism;
# 5. say how far a job scales, and which fault a monitor's counters betray.
#
# | | |
# |---|---|
# | Time | about 12½ hours: core 11 h, stretch 1½ h (interleaving in 5, the diagnosis in 7) |
# | Needs | lab14 for AdamW and memory; lab03 for the Transformer layer |
# | Machine | any, no GPU needed. Two cells take more than 5 s; each says so |
# | Grading | about 5 core-seconds, most of them to load PyTorch's FSDP |
# | Points | 100 |
#
# **In every exercise** your function is *one rank's* program. How to reach the others comes as arguments: `exchange`, `all_reduce`, `all_gather`, `reduce_scatter` are functions. Each takes a tensor and gives a new one.
# `rank` counts from 0, `size` is the number of ranks. In grading your rank works among ranks of ours. Each one does what the text says, and all that passes is counted. Arguments stay as they were.

# %% setup tags=["setup"]
import lablib

lablib.require("0.1")

from lablib import device  # isort: skip  (first: it decides where tensors live)

import math
from fractions import Fraction

import torch
from torch import nn
from torch.nn import functional as F

from lablib import check, viz
from lablib.data.digits import digits
from lablib.parallel import RankFailed, launch
from lablib.parallel.pipeline import play

device.seed(0)
torch.set_num_threads(1)  # ranks are threads: each gets one core

# %% [markdown]
# ## 1 · A sum that goes round
#
# Every rank has a tensor of N bytes; every rank wants the sum of all. This is the **all-reduce**. If all send to rank 0, that one receives (n − 1) · N bytes, and the others wait. If everybody sends everything to everybody, each sends (n − 1) · N.
#
# Better: cut the tensor into n chunks, put the ranks in a ring, and let each only ever send to the one on its right. Then every wire carries something in every step. Move the slider. A cell says whose parts are in that rank's
# copy of a chunk, a frame marks what has just come. After which step is the first sum complete, and what are the others for?

# %% look_packets
viz.ring_packets(4)

# %% [markdown]
# n − 1 steps add, n − 1 steps pass the sums on, and each step sends N / n bytes. So each rank sends **2 (n − 1) / n · N** bytes: less than 2N, however many ranks there are. No all-reduce between ranks alone sends less (Patarasuk and Yuan, 2009): for each number, n − 1 messages must bring the other parts to whoever has the sum first, and n − 1 more must tell the others. That is 2 (n − 1) · N in all, for n ranks. (Switches that add by themselves, as NVLink's and InfiniBand's can, need only N from each.)
#
# By hand, for n = 2 with tensors (1, 2) and (10, 20): rank 0 sends its chunk 0, a 1, and receives 20 for chunk 1: it has (1, 22). Rank 1 has (11, 20). Each passes on what is complete: both have (11, 22).
#
# **Your task.** `ring_all_reduce(x, rank, size, exchange)` returns the sum over all ranks.
# * `x`: (n · size,), float32 or float16, the same length on all ranks. Result: the same shape and dtype.
# * `exchange(tensor, to, source)` sends to rank `to` and returns what comes from rank `source`, of the same shape. Send to the right neighbour, receive from the left; rank 0 is to the right of the last.
# * Chunk k is the k-th of `size` equal parts. In step 0, rank r sends chunk r. In each later step it sends the chunk that it got in the step before, its own part added where it was not complete.
# * 2 (size − 1) exchanges of one chunk each. A sum is made as it goes round: what came in plus one's own part.
#
# <details><summary>Hint 1: which chunk comes in?</summary>
#
# In step 0 the left neighbour sends the chunk with *its* number. And in step 1? The picture has a diagonal.
# </details>
# <details><summary>Hint 2: one line for each round</summary>
#
# In step s of the first round, rank r sends chunk (r − s) mod n and receives chunk (r − s − 1) mod n.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# In step s of the second round, it receives chunk (r − s) mod n: the one that its left neighbour completed last. It sends the one with the next higher number. `torch.cat` joins chunks.
# </details>


# %% ring_all_reduce tags=["solution"]
def ring_all_reduce(x, rank, size, exchange):
    ### BEGIN SOLUTION
    chunks, to, source = list(x.clone().chunk(size)), (rank + 1) % size, (rank - 1) % size
    for step in range(size - 1):
        here = (rank - step - 1) % size
        chunks[here] = exchange(chunks[(here + 1) % size], to, source) + chunks[here]
    for step in range(size - 1):
        here = (rank - step) % size
        chunks[here] = exchange(chunks[(here + 1) % size], to, source)
    return torch.cat(chunks)
    ### END SOLUTION


# %% [markdown]
# Here your function runs on four ranks, which are threads of this process. `launch` counts what each sends:


# %% look_ring
def ring(comm):
    return ring_all_reduce(torch.arange(8.0) + comm.rank, comm.rank, comm.size, comm.exchange)


done = launch(ring, 4)
print("every rank has", done.values[0].tolist())
print(done.traffic, "| expected 2 · 3 / 4 · 32 =", 2 * 3 * 32 // 4)

# %% [markdown]
# Threads are the first of three rungs. On the second, ranks are processes that talk over sockets (PyTorch's gloo); on the third, each has a GPU and talks over NVLink or InfiniBand (`backend="nccl"`). Your function does not change. The next cell takes 10 to 15 s,
# because processes must load PyTorch first.

# %% look_processes
done = launch(ring, 2, backend="gloo", seconds=60)
print("every process has", done.values[1].tolist())
print(done.traffic)

# %% [markdown]
# And when a rank fails? Elsewhere all others wait for it, and the job hangs until somebody looks. Here it ends in a sentence. Read both:


# %% look_failures
def one_gives_up(comm):
    if comm.rank == 2:
        raise ValueError("loss is NaN")
    return ring(comm)


def one_forgets(comm):
    return comm.all_reduce(torch.ones(1)) if comm.rank else None


for function in (one_gives_up, one_forgets):
    try:
        launch(function, 4)
    except RankFailed as error:
        print("-", error)


# %% test_ring_all_reduce tags=["test", "core"] points=10 hours=1.0 covers=["many_gpus_and_nodes", "lo1"]
def judge_ring(size, length, dtype=torch.float32):
    chunks = check.rng.normal(size, size, length).to("cpu", dtype)  # by rank and chunk
    for rank in range(size):
        judge_ring_rank(chunks, rank, size)


def partial(chunks, chunk, count):
    """The sum of a chunk over `count` ranks, from the one where it starts."""
    total = chunks[chunk, chunk].clone()
    for other in range(1, count):
        total = total + chunks[(chunk + other) % len(chunks), chunk]
    return total


def judge_ring_rank(chunks, rank, size):
    """Let one rank be yours, among neighbours that do as the text says."""
    left, sent = (rank - 1) % size, []

    def exchange(tensor, to, source):
        step = len(sent)
        name = f"rank {rank} of {size}: what it sends in step {step}"
        check.equal((to, source), ((rank + 1) % size, left), name=f"{name}, (to, source)")
        check.equal(tensor, partial(chunks, (rank - step) % size, min(step + 1, size)), name=name)
        sent.append(tensor.nbytes)
        return partial(chunks, (left - step) % size, min(step + 1, size))

    result = ring_all_reduce(chunks[rank].flatten(), rank, size, exchange)
    wanted = 2 * (size - 1) * chunks[rank].nbytes // size
    assert sum(sent) == wanted, f"rank {rank} of {size} sends {sum(sent)} bytes, expected 2 (n - 1)/n N = {wanted}."
    check.equal(
        result, torch.cat([partial(chunks, c, size) for c in range(size)]), name=f"the sum on rank {rank} of {size}"
    )


judge_ring(4, 3)
### BEGIN HIDDEN TESTS
for size, length in [(1, 5), (2, 4), (3, 7), (7, 1)]:
    judge_ring(size, length)
judge_ring(5, 2, torch.float16)
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · The same model everywhere, other data on each
#
# **Data parallel** training: every rank has the whole model, and computes the gradient on its own rows. The average of these gradients is the gradient on all rows. Three things go wrong in practice:
#
# * **All ranks read the same rows.** Nothing crashes. Eight GPUs do the work of one, and the loss looks fine.
# * **The wire idles while gradients are computed**, then the GPU idles while they are sent. A backward pass gives the last layer's gradient first. It can travel while the one before is computed.
# * **Many small tensors.** An all-reduce of 40 bytes takes nearly as long as one of 40 kB: both mostly wait for messages to arrive. So gradients are packed into **buckets**.
#
# ```text
# gradients    4   3   2   1   0          in the order in which they become ready
# buckets     |4   3|  2  |1   0|
# wire               [4 3]  [2]   [1 0]   sent while the next are computed
# ```
#
# Buckets travel in float16 here: half of the bytes. But float16 ends at 65 504, and a sum over many ranks gets there before the mean does. **So divide first, then round, then sum.**
#
# **Your task.** Two functions.
# * `my_rows(order, rank, size)` returns this rank's rows of an epoch. `order`: (n,), int64, all row numbers, shuffled in the same way on all ranks. The row at place i goes to rank i mod size, in their order. All ranks get equally many: the last n mod size places are left out.
# * `ddp_gradients(steps, bucket_bytes, size, start_all_reduce)` returns the list of averaged gradients.
#   * `steps`: functions without arguments. Calling the k-th computes and returns the k-th gradient, float32, of any shape. Call each once, in order. The result has the gradients in this order, float32, in their shapes.
#   * Divide each gradient by `size`, round it to float16, and put it flat into the open bucket. A bucket that holds **at least** `bucket_bytes` bytes of float16 is sent at once, before the next gradient is computed. After the last gradient what is open is sent too.
#   * `start_all_reduce(bucket)` begins to sum a tensor (n,) over all ranks, and returns a function `wait`. `wait()` returns the sum. Wait for the buckets in their order, after the last step.
#
# <details><summary>Hint 1: every size-th row</summary>
#
# A slice may have a step: `order[rank::size]`. What must be cut off before?
# </details>
# <details><summary>Hint 2: what to remember</summary>
#
# The gradients' shapes, the parts of the open bucket, and the functions that wait.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# At the end `torch.cat([wait() for wait in waits]).float()` has all gradients one after the other. `split` with a list of lengths cuts it, `view` gives each its shape.
# </details>


# %% ddp_gradients tags=["solution"]
def my_rows(order, rank, size):
    ### BEGIN SOLUTION
    return order[: len(order) // size * size][rank::size].clone()
    ### END SOLUTION


def ddp_gradients(steps, bucket_bytes, size, start_all_reduce):
    ### BEGIN SOLUTION
    shapes, waits, bucket = [], [], []
    for number, step in enumerate(steps):
        gradient = step()
        shapes.append(gradient.shape)
        bucket.append((gradient / size).half().flatten())
        if sum(part.nbytes for part in bucket) >= bucket_bytes or number == len(steps) - 1:
            waits.append(start_all_reduce(torch.cat(bucket)))
            bucket = []
    flat = torch.cat([wait() for wait in waits]).float()
    parts = flat.split([shape.numel() for shape in shapes])
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
    ### END SOLUTION


# %% [markdown]
# Four ranks compute the gradient of a small network on handwritten digits, each on its own 64 rows. Does it equal the gradient on all 256? And what if all read the same?


# %% given_steps tags=["setup"]
def digit_rows(count):
    """The first images, (count, 64), and their labels."""
    data = digits()
    return data.train_x[:count].flatten(1), data.train_y[:count]


def digit_weights():
    """Two linear layers, 64 to 128 to 16 (ten digits, and six outputs that never win)."""
    draw = torch.Generator().manual_seed(2)
    shapes = (64, 128), (128,), (128, 16), (16,)
    return [torch.randn(shape, generator=draw) / 10 for shape in shapes]


def digit_loss(weights, x, y):
    w1, b1, w2, b2 = weights
    return F.cross_entropy(F.relu(x @ w1 + b1) @ w2 + b2, y)


def backward_steps(weights, loss):
    """The backward pass as functions, one a gradient, the last layer's first."""
    return [lambda w=w: torch.autograd.grad(loss, w, retain_graph=True)[0] for w in reversed(weights)]


# %% look_ddp
weights = [w.requires_grad_() for w in digit_weights()]
images, labels = digit_rows(256)
order = torch.randperm(256, generator=torch.Generator().manual_seed(1))


def digit_gradients(comm, same=False):
    rows = my_rows(order, 0 if same else comm.rank, comm.size)
    loss = digit_loss(weights, images[rows], labels[rows])
    return ddp_gradients(backward_steps(weights, loss), 4000, comm.size, comm.start_all_reduce)


whole = torch.autograd.grad(digit_loss(weights, images, labels), weights[::-1])
for same in (False, True):
    done = launch(digit_gradients, 4, same)
    off = max(((g - w).norm() / w.norm()).item() for g, w in zip(done.values[3], whole, strict=True))
    print(f"{'the same rows' if same else 'own rows':13}  off by {100 * off:.2f}%   {done.traffic}")

# %% [markdown]
# And the overlap? Play your function on a clock: eight gradients, each computed in 60 µs and 0.5 MiB large in float16; an all-reduce takes 30 µs, and 100 µs more for each MB. What hides behind the computation, and which bucket ends first?


# %% look_overlap
def on_a_clock(bucket_bytes):
    """Your function's gradients (stream 0) and buckets (stream 1): names, durations, what each waits for, and starts."""
    tasks, free = [], [0, 0]  # when each stream is free

    def place(stream, name, duration, waits):
        start = max(free[: stream + 1])  # a bucket starts when its last gradient is there and the wire is free
        tasks.append((name, duration, waits, (stream, start)))
        free[stream] = start + duration
        return len(tasks) - 1

    def step(number):
        def compute():
            last[0] = place(0, f"grad {7 - number}", 60, [])
            return torch.ones(2**18)

        return compute

    def start_all_reduce(bucket):
        place(1, f"{bucket.nbytes / 2**20:g} MiB", 30 + bucket.nbytes // 10_000, list(last))
        return lambda: bucket

    last = [0]  # the gradient that was computed last
    ddp_gradients([step(number) for number in range(8)], bucket_bytes, 8, start_all_reduce)
    return [list(column) for column in zip(*tasks, strict=True)], max(free)


for mebibytes in (0.5, 1, 2, 4):
    print(f"buckets of {mebibytes:3} MiB: all sums are there after {on_a_clock(int(mebibytes * 2**20))[1]} µs")
viz.stream_schedule(
    *on_a_clock(2**20)[0], unit="µs", title="Stream 0 computes, stream 1 is the wire: what is hidden, what is not?"
)

# %% [markdown]
# One bucket for all hides nothing: 480 µs of computing, then 449 µs of sending. One for each gradient pays the 30 µs eight times. The best lies between; how long the *last* bucket takes is never hidden.


# %% test_ddp_gradients tags=["test", "core"] points=15 hours=1.5 covers=["data_and_model_parallel", "lo1"]
def judge_rows(count, size):
    order = check.rng.uniform(count).argsort().cpu()
    for rank in range(size):
        wanted = torch.tensor(
            [int(order[i]) for i in range(count - count % size) if i % size == rank], dtype=torch.int64
        )
        check.equal(my_rows(order, rank, size), wanted, name=f"the rows of rank {rank} of {size}, of {count}")


def judge_ddp(shapes, bucket_bytes, size, scale=1.0):
    gradients = [scale * check.rng.normal(*shape).cpu().clamp(-3, 3) for shape in shapes]
    buckets, open_bucket, wanted = [], [], []
    for number, gradient in enumerate(gradients):
        open_bucket.append((gradient / size).half().flatten())
        wanted.append(f"gradient {number}")
        if sum(map(len, open_bucket)) * 2 >= bucket_bytes or number == len(gradients) - 1:
            wanted.append(f"start bucket {len(buckets)}")
            buckets.append(torch.cat(open_bucket))
            open_bucket = []
    wanted += [f"wait for bucket {number}" for number in range(len(buckets))]
    others = [(scale * check.rng.normal(len(bucket)).cpu().clamp(-3, 3) / size).half() for bucket in buckets]
    sums = [mine + other for mine, other in zip(buckets, others, strict=True)]
    events, sent = [], []

    def step(number):
        def compute():
            events.append(f"gradient {number}")
            return gradients[number]

        return compute

    def start_all_reduce(bucket):
        number = len(sent)
        events.append(f"start bucket {number}")
        sent.append(bucket)

        def wait():
            events.append(f"wait for bucket {number}")
            return sums[number] if number < len(sums) and sums[number].shape == bucket.shape else bucket

        return wait

    result = ddp_gradients([step(number) for number in range(len(shapes))], bucket_bytes, size, start_all_reduce)
    check.equal(events, wanted, name="the order of events")
    check.equal(sent, buckets, name=f"the buckets, of gradients divided by {size} and then rounded,")
    flat = torch.cat(sums).float().split([gradient.numel() for gradient in gradients])
    expected = [part.view(shape) for part, shape in zip(flat, shapes, strict=True)]
    check.equal(result, expected, name="the averaged gradients")


judge_rows(10, 4)
judge_ddp([(3, 4), (5,), (2, 2), (7,)], 32, 4)
judge_ddp([(30,)], 8, 8, scale=15_000.0)  # eight such gradients sum to more than float16 holds
### BEGIN HIDDEN TESTS
judge_rows(24, 3)
judge_rows(5, 1)
judge_rows(3, 4)
judge_ddp([(4,), (4,), (4,), (1,)], 16, 2)
judge_ddp([(9, 2), (1,), (1,), (1,), (6,)], 2, 16)
judge_ddp([(2, 3), (4,), (5, 1)], 10_000, 3)
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Keep 1/n of everything
#
# In data parallel training each rank keeps the same weights, gradients and moments as all others: n copies. **ZeRO** (in PyTorch: FSDP) keeps one. Move the slider: who keeps which part *between* steps?

# %% look_shards
viz.shard_map(8, 8_000_000_000)

# %% [markdown]
# An all-reduce is two steps: a **reduce-scatter** leaves each rank with the sum of its own part (n − 1 steps of the ring), and an **all-gather** hands the parts to everybody (n − 1 more). ZeRO pulls them apart. Between the two, each rank updates just its part.
#
# ```text
# forward    gather layer 0, run it, drop it; gather layer 1, run it, drop it; …
# backward   …; gather layer 1, run it, reduce-scatter its gradient, update the shard;
#            gather layer 0, run it, reduce-scatter its gradient, update the shard
# ```
#
# Each all-gather and each reduce-scatter of N bytes sends (n − 1) / n · N. So dropping the weights after the forward pass (**resharding**) costs 3 (n − 1) / n · N a step. Keeping them until the backward pass costs
# 2 (n − 1) / n · N, as much as plain data parallel training, and the memory of all weights.
#
# **Your task.** Two functions.
# * `shard(flat, rank, size)` returns this rank's part of a tensor (n · size,), float32: the `rank`-th of `size` equal parts, **in memory of its own**.
# * `zero_step(layers, shards, states, x, step, reshard, size, all_gather, reduce_scatter)` runs one step and returns `(shards, states)`, two new lists.
#   * `layers[k]` is a pair of functions. `forward(weights, x)` returns the input of the next layer. `backward(weights, x, dy)` gets the same weights and input, and returns `(dweights, dx)`; `dy` is None at the last layer, which knows the loss, and the dx of the next layer elsewhere.
#   * `shards[k]`: (n,), float32, this rank's part of layer k's weights. `all_gather(shard)` returns all of them, (n · size,). `reduce_scatter(tensor)` takes (n · size,) and returns this rank's part of the sum, (n,). Divide gradients by `size` before.
#   * `states[k]`: the pair (m, v) of the shard. `adamw(shard, gradient, state, step)` returns the new shard and state (given below).
#   * Gather each layer just before its forward. With `reshard`, gather it again just before its backward; without, keep it. Reduce-scatter each gradient right after its backward. Nothing else is sent, and what you return is in memory of its own: no view into more.
#
# <details><summary>Hint 1: what a layer's backward needs</summary>
#
# Its input. So keep the inputs in the forward loop, and the weights only without `reshard`.
# </details>
# <details><summary>Hint 2: who updates what</summary>
#
# After the reduce-scatter you hold the averaged gradient of your shard, and of nothing else. AdamW works element by element: it needs nothing else.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Two loops, `range(depth)` and `reversed(range(depth))`. In the second: gather or take what was kept, `backward`, `reduce_scatter(dweights / size)`, `adamw`.
# </details>


# %% given_adamw tags=["setup"]
def adamw(weights, gradient, state, step, lr=1e-2):
    """One step of AdamW: new weights and new state; step counts from 1."""
    m, v = state
    m, v = 0.9 * m + 0.1 * gradient, 0.99 * v + 0.01 * gradient * gradient
    update = (m / (1 - 0.9**step)) / ((v / (1 - 0.99**step)).sqrt() + 1e-8)
    return weights * (1 - 0.01 * lr) - lr * update, (m, v)


# %% zero_step tags=["solution"]
def shard(flat, rank, size):
    ### BEGIN SOLUTION
    return flat.chunk(size)[rank].clone()
    ### END SOLUTION


def zero_step(layers, shards, states, x, step, reshard, size, all_gather, reduce_scatter):
    ### BEGIN SOLUTION
    inputs, kept = [], []
    for (forward, _), mine in zip(layers, shards, strict=True):
        weights = all_gather(mine)
        inputs.append(x)
        kept.append(None if reshard else weights)
        x = forward(weights, x)
    new_shards, new_states, dy = list(shards), list(states), None
    for number in reversed(range(len(layers))):
        weights = all_gather(shards[number]) if reshard else kept[number]
        gradient, dy = layers[number][1](weights, inputs[number], dy)
        mine = reduce_scatter(gradient / size)
        new_shards[number], new_states[number] = adamw(shards[number], mine, states[number], step)
    return new_shards, new_states
    ### END SOLUTION


# %% [markdown]
# Forty steps on the digits, on four ranks, against one rank with all rows. Compare the losses, and the bytes that the counters saw with 3 (n − 1) / n · N and 2 (n − 1) / n · N:


# %% given_digit_layers tags=["setup"]
def digit_flats():
    """The same network as two flat tensors, weights and then biases."""
    w1, b1, w2, b2 = digit_weights()
    return [torch.cat([w1.flatten(), b1]), torch.cat([w2.flatten(), b2])]


def digit_layer(flat, x, last):
    outputs = len(flat) // (x.shape[1] + 1)
    y = x @ flat[:-outputs].view(-1, outputs) + flat[-outputs:]
    return y if last else F.relu(y)


def digit_layers(labels):
    """Pairs of functions, forward and backward, as `zero_step` wants them."""

    def pair(last):
        def backward(weights, x, dy):
            weights, x = weights.clone().requires_grad_(), x.clone().requires_grad_()
            y = digit_layer(weights, x, last)
            return torch.autograd.grad(F.cross_entropy(y, labels) if last else (y * dy).sum(), (weights, x))

        return lambda weights, x: digit_layer(weights, x, last), backward

    return [pair(False), pair(True)]


def digit_flat_loss(flats, x, y):
    return F.cross_entropy(digit_layer(flats[1], digit_layer(flats[0], x, False), True), y).item()


# %% look_zero
images, labels = digit_rows(512)


def train(comm, reshard, steps=40):
    mine = my_rows(torch.arange(512), comm.rank, comm.size)
    layers = digit_layers(labels[mine])
    shards = [shard(flat, comm.rank, comm.size) for flat in digit_flats()]
    states = [(torch.zeros_like(s), torch.zeros_like(s)) for s in shards]
    for step in range(1, steps + 1):
        arguments = (layers, shards, states, images[mine], step, reshard, comm.size)
        shards, states = zero_step(*arguments, comm.all_gather, comm.reduce_scatter)
    flats = [comm.all_gather(s) for s in shards]
    return digit_flat_loss(flats, images, labels)


for ranks, reshard in [(1, True), (4, True), (4, False)]:
    done = launch(train, ranks, reshard)
    nbytes = sum(flat.nbytes for flat in digit_flats())
    once = (ranks - 1) / ranks * nbytes
    sent = (done.traffic.of_rank(0) - once) / 40  # the last all-gather is for the loss
    print(f"{ranks} ranks, reshard {reshard!s:5}: loss {done.values[0]:.4f}, {sent:8,.0f} bytes a step, "
          f"{sent / once if once else 0:.0f} (n - 1)/n N")  # fmt: skip


# %% test_zero_step tags=["test", "core"] points=15 hours=2.0 covers=["data_and_model_parallel", "scalability", "lo3"]
def judge_shard(length, size):
    flat = check.rng.normal(length).cpu()
    for rank in range(size):
        mine = shard(flat, rank, size)
        wanted = flat[rank * length // size : (rank + 1) * length // size]
        check.equal(mine, wanted, name=f"the shard of rank {rank} of {size}")
        held = mine.untyped_storage().nbytes()
        assert held == 4 * length // size, (
            f"rank {rank}'s shard keeps {held} bytes in memory, expected {4 * length // size}: a view keeps all of its base."
        )


def judge_zero(lengths, size, rank, reshard, step=3):
    def random(*shape):
        return check.rng.normal(*shape).cpu()

    depth = len(lengths)
    full, dweights, sums = ([random(n) for n in lengths] for _ in range(3))
    xs, dxs = ([random(2, 3) for _ in range(depth + 1)] for _ in range(2))
    part = [slice(rank * n // size, (rank + 1) * n // size) for n in lengths]
    shards = [w[p].clone() for w, p in zip(full, part, strict=True)]
    states = [(random(len(s)), random(len(s)).abs()) for s in shards]
    wanted = []  # what happens, with what each function is given
    for k in range(depth):
        wanted += [(f"all-gather {k}", shards[k]), (f"forward {k}", full[k], xs[k])]
    for k in reversed(range(depth)):
        wanted += [(f"all-gather {k}", shards[k])] if reshard else []
        wanted.append((f"backward {k}", full[k], xs[k], None if k == depth - 1 else dxs[k + 1]))
        wanted.append((f"reduce-scatter {k}", dweights[k] / size))
    there, back = list(range(depth)), list(reversed(range(depth)))
    layer_of = {"all-gather": there + back, "forward": there, "backward": back, "reduce-scatter": back}
    told, times = [], dict.fromkeys(layer_of, 0)

    def note(event, *given):
        """Write an event down; the layer that it is about."""
        k = layer_of[event][min(times[event], len(layer_of[event]) - 1)]
        times[event] += 1
        told.append((f"{event} {k}", *given))
        return k

    def all_gather(tensor):
        return full[note("all-gather", tensor)]

    def reduce_scatter(tensor):
        k = note("reduce-scatter", tensor)
        return sums[k][part[k]].clone()

    def forward(weights, x):
        return xs[note("forward", weights, x) + 1]

    def backward(weights, x, dy):
        k = note("backward", weights, x, dy)
        return dweights[k], dxs[k]

    given = [(forward, backward)] * depth, shards, states, xs[0], step, reshard, size, all_gather, reduce_scatter
    got_shards, got_states = zero_step(*given)
    check.equal(told, wanted, name=f"what rank {rank} of {size} does (reshard = {reshard}), in order,")
    kept = sum(
        t.untyped_storage().nbytes() for t in [*got_shards, *(moment for state in got_states for moment in state)]
    )
    once = 3 * 4 * sum(lengths) // size
    assert kept == once, f"rank {rank} of {size} keeps {kept} bytes of weights and moments, expected 3 N / n = {once}."
    new = [adamw(w, g[p], state, step) for w, g, p, state in zip(shards, sums, part, states, strict=True)]
    got = torch.cat([*got_shards, *(moment for state in got_states for moment in state)])
    expected = torch.cat([w for w, _ in new] + [moment for _, state in new for moment in state])
    check.close(got, expected, name="the new shards and then their moments, joined,")


judge_shard(12, 4)
judge_zero([8, 12], 4, 1, reshard=True)
judge_zero([8, 12], 4, 1, reshard=False)
### BEGIN HIDDEN TESTS
judge_shard(7, 1)
judge_shard(24, 3)
for reshard in (True, False):
    judge_zero([6, 10, 4], 2, 1, reshard, step=7)
    judge_zero([16], 8, 0, reshard, step=1)
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · Split a layer
#
# When a single layer is too large or too slow, its matrices are cut. There are two ways to cut Y = X A:
#
# * **by columns**: each rank has some columns of A, and gets the same columns of Y. Nothing needs to be sent.
# * **by rows**: each rank has some rows of A, and needs just those columns of X. It gets a *part of the sum* for all of Y.
#
# Put a column cut before a row cut: the first leaves exactly the columns that the second needs. What is between them, a GELU or one head's attention, works on each column or head alone. **So a pair needs one all-reduce, at its end, and none between.** A Transformer layer is two
# such pairs: q, k, v and the output projection; up and down.
#
# ```text
# rank 0   x ─ norm ─┬─ up, columns 0–7  ─ GELU ─ down, rows 0–7  ─┬─ all-reduce ─ + x
# rank 1             └─ up, columns 8–15 ─ GELU ─ down, rows 8–15 ─┘
# ```
#
# Backward the picture is read from right to left. At the all-reduce the gradient is already the same on all ranks: nothing to send. Where the paths part (┬), each rank has the gradient of its own columns only, and these must be summed: the second all-reduce. In
# Megatron's paper these two points are called g and f. An `autograd.Function` says what happens in which direction.
#
# **Your task.** Two functions. The layer on one machine is `layer` below.
# * `split_layer(w, rank, size)` returns this rank's part of each of the six weights, in a dict with the same keys, each in memory of its own. `qkv` is (C, 3C): all queries, then all keys, then all values, each with its heads side by side. A rank gets the `rank`-th of `size` equal groups of heads, of all three.
#   `up` (C, 4C) is cut by columns, `out` (C, C) and `down` (4C, C) by rows; the biases (C,) are whole.
# * `tp_layer(x, w, heads, all_reduce)` returns what `layer` does, (T, C), from a rank's part of the weights; `heads` is the number of heads *here*. `all_reduce(tensor)` returns the sum over ranks.
#   * Two all-reduces forward, each of (T, C), and two backward, each of (T, C). Gradients of x and of all six parts are right on every rank.
#
# <details><summary>Hint 1: what is added how often?</summary>
#
# The all-reduce sums over ranks. So what every rank has in full, the bias and the residual x, must be added after it.
# </details>
# <details><summary>Hint 2: two functions of autograd</summary>
#
# `Leave`: all-reduce forward, the gradient unchanged backward. `Enter`: the tensor unchanged forward (`x.view_as(x)`), all-reduce backward. Where does each one go in `layer`?
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `h = Enter.apply(norm)`; `x + Leave.apply(attention(h @ w["qkv"], heads) @ w["out"]) + w["out_bias"]`; and the same for up and down. Define both classes inside `tp_layer`, where `all_reduce` is known.
# </details>


# %% given_layer tags=["setup"]
def attention(qkv, heads):
    """Causal attention; qkv is (T, 3 · D): queries, keys and values of all heads, side by side. Result (T, D)."""
    q, k, v = (part.unflatten(1, (heads, -1)).transpose(0, 1) for part in qkv.chunk(3, dim=1))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(0, 1).flatten(1)


def layer(x, w, heads):
    """A Transformer layer on one machine. x: (T, C)."""
    h = F.layer_norm(x, x.shape[1:])
    x = x + attention(h @ w["qkv"], heads) @ w["out"] + w["out_bias"]
    h = F.layer_norm(x, x.shape[1:])
    return x + F.gelu(h @ w["up"]) @ w["down"] + w["down_bias"]


# %% tp_layer tags=["solution"]
def split_layer(w, rank, size):
    ### BEGIN SOLUTION
    q, k, v = (part.chunk(size, dim=1)[rank] for part in w["qkv"].chunk(3, dim=1))
    return {
        "qkv": torch.cat([q, k, v], dim=1),
        "out": w["out"].chunk(size, dim=0)[rank].clone(),
        "out_bias": w["out_bias"].clone(),
        "up": w["up"].chunk(size, dim=1)[rank].clone(memory_format=torch.contiguous_format),
        "down": w["down"].chunk(size, dim=0)[rank].clone(),
        "down_bias": w["down_bias"].clone(),
    }
    ### END SOLUTION


def tp_layer(x, w, heads, all_reduce):
    ### BEGIN SOLUTION
    class Enter(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.view_as(x)

        @staticmethod
        def backward(ctx, gradient):
            return all_reduce(gradient)

    class Leave(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return all_reduce(x)

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    h = Enter.apply(F.layer_norm(x, x.shape[1:]))
    x = x + Leave.apply(attention(h @ w["qkv"], heads) @ w["out"]) + w["out_bias"]
    h = Enter.apply(F.layer_norm(x, x.shape[1:]))
    return x + Leave.apply(F.gelu(h @ w["up"]) @ w["down"]) + w["down_bias"]
    ### END SOLUTION


# %% look_tp
C, H, T = 64, 8, 16
draw = torch.Generator().manual_seed(3)
shapes = {"qkv": (C, 3 * C), "out": (C, C), "out_bias": (C,), "up": (C, 4 * C), "down": (4 * C, C), "down_bias": (C,)}
w = {key: torch.randn(shape, generator=draw) / 8 for key, shape in shapes.items()}
x = torch.randn(T, C, generator=draw)


def one_layer(comm):
    mine, here = split_layer(w, comm.rank, comm.size), x.clone().requires_grad_()
    y = tp_layer(here, mine, H // comm.size, comm.all_reduce)
    y.sum().backward()
    return y.detach(), here.grad, sum(part.nbytes for part in mine.values())


done = launch(one_layer, 4)
single = x.clone().requires_grad_()
expected = layer(single, w, H)
expected.sum().backward()
y, gradient, held = done.values[2]
print(f"result off by {(y - expected).abs().max():.1e}, gradient by {(gradient - single.grad).abs().max():.1e}")
print(f"{held:,} bytes of weights a rank, of {sum(part.nbytes for part in w.values()):,}")
print(done.traffic, "| an all-reduce of T · C float32 sends", 2 * 3 * T * C * 4 // 4)


# %% test_tp_layer tags=["test", "core"] points=10 hours=2.0 covers=["data_and_model_parallel", "transformers", "lo2"]
def of_rank(w, rank, size, heads):
    """Columns of one rank, as booleans over the features of attention and over those of the MLP."""
    return (torch.arange(w["out"].shape[0]) // (w["out"].shape[0] // size) == rank,
            torch.arange(w["down"].shape[0]) // (w["down"].shape[0] // size) == rank)  # fmt: skip


def judge_tp(tokens, width, heads, size, rank):
    def random(*shape):
        return check.rng.normal(*shape).cpu() / shape[0] ** 0.5

    w = {"qkv": random(width, 3 * width), "out": random(width, width), "out_bias": random(width),
         "up": random(width, 4 * width), "down": random(4 * width, width), "down_bias": random(width)}  # fmt: skip
    mine, mine_up = of_rank(w, rank, size, heads)
    name = f"of rank {rank} of {size}"
    places = {"qkv": (slice(None), mine.repeat(3)), "out": (mine,), "up": (slice(None), mine_up), "down": (mine_up,),
              "out_bias": (slice(None),), "down_bias": (slice(None),)}  # fmt: skip
    got = split_layer(w, rank, size)
    for key, place in places.items():
        check.equal(got[key], w[key][place], name=f"{key} {name}")
        held = got[key].untyped_storage().nbytes()
        assert held == got[key].nbytes, f"{key} {name} keeps {held} bytes in memory for {got[key].nbytes}: copy it."
    # What must cross: by hand, in double precision. The parts are those of whole products with the other ranks' features at 0.
    exact = {key: value.double().requires_grad_() for key, value in w.items()}
    x = (random(tokens, width) * 4).requires_grad_()
    x64, dy = x.detach().double().requires_grad_(), random(tokens, width)
    h = F.layer_norm(x64, (width,))
    features = attention(h @ exact["qkv"], heads)
    middle = x64 + features @ exact["out"] + exact["out_bias"]
    h2 = F.layer_norm(middle, (width,))
    hidden = F.gelu(h2 @ exact["up"])
    y64 = middle + hidden @ exact["down"] + exact["down_bias"]
    sums = [features @ exact["out"], hidden @ exact["down"]]
    parts = [(features * mine) @ exact["out"], (hidden * mine_up) @ exact["down"]]
    at_features, at_hidden, at_h, at_h2 = torch.autograd.grad(
        y64, [features, hidden, h, h2], dy.double(), retain_graph=True
    )
    back = [torch.autograd.grad(hidden, h2, at_hidden * mine_up, retain_graph=True)[0],
            torch.autograd.grad(features, h, at_features * mine, retain_graph=True)[0]]  # fmt: skip
    script = [*zip(parts, sums, strict=True), (back[0], at_h2), (back[1], at_h)]
    sent = []

    def all_reduce(tensor):
        sent.append(tensor.flatten())
        whole = script[min(len(sent), 4) - 1][1].detach().float()
        return whole if whole.shape == tensor.shape else tensor

    leaves = {key: w[key][place].clone().requires_grad_() for key, place in places.items()}
    y = tp_layer(x, leaves, heads // size, all_reduce)
    forward = len(sent)
    y.backward(dy)
    by_hand = torch.cat([part.detach().flatten() for part, _ in script])
    y64.backward(dy.double())
    got = [torch.cat(sent), y.detach(), x.grad, *(leaves[key].grad for key in places)]
    expected = [by_hand, y64.detach(), x64.grad, *(exact[key].grad[place] for key, place in places.items())]
    sends = f"what {forward} + {len(sent) - forward} all-reduces send (2 forward and 2 backward are expected), joined,"
    names = [sends, "the result", "the gradient of x", *(f"the gradient of {key}" for key in places)]
    for what, mine, right in zip(names, got, expected, strict=True):
        check.close(mine, right.float(), rtol=1e-4, name=f"{what} {name}")


judge_tp(5, 8, 4, 2, 1)
### BEGIN HIDDEN TESTS
judge_tp(3, 12, 6, 3, 1)
judge_tp(4, 8, 4, 4, 0)
judge_tp(4, 8, 2, 1, 0)
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · Split the depth
#
# A **pipeline** gives each rank (stage) some consecutive layers. It sends the least: activations at p − 1 borders. But stage 1 waits for stage 0, and backward it is the other way round. So the batch is cut into m **micro-batches** that follow each other. By hand, p = 2, m = 2,
# with a backward pass twice as long as a forward pass:
#
# ```text
# time      0  1  2  3  4  5  6  7  8
# stage 0   F0 F1 .  .  .  B0 B0 B1 B1      9 units of time, 6 of them busy:
# stage 1   .  F0 F1 B0 B0 B1 B1 .  .       idle 3/9 = (p - 1)/(m + p - 1)
# ```
#
# That idle share is the **bubble**. **GPipe** runs all forward passes, then all backward passes; a stage then holds the activations of all m micro-batches. **1F1B** begins backward passes as early as it can: stage s runs min(m, p − s − 1) forward passes ahead, then one forward, one backward by turns,
# then the backward passes that are left. The bubble is the same. What it holds is not: at most min(m, p − s).
#
# **Your task.** `gpipe(stage, stages, micro_batches)` and `one_f_one_b(stage, stages, micro_batches)` return the order of a stage's tasks, a list of `("F", i)` and `("B", i)`, each i from 0 to m − 1 once. Both kinds in rising order of i.
# `play` (in `lablib.parallel.pipeline`) runs the orders of all stages: a task starts when its stage is free and its input is there.
# * Bubble of both: (p − 1) / (m + p − 1). Held at once by stage s: m for GPipe, min(m, p − s) for 1F1B.
#
# <details><summary>Hint 1: GPipe</summary>The order is the same for every stage. The waiting comes by itself.</details>
# <details><summary>Hint 2: the last stage</summary>It runs nothing ahead: F0 B0 F1 B1 … And the one before it?</details>
# <details><summary>Hint 3: nearly there</summary>First `ahead` forward passes. Then for each i: forward `ahead + i`, if there is one, and backward i.</details>


# %% schedules tags=["solution"]
def gpipe(stage, stages, micro_batches):
    ### BEGIN SOLUTION
    return [(kind, i) for kind in "FB" for i in range(micro_batches)]
    ### END SOLUTION


def one_f_one_b(stage, stages, micro_batches):
    ### BEGIN SOLUTION
    ahead = min(micro_batches, stages - stage - 1)
    order = [("F", i) for i in range(ahead)]
    for i in range(micro_batches):
        if ahead + i < micro_batches:
            order.append(("F", ahead + i))
        order.append(("B", i))
    return order
    ### END SOLUTION


# %% [markdown]
# Yours, played, with a backward pass twice as long as a forward pass. Move the sliders: how many micro-batches does a pipeline of 8 stages need for a bubble below a quarter? What does 1F1B save then?

# %% look_schedules
played = {
    (name, p, m): play([schedule(stage, p, m) for stage in range(p)], m)
    for name, schedule in (("GPipe", gpipe), ("1F1B", one_f_one_b))
    for p in (2, 4, 8)
    for m in (1, 2, 4, 8, 16, 24)
}
viz.pipeline_schedule(played)


# %% test_schedules tags=["test", "core"] points=10 hours=1.0 covers=["data_and_model_parallel", "lo3"]
def judge_schedules(stages, micro_batches, times):
    bubble = Fraction(stages - 1, micro_batches + stages - 1)
    name = f"with {stages} stages and {micro_batches} micro-batches"
    held = {gpipe: [micro_batches] * stages, one_f_one_b: [min(micro_batches, stages - s) for s in range(stages)]}
    for schedule, most in held.items():
        played = play([schedule(stage, stages, micro_batches) for stage in range(stages)], micro_batches, times=times)
        text = f"{schedule.__name__} {name}: (bubble, micro-batches held by each stage)"
        check.equal((played.bubble, played.held), (bubble, most), name=text)


judge_schedules(4, 8, (1, 2))
### BEGIN HIDDEN TESTS
for stages, micro_batches, times in [(1, 3, (1, 1)), (5, 3, (1, 2)), (3, 1, (2, 3)), (6, 20, (1, 1))]:
    judge_schedules(stages, micro_batches, times)
### END HIDDEN TESTS

# %% [markdown]
# ### Interleaved (stretch)
#
# Let each stage hold v **chunks** of the network instead of one: stage s has parts s, s + p, s + 2p, … of v · p. A micro-batch goes round the stages v times, in steps v times as short. The pipeline fills in p − 1 short steps, so the bubble is
# **(p − 1) / (v · m + p − 1)**. The price: v times as many borders to send over, and more held.
#
# **Your task.** `interleaved(stage, stages, micro_batches, chunks)` returns the order as `("F", i, chunk)` and `("B", i, chunk)`, with chunks from 0. `micro_batches` is a multiple of `stages`.
# * Forward passes come in rounds of p micro-batches: all p through chunk 0, the same p through chunk 1, …, then the next p. Backward passes do so too, chunks from the last to the first.
# * Stage s runs 2 (p − s − 1) + (v − 1) p forward passes ahead (or all v · m, if these are fewer), then one forward, one backward by turns, then what is left.
#
# <details><summary>Hint 1: the k-th forward pass</summary>Which round is it in, and at which place of the round?</details>
# <details><summary>Hint 2: divmod</summary>`rounds, place = divmod(k, p · v)`. The chunk is `place // p`.</details>
# <details><summary>Hint 3: nearly there</summary>The micro-batch is `rounds * p + place % p`. For the k-th backward pass the chunk is `v - 1 - place // p`. The rest is 1F1B.</details>


# %% interleaved tags=["solution"]
def interleaved(stage, stages, micro_batches, chunks):
    ### BEGIN SOLUTION
    total = micro_batches * chunks

    def nth(k, kind):
        rounds, place = divmod(k, stages * chunks)
        chunk = place // stages
        return (kind, rounds * stages + place % stages, chunk if kind == "F" else chunks - 1 - chunk)

    ahead = min(total, 2 * (stages - stage - 1) + (chunks - 1) * stages)
    order = [nth(k, "F") for k in range(ahead)]
    for k in range(total):
        if ahead + k < total:
            order.append(nth(ahead + k, "F"))
        order.append(nth(k, "B"))
    return order
    ### END SOLUTION


# %% [markdown]
# One chunk a stage against two, for the same network. Low boxes are the second chunk. (A stage with two chunks holds more of them, but each is half as large.)

# %% look_interleaved
viz.pipeline_schedule(
    {
        (f"{v} chunk{'s' if v > 1 else ''}", 4, m): play(
            [interleaved(s, 4, m, v) for s in range(4)], m, v, times=(2, 4) if v == 1 else (1, 2)
        )
        for v in (1, 2)
        for m in (4, 8, 16)
    },
    title="What do chunks change?",
)


# %% test_interleaved tags=["test", "stretch"] points=5 hours=1.0 covers=["data_and_model_parallel", "lo3"]
def judge_interleaved(stages, micro_batches, chunks):
    name = f"with {stages} stages, {micro_batches} micro-batches, {chunks} chunks"
    orders = [interleaved(stage, stages, micro_batches, chunks) for stage in range(stages)]
    played = play(orders, micro_batches, chunks, times=(1, 2))
    bubble = Fraction(stages - 1, chunks * micro_batches + stages - 1)
    most = [min(micro_batches * chunks, 2 * (stages - s - 1) + (chunks - 1) * stages + 1) for s in range(stages)]
    text = f"(bubble, chunks of micro-batches held by each stage) {name}"
    check.equal((played.bubble, played.held), (bubble, most), name=text)


judge_interleaved(4, 8, 2)
### BEGIN HIDDEN TESTS
for stages, rounds, chunks in [(2, 1, 3), (3, 4, 2), (4, 3, 1), (1, 2, 2)]:
    judge_interleaved(stages, stages * rounds, chunks)
### END HIDDEN TESTS

# %% [markdown]
# ## 6 · A plan for 4096 ranks
#
# Real runs do all of it at once. Inside a node of 8 GPUs, NVLink moves 450 GB/s each way; between nodes, 50 GB/s a GPU (H200 and its 400 Gb/s network card, datasheets). So: tensor parallel inside the node, where it sends the most; pipeline and data parallel between nodes. **dp · tp · pp ranks** in all.
#
# Before you compute anything, predict. A model of 4 layers of width 4096 (up to 4 · 4096 and down again, no biases, float32) is trained on 512 × 8 ranks: ZeRO without resharding over 512, tensor parallel over 8. Each rank has one micro-batch of 2048 tokens. **How many MB does each rank send in one step?** Estimate on paper.

# %% look_prediction
predicted_mb = check.lock("MB a rank sends in a step", 1500)  # your estimate in place of 1500

# %% [markdown]
# Now the measurement. PyTorch has a process group that only pretends, and tensors without memory. So one process can run its FSDP2 and tensor parallelism as rank 0 of 4096, and `lablib.parallel.fake` counts each collective. (About 6 s, most of it to load FSDP.)


# %% given_job tags=["setup"]
class Pair(nn.Module):
    """A layer of the model to plan: column-parallel up, row-parallel down, no biases."""

    def __init__(self, width):
        super().__init__()
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x):
        return x + self.down(F.gelu(self.up(x)))


def counted_step(job, dp, tp):
    """PyTorch's own FSDP2 and tensor parallelism on dp · tp pretended ranks, one micro-batch each."""
    from lablib.parallel.fake import count_step

    with torch.device("meta"):
        layers = [Pair(job["width"]) for _ in range(job["depth"])]
    return count_step(layers, dp, tp, {"up": "column", "down": "row"}, (job["micro"], job["width"]), reshard=False)


H200 = {"memory": 141e9, "flops": 989e12, "node": 8, "node_bandwidth": 450e9, "bandwidth": 50e9}


def plan_seconds(sent, job, machine, dp, tp, pp):
    """Seconds of a step by cause: work at peak, the bubble, and bytes at full bandwidth, none of them hidden."""
    micro_batches = job["batch"] // (dp * job["micro"])
    work = 6 * 8 * job["width"] ** 2 * job["depth"] * job["batch"] / (dp * tp * pp * machine["flops"])
    return {
        "work": work, "bubble": work * (pp - 1) / micro_batches, "tp": sent["tp"] / machine["node_bandwidth"],
        "dp": sent["dp"] / machine["bandwidth"], "pp": sent["pp"] / machine["bandwidth"],
    }  # fmt: skip


# %% look_counted
small_job = {"width": 4096, "depth": 4, "batch": 512 * 2048, "micro": 2048, "itemsize": 4}
counted = counted_step(small_job, dp=512, tp=8)
for (axis, collective), sent in counted.sent.items():
    print(f"{axis}: {counted.calls[axis, collective]} x {collective:15} {float(sent) / 1e6:8.1f} MB")
print(f"in all {float(sum(counted.sent.values())) / 1e6:.1f} MB; predicted {predicted_mb:g} MB")

# %% [markdown]
# **Your task.** Three functions. A `job` is a dict: `width` D, `depth` (layers; each has 8 · D² weights), `batch` (tokens of a step, on all ranks), `micro` (tokens of a micro-batch), `itemsize` (bytes of a number that is sent or computed with). Each of the `dp` groups gets an equal share of the batch, cut
# into m micro-batches. All numbers divide evenly.
# * `step_bytes(job, dp, tp, pp)`: a dict of ints, what a rank sends in a step, as rings do.
#   * `"tp"`: in each micro-batch, each of the rank's layers has two all-reduces of an activation (micro × D) over tp: one forward, one backward.
#   * `"dp"`: once a step the rank's weights are gathered over dp, and kept for all micro-batches; once a step the sum of their gradients is reduce-scattered. (A rank's weights: its stage's layers, its tensor part.)
#   * `"pp"`: in each micro-batch one activation to the next stage, and one gradient of the same size to the previous; 0 with one stage. (So it is for a stage in the middle.)
# * `held_bytes(job, dp, tp, pp)`: an int, the sum of
#   * 16 bytes for each of the rank's weights, sharded over dp;
#   * the rank's weights as gathered, and the sum of their gradients, at `itemsize` bytes a number each;
#   * activations: in each of the rank's layers D + 8 · D / tp numbers a token, for the min(m, pp) micro-batches that 1F1B holds on stage 0.
# * `best_plan(job, ranks, machine)`: the (dp, tp, pp) with dp · tp · pp = ranks whose step is the fastest among those that fit `machine["memory"]`; None if none does. tp is at most `machine["node"]` and divides D; pp divides the depth; dp · micro divides the batch. `plan_seconds` says how long a step takes.
#
# <details><summary>Hint 1: rings</summary>
#
# An all-reduce of N bytes over n ranks sends 2 (n − 1) N // n, a gather or reduce-scatter (n − 1) N // n. N is the *whole* tensor.
# </details>
# <details><summary>Hint 2: check yourself</summary>
#
# `step_bytes(small_job, 512, 8, 1)` must give the counted numbers above.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# For the plan: two loops over tp and pp, `dp = ranks // (tp * pp)`, skip what does not divide or fit, `min(…, key=…, default=None)`.
# </details>


# %% best_plan tags=["solution"]
def step_bytes(job, dp, tp, pp):
    ### BEGIN SOLUTION
    micro_batches, layers = job["batch"] // (dp * job["micro"]), job["depth"] // pp
    activation = job["micro"] * job["width"] * job["itemsize"]
    weights = 8 * job["width"] ** 2 * job["itemsize"] * layers // tp
    return {
        "tp": 2 * micro_batches * layers * 2 * (tp - 1) * activation // tp,
        "dp": 2 * (dp - 1) * weights // dp,
        "pp": 2 * micro_batches * activation if pp > 1 else 0,
    }
    ### END SOLUTION


def held_bytes(job, dp, tp, pp):
    ### BEGIN SOLUTION
    micro_batches, layers = job["batch"] // (dp * job["micro"]), job["depth"] // pp
    layer, width = 8 * job["width"] ** 2, job["width"]
    states = 16 * layer * layers // (tp * dp)
    gathered = 2 * layer * layers * job["itemsize"] // tp
    activations = min(micro_batches, pp) * layers * job["micro"] * (width + 8 * width // tp) * job["itemsize"]
    return states + gathered + activations
    ### END SOLUTION


def best_plan(job, ranks, machine):
    ### BEGIN SOLUTION
    def seconds(plan):
        return sum(plan_seconds(step_bytes(job, *plan), job, machine, *plan).values())

    plans = [
        (ranks // (tp * pp), tp, pp)
        for tp in range(1, machine["node"] + 1)
        for pp in range(1, job["depth"] + 1)
        if ranks % (tp * pp) == 0 and job["width"] % tp == 0 and job["depth"] % pp == 0
    ]
    plans = [plan for plan in plans if job["batch"] % (plan[0] * job["micro"]) == 0]
    plans = [plan for plan in plans if held_bytes(job, *plan) <= machine["memory"]]
    return min(plans, key=seconds, default=None)
    ### END SOLUTION


# %% [markdown]
# A model of 206 billion weights on H200s. Move the sliders. Why does tp = 1 without a pipeline not fit, on however many ranks? What does each further pipeline stage buy, and what does it cost?

# %% look_plans
job = {"width": 16384, "depth": 96, "batch": 2**23, "micro": 2048, "itemsize": 2}


def plan(ranks, tp, pp):
    dp = ranks // (tp * pp)
    if job["batch"] % (dp * job["micro"]):
        return {}
    seconds = plan_seconds(step_bytes(job, dp, tp, pp), job, H200, dp, tp, pp)
    return {"held": held_bytes(job, dp, tp, pp), "seconds": seconds}


plans = {
    (n, tp, pp): plan(n, tp, pp) for n in (1024, 4096, 16384) for tp in (1, 2, 4, 8) for pp in (1, 2, 4, 8, 16, 32)
}
print("best_plan for 4096:", best_plan(job, 4096, H200))
viz.plan_explorer(plans, H200["memory"])


# %% test_best_plan tags=["test", "core"] points=10 hours=2.0 covers=["data_and_model_parallel", "scalability", "lo3"]
def judge_counted(width, depth, micro, dp, tp):
    job = {"width": width, "depth": depth, "batch": dp * micro, "micro": micro, "itemsize": 4}
    counted, mine = counted_step(job, dp, tp).sent, step_bytes(job, dp, tp, 1)
    want = {
        "tp": counted["tp", "all_reduce"],
        "dp": counted["dp", "all_gather"] + counted["dp", "reduce_scatter"],
        "pp": 0,
    }
    check.equal(mine, {axis: int(n) for axis, n in want.items()}, name=f"bytes of a step on {dp} x {tp} ranks")


judge_counted(1024, 2, 64, 512, 8)
tiny = {"width": 64, "depth": 2, "batch": 64, "micro": 8, "itemsize": 2}
check.equal(best_plan(tiny, 8, {**H200, "memory": 9}), None, name="the plan where nothing fits")


### BEGIN HIDDEN TESTS
def expected_costs(job, dp, tp, pp):
    m, layers, D, item = job["batch"] // dp // job["micro"], job["depth"] // pp, job["width"], job["itemsize"]
    act, weights = job["micro"] * D * item, 8 * D * D * layers // tp
    sent = {"tp": m * layers * 4 * (tp - 1) * act // tp, "dp": 2 * (dp - 1) * weights * item // dp,
            "pp": 2 * m * act * (pp > 1)}  # fmt: skip
    held = 16 * weights // dp + 2 * weights * item + min(m, pp) * layers * job["micro"] * (D + 8 * D // tp) * item
    return sent, held


def all_plans(job, ranks, machine):
    """All plans, as (seconds, held, plan), the fastest first."""
    found = []
    for pp in range(1, job["depth"] + 1):
        for tp in range(1, machine["node"] + 1):
            dp = ranks // (tp * pp)
            if dp * tp * pp != ranks or job["depth"] % pp or job["width"] % tp or job["batch"] % (dp * job["micro"]):
                continue
            sent, held = expected_costs(job, dp, tp, pp)
            found.append((sum(plan_seconds(sent, job, machine, dp, tp, pp).values()), held, (dp, tp, pp)))
    return sorted(found)


def a_job(ranks, depth):
    micro = 2 ** check.rng.choice(5, 12)
    return {"width": 3 * 2 ** check.rng.choice(8, 13), "depth": depth, "batch": ranks * micro * 2 ** check.rng.choice(0, 4),
            "micro": micro, "itemsize": 2}  # fmt: skip


for dp, tp, pp in [(4, 2, 8), (8, 1, 1), (2, 8, 4), (1, 4, 2)]:
    job = a_job(dp * tp * pp, 64)
    sent, held = expected_costs(job, dp, tp, pp)
    mine = step_bytes(job, dp, tp, pp), held_bytes(job, dp, tp, pp)
    check.equal(mine, (sent, held), name=f"(bytes of a step, bytes held), dp {dp}, tp {tp}, pp {pp},")
for ranks, depth in [(64, 24), (1024, 96), (4096, 64), (256, 4), (4096, 96), (96, 36)] * 2:
    job, machine = a_job(ranks, depth), {**H200, "bandwidth": check.rng.choice(5, 400) * 1e9}
    machine["node"] = 2 ** check.rng.choice(0, 4)
    for place in (0.0, 0.3, 0.7):
        machine["node_bandwidth"] = 4.5e11 if place else 4.5e14  # where tp costs nothing, the node alone bounds it
        plans = all_plans(job, ranks, machine)
        machine["memory"] = sorted(held for _, held, _ in plans)[int(place * len(plans)) if place else -1]
        fitting = [(seconds, plan) for seconds, held, plan in plans if held <= machine["memory"]]
        if len(fitting) == 1 or fitting[1][0] > 1.000001 * fitting[0][0]:  # else rounding would decide
            check.equal(best_plan(job, ranks, machine), fitting[0][1], name=f"the plan for {ranks} ranks")
### END HIDDEN TESTS

# %% [markdown]
# ## 7 · Several nodes
#
# One ring through all GPUs of many nodes crosses the network at the last GPU of each node: its card carries everything, the seven others nothing. (NCCL therefore runs several rings, each leaving by another card.) The other way is in **tiers**: reduce-scatter inside the node, so that each GPU has 1/8 of the node's sum; all-reduce that
# eighth with the same GPU of the other nodes; all-gather inside the node. All cards work, each on an eighth.
#
# ```text
#          reduce-scatter    all-reduce over       all-gather
#          in the node       the network           in the node
# node 0   a | b | c | d ─┬─ a with a, b with b, ─ A B C D on each GPU
# node 1   a | b | c | d ─┘  c with c, d with d  ─ A B C D on each GPU
# ```
#
# And the time? A step works, then sends what it could not hide behind the work:
#
# **step = work + max(0, wire − hidden · work)**, with wire = 2 (n − 1) · (N / n / bandwidth + latency), the ring's 2 (n − 1) messages.
#
# *Strong* scaling: the job is fixed, so the work is compute / n. *Weak* scaling: each rank brings its own share, so the work is compute. **Efficiency is work / step**: the share of the time that is not waiting.
#
# **Your task.** Three functions.
# * `hierarchical_all_reduce(x, local, node_reduce_scatter, net_all_reduce, node_all_gather)`: x is (n,), float32, of **any** length; the result has its shape. `local` is the number of ranks in a node. Pad with zeros to the next multiple of `local`, and use each function once.
# * `network_bytes(nbytes, nodes, local)`: two ints. The bytes that the busiest rank sends over the *network* in one ring through all nodes · local ranks, node after node; and those that each rank does in tiers. With one node both are 0. All sizes divide evenly.
# * `efficiency(kind, ranks, compute, nbytes, bandwidth, latency, hidden)`: a float by the formulas above; kind is `"strong"` or `"weak"`.
#
# <details><summary>Hint 1: how much padding?</summary>`-len(x) % local`.</details>
# <details><summary>Hint 2: which rank is the busiest?</summary>The one whose right neighbour is in another node sends *all* its bytes there.</details>
# <details><summary>Hint 3: nearly there</summary>In tiers, the network sees an all-reduce of nbytes / local over `nodes` ranks.</details>


# %% nodes tags=["solution"]
def hierarchical_all_reduce(x, local, node_reduce_scatter, net_all_reduce, node_all_gather):
    ### BEGIN SOLUTION
    padded = F.pad(x, (0, -len(x) % local))
    return node_all_gather(net_all_reduce(node_reduce_scatter(padded)))[: len(x)].clone()
    ### END SOLUTION


def network_bytes(nbytes, nodes, local):
    ### BEGIN SOLUTION
    ranks = nodes * local
    flat = 2 * (ranks - 1) * nbytes // ranks if nodes > 1 else 0
    return flat, 2 * (nodes - 1) * nbytes // (nodes * local)
    ### END SOLUTION


def efficiency(kind, ranks, compute, nbytes, bandwidth, latency, hidden):
    ### BEGIN SOLUTION
    work = compute / ranks if kind == "strong" else compute
    wire = 2 * (ranks - 1) * (nbytes / ranks / bandwidth + latency)
    step = work + max(0.0, wire - hidden * work)
    return work / step
    ### END SOLUTION


# %% look_scaling
print("8 GB of gradients, 0.4 s of work on one rank, 50 GB/s, 10 µs a message, half of the work hides bytes")
print(f"{'ranks':>6} {'strong':>8} {'weak':>8}")
for ranks in (1, 8, 64, 512, 4096):
    both = [efficiency(kind, ranks, 0.4, 8e9, 50e9, 10e-6, 0.5) for kind in ("strong", "weak")]
    print(f"{ranks:6} {both[0]:8.1%} {both[1]:8.1%}")


# %% test_nodes tags=["test", "core"] points=10 hours=1.0 covers=["many_gpus_and_nodes", "scalability", "lo3"]
def judge_nodes(length, nodes, local):
    padded = -(-length // local) * local
    x = check.rng.normal(length).cpu()
    scattered, reduced, gathered = (check.rng.normal(n).cpu() for n in (padded // local, padded // local, padded))
    calls = []

    def collective(name, result):
        def call(tensor):
            calls.append((name, tensor))
            return result

        return call

    names = ["reduce-scatter in the node", "all-reduce between nodes", "all-gather in the node"]
    one, two, three = map(collective, names, (scattered, reduced, gathered))
    result = hierarchical_all_reduce(x, local, one, two, three)
    given = [torch.cat([x, torch.zeros(padded - length)]), scattered, reduced]
    wanted = [*zip(names, given, strict=True), ("the result", gathered[:length])]
    check.equal([*calls, ("the result", result)], wanted, name="each collective, what it is given, and the result,")


def judge_efficiency(kind, ranks, hidden):
    work, nbytes, bandwidth, latency = (float(v) for v in check.rng.uniform(4, low=0.5, high=2.0).double())
    latency *= 0.01 / ranks
    step = work / ranks if kind == "strong" else work
    wire = 2 * (ranks - 1) / ranks * nbytes / bandwidth + 2 * (ranks - 1) * latency
    expected = step / (step + max(0, wire - hidden * step))
    got = efficiency(kind, ranks, work, nbytes, bandwidth, latency, hidden)
    assert math.isclose(got, expected, rel_tol=1e-9), (
        f"the {kind} efficiency on {ranks} ranks, {hidden:.0%} hidden, is {got}, expected {expected:.6f}."
    )


judge_nodes(12, 2, 4)
check.equal(network_bytes(6400, 4, 8), (12400, 1200), name="bytes over the network, flat and in two tiers,")
judge_efficiency("weak", 4, 0.0)
### BEGIN HIDDEN TESTS
judge_nodes(13, 3, 4)
judge_nodes(3, 2, 8)
for nodes, local in [(1, 8), (16, 1), (5, 2)]:
    n = nodes * local
    wanted = ((nodes > 1) * 2 * (n - 1) * 700, 2 * (nodes - 1) * 700)
    check.equal(network_bytes(700 * n, nodes, local), wanted, name=f"bytes of {nodes} nodes of {local}")
for kind in ("strong", "weak"):
    for ranks, hidden in [(1, 0.5), (8, 0.3), (64, 0.0), (16, 1.0)]:
        judge_efficiency(kind, ranks, hidden)
    judge_efficiency(kind, 2, 5.0)  # all hidden, and more would be
### END HIDDEN TESTS

# %% [markdown]
# ### Which fault? (stretch)
#
# Five runs of ZeRO with resharding. Each trains without an error, and one of them is healthy. A monitor wrote down what each did in a step: the bytes of all weights, what a rank keeps (its shards of the weights and of the two moments), what it sent, how long each rank was busy, how long it waited,
# and the first row that each read.

# %% given_counters tags=["setup"]
FAULTS = ["healthy", "same data", "not sharded", "gathers gradients", "straggler"]


def counters(ranks, nbytes, fault, jitter=0.0):
    """What a monitor says of one step of ZeRO with resharding, on all ranks."""
    once = (ranks - 1) * nbytes // ranks
    busy = [round(1.0 + jitter * (rank % 2), 2) for rank in range(ranks)]
    if fault == "straggler":
        busy[ranks // 2] = 1.5
    held = 3 * nbytes // ranks if fault != "not sharded" else nbytes // ranks + 2 * nbytes
    sent = 3 * once if fault != "gathers gradients" else 2 * once + (ranks - 1) * nbytes
    return {
        "ranks": ranks, "weight_bytes": nbytes, "held_bytes": held, "sent_bytes": sent, "busy_s": busy,
        "wait_s": [round(max(busy) - s + 0.2, 2) for s in busy],
        "first_row": [0] * ranks if fault == "same data" else list(range(ranks)),
    }  # fmt: skip


# %% look_counters
cases = {name: counters(8, 8000, fault) for name, fault in zip("ABCDE", FAULTS, strict=True)}
for counter in ("ranks", "weight_bytes", "held_bytes", "sent_bytes"):
    print(f"{counter:13}", *(f"{name}: {case[counter]:<8}" for name, case in cases.items()))
for counter in ("busy_s", "wait_s", "first_row"):
    for name, case in cases.items():
        print(f"{counter:13} {name}: {case[counter]}")

# %% [markdown]
# **Your task.** `diagnose(c)` takes such a dict and returns one of
# * `"same data"`: ranks read the same rows;
# * `"not sharded"`: the moments are whole on every rank;
# * `"gathers gradients"`: gradients are all-gathered whole from every rank, (n − 1) · N bytes, where a reduce-scatter belongs;
# * `"straggler"`: one rank takes half as long again as the others, and all wait for it;
# * `"healthy"`: none of these. Ranks may differ by a tenth in their time.
#
# A run has at most one fault. In the hidden cases there are 4 to 64 ranks, other sizes, other times and other rows.
#
# <details><summary>Hint 1: what should it be?</summary>Write down what a healthy run of n ranks keeps and sends, as multiples of N.</details>
# <details><summary>Hint 2: the two numbers</summary>3 N / n kept, 3 (n − 1) / n · N sent.</details>
# <details><summary>Hint 3: four comparisons</summary>Different first rows; kept · n with 3 N; sent · n with 3 (n − 1) N; the longest time with the median.</details>


# %% diagnose tags=["solution"]
def diagnose(c):
    ### BEGIN SOLUTION
    n, weights = c["ranks"], c["weight_bytes"]
    if len(set(c["first_row"])) < n:
        return "same data"
    if c["held_bytes"] * n > 4 * weights:
        return "not sharded"
    if c["sent_bytes"] * n > 3 * (n - 1) * weights:
        return "gathers gradients"
    if max(c["busy_s"]) > 1.25 * sorted(c["busy_s"])[n // 2]:
        return "straggler"
    return "healthy"
    ### END SOLUTION


# %% test_diagnose tags=["test", "stretch"] points=5 hours=0.5 covers=["many_gpus_and_nodes", "lo1"]
for fault in FAULTS:
    check.equal(diagnose(counters(8, 8000, fault)), fault, name="your diagnosis")
### BEGIN HIDDEN TESTS
for ranks in (4, 16, 64):
    for fault in FAULTS:
        nbytes = ranks * check.rng.choice(1000, 9000)
        for jitter in (0.0, 0.1):
            seen = counters(ranks, nbytes, fault, jitter)
            pace, start = check.rng.choice(2, 9), check.rng.choice(1, 1000)
            for times in ("busy_s", "wait_s"):
                seen[times] = [round(pace * s, 2) for s in seen[times]]
            seen["first_row"] = [start + row for row in seen["first_row"]]
            check.equal(diagnose(seen), fault, name=f"the diagnosis of {ranks} ranks")
### END HIDDEN TESTS

# %% [markdown]
# ## 8 · Explain
#
# **Explain** (in at most 200 words, in the cell below).
# 1. Compare your locked prediction with the count of `look_counted`. Which of the two axes sends more, and how does each grow with the tokens of a micro-batch and with the width?
# 2. Take the plan that `best_plan` finds for 4096 ranks, and two of its neighbours in the explorer: half its tp, and another pp. Say what each loses, in bytes or seconds or memory, with printed numbers.
# 3. In `look_scaling` weak scaling levels off and strong scaling falls without end. Which term of the formula stays, which one grows? What does ZeRO with resharding change about it?

# %% explain [markdown] tags=["manual", "core"] points=10 hours=0.5 covers=["data_and_model_parallel", "scalability", "lo3"]
# ### BEGIN SOLUTION
# 1. Predicted 1500 MB, counted 1006: I had the weights gathered again for the backward pass. Data parallel sends 536 MB: 2 (n - 1)/n of 268 MB of weights, which grow with the square of the width and not with the tokens. Tensor parallel sends
#    470 MB: 8 all-reduces of 34 MB, which grow with tokens times width. With more than about 2300 tokens a micro-batch it would send more.
# 2. (dp 64, tp 8, pp 8): 3.67 s and 27 GB. tp 4: 3.89 s. It saves 0.23 s of all-reduces inside the node, but each rank has twice the weights (0.51 s of data parallel in place of 0.25), and half the micro-batches, so a bubble of 0.56 s in place of 0.28.
#    pp 16: 3.73 s. It halves the data parallel bytes (0.12 s) and needs 20 GB, but sends activations for 0.34 s in place of 0.17.
# 3. The bytes a rank sends end at 2N, 0.32 s, of which 0.2 are hidden: that term stays, so weak scaling levels off near 77%. The latency, 2 (n - 1) messages, grows: 67% at 4096. In strong scaling the work falls as 1/n while 2N stays, so nearly everything is waiting.
#    ZeRO with resharding sends 3N in place of 2N: 0.16 s more a step, and more to hide.
# ### END SOLUTION

# %% rubric_explain [markdown] tags=["rubric"]
# **10 points.**
# * 3: 1 for the comparison of the locked number with 1006 MB and a cause; 1 for data parallel (536) above tensor parallel (470); 1 for growth: weights with width squared, activations with tokens times width.
# * 4: 2 a neighbour, each with a printed number that is worse *and* one that is better, or the reason why nothing is. "It is slower" alone earns nothing.
# * 3: 1 for the bytes that stay (2N, whatever n); 1 for the latency that grows with n, or the work that falls; 1 for 3N in place of 2N with resharding.

# %% record_figures
from lablib.ledger import record

# Your figures are kept in labs/ledger.json: lab18 fills the tables of its claims and its essay from there.
record("lab15_parallel_training", {
    "step_mb": lambda: float(sum(counted.sent.values())) / 1e6,
    "step_mb_predicted": lambda: predicted_mb,
    "strong_efficiency_4096_ranks": lambda: both[0],
    "weak_efficiency_4096_ranks": lambda: both[1],
})  # fmt: skip

# %% [markdown]
# ## What to take along
#
# * An all-reduce sends 2 (n − 1) / n · N bytes a rank; a reduce-scatter and an all-gather are its halves. ZeRO puts the optimizer between them.
# * What is held and what is sent follow from the cut: rows of data, parts of the optimizer, columns of a layer, layers of the model.
# * A pair of column and row cuts needs one sum. A pipeline needs micro-batches, and 1F1B needs no more memory than its depth.
# * Count first. Nothing in a plan's bytes is left to measure; its seconds are.
#
# **Next:** lab17 keeps such a run alive when ranks die. On two or more GPUs, `python -m benchmarks.parallel` measures these collectives and a training step over NCCL.
#
# **Sources**
# * Patarasuk, Yuan: *Bandwidth optimal all-reduce algorithms for clusters of workstations*, Journal of Parallel and Distributed Computing 69(2), 2009.
# * Li et al.: *PyTorch Distributed: experiences on accelerating data parallel training*, arXiv:2006.15704, 2020. Buckets and overlap.
# * Rajbhandari et al.: *ZeRO: memory optimizations toward training trillion parameter models*, arXiv:1910.02054, 2019; Zhao et al.: *PyTorch FSDP*, arXiv:2304.11277, 2023.
# * Shoeybi et al.: *Megatron-LM*, arXiv:1909.08053, 2019. Column and row cuts, f and g. Narayanan et al.: *Efficient large-scale language model training on GPU clusters using Megatron-LM*, arXiv:2104.04473, 2021: interleaved 1F1B, and all three together.
# * Huang et al.: *GPipe*, arXiv:1811.06965, 2018. Harlap et al.: *PipeDream: fast and efficient pipeline parallel DNN training*, arXiv:1806.03377, 2018. Narayanan et al.: *Memory-efficient pipeline-parallel DNN training*, arXiv:2006.09503, 2020: 1F1B with a flush, as here.
# * Amdahl: *Validity of the single processor approach to achieving large scale computing capabilities*, AFIPS 1967; Gustafson: *Reevaluating Amdahl's law*, Communications of the ACM 31(5), 1988. Strong and weak scaling.
# * Llama team: *The Llama 3 herd of models*, arXiv:2407.21783, 2024. NVIDIA: H200 datasheet; ConnectX-7 datasheet.
