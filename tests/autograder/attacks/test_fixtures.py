"""Attacks on a test's inputs: change them, foresee them, remember them, and claim what happened to them."""

from __future__ import annotations

import pytest

from .conftest import hand_ins

HONEST = "(x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)"

ATTACKS = {
    "makes its argument what the oracle cannot standardize": (
        "standardize", "def standardize(x):\n    x.zero_()\n    return x / x"),
    "makes its argument its own result": (
        "standardize", "def standardize(x):\n    x.copy_(torch.randn_like(x))\n    return x.clone()"),
    "changes its argument by way of numpy": (
        "standardize", "def standardize(x):\n    x.numpy()[:] = 1.0\n    return torch.zeros_like(x)"),
    "changes its argument by way of its address": (
        "standardize", "import ctypes\n\n\ndef standardize(x):\n    ctypes.memset(x.data_ptr(), 0, x.nbytes)\n    return x * 0"),
    "changes its argument's size": ("standardize", "def standardize(x):\n    x.resize_(0, 11)\n    return torch.zeros_like(x)"),
    "gives its argument other memory": (
        "standardize", "def standardize(x):\n    x.set_(torch.zeros(x.shape))\n    return torch.zeros_like(x)"),
    "changes its argument and hides it": (
        "standardize",
        "from autograder.inside import serve\nserve._bits = lambda tensor: torch.zeros(1)\n\n\n"
        "def standardize(x):\n    x.zero_()\n    return torch.zeros_like(x)"),
    "changes an argument of a right answer": (
        "standardize", f"def standardize(x):\n    y = {HONEST}\n    x.copy_(y)\n    return y"),
    "draws the inputs as a notebook would": (
        "standardize",
        "def standardize(x):\n    x = 2 * check.rng.normal(*x.shape) + 5\n    return " + HONEST),
    "draws the inputs from every likely seed": (
        "standardize",
        "known = {}\nfor seed in range(300):\n    check.rng.seed(seed)\n    for rows in (3, 8, 3):\n"
        "        x = 2 * check.rng.normal(rows, 11) + 5\n        known[round(float(x[0, 0]), 3)] = " + HONEST + "\n\n\n"
        "def standardize(x):\n    return known.get(round(float(x[0, 0]), 3), torch.zeros_like(x))"),
    "draws from the generator that torch.manual_seed left": (
        "standardize", "def standardize(x):\n    x = 2 * torch.randn(x.shape) + 5\n    return " + HONEST),
    "remembers results by shape": (
        "standardize",
        "known = {}\n\n\ndef standardize(x):\n    if x.shape not in known:\n        known[x.shape] = " + HONEST + "\n"
        "    return known[x.shape]"),
    "remembers results by address": (
        "standardize",
        "known, kept = {}, []\n\n\ndef standardize(x):\n    kept.append(x.untyped_storage()._cdata)\n"
        "    return known.setdefault(len(kept) // 3, " + HONEST + ")"),
    "remembers results in a file": (
        "standardize",
        "import os\n\n\ndef standardize(x):\n    if os.path.exists('/tmp/known'):\n        return torch.load('/tmp/known')\n"
        "    y = " + HONEST + "\n    torch.save(y, '/tmp/known')\n    return y"),
    "remembers the first answer of all": (
        "tally",
        "import functools\n\n\n@functools.cache\ndef first():\n    return []\n\n\n"
        "def tally(items):\n    first().append({i: items.count(i) for i in items})\n    return first()[0]"),
    "knows the answer to the visible half": (
        "tally", "def tally(items):\n    return {3: 2, 1: 1} if items == [3, 1, 3] else {}"),
    "tells a history of weights that it does not have": (
        "fit", "def fit(x, y, steps):\n    return torch.zeros(x.shape[1]), [0.9**i for i in range(steps)]"),
    "tells a history of losses of zero": (
        "fit", "def fit(x, y, steps):\n    return torch.ones(x.shape[1]), [0.0] * steps"),
    "returns weights of NaN": (
        "fit", "def fit(x, y, steps):\n    return torch.full((x.shape[1],), float('nan')), [0.0] * steps"),
    "returns weights of infinity": (
        "fit", "def fit(x, y, steps):\n    return torch.full((x.shape[1],), float('inf')), [0.0] * steps"),
    "returns what it claims are predictions": ("fit", "def fit(x, y, steps):\n    return y, [0.0] * steps"),
    "returns an object that multiplies to the truth": (
        "fit",
        "class Weight:\n    def __rmatmul__(self, x):\n        return truth\n\n\n"
        "def fit(x, y, steps):\n    global truth\n    truth = y\n    return Weight(), [0.0] * steps"),
    "changes the truth instead of the weights": (
        "fit", "def fit(x, y, steps):\n    y.zero_()\n    return torch.zeros(x.shape[1]), [0.0] * steps"),
}  # fmt: skip


@pytest.mark.parametrize("answers", hand_ins(ATTACKS).values(), ids=hand_ins(ATTACKS))
def test_who_plays_with_the_inputs_earns_nothing(bar, answers: dict[str, str]) -> None:
    assert bar.scores(answers) == bar.full(*[f"test_{cell}" for cell in answers])


INOUT = "def answer(p, g):\n    p.sub_(0.1 * g)"
INOUT_TEST = """
p, g = check.rng.normal(8), check.rng.normal(8)
wanted, given = p - 0.1 * g, g.clone()
answer(check.inout(p), g)
check.close(p, wanted)
check.equal(g, given)
"""
IN_PLACE = {
    "does nothing": "pass",
    "makes both the same": "p.copy_(g)",
    "changes the gradient so that the step is none": "g.zero_()",
    "takes the argument's memory away": "p.set_(torch.zeros(8))",
    "makes the argument shorter": "p.resize_(2)",
    "binds the name": "p = p - 0.1 * g",
    "leaves NaN": "p.fill_(float('nan'))",
    "takes the right step and changes the gradient": "p.sub_(0.1 * g)\n    g.mul_(2)",
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_an_argument_that_is_to_change_must_hold_the_right_numbers(judged, name: str) -> None:
    assert judged(INOUT, INOUT_TEST, f"def answer(p, g):\n    {IN_PLACE[name]}")[0] == "failed"


GRADIENT = "def answer(x):\n    return x * torch.sigmoid(x)"
GRADIENT_TEST = """
x = check.rng.normal(9, dtype=torch.float64).requires_grad_()
answer(2 * x).sum().backward()
y = x.detach().clone().requires_grad_()
torch.nn.functional.silu(2 * y).sum().backward()
check.close(x.grad, y.grad)
"""
BACKWARD = (
    "class F(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x):\n        return x * torch.sigmoid(x)\n"
    "    @staticmethod\n    def backward(ctx, g):\n        return {}\n\n\nanswer = F.apply"
)
GRADIENTS = {
    "is detached": "def answer(x):\n    return (x * torch.sigmoid(x)).detach()",
    "is another function": "def answer(x):\n    return x * x",
    "passes the gradient through": BACKWARD.format("g"),
    "returns no gradient": BACKWARD.format("None"),
    "returns a gradient of another shape": BACKWARD.format("g[:1]"),
    "returns a gradient of NaN": BACKWARD.format("g * float('nan')"),
    "has a hook that changes the gradient": (
        "def answer(x):\n    y = x * torch.sigmoid(x)\n    y.register_hook(lambda g: 2 * g)\n    return y"),
    "writes the gradient itself": "def answer(x):\n    x.grad = torch.ones_like(x)\n    return x.sum() * 0",
    "patches backward": (
        "torch.autograd.backward = lambda *args, **named: None\n\n\ndef answer(x):\n    return x * torch.sigmoid(x)"),
    "answers backward with text": (
        "from autograder.inside import serve\nserve.Server.backward = lambda self, graph, gradients: ['one']\n\n\n"
        "def answer(x):\n    return x * torch.sigmoid(x)"),
}  # fmt: skip


@pytest.mark.parametrize("name", GRADIENTS)
def test_a_gradient_must_be_the_functions_own(judged, name: str) -> None:
    assert judged(GRADIENT, GRADIENT_TEST, GRADIENTS[name])[0] == "failed"


def test_the_honest_answers_pass_these_tests(judged) -> None:
    assert judged(INOUT, INOUT_TEST, INOUT) == ("passed", "")
    assert judged(GRADIENT, GRADIENT_TEST, GRADIENT) == ("passed", "")
    assert (
        judged(GRADIENT, GRADIENT_TEST, BACKWARD.format("None") + "\nanswer = torch.nn.functional.silu")[0] == "passed"
    )
