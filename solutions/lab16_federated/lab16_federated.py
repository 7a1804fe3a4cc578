# %% [markdown]
# # Lab 16 · Federated learning: the data stays, the model travels
#
# A phone sends 1 MB a second or less (the authors of federated averaging assume that much). A model of 124 million float32 parameters is 498 MB: **eight minutes of upload, every round, from every client.** And the phone sends at all only
# because its owner was promised that nobody reads along.
#
# So the work has three sides: learn from clients that differ, send little, and reveal less. You write all three, on Flower's messages, and count every byte.
#
# **After it you can**
# 1. average models so that the server's memory does not grow with its clients;
# 2. predict where federated averaging stops when clients differ, and remove that bias;
# 3. let a server add up vectors that it cannot read, exactly, while clients drop out and come late;
# 4. add noise that protects a whole client, and say what it costs after many rounds;
# 5. send a twentieth of the bytes, and lose nothing for good.
#
# | | |
# |---|---|
# | Time | about 9½ hours: core 9 h, stretch ½ h (the diagnosis in 5) |
# | Needs | lab00. Vectors, gradients, remainders |
# | Machine | any, no GPU, no network: Flower runs in this process. Cells that train take up to 6 s, all others less than 2 |
# | Grading | about 4 core-seconds |
# | Points | 100 |
#
# **In every exercise** arguments stay as they were, and nothing is drawn at random inside your function. Where answers run in grading, `lablib.federated.digits_app` and `lablib.federated.privacy` are absent: they hold what
# exercises 1 and 4 ask for. In your notebook they are there, to look with.

# %% setup tags=["setup"] withhold=["lablib.federated.digits_app", "lablib.federated.privacy"]
import lablib

lablib.require("0.1")

from lablib import device  # isort: skip

import math
from itertools import product

import torch

from lablib import check, viz
from lablib.data.digits import digits
from lablib.federated.keys import agree, public_key, stream
from lablib.federated.splits import dirichlet_split, label_counts

device.seed(0)
torch.set_num_threads(1)  # our networks are small: a second core would mostly wait

# %% [markdown]
# ## 1 · Average what the clients learned
#
# A **round** of federated averaging (FedAvg):
#
# ```text
# server ──model──> clients      each trains on its own data, for some steps
# server <──update── clients     update = trained model − model it received
# server: model + weighted mean of the updates; the next round begins
# ```
#
# Clients do not hold the same data. One writes mostly ones, another has no zeros. The usual way to model this draws the clients' shares of each class from a Dirichlet distribution with a concentration alpha.
#
# Move the slider. From which alpha on does some client lack whole classes?

# %% look_skew
labels = digits().train_y
alphas = [0.1, 0.3, 1.0, 10.0, 100.0]
counts = {a: label_counts(labels, dirichlet_split(labels, 10, a, least=8), 10).tolist() for a in alphas}
viz.label_skew(counts)

# %% [markdown]
# The same number of examples is not to be had either. A client with 300 examples knows more than one with 10, so updates are **weighted by examples**. By hand: updates 1.0 and 4.0 from clients with 30 and 10 examples give
# (30 · 1 + 10 · 4) / 40 = 1.75, not 2.5.
#
# **Your task.** `fedavg(model, updates, examples)` returns the next model, a new dict.
# * `model`: dict from names to float32 tensors. `updates`: list of dicts with the same names and shapes. `examples`: as many ints, not negative, at least one positive.
# * Result: each tensor plus the mean of its updates, weighted by examples.
# * A client that failed reports 0 examples. Its update may hold anything, even NaN, and counts for nothing.
# * **Memory: at most two models beside the arguments**, however many clients there are. A server that stacks a thousand models first needs a thousand models of memory.
#
# <details><summary>Hint 1: what grows?</summary>
#
# `torch.stack` holds all updates a second time. What can you keep in place of all of them?
# </details>
# <details><summary>Hint 2: one running sum</summary>
#
# Copy the model once; then add one update after the other to the copy, each times its share.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `copy.add_(update, alpha=n / total)` adds in place without a temporary. 0 · NaN is NaN, so skip the clients with 0 examples.
# </details>


# %% fedavg tags=["solution"]
def fedavg(model, updates, examples):
    ### BEGIN SOLUTION
    total = sum(examples)
    result = {name: tensor.clone() for name, tensor in model.items()}
    for update, count in zip(updates, examples, strict=True):
        if count:
            for name, tensor in result.items():
                tensor.add_(update[name], alpha=count / total)
    return result
    ### END SOLUTION


# %% test_fedavg tags=["test", "core"] points=10 hours=0.75 covers=["federated", "lo1"]
one, other = {"w": torch.tensor([1.0])}, {"w": torch.tensor([4.0])}
found = fedavg({"w": torch.tensor([10.0])}, [one, other], [30, 10])
check.close(found["w"], torch.tensor([11.75]), name="the example's model")
### BEGIN HIDDEN TESTS
shapes = {"weight": (20, 30), "bias": (20,)}
model = {name: check.rng.normal(*shape).cpu() for name, shape in shapes.items()}
updates = [{name: check.rng.normal(*shape).cpu() for name, shape in shapes.items()} for _ in range(9)]
examples = [check.rng.choice(1, 500) for _ in range(9)]
examples[4] = 0
updates[4]["bias"] = torch.full((20,), float("nan"))
kept = [u for u, n in zip(updates, examples, strict=True) if n]
weights = torch.tensor([n for n in examples if n], dtype=torch.float64) / sum(examples)
expected = {}
for name, shape in shapes.items():
    mean = torch.stack([u[name].double() for u in kept]).flatten(1).T @ weights
    expected[name] = (model[name] + mean.view(shape)).float()
size = 4 * (20 * 30 + 20)
found = check.cost(fedavg, model, updates, examples, peak=(size, 2 * size))
for name in shapes:
    check.close(found[name], expected[name], name=f"the new {name!r}")
seen = check.observe(fedavg, model, updates, examples)
check.equal(seen.changed_inputs, [], name="the arguments that fedavg changed")
### END HIDDEN TESTS

# %% [markdown]
# On Flower a client is a `ClientApp`, the server a `ServerApp`, and they exchange messages over a `Grid`. `lablib.federated` has a grid that delivers within this process and counts what crosses it. Here your average runs
# in Flower's server: ten clients, 19,210 parameters. (About 3 s.)

# %% look_flower
from lablib.federated.digits_app import digits_apps
from lablib.federated.grid import run_in_process


def mean_of(updates, examples):
    """Your average, on the app's vectors."""
    zero = {"vector": torch.zeros_like(updates[0])}
    return fedavg(zero, [{"vector": u} for u in updates], examples)["vector"]


TRAINING = {"rounds": 12, "alpha": 1.0, "epochs": 3, "lr": 0.1}
for alpha in (100.0, 0.1):
    report, grid = run_in_process(*digits_apps(aggregate=mean_of), 10, {**TRAINING, "alpha": alpha, "rounds": 6})
    shown = "  ".join(f"{100 * a:4.1f}" for a in report["accuracy"])
    print(
        f"alpha {alpha:5g}: accuracy by round {shown}   uplink {sum(grid.uplink.values()) / 60 / 1e3:.1f} kB a message"
    )

# %% [markdown]
# The same two apps run unchanged on a real server: a SuperLink, and a SuperNode process for each client. In a terminal, in this repository (about a minute):
#
# ```bash
# python -m lablib.federated.superlink --clients 4
# ```
#
# It trains both ways, and compares the reports number for number.

# %% [markdown]
# ## 2 · Clients that pull apart
#
# Why do many local steps hurt when clients differ? Take the simplest clients there are. Client k wants its own point cₖ, and is pulled back with a stiffness Aₖ:
#
# fₖ(w) = ½ (w − cₖ)ᵀ Aₖ (w − cₖ), with gradient Aₖ (w − cₖ)
#
# Together they want the **optimum**: where the mean gradient is zero. But a client that takes many steps alone goes all the way to cₖ, stiff or not. The server averages where they *arrived*, and how hard each pulled is lost. That is **client drift**.
#
# Move the slider: local steps in each round. Where does FedAvg stop?


# %% given_quadratics tags=["setup"]
class Quadratic:
    """A client's gradient, A (w - c), to be called with w."""

    def __init__(self, A, c):
        self.A, self.c = A, c

    def __call__(self, w):
        return self.A @ (w - self.c)


def optimum(A, c, p):
    """Where the mean of the clients' gradients is zero; A (N, d, d), c (N, d), p (N,)."""
    stiffness = torch.einsum("n,nij->ij", p, A)
    return torch.linalg.solve(stiffness, torch.einsum("n,nij,nj->i", p, A, c))


def stiff_clients(normal, uniform):
    """Random clients: normal (N, d, d + 1), uniform (N, d) in [0, 1); stiffnesses from 0.3 to 2, float64."""
    Q = torch.linalg.qr(normal[..., :-1].double()).Q
    return Q @ torch.diag_embed(0.3 + 1.7 * uniform.double()) @ Q.mT, normal[..., -1].double()


# %% look_drift
A = torch.tensor([[[2.0, 0.0], [0.0, 0.2]], [[0.2, 0.0], [0.0, 1.0]]], dtype=torch.float64)
c = torch.tensor([[0.0, 0.0], [4.0, 3.0]], dtype=torch.float64)
paths = {}
for steps in (1, 2, 5, 20, 100):
    w, path = torch.tensor([3.5, 0.0], dtype=torch.float64), []
    for _ in range(60):
        path.append(w.tolist())
        ends = []
        for a, centre in zip(A, c, strict=True):
            v = w
            for _ in range(steps):
                v = v - 0.2 * a @ (v - centre)
            ends.append(v)
        w = torch.stack(ends).mean(dim=0)
    paths[steps] = path
viz.client_drift(paths, c.tolist(), optimum(A, c, torch.tensor([0.5, 0.5], dtype=torch.float64)).tolist())

# %% [markdown]
# With one step a round FedAvg is plain gradient descent, and finds the optimum. With a hundred it stops in the middle between the two centres.
#
# Two remedies change the local step. **FedProx** ties a client to where the round began, with strength mu. **SCAFFOLD** adds a correction that you write in 2b. Both fit one loop:
#
# w ← w − lr · (gradient(w) + mu · (w − start) + correction)
#
# **Your task (2a).** `local_steps(gradient, start, lr, steps, mu, correction)` returns w after `steps` such steps from `start`.
# * `gradient`: a function from w to a tensor of its shape. Call it once a step, on the current w. `start`, `correction`: float64, shape (d,).
#
# <details><summary>Hint 1: what is tied to what?</summary>
#
# Which two points does mu compare? Which of them moves?
# </details>
# <details><summary>Hint 2: in place</summary>
#
# `w -= …` on `w = start` moves `start` too.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `w = start`, then `steps` times `w = w - lr * (…)`.
# </details>


# %% local_steps tags=["solution"]
def local_steps(gradient, start, lr, steps, mu, correction):
    ### BEGIN SOLUTION
    w = start
    for _ in range(steps):
        w = w - lr * (gradient(w) + mu * (w - start) + correction)
    return w
    ### END SOLUTION


# %% test_local_steps tags=["test", "core"] points=5 hours=0.5 covers=["federated", "lo1"]
def watched(asked):
    def gradient(w):
        asked.append(w.clone())
        return torch.tanh(w) - 0.3

    return gradient


start, correction = check.rng.normal(2, 4, dtype=torch.float64).cpu()
for mu, shift in [(0.0, 0 * correction), (0.7, correction)]:
    asked, w, expected = [], start, []
    found = local_steps(watched(asked), start.clone(), 0.1, 3, mu, shift)
    for _ in range(3):
        expected.append(w)
        w = w - 0.1 * (torch.tanh(w) - 0.3 + mu * (w - start) + shift)
    check.close(found, w, name=f"w after 3 steps with mu = {mu}")
    check.equal(len(asked), 3, name="calls of gradient in 3 steps")
### BEGIN HIDDEN TESTS
for got, want in zip(asked, expected, strict=True):
    check.close(got, want, name="a point at which the gradient was asked for")
### END HIDDEN TESTS

# %% [markdown]
# ### Where exactly does it stop?
#
# On quadratic clients you can say before you run it. Let Bₖ = Aₖ + mu · I. Written out, K local steps move client k from w by
#
# −Gₖ (w − cₖ), with Gₖ = (I − (I − lr · Bₖ)ᴷ) Bₖ⁻¹ Aₖ
#
# The server rests where the weighted moves cancel: Σ pₖ Gₖ (w − cₖ) = 0. **It is an optimum, but of other stiffnesses**: Gₖ in place of Aₖ. By hand in one dimension, mu = 0, lr = 0.5, K = 2, A = 1 and 0.5: G = 1 − 0.5² = 0.75 and 1 − 0.75² = 0.4375. The
# ratio was 2, now it is 1.71. With K → ∞ every G is 1, and the server rests at the plain mean of the centres.
#
# **Your task (2b).** `resting_point(A, c, p, lr, steps, mu)` returns the w, shape (d,), at which FedAvg (mu = 0) or FedProx rests.
# * `A`: (N, d, d), symmetric positive definite; `c`: (N, d); `p`: (N,), positive, sums to 1. All float64. `steps`: 1 or more.
# * Play no rounds: **at most 60 torch operations**. (`matrix_power(x, 12)` is four of them.)
#
# <details><summary>Hint 1: what do you solve?</summary>
#
# Σ pₖ Gₖ w = Σ pₖ Gₖ cₖ: one linear system of d equations.
# </details>
# <details><summary>Hint 2: a high power</summary>
#
# `torch.linalg.matrix_power` squares its way up, and takes a batch of matrices.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `optimum(G, c, p)` solves exactly this system. Inverse times matrix: `torch.linalg.solve(B, A)`.
# </details>


# %% resting_point tags=["solution"]
def resting_point(A, c, p, lr, steps, mu):
    ### BEGIN SOLUTION
    eye = torch.eye(A.shape[1], dtype=A.dtype)
    B = A + mu * eye
    G = (eye - torch.linalg.matrix_power(eye - lr * B, steps)) @ torch.linalg.solve(B, A)
    return optimum(G, c, p)
    ### END SOLUTION


# %% test_resting_point tags=["test", "core"] points=5 hours=0.75 covers=["federated", "lo3"]
A, c = torch.tensor([[[1.0]], [[0.5]]], dtype=torch.float64), torch.tensor([[0.0], [1.0]], dtype=torch.float64)
half = torch.tensor([0.5, 0.5], dtype=torch.float64)
expected = torch.tensor([0.4375 / 1.1875], dtype=torch.float64)
check.close(resting_point(A, c, half, 0.5, 2, 0.0), expected, name="the example's resting point")
### BEGIN HIDDEN TESTS
N, d = 5, 3
A, c = stiff_clients(check.rng.normal(N, d, d + 1).cpu(), check.rng.uniform(N, d).cpu())
p = check.rng.uniform(N, low=0.2).cpu().double()
p = p / p.sum()
for lr, steps, mu in [(0.3, 1, 0.0), (0.1, 7, 0.0), (0.05, 12, 3.0), (0.05, 6, 6.0)]:
    w = torch.zeros(d, dtype=torch.float64)
    for _ in range(600):
        ends = w.expand(N, d)
        for _ in range(steps):
            ends = ends - lr * ((A @ (ends - c)[..., None])[..., 0] + mu * (ends - w))
        w = p @ ends
    found = resting_point(A, c, p, lr, steps, mu)
    check.close(found, w, rtol=1e-6, name=f"the resting point with {steps} steps, mu = {mu}")
operations = check.observe(resting_point, A, c, p, 0.05, 100, 0.0).torch_ops
assert 3 <= len(operations) <= 60, f"resting_point takes {len(operations)} torch operations, expected at most 60."
### END HIDDEN TESTS

# %% [markdown]
# **Predict.** Five clients, 20 local steps: how far from the optimum does FedAvg stop? Your formula answers, and it is locked before any round runs. (To start over, delete `predictions.json` beside this notebook.) Before you run it: will 1 step stop nearer, and how near?

# %% lock_prediction
generator = torch.Generator().manual_seed(3)
five_A, five_c = stiff_clients(torch.randn(5, 4, 5, generator=generator), torch.rand(5, 4, generator=generator))
fifth = torch.full((5,), 0.2, dtype=torch.float64)
best = optimum(five_A, five_c, fifth)
predicted = check.lock(
    "distance from the optimum, 20 steps", (resting_point(five_A, five_c, fifth, 0.1, 20, 0.0) - best).norm().item()
)

# %% look_rest
zero = torch.zeros(4, dtype=torch.float64)
print(f"predicted for 20 steps: {predicted:.6f}")
for steps, mu in [(1, 0.0), (20, 0.0), (20, 1.0), (20, 5.0)]:
    w = zero
    for _ in range(300):
        clients = [Quadratic(a, x) for a, x in zip(five_A, five_c, strict=True)]
        w = torch.stack([local_steps(f, w, 0.1, steps, mu, zero) for f in clients]).mean(dim=0)
    print(f"{steps:2} steps, mu {mu:g}: stops {(w - best).norm():.6f} from the optimum")

# %% [markdown]
# ### SCAFFOLD: know the others' pull
#
# FedProx holds clients back, so it also slows them. SCAFFOLD tells each client what the others would say. Every client keeps a **control** cₖ, an estimate of its own gradient; the server keeps their mean, c. A client steps along
#
# gradient(w) − own control + mean control
#
# At the optimum the mean gradient is zero. If controls are exact there, each client's step is zero as well: nobody drifts. The price: **a second vector crosses the network**, both ways.
#
# **Your task (2c).** `scaffold_round(gradients, model, control, controls, lr, steps, sampled)` returns `(model, control, controls)` after a round.
# * `gradients`: one function a client. `model`, `control`: (d,). `controls`: one (d,) tensor a client. `sampled`: the numbers of the clients that take part, ascending. float64.
# * Each sampled client k takes `steps` steps from `model` with gradient(w) − controls[k] + control, and arrives at yₖ. Its new control is controls[k] − control + (model − yₖ) / (steps · lr): the mean gradient that it saw.
# * New model: model plus the mean of yₖ − model over the **sampled**. New control: control plus the sum of the sampled clients' changes, divided by the number of **all** clients, so that it stays the mean of all controls.
# * `controls` comes back as a new list; who was not sampled keeps its own. One call of a gradient a step. No other exercise's function is needed.
#
# <details><summary>Hint 1: old or new?</summary>
#
# Every client of a round uses the `control` that the round began with.
# </details>
# <details><summary>Hint 2: two denominators</summary>
#
# Who moved the model? Whose mean is `control`?
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Collect `y - model` and `new - controls[k]` in two lists. `list(controls)` is a new list.
# </details>


# %% scaffold_round tags=["solution"]
def scaffold_round(gradients, model, control, controls, lr, steps, sampled):
    ### BEGIN SOLUTION
    kept, moves, changes = list(controls), [], []
    for k in sampled:
        w = model
        for _ in range(steps):
            w = w - lr * (gradients[k](w) - controls[k] + control)
        kept[k] = controls[k] - control + (model - w) / (steps * lr)
        moves.append(w - model)
        changes.append(kept[k] - controls[k])
    model = model + torch.stack(moves).mean(dim=0)
    return model, control + torch.stack(changes).sum(dim=0) / len(controls), kept
    ### END SOLUTION


# %% test_scaffold_round tags=["test", "core"] points=10 hours=1.0 covers=["federated", "lo1"]
def scaffold_expected(gradients, model, control, controls, lr, steps, sampled):
    ends = {k: model for k in sampled}
    for _ in range(steps):
        ends = {k: y - lr * (gradients[k](y) + control - controls[k]) for k, y in ends.items()}
    new = [old + (model - ends[k]) / (steps * lr) - control if k in ends else old for k, old in enumerate(controls)]
    return (
        model + sum(y - model for y in ends.values()) / len(ends),
        control + sum(new) / len(new) - sum(controls) / len(new),
        new,
    )


N, d = 4, 3
A, c = stiff_clients(check.rng.normal(N, d, d + 1).cpu(), check.rng.uniform(N, d).cpu())
clients = [Quadratic(a, x) for a, x in zip(A, c, strict=True)]
controls = list(check.rng.normal(N, d, dtype=torch.float64).cpu())
args = (clients, check.rng.normal(d, dtype=torch.float64).cpu(), sum(controls) / N, controls, 0.1, 4)
found, expected = scaffold_round(*args, [0, 1, 2, 3]), scaffold_expected(*args, [0, 1, 2, 3])
for got, want, name in zip(found[:2], expected[:2], ("model", "control"), strict=True):
    check.close(got, want, name=f"the new {name}")
### BEGIN HIDDEN TESTS
calls = []
counted = [lambda w, k=k: (calls.append(k), clients[k](w))[1] for k in range(N)]
found, expected = scaffold_round(counted, *args[1:], [1, 3]), scaffold_expected(*args, [1, 3])
check.equal(
    [calls.count(k) for k in range(N)],
    [0, 4, 0, 4],
    name="calls of each client's gradient, of which 1 and 3 are sampled,",
)
for got, want, name in zip(found[:2], expected[:2], ("model", "control"), strict=True):
    check.close(got, want, rtol=1e-9, name=f"the new {name} with clients 1 and 3 sampled")
zero = torch.zeros(d, dtype=torch.float64)
model, control, controls = zero, zero, [zero] * N
for _ in range(150):
    model, control, controls = scaffold_round(clients, model, control, controls, 0.1, 5, [0, 1, 2, 3])
away = (model - optimum(A, c, torch.full((N,), 0.25, dtype=torch.float64))).norm().item()
assert away < 1e-6, f"After 150 rounds the model is {away:.2g} from the optimum, expected at most 1e-6."
### END HIDDEN TESTS

# %% look_scaffold
zero = torch.zeros(4, dtype=torch.float64)
model, control, controls = zero, zero, [zero] * 5
clients = [Quadratic(a, x) for a, x in zip(five_A, five_c, strict=True)]
for number in range(1, 121):
    model, control, controls = scaffold_round(clients, model, control, controls, 0.1, 20, [0, 1, 2, 3, 4])
    if number in (1, 10, 30, 60, 120):
        print(
            f"round {number:3}: {(model - best).norm():.1e} from the optimum, {2 * 4 * number:4} numbers sent up by each client"
        )
scaffold_distance = (model - best).norm().item()

# %% [markdown]
# On digits the methods cannot be told apart so neatly: networks are not quadratic, and gradients are noisy. Published comparisons disagree on the order. Here FedProx against FedAvg, on a skewed split. It shows, it proves nothing. (About 2 s.)

# %% look_prox
for mu in (0.0, 0.1):
    report, _ = run_in_process(*digits_apps(), 10, {**TRAINING, "alpha": 0.1, "mu": mu, "rounds": 6})
    print(f"mu {mu:3}: accuracy by round " + "  ".join(f"{100 * a:4.1f}" for a in report["accuracy"]))

# %% [markdown]
# ## 3 · A sum that nobody can read
#
# An update tells much about the data behind it. But the server does not need the updates. It needs their **sum**. So let every pair of clients agree on a random vector, a **mask**. One adds it, the other subtracts it:
#
# ```text
# client 0 sends  x0 + m01 + m02
# client 1 sends  x1 − m01       + m12
# client 2 sends  x2       − m02 − m12      the sum is x0 + x1 + x2
# ```
#
# Everything is an integer **modulo 2³²**. There a uniform mask hides perfectly: whatever x is, x + m is uniform. And integers add exactly, in any order, so that masks cancel to the last bit. Floats would not.
#
# Move the slider: it adds up what the clients sent, one after the other. When does the picture appear?

# %% given_words tags=["setup"]
MODULUS = 2**32


def to_words(x, scale=2.0**16):
    """Floats as integers modulo 2³²: fixed point with 16 bits after the point."""
    return (x.double() * scale).round().to(torch.int64) % MODULUS


def from_words(words, scale=2.0**16):
    """The floats again; the upper half of the words are the negative numbers."""
    return ((words + MODULUS // 2) % MODULUS - MODULUS // 2).double().div(scale).float()


# %% look_masks
images = to_words(digits().test_x[:4].flatten(1))
pads = {pair: stream(bytes([*pair, *range(30)]), 64) for pair in product(range(4), repeat=2) if pair[0] < pair[1]}
sent = images.clone()
for (i, j), pad in pads.items():
    sent[i], sent[j] = (sent[i] + pad) % MODULUS, (sent[j] - pad) % MODULUS
viz.masked_sum(sent.view(4, 8, 8).tolist(), images.sum(dim=0).view(8, 8).tolist(), MODULUS)

# %% [markdown]
# What if client 2 vanishes after it agreed on masks? Then m02 and m12 stay in the sum. The others can give away client 2's secret, so that the server computes these masks and takes them out. But what if client 2 was only *late*? Then its vector arrives, the server
# takes m02 and m12 off it too, and reads x2!
#
# So each client adds one more mask, its **own**, from a seed. When the deadline has passed, the server asks for **one** secret of each client: the seed of the own mask if its vector came in time, the key of its pairwise masks if not. **Never both.**
#
# **Your task (3a).** `masked(words, me, own, pairs, modulus)` returns what client `me` sends.
# * `words`, `own`: int64, shape (n,), from 0 to modulus − 1; `own` is its own mask. `pairs`: dict from each other client's number to the mask shared with it.
# * The client with the **lower** number adds the shared mask, the one with the higher subtracts it. Result: int64, from 0 to modulus − 1.
#
# <details><summary>Hint 1: who adds?</summary>
#
# Both of a pair call your function with the same mask. What differs between the two calls?
# </details>
# <details><summary>Hint 2: below zero</summary>
#
# In torch, as in Python, `(-3) % 10` is 7.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Add `pad if me < other else -pad` for each pair, and take the remainder in the end: int64 has room for two billion such numbers.
# </details>


# %% masked tags=["solution"]
def masked(words, me, own, pairs, modulus):
    ### BEGIN SOLUTION
    total = words + own
    for other, pad in pairs.items():
        total = total + (pad if me < other else -pad)
    return total % modulus
    ### END SOLUTION


# %% test_masked tags=["test", "core"] points=10 hours=0.75 covers=["federated", "lo1"]
def all_sent(words, owns, pads, modulus):
    N = len(words)
    views = []
    for me in range(N):
        pairs = {other: pads[min(me, other), max(me, other)] for other in range(N) if other != me}
        views.append(masked(words[me], me, owns[me], pairs, modulus))
    return views


words = torch.tensor([[5, 9], [1, 1], [8, 0]])
pads = {(0, 1): torch.tensor([3, 4]), (0, 2): torch.tensor([9, 9]), (1, 2): torch.tensor([0, 7])}
sent = all_sent(words, torch.tensor([[0, 0], [0, 0], [6, 1]]), pads, 10)
check.equal(sent[0], torch.tensor([7, 2]), name="what client 0 sends")
check.equal(sum(sent) % 10, torch.tensor([0, 1]), name="the sum of all, with the own mask 6, 1 of client 2 in it,")
### BEGIN HIDDEN TESTS
N, size = 6, 50
words, owns = check.rng.integers(0, MODULUS, 2, N, size).cpu()
pads = {(i, j): check.rng.integers(0, MODULUS, size).cpu() for i in range(N) for j in range(i + 1, N)}
seen = check.observe(masked, words[1], 1, owns[1], {0: pads[0, 1], 2: pads[1, 2]}, MODULUS)
check.equal(seen.changed_inputs, [], name="the arguments that masked changed")

# Three clients, words modulo 3: every value of the six masks, one in each place of the vectors.
every = torch.tensor(list(product(range(3), repeat=6))).T
pads = {(0, 1): every[3], (0, 2): every[4], (1, 2): every[5]}


def view_of(data, late):
    """Everything that the server gets to see, over all masks; with `late`, client 2's vector is too late."""
    sent = all_sent([torch.full((729,), x) for x in data], every[:3], pads, 3)
    rows = [*sent, *every[:2], *([every[4], every[5]] if late else [every[2]])]
    return sorted(zip(*(row.tolist() for row in rows), strict=True))


same_sum = view_of((0, 2, 1), False) == view_of((1, 1, 1), False)
late_differs = view_of((0, 2, 1), True) == view_of((0, 2, 2), True)
other_sum = view_of((0, 2, 1), False) == view_of((0, 2, 2), False)
check.equal(
    [same_sum, late_differs, other_sum],
    [True, True, False],
    name="whether the server sees the same: equal sums, another late vector, other sums,",
)
### END HIDDEN TESTS

# %% [markdown]
# The hidden part goes through *all* masks of three clients modulo 3. What the server sees, every vector and every secret that it may ask for, comes equally often whichever data lie behind the same sum. That is the whole promise, proved by counting.
#
# ### Secrets in pieces
#
# A client that has vanished cannot give its key away. So before the round it hands every client a **share** of it, such that any t shares give the secret and t − 1 say nothing. Shamir's idea: t points fix a polynomial of degree t − 1. Hide the secret at 0:
#
# share of client x = secret + a₁·x + a₂·x² + … + aₜ₋₁·xᵗ⁻¹ modulo a prime, with random a
#
# By hand, modulo 11, t = 2, secret 5, a₁ = 4: the shares of clients 1, 2, 3 are 9, 2, 6. From the shares 9 and 2, the line through (1, 9) and (2, 2) meets 0 at 2 · 9 − 2 = 16, which is 5.
#
# In general, from points (xᵢ, yᵢ): secret = Σ yᵢ · Πⱼ≠ᵢ xⱼ / (xⱼ − xᵢ). Division modulo a prime is multiplication with the inverse, `pow(value, -1, prime)`.
#
# **Your task (3b).**
# * `share(secret, n, coefficients, prime)` returns the list of the shares `(x, y)` of clients x = 1 to n. `coefficients`: [a₁, …, aₜ₋₁]. All are Python ints; the prime has up to 521 bits.
# * `recover(shares, prime)` returns the secret from t or more such shares, in any order.
#
# <details><summary>Hint 1: exact, and large</summary>
#
# Floats hold 53 bits. Python's ints hold all.
# </details>
# <details><summary>Hint 2: a check by hand</summary>
#
# For shares (1, 9), (2, 2): the factors are 2 / (2 − 1) = 2 and 1 / (1 − 2) = −1.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `top = top * x_j % prime`, `bottom = bottom * (x_j - x_i) % prime`, then `total += y_i * top * pow(bottom, -1, prime)`.
# </details>


# %% share tags=["solution"]
def share(secret, n, coefficients, prime):
    ### BEGIN SOLUTION
    terms = [secret, *coefficients]
    return [(x, sum(a * x**power for power, a in enumerate(terms)) % prime) for x in range(1, n + 1)]
    ### END SOLUTION


def recover(shares, prime):
    ### BEGIN SOLUTION
    total = 0
    for x, y in shares:
        others = [other for other, _ in shares if other != x]
        bottom = math.prod(other - x for other in others) % prime
        total += y * math.prod(others) * pow(bottom, -1, prime)
    return total % prime
    ### END SOLUTION


# %% test_share tags=["test", "core"] points=10 hours=1.0 covers=["federated", "lo1"]
check.equal(share(5, 3, [4], 11), [(1, 9), (2, 2), (3, 6)], name="the shares of the example")
check.equal(recover([(1, 9), (2, 2)], 11), 5, name="the secret of the example")
### BEGIN HIDDEN TESTS
prime, n, t = 2**521 - 1, 10, 7
numbers = [sum(check.rng.choice(0, 2**30) * 2 ** (30 * i) for i in range(17)) for _ in range(t)]
secret, *coefficients = numbers
shares = share(secret, n, coefficients, prime)
expected = [(x, sum(a * pow(x, i, prime) for i, a in enumerate(numbers)) % prime) for x in range(1, n + 1)]
check.equal(shares, expected, name="shares of a secret of 510 bits")
for _ in range(3):
    start = check.rng.choice(0, n)
    some = [expected[(start + 3 * i) % n] for i in range(check.rng.choice(t, n + 1))]
    check.equal(recover(some, prime), secret, name=f"the secret from {len(some)} shares")
### END HIDDEN TESTS

# %% [markdown]
# ### The server's side
#
# Everything together. Pairwise masks come from a **key agreement**: every client has a private key and publishes a public one. `agree(my_private, your_public)` and `agree(your_private, my_public)` are the same 32 bytes, and whoever sees only the public keys learns nothing.
# `stream(seed, size)` stretches a seed of 32 bytes into `size` words, int64 from 0 to 2³² − 1. So m₀₁ = stream(agree(private₀, public₁), size), and the own mask is stream(own seed, size).
#
# **Your task (3c).** `server_sum(events, publics, reveal, threshold, size)` returns the sum of the vectors that came in time, int64, from 0 to 2³² − 1, shape (size,).
# * `events`: a list in order of time: `("vector", client, words)` or `("deadline",)`, exactly one of the latter. What comes after the deadline does not count.
# * `publics`: dict from the number of each client that began, to its public key. Some of them send nothing. Masks were put on as in 3a, for **all** clients that began.
# * `reveal(what, client)` gives 32 bytes, put together from shares: `"own"` the own seed, `"key"` the private key. Ask once for each client: `"own"` if its vector came in time, else `"key"`. Whoever asks for both could read that client's data; the clients refuse.
# * With fewer than `threshold` vectors in time raise a ValueError, and ask for nothing.
#
# <details><summary>Hint 1: what is left in the sum?</summary>
#
# Between two clients that both sent, masks cancel. Which own masks, and which pairwise ones, are still there?
# </details>
# <details><summary>Hint 2: with which sign?</summary>
#
# For a missing client j and a present one i, the sum holds +m if i < j, else −m. Take off what is there.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# For each missing j: `key = reveal("key", j)`, and for each present i the mask is `stream(agree(key, publics[i]), size)`.
# </details>


# %% server_sum tags=["solution"]
def server_sum(events, publics, reveal, threshold, size):
    ### BEGIN SOLUTION
    vectors = {}
    for event, *rest in events:
        if event == "deadline":
            break
        client, words = rest
        vectors[client] = words
    if len(vectors) < threshold:
        raise ValueError(f"{len(vectors)} vectors came in time; {threshold} are needed.")
    total = sum(vectors.values())
    for client in publics:
        if client in vectors:
            total = total - stream(reveal("own", client), size)
            continue
        key = reveal("key", client)
        for other in vectors:
            pad = stream(agree(key, publics[other]), size)
            total = total - (pad if other < client else -pad)
    return total % MODULUS
    ### END SOLUTION


# %% given_round tags=["setup"]
class Round:
    """A round of clients with keys and seeds from `numbers`: what each sends, and what they reveal."""

    def __init__(self, words, numbers):
        self.words, self.size = words, words.shape[1]
        self.keys = {k: bytes(row[:32]) for k, row in enumerate(numbers)}
        self.seeds = {k: bytes(row[32:]) for k, row in enumerate(numbers)}
        self.publics = {k: public_key(key) for k, key in self.keys.items()}
        self.asked = []

    def sent(self, me):
        """The masked vector of client `me`."""
        total = self.words[me] + stream(self.seeds[me], self.size)
        for other, public in self.publics.items():
            if other != me:
                pad = stream(agree(self.keys[me], public), self.size)
                total = total + (pad if me < other else -pad)
        return ("vector", me, total % MODULUS)

    def reveal(self, what, client):
        """One secret of a client; the other one is then gone."""
        if any(known == client and kind != what for kind, known in self.asked):
            raise PermissionError(f"Both secrets of client {client} were asked for: the server could read its vector.")
        self.asked.append((what, client))
        return {"own": self.seeds, "key": self.keys}[what][client]


# %% test_server_sum tags=["test", "core"] points=10 hours=1.25 covers=["federated", "lo1"]
def judge_round(words, intime, late, threshold, name):
    N = len(words)
    numbers = check.rng.integers(0, 256, N, 64).cpu().tolist()
    play = Round(words, numbers)
    events = [play.sent(k) for k in intime] + [("deadline",)] + [play.sent(k) for k in late]
    found = server_sum(events, play.publics, lambda what, client: play.reveal(what, client), threshold, words.shape[1])
    check.equal(found, words[intime].sum(dim=0) % MODULUS, name=f"{name}: the sum")
    wanted = sorted([("own", k) for k in intime] + [("key", k) for k in range(N) if k not in intime])
    check.equal(sorted(play.asked), wanted, name=f"{name}: what was asked for")


words = check.rng.integers(0, MODULUS, 4, 6).cpu()
judge_round(words, [0, 1, 2, 3], [], 3, "all in time")
judge_round(words, [3, 0, 1], [], 3, "client 2 vanished")
### BEGIN HIDDEN TESTS
words = check.rng.integers(0, MODULUS, 10, 40).cpu()
judge_round(words, [9, 1, 2, 8, 4, 5, 6], [], 7, "3 of 10 vanished")
judge_round(words, [0, 3, 2, 7, 4, 5, 6], [9, 1], 7, "2 of 10 late, 1 vanished")
play = Round(words, check.rng.integers(0, 256, 10, 64).cpu().tolist())
events = [play.sent(k) for k in range(6)] + [("deadline",), play.sent(6)]
nobody = {}  # whoever asks meets a KeyError
refused = check.raises(ValueError, server_sum, events, play.publics, lambda what, client: nobody[client], 7, 40)
### END HIDDEN TESTS

# %% [markdown]
# All three parts at once: ten clients, any seven shares, two vanish and one is late. Keys are put together from shares. (The random numbers of a real client come from its operating system.)

# %% look_secure
PRIME, clients, needed, drawn = 2**521 - 1, 10, 7, torch.Generator().manual_seed(5)
play = Round(
    to_words(0.1 * torch.randn(clients, 19_210, generator=drawn)),
    torch.randint(0, 256, (clients, 64), generator=drawn).tolist(),
)
held = {}
for what, secrets in (("own", play.seeds), ("key", play.keys)):
    for k, secret in secrets.items():
        coefficients = [
            int.from_bytes(bytes(torch.randint(0, 256, (64,), generator=drawn).tolist())) for _ in range(needed - 1)
        ]
        held[what, k] = share(int.from_bytes(secret), clients, coefficients, PRIME)
intime, late = [0, 1, 2, 4, 5, 7, 9], [8]
revealed = []


def from_shares(what, client):
    revealed.append((what, client))
    alive = [held[what, client][k] for k in [*intime, *late]]
    return recover(alive[:needed], PRIME).to_bytes(32)


events = [*map(play.sent, intime), ("deadline",), *map(play.sent, late)]
found = server_sum(events, play.publics, from_shares, needed, 19_210)
print("exact:", bool((found == play.words[intime].sum(dim=0) % MODULUS).all()))
print("asked:", ", ".join(f"{what} of {client}" for what, client in revealed))
vector, shares = 4 * 19_210, 2 * (clients - 1) * 66
print(f"a client sends {vector:,} bytes of masked words, and {shares:,} bytes of shares: {shares / vector:.1%} more")
print(f"with 1000 clients: {2 * 999 * 66:,} bytes of shares, {2 * 999 * 66 / vector:.1f} times the vector")

# %% [markdown]
# Masks cost no bytes. Shares do: every client sends one to every other, so all together they grow with the square of the clients. This is why large systems let each client share with a few neighbours only.

# %% [markdown]
# ## 4 · What the sum still tells
#
# The sum, too, tells something. Whoever knows all clients but one can subtract. **Differential privacy** bounds what anybody can learn of one client from all that is ever published: the probability of any outcome changes by at most a factor e^ε when a client joins or leaves,
# but for a probability of δ. The unit here is a whole client, not one example.
#
# Three steps make an average private. **Clip**: no update is longer than C. **Add noise** to the sum, of standard deviation σ · C in each place. **Divide by a fixed number**: the expected number of clients, since the true one would tell who is there.
#
# **Your task (4a).** `private_mean(updates, bound, multiplier, expected, noise)` returns a float32 tensor, shape (d,).
# * `updates`: a list of float32 (d,) tensors, maybe empty. One longer than `bound` in the 2-norm is scaled down to exactly that length; shorter ones stay as they are, and zero stays zero.
# * Result: (sum of the clipped + multiplier · bound · noise) / expected. `noise`: (d,), standard normal, given.
#
# <details><summary>Hint 1: whom does clipping touch?</summary>
#
# The factor is never above 1.
# </details>
# <details><summary>Hint 2: length zero</summary>
#
# bound / 0 is infinite, and infinity times 0 is NaN.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `update * min(1.0, bound / max(length, bound))`.
# </details>


# %% private_mean tags=["solution"]
def private_mean(updates, bound, multiplier, expected, noise):
    ### BEGIN SOLUTION
    total = multiplier * bound * noise
    for update in updates:
        total = total + update * (bound / max(update.norm().item(), bound))
    return total / expected
    ### END SOLUTION


# %% test_private_mean tags=["test", "core"] points=5 hours=0.5 covers=["federated", "lo1"]
updates, noise = [torch.tensor([3.0, 4.0]), torch.tensor([0.3, 0.4])], torch.tensor([1.0, -1.0])
found = private_mean(updates, 1.0, 0.5, 4, noise)
check.close(found, torch.tensor([0.35, 0.175]), name="the mean of a long and a short update")
### BEGIN HIDDEN TESTS
lengths = torch.tensor([0.0, 0.1, 1.9, 2.1, 50.0, 3.0])
updates = check.rng.normal(6, 30).cpu()
updates = updates / updates.norm(dim=1, keepdim=True) * lengths[:, None]
clipped, noise = updates * (lengths.clamp(max=2.0) / lengths.clamp(min=1e-9))[:, None], check.rng.normal(30).cpu()
found = private_mean(list(updates), 2.0, 1.3, 8, noise)
check.close(found, (clipped.sum(dim=0) + 2.6 * noise) / 8, name="the private mean of six updates")
check.close(private_mean([], 2.0, 1.3, 8, noise), 2.6 * noise / 8, name="the private mean of nobody")
### END HIDDEN TESTS

# %% [markdown]
# ### The accountant
#
# A round costs some privacy, and all rounds add up. Adding the εs adds far too much. **Rényi** divergences add exactly, and at the end one converts. If each client takes part with probability q, independently, one round costs at the integer order a ≥ 2
#
# R(a) = 1 / (a − 1) · log Σₖ₌₀..ₐ  binom(a, k) · (1 − q)^(a−k) · qᵏ · exp(k (k − 1) / (2σ²))
#
# and T rounds cost T · R(a). For every order a, with a chance of δ that it is worse,
#
# ε = T · R(a) + log((a − 1) / a) − (log δ + log a) / (a − 1)
#
# Take the best order. If even that is below 0, ε is 0. By hand: q = 1 leaves only k = a, and R = a / (2σ²).
#
# **Your task (4b).** `epsilon(q, sigma, rounds, delta, orders)` returns a float: the smallest such ε over the given integer orders.
# * `q`: from 0 (exclusive) to 1 (inclusive). `orders`: a list of ints, 2 to 512. `sigma` at least 0.3: exp(k (k − 1) / (2σ²)) then exceeds any float, so work with logarithms.
#
# <details><summary>Hint 1: a sum of huge numbers</summary>
#
# log Σ exp(sₖ) = m + log Σ exp(sₖ − m), with m the largest s.
# </details>
# <details><summary>Hint 2: the binomial, and q = 1</summary>
#
# `math.log(math.comb(order, k))` takes ints of any size. With q = 1, log(1 − q) does not exist; which terms remain?
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# A list of logs for k = 0 … a; `torch.logsumexp` of it in float64, divided by a − 1. Treat q = 1 apart.
# </details>


# %% epsilon tags=["solution"]
def epsilon(q, sigma, rounds, delta, orders):
    ### BEGIN SOLUTION
    def cost(order):
        if q == 1:
            return order / (2 * sigma**2)
        logs = [
            math.log(math.comb(order, k))
            + (order - k) * math.log1p(-q)
            + k * math.log(q)
            + k * (k - 1) / (2 * sigma**2)
            for k in range(order + 1)
        ]
        return torch.tensor(logs, dtype=torch.float64).logsumexp(dim=0).item() / (order - 1)

    found = [rounds * cost(a) + math.log((a - 1) / a) - (math.log(delta) + math.log(a)) / (a - 1) for a in orders]
    return max(0.0, min(found))
    ### END SOLUTION


# %% test_epsilon tags=["test", "core"] points=10 hours=1.0 covers=["federated", "lo3"]
found, expected = epsilon(1.0, 2.0, 1, 1e-5, [8]), 1.0 + math.log(7 / 8) - math.log(8e-5) / 7
assert math.isclose(found, expected, rel_tol=1e-9), f"One round with everybody costs {found}, expected {expected}."
### BEGIN HIDDEN TESTS
from lablib.federated.privacy import renyi_divergence

for q, sigma, rounds, orders in [
    (0.1, 1.0, 100, [2, 3, 5, 8]),
    (0.01, 0.7, 1000, list(range(2, 40))),
    (0.5, 0.3, 3, [2, 400]),
    (0.3, 0.4, 2, [128, 300]),
    (1.0, 5.0, 20, [4, 8, 16, 32]),
    (0.001, 50.0, 1, [2]),
]:
    delta = check.rng.choice(1, 100) / 1e7
    candidates = [
        rounds * renyi_divergence(q, sigma, a) + math.log((a - 1) / a) - (math.log(delta) + math.log(a)) / (a - 1)
        for a in orders
    ]
    found, expected = epsilon(q, sigma, rounds, delta, orders), max(0.0, min(candidates))
    name = f"epsilon({q}, {sigma}, {rounds}, {delta}, …)"
    assert math.isclose(found, expected, rel_tol=1e-6), f"{name} is {found}, by integration {expected}."
check.equal(epsilon(0.001, 50.0, 1, 0.9, [2]), 0.0, name="ε where every order gives less than 0")
### END HIDDEN TESTS

# %% [markdown]
# The check does not know your formula: it integrates the densities themselves. (Opacus, a library that many use, agrees with both; `benchmarks/lab16.py` compares.)
#
# Move the slider: the noise. How many rounds does a budget of ε = 2 buy, when one client in a hundred takes part in each?

# %% look_budget
ORDERS = list(range(2, 65))
rounds = [1, 10, 30, 100, 300, 1000, 3000, 10_000]
budget = {
    sigma: {f"q = {q:g}": [epsilon(q, sigma, T, 1e-6, ORDERS) for T in rounds] for q in (0.001, 0.01, 0.1)}
    for sigma in (0.6, 0.8, 1.0, 2.0, 4.0)
}
viz.privacy_budget(rounds, budget, limit=2.0, start=2)

# %% [markdown]
# Noise is added once, however many clients there are; then it is divided by their number. So the same ε hurts few clients much, and many hardly. Ten clients train here, with the noise that a round of 10 or of 1000 would have. (About 2 s.)

# %% look_noise
noise_source = torch.Generator().manual_seed(11)
for crowd in (10, 1000):

    def noisy(updates, examples, crowd=crowd):
        mean = private_mean(updates, 2.0, 0.0, len(updates), torch.zeros_like(updates[0]))
        noise = torch.randn(len(mean), generator=noise_source)
        return mean + private_mean([], 2.0, 1.0, crowd, noise)

    report, _ = run_in_process(*digits_apps(aggregate=noisy), 10, {**TRAINING, "rounds": 6})
    print(f"noise as for {crowd:7,} clients a round: accuracy after 6 rounds {100 * report['accuracy'][-1]:4.1f}%")

# %% [markdown]
# ## 5 · A twentieth of the bytes
#
# Most numbers of an update are small. Send only the largest, with their places: **top-k**. What is not sent is not lost either, if each client keeps it as a **residual** and adds it to its next update. That is **error feedback**. By hand, with one number sent a round:
#
# | round | update | + residual | sent | residual |
# |---|---|---|---|---|
# | 1 | 3, 2 | 3, 2 | 3 at place 0 | 0, 2 |
# | 2 | 1, 2 | 1, 4 | 4 at place 1 | 1, 0 |
#
# Everything arrives, some of it late. Without the residual the second number would never have been sent as 4.
#
# The places count too. A place below 65,536 fits in 2 bytes, and a value as float16 in 2 more: **4 bytes an entry.** Rounding to float16 is an error as well, and goes into the residual like the rest.
#
# **Your task.** `compress(update, residual, budget)` returns `(values, places, residual)`.
# * `update`, `residual`: float32, shape (d,), d at most 65,536. `budget`: bytes for values and places together, at least 4. Send as many entries as fit, at most d.
# * The entries with the largest magnitude of update + residual; no two are equal. `values`: float16, `places`: uint16, **ascending**.
# * The new residual, float32: update + residual, minus what the server will read. Nothing may get lost.
#
# <details><summary>Hint 1: of what are they the largest?</summary>
#
# Of what you would like to send, not of this round's update.
# </details>
# <details><summary>Hint 2: what does the server read?</summary>
#
# `values.float()` at `places`, zero everywhere else.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `wanted.abs().topk(k).indices.sort().values`; then subtract the rounded values from a copy. `.to(torch.uint16)` comes last: torch does not index with it.
# </details>


# %% compress tags=["solution"]
def compress(update, residual, budget):
    ### BEGIN SOLUTION
    wanted = update + residual
    places = wanted.abs().topk(min(budget // 4, len(wanted))).indices.sort().values
    values = wanted[places].half()
    wanted[places] -= values.float()
    return values, places.to(torch.uint16), wanted
    ### END SOLUTION


# %% given_decompress tags=["setup"]
BUDGET = 3400  # bytes of values and places: with names, shapes and counts a message then has 5% of 77 kB


def decompress(sent, size=19_210):
    """What the server reads from `{"values": …, "places": …}`."""
    update = torch.zeros(size)
    update[sent["places"].long()] = sent["values"].float()
    return update


# %% test_compress tags=["test", "core"] points=10 hours=1.0 covers=["federated", "lo3"]
values, places, residual = compress(torch.tensor([1.0, 2.0, -5.0]), torch.tensor([0.0, 2.0, 0.5]), 9)
check.equal(values, torch.tensor([4.0, -4.5]).half(), name="the values sent")
check.equal(places.long(), torch.tensor([1, 2]), name="the places sent")
check.close(residual, torch.tensor([1.0, 0.0, 0.0]), name="the residual")
### BEGIN HIDDEN TESTS
size, residual = 500, torch.zeros(500)
for budget in (200, 43, 4, 200):
    update = check.rng.normal(size).cpu()
    wanted, k = update + residual, budget // 4
    values, places, residual = compress(update, residual, budget)
    expected = wanted.abs().topk(k).indices.sort().values
    check.equal(places, expected.to(torch.uint16), name=f"the places within {budget} bytes")
    check.equal(values, wanted[places.long()].half(), name="the values sent")
    read = decompress({"values": values, "places": places}, size)
    check.equal(residual, wanted - read, name="the residual, rounding included,")
small = check.rng.normal(5).cpu()
check.equal(compress(small, torch.zeros(5), 999)[1].tolist(), [0, 1, 2, 3, 4], name="the places where all fit")
seen = check.observe(compress, small, torch.ones(5), 8)
check.equal(seen.changed_inputs, [], name="the arguments that compress changed")
### END HIDDEN TESTS

# %% [markdown]
# On Flower, with all bytes of the messages counted, and without error feedback as the control. (About 6 s. Accuracies are means of the last four rounds on 360 held-out digits; one digit is 0.28 points.) One run can be lucky: over six splits feedback
# lost 0.1 to 0.6 points, and top-k alone 0.6 to 1.3 (`benchmarks/lab16.py`).

# %% look_compressed


def encode_with(update, residual):
    values, places, residual = compress(update, residual, BUDGET)
    return {"values": values, "places": places}, residual


def encode_without(update, residual):
    values, places, _ = compress(update, torch.zeros_like(update), BUDGET)
    return {"values": values, "places": places}, torch.zeros_like(update)


uplink, accuracy = {}, {}
for name, codec in [
    ("plain", ()),
    ("top-k, feedback", (encode_with, decompress)),
    ("top-k alone", (encode_without, decompress)),
]:
    report, grid = run_in_process(*digits_apps(*codec), 10, TRAINING)
    uplink[name] = sum(grid.uplink.values())
    accuracy[name] = sum(report["accuracy"][-4:]) / 4
    print(
        f"{name:16} accuracy {100 * accuracy[name]:.1f}%   uplink {uplink[name] / 1e6:6.2f} MB, {uplink[name] / uplink['plain']:.1%}"
    )

# %% [markdown]
# ### Diagnose from counters (stretch)
#
# Four servers run all of this, and their models look good. Their counters tell more. The cell plays the servers.


# %% counters tags=["setup"]
def counters(server, clients, vanished, late, bound, multiplier, kept, chance):
    """What a monitor shows of a round of server A to D; `kept` is the share of the updates' square that is sent."""
    present = clients - vanished - late
    spread = multiplier * bound / clients * chance
    return {
        "clients": clients,
        "vectors_in_time": present,
        "own_seeds_revealed": present + (late if server == "B" else 0),
        "keys_revealed": vanished + late,
        "bound": bound,
        "noise_multiplier": multiplier,
        "noise_std_of_the_mean": spread / (clients if server == "C" else 1),
        "square_of_updates": 10.0 * clients,
        "square_sent": 10.0 * clients * kept,
        "square_of_residuals": 0.0 if server == "D" else 10.0 * clients * (1 - kept),
    }


# %% look_counters
cases = {server: counters(server, 50, 4, 3, 2.0, 1.0, 0.6, 1.02) for server in "ABCD"}
print(" " * 22, *(f"{name:>8}" for name in cases))
for counter in cases["A"]:
    print(f"{counter:22}", *(f"{case[counter]:8.4g}" for case in cases.values()))

# %% [markdown]
# **Your task.** `diagnose(c)` takes such a dict and returns one of
# * `"exposed"`: both secrets of some client were revealed, so that the server can read a vector;
# * `"thin noise"`: the mean carries less noise than was promised;
# * `"no feedback"`: what is not sent is forgotten;
# * `"healthy"`: none of these.
#
# A server has at most one fault. In the hidden cases the numbers are others, measured noise lies up to a tenth above or below its expectation, and a server that sends everything has nothing to keep.
#
# <details><summary>Hint 1: one secret a client</summary>How many secrets may be revealed in all?</details>
# <details><summary>Hint 2: what should the noise be?</summary>You wrote the formula in 4a: the expected number here is `clients`.</details>
# <details><summary>Hint 3: three comparisons</summary>Seeds + keys with clients; noise with 0.8 · multiplier · bound / clients; residuals of zero although less was sent than there was.</details>


# %% diagnose tags=["solution"]
def diagnose(c):
    ### BEGIN SOLUTION
    if c["own_seeds_revealed"] + c["keys_revealed"] > c["clients"]:
        return "exposed"
    if c["noise_std_of_the_mean"] < 0.8 * c["noise_multiplier"] * c["bound"] / c["clients"]:
        return "thin noise"
    if c["square_of_residuals"] == 0 and c["square_sent"] < c["square_of_updates"]:
        return "no feedback"
    return "healthy"
    ### END SOLUTION


# %% test_diagnose tags=["test", "stretch"] points=5 hours=0.5 covers=["federated", "lo1"]
faults = {"A": "healthy", "B": "exposed", "C": "thin noise", "D": "no feedback"}
for server, fault in faults.items():
    found = diagnose(counters(server, 50, 4, 3, 2.0, 1.0, 0.6, 1.02))
    check.equal(found, fault, name=f"your diagnosis of server {server}")
### BEGIN HIDDEN TESTS
for clients in (5, 40, 900):
    for chance in (0.91, 1.09):
        vanished, late = check.rng.choice(0, 2), check.rng.choice(1, 3)
        shape = (clients, vanished, late, check.rng.choice(1, 50) / 10, check.rng.choice(3, 30) / 10)
        hidden = [(server, fault, check.rng.choice(10, 90) / 100) for server, fault in faults.items()]
        for server, fault, kept in [*hidden, ("A", "healthy", 1.0)]:
            found = diagnose(counters(server, *shape, kept, chance))
            check.equal(found, fault, name=f"the diagnosis of a server with {clients} clients")
### END HIDDEN TESTS

# %% [markdown]
# ## 6 · Explain
#
# The parts in one system do not simply add up. One table for a round of ten clients:

# %% look_together
vector, few = 4 * 19_210, BUDGET
print(f"plain update               {vector:7,} bytes from each client")
print(f"SCAFFOLD                   {2 * vector:7,} bytes: the change of the control comes along")
print(f"masked                     {vector + 2 * 9 * 66:7,} bytes: every word, because a mask leaves no zeros")
print(f"top-k                      {few:7,} bytes")
print(f"top-k, then masked         {vector + 2 * 9 * 66:7,} bytes: a sum needs the same places from everybody")

# %% [markdown]
# **Explain** (in at most 200 words, in the cell below).
# 1. Your locked prediction and the measured distance for 20 steps agree. Say in terms of Gₖ and Aₖ why FedAvg stops elsewhere than at the optimum, why one step does not, and what that says about sending less often to save bytes. Use a number of `look_rest`.
# 2. A colleague masks the vectors after top-k, to have both. The last row of the table shows what happens. Why? Name a way to save bytes that does go with masks.
# 3. A late client's vector arrives after its key was revealed. What exactly could the server compute with it if there were no own mask? And what would a server that asks for both secrets gain?

# %% explain_together [markdown] tags=["manual", "core"] points=10 hours=0.5 covers=["federated", "lo1", "lo3"]
# ### BEGIN SOLUTION
# 1. FedAvg rests where Σ pₖ Gₖ (w − cₖ) = 0. After many steps Gₖ goes to I whatever Aₖ is, so stiff and soft clients weigh alike: the optimum of other functions. With one step and mu = 0, Gₖ = lr · Aₖ, and lr cancels: 0.000000 away. With 20 steps it stops 0.36 away, as predicted, and mu = 5
#    brings that to 0.10. Fewer, longer rounds save bytes and pay in bias, which no number of further rounds removes; SCAFFOLD removes it for a second vector.
# 2. Places differ from client to client, and masks must be added in the same places. A mask on all places turns the zeros into uniform words, which have to be sent. What keeps places common goes with masks: random places from a shared seed, the same sketch or projection for all, fewer bits a word with a
#    smaller modulus (with room for the sum of all).
# 3. With the key the server computes all pairwise masks of that client, takes them off the late vector, and reads the update itself. The own mask still lies on it, as long as its seed stays unknown. With both secrets the server reads every client of which it has both, although the sum looks right.
# ### END SOLUTION

# %% rubric_explain_together [markdown] tags=["rubric"]
# **10 points.**
# * 4: 2 for Gₖ that loses the stiffness (or goes to I) so that the server rests at another system's optimum, and 1 step where G = lr · A; 1 for a number printed by `look_rest`; 1 for saying that more rounds do not remove the bias.
# * 3: 2 for masks that fill all places, or places that differ between clients; 1 for a way that keeps places common (shared random places, sketch, low rank with common factors, fewer bits).
# * 3: 2 for key → pairwise masks → the late client's own update in the clear without the own mask; 1 for both secrets = any such client is read although the sum is right.

# %% record_figures
from lablib.ledger import record

# Your figures are kept in labs/ledger.json: lab18 fills the tables of its claims and its essay from there.
record("lab16_federated", {
    "fedavg_distance_20_steps": lambda: predicted,
    "scaffold_distance_120_rounds": lambda: scaffold_distance,
    "top_k_uplink_share": lambda: uplink["top-k, feedback"] / uplink["plain"],
    "top_k_points_lost": lambda: 100 * (accuracy["plain"] - accuracy["top-k, feedback"]),
})  # fmt: skip

# %% [markdown]
# ## What to take along
#
# * The server needs a sum. Keep one running sum; never hold all updates.
# * Many local steps save rounds, and move the point where they end. On quadratics you know where to.
# * Masks in modular arithmetic cancel exactly. The difficulty lies in who vanishes, who is late, and what may be asked.
# * Privacy is a budget over all rounds. Noise is cheap for crowds.
# * Compression with error feedback delays, it does not drop. It does not mix with masks by itself.
#
# **Next:** lab17 keeps long runs alive when machines fail; lab15 does the averaging inside one data centre, as an all-reduce.
#
# **Sources**
# * McMahan et al.: *Communication-efficient learning of deep networks from decentralized data*, arXiv:1602.05629, 2016. FedAvg; the upload of 1 MB/s or less.
# * Hsu, Qi, Brown: *Measuring the effects of non-identical data distribution for federated visual classification*, arXiv:1909.06335, 2019. Dirichlet splits. Beutel et al.: *Flower*, arXiv:2007.14390, 2020.
# * Li et al.: *Federated optimization in heterogeneous networks*, arXiv:1812.06127, 2018 (FedProx); Karimireddy et al.: *SCAFFOLD*, arXiv:1910.06378, 2019; Malinovsky et al.: *From local SGD to local fixed-point methods for federated learning*, arXiv:2004.01442, 2020, on where local methods rest.
# * Bonawitz et al.: *Practical secure aggregation for privacy-preserving machine learning*, CCS 2017. Double masks, drop-outs. Bell et al.: *Secure single-server aggregation with (poly)logarithmic overhead*, CCS 2020: neighbours in place of everybody. Shamir: *How to share a secret*, CACM 22(11), 1979.
# * McMahan et al.: *Learning differentially private recurrent language models*, arXiv:1710.06963, 2017. Mironov, Talwar, Zhang: *Rényi differential privacy of the sampled Gaussian mechanism*, arXiv:1908.10530, 2019: the divergence. Canonne, Kamath, Steinke: *The discrete Gaussian for differential privacy*, arXiv:2004.00010, 2020: the conversion.
# * Stich, Cordonnier, Jaggi: *Sparsified SGD with memory*, arXiv:1809.07599, 2018; Karimireddy et al.: *Error feedback fixes SignSGD*, arXiv:1901.09847, 2019.
