# %% [markdown]
# # Lab 17 · Machines that come and go
#
# Meta trained Llama 3 405B on 16,384 GPUs. In 54 days, the run was interrupted **419 times** by something that nobody had planned: one interruption every three hours (arXiv:2407.21783, section 3.3.4). Each machine is good; there are just many. At such a scale a failure is no
# accident, it is part of the load, and software decides how much of the time it costs.
#
# **After it you can**
# 1. write checkpoints that survive a kill at any byte, and detect those that did not;
# 2. say how often to write them, and what share of the time is left for work;
# 3. hand out data to workers that come and go, so that nothing is lost and nothing counts twice;
# 4. batch requests of a language model step by step, with a KV cache in pages: the same tokens in less than half the steps;
# 5. rent as few machines as a service level allows, and say what a million tokens cost.
#
# | | |
# |---|---|
# | Time | about 11 hours: core 10.5 h, stretch 0.5 h (the diagnosis in 2) |
# | Needs | lab00; for exercises 4 and 5 the KV cache of lab03 |
# | Machine | any CPU. Cells that take more than 5 s say so. No network leaves the machine |
# | Grading | time is simulated, disks are simulated, nothing reads a clock. About 10 core-seconds |
# | Points | 100 |
#
# Where your answers run in grading, `lablib.cloud.fleet` and `lablib.kernels.paged_attention` are absent: they hold what exercises 2 and 5 ask for.

# %% setup tags=["setup"] withhold=["lablib.cloud.fleet", "lablib.kernels.paged_attention"]
import lablib

lablib.require("0.1")

from lablib import device  # isort: skip  (before triton: it decides whether kernels are interpreted)

import hashlib
import json
import math
import uuid

import numpy as np
import torch

from lablib import check, viz
from lablib.data.austen import austen
from lablib.models.gpt import GPT, generate
from lablib.models.weights import load

device.seed(0)

# %% [markdown]
# ## 1 · A checkpoint that survives
#
# A checkpoint is what the run goes back to when a machine dies. So there is one question: **what stands on the disk if the power goes right now?** Less than you think. Watch a disk that remembers every request:

# %% look_disk
from lablib.cloud.disk import Disk


def draw(low, high):
    """A whole number from low up to, but without, high."""
    return check.rng.choice(low, high)


disk = Disk({"state": b"old old old"})
disk.do("write", "new", b"NEW NEW NEW")
disk.do("rename", "new", "state")
print("what a program sees:     ", disk.files())
seen = {str(disk.after_power_loss(requests=2, inside=0, draw=draw)) for _ in range(60)}
for files in sorted(seen)[:7]:
    print("after a loss of power:   ", files)
print(f"... {len(seen)} in all")

# %% [markdown]
# `write` puts bytes into memory; the disk gets them when it pleases. A **name** reaches the disk apart from its **data**, so a file can be renamed, and empty. There are two promises, and you must ask for them:
#
# * `flush name` returns when the file's data are on the disk (`fsync`);
# * `flush folder` returns when all names are: files created, renamed, removed before it. Names reach the disk in order, so after a loss of power the folder is as it was at *some* moment since the last `flush folder`.
#
# A **kill** of the process (`kill -9`, or the kernel out of memory) is kinder: the machine lives on, so what was written stays. But the last write may have stopped at any byte.
#
# Three ideas make a checkpoint safe:
# 1. **Never touch the last good one** before the new one is whole.
# 2. **One small write decides.** Write the shards, flush them, and only then the **manifest**: a file that says which step this is, which files belong to it, and what their checksums are. No manifest, no checkpoint.
# 3. **Trust nothing you read.** Disks return wrong bytes, too. A checksum (`hashlib.sha256`) tells. It must cover the manifest as well.
#
# A large model is **sharded**: each of `world` ranks holds, and writes, an equal part. And the write is **asynchronous**: a rank stops training only to copy its part in memory, and a thread writes the copy while training goes on.
# If that "copy" is a view, the thread writes numbers that training is changing.
#
# **Your task.** Three functions in one cell. The disk is a function: `disk("write", name, data)`, `disk("flush", name)`, `disk("rename", old, new)` (replaces `new`), `disk("remove", name)`, `disk("flush folder")`,
# `disk("names")` (a sorted list), `disk("read", name)`. Names are yours to choose; data are `bytes`.
#
# * `snapshot(tensors, rank, world)`: all elements of `tensors` (float32, contiguous), one after the other, cut into `world` parts of ⌈n / world⌉. Return part `rank`, 1-D float32, filled up with zeros at the end. It allocates **the bytes
#   of one part**, no more: joining all tensors first is what a rank has no memory for. It shares no memory with them.
# * `save(disk, step, shards)`: `shards` is a list of `bytes`. When it returns, the checkpoint survives a loss of power. While it runs, the checkpoints before it do. Afterwards the disk holds **this checkpoint and the newest one of an earlier step, nothing else**.
#   The bytes of each shard stand in one file as they are. (Manifests together: at most 2000 bytes a checkpoint.)
# * `restore(files)`: `files` is a dict from name to `bytes`, whatever a crash left. Return `(step, shards)` of the checkpoint of the highest step that is whole, or None. A torn file, a changed byte or a shard of another step must not get through.
#   It raises nothing.
#
# <details><summary>Hint 1: the order</summary>Which must be on the disk first: the data, or the name that says that the data are there? After which flush may you remove something?</details>
# <details><summary>Hint 2: snapshot</summary><code>torch.zeros(size)</code>, then for each tensor copy the elements between the part's first and last. Where does the tensor begin, and where does the part?</details>
# <details><summary>Hint 3: nearly there</summary>write and flush each shard → write the manifest under another name, flush it → flush folder → rename → flush folder → remove the rest. A manifest may be one line of a checksum and one line of JSON.</details>


# %% save tags=["solution"]
def snapshot(tensors, rank, world):
    ### BEGIN SOLUTION
    size = -(-sum(t.numel() for t in tensors) // world)
    part, start = torch.zeros(size), rank * size
    begin = 0  # of this tensor, among all elements
    for t in tensors:
        low, high = max(begin, start), min(begin + t.numel(), start + size)
        if low < high:
            part[low - start : high - start] = t.view(-1)[low - begin : high - begin]
        begin += t.numel()
    return part
    ### END SOLUTION


def save(disk, step, shards):
    ### BEGIN SOLUTION
    entries = [[f"{step:09d}.{rank}", hashlib.sha256(data).hexdigest()] for rank, data in enumerate(shards)]
    for (name, _), data in zip(entries, shards, strict=True):
        disk("write", name, data)
        disk("flush", name)
    body = json.dumps([step, entries])
    text = f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}"
    disk("write", "new", text.encode())
    disk("flush", "new")
    disk("flush folder")
    disk("rename", "new", f"{step:09d}.manifest")
    disk("flush folder")
    names = disk("names")
    manifests = [name.split(".")[0] for name in names if name.endswith(".manifest")]
    kept = sorted(number for number in manifests if int(number) <= step)[-2:]
    for name in names:
        if name.split(".")[0] not in kept:
            disk("remove", name)
    ### END SOLUTION


def restore(files):
    ### BEGIN SOLUTION
    for name in sorted((name for name in files if name.endswith(".manifest")), reverse=True):
        digest, _, body = files[name].partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            continue
        step, entries = json.loads(body)
        shards = [files.get(shard, b"") for shard, _ in entries]
        if all(hashlib.sha256(data).hexdigest() == wanted for data, (_, wanted) in zip(shards, entries, strict=True)):
            return step, shards
    return None
    ### END SOLUTION


# %% test_save tags=["test", "core"] points=18 hours=2.5 covers=["cloud", "scalability", "lo1"]
from lablib.cloud.disk import Disk


def random_shards(world, size):
    return [bytes(check.rng.integers(0, 256, size).tolist()) for _ in range(world)]


def saved_disk(steps, world, size, files=None):
    """A disk after some saves, and what was saved, by step."""
    disk, truth = Disk(files), {}
    for step in steps:
        truth[step] = random_shards(world, size)
        save(disk.do, step, truth[step])
    return disk, truth


def crashed(disk, first):
    """Files after a crash at a random place from request `first` on: a kill, or a loss of power."""
    request = check.rng.choice(first, len(disk.log) + 1)
    written = request < len(disk.log) and disk.log[request][0] == "write"
    inside = check.rng.choice(0, len(disk.log[request][2]) + 1) if written else 0
    if check.rng.choice(0, 3) == 0:
        return disk.after_kill(request, inside)
    return disk.after_power_loss(request, inside, check.rng.choice)


def judge_crashes(kills, world, size):
    before, truth = saved_disk([100, 200], world, size)
    disk, new = saved_disk([300], world, size, before.files())
    truth |= new
    for _ in range(kills):
        found = restore(crashed(disk, 0))
        step, shards = found or (0, None)
        assert shards is not None and shards == truth.get(step) and step in (200, 300), (
            f"after a crash while step 300 is saved, restore gives step {step} or wrong bytes; 200 was whole before."
        )
    last = disk.after_power_loss(len(disk.log), 0, check.rng.choice)
    check.equal(restore(last), (300, truth[300]), name="restore after a loss of power when save had returned")


def judge_snapshot(shapes, world):
    tensors = [check.rng.normal(*shape) for shape in shapes]
    joined = torch.cat([t.reshape(-1) for t in tensors])
    size = -(-len(joined) // world)
    joined = torch.nn.functional.pad(joined, (0, size * world - len(joined)))
    for rank in range(world):
        part = check.cost(snapshot, tensors, rank, world, allocated=4 * size)
        check.close(part, joined[rank * size : (rank + 1) * size], rtol=0, name=f"part {rank} of {world}")


judge_snapshot([(3, 5), (7,)], world=2)
disk, truth = saved_disk([10, 20], world=2, size=40)
check.equal(restore(disk.files()), (20, truth[20]), name="restore after two saves")
check.equal(restore({}), None, name="restore of an empty folder")
judge_crashes(kills=40, world=2, size=40)


### BEGIN HIDDEN TESTS
def judge_damage(world, size):
    """A byte of any file changes: never a wrong answer, and one of the two checkpoints is still whole."""
    disk, truth = saved_disk([7, 30], world, size)
    files = disk.files()
    for name in sorted(files):
        place = check.rng.choice(0, len(files[name]))
        bad = bytearray(files[name])
        bad[place] ^= check.rng.choice(1, 256)
        for data in (bytes(bad), files[name][:place], bytes(len(bad))):
            found = restore({**files, name: data})
            assert found is not None and found[1] == truth.get(found[0]), (
                f"one file of one of two checkpoints is damaged; restore gives step {found and found[0]}, or wrong bytes."
            )
    for name in [name for name in files if len(files[name]) < size]:  # manifests, in which a digit may change
        for place in range(len(files[name])):
            bad = bytearray(files[name])
            bad[place] ^= 1
            found = restore({**files, name: bytes(bad)})
            check.equal(found[1], truth.get(found[0]), name=f"shards of step {found[0]}, with a bit changed in {name}")


def judge_mixed(world, size):
    """The file with a shard of step 1 stands under the name of step 2's."""
    disk, truth = saved_disk([1, 2], world, size)
    files, wrong = disk.files(), check.rng.choice(0, world)
    home = {step: [n for n, data in files.items() if truth[step][wrong] in data] for step in (1, 2)}
    for theirs, other in zip(home[2], home[1], strict=True):
        mixed = {**files, theirs: files[other]}
        check.equal(restore(mixed), (1, truth[1]), name="restore when a file of step 1 stands in the place of step 2's")


def judge_space(world, size):
    disk, truth = saved_disk([10, 20, 30, 40], world, size)
    files = disk.files()
    for step in (30, 40):
        for shard in truth[step]:
            assert any(shard in data for data in files.values()), f"a shard of step {step} stands in no file as it is."
    most = 2 * world * size + 4000
    # A crash, a resume from the last good step, and on: what the crash left is in nobody's way.
    for _ in range(12):
        torn, _ = saved_disk([50], world, size, files)
        left = crashed(torn, 0)
        step, _ = restore(left) or (0, None)
        again, _ = saved_disk([step + 5], world, size, left)
        used = sum(map(len, again.files().values()))
        assert used <= most, (
            f"after saves, a crash and a save the disk holds {used} bytes, expected at most {most}: two checkpoints."
        )


for shapes, world in [([(1,), (2, 3), (4, 5, 6)], 7), ([(64,)], 1), ([(5,), (3,)], 8)]:
    judge_snapshot(shapes, world)
judge_crashes(kills=200, world=3, size=300)
judge_crashes(kills=60, world=1, size=5)
judge_damage(world=1, size=3000)
judge_space(world=3, size=3000)
judge_mixed(world=4, size=64)
### END HIDDEN TESTS

# %% [markdown]
# Now a real process and a real `kill -9`. A small training runs in a process of its own: numpy, momentum, a copy every 20 steps, a thread that writes it. It is killed at a random moment, five times; each time a new process goes on from what
# `restore` finds. At the end, its parameters must be those of a run that nobody killed, **bit for bit**. (About 5 s.)


# %% training tags=["setup"]
class Training:
    """A model of 50,000 numbers with momentum, in numpy; each step depends on all before it."""

    def __init__(self, state=None):
        zeros = np.zeros((2, 50_000), np.float32)
        self.state = zeros if state is None else np.frombuffer(b"".join(state), np.float32).reshape(2, -1).copy()

    def step(self, number):
        target = np.random.default_rng(number).standard_normal(self.state.shape[1], np.float32)
        self.state[1] = np.float32(0.9) * self.state[1] + (self.state[0] - target)
        self.state[0] -= np.float32(0.05) * self.state[1]

    def shards(self, world):
        """A copy of the state, cut into parts."""
        return [part.tobytes() for part in np.split(self.state.reshape(-1), world)]


# %% look_kill
import random
import tempfile
import threading

from lablib.cloud.disk import FolderDisk
from lablib.cloud.kills import run_and_kill

LAST = 800


def train_on(folder):
    """Go on from the newest checkpoint that is whole, and train to the last step."""
    disk = FolderDisk(folder)
    step, shards = restore(disk.files()) or (0, None)
    training, writer = Training(shards), threading.Thread(target=int)
    writer.start()
    while step < LAST:
        training.step(step)
        step += 1
        if step % 20 == 0 or step == LAST:
            writer.join()  # one write at a time
            writer = threading.Thread(target=save, args=(disk.do, step, training.shards(4)))
            writer.start()
    writer.join()


undisturbed, survivor = tempfile.mkdtemp(), tempfile.mkdtemp()
train_on(undisturbed)
for _ in range(5):
    was_killed = run_and_kill(lambda: train_on(survivor), after=random.uniform(0.1, 0.5))
    found = restore(FolderDisk(survivor).files())
    print("killed;" if was_killed else "ended; ", f"the last whole checkpoint is of step {found[0] if found else 0}")
train_on(survivor)
same = restore(FolderDisk(undisturbed).files()) == restore(FolderDisk(survivor).files())
print("the same bits as without kills:", same)

# %% [markdown]
# Five kills prove little. `benchmarks/lab17.py` does more than 400 to our solution, half at a random byte of a write and half at a random moment: each run ends with the same bits. Of 2000 simulated crashes while one checkpoint is written, 295 left the new one whole, and 1705 the one before.
#
# ## 2 · How often?
#
# A checkpoint costs time, and so does the lack of one. Drag the slider from many checkpoints to few. What grows, what shrinks, and where is the best place between?

# %% look_fleet
from lablib.cloud import fleet

gaps = fleet.failure_gaps(8, mtbf=3.0, rng=np.random.default_rng(5))  # hours, as for Llama 3
runs = {
    f"{60 * hours:.0f} min": fleet.play(hours, blocking=0.05, background=0.1, restart=0.15, gaps=gaps)
    for hours in (0.1, 0.25, 0.5, 1.0, 2.0)
}
viz.fleet_timeline(runs, unit="h")

# %% [markdown]
# Four numbers describe a run: the fleet's mean time between failures **M**; the time **C** for which a checkpoint *blocks* training; the time **W** that the writer needs in the background until the checkpoint can be trusted; the time **R** of a restart.
# With N machines that each fail once in L, the fleet fails once in M = L / N. (Llama 3: L = 5.8 years, N = 16,384, so M = 3.1 hours.)
#
# Failures that come at a constant rate have no memory: the chance that nothing fails for a time t is $e^{-t/M}$, whatever was before. From this the whole answer follows. Let τ be the work between two copies.
#
# 1. After a failure, the first checkpoint is trusted after R + τ + C + W without a failure: chance $p_1 = e^{-(R + \tau + C + W)/M}$.
# 2. Each further one needs τ + C more: chance $p = e^{-(\tau + C)/M}$. So a life from failure to failure holds $p_1 (1 + p + p^2 + \dots) = p_1 / (1 - p)$ of them on average.
# 3. Each is worth τ of work, and a life lasts M on average:
#
# $$\text{goodput} = \frac{\tau}{M} \cdot \frac{p_1}{1 - p} = \frac{\tau}{M} \cdot \frac{e^{-(R + W)/M}}{e^{(\tau + C)/M} - 1}$$
#
# R and W stand in one factor, and τ in the other. So **the best interval knows nothing of R and W**, with one exception: the writer must be done when the next copy comes, τ + C ≥ W. What counts is the time that *blocks*.
#
# For C much smaller than M, the maximum is near Young's formula $\sqrt{2CM}$. With C = 0.05 M that is 11% too long. Set the derivative to zero, and with u = τ/M − 1 you find
#
# $$u\,e^u = -e^{-(1 + C/M)}$$
#
# The solution between −1 and 0 is called Lambert's W₀. A bisection finds it.
#
# **Your task.** `plan(blocking, background, restart, machine_mtbf, machines)`, all times in one unit, returns `{"interval": …, "goodput": …}`: the best τ among those that the writer can follow (two copies lie τ + C apart, which must be at least W), and the share of the time that it leaves for
# kept work. The interval must be within 5% of the best in the simulator, for C/M up to 0.2; the goodput within 1% of the formula.
#
# <details><summary>Hint 1: the fleet</summary>M is not <code>machine_mtbf</code>.</details>
# <details><summary>Hint 2: the equation</summary>On −1 < u < 0, u·eᵘ grows from −1/e to 0. Halve the interval 60 times.</details>
# <details><summary>Hint 3: a slow writer</summary>Beyond its best τ, goodput only falls. So if the writer cannot follow, the shortest τ that it can follow is best.</details>


# %% plan tags=["solution"]
def plan(blocking, background, restart, machine_mtbf, machines):
    ### BEGIN SOLUTION
    M = machine_mtbf / machines
    low, high = -1.0, 0.0
    for _ in range(80):
        u = (low + high) / 2
        low, high = (u, high) if u * math.exp(u) < -math.exp(-1 - blocking / M) else (low, u)
    interval = max(M * (1 + low), background - blocking)
    lives = math.exp(-(restart + background) / M) / math.expm1((interval + blocking) / M)
    return {"interval": interval, "goodput": interval / M * lives}
    ### END SOLUTION


# %% failures tags=["setup"]
def failures(count, mtbf):
    """Times from each failure to the next: exponential, as `fleet.failure_gaps` draws them."""
    return -mtbf * np.log1p(-check.rng.uniform(count).double().cpu().numpy())


# %% test_plan tags=["test", "core"] points=14 hours=1.5 covers=["cloud", "lo3"]
from lablib.cloud import fleet


def simulated_best(C, gaps):
    """The best interval in the simulator: a cubic through 45 of them takes out most of the noise."""
    around = np.linspace(-0.7, 0.4, 45)
    grid = np.exp(around) * math.sqrt(2 * C * gaps.mean())
    shares = [math.log(fleet.goodput(t, C, 0.0, 0.0, gaps)) for t in grid]
    fine = np.linspace(-0.7, 0.4, 2000)
    return math.exp(fine[np.argmax(np.polyval(np.polyfit(around, shares, 3), fine))]) * math.sqrt(2 * C * gaps.mean())


def judge_plan(ratio, background=0.0, restart=0.0, machines=1):
    """C, W and R in units of M."""
    M = float(check.rng.choice(2, 50))
    C, W, R = ratio * M, background * M, restart * M
    got = plan(C, W, R, M * machines, machines)
    case = f"C/M = {ratio:g}, W/M = {background:g}, R/M = {restart:g}, {machines} machines"
    gaps = failures(60_000, M)
    off = got["interval"] / max(simulated_best(C, gaps), W - C) - 1
    assert abs(off) <= 0.05, f"{case}: the interval is {got['interval']:g}, {off:+.1%} from the simulated best."
    known = got["interval"] / M * math.exp(-(R + W) / M) / math.expm1((got["interval"] + C) / M)
    simulated = fleet.goodput(got["interval"] * (1 + 1e-9), C, W, R, gaps)
    assert math.isclose(got["goodput"], known, rel_tol=0.01), (
        f"{case}: goodput is {got['goodput']:.4f}, expected {known:.4f}; the simulator finds {simulated:.4f}."
    )


judge_plan(0.05)
judge_plan(0.005, machines=1000)
### BEGIN HIDDEN TESTS
judge_plan(0.2, restart=0.1)
judge_plan(0.05, background=0.15, restart=0.02, machines=16384)
judge_plan(0.02, background=0.9, machines=7)
### END HIDDEN TESTS

# %% [markdown]
# How far off is Young's formula, and what does the best interval leave? (Over 40 simulated fleets, our intervals are within 1.7% of the simulated best at each of these three ratios; `benchmarks/lab17.py`.) The last line is Llama 3's fleet with assumed C = 2 min, W = 5 min, R = 10 min.

# %% look_plan
for ratio in (0.005, 0.05, 0.2):
    best = plan(ratio, 0.0, 0.0, 1.0, 1)
    young = math.sqrt(2 * ratio) / best["interval"] - 1
    print(f"C/M = {ratio:5}: best τ = {best['interval']:.3f} M, Young {young:+.0%}, goodput {best['goodput']:.0%}")
for machines in (1024, 16_384, 131_072):
    best = plan(2, 5, 10, 5.8 * 365 * 24 * 60, machines)
    print(f"{machines:7,} GPUs: a copy every {best['interval']:3.0f} min, goodput {best['goodput']:.0%}")

# %% [markdown]
# ### Diagnose from counters (stretch)
#
# A fleet's goodput is low. Its counters say where the time went. At the best interval, what is lost in failures and what copies cost are of one size: each failure loses about half an interval, and so the interval balances the two.

# %% look_counters
from lablib.cloud import fleet

cases = {"A": (0.1, 0.05, 0.05), "B": (1.5, 0.04, 0.05), "C": (0.5, 0.04, 1.2), "D": (0.4, 0.02, 0.03)}
for name, (interval, blocking, restart) in cases.items():
    lives = fleet.failure_gaps(200, 3.0, np.random.default_rng(1))
    run = fleet.play(interval, blocking, 0.1, restart, lives)
    told = {kind: getattr(run, kind) for kind in ("kept", "blocked", "lost", "restarting")}
    print(name, "  ".join(f"{kind} {hours:5.1f} h" for kind, hours in told.items()), f"  goodput {run.goodput:.0%}")

# %% [markdown]
# **Your task.** `diagnose(c)` takes a dict of times `kept`, `blocked`, `lost`, `restarting`, and returns
# * `"healthy"` if at least 80% of all time was kept;
# * else `"restarts"` if restarting took more than half of what was not kept;
# * else `"copies too often"` if blocked is more than lost, and `"copies too seldom"` if not.
#
# Then say what to do: `remedy(c, interval)` returns a better interval, from the counters alone: the interval times $\sqrt{\text{blocked} / \text{lost}}$ (blocked falls with it, lost grows with it). With a healthy run or slow restarts it returns the interval as it is.
#
# <details><summary>Hint 1: shares</summary>Times may be in any unit; compare them with each other.</details>
# <details><summary>Hint 2: order</summary>The rules are read from the top; the first that fits holds.</details>
# <details><summary>Hint 3: a check on yourself</summary>Too often means that blocked > lost, so the square root is above 1 and the interval grows.</details>


# %% diagnose tags=["solution"]
def diagnose(c):
    ### BEGIN SOLUTION
    wasted = c["blocked"] + c["lost"] + c["restarting"]
    if c["kept"] >= 0.8 * (c["kept"] + wasted):
        return "healthy"
    if c["restarting"] > wasted / 2:
        return "restarts"
    return "copies too often" if c["blocked"] > c["lost"] else "copies too seldom"
    ### END SOLUTION


def remedy(c, interval):
    ### BEGIN SOLUTION
    return interval * math.sqrt(c["blocked"] / c["lost"]) if "copies" in diagnose(c) else interval
    ### END SOLUTION


# %% test_diagnose tags=["test", "stretch"] points=5 hours=0.5 covers=["cloud", "lo1"]
from lablib.cloud import fleet


def judge_diagnosis(want, interval, blocking, restart):
    """In units of the mean time between failures."""
    M = float(check.rng.choice(2, 50))
    run = fleet.play(interval * M, blocking * M, 0.0, restart * M, failures(300, M))
    told = {name: getattr(run, name) for name in ("kept", "blocked", "lost", "restarting")}
    check.equal(diagnose(told), want, name=f"the diagnosis of {told}")
    factor = math.sqrt(told["blocked"] / told["lost"]) if "copies" in want else 1.0
    got = remedy(told, interval * M)
    assert math.isclose(got, interval * M * factor), (
        f"the remedy for {told} is {got:g}, expected {interval * M * factor:g}."
    )


judge_diagnosis("healthy", 0.1, 0.004, 0.02)
judge_diagnosis("copies too often", 0.05, 0.05, 0.02)
### BEGIN HIDDEN TESTS
judge_diagnosis("copies too seldom", 0.8, 0.01, 0.02)
judge_diagnosis("restarts", 0.2, 0.01, 0.5)
judge_diagnosis("healthy", 0.04, 0.005, 0.02)
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Data for workers that come and go
#
# When a worker dies, what was it reading? If nobody knows, samples are lost, or count twice, and a model is quietly trained on the wrong data. So let one **dealer** know. It cuts the data into chunks, and gives each to a worker as a **lease**. A chunk counts
# when the worker says *done*. When a worker is lost, its leases are **withdrawn**, and their chunks are dealt again.
#
# The hard part is the worker that was declared lost, and was only slow. It comes back, says *done*, and by then somebody else has the same chunk. Follow one chunk:
#
# | | chunk 3 | |
# |---|---|---|
# | a takes it | free → a | with lease 7 |
# | a is lost | a → free | lease 7 is withdrawn |
# | b takes it | free → b | with lease 9 |
# | a says *done* with 7 | b | 7 is not open: **does not count** |
# | b says *done* with 9 | b → done | 9 is open: **counts** |
#
# Here the dealer itself checks each lease, so it is enough that none is given twice. (Where somebody else must check, each lease gets a larger number than all before, and an older number is refused: a **fencing token**.) "Never" includes the future: the dealer itself dies, and is started again from a checkpoint. A counter in that checkpoint would start again at its old value, and give out numbers that a slow worker already holds.
# (`uuid.uuid4().hex` is unique without a memory.)
#
# **Your task.** A class `Dealer`.
# * `Dealer(samples, size, seed)`: ids 0 to `samples` − 1, in an order shuffled by `seed` (the same for the same seed), in chunks of `size`; the last one may be shorter.
# * `take(worker)` returns `(lease, ids)`: a lease and the list of a chunk's ids, or None if no chunk is free now. Chunks that were withdrawn go before those that nobody had yet. A worker may hold several leases.
# * `done(lease)` returns True if the chunk counts, and False if it does not: the lease is withdrawn, done already, or was never given.
# * `lost(worker)` withdraws all open leases of the worker.
# * `finished()` returns True when all chunks count.
# * `state()` returns what a checkpoint must hold: numbers, strings, lists, dicts, at most 300 + 20 bytes a chunk as JSON. It does not change when the dealer goes on.
# * `load(state)`, of a new dealer with the same arguments: what counted then, and only that, counts now. No lease from before is valid, **from whatever life of the dealer**.
#
# <details><summary>Hint 1: what to remember</summary>Three things are enough: chunks that are free, in order; open leases, with worker and chunk; chunks that count.</details>
# <details><summary>Hint 2: withdrawn</summary>A lease that is no longer open is withdrawn. You need no list of those.</details>
# <details><summary>Hint 3: state</summary>A copy of the chunks that count, and nothing else: open leases are void after a load.</details>


# %% dealer tags=["solution"]
class Dealer:
    def __init__(self, samples, size, seed):
        ### BEGIN SOLUTION
        order = np.random.default_rng(seed).permutation(samples).tolist()
        self.chunks = [order[first : first + size] for first in range(0, samples, size)]
        self.load([])
        ### END SOLUTION

    def take(self, worker):
        ### BEGIN SOLUTION
        if not self.free:
            return None
        lease, chunk = uuid.uuid4().hex, self.free.pop(0)
        self.open[lease] = worker, chunk
        return lease, list(self.chunks[chunk])
        ### END SOLUTION

    def done(self, lease):
        ### BEGIN SOLUTION
        if lease not in self.open:
            return False
        self.counted.append(self.open.pop(lease)[1])
        return True
        ### END SOLUTION

    def lost(self, worker):
        ### BEGIN SOLUTION
        for lease in [lease for lease, (holder, _) in self.open.items() if holder == worker]:
            self.free.insert(0, self.open.pop(lease)[1])
        ### END SOLUTION

    def finished(self):
        ### BEGIN SOLUTION
        return len(self.counted) == len(self.chunks)
        ### END SOLUTION

    def state(self):
        ### BEGIN SOLUTION
        return list(self.counted)
        ### END SOLUTION

    def load(self, state):
        ### BEGIN SOLUTION
        self.counted, self.open = list(state), {}
        self.free = [chunk for chunk in range(len(self.chunks)) if chunk not in self.counted]
        ### END SOLUTION


# %% test_dealer tags=["test", "core"] points=14 hours=1.5 covers=["cloud", "scalability", "lo1"]
class Ledger:
    """Knows which samples counted, and which leases are open, beside a dealer that it plays against."""

    def __init__(self, samples, size):
        self.samples, self.size, self.seed = samples, size, check.rng.choice(0, 10**6)
        self.dealer = Dealer(samples, size, self.seed)
        self.counted, self.open, self.given, self.withdrawn = [], {}, [], []

    def take(self, worker):
        got = self.dealer.take(worker)
        busy = sum(len(ids) for _, ids in self.open.values()) + len(self.counted)
        assert (got is None) == (busy == self.samples), (
            f"take gives {got!r}; {busy} of {self.samples} samples are open or count."
        )
        if got is None:
            return
        lease, ids = got
        assert lease not in self.given, f"take gives the lease {lease!r} for the second time."
        waiting = [one for one in self.withdrawn if sorted(one) == sorted(ids)]
        assert waiting or not self.withdrawn, "a withdrawn chunk waits, and take gives one that nobody had yet."
        self.withdrawn = [one for one in self.withdrawn if one not in waiting]
        self.given.append(lease)
        self.open[lease] = worker, list(ids)

    def done(self, lease):
        want = lease in self.open
        check.equal(self.dealer.done(lease), want, name="done of a lease that is " + ("open" if want else "not open"))
        if want:
            self.counted += self.open.pop(lease)[1]

    def lost(self, worker):
        self.dealer.lost(worker)
        for lease in [lease for lease, (holder, _) in self.open.items() if holder == worker]:
            self.withdrawn.append(self.open.pop(lease)[1])

    def crash(self, saved, counted):
        """The dealer is started again from a state that it gave earlier."""
        self.dealer = Dealer(self.samples, self.size, self.seed)
        self.dealer.load(json.loads(json.dumps(saved)))
        self.counted, self.open, self.withdrawn = list(counted), {}, []

    def finish(self):
        while not self.dealer.finished():
            self.take("last")
            assert self.open, f"the dealer is not finished, and {len(self.counted)} of {self.samples} samples count."
            self.done(next(iter(self.open)))
        check.equal(sorted(self.counted), list(range(self.samples)), name="samples that count, sorted")
        used, most = len(json.dumps(self.dealer.state())), 300 + 20 * -(-self.samples // self.size)
        assert used <= most, f"the state takes {used} bytes of JSON, expected at most {most}."


def judge_deals(samples, size, events, crashes):
    ledger = Ledger(samples, size)
    saved = ledger.dealer.state(), []
    for number in range(events):
        what, worker = check.rng.choice(0, 8), f"worker {check.rng.choice(0, 4)}"
        if what < 4:
            ledger.take(worker)
        elif what < 6 and ledger.given:
            recent = ledger.given[-12:]
            ledger.done(recent[check.rng.choice(0, len(recent))])
        elif what == 6:
            ledger.lost(worker)
        elif what == 7 and crashes and check.rng.choice(0, 2):
            saved = ledger.dealer.state(), list(ledger.counted)
        if crashes and number % (events // crashes) == events // crashes - 1:
            ledger.crash(*saved)
    ledger.finish()


ledger = Ledger(10, 4)
ledger.take("a")
first = ledger.given[0]
ledger.lost("a")
ledger.take("b")
ledger.done(first)
ledger.done(ledger.given[1])
ledger.done(ledger.given[1])
ledger.finish()
judge_deals(100, 7, events=60, crashes=0)


### BEGIN HIDDEN TESTS
def order(samples, size, seed):
    dealer, ids = Dealer(samples, size, seed), []
    while (got := dealer.take("a")) is not None:
        ids += got[1]
    return ids


one = order(60, 7, 5)
assert sorted(one) == list(range(60)) and one != sorted(one), f"the order is not shuffled: {one[:12]} …"
assert order(60, 7, 5) == one, "the same seed gives two orders."
assert order(60, 7, 6) != one, "another seed gives the same order."
judge_deals(1000, 16, events=150, crashes=4)
judge_deals(90, 1, events=200, crashes=5)
ledger = Ledger(40, 4)  # two lives from one state: what the first one gave must not be valid in the second
saved = ledger.dealer.state()
for _ in range(2):
    ledger.take("a")
    ledger.crash(saved, [])
ledger.take("b")
for lease in list(ledger.given):
    ledger.done(lease)
taken = ledger.dealer.state()
ledger.finish()
ledger.crash(taken, ledger.counted[:4])
ledger.finish()
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · Never wait for the longest
#
# The fleet is trained; now it serves. A step of a language model reads **all weights**, be it for one sequence or for 16 (lab03), so a step with empty slots costs nearly as much as a full one. In a **static batch**, 16 requests begin together, and the batch ends with its longest.
# Lengths of answers vary: if they are geometric, the longest of 16 is 1 + 1/2 + … + 1/16 = **3.4 times** the mean. Then more than two thirds of the slots are idle on average.
#
# **Continuous batching** decides anew at every step: who is done leaves, and who waits takes the slot at once. One thing stands in the way: memory. Each sequence holds its KV cache, which grows with each token, and nobody knows how long it will be. So give memory
# in **pages** of a few tokens, when they are needed. If no page is free, somebody must go: an **evicted** sequence loses its pages, waits, and is computed again later.
#
# First the static batch. Move the slider: which slots wait, and what do their pages hold meanwhile?


# %% lengths tags=["setup"]
def geometric(count, mean):
    """Lengths from 1 up, such that each further token is as likely as the one before."""
    u = check.rng.uniform(count).double().clamp(max=0.999999)
    return (1 + (torch.log1p(-u) / math.log1p(-1 / mean)).floor()).long().tolist()


# %% look_batches
from lablib.cloud import requests

some = [(check.rng.choice(4, 12), n) for n in geometric(32, 10)]
runs = {"static": requests.serve(requests.static_batches, some, slots=8, pages=48, page=8)}
viz.batch_pages(runs, slots=8)

# %% [markdown]
# **Your task.** `schedule(running, waiting, free, page, slots)` is asked before each step, and returns two lists of requests: `(evict, admit)`.
# * `running`: pairs (request, tokens in its pages), in the order in which they joined. Each adds **one token** in this step: it needs a new page if its pages are full, that is, if its tokens are a multiple of `page`.
# * `waiting`: pairs (request, tokens to compute), in order. Who joins needs pages for all of these tokens. `free`: pages that belong to nobody. `slots`: the most that may run.
# * **Those who run come first.** If free pages are too few for them, evict who joined last, then the one before, and so on, and no more than needed; an evicted one frees its pages, and needs none. In such a step admit nobody.
# * Otherwise admit from the front of `waiting`, in order, as long as a slot and the pages are there. Stop at the first that does not fit: nobody overtakes.
#
# By hand: page = 4, one free page; a has 8 tokens, b has 5, c has 4. a and c need a page each, one too many. Evict c: it needs none any more, and gives one back. `(["c"], [])`.
#
# <details><summary>Hint 1: pages</summary>n tokens stand in <code>-(-n // page)</code> pages.</details>
# <details><summary>Hint 2: evict</summary>A loop: while those who stay need more than is free, take the last.</details>
# <details><summary>Hint 3: admit</summary>Take what those who run need off <code>free</code> before you give to those who wait.</details>


# %% schedule tags=["solution"]
def schedule(running, waiting, free, page, slots):
    ### BEGIN SOLUTION
    stay, evict = list(running), []
    while (needed := sum(tokens % page == 0 for _, tokens in stay)) > free:
        request, tokens = stay.pop()
        evict.append(request)
        free += -(-tokens // page)
    if evict:
        return evict, []
    free, admit = free - needed, []
    for request, tokens in waiting:
        free -= -(-tokens // page)
        if free < 0 or len(stay) + len(admit) == slots:
            break
        admit.append(request)
    return [], admit
    ### END SOLUTION


# %% look_continuous
runs["continuous"] = requests.serve(schedule, some, slots=8, pages=24, page=8)
viz.batch_pages(runs, slots=8)

# %% test_schedule tags=["test", "core"] points=13 hours=1.5 covers=["cloud", "transformers", "lo3"]
from lablib.cloud import requests


def wanted(running, waiting, free, page, slots):
    """The rules once more: with k of those who run, and then the longest prefix of those who wait."""
    pages = lambda tokens: (tokens + page - 1) // page  # noqa: E731
    fits = [
        k for k in range(len(running) + 1)
        if sum(t % page == 0 for _, t in running[:k]) <= free + sum(pages(t) for _, t in running[k:])
    ]  # fmt: skip
    if fits[-1] < len(running):
        return [request for request, _ in running[fits[-1] :]][::-1], []
    spare = free - sum(t % page == 0 for _, t in running)
    counts = [
        n for n in range(min(len(waiting), slots - len(running)) + 1)
        if sum(pages(t) for _, t in waiting[:n]) <= spare
    ]  # fmt: skip
    return [], [request for request, _ in waiting[: counts[-1]]]


def compared(running, waiting, free, page, slots):
    evict, admit = schedule(running, waiting, free, page, slots)
    case = f"running {running[-6:]}, waiting {waiting[:4]}, {free} pages of {page} free, {slots} slots"
    leave, join = wanted(running, waiting, free, page, slots)
    check.equal(sorted(evict), sorted(leave), name=f"whom to evict, {case}")
    check.equal(list(admit), join, name=f"whom to admit, {case}")
    return leave, join


def drawn(count, mean, pages, page):
    """Requests that each fit into the pages."""
    some = [(check.rng.choice(1, 2 * page), n) for n in geometric(count, mean)]
    return [(prompt, min(n, pages * page - prompt)) for prompt, n in some]


def judge_throughput(count, mean, slots, pages, page, least):
    """How much faster than static batches, which get all the pages that they need.

    One long request at the end can hide what is gained, so only such requests are asked with which the rules gain it.
    """
    known, static = 1, 0
    while static < least * known:
        some = drawn(count, mean, pages, page)
        static = requests.serve(requests.static_batches, some, slots, slots * pages, page).steps
        known = requests.serve(wanted, some, slots, pages, page).steps
    times = static / requests.serve(schedule, some, slots, pages, page).steps
    assert times >= least, f"{times:.2f} times the throughput of static batches, expected at least {least}."


judge_throughput(150, 16, slots=16, pages=400, page=8, least=2.0)
check.equal(
    schedule([(0, 8), (1, 5), (2, 4)], [(3, 6)], 1, 4, 8),
    ([2], []),
    name="schedule when two need a page, and one is free",
)
served = requests.serve(compared, drawn(60, 12, 60, 8), 8, 60, 8)
### BEGIN HIDDEN TESTS
for count, mean, slots, pages, page in [(40, 12, 8, 11, 4), (25, 6, 3, 9, 1)]:  # pages so few that some are evicted
    served = requests.serve(compared, drawn(count, mean, pages, page), slots, pages, page)
for _ in range(60):
    page, slots = check.rng.choice(1, 9), check.rng.choice(1, 10)
    held = [check.rng.choice(1, 40) for _ in range(check.rng.choice(0, slots + 1))]
    free = check.rng.choice(1 if len(held) == 1 else 0, 9)
    waiting = [(100 + n, check.rng.choice(1, 20)) for n in range(check.rng.choice(0, 8))]
    compared(list(enumerate(held)), waiting, free, page, slots)
### END HIDDEN TESTS

# %% [markdown]
# Over 60 draws of 150 requests with geometric lengths, our schedule made 2.8 times as many tokens a step as static batches, between 2.1 and 3.4 (`benchmarks/lab17.py`): one long request at the end can waste much. How much is it on other lengths? Where all answers are equally long, nothing can be gained. On lengths that are uniform from 1 up, the longest of 16 is 1.9 times the mean.

# %% look_ratios
from lablib.cloud import requests

for name, lengths in {
    "geometric": geometric(600, 40),
    "uniform": [check.rng.choice(1, 80) for _ in range(600)],
    "all equal": [40] * 600,
}.items():
    some = [(16, n) for n in lengths]
    static = requests.serve(requests.static_batches, some, slots=16, pages=2000, page=16)
    for pages in (2000, 48):
        served = requests.serve(schedule, some, slots=16, pages=pages, page=16)
        print(f"{name:10} {pages:4} pages: {static.steps / served.steps:.2f} × static, {served.evictions} evictions")

# %% [markdown]
# ## 5 · Attention over scattered pages
#
# The pages of a sequence lie anywhere in one pool; its **page table** says where, as an operating system's does. Token t stands in page `table[t // page]`, at place `t % page`.
#
# ```text
# table of a: [5, 0]      pool   page 0    page 1    page 2   …   page 5
# table of b: [2, -1]            a4 a5 ..  ........  b0 b1 b2     a0 a1 a2 a3
# ```
#
# With pages of 4 places, a has 6 tokens and b has 3. The next tokens go to page 0, place 2 and to page 2, place 3. Behind a sequence's last token, a page holds numbers of whoever had it before: **they must not count**.
#
# **Your task.** `attend(q, k, v, keys, values, tables, lengths)`, for one new token of each of B sequences.
# * `q`, `k`, `v`: float32, (B, heads, d). `keys`, `values`: the pools, float32, (pages, page, heads, d). `tables`: int64 (B, most), −1 behind a sequence's last page. `lengths`: int64 (B,), tokens that are in the pages already; the page for the new one is in the table. All are on one device.
# * Write `k` and `v` into the pools, and change nothing else there.
# * Return softmax(q · kᵀ / √d) · v over the lengths[b] + 1 tokens of each sequence, float32, (B, heads, d).
# * Matrix products do work for pages of the tables only, not for the whole pool: at most 4 · B · heads · d · most · page floating-point operations.
#
# <details><summary>Hint 1: gather</summary><code>keys[tables]</code> has shape (B, most, page, heads, d). With −1 it reads the last page of the pool: wrong numbers, that a mask must hide.</details>
# <details><summary>Hint 2: mask</summary>Place p of the gathered ones counts if p ≤ lengths[b].</details>
# <details><summary>Hint 3: write</summary><code>keys[page_of_each, place_of_each] = k</code> writes all B at once.</details>


# %% attend tags=["solution"]
def attend(q, k, v, keys, values, tables, lengths):
    ### BEGIN SOLUTION
    d, page = q.shape[2], keys.shape[1]
    where = tables.gather(1, (lengths // page)[:, None])[:, 0], lengths % page
    keys[where], values[where] = k, v
    mine, theirs = (pool[tables].flatten(1, 2).transpose(1, 2) for pool in (keys, values))  # B, heads, places, d
    scores = (q[:, :, None] @ mine.transpose(2, 3)) * d**-0.5
    later = torch.arange(mine.shape[2], device=q.device) > lengths[:, None]
    weights = scores.masked_fill(later[:, None, None], float("-inf")).softmax(-1)
    return (weights @ theirs)[:, :, 0]
    ### END SOLUTION


# %% test_attend tags=["test", "core"] points=13 hours=1.5 covers=["cloud", "transformers", "lo2"]
from lablib.cloud import gpt_server


def judge_attend(lengths, heads, d, page, spare):
    """Random tables, pools full of old numbers."""
    counts = [length // page + 1 for length in lengths]
    order = check.rng.uniform(sum(counts) + spare).argsort().tolist()
    tables = torch.full((len(lengths), max(counts) + 1), -1, device=device.DEVICE)
    for row, count in zip(tables, counts, strict=True):
        row[:count] = torch.tensor([order.pop() for _ in range(count)])
    pools = [30 * check.rng.normal(sum(counts) + spare, page, heads, d) for _ in range(2)]
    q, k, v = (check.rng.normal(len(lengths), heads, d) for _ in range(3))
    want, after = torch.empty_like(q), [pool.clone() for pool in pools]
    for b, length in enumerate(lengths):
        for pool, new in zip(after, (k, v), strict=True):
            pool[tables[b, length // page], length % page] = new[b]
        places = [(tables[b, t // page], t % page) for t in range(length + 1)]
        mine, theirs = (torch.stack([pool[p, o] for p, o in places]) for pool in after)
        weights = torch.einsum("hd,thd->ht", q[b], mine).div(math.sqrt(d)).softmax(-1)
        want[b] = torch.einsum("ht,thd->hd", weights, theirs)
    inside = check.inout(pools[0]), check.inout(pools[1])
    got = attend(q, k, v, *inside, tables, torch.tensor(lengths, device=device.DEVICE))
    case = f"lengths {lengths}, pages of {page}"
    check.close(got, want, rtol=1e-4, name=f"attend, {case}")
    for name, pool, wanted_pool in zip(("keys", "values"), pools, after, strict=True):
        check.close(pool, wanted_pool, rtol=0, name=f"the pool of {name} after attend, {case}")


def work(lengths, heads, d, page, pages):
    """Floating-point operations of attend, counted: its products may not touch the whole pool."""
    most = max(lengths) // page + 1
    tables = torch.arange(len(lengths) * most, device=device.DEVICE).reshape(len(lengths), most)
    pools = [check.rng.normal(pages, page, heads, d) for _ in range(2)]
    q, k, v = (check.rng.normal(len(lengths), heads, d) for _ in range(3))
    least = 4 * heads * d * sum(length + 1 for length in lengths)
    bounds = least, 4 * len(lengths) * heads * d * most * page
    held = check.inout(pools[0]), check.inout(pools[1])
    given = tables, torch.tensor(lengths, device=device.DEVICE)
    check.cost(attend, q, k, v, *held, *given, flops=bounds)


judge_attend([6, 3], heads=2, d=8, page=4, spare=2)
judge_attend([0, 7, 8, 9], heads=1, d=4, page=8, spare=0)
judge_attend([17, 2, 0, 30, 11], heads=4, d=32, page=5, spare=4)
judge_attend([3, 1], heads=3, d=16, page=1, spare=3)
work([9, 4], heads=2, d=8, page=4, pages=20)


### BEGIN HIDDEN TESTS
def first_come(running, waiting, free, page, slots):
    """Admit in order, with room to grow; nobody is evicted."""
    fits = min(slots - len(running), free // 8, len(waiting))
    return [], [request for request, _ in waiting[:fits]]


def clear_prompts(gpt, count):
    """Prompts whose likeliest tokens stand out, so that rounding decides nothing."""
    data, found = austen().test, []
    while len(found) < count:
        start = check.rng.choice(0, len(data) - 40)
        prompt, new = data[start : start + check.rng.choice(3, 20)].long(), check.rng.choice(2, 14)
        written = generate(gpt, prompt[None], new, temperature=0)
        best = gpt(written[:, :-1])[0, len(prompt) - 1 :].topk(2).values
        if (best[:, 0] - best[:, 1]).min() > 0.005:
            found.append((prompt, written[0, len(prompt) :].tolist()))
    return found


with torch.no_grad():
    gpt = load(GPT(), "gpt").requires_grad_(False)
    asked = clear_prompts(gpt, 5)
    prompts, wanted_tokens = [p for p, _ in asked], [w for _, w in asked]
    got, _ = gpt_server.complete(
        gpt, prompts, [len(w) for w in wanted_tokens], first_come, attend, 3, 28, 5, mark=check.inout
    )
check.equal(got, wanted_tokens, name="tokens of a GPT whose attention is attend, three sequences at once")
### END HIDDEN TESTS

# %% [markdown]
# ### Measure: the real GPT
#
# Now all of it together: the trained GPT of lab03, your schedule, your attention. 80 requests with geometric lengths go through 16 slots, in static batches and continuously. The simulator knows the number of steps. **Lock your prediction first**: how many times as fast is
# continuous batching on the clock of this machine?

# %% lock_prediction
from lablib.cloud import requests

gpt, text = load(GPT(), "gpt").requires_grad_(False), austen().test
prompts = [text[start : start + 12].long() for start in check.rng.integers(0, 90_000, 80).tolist()]
outputs = [min(n, 110) for n in geometric(80, 16)]
some = [(12, n) for n in outputs]
steps = {
    "static": requests.serve(requests.static_batches, some, 16, 200, 8).steps,
    "continuous": requests.serve(schedule, some, 16, 60, 8).steps,
}
print("steps:", steps)
predicted = check.lock("continuous over static, real GPT", steps["static"] / steps["continuous"])

# %% [markdown]
# (About 4 s.) The tokens must be those that the model writes for each prompt alone; the first 20 are compared.

# %% look_real_gpt
import time

from lablib.cloud import gpt_server, requests

seconds = {}
for name, policy, pages in [("static", requests.static_batches, 200), ("continuous", schedule, 60)]:
    begin = time.perf_counter()
    written, served = gpt_server.complete(gpt, prompts, outputs, policy, attend, 16, pages, 8)
    seconds[name] = time.perf_counter() - begin
    per_step = 1e3 * seconds[name] / served.steps
    print(
        f"{name:10} {served.steps:3} steps, {per_step:4.1f} ms each, {served.tokens / seconds[name]:6.0f} tokens/s, {served.evictions} evictions"
    )
alone = [generate(gpt, prompts[k][None], outputs[k], temperature=0)[0, 12:].tolist() for k in range(20)]
print("the same tokens as one at a time:", written[:20] == alone)
print(f"measured {seconds['static'] / seconds['continuous']:.2f} ×, predicted {predicted:.2f} ×")

# %% look_step_times
for rows in (1, 4, 16):
    pools = [torch.zeros(200, 8, 4, 32) for _ in range(2)]
    q = torch.zeros(rows, 4, 32)
    tables, lengths = torch.arange(8 * rows).reshape(rows, 8), torch.full((rows,), 60)
    token = torch.zeros(rows, 1, dtype=torch.int64)
    begin = time.perf_counter()
    for _ in range(20):
        gpt(token)
        for _ in gpt.blocks:
            attend(q, q, q, *pools, tables, lengths)
    print(f"a step of {rows:2} sequences: {50 * (time.perf_counter() - begin):.1f} ms")

# %% [markdown]
# **Explain** (at most 200 words, in the cell below).
# 1. The model of the simulator is: a step costs the same, whatever it holds. Use the times above to say how true that is on your machine, and why it is truer on a GPU with a larger model.
# 2. Where static batches have empty slots, their steps are cheaper. What does that do to the measured ratio, and what else makes it differ from the predicted one?
# 3. Name a distribution of lengths where continuous batching gains nothing, and say why.

# %% explain_ratio [markdown] tags=["manual", "core"] points=10 hours=0.5 covers=["cloud", "lo3"]
# ### BEGIN SOLUTION
# 1. Here a step of 16 takes perhaps 1.5 to 3 times as long as a step of 1: the weights are few (3 MB, they stay in a cache), so the time is Python's and that of starting operations, plus arithmetic that grows with the rows. On a GPU with a large model,
#    a step reads gigabytes of weights, and 16 rows more or less of arithmetic hide behind that: time is nearly constant.
# 2. A static batch spends most of its steps with few sequences, and these steps are cheaper than a full one. Continuous steps are nearly all full, so the mean step is dearer and the measured ratio is below the predicted one. Also: prompts are computed one by one
#    in both runs, which adds the same seconds to both and so pulls the ratio to 1; attention is padded to the longest table; evicted sequences are computed again.
# 3. All answers equally long: a static batch then has no idle slot until it ends. (Or so few requests that they fit in one batch.)
# ### END SOLUTION

# %% rubric_explain_ratio [markdown] tags=["rubric"]
# **10 points.** Numbers are those of the student's machine; what counts is that they follow from what the cells printed.
# * 4: 2 for comparing the times of steps of 1 and 16 with numbers; 2 for weights that are read once (memory bound) as the reason why a GPU comes nearer to the model.
# * 4: 2 for cheaper steps of static batches and the direction (measured below predicted); 2 for one more cause with a reason (prompts, padding, recomputation, Python).
# * 2: equal lengths, since no slot is idle before the batch ends.
# * "The machine is slow" without a number earns nothing.

# %% [markdown]
# ## 6 · As few machines as the promise allows
#
# A million tokens cost what the machines cost while they are written. An H100 has cost, in one autumn:

# %% look_prices
from lablib.cloud.prices import OFFERS

print("dollars for a GPU and hour")
for offer in OFFERS:
    print(f"{offer.dollars:5.2f}  {offer.name:34} {offer.title}, {offer.read}")

# %% [markdown]
# By hand: a GPU for 4 dollars an hour that writes 1000 tokens a second all of the time writes 3.6 million in an hour: 1.11 dollars a million. If it is busy a third of the time, 3.33. **Utilisation is price.** And users promise nothing: they come by day, and sleep at night.
#
# So rent replicas when they are needed. Time goes in ticks. A replica that you rent is paid from now on, and serves after `startup` ticks, when it has loaded its weights. So you must rent **before** the need. The promise (the SLO, service level objective): at most 1% of requests wait longer than `bound`
# ticks. Some replicas are spot machines, and vanish without a word. (Our days are short, 240 ticks of 10 s, so that two of them are played in no time.) The slider shows policies that we have: which one would you pay for?


# %% service tags=["setup"]
def a_day(capacity, startup, high, length=240):
    """Three days of demand, of which the first is history, a service, and the ticks at which a spot machine is taken."""
    from lablib.cloud import autoscale

    rng = np.random.default_rng(check.rng.choice(0, 10**6))
    demand = autoscale.daily_demand(3, length, high / 20, high, rng, peak=float(rng.uniform(0.3, 0.8)))
    service = {"capacity": capacity, "startup": startup, "bound": 2, "period": length}
    taken = (np.arange(8) * length // 4 + rng.integers(0, length // 6, 8)).tolist()
    return {"demand": demand[length:], "service": service, "taken": taken, "history": demand[:length]}


def for_the_peak(demand, waiting, ready, starting, service):
    """As many as the peak of the last day needed, and a quarter more."""
    return math.ceil(1.25 * max(demand) / service["capacity"])


def by_utilisation(demand, waiting, ready, starting, service):
    """Keep replicas 60% busy, by the mean of the last four ticks."""
    return math.ceil(sum(demand[-4:]) / 4 / service["capacity"] / 0.6) + 1


def by_the_last_tick(demand, waiting, ready, starting, service):
    """Serve what came last, and who waits."""
    return math.ceil((demand[-1] + waiting) / service["capacity"])


# %% look_policies
from lablib.cloud import autoscale

day = a_day(capacity=25, startup=13, high=800)
policies = {"for the peak": for_the_peak, "60% busy": by_utilisation, "by the last tick": by_the_last_tick}
played = {name: autoscale.play(policy, **day) for name, policy in policies.items()}
tokens = 500 * sum(day["demand"])  # 500 tokens a request; a tick is 10 s, a replica is one GPU at $4 an hour
dollars = {name: run.cost * 10 / 3600 * 4 / tokens * 1e6 for name, run in played.items()}
viz.cost_slo(played, day["demand"], 25, dollars)

# %% [markdown]
# **Your task.** Two functions in one cell.
# * `dollars_per_million(replica_ticks, tick_seconds, gpus, dollars_per_hour, tokens)`: the price of a million tokens, if replicas of so many `gpus` were paid for `replica_ticks` in all, at `dollars_per_hour` a GPU, and `tokens` were written.
# * `scale(demand, waiting, ready, starting, service)` returns how many replicas are to be rented from now on, those that start included, as an int.
#   * `demand`: requests of each of the last `period` ticks, a day, the newest last. `waiting`: requests left over. `ready`: replicas that serve. `starting`: for each that starts, the ticks that it still needs.
#   * `service`: a dict with `capacity` (requests that a replica serves in a tick), `startup`, `bound`, `period` (ticks of a day).
#   * At most 1% of the requests may be late, at a cost of at most 1.1 times that of our policy. In the tests the capacity is 20 to 50, a day has 240 ticks, startup is 8 to 14 ticks, up to 1500 requests come in a tick; days differ by up to a quarter, and 8 replicas are taken away in two days.
#
# <details><summary>Hint 1: when</summary>What you rent now serves the demand of <code>startup</code> ticks later. Which line through the last dozen ticks would tell you that demand?</details>
# <details><summary>Hint 2: noise</summary>Requests that come at random vary by about the square root of their mean. Twice that is a margin that is small for large services, and large for small ones.</details>
# <details><summary>Hint 3: nearly there</summary>Mean of the last 4 ticks, plus (rise a tick, if it rises) · (startup + 3), plus 2 √ of that, plus half of who waits; divide by the capacity, round up, and one more for the spot machine that goes next.</details>


# %% scale tags=["solution"]
def dollars_per_million(replica_ticks, tick_seconds, gpus, dollars_per_hour, tokens):
    ### BEGIN SOLUTION
    return replica_ticks * tick_seconds / 3600 * gpus * dollars_per_hour / tokens * 1e6
    ### END SOLUTION


def scale(demand, waiting, ready, starting, service):
    ### BEGIN SOLUTION
    rise = (sum(demand[-6:]) - sum(demand[-12:-6])) / 36
    top = sum(demand[-4:]) / 4 + max(rise, 0) * (service["startup"] + 3)
    return math.ceil((top + 2 * math.sqrt(top) + waiting / 2) / service["capacity"]) + 1
    ### END SOLUTION


# %% look_scale
played["scale"] = autoscale.play(scale, **day)
dollars["scale"] = dollars_per_million(played["scale"].cost, 10, 1, 4, tokens)
viz.cost_slo(dict(reversed(played.items())), day["demand"], 25, dollars)

# %% test_scale tags=["test", "core"] points=13 hours=1.5 covers=["cloud", "lo3"]
from lablib.cloud import autoscale


def judge_scale(day, most_cost):
    capacity, startup, high = day["service"]["capacity"], day["service"]["startup"], max(day["demand"])
    played = autoscale.play(scale, **day)
    case = f"capacity {capacity}, startup {startup}, up to {high} requests a tick"
    share = played.late / played.requests
    assert share <= 0.01, f"{case}: {share:.2%} of the requests are late, expected at most 1%."
    assert played.cost <= most_cost, f"{case}: {played.cost} replica ticks are paid, expected at most {most_cost:.0f}."


def judge_dollars():
    ticks, seconds, gpus = (check.rng.choice(1, 1000) for _ in range(3))
    price, tokens = check.rng.choice(1, 1000) / 100, check.rng.choice(10**6, 10**9)
    want = ticks * seconds * gpus * price / 3600 * 1e6 / tokens
    got = dollars_per_million(ticks, seconds, gpus, price, tokens)
    assert math.isclose(got, want), f"a million tokens cost {got:g} dollars, expected {want:g}."


judge_dollars()
day = a_day(25, 8, 800)
judge_scale(day, 0.8 * autoscale.play(for_the_peak, **day).cost)


### BEGIN HIDDEN TESTS
def ours(demand, waiting, ready, starting, service):
    rise = (sum(demand[-6:]) - sum(demand[-12:-6])) / 36
    top = sum(demand[-4:]) / 4 + max(rise, 0) * (service["startup"] + 3)
    return math.ceil((top + 2 * math.sqrt(top) + waiting / 2) / service["capacity"]) + 1


for capacity, startup, high in [(20, 14, 600), (40, 13, 1500)]:
    day = a_day(capacity, startup, high)
    while (known := autoscale.play(ours, **day)).late > 0.003 * known.requests:  # a day on which ours has room
        day = a_day(capacity, startup, high)
    judge_scale(day, 1.1 * known.cost)
### END HIDDEN TESTS

# %% [markdown]
# ## Where it runs for real
#
# **torchrun**, two ranks, 60 samples in steps of 6. Half-way, rank 1 kills itself with SIGKILL. torchrun sees it, stops the other, and starts both again; they go on from the last checkpoint. What a rank reads follows from the step alone, `order[step · batch :][:batch][rank :: world]`, so nothing is
# lost and nothing is twice. (About 8 s.)

# %% look_torchrun
from lablib.cloud import kills

report = kills.torchrun_with_kill(samples=60, batch=6, ranks=2)
print(f"restarts: {report['attempt']}; resumed at step {report['resumed_at']} of {report['steps']}")
print("how often each sample counted:", sorted(set(report["counts"])))

# %% [markdown]
# **Dask**, two workers, and your dealer hands out the work. Two workers are killed while they are busy; their leases are withdrawn. (About 5 s.)


# %% look_dask
def work(ids):
    """Stands for a training step on these samples."""
    import time

    time.sleep(0.03)
    return sorted(ids)


told = kills.dask_with_kills(Dealer(400, 10, seed=0), work, kills=2)
ids = sorted(one for result in told["results"] for one in result)
print(f"{told['killed']} workers killed, {told['refused']} leases withdrawn")
print("each sample exactly once:", ids == list(range(400)))

# %% record_figures
from lablib.ledger import record

# Your figures are kept in labs/ledger.json: lab18 fills the tables of its claims and its essay from there.
record("lab17_cloud_scale", {
    "continuous_over_static_steps_ratio": lambda: steps["static"] / steps["continuous"],
    "continuous_over_static_time_ratio": lambda: seconds["static"] / seconds["continuous"],
    "busy_autoscaler_dollars_per_million_tokens": lambda: dollars["60% busy"],
    "own_autoscaler_dollars_per_million_tokens": lambda: dollars["scale"],
})  # fmt: skip

# %% [markdown]
# ## What to take along
#
# * A checkpoint is whole or it is not there: data, flush, then the one name that decides, and checksums for what disks do.
# * The time that *blocks* sets the interval; what runs in the background only has to keep up. How long a restart takes does not change it.
# * Exactly once is a lease that is never given twice, and one party that decides whether it counts.
# * A batch need not end together. Pages make memory something that can be given and taken back.
# * Utilisation is price, and a promise about latency is what limits it.
#
# **Next:** lab18 brings the labs together.
#
# **Sources**
# * Llama Team: *The Llama 3 herd of models*, arXiv:2407.21783, 2024, section 3.3.4. 419 unexpected interruptions in 54 days on 16,384 GPUs.
# * Pillai et al.: *All file systems are not created equal*, OSDI 2014. What a crash may leave.
# * Mohan et al.: *CheckFreq*, FAST 2021. Copy first, write while training goes on.
# * Young: *A first order approximation to the optimum checkpoint interval*, CACM 17(9), 1974. Daly: *A higher order estimate of the optimum checkpoint interval for restart dumps*, FGCS 22, 2006.
# * Gray, Cheriton: *Leases*, SOSP 1989; Kleppmann: *Designing data-intensive applications*, 2017, chapter 8: fencing tokens.
# * Yu et al.: *Orca*, OSDI 2022. Kwon et al.: *Efficient memory management for large language model serving with PagedAttention*, SOSP 2023, arXiv:2309.06180.
# * Prices: `lablib.cloud.prices` has the address and the title of each list, and the day on which it was read.
