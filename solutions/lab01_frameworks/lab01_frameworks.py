# %% [markdown]
# # Lab 01 · Inside a framework
#
# Ask PyTorch to add two numbers, each in a tensor of its own. One core of a Xeon needs 1.2 µs for it, and 1.8 µs when a gradient is wanted
# (`benchmarks/lab01.py` measured it; your own figures come below). Python adds two floats in 0.04 µs. In 1.2 µs the memory of an H200 could move 6 MB.
# **What is the framework doing all that time?** It works out where the elements lie, decides which of several functions to call, and writes
# down what it will need for the gradient.
#
# In this lab you build each of these parts, small and complete. Then you watch how a compiler takes the result apart.
#
# **After it you can**
# 1. say which reshapes are free, and why the others copy;
# 2. explain how a tape gets every gradient in one walk, and what it leaves out;
# 3. follow one call through autocast, autograd and the backend, in order;
# 4. capture a program as a graph, and say for which inputs the graph is right;
# 5. predict whether calls or bytes take the time;
# 6. find the same operation in PyTorch's, TensorFlow's, JAX's and XLA's own languages.
#
# | | |
# |---|---|
# | Time | about 9.5 hours: core 8.5 h, stretch 1 h (exercise 7) |
# | Needs | Python; section 3 of lab00, or: you know shape, stride and view |
# | Machine | any. Everything runs on the CPU; no cell takes more than 5 s |
# | Points | 100 |

# %% setup tags=["setup"]
import lablib

lablib.require("0.1")

from lablib import device  # isort: skip  (before triton: it decides whether kernels are interpreted)

import itertools
import json
import math
from pathlib import Path

import numpy as np
import torch
import torch._dynamo  # what a dispatch mode would load when it is first used: 2 to 3 s
from torch.utils._python_dispatch import TorchDispatchMode

from lablib import check, viz
from lablib.gpu.specs import gpu

device.seed(0)

# %% [markdown]
# ## One number first
#
# How long does PyTorch take to add two numbers on **your** machine? The cell takes less than a second.

# %% look_call
import time


def microseconds(function, repeats=10_000):
    """The best of five means of a call's time; other programs can only make it longer."""
    means = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(repeats // 5):
            function()
        means.append((time.perf_counter() - start) / (repeats // 5))
    return 1e6 * min(means)


one, two, wanting = torch.ones(1), torch.ones(1), torch.ones(1, requires_grad=True)
plain, recorded = microseconds(lambda: torch.add(one, two)), microseconds(lambda: torch.add(one, wanting))
megabytes = plain * gpu("sm_90").bytes_per_s / 1e12
print(f"torch.add of two numbers: {plain:.1f} µs; with a gradient wanted: {recorded:.1f} µs.")
print(f"In {plain:.1f} µs the memory of an H200 moves {megabytes:.0f} MB (at the 4.8 TB/s of its datasheet).")

# %% [markdown]
# ## 1 · Views: many tensors, one memory
#
# Memory is one long row of places. A **view** is a way to walk over it: where to start (**offset**), how many steps along each axis (**shape**), and
# how far one step goes (**stride**, in elements). Element (i, j) lies at `offset + i · stride₀ + j · stride₁`.
#
# Move the slider. Each square of the view shows the *place* that it reads. Which of these views read a place twice? Which leave places out? Which walk backwards?

# %% look_views
viz.view_explorer(
    {
        "x": ((3, 4), (4, 1), 0),
        "x transposed": ((4, 3), (1, 4), 0),
        "every second column": ((3, 2), (4, 2), 0),
        "rows backwards": ((3, 4), (-4, 1), 8),
        "row 0, three times": ((3, 4), (0, 1), 0),
        "windows of 6, two apart": ((4, 6), (2, 1), 0),
    },
    size=12,
)

# %% [markdown]
# None of these copies anything. That is why `x.T` of a 10 GB matrix takes as long as that of a number.
#
# **Your task.** Complete `Strided`. Every method returns a new `Strided` over **the same** buffer; a write through one is seen through all.
# * `permute(*axes)`: axis k of the result is axis `axes[k]`.
# * `slice(axis, start, stop, step)`: along one axis, as Python slices a list; each of the three may be None, and **step may be negative** (PyTorch refuses that; numpy does not). At least one element is left.
# * `expand(*shape)`: new axes in front, and axes of length 1, are repeated without a copy. Their stride is 0. Other lengths stay. Sizes reach 2⁴⁰: nothing may be laid out.
# * `reshape(*shape)`: the same elements in the same order. If no strides over this buffer can say that, it raises `ValueError`: a copy would be needed. So it does for another number of elements.
#
# The stride of an axis of length 1 is never used, so nobody looks at it.
#
# <details><summary>Hint 1: what a slice does to a position</summary>
#
# `range(n)[start:stop:step]` is a range. Its `start`, its `step` and its length are all that you need.
# </details>
# <details><summary>Hint 2: when can two axes become one?</summary>
#
# Rows of 4 with strides (4, 1): after the last element of a row comes the first of the next, one step on. With strides (8, 1) there is a gap. Which equation between length and strides says so?
# </details>
# <details><summary>Hint 3: nearly there (reshape)</summary>
#
# First melt neighbouring axes into *runs* wherever you can (stride of the left one = length × stride of the right one). Then take the new lengths from the right, and cut each off the last run: it must divide what is left of the run. An axis of the result cannot reach over two runs.
# </details>


# %% strided tags=["solution"]
class Strided:
    """A view over a flat list: `shape`, and `strides` and `offset` in elements."""

    def __init__(self, buffer, shape, strides, offset=0):
        self.buffer, self.shape, self.strides, self.offset = buffer, tuple(shape), tuple(strides), offset

    def position(self, *index):
        return self.offset + sum(i * stride for i, stride in zip(index, self.strides, strict=True))

    def get(self, *index):
        return self.buffer[self.position(*index)]

    def put(self, value, *index):
        self.buffer[self.position(*index)] = value

    def permute(self, *axes):
        ### BEGIN SOLUTION
        shape, strides = [self.shape[a] for a in axes], [self.strides[a] for a in axes]
        return Strided(self.buffer, shape, strides, self.offset)
        ### END SOLUTION

    def slice(self, axis, start, stop, step):
        ### BEGIN SOLUTION
        kept = range(self.shape[axis])[start:stop:step]
        shape, strides = list(self.shape), list(self.strides)
        shape[axis], strides[axis] = len(kept), kept.step * self.strides[axis]
        return Strided(self.buffer, shape, strides, self.offset + kept.start * self.strides[axis])
        ### END SOLUTION

    def expand(self, *shape):
        ### BEGIN SOLUTION
        new = len(shape) - len(self.shape)
        strides = [0] * new
        for length, before, stride in zip(shape[new:], self.shape, self.strides, strict=True):
            strides.append(stride if length == before else 0)
        return Strided(self.buffer, shape, strides, self.offset)
        ### END SOLUTION

    def reshape(self, *shape):
        ### BEGIN SOLUTION
        if math.prod(shape) != math.prod(self.shape):
            raise ValueError(f"{self.shape} has {math.prod(self.shape)} elements, and {shape} has another number")
        runs = [[1, 1]]
        for length, stride in zip(self.shape, self.strides, strict=True):
            if length != 1 and runs[-1][1] == length * stride:
                runs[-1] = [runs[-1][0] * length, stride]
            elif length != 1:
                runs.append([length, stride])
        strides = []
        for length in reversed(shape):
            while runs[-1][0] == 1 and length != 1:
                runs.pop()
            left, stride = runs[-1]
            if left % length:
                raise ValueError(f"no strides give {shape} over {self.shape} with {self.strides}")
            strides.append(stride)
            runs[-1] = [left // length, stride * length]
        return Strided(self.buffer, shape, strides[::-1], self.offset)
        ### END SOLUTION


# %% [markdown]
# Look before you test: your own view in the explorer.

# %% look_strided
x = Strided(list(range(12)), (3, 4), (4, 1))
mine = x.slice(0, None, None, -1).permute(1, 0)
viz.view_explorer({"x": (x.shape, x.strides, x.offset), "mine": (mine.shape, mine.strides, mine.offset)}, size=12)


# %% test_strided tags=["test", "core"] points=15 hours=1.5 covers=["ml_systems", "lo1"]
def place(shape, strides, offset):
    """A view as its places in memory; strides of axes of length 1 do not count."""
    return [[n for n in shape if n > 1], [s for n, s in zip(shape, strides, strict=True) if n > 1], offset]


def same_place(view, tensor, name):
    expected = place(tensor.shape, tensor.stride(), tensor.storage_offset())
    check.equal(place(view.shape, view.strides, view.offset), expected, name=f"(lengths, strides, offset) {name}")


root, base = Strided(list(range(24)), (2, 3, 4), (12, 4, 1)), torch.arange(24).reshape(2, 3, 4)
same_place(root.permute(2, 0, 1), base.permute(2, 0, 1), "of permute(2, 0, 1)")
same_place(root.slice(2, 1, None, 2), base[:, :, 1::2], "of slice(2, 1, None, 2)")
same_place(root.slice(1, 0, 1, 1).expand(5, 2, 3, 4), base[:, :1].expand(5, 2, 3, 4), "of a row, expanded")
same_place(root.reshape(6, 2, 2), base.view(6, 2, 2), "of reshape(6, 2, 2)")
no_view = check.raises(ValueError, root.permute(0, 2, 1).reshape, 2, 12)
too_few = check.raises(ValueError, root.reshape, 2, 6)
mirrored = root.slice(2, None, None, -1)
mirrored.put(99, 1, 0, 0)
check.equal(root.get(1, 0, 3), 99, name="what root sees of a write through its mirror image")
### BEGIN HIDDEN TESTS
for _ in range(6):
    shape = [check.rng.choice(1, 5) for _ in range(4)]
    count = math.prod(shape)
    base = torch.arange(count).reshape(shape)
    root = Strided(list(range(count)), shape, base.stride())
    axes = torch.argsort(check.rng.uniform(4)).tolist()
    axis, step = check.rng.choice(0, 4), check.rng.choice(1, 4)
    start = check.rng.choice(0, shape[axes[axis]])
    view, tensor = root.permute(*axes).slice(axis, start, None, step), base.permute(axes)
    tensor = tensor[(slice(None),) * axis + (slice(start, None, step),)]
    same_place(view, tensor, f"of permute{tuple(axes)} and slice({axis}, {start}, None, {step}) of {shape}")
    view.put(-5, *[n - 1 for n in tensor.shape])
    told = root.get(*np.unravel_index(int(tensor[(-1,) * 4]), shape))
    check.equal(told, -5, name="what the root sees of a write through its view")
for shape, strides in [
    ((4, 6), (6, 1)),
    ((4, 6), (1, 4)),
    ((4, 3, 2), (12, 2, 1)),
    ((4, 6), (0, 1)),
    ((4, 6), (0, 0)),
    ((2, 2, 6), (12, 6, 1)),
    ((4, 1, 6), (6, 5, 1)),
]:
    tensor = torch.zeros(64).as_strided(shape, strides)
    for new in [(24,), (2, 12), (8, 3), (2, 2, 6), (4, 2, 3), (4, 3, 2, 1), (1, 4, 6), (3, 8)]:
        view = Strided(list(range(64)), shape, strides)
        try:
            expected = tensor.view(new)
        except RuntimeError:
            told = check.raises(ValueError, view.reshape, *new)
        else:
            same_place(view.reshape(*new), expected, f"of reshape{new} of {shape} with strides {strides}")
grid = np.arange(30).reshape(5, 6)
view, mirror = Strided(list(range(30)), (5, 6), (6, 1)).slice(0, -2, None, -2).slice(1, 4, 1, -1), grid[-2::-2, 4:1:-1]
check.equal([[view.get(i, j) for j in range(3)] for i in range(2)], mirror.tolist(), name="x[-2::-2, 4:1:-1]")
far = Strided([7, 8, 9], (1, 3), (3, 1)).expand(2**40, 2**40, 3)
turned, flat = far.permute(2, 1, 0).slice(1, None, None, -2), far.reshape(2**20, 2**60, 3)
places = [place(v.shape, v.strides, v.offset) for v in (far, turned, flat)]
lengths = [[2**40, 2**40, 3], [3, 2**39, 2**40], [2**20, 2**60, 3]]
expected = [[lengths[0], [0, 0, 1], 0], [lengths[1], [1, 0, 0], 0], [lengths[2], [0, 0, 1], 0]]
check.equal(places, expected, name="(lengths, strides, offset) of huge views")
### END HIDDEN TESTS

# %% [markdown]
# **Why a system engineer cares.** A GPU loads neighbouring places together, so two views of one memory can differ eightfold in the bytes that move (lab06 counts them). And a
# reshape that cannot be a view is a hidden copy: `x.permute(0, 2, 1).reshape(2, 12)` reads and writes everything once more, without a word.
#
# ## 2 · A tape: all gradients in one walk
#
# Take y = tanh(x) · x. During the forward pass we write down each operation: where its inputs came from, where its result went. That list is the **tape**. The
# backward pass reads it from the end. Each entry takes the gradient of its result and hands a gradient to each of its inputs.
#
# x is used twice, so it receives two gradients, which **add up**. An entry may be visited only when all gradients of its result have come. Step through both orders. What goes wrong in the second?

# %% look_tape
entries = [
    {"name": "a = tanh(x)", "inputs": ["x"]},
    {"name": "b = sin(a)", "inputs": ["a = tanh(x)"]},
    {"name": "c = a · b", "inputs": ["a = tanh(x)", "b = sin(a)"]},
    {"name": "y = c + x", "inputs": ["c = a · b", "x"]},
]
viz.tape_replay(
    entries,
    {
        "from the end of the tape": ["y = c + x", "c = a · b", "b = sin(a)", "a = tanh(x)"],
        "depth first": ["y = c + x", "c = a · b", "a = tanh(x)", "b = sin(a)"],
    },
)

# %% [markdown]
# What one entry does is its **vector–Jacobian product** (VJP): from the gradient of the result to those of the inputs. For `c = a · b` it is (g·b, g·a). The tape needs no other knowledge of mathematics.
#
# **Your task.** `Tape`. Values live in numbered **slots**; `value(slot)` is given.
# * `input(value)` stores a value and returns its slot: 0, 1, 2, …
# * `apply(forward, vjp, *slots)` calls `forward(*values)` once, stores the result in a new slot, and returns that slot. `vjp(gradient, *values)` returns a tuple: a gradient for each input.
# * `backward(slot, gradient, wanted)` returns a list: for each slot in `wanted` (inputs or results) its gradient, or None where none arrives. `gradient` is that of `slot`.
# * Each entry's `vjp` is called **once, with the whole gradient** of its result, later entries first. It is **not** called at all if no gradient reaches the entry, or if no wanted slot lies behind it: frozen layers cost nothing.
# * Gradients that a `vjp` returned are not modified. (The VJP of a + b may return one tensor twice.) `backward` may be called again, and then says the same.
#
# <details><summary>Hint 1: no sorting needed</summary>
#
# An entry can only use slots that were there before it. What does that say of the order of the tape?
# </details>
# <details><summary>Hint 2: what lies behind an entry</summary>
#
# Walk **forward** once: a slot matters if it is wanted, or if its entry has an input that matters.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# A dict from slot to gradient. For each entry from the last: skip it if its slot has no gradient, or if none of its inputs matters; else call `vjp` and, for each input, put the new gradient in, or `old + new` (a new tensor; `old += new` would write into what a vjp gave you).
# </details>


# %% tape tags=["solution"]
class Tape:
    def __init__(self):
        self.values = []  # by slot
        self.entries = []  # (vjp, input slots, output slot), in order

    def value(self, slot):
        return self.values[slot]

    def input(self, value):
        ### BEGIN SOLUTION
        self.values.append(value)
        return len(self.values) - 1
        ### END SOLUTION

    def apply(self, forward, vjp, *slots):
        ### BEGIN SOLUTION
        out = self.input(forward(*[self.values[s] for s in slots]))
        self.entries.append((vjp, slots, out))
        return out
        ### END SOLUTION

    def backward(self, slot, gradient, wanted):
        ### BEGIN SOLUTION
        matters = set(wanted)
        for _, slots, out in self.entries:
            if matters.intersection(slots):
                matters.add(out)
        gradients = {slot: gradient}
        for vjp, slots, out in reversed(self.entries):
            if out not in gradients or not matters.intersection(slots):
                continue
            arriving = vjp(gradients[out], *[self.values[s] for s in slots])
            for s, new in zip(slots, arriving, strict=True):
                gradients[s] = gradients[s] + new if s in gradients else new
        return [gradients.get(s) for s in wanted]
        ### END SOLUTION


# %% operations tags=["setup"]
# Each operation: what it computes, and its vector-Jacobian product.
OPERATIONS = {
    "add": (lambda a, b: a + b, lambda g, a, b: (g, g)),
    "mul": (lambda a, b: a * b, lambda g, a, b: (g * b, g * a)),
    "sin": (lambda a: a.sin(), lambda g, a: (g * a.cos(),)),
    "tanh": (lambda a: a.tanh(), lambda g, a: (g * (1 - a.tanh() ** 2),)),
}

# %% look_own_tape
tape = Tape()
x = tape.input(torch.tensor(0.5))
a = tape.apply(*OPERATIONS["tanh"], x)
y = tape.apply(*OPERATIONS["mul"], a, x)
(slope,) = tape.backward(y, torch.tensor(1.0), [x])
print(f"y = tanh(x) · x at 0.5 is {tape.value(y):.4f}; its slope is {slope:.4f}")


# %% test_tape tags=["test", "core"] points=15 hours=1.5 covers=["backpropagation", "lo1"]
def counted(tape, name, visits, entry, *slots):
    """Apply an operation whose forward and vjp write the entry's number into `visits`."""
    forward, vjp = OPERATIONS[name]

    def run(*values):
        visits.append(entry)
        return forward(*values)

    def noted(gradient, *values):
        visits.append(entry)
        return vjp(gradient, *values)

    return tape.apply(run, noted, *slots)


def compare(kinds, sources, inputs, root, wanted, order):
    """Build one graph on a Tape and in torch; compare gradients and visits."""
    tape, visits = Tape(), []
    leaves = [x.clone().requires_grad_() for x in inputs]
    slots, tensors = [tape.input(x) for x in inputs], list(leaves)
    for entry, (kind, uses) in enumerate(zip(kinds, sources, strict=True)):
        slots.append(counted(tape, kind, visits, entry, *[slots[u] for u in uses]))
        tensors.append(OPERATIONS[kind][0](*[tensors[u] for u in uses]))
    check.equal(slots, list(range(len(slots))), name="the slots")
    check.equal(visits, list(range(len(kinds))), name="the entries whose forward was called, in order")
    seed = check.rng.normal(*inputs[0].shape).cpu().to(inputs[0].dtype)
    asked = [tensors[w] for w in wanted]
    expected = torch.autograd.grad(tensors[root], asked, seed, allow_unused=True)
    for _ in range(2):
        visits.clear()
        got = tape.backward(slots[root], seed, [slots[w] for w in wanted])
        check.equal(visits, order, name="the entries whose vjp was called, in order")
        for w, g, e in zip(wanted, got, expected, strict=True):
            if e is None:
                check.equal(g, None, name=f"the gradient of slot {w}, which none reaches")
            else:
                check.close(g, e, name=f"the gradient of slot {w}")


pair = [check.rng.normal(3).cpu(), check.rng.normal(3).cpu()]
compare(["tanh", "mul", "add"], [(0,), (2, 0), (3, 1)], pair, root=4, wanted=[0, 1], order=[2, 1, 0])
compare(["sin", "tanh", "mul"], [(0,), (2,), (2, 3)], pair, root=4, wanted=[0], order=[2, 1, 0])
compare(["sin", "add", "mul", "sin"], [(0,), (2, 2), (3, 2), (1,)], pair, root=4, wanted=[0, 1], order=[2, 1, 0])
### BEGIN HIDDEN TESTS
three = [check.rng.normal(4, dtype=torch.float64).cpu() for _ in range(3)]


def visits_of_three(kinds, sources, root, wanted):
    """Compare a graph with three inputs; its entries are visited if reached from the root and before something wanted."""
    reached, matters = {root}, set(wanted)
    for entry, uses in reversed(list(enumerate(sources))):
        reached |= set(uses) if entry + 3 in reached else set()
    for entry, uses in enumerate(sources):
        matters |= {entry + 3} if matters & set(uses) else set()
    order = [e for e in reversed(range(len(kinds))) if e + 3 in reached and matters & set(sources[e])]
    compare(kinds, sources, three, root, wanted, order)


visits_of_three(
    ["sin", "sin", "add", "mul"], [(1,), (0,), (0, 3), (5, 4)], root=6, wanted=[0, 1]
)  # add: one tensor twice
visits_of_three(["sin", "sin", "mul", "mul"], [(0,), (1,), (3, 4), (5, 2)], root=6, wanted=[1])  # 0 and 2 are frozen
visits_of_three(["tanh", "sin", "sin"], [(0,), (3,), (3,)], root=4, wanted=[0, 1])  # the last entry is beside the way
visits_of_three(["sin", "tanh", "mul"], [(0,), (3,), (4, 3)], root=5, wanted=[3, 1])  # nothing wanted behind sin
visits_of_three(["tanh"] + ["add"] * 12, [(0,), *[(i, i) for i in range(3, 15)]], root=15, wanted=[0])  # 4096 paths
for _ in range(3):
    kinds, sources = [], []
    for entry in range(12):
        kind = ["add", "mul", "sin", "tanh"][check.rng.choice(0, 4)]
        kinds.append(kind)
        sources.append(
            tuple(check.rng.choice(max(0, entry - 3), entry + 3) for _ in range(2 if kind in ("add", "mul") else 1))
        )
    visits_of_three(kinds, sources, root=14, wanted=[0, 1, 2])
    visits_of_three(kinds, sources, root=14, wanted=[1])
### END HIDDEN TESTS

# %% [markdown]
# The graph with 4096 paths has 13 entries. A walk by paths would call `tanh`'s VJP 4096 times, yours calls it once: **the cost of a backward pass is that of the graph, never that of its paths.**
#
# ## 3 · The dispatcher: one name, many functions
#
# `torch.mm(a, b)` is a name. Behind it stand a function that casts to half precision, one that writes the tape, one for each kind of device. The **dispatcher** decides which of them run, and in which order.
#
# Each call carries a set of **keys**. The first key in a fixed order whose function is registered gets the call. That function (PyTorch calls it a **kernel**, on any device) does its own small part and calls the same name **again**; the second call then skips the keys that have had their turn.
#
# ![mm is called. Autocast comes first: it casts both operands, and calls mm again. Autograd is next: it notes the call for the backward pass, and calls mm again. The backend computes.](assets/dispatch.svg)
#
# Why does autocast stand before autograd? Then the cast is itself an operation of the tape, and the gradient comes back in the precision of the original weights. The real thing, from PyTorch's own registry:

# %% look_real_keys
print("A tensor's keys:", torch._C._dispatch_keys(torch.ones(1)))
for line in torch._C._dispatch_dump_table("aten::mm").splitlines():
    key, _, where = line.split(" [")[0].partition(": registered at ")
    if key in ("AutocastCPU", "AutogradCPU", "CPU", "Meta"):
        print(f"  mm, {key:12} from {Path(where).name}")

# %% [markdown]
# (PyTorch gives every tensor the autograd key and looks at `requires_grad` in there. Ours looks first; the order is the same.)
#
# **Your task.** `Dispatcher`.
# * `register(op, key, kernel)`: for the operation named `op`. `enable(key)` and `disable(key)` are given.
# * `call(op, *args)` finds the keys of this call: `"autocast"` while it is enabled; `"autograd"` if any tensor among `args` has `requires_grad`; and the device of its first tensor, such as `"cpu"` or `"meta"` (tensors there have a shape and a dtype, and no numbers). Tensors may stand in lists, too (`cat` takes one).
# * In the order autocast, autograd, device it takes the first of these keys that has a kernel for `op` **and is not excluded**, and returns `kernel(*args)`.
# * While that kernel runs, autocast and autograd are excluded as far as they have had their turn (**its key and those before it**), for all operations that it calls. A device is never excluded: its kernels may call others. Afterwards, whatever happened in there, everything is as before.
# * If nothing is left to call, it raises `ValueError`.
#
# <details><summary>Hint 1: a key without a kernel</summary>
#
# Autocast has no function for most operations. Then the next key has its turn: a *fall-through*.
# </details>
# <details><summary>Hint 2: nested calls</summary>
#
# A kernel of autograd that calls `cast` must not come back to autograd, nor to autocast. So what is excluded belongs to the dispatcher, not to one operation.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Keep `self.excluded`, a set. Remember it, add to it, call the kernel in `try:`, put the old one back in `finally:`.
# </details>


# %% dispatcher tags=["solution"]
class Dispatcher:
    ORDER = ("autocast", "autograd")  # and then the device

    def __init__(self):
        self.kernels = {}
        self.enabled = set()
        self.excluded = frozenset()

    def register(self, op, key, kernel):
        self.kernels[op, key] = kernel

    def enable(self, key):
        self.enabled.add(key)

    def disable(self, key):
        self.enabled.discard(key)

    def call(self, op, *args):
        ### BEGIN SOLUTION
        nested = [item for a in args for item in (a if isinstance(a, (list, tuple)) else [a])]
        tensors = [a for a in nested if isinstance(a, torch.Tensor)]
        keys = [key for key in self.ORDER if key in self.enabled]
        if any(t.requires_grad for t in tensors):
            keys.append("autograd")
        keys += [t.device.type for t in tensors[:1]]
        for key in keys:
            if (op, key) in self.kernels and key not in self.excluded:
                before = self.excluded
                turn = self.ORDER.index(key) if key in self.ORDER else len(self.ORDER)
                self.excluded = before | set(self.ORDER[: turn + 1])
                try:
                    return self.kernels[op, key](*args)
                finally:
                    self.excluded = before
        raise ValueError(f"no kernel for {op} with the keys {keys}, of which {set(self.excluded)} are excluded")
        ### END SOLUTION


# %% test_dispatcher tags=["test", "core"] points=10 hours=1.0 covers=["ml_systems", "lo1"]
def equipped():
    """A dispatcher for mm, cast and cat, and the log that its kernels write."""
    d, log = Dispatcher(), []

    def note(name, kernel):
        def noted(*args):
            log.append(name)
            return kernel(*args)

        return noted

    def cast(x, dtype):
        return x.detach().to(dtype).requires_grad_(x.requires_grad)

    d.register(
        "mm",
        "autocast",
        note(
            "autocast mm", lambda a, b: d.call("mm", d.call("cast", a, torch.float16), d.call("cast", b, torch.float16))
        ),
    )
    d.register("mm", "autograd", note("autograd mm", lambda a, b: d.call("mm", a.detach(), b.detach())))
    d.register("mm", "cpu", note("cpu mm", lambda a, b: a.detach() @ b.detach()))
    d.register(
        "mm", "meta", note("meta mm", lambda a, b: torch.empty(a.shape[0], b.shape[1], dtype=a.dtype, device="meta"))
    )
    d.register("cast", "autograd", note("autograd cast", lambda x, dtype: d.call("cast", x, dtype)))
    d.register("cast", "cpu", note("cpu cast", cast))
    d.register("cat", "autograd", note("autograd cat", lambda parts: d.call("cat", parts)))
    d.register("cat", "cpu", note("cpu cat", lambda parts: torch.cat([p.detach() for p in parts])))
    return d, log


a, b = check.rng.normal(2, 3).cpu(), check.rng.normal(3, 4).cpu()
weight = check.rng.normal(3, 4).cpu().requires_grad_()
d, log = equipped()
check.close(d.call("mm", a, b), a @ b)
check.equal(log, ["cpu mm"], name="the kernels of a plain mm, in order")
log.clear()
check.close(d.call("mm", a, weight), (a @ weight).detach())
check.equal(log, ["autograd mm", "cpu mm"], name="the kernels when a gradient is wanted")
log.clear()
d.enable("autocast")
check.close(d.call("mm", a, weight), (a.half() @ weight.half()).detach())
casts = ["autocast mm", "cpu cast", "autograd cast", "cpu cast", "autograd mm", "cpu mm"]
check.equal(log, casts, name="the kernels under autocast")
### BEGIN HIDDEN TESTS
d, log = equipped()
d.enable("autocast")
told = d.call("cat", [a, weight.T[:, :3].detach().requires_grad_()])
check.equal(
    log,
    ["autograd cat", "cpu cat"],
    name="the kernels of cat of a list with a weight in it, which autocast has none for",
)
log.clear()
d.register("nested", "autograd", lambda x: d.call("mm", a, x))
told = d.call("nested", weight)
check.equal(log, ["cpu mm"], name="the kernels that a call from within autograd reaches")
log.clear()
d.disable("autocast")
told = d.call("mm", torch.empty(2, 3, device="meta"), torch.empty(3, 4, device="meta"))
check.equal(log, ["meta mm"], name="the kernels of a call on the meta device")
log.clear()
d.register("inner", "cpu", lambda x: torch.ones(2) @ torch.ones(3))  # raises RuntimeError
d.register("outer", "autograd", lambda x: d.call("inner", x))
told = check.raises(RuntimeError, d.call, "outer", weight)
told = d.call("mm", a, weight)
check.equal(log, ["autograd mm", "cpu mm"], name="the kernels after a kernel has failed")
d.register("relu", "meta", lambda x: x)
told = check.raises(ValueError, d.call, "relu", weight)
### END HIDDEN TESTS

# %% [markdown]
# A key is a place to hook in, and later labs do: profilers, quantisers, and the tracer that comes next.
#
# ## 4 · Capture: from calls to a graph
#
# A compiler cannot work on Python. It wants a **graph**: operations, and what flows between them. One way to get it is to run the program once and write down every call that reaches the bottom of the dispatcher. `TorchDispatchMode` is PyTorch's own hook there; it sees each ATen operation with its arguments. (**ATen** is PyTorch's library of operations; every Python call on tensors ends there.)


# %% programs tags=["setup"]
class Program:
    """A function given as text: the text of `program(...)`, which may use torch."""

    def __init__(self, text):
        self.text = text

    def __call__(self, *inputs):
        names = {"torch": torch}
        exec(self.text, names)
        return names["program"](*inputs)


def execute(graph, *inputs):
    """Run a captured graph: the values of all its names."""
    values = dict(zip(graph["inputs"], inputs, strict=True))

    def known(argument):
        if isinstance(argument, (list, tuple)):
            return type(argument)(known(item) for item in argument)
        return values.get(argument, argument) if isinstance(argument, str) else argument

    for name, op, args, kwargs in graph["nodes"]:
        packet, overload = op.removeprefix("aten.").split(".")
        values[name] = getattr(getattr(torch.ops.aten, packet), overload)(*known(args), **kwargs)
    return values


# %% look_calls
class Show(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        print(f"{func}  ->  {tuple(result.shape) if isinstance(result, torch.Tensor) else result}")
        return result


gate = Program("""
def program(x, w):
    h = x @ w
    if h.sum() > 0:
        h = torch.relu(h)
    return (h * 2).T
""")
x, w = torch.ones(2, 3), torch.ones(3, 4)
with Show():
    gate(x, w)

# %% [markdown]
# Look at the fourth line. `aten._local_scalar_dense` is the moment when a number leaves the graph: the `if` asked for it. On a GPU Python stops here and **waits** until the device has caught up. And the trace holds one branch only: the one that this input took.
#
# **Your task.** `capture(program, *examples)` runs `program` on the examples, and returns a dict:
# * `"inputs"`: the names `["%0", "%1", …]` of the examples;
# * `"nodes"`: in order, `(name, op, args, kwargs)` for each operation that makes a tensor. `op` is `str(func)`; names go on counting; in `args` each tensor is replaced by its name, inside lists too; `kwargs` is a dict;
# * `"output"`: the name of the result;
# * `"guards"`: `(name, value)` for each number that left the graph, in order: the graph is right **as long as** these tensors have these values. They are no nodes.
#
# Programs are given as text (`Program`), so that the checker can run the same one on its own side. They return one tensor and modify nothing in place; every operation has one result.
#
# <details><summary>Hint 1: what to write, and where</summary>
#
# Subclass `TorchDispatchMode` as above, and keep a dict from `id(tensor)` to name.
# </details>
# <details><summary>Hint 2: ids come back</summary>
#
# When a tensor dies, the next one may get its id. Keep every tensor that you have named alive, in a list, until the capture ends.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `func is torch.ops.aten._local_scalar_dense.default` decides between guard and node. Name the arguments **before** the result. A recursive `named(argument)` handles lists.
# </details>


# %% capture tags=["solution"]
class Recorder(TorchDispatchMode):
    def __init__(self, examples):
        super().__init__()
        ### BEGIN SOLUTION
        self.names, self.alive, self.nodes, self.guards = {}, [], [], []
        self.inputs = [self.name(x) for x in examples]
        ### END SOLUTION

    def name(self, tensor):
        """Give a tensor the next name, and return it."""
        ### BEGIN SOLUTION
        self.alive.append(tensor)
        self.names[id(tensor)] = f"%{len(self.alive) - 1}"
        return self.names[id(tensor)]
        ### END SOLUTION

    def named(self, argument):
        """An argument with names for its tensors."""
        ### BEGIN SOLUTION
        if isinstance(argument, (list, tuple)):
            return type(argument)(self.named(item) for item in argument)
        return self.names[id(argument)] if isinstance(argument, torch.Tensor) else argument
        ### END SOLUTION

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        ### BEGIN SOLUTION
        if func is torch.ops.aten._local_scalar_dense.default:
            self.guards.append((self.named(args[0]), result))
        else:
            arguments = self.named(args)
            self.nodes.append((self.name(result), str(func), arguments, dict(kwargs or {})))
        ### END SOLUTION
        return result


def capture(program, *examples):
    ### BEGIN SOLUTION
    recorder = Recorder(examples)
    with recorder:
        result = program(*examples)
    output = recorder.names[id(result)]
    return {"inputs": recorder.inputs, "nodes": recorder.nodes, "output": output, "guards": recorder.guards}
    ### END SOLUTION


# %% look_capture
graph = capture(gate, torch.ones(2, 3), torch.ones(3, 4))
for name, op, args, _ in graph["nodes"]:
    print(f"{name} = {op}({', '.join(map(str, args))})")
print(
    f"return {graph['output']}, right as long as", " and ".join(f"{name} is {value}" for name, value in graph["guards"])
)


# %% test_capture tags=["test", "core"] points=15 hours=1.5 covers=["graphs", "lo1"]
def agrees(text, operations, examples, others, guards):
    """Capture a program, compare its operations, and run the graph on other inputs."""
    program = Program(text)
    graph = capture(program, *examples)
    listed = [op.removeprefix("aten.") for _, op, _, _ in graph["nodes"]]
    check.equal(listed, operations, name="the captured operations")  # only these are run below
    names = [name for name, _, _, _ in graph["nodes"]]
    expected = [f"%{i + len(examples)}" for i in range(len(names))]
    check.equal(names, expected, name="the names of the nodes")
    check.equal([value for _, value in graph["guards"]], guards, name="the values of the guards")
    values = execute(graph, *examples)
    for name, value in graph["guards"]:
        check.equal(values[name].item(), value, name=f"the guarded tensor {name}")
    for inputs in (examples,) if guards else (examples, others):
        values = execute(graph, *inputs)
        check.close(values[graph["output"]], program(*inputs), name="what the graph computes")


GATE = "def program(x, w):\n    h = x @ w\n    if h.sum() > 0:\n        h = torch.relu(h)\n    return (h * 2).T"
x, w = check.rng.uniform(2, 3).cpu(), check.rng.uniform(3, 4).cpu()
agrees(
    GATE,
    ["mm.default", "sum.default", "gt.Scalar", "relu.default", "mul.Tensor", "permute.default"],
    (x, w),
    (-x, w),
    [True],
)
agrees(GATE, ["mm.default", "sum.default", "gt.Scalar", "mul.Tensor", "permute.default"], (-x, w), (x, w), [False])
### BEGIN HIDDEN TESTS
STACK = "def program(x, y):\n    y = torch.cat([x, y, x]).softmax(-1)\n    return x.sum() - torch.stack([y, 2 * y]).double()"
stack = ["cat.default", "_softmax.default", "sum.default", "mul.Tensor", "stack.default"]
stack += ["_to_copy.default", "sub.Tensor"]
u, v = check.rng.normal(2, 3).cpu(), check.rng.normal(4, 3).cpu()
agrees(STACK, stack, (u, v), (v, u), [])
# So many tensors die that an id comes again for certain.
CHAIN = "def program(x):\n    for _ in range(40):\n        x = (x * x).tanh() + x.exp().cos()\n        (x + 1).sin()\n    return x"
agrees(
    CHAIN,
    ["mul.Tensor", "tanh.default", "exp.default", "cos.default", "add.Tensor", "add.Tensor", "sin.default"] * 40,
    (u,),
    (v,),
    [],
)
LOOP = "def program(x):\n    while x.max() < 8:\n        x = x * 2\n    return x + x.shape[0]"
turns = check.rng.choice(2, 5)
peak = torch.tensor([[0.1, 8.5 / 2**turns]])
loop = ["max.default", "lt.Scalar", "mul.Tensor"] * turns + ["max.default", "lt.Scalar", "add.Tensor"]
agrees(LOOP, loop, (peak,), (peak * 2,), [True] * turns + [False])
### END HIDDEN TESTS

# %% [markdown]
# The loop became straight code: as many steps as this input took. That is a **specialised** graph. What do PyTorch's own tools do with an `if` on data? `torch.export` wants one graph for all inputs, and
# refuses (`GuardOnDataDependentSymNode`). `torch.compile` cuts: it compiles what comes before the `if`, lets Python decide, and compiles what comes after. That cut is a **graph break**. (The cell takes 1 to 2 s. Export spells `sum` with its axes; otherwise it sees what you see.)

# %% look_export
import warnings


def branchless(x, w):
    h = x @ w
    return (torch.where(h.sum() > 0, torch.relu(h), h) * 2).T


class Branchless(torch.nn.Module):
    def forward(self, x, w):
        return branchless(x, w)


def branching(x, w):
    h = x @ w
    if h.sum() > 0:
        h = torch.relu(h)
    return (h * 2).T


examples = (torch.ones(2, 3), torch.ones(3, 4))
mine = [op for _, op, _, _ in capture(branchless, *examples)["nodes"]]
print("your capture, with where:", *mine)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # PyTorch's export still uses what PyTorch has deprecated
    exported = torch.export.export(Branchless(), examples).run_decompositions().graph.nodes
print("torch.export, with where:", *(str(node.target) for node in exported if node.op == "call_function"))
told = torch._dynamo.explain(branching)(*examples)
print(f"torch.compile, with the if: {told.graph_count} graphs, {told.graph_break_count} break")

# %% [markdown]
# **Why a system engineer cares.** A break costs a wait for the device, and hides from the compiler what it could have fused across. A missing guard is worse: the graph of another branch, and no error. `torch.where` computes both sides, and needs neither.
#
# ## 5 · What a call costs
#
# Every call has a price that does not depend on its size: Python, dispatcher, on a GPU the launch. Every byte has one, too. The simplest model of a program that calls `ops` operations and moves `bytes`:
#
# **t = a · ops + b · bytes**
#
# `a` is the overhead of a call in seconds, `1 / b` the bandwidth. Below a certain size the first term is the larger, and neither a faster GPU nor a better kernel helps: only fewer or cheaper calls do.
#
# Here are calls of `torch.add(x, y)`, measured on this machine (about 1 s). Sizes and bars are logarithmic. Where does the line bend?

# %% look_calls_and_bytes
rows = []
for exponent in range(4, 23, 2):
    elements = 2**exponent
    x, y, z = torch.ones(3, elements)
    repeats = max(10, min(4000, 2**25 // elements))
    seconds = microseconds(lambda x=x, y=y, z=z: torch.add(x, y, out=z), repeats) / 1e6
    rows.append({"ops": 1, "bytes": 12 * elements, "seconds": seconds})
for row in rows:
    bar = "▪" * round(12 * math.log10(1e6 * row["seconds"] + 1))
    print(f"{row['bytes'] // 12:9,} elements: {1e6 * row['seconds']:8.1f} µs  {bar}")

# %% [markdown]
# **Your task.**
# * `fit(rows)` takes dicts like these (with other `ops`, too) and returns `(a, b)`. Times range over five powers of ten, and each is off by up to 8% **of itself**. From about 140 rows both numbers must come out within 5%: minimise the sum of the squared *relative* errors.
# * `crossover(a, b, bytes_per_element)` returns the number of elements, a float, at which one call's bytes take as long as its overhead.
#
# <details><summary>Hint 1: why ordinary least squares fails</summary>
#
# An error of 8% of the longest time is larger than all of the shortest. So the long rows decide alone, and `a` is noise.
# </details>
# <details><summary>Hint 2: relative errors</summary>
#
# (a · ops + b · bytes − t) / t = a · (ops / t) + b · (bytes / t) − 1: again a least-squares problem, in the columns ops / t and bytes / t.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `np.linalg.lstsq(columns, np.ones(len(rows)), rcond=None)[0]`. The columns differ by many powers of ten; scale each by its norm, and the answer back.
# </details>


# %% fit tags=["solution"]
def fit(rows):
    ### BEGIN SOLUTION
    columns = np.array([[row["ops"] / row["seconds"], row["bytes"] / row["seconds"]] for row in rows])
    scale = np.linalg.norm(columns, axis=0)
    a, b = np.linalg.lstsq(columns / scale, np.ones(len(rows)), rcond=None)[0] / scale
    return float(a), float(b)
    ### END SOLUTION


def crossover(a, b, bytes_per_element):
    ### BEGIN SOLUTION
    return a / (b * bytes_per_element)
    ### END SOLUTION


# %% test_fit tags=["test", "core"] points=5 hours=0.5 covers=["ml_systems", "lo2", "lo3"]
def recovers(a, b):
    """Rows of a machine with these two numbers, each up to 8% wrong; the fit must find them within 5%."""
    rows = []
    for size, ops in itertools.product(range(1, 25), (1, 2, 4, 8, 16, 32)):
        noise = 1 + 0.08 * float(check.rng.uniform(1, low=-1.0))
        rows.append({"ops": ops, "bytes": 8 * ops * 2**size, "seconds": (a * ops + b * 8 * ops * 2**size) * noise})
    got_a, got_b = fit(rows)
    found = torch.tensor([float(got_a) / a, float(got_b) / b])
    check.close(found, torch.ones(2), rtol=0.025, name="(a, b) over the true ones")


recovers(3e-6, 1 / 20e9)
where = float(crossover(5e-6, 1 / 4.0e12, 8))
check.close(torch.tensor(where), torch.tensor(2.5e6), name="crossover(5e-6, 1 / 4e12, 8)")
### BEGIN HIDDEN TESTS
for _ in range(7):
    recovers(1e-6 * 2 ** check.rng.choice(0, 6), 1e-11 * 2 ** check.rng.choice(0, 5))
where = float(crossover(3e-6, 2e-11, 12))
check.close(torch.tensor(where), torch.tensor(12500.0), name="crossover(3e-6, 2e-11, 12)")
### END HIDDEN TESTS

# %% [markdown]
# ### Predict, then measure
#
# Fit the model to the **small and the large** rows only, and lock the crossover of `torch.add(x, y)` in float32 (8 bytes read and 4 written for an element). The next cell measures the size at which a call really takes twice the overhead. (The first prediction stays; delete `predictions.json` to start over.)

# %% lock_crossover
a, b = fit([row for row in rows if row["bytes"] <= 2**12 or row["bytes"] >= 2**23])
predicted = check.lock("elements at which bytes take as long as the call", crossover(a, b, 12))
print(f"a = {1e6 * a:.2f} µs a call, 1 / b = {1e-9 / b:.1f} GB/s")

# %% look_crossover
measured = None
for elements in [2**exponent for exponent in range(8, 23)]:
    x, y, z = torch.ones(3, elements)
    repeats = max(10, min(4000, 2**24 // elements))
    seconds = microseconds(lambda x=x, y=y, z=z: torch.add(x, y, out=z), repeats) / 1e6
    if measured is None and seconds >= 2 * a:
        measured = elements
print(f"You predicted {predicted:,.0f} elements; a call takes twice the overhead from about {measured:,} on.")
h200 = crossover(5e-6, 1 / 4.2e12, 12)
print(f"With 5 µs a call (an assumption) and 4.2 TB/s (a copy on an H200, lab06): {h200:,.0f} elements.")

# %% [markdown]
# ### Diagnose from counters
#
# Nobody reads a slow model line by line. One counts. `counters` runs a program and counts calls, bytes that they read and write, bytes that are mere copies, and numbers that Python asked for.


# %% counters tags=["setup"]
COPIES = ("aten.clone.default", "aten._to_copy.default", "aten.copy_.default")
VIEWS = {"permute", "view", "expand", "slice", "select", "unsqueeze", "transpose", "t", "detach", "_unsafe_view"}


class Counter(TorchDispatchMode):
    """Counts what a program calls and moves; views cost nothing."""

    def __init__(self):
        super().__init__()
        self.counts = {"ops": 0, "bytes": 0, "copied_bytes": 0, "reads": 0}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        tensors = [t for t in (*args, result) if isinstance(t, torch.Tensor)]
        tensors += [t for a in args if isinstance(a, list) for t in a if isinstance(t, torch.Tensor)]
        moved = sum(t.nbytes for t in tensors)
        name = str(func)
        if name == "aten._local_scalar_dense.default":
            self.counts["reads"] += 1
        elif name.split(".")[1] not in VIEWS:
            self.counts["ops"] += 1
            self.counts["bytes"] += moved
            self.counts["copied_bytes"] += moved if name in COPIES else 0
        return result


def counters(program, *inputs):
    with Counter() as counter:
        program(*inputs)
    return counter.counts


# %% look_counters
A = Program("def program(x):\n    for _ in range(50):\n        x = x * 0.9 + 1\n    return x")
B = Program("def program(x):\n    for _ in range(20):\n        x = x.T.contiguous()\n    return x * 2")
C = Program("def program(x):\n    for _ in range(20):\n        x = x / x.max().item()\n    return x")
cases = {
    "A": (A, torch.ones(8, 8)),
    "B": (B, torch.ones(2000, 1000)),
    "C": (C, torch.ones(2000, 1000)),
    "D": (A, torch.ones(2000, 1000)),
}
table = {name: counters(*case) for name, case in cases.items()}
print(" " * 14, *(f"{name:>12}" for name in table))
for counter in table["A"]:
    print(f"{counter:14}", *(f"{table[name][counter]:12,}" for name in table))

# %% [markdown]
# **Your task.** `diagnose(counts, a, b)` gets such a dict and the two numbers of a machine. It returns
# * `"waits"`: Python asked for at least one number;
# * `"copies"`: more than half of the bytes are copies;
# * `"calls"`: by the model, the calls take more time than the bytes;
# * `"healthy"`: none of these.
#
# Each program has at most one of these faults. The machines differ: what is short of work on an H200 may keep a laptop busy.
#
# <details><summary>Hint 1: which ratios?</summary>
#
# Copies are compared with bytes, calls with bytes in seconds. Neither needs a threshold of your own.
# </details>
# <details><summary>Hint 2: try it</summary>
#
# A has 100 calls and 51 kB. With a = 5 µs and b = 1 / 4.2 TB/s, what are the two terms?
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `a * counts["ops"] > b * counts["bytes"]`
# </details>


# %% diagnose tags=["solution"]
def diagnose(counts, a, b):
    ### BEGIN SOLUTION
    if counts["reads"]:
        return "waits"
    if 2 * counts["copied_bytes"] > counts["bytes"]:
        return "copies"
    return "calls" if a * counts["ops"] > b * counts["bytes"] else "healthy"
    ### END SOLUTION


# %% test_diagnose tags=["test", "core"] points=5 hours=0.5 covers=["ml_systems", "lo1"]
def text_of(step, times, last="x"):
    return Program(f"def program(x):\n    for _ in range({times}):\n        x = {step}\n    return {last}")


laptop, h200 = (3e-6, 1 / 20e9), (5e-6, 1 / 4.2e12)
small, large = check.rng.uniform(8, 8).cpu(), check.rng.uniform(700, 500).cpu()
seen = [
    diagnose(counters(text_of("x * 0.9 + 1", 50), small), *laptop),
    diagnose(counters(text_of("x.T.contiguous()", 20, "x * 2"), large), *laptop),
    diagnose(counters(text_of("x / x.max().item()", 20), large), *laptop),
    diagnose(counters(text_of("x * 0.9 + 1", 50), large), *laptop),
]
check.equal(seen, ["calls", "copies", "waits", "healthy"], name="your diagnoses of A, B, C, D")
### BEGIN HIDDEN TESTS
middle = check.rng.uniform(200, 300).cpu()
mixed = text_of("x.T.contiguous() * 2 + 1", 6, "x.sum(0)")
hidden = [
    ("healthy", text_of("x * 0.9 + 1", 200), large, laptop),
    ("calls", text_of("x * 0.9 + 1", 200), large, h200),
    ("calls", text_of("x + 1", 1), small, laptop),
    ("healthy", text_of("x + 1", 3), middle, laptop),
    ("calls", text_of("x + 1", 3), middle, h200),
    ("waits", text_of("x * 2", 2, "x + x.sum().item()"), large, laptop),
    ("copies", text_of("x.clone()", 9, "x + 1"), large, laptop),
    ("healthy", mixed, large, laptop),
]
for expected, program, x, machine in hidden:
    check.equal(diagnose(counters(program, x), *machine), expected, name=f"the diagnosis of {program.text!r}")
### END HIDDEN TESTS

# %% [markdown]
# ## 6 · One function, four languages
#
# Here is a softmax after a matrix product, written once and captured by three frameworks:
#
# | language | who writes it | what for |
# |---|---|---|
# | ATen graph | `torch.export` | PyTorch's own compilers |
# | GraphDef | `tf.function` | TensorFlow's runtime |
# | jaxpr | `jax.make_jaxpr` | JAX's transformations: gradients, batching |
# | StableHLO | JAX, TensorFlow | exchange: any compiler may read it |
# | HLO | XLA | one machine, after optimisation |
#
# `assets/captures.json` holds what they made of it. With `pip install .[compilers]` and `pip install .[tf]` the cell captures live, in about 10 s (tried with JAX 0.10.2 and TensorFlow 2.21.0 on Linux: the same as stored). Choose another function by its name.

# %% captures tags=["setup"]
CAPTURES = json.loads(Path("assets/captures.json").read_text(encoding="utf-8"))

# %% look_captures
import runpy

which = "softmax"  # or "layer", "gated", "normed", "twins"
tools = runpy.run_path("assets/capture.py")
captured = dict(CAPTURES["functions"][which])
for ir in ("tensorflow", "jaxpr", "stablehlo", "hlo"):
    try:
        captured[ir] = tools["CAPTURE"][ir](tools["FUNCTIONS"][which])
        source = "live"
    except ImportError:
        source = f"stored, {CAPTURES['versions'][ir]}"
    if ir != "hlo":
        lines = [line.split(" : ")[0][:100] for line in captured[ir]["text"].strip().splitlines()]  # without long types
        print(f"--- {ir} ({source})", *lines, "", sep="\n")
steps = [line.replace("torch.ops.", "") for line in captured["aten"]["text"].splitlines() if "call_function" in line]
print(f"--- aten (stored, {CAPTURES['versions']['aten']})", *(s.replace(", kwargs = {}", "") for s in steps), sep="\n")

# %% [markdown]
# The same six steps stand in all of them, between **bookkeeping**: parameters, constants, broadcasts, identities. JAX writes every broadcast down; PyTorch and TensorFlow leave it to the operation. What a compiler must see is not the text but the **data flow**.
#
# As nodes, all four look alike: `{"name": …, "op": …, "inputs": […], "shape": […]}`. An input is the name of a node, or a constant as text.

# %% look_nodes
for ir in ("aten", "tensorflow", "jaxpr", "stablehlo"):
    line = [f"{node['name']} = {node['op']}({', '.join(node['inputs'])})" for node in captured[ir]["nodes"]]
    print(f"{ir:10}", *line[4:7], sep="\n    ")

# %% [markdown]
# **Your task.** `match(left, right)` gets the nodes of one function in any two of these four languages. It returns a dict: for each node of `left` that **computes** (matrix product, +, −, ×, ÷, tanh, exp, rsqrt, maximum or sum along rows) its name → the name of the node of `right` that computes the same.
# * Names say nothing: they are changed. The order says little: only that inputs come before their use, and parameters in the function's order.
# * The operands of + and × may be swapped; those of − and ÷ never are.
# * No node computes what another one of its list does.
#
# You need one table: what each language calls each operation. Read it off the captures (all five functions).
#
# <details><summary>Hint 1: what makes two nodes the same?</summary>
#
# The same operation, on the same operands. And the operands are the same if …
# </details>
# <details><summary>Hint 2: numbers for values</summary>
#
# Give each distinct value a number: parameters by their position, a node by (operation, numbers of its operands). One dict for both sides, and equal values get equal numbers. Compilers call this *value numbering*; lab05 removes repeated work with it.
# </details>
# <details><summary>Hint 3: bookkeeping</summary>
#
# A broadcast or an identity has the number of its input. A constant has none, and drops out of the operands.
# </details>


# %% match tags=["solution"]
def operations():
    """What each of the four languages calls an operation: a dict from their words to one of your own."""
    ### BEGIN SOLUTION
    same = """
        matmul aten.mm.default MatMul dot_general stablehlo.dot_general
        add aten.add.Tensor AddV2 add stablehlo.add
        sub aten.sub.Tensor Sub sub stablehlo.subtract
        mul aten.mul.Tensor Mul mul stablehlo.multiply
        div aten.div.Tensor RealDiv div stablehlo.divide
        tanh aten.tanh.default Tanh tanh stablehlo.tanh
        exp aten.exp.default Exp exp stablehlo.exponential
        rsqrt aten.rsqrt.default Rsqrt rsqrt stablehlo.rsqrt
        max aten.amax.default Max reduce_max stablehlo.reduce:stablehlo.maximum
        sum aten.sum.dim_IntList Sum reduce_sum stablehlo.reduce:stablehlo.add
    """
    rows = [line.split() for line in same.strip().splitlines()]
    return {word.replace(":", " "): ours for ours, *words in rows for word in words}
    ### END SOLUTION


def computing(nodes, numbers):
    """The names of the nodes that compute, by the number of their value."""
    ### BEGIN SOLUTION
    called, value, found = operations(), {}, {}
    for node in nodes:
        operands = [value[name] for name in node["inputs"] if name in value]
        operation = called.get(node["op"])
        if node["op"] in ("placeholder", "Placeholder", "parameter", "argument"):
            value[node["name"]] = -1 - len(value)
        elif operation:
            operands = sorted(operands) if operation in ("add", "mul") else operands
            number = numbers.setdefault((operation, *operands), len(numbers))
            value[node["name"]] = number
            found[number] = node["name"]
        elif operands:
            value[node["name"]] = operands[0]
    return found
    ### END SOLUTION


def match(left, right):
    ### BEGIN SOLUTION
    numbers = {}
    left, right = computing(left, numbers), computing(right, numbers)
    return {name: right[number] for number, name in left.items()}
    ### END SOLUTION


# %% test_match tags=["test", "core"] points=15 hours=1.5 covers=["ml_systems", "graphs", "lo2"]
LANGUAGES = ("aten", "tensorflow", "jaxpr", "stablehlo")
softmax = {ir: CAPTURES["functions"]["softmax"][ir]["nodes"] for ir in LANGUAGES}
steps = {"mm": "MatMul", "amax": "Max", "sub": "sub", "exp": "Exp", "sum_1": "Sum", "div": "truediv"}
check.equal(match(softmax["aten"], softmax["tensorflow"]), steps, name="match of softmax in ATen and TensorFlow")
steps = {"v4": "%0", "v5": "%1", "v7": "%4", "v8": "%5", "v9": "%6", "v11": "%9"}
check.equal(match(softmax["jaxpr"], softmax["stablehlo"]), steps, name="match of softmax in jaxpr and StableHLO")
### BEGIN HIDDEN TESTS
QUIET = ("placeholder", "Placeholder", "parameter", "argument", "Const", "Identity", "broadcast_in_dim")


def disguised(nodes):
    """The nodes with other names, in another order, some sums and products swapped; and its computing nodes in the old order."""
    names = {node["name"]: f"n{check.rng.choice(10**6, 10**9)}" for node in nodes}
    fresh = [{**n, "name": names[n["name"]], "inputs": [names.get(i, i) for i in n["inputs"]]} for n in nodes]
    steps = [n["name"] for n in fresh if not n["op"].removeprefix("stablehlo.").endswith((*QUIET, "constant"))]
    for n in fresh:
        if n["op"].lower().removeprefix("aten.").removeprefix("stablehlo.").split(".")[0] in (
            "add",
            "addv2",
            "mul",
            "multiply",
        ):
            n["inputs"] = n["inputs"][::-1] if check.rng.choice(0, 2) else n["inputs"]
    placed, waiting = fresh[:4], fresh[4:]
    while waiting:
        known, here = {n["name"] for n in placed}, {n["name"] for n in fresh}
        ready = [n for n in waiting if all(i in known or i not in here for i in n["inputs"])]
        node = ready[check.rng.choice(0, len(ready))]
        placed.append(node)
        waiting.remove(node)
    return placed, steps


def crossed(ops):
    """(x·w − x·v) ÷ ((x·v − x·w) × x·w), in the words of one language."""
    parameter, matmul, sub, mul, div = ops
    rows = [("p", parameter, []), ("q", parameter, []), ("r", parameter, []), ("s", parameter, [])]
    rows += [("h", matmul, ["p", "q"]), ("u", matmul, ["p", "r"]), ("d", sub, ["h", "u"]), ("e", sub, ["u", "h"])]
    rows += [("m", mul, ["e", "h"]), ("o", div, ["d", "m"])]
    return [{"name": name, "op": op, "inputs": inputs, "shape": [4, 3]} for name, op, inputs in rows]


words = {
    "aten": ("placeholder", "aten.mm.default", "aten.sub.Tensor", "aten.mul.Tensor", "aten.div.Tensor"),
    "tensorflow": ("Placeholder", "MatMul", "Sub", "Mul", "RealDiv"),
    "jaxpr": ("parameter", "dot_general", "sub", "mul", "div"),
    "stablehlo": ("argument", "stablehlo.dot_general", "stablehlo.subtract", "stablehlo.multiply", "stablehlo.divide"),
}
functions = [{ir: captured[ir]["nodes"] for ir in LANGUAGES} for captured in CAPTURES["functions"].values()]
functions.append({ir: crossed(words[ir]) for ir in LANGUAGES})
for function, (one, other) in itertools.product(functions, itertools.permutations(LANGUAGES, 2)):
    (left, left_steps), (right, right_steps) = disguised(function[one]), disguised(function[other])
    expected = dict(zip(left_steps, right_steps, strict=True))
    got = match(left, right)
    check.equal(dict(sorted(got.items())), dict(sorted(expected.items())), name=f"match from {one} to {other}")
### END HIDDEN TESTS

# %% [markdown]
# ### What the compiler leaves of it
#
# The fifth language is XLA's HLO, after optimisation for a CPU. About one line is one call now, and a **fusion** holds several operations.

# %% look_hlo
eager = [n for n in CAPTURES["functions"]["normed"]["aten"]["nodes"] if n["op"] != "placeholder"]
compiled = [n for n in CAPTURES["functions"]["normed"]["hlo"]["nodes"] if n["op"] not in ("parameter", "constant")]
normed_calls = {"eager": len(eager), "XLA": len(compiled)}
print(f"normed: {normed_calls['eager']} calls in eager PyTorch, {normed_calls['XLA']} after XLA:")
for node in compiled:
    print(f"  {node['name']:28}", " + ".join(node.get("parts", [node["op"]])))

# %% [markdown]
# Look closely: `add` and `subtract` stand in more than one fusion. XLA computes them **again** rather than store a matrix and load it back. Arithmetic is cheap, trips are not, and calls are not either.
#
# ## 7 · Eager, traced, staged (stretch)
#
# Three ways to run the same lines. **Eager**: Python calls each operation; a result lives as long as a Python variable holds it. **Traced**: the calls are written down once (exercise 4). **Staged**: from then on the graph runs, without Python; it knows the last use of each result, and lets go of it there.
#
# **Your task.** A program is a list of lines `(target, operands, nbytes)`: `target = operation(*operands)`, whose result has `nbytes`. Operands are earlier targets or arguments; arguments are not counted. A target may be assigned again. The last line's result is returned.
# * `eager_peak(lines)`: the most bytes held at once if each **variable** holds its result until it is assigned again (at that moment old and new exist both) or the function returns.
# * `staged_peak(lines)`: the most bytes if each **result** is held from its line to the last line that uses it (during that line it is still held). One that nobody uses is held during its own line. The returned one stays.
# * `traces(calls)`: how often the program is traced. A call is a list of arguments: `("tensor", shape, dtype)`, or a Python number. A new trace is needed for each new combination of shapes and dtypes, and of numbers by **type and value** (numbers are baked into the graph: `2` and `2.0` give different dtypes, `True` and `1` different branches).
#
# <details><summary>Hint 1: eager</summary>
#
# A dict from variable to bytes. Add first, look, then let go of the old.
# </details>
# <details><summary>Hint 2: staged</summary>
#
# Give every line its own number: an operand means the *latest* line with that target.
# </details>
# <details><summary>Hint 3: traces</summary>
#
# In Python `2 == 2.0 == True + 1`, and equal keys are one key. Put the type beside the value.
# </details>


# %% peaks tags=["solution"]
def eager_peak(lines):
    ### BEGIN SOLUTION
    held, peak = {}, 0
    for target, _, nbytes in lines:
        peak = max(peak, sum(held.values()) + nbytes)
        held[target] = nbytes
    return peak
    ### END SOLUTION


def staged_peak(lines):
    ### BEGIN SOLUTION
    latest, last = {}, list(range(len(lines)))
    for number, (target, operands, _) in enumerate(lines):
        for operand in operands:
            if operand in latest:
                last[latest[operand]] = number
        latest[target] = number
    last[-1] = len(lines)
    held = (sum(lines[i][2] for i in range(now + 1) if last[i] >= now) for now in range(len(lines)))
    return max(held)
    ### END SOLUTION


def traces(calls):
    ### BEGIN SOLUTION
    return len({tuple(a if isinstance(a, tuple) else (type(a), a) for a in call) for call in calls})
    ### END SOLUTION


# %% live_bytes tags=["setup"]
from torch.multiprocessing.reductions import StorageWeakRef


class LiveBytes(TorchDispatchMode):
    """The most bytes that results of torch operations hold at once, as it really happens."""

    def __init__(self):
        super().__init__()
        self.storages, self.peak = {}, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        storage = result.untyped_storage()
        self.storages = {key: one for key, one in self.storages.items() if not one[0].expired()}
        self.storages[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self.peak = max(self.peak, sum(nbytes for _, nbytes in self.storages.values()))
        return result


# %% test_peaks tags=["test", "stretch"] points=10 hours=1.0 covers=["graphs", "lo3"]
def measured(lines, argument):
    """Run the lines with real tensors: what eager Python holds, and what the graph needs."""
    body = [f"    {target} = torch.cat([{', '.join(operands)}]).sin_()" for target, operands, _ in lines]
    program = Program("\n".join(["def program(x):", *body, f"    return {lines[-1][0]}"]))
    with LiveBytes() as live:
        program(argument)
    return live.peak, check.observe(program, argument).peak_bytes


def written(steps):
    """Lines with their sizes: each result is as long as its operands together; x has 16 bytes."""
    sizes, lines = {"x": 16}, []
    for target, operands in steps:
        nbytes = sum(sizes[o] for o in operands)
        sizes[target] = nbytes
        lines.append((target, operands, nbytes))
    return lines


chain = written([("a", ["x"]), ("b", ["a"]), ("c", ["b", "b"]), ("a", ["b"]), ("d", ["a", "x"])])
eager, staged = measured(chain, check.rng.normal(4).cpu())
check.equal(eager_peak(chain), eager, name="eager_peak(chain)")
check.equal(staged_peak(chain), staged, name="staged_peak(chain)")
T = ("tensor", (2, 3), "float32")
check.equal(traces([[T, 2], [T, 2], [T, 3], [("tensor", (4, 3), "float32"), 2]]), 3, name="the traces of 4 calls")
### BEGIN HIDDEN TESTS
programs = [
    [("a", ["x"])],
    [("x", ["x"]), ("x", ["x", "x"]), ("x", ["x"])],
    [("a", ["x", "x", "x"]), ("b", ["x"]), ("c", ["b"])],
]
for _ in range(6):
    steps, names = [], ["x"]
    for _ in range(9):
        target = "abcd"[check.rng.choice(0, 4)]
        steps.append((target, [names[check.rng.choice(0, len(names))] for _ in range(check.rng.choice(1, 3))]))
        names += [target] if target not in names else []
    programs.append(steps)
for steps in programs:
    lines = written(steps)
    eager, staged = measured(lines, check.rng.normal(4).cpu())
    check.equal(eager_peak(lines), eager, name=f"eager_peak({lines})")
    check.equal(staged_peak(lines), staged, name=f"staged_peak({lines})")
U, V = ("tensor", (2, 3), "float16"), ("tensor", (3, 2), "float32")
calls = [[T, 1], [T, 1.0], [T, True], [U, 1], [V, 1], [T, T], [T, U], [U, T], [T, 1], [V, 1], [T, U]]
check.equal(traces(calls), 8, name="the traces of 11 calls")
### END HIDDEN TESTS

# %% [markdown]
# ## Measure and explain
#
# You predicted a crossover from a straight line and then measured it. Here is the same idea on a whole function: `normed` from exercise 6, eager, in two sizes. The cell takes about a second.

# %% look_whole
maths = tools["torch_maths"]()
normed = tools["FUNCTIONS"]["normed"]
for batch in (4, 4096):
    x, w, v, bias = torch.randn(batch, 64), torch.randn(64, 64), torch.randn(64, 64), torch.randn(64)
    counts = counters(lambda x, w, v, bias: normed(maths, x, w, v, bias), x, w, v, bias)
    took = microseconds(lambda x=x, w=w, v=v, bias=bias: normed(maths, x, w, v, bias), 200)
    calls_us, bytes_us = 1e6 * a * counts["ops"], 1e6 * b * counts["bytes"]
    print(f"batch {batch}: {counts['ops']} calls, {counts['bytes']:,} bytes")
    print(f"    model {calls_us:.1f} µs for calls + {bytes_us:.1f} µs for bytes; measured {took:.1f} µs")

# %% [markdown]
# **Explain** (in at most 200 words, in the cell below; use your own numbers).
# 1. Compare your predicted crossover with the measured one. Which assumption of t = a · ops + b · bytes does your machine break? Think of where 200 kB lie, and where 50 MB do.
# 2. XLA turns the 8 calls of `normed` into 4, and computes some operations twice or three times. Which term of the model shrinks at batch 4, which at batch 4096? Why does the repeated work not show?
# 3. Put `if h.sum() > 0:` into `normed`. What happens to the capture, and what to the time on a GPU? Name a rewriting that avoids it, and its price.

# %% explain_cost [markdown] tags=["manual", "core"] points=10 hours=0.5 covers=["ml_systems", "lo2", "lo3"]
# ### BEGIN SOLUTION
# 1. The line was fitted to the smallest calls and to those that move 12 MB or more: a = 1.3 µs, 1 / b = 22 GB/s. It predicts 2 400 elements; measured, a call takes twice the overhead at about 16 000. Three arrays of 16 000 elements are
#    0.2 MB and lie in the L2 cache: 0.2 MB in the 1.9 µs beyond the overhead are 105 GB/s, five times what b says. So b is no constant: each level of the hierarchy has its own.
# 2. At batch 4 the calls dominate: a · ops shrinks from 8a to 4a, and bytes hardly matter. At batch 4096 bytes dominate: intermediate matrices are no longer stored and loaded, so b · bytes shrinks.
#    Adding and subtracting again costs arithmetic only, some operations a loaded number, and a core or a GPU can do many more than that while a byte is on its way.
# 3. The capture records `_local_scalar_dense` and holds one branch, right only under its guard; `torch.compile` breaks the graph there. On a GPU Python waits for the device before it can go on, so calls are no longer hidden behind work, and nothing
#    is fused across the break. `torch.where` computes both branches and keeps one graph; its price is the work and the memory of the branch that is not needed.
# ### END SOLUTION

# %% rubric_explain_cost [markdown] tags=["rubric"]
# **10 points.**
# * 3: names caches (bandwidth depends on size), with the two numbers (1 for "noise" or "overheads" without a size-dependent cause; a machine where both agree: 3 for saying why its caches make no difference there).
# * 4: calls at batch 4 and bytes at batch 4096 (1 each); repeated arithmetic is hidden because moving a byte takes longer than the operations on it (2).
# * 3: one branch under a guard, or a graph break (1); the wait for the device, or fusion lost (1); `torch.where` or the like **with its price** (1).
# * Claims without a number earn at most half.

# %% record_figures
from lablib.ledger import record

# Your figures are kept in labs/ledger.json: lab18 fills the tables of its claims and its essay from there.
record("lab01_frameworks", {
    "add_call_us": lambda: plain,
    "crossover_elements": lambda: predicted,
    "normed_eager_calls": lambda: normed_calls["eager"],
    "normed_xla_calls": lambda: normed_calls["XLA"],
})  # fmt: skip

# %% [markdown]
# ## What to take along
#
# * A view is a shape, strides and an offset. A reshape is free exactly when strides can say it.
# * A backward pass walks the tape once, and skips what nobody asked for.
# * One name, many functions: the order of the keys is the meaning.
# * A captured graph is right under its guards, and for nothing else.
# * Count calls and bytes, then ask which of them takes the time.
#
# **Next:** lab05 optimises captured graphs. lab06 writes the kernels that delete trips to memory. lab14 puts the tape's memory to use.
#
# **Sources**
# * Paszke and others: *PyTorch: an imperative style, high-performance deep learning library*, NeurIPS 2019. Yang: *Let's talk about the PyTorch dispatcher*, 2020.
# * Griewank, Walther: *Evaluating derivatives*, SIAM 2008. The tape, and why a gradient costs a small multiple of the function.
# * Ansel and others: *PyTorch 2: faster machine learning through dynamic Python bytecode transformation and graph compilation*, ASPLOS 2024. Guards and graph breaks.
# * Abadi and others: *TensorFlow: a system for large-scale machine learning*, OSDI 2016. Frostig, Johnson, Leary: *Compiling machine learning programs via high-level tracing*, SysML 2018. jaxpr.
# * OpenXLA: *StableHLO specification*. NVIDIA: *H200 datasheet*.
