"""Attacks on the process that runs the answers: whatever they patch there, the judge does not ask."""

from __future__ import annotations

import pytest

from .conftest import hand_ins, in_calls, in_cells

ZEROS = """
def standardize(x):
    return torch.zeros_like(x)
"""
WASTEFUL = """
def row_softmax(x):
    return torch.softmax(x.double(), 1).float()
"""
TWO_LOADS = """
@triton.jit
def _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < count
    x = (tl.load(x_ptr + offsets, mask=inside) + tl.load(x_ptr + offsets, mask=inside)) / 2
    tl.store(y_ptr + offsets, alpha * x, mask=inside)


def scale(x, alpha):
    y = torch.empty_like(x)
    _scale_kernel[(triton.cdiv(x.numel(), 16),)](x, y, x.numel(), alpha, BLOCK=16)
    return y
"""
DOUBLER = """
import ast


class Dropper(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
"""

# What it does, the cell that does it, and what it loses.
ATTACKS = {
    "drops asserts with an AST transformer": (
        "standardize", ZEROS + DOUBLER + "\n\nget_ipython().ast_transformers.append(Dropper())\n", "test_standardize"),
    "drops asserts with an input transformer": (
        "standardize",
        ZEROS + "get_ipython().input_transformers_post.append(lambda lines: [l for l in lines if 'check.' not in l])",
        "test_standardize"),
    "patches the checks": (
        "standardize",
        ZEROS + "check.close = check.equal = check.traffic = lambda *args, **named: None\n"
        "import lablib.check.values as values\nvalues.close = values.equal = check.close",
        "test_standardize"),
    "patches torch's comparisons": (
        "standardize",
        ZEROS + "torch.allclose = torch.equal = lambda *args, **named: True\n"
        "torch.testing.assert_close = lambda *args, **named: None\ntorch.Tensor.__le__ = lambda a, b: torch.ones(1) > 0",
        "test_standardize"),
    "makes AssertionError a class that nobody raises": (
        "standardize", ZEROS + "import builtins\nbuiltins.AssertionError = type('Nothing', (Exception,), {})",
        "test_standardize"),
    "stops the clock": (
        "standardize", ZEROS + "import time\ntime.time = time.monotonic = time.perf_counter = lambda: 0.0",
        "test_standardize"),
    "patches the server's answers": (
        "standardize",
        ZEROS + "from autograder.inside import serve\n"
        "serve.Server.call = lambda *args, **named: {'value': None, 'changed': [], 'inout': [], 'graph': None}",
        # its own next answers come from the patched server too
        ("test_standardize", "test_tally", "test_crossing", "test_ring", "test_fit")),
    "looks for the oracle on the stack": (
        "standardize",
        "import sys\n\n\ndef standardize(x):\n    frame = sys._getframe()\n    while frame:\n"
        "        for name in ('expected', 'want', 'oracle', 'y'):\n            if name in frame.f_locals:\n"
        "                return frame.f_locals[name]\n        frame = frame.f_back\n    return torch.zeros_like(x)",
        "test_standardize"),
    "looks for the oracle among all objects": (
        "standardize",
        "import gc\n\n\ndef standardize(x):\n    found = [t for t in gc.get_objects() if type(t) is torch.Tensor]\n"
        "    return next((t for t in found if t is not x and t.shape == x.shape), torch.zeros_like(x))",
        "test_standardize"),
    "reads the tests from linecache": (
        "tally",
        "import linecache\n\n\ndef tally(items):\n    lines = [l for f in linecache.cache.values() for l in f[2]]\n"
        "    return eval(next((l.split('), ')[1][:-2] for l in lines if 'tally([3' in l), '{}'))",
        "test_tally"),
    "reads the tests from the shell's history": (
        "tally",
        "def tally(items):\n    said = [source for source in get_ipython().user_ns.get('In', []) if 'tally([3' in source]\n"
        "    return {3: 2, 1: 1} if said else {}",
        "test_tally"),
    "starts a thread that changes results later": (
        "standardize",
        "import threading, time\n\n\ndef standardize(x):\n    y = torch.zeros_like(x)\n"
        "    def later():\n        time.sleep(0.01)\n        y.copy_((x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True))\n"
        "    threading.Thread(target=later).start()\n    return y",
        "test_standardize"),
    "leaves a process that changes results later": (
        "standardize",
        "import mmap, os, time\nshared = mmap.mmap(-1, 4096)\nif os.fork() == 0:\n    for _ in range(500):\n"
        "        time.sleep(0.01)\n        shared[:] = os.urandom(4096)\n    os._exit(0)\n\n\n"
        "def standardize(x):\n    return torch.frombuffer(shared, dtype=torch.float32, count=x.numel()).reshape(x.shape)",
        "test_standardize"),
    "rebinds what another exercise defined": (
        "ring", "tally = crossing = standardize = None\nclass Ring:\n    pass", "test_ring"),
    "rebinds what the setup defined": (
        "fit", "torch = check = triton = None\n\n\ndef fit(x, y, steps):\n    return x, [0.0] * steps", "test_fit"),
    "deletes the answers before it": (
        "ring", "for name in ('standardize', 'tally', 'crossing'):\n    del globals()[name]", "test_ring"),
}  # fmt: skip

COUNTED = {
    "patches the traffic's sums": (
        "scale", TWO_LOADS + "from lablib.gpu.traffic import Trace\nTrace.moved = lambda *args: 20", "test_scale"),
    "patches the tracer": (
        "scale", TWO_LOADS + "from lablib.gpu.tracer import Tracer\nTracer._note = lambda self, op, p, mask: (p, mask)",
        "test_scale"),
    "patches what an observation says": (
        "scale",
        TWO_LOADS + "import lablib.check.observe as observing\nobserving.Observation.unearned = []\n"
        "observing.Observation.trace = property(lambda self: None)",
        "test_scale"),
    "records no operations": (
        "row_softmax",
        WASTEFUL + "from lablib.check.recorder import Recorder\n"
        "Recorder.__torch_dispatch__ = lambda self, func, types, args=(), kwargs=None: func(*args, **(kwargs or {}))",
        "test_row_softmax"),
    "counts memory as it likes": (
        "row_softmax",
        WASTEFUL + "import lablib.check.log as log\nlog.peak_bytes = log.allocated_bytes = log.flops = lambda log: 2400",
        "test_row_softmax"),
    "calls large storages small": (
        "row_softmax",
        WASTEFUL + "import autograder.inside.serve as serve\nfrom dataclasses import replace\nhonest = serve.recorded\n\n\n"
        "def recorded(*args, **named):\n    log = honest(*args, **named)\n"
        "    log.storages = [replace(one, nbytes=1) for one in log.storages]\n    return log\n\n\n"
        "serve.recorded = recorded",
        "test_row_softmax"),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTED)
def test_a_patched_counter_earns_nothing(counting, name: str) -> None:
    cell, source, lost = COUNTED[name]
    assert counting.scores({cell: source}) == counting.full(lost)


@pytest.mark.parametrize("name", ATTACKS)
def test_a_patched_process_earns_nothing(bar, name: str) -> None:
    cell, source, lost = ATTACKS[name]
    assert bar.scores({cell: source}) == bar.full(*([lost] if isinstance(lost, str) else lost))


DEATHS = {
    "sys.exit": "import sys\nsys.exit(0)",
    "os._exit": "import os\nos._exit(0)",
    "abort": "import os\nos.abort()",
    "a null pointer": "import ctypes\nctypes.string_at(0)",
    "a wild write": "import ctypes\nctypes.memset(id(int) & ~4095, 0, 4096)",
    "SIGKILL to itself": "import os\nos.kill(os.getpid(), 9)",
    "SIGSEGV to itself": "import os\nos.kill(os.getpid(), 11)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "GeneratorExit": "raise GeneratorExit",
    "a stack without end": "import sys\nsys.setrecursionlimit(10**9)\n"
    "type('A', (), {'__getattr__': lambda self, name: getattr(self, name)})().x",
    "an exception that cannot be shown": "raise type('E', (Exception,), {'__str__': lambda self: 1 / 0})",
    "the end of the kernel": "get_ipython().kernel.do_shutdown(False)",
    "the end of the shell": "get_ipython().ask_exit()\nexit()",
}
UNREADABLE = {"a line that is no Python": "def (:", "a byte of zero": "x = 1\x00", "half of a line": "x = ("}


CELLS = hand_ins(in_cells(DEATHS | UNREADABLE))
CALLS = hand_ins(in_calls(DEATHS))


@pytest.mark.parametrize("answers", CELLS.values(), ids=CELLS)
def test_a_cell_that_ends_its_process_costs_its_own_exercise_only(bar, answers: dict[str, str]) -> None:
    assert bar.scores(answers) == bar.full(*[f"test_{cell}" for cell in answers])


@pytest.mark.parametrize("answers", CALLS.values(), ids=CALLS)
def test_a_call_that_ends_its_process_costs_its_own_test_only(bar, answers: dict[str, str]) -> None:
    assert bar.scores(answers) == bar.full(*[f"test_{cell}" for cell in answers])


def test_who_kills_all_processes_keeps_what_came_before_and_hurts_nobody_else(bar) -> None:
    verdict = bar.hear({"crossing": "import os\nos.kill(-1, 9)"})
    assert [test for test, points in verdict.scores(bar.lab).items() if points] == ["test_standardize", "test_tally"]
    # Its fork outlives its elders for a moment, in which a test may still find that the name is missing.
    lost = [o for test, o in verdict.outcomes.items() if test not in ("test_standardize", "test_tally")]
    assert {o.status for o in lost} <= {"not reached", "failed"} and all(o.message for o in lost)
    assert bar.scores({}) == bar.full()
