"""The author's linter: each rule finds its breach, and leaves alone what only looks like one."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from autograder import master
from autograder.__main__ import main
from autograder.lint import Finding, lint
from autograder.lint.assertions import MEASURES_ONLY, WITHOUT_VALUE
from autograder.master import Lab

from .conftest import ROOT, TINY, write_lab

MASTER = """# %% setup tags=["setup"]
import contextlib
import functools
import inspect
import itertools
import os
import random
import time
import warnings
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
import triton
from torch.utils.flop_counter import FlopCounterMode

from lablib import check, device


class Point:
    pass


class ShapeError(ValueError):
    pass


def measured_loss(model):
    return F.mse_loss(model(torch.ones(3)), torch.ones(3))


# %% f tags=["solution"]
import math


def f(x, *rest, **options):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


def scale_(x, factor):
    return x.mul_(factor)


def print_(x):
    return x


class Net(torch.nn.Module):
    ### BEGIN SOLUTION
    def forward(self, x):
        return x
    ### END SOLUTION


class BadShape(ValueError):
    pass


def make_net():
    return Net()


@triton.jit
def _kernel(x_ptr, y_ptr):
    pass


trained = Net()
history = [1.0, 0.5]
chosen = "B"
{solution}

# %% look_f
shown = f(torch.ones(1))
{look}

# %% test_f tags=["test", "core"] points=100 hours=1
{test}
{after}
"""
PASSES = "check.close(f(check.rng.normal(3)), torch.ones(3))\n"


def findings(folder: Path, test: str, solution: str = "", look: str = "", after: str = "") -> list[Finding]:
    """What the linter says of a lab with this test cell."""
    path = folder / "lab91_lint.py"
    path.write_text(MASTER.format(test=test, solution=solution, look=look, after=after), encoding="utf-8")
    return lint(master.load(path))


def of_test(folder: Path, body: str) -> list[str]:
    """What the linter says of these lines in a test that is else as it should be."""
    return [finding.text for finding in findings(folder, PASSES + body + "\nseen = None")]


# A breach, what the sentence says of it, and what looks like it but is as it should be.
RULES = {
    # Inputs
    "a draw from torch": ("f(torch.randn(3))", "draws from torch.randn; write check.rng", "f(check.rng.normal(3))"),
    "a draw from numpy": (
        "np.random.default_rng(0)",
        "draws from np.random.default_rng; write check.rng",
        "np.ones(3)",
    ),
    "a draw from random": ("random.choice([1, 2])", "draws from random.choice; write", "check.rng.choice(1, 3)"),
    "a draw in place": (
        "x = torch.empty(3).normal_()",
        "draws from torch.empty(3).normal_; write",
        "torch.empty(3).zero_()",
    ),
    "a draw after a seed that is handed on": (
        "check.seed(1)\nx = torch.randn(3)\nf(x * 2)",
        "hands f numbers that are not from check.rng",
        "check.seed(1)\ny = f(torch.ones(3))\nnoise = torch.randn(3)",  # the oracle draws what the function drew
    ),
    "torch's seed before a call": (
        "torch.manual_seed(0)\nf(torch.ones(3))",
        "calls torch.manual_seed before a student's function, whose process it does not reach; write check.seed",
        "check.seed(0)\nf(torch.ones(3))\ntorch.manual_seed(0)\nreference = torch.nn.Linear(3, 3)",
    ),
    "a seed before a call in a function": (
        "def run():\n    return f(torch.ones(3))\ndevice.seed(0)\nrun()",
        "calls lablib.device.seed before a student's function",
        "def run():\n    return torch.ones(3)\ndevice.seed(0)\nrun()",
    ),
    "an argument that is read after it was modified": (
        "x = check.rng.normal(3)\nscale_(x, 2)\ncheck.close(x, torch.ones(3))",
        "reads x after scale_ changed it; pass each tensor that it modifies as check.inout(tensor)",
        "x = check.rng.normal(3)\nscale_(check.inout(x), 2)\ncheck.close(x, torch.ones(3))",
    ),
    "an argument modified under a check": (
        "x = check.rng.normal(3)\ncheck.traffic(scale_, x, 2)\ncheck.close(x, torch.ones(3))",
        "reads x after scale_ changed it",
        "x = check.inout(check.rng.normal(3))\ncheck.traffic(scale_, x, 2)\ncheck.close(x, torch.ones(3))",
    ),
    "a kernel's result": (
        "x = torch.ones(3)\ny = torch.empty(3)\n_kernel[(1,)](x, y)\ncheck.close(y, torch.ones(3))",
        "reads y after the kernel _kernel may have written to it",
        "x = torch.ones(3)\ny = torch.empty(3)\n_kernel[(1,)](x, check.inout(y))\ncheck.close(y, torch.ones(3))",
    ),
    "out=": (
        "y = torch.empty(3)\nf(torch.ones(3), out=y)\ncheck.close(y, torch.ones(3))",
        "reads y after f got it as out=",
        "y = torch.empty(3)\ntorch.add(y, 1, out=y)\ncheck.close(y, torch.ones(3))",
    ),
    "no modification: a name kept apart from a builtin, and one bound anew": (
        "x = torch.ones(3)\nscale_(x, 2)\nprint(x)",
        "reads x after scale_",
        "x = torch.ones(3)\nprint_(x)\nx = scale_(x, 2)\nprint(x)\nscale_(x, 2)\nx = 1",
    ),
    "an instance of a class of the test": (
        "class Here:\n    pass\nf(1, [Here()])",
        "hands f [Here()], which cannot cross to its process; pass plain values, a function, or a setup class",
        "class Here:\n    def method(self, x):\n        return x\nf(1, Here().method)\nf(Point(), lambda x: x)",
    ),
    "a partial": ("f(functools.partial(print, 1))", "hands f functools.partial(print, 1), which cannot", "f(print)"),
    "a generator": (
        "f(x for x in [1])",
        "hands f (x for x in [1]), which cannot cross to its process; pass a list",
        "f([1])",
    ),
    "an iterator": (
        "f(zip([1], [2]))",
        "pass a list",
        "f(list(zip([1], [2])))\nfor x, y in zip([1], [2]):\n    f(x, y)",
    ),
    "a generator of the test's own": (
        "def squares():\n    yield 1\nf(squares())",
        "hands f squares(), which cannot cross",
        "def squares():\n    return [1]\nf(squares())",
    ),
    # Students' objects
    "an expected value handed to an answer": (
        "assert f(torch.ones(3)).allclose(torch.ones(3))",
        "asks f(torch.ones(3)).allclose whether it is right; write check.close(f(torch.ones(3)), expected)",
        "assert torch.ones(3).allclose(f(torch.ones(3)))\nassert f(torch.ones(3)).ne(0).all()",
    ),
    "an expected value handed to an object": (
        "want = 3\ntrained.equals(want)",
        "asks trained.equals",
        "trained.train()",
    ),
    "isinstance": (
        "isinstance(make_net(), torch.nn.Module)",
        "asks isinstance about make_net()",
        "isinstance(f(1), int)",
    ),
    "type": ("net = Net()\ntype(net)", "asks type about net, which in grading is a proxy", "type(f(1))"),
    "issubclass": ("issubclass(Net, torch.nn.Module)", "asks issubclass about Net", "issubclass(Point, object)"),
    "inspect": ("inspect.signature(f)", "asks inspect.signature about f", "inspect.signature(print)"),
    "equality": ("net = Net()\nassert net == Net()", "compares net by == or !=", "net = Net()\nassert net.width == 3"),
    "truth": ("net = Net()\nassert net", "asks whether net is true", "assert f(1)\nassert measured_loss is not None"),
    "truth in a loop": ("while not trained:\n    pass", "asks whether trained is true", "while not chosen:\n    pass"),
    "a dunder": ("f.__doc__", "reads f.__doc__, which in grading is a proxy", "f.__name__\nPoint.__doc__"),
    "a write": (
        "net = Net()\nnet.x = 1",
        "writes net.x of a student's object; give it through a call",
        "net = Point()\nnet.x = 1",
    ),
    "a write through a function": (
        "def widen(net):\n    net.fc.width += 1\nwiden(Net())",
        "writes net.fc.width of a student's object",
        "def widen(net):\n    net.fc.width += 1\nwiden(Point())",
    ),
    "an item written": ("net = Net()\nnet.table[0] = 1", "writes net.table[0]", "y = f([1])\ny[0] = 2"),
    "setattr": ("setattr(trained, 'x', 1)", "calls setattr on a student's object", "setattr(Point(), 'x', 1)"),
    "an exception of a solution cell": (
        "check.raises(BadShape, f, 1)",
        "expects BadShape, which does not come from the student's process as such; have the contract raise",
        "check.raises(ValueError, f, 1)",
    ),
    "an exception of a setup cell": (
        "check.raises(ShapeError, f, 1)",
        "expects ShapeError",
        "check.raises(KeyError, f, 1)",
    ),
    "an exception that is the test's": (
        "check.raises(AssertionError, f, 1)",
        "expects AssertionError",
        "check.raises(Exception, f)",
    ),
    "an exception caught": (
        "try:\n    f(1)\nexcept (KeyError, BadShape):\n    pass",
        "expects (KeyError, BadShape)",
        "try:\n    f(1)\nexcept AssertionError:\n    pass\ntry:\n    print()\nexcept ShapeError:\n    pass",
    ),
    "an answer's address": (
        "x = torch.ones(3)\nassert f(x).data_ptr() == x.data_ptr()",
        "reads f(x).data_ptr, but an answer comes as a copy; write check.cost(..., allocated=0) for a view",
        "x = torch.ones(3)\nassert x[1:].data_ptr() == x.data_ptr() + 4\ncheck.cost(f, x, allocated=0)",
    ),
    "an answer's identity": (
        "x = torch.ones(3)\nassert f(x) is not x",
        "asks whether f(x) is not x, but an answer comes as a copy",
        "assert f(1) is not None\nassert f(1).dtype is torch.float32\nassert type(f(1)) is int",
    ),
    # Training
    "a parameter changed in place": (
        "net = Net()\nwith torch.no_grad():\n    net.fc.weight.copy_(torch.ones(3))",
        "changes a student's parameter in place by net.fc.weight.copy_; give it through a call",
        "net = torch.nn.Linear(3, 3)\nwith torch.no_grad():\n    net.weight.copy_(torch.ones(3))",
    ),
    "all parameters changed in place": (
        "for p in Net().parameters():\n    p.data.fill_(1.0)",
        "changes a student's parameter in place by p.data.fill_",
        "ref = torch.nn.Linear(3, 3)\nfor p, q in zip(Net().parameters(), ref.parameters()):\n    q.data.copy_(p)",
    ),
    "an initialiser": (
        "torch.nn.init.zeros_(trained.fc.weight)",
        "in place by torch.nn.init.zeros_",
        "torch.nn.init.zeros_(torch.nn.Linear(3, 3).weight)",
    ),
    "an optimizer": (
        "torch.optim.SGD(trained.parameters(), lr=0.1)",
        "runs torch.optim.SGD over a student's parameters, which stay as they are; let a student's function train",
        "torch.optim.SGD(torch.nn.Linear(3, 3).parameters(), lr=0.1)",
    ),
    "a hook": (
        "trained.register_forward_hook(print)",
        "calls register_forward_hook on a student's object",
        "torch.nn.Linear(3, 3).register_forward_hook(print)",
    ),
    "a graph of the backward": (
        "x = torch.ones(3, requires_grad=True)\ntorch.autograd.grad(f(x).sum(), x, create_graph=True)",
        "differentiates a student's function twice; compare first-order gradients",
        "x = torch.ones(3, requires_grad=True)\ntorch.autograd.grad(F.gelu(x).sum(), x, create_graph=True)\n"
        "torch.autograd.grad(f(x).sum(), x)",
    ),
    "a second-order check": (
        "torch.autograd.gradgradcheck(f, torch.ones(3))",
        "differentiates a student's function twice",
        "torch.autograd.gradcheck(f, torch.ones(3))",
    ),
    "a transform": (
        "torch.func.vmap(f)(torch.ones(3))",
        "applies torch.func.vmap to a student's",
        "torch.vmap(F.gelu)(torch.ones(3))",
    ),
    # Two processes
    "autocast": (
        "with torch.autocast('cpu'):\n    f(torch.ones(3))",
        "calls a student's function inside torch.autocast, which does not reach its process",
        "with torch.autocast('cpu'):\n    F.gelu(torch.ones(3))\nwith torch.no_grad():\n    f(torch.ones(3))",
    ),
    "a counter of torch": (
        "counter = FlopCounterMode()\nwith counter:\n    f(torch.ones(3))",
        "which does not reach its process; write check.cost(..., flops=)",
        "check.cost(f, torch.ones(3), flops=6)",
    ),
    "a mode of the test's own": (
        "class Spy(torch.utils._python_dispatch.TorchDispatchMode):\n    pass\nwith Spy():\n    f(1)",
        "inside torch.utils._python_dispatch.TorchDispatchMode",
        "class Spy:\n    pass\nwith contextlib.nullcontext():\n    f(1)",
    ),
    "a patch": (
        "with mock.patch('torch.matmul'):\n    f(torch.ones(3))",
        "inside unittest.mock.patch, which does not reach its process; hand the function what it is to use",
        "with mock.patch('torch.matmul'):\n    torch.ones(3)",
    ),
    "a decorator": (
        "@torch.inference_mode()\ndef run():\n    return f(torch.ones(3))\nrun()",
        "inside torch.inference_mode, which does not reach its process; write torch.no_grad()",
        "@torch.no_grad()\ndef run():\n    return f(torch.ones(3))\nrun()",
    ),
    "a module patched": (
        "torch.matmul = print\nf(torch.ones(3))",
        "sets torch.matmul, which the student's process does not see",
        "f(torch.ones(3))\nbox = Point()\nbox.matmul = print",
    ),
    "the environment": ("os.environ['X'] = '1'\nf(1)", "sets os.environ['X'], which", "f(1)\nseen = os.environ['X']"),
    "a setting": (
        "torch.set_default_dtype(torch.float64)\nf(1)",
        "calls torch.set_default_dtype",
        "f(1, dtype=torch.float64)",
    ),
    "a clock": (
        "start = time.perf_counter()",
        "reads a clock (time.perf_counter); times are shown, never graded",
        "time.sleep(0.0)",
    ),
    "a clock in a callback": (
        "def outer():\n    def inner():\n        f(time.time())\n    f(inner)\nf(outer)",
        "reads a clock (time.time)",
        "def outer():\n    def inner():\n        f(1)\n    f(inner)\nf(outer)",
    ),
    "a write in a callback": (
        "def outer():\n    def inner():\n        net = Net()\n        net.x = 1\n    f(inner)\nf(outer)",
        "writes net.x of a student's object",
        "def outer():\n    def inner():\n        net = Point()\n        net.x = 1\n    f(inner)\nf(outer)",
    ),
    "the judge's memory": (
        "torch.cuda.max_memory_allocated()",
        "measures the judge's own process",
        "check.cost(f, 1, peak=6)",
    ),
    # Verdicts
    "a claim": (
        "assert history[-1] < 0.2",
        "bounds history[-1], which the student's side reports; measure it in the test",
        "assert measured_loss(trained) < 0.2\nassert abs(history[-1] - 0.5) < 0.1\nassert chosen == 'B'",
    ),
    "a number that an object reports": (
        "net = Net()\nassert net.count_parameters() <= 100",
        "bounds net.count_parameters(), which the student's side reports",
        "net = Net()\nassert sum(p.numel() for p in net.parameters()) <= 100\nassert f(3) <= 100",
    ),
    "a bound of zero": (
        "check.traffic(f, 1, loads=(0, 100))",
        "allows loads of 0; give the least that an honest answer needs",
        "check.traffic(f, 1, loads=(50, 100), stores=0)",
    ),
    "equal floats": (
        "assert f(1) == 0.5",
        "compares with 0.5 by == or !=; write math.isclose or check.close, or check.equal where",
        "assert f(1) == 5\nassert f(1) == float('inf')\nfor a in (0.5, 1.0):\n    seen = a == 0.5",
    ),
    "a quotient": ("assert f(1) != 1 / 3", "compares with 1 / 3", "assert f(1) == 6 // 3"),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_breach_is_found_once_and_its_look_alike_is_not(tmp_path: Path, rule: str) -> None:
    breach, sentence, fine = RULES[rule]
    assert of_test(tmp_path, fine) == []
    found = of_test(tmp_path, breach)
    assert len(found) == 1, found
    assert sentence in found[0]


# Whole test cells: the sentence, and a cell that is as it should be.
CELLS = {
    "asserts nothing": ("f(check.rng.normal(3))\nseen = None", "asserts nothing; write check.close"),
    "nothing in the hidden part": (
        f"{PASSES}### BEGIN HIDDEN TESTS\nseen = f(1)\n### END HIDDEN TESTS",
        "asserts nothing in its hidden part; ask there with other inputs",
    ),
    "all is shown": ("check.equal(f(2), 4)", "shows all that it asks; draw inputs from check.rng, or ask more"),
    "ends in a value": (f"{PASSES}f(1)", "ends in a value (f(1)), which nbgrader reads as a score; bind it to a name"),
    "ends in a check's value": ("check.traffic(f, check.rng.normal(3), loads=12)", "ends in a value (check.traffic("),
    "a solution's import": (f"{PASSES}seen = math.pi", "reads math, which a solution cell imports; import it here"),
    "a demonstration's name": (
        f"{PASSES}seen = shown",
        "reads shown, which only a demonstration or another test binds",
    ),
    "a name of a solution cell": (f"{PASSES}chosen = 3", "binds chosen, which a setup or solution cell binds"),
    "another exercise": (
        "assert device.DEVICE\n### BEGIN HIDDEN TESTS\nassert True\n### END HIDDEN TESTS",
        "uses nothing",
    ),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_test_cell_that_is_not_as_it_should_be_is_found(tmp_path: Path, name: str) -> None:
    test, sentence = CELLS[name]
    found = [finding.text for finding in findings(tmp_path, test)]
    assert len(found) == 1, found
    assert sentence in found[0]


@pytest.mark.parametrize(
    "test",
    [
        PASSES,
        "check.equal(f(2), 4)\n### BEGIN HIDDEN TESTS\ncheck.equal(f(3), 6)\n### END HIDDEN TESTS",
        "def judge(x):\n    check.equal(f(x), 2 * x)\n\n\njudge(2)\n"
        "### BEGIN HIDDEN TESTS\njudge(3)\n### END HIDDEN TESTS",
        f"{PASSES}import math\nseen = math.pi\nmath = 3",
        f"{PASSES}print(1)",
        "if f(check.rng.choice(1, 3)) < 2:\n    raise AssertionError('too small')",
        "torch.testing.assert_close(f(check.rng.normal(3)), torch.ones(3))",
    ],
)
def test_a_test_cell_that_is_as_it_should_be_is_left_alone(tmp_path: Path, test: str) -> None:
    assert findings(tmp_path, test) == []


def test_a_cell_that_reads_what_a_test_left_behind_is_found(tmp_path: Path) -> None:
    reads = "\n# %% look_after\nprint(x)\n"
    (found,) = findings(tmp_path, f"x = 1\n{PASSES}", after=reads)
    assert (found.cell, found.text) == ("look_after", "reads x of test_f; bind it in this cell or in a setup cell")
    assert (found.path).read_text(encoding="utf-8").splitlines()[found.line - 1] == "print(x)"
    (found,) = findings(tmp_path, f"later = 1\n{PASSES}", solution="def g():\n    return later\n")
    assert (found.cell, found.text) == ("f", "reads later of test_f; bind it in this cell or in a setup cell")


def test_a_name_that_a_test_and_then_another_cell_binds_is_that_cells(tmp_path: Path) -> None:
    after = "\n# %% look_x\nx = 2\n\n# %% look_after\nprint(x)\n\n# %% look_magic\n# %matplotlib inline\n"
    assert findings(tmp_path, f"x = 1\n{PASSES}", after=after) == []


def withholding(root: Path, names: str, setup: str = "", prose: str = "", solution: str = "") -> list[str]:
    text = TINY.replace('tags=["setup"]\n', f'tags=["setup"] withhold=[{names}]\n{setup}')
    text = text.replace("# # Lab 90 · Tiny", f"# # Lab 90 · Tiny\n# {prose}")
    text = text.replace(
        "    return x + x\n", f"    {solution}\n    return x + x\n" if solution else "    return x + x\n"
    )
    return [str(finding).split(": ", 1)[1] for finding in lint(master.load(write_lab(root, text=text)))]


def test_what_is_withheld_is_there_and_told(tmp_path: Path) -> None:
    names = '"lablib.models.gtp", "lablib/data/digits.npz", "torch.nn", "lablib.models.gpt"'
    found = withholding(tmp_path, names, prose="Grading has no `lablib.models.gpt`, `lablib.models.gtp`, `torch.nn`.")
    assert [sentence.removeprefix("setup withholds what is not there: ").split(" is ")[0] for sentence in found] == [
        "'lablib.models.gtp'",
        "'torch.nn'",
    ]
    (found,) = withholding(tmp_path / "untold", '"lablib.models.gpt"')
    assert found == "setup withholds lablib.models.gpt, and no text says so: name `lablib.models.gpt`"


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("setup", "from lablib.models import gpt"),
        ("setup", "import lablib.models.gpt as g"),
        ("setup", "from lablib.models.gpt import GPT"),
        ("solution", "from lablib.models.gpt import GPT"),
    ],
)
def test_what_is_withheld_is_imported_by_tests_alone(tmp_path: Path, cell: str, line: str) -> None:
    written = {cell: f"{line}\n" if cell == "setup" else line}
    (found,) = withholding(tmp_path, '"lablib.models.gpt"', prose="`lablib.models.gpt`", **written)
    assert found.endswith("imports lablib.models.gpt, which the lab withholds; import it in the tests that need it")


def test_a_function_for_tests_may_import_what_is_withheld(tmp_path: Path) -> None:
    setup = "import lablib.models\ndef reference():\n    from lablib.models.gpt import GPT\n    return GPT\n"
    assert withholding(tmp_path, '"lablib.models.gpt"', setup, prose="`lablib.models.gpt`") == []


def test_a_finding_tells_file_line_and_cell(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, f"{PASSES}\nif True:\n    time.time()  # here")
    assert found.path.read_text(encoding="utf-8").splitlines()[found.line - 1].endswith("# here")
    assert str(found).startswith(f"{found.path}:{found.line}: test_f reads a clock (time.time)")


def test_names_of_demonstrations_that_grading_runs_are_claims(tmp_path: Path) -> None:
    texts = [f.text for f in findings(tmp_path, f"{PASSES}assert losses[-1] < 1", look="losses = [1.0]")]
    assert any(text.startswith("bounds losses[-1], which the student's side reports") for text in texts)


def test_every_master_keeps_the_rules() -> None:
    labs = [*master.load_all(ROOT), master.load(ROOT / "solutions" / "_template" / "labNN_slug.py")]
    assert [str(finding) for lab in labs for finding in lint(lab)] == []


def test_the_linter_knows_which_checks_have_a_value() -> None:
    from lablib import check

    functions = {name: getattr(check, name) for name in check.__all__ if inspect.isfunction(getattr(check, name))}
    none = {name for name, f in functions.items() if inspect.signature(f).return_annotation in (None, "None")}
    assert none == WITHOUT_VALUE
    assert functions.keys() >= MEASURES_ONLY - {"Observation", "rng"}


def test_the_command_prints_findings_and_exits_with_1(
    tiny: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tiny.path.parents[2]
    monkeypatch.chdir(root)
    assert main(["lint"]) == 0
    tiny.path.write_text(tiny.path.read_text(encoding="utf-8") + "\n# %% look_secret\nsecret_value\n", encoding="utf-8")
    assert main(["lint", "lab90"]) == 1
    assert capsys.readouterr().out == (
        "solutions/lab90_tiny/lab90_tiny.py:52: look_secret reads secret_value of test_double; "
        "bind it in this cell or in a setup cell\n"
    )
