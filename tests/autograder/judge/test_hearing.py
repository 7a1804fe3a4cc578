"""One exercise's end is no other's: crashes, endless loops and changed globals stay where they are."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from autograder import master
from autograder.inside.limits import MIB, Limits
from autograder.judge.judge import TimeLimits
from autograder.judge.parent import Parent
from autograder.judging import Courtroom
from autograder.master import Lab
from autograder.verdict import Job

QUICK = TimeLimits(cell=10.0, test=10.0, total=30.0)
SOON = TimeLimits(cell=1.0, test=1.5, total=20.0)

THREE = """# %% setup tags=["setup"]
import torch

from lablib import check

"""
EXERCISE = """# %% {name} tags=["solution"]
### BEGIN SOLUTION
def {name}():
    return 1
### END SOLUTION

# %% test_{name} tags=["test", "core"] points=1 hours=1
check.equal({name}(), 1)

"""


@pytest.fixture
def three(tmp_path: Path) -> Lab:
    path = tmp_path / "three.py"
    path.write_text(THREE + "".join(EXERCISE.format(name=name) for name in ("first", "second", "third")))
    return master.load(path)


def passed(verdict) -> list[str]:
    return sorted(test.removeprefix("test_") for test, outcome in verdict.outcomes.items() if outcome.passed)


ENDINGS = {
    "exit": ("import os\nos._exit(0)", "its process exited with status 0"),
    "exception": ("raise SystemExit", ""),
    "kill": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "its process ended with SIGKILL"),
    "segfault": ("import ctypes\nctypes.string_at(0)", "SIGSEGV: it touched memory that is not its own"),
    "loop": ("while True:\n    pass", "the cell took more than 1 s"),
    "stubborn": ("while True:\n    try:\n        pass\n    except BaseException:\n        pass", "took more than 1 s"),
    "syntax": ("def first(:", "SyntaxError"),
    "builtins": ("import builtins\nbuiltins.len = builtins.isinstance = None", ""),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_cell_that_ends_its_process_costs_its_own_tests(hear, three, ending: str) -> None:
    source, said = ENDINGS[ending]
    verdict = hear(three, {"second": source}, times=SOON)
    assert "second" not in passed(verdict)
    if ending != "builtins":
        assert passed(verdict) == ["first", "third"]
    assert said in verdict.output.get("second", "")


CALLS = {
    "exit": ("import os\n    os._exit(3)", "its process exited with status 3"),
    "loop": ("while True:\n        pass", "the test took more than 2 s"),
    "output": ("while True:\n        print('x' * 1000000)", "the test took more than 2 s"),
    "memory": ("return bytearray(1 << 40)", "MemoryError"),
    "recursion": ("return first()", "RecursionError"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_ends_its_process_costs_its_own_test(hear, three, call: str) -> None:
    body, said = CALLS[call]
    verdict = hear(three, {"first": f"def first():\n    {body}"}, times=SOON)
    assert passed(verdict) == ["second", "third"]
    assert said in verdict.outcomes["test_first"].message


def test_what_a_test_changes_is_gone_for_the_next(hear, three) -> None:
    counting = "calls = []\n\n\ndef {name}():\n    calls.append(1)\n    return len(calls)"
    answers = {"first": counting.format(name="first"), "second": "def second():\n    return 1 + len(calls)"}
    assert passed(hear(three, answers)) == ["first", "second", "third"]


FORKS = {
    "a cell": "import os\nos.fork()\n\n\ndef second():\n    return 1",
    "a cell whose fork fails": "import os\nif os.fork() == 0:\n    raise SystemExit\n\n\ndef second():\n    return 1",
    "a function": "import os\n\n\ndef second():\n    os.fork()\n    return 1",
    "a function whose fork fails": "import os\n\n\ndef second():\n    return 1 if os.fork() else int('one')",
}


@pytest.mark.parametrize("where", FORKS)
def test_a_fork_that_comes_back_says_nothing(hear, three, where: str) -> None:
    three.path.write_text(three.path.read_text().replace("second(), 1", "[second(), second()], [1, 1]"))
    verdict = hear(master.load(three.path), {"second": FORKS[where]}, times=QUICK)
    assert (passed(verdict), verdict.remarks) == (["first", "second", "third"], [])


def test_a_hand_in_that_fills_the_memory_is_ended_with_a_reason(hear, three) -> None:
    filling = "import os\nos.fork()\nos.fork()\nkept = os.urandom(1 << 20) * 200\nwhile True:\n    pass"
    verdict = hear(three, {"second": filling}, limits=Limits(memory=512 * MIB), times=QUICK)
    assert passed(verdict) == ["first"]
    assert verdict.remarks == ["the hand-in used more memory than it may"]


KERNEL = """
import triton
import triton.language as tl


@triton.jit
def _double_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    lanes = tl.arange(0, BLOCK)
    tl.store(y_ptr + lanes, 2 * tl.load(x_ptr + lanes, mask=lanes < n, other=0.0), mask=lanes < n)


def answer(x):
    y = torch.empty_like(x)
    _double_kernel[(1,)](x, y, x.numel(), BLOCK=16)
    if not (y.numpy() == 2 * x.numpy()).all():
        raise ValueError("the kernel did not double")
    return y
"""


def test_what_torch_does_may_depend_on_numbers(hear, lab_of) -> None:
    solution = "def answer(x):\n    scale = x.abs().max().item()\n    return x[x > 0] / scale"
    test = "x = check.rng.normal(50)\ny = check.cost(answer, x, flops=0, allocated=(200, 2000))\n"
    test += "check.close(y, x[x > 0] / x.abs().max())"
    assert hear(lab_of(solution, test), {}).outcomes["test_answer"].message == ""


def test_an_answer_may_look_at_what_its_kernel_wrote(hear, lab_of) -> None:
    test = "x = check.rng.normal(10)\ny = check.observe(answer, x).value\ncheck.close(y, 2 * x)"
    assert hear(lab_of(KERNEL, test), {}).outcomes["test_answer"].message == ""


def test_a_sandbox_that_is_killed_is_started_again(three) -> None:
    courtroom = Courtroom(three, "bubblewrap", times=SOON)
    job = Job(Path(), three.name, {name: f"def {name}():\n    return 1" for name in ("first", "second", "third")})
    assert passed(courtroom.hear(job)[0]) == ["first", "second", "third"]
    sandbox = courtroom.parent.process
    os.kill(sandbox.pid, signal.SIGKILL)
    sandbox.wait()
    assert passed(courtroom.hear(job)[0]) == ["first", "second", "third"]
    courtroom.close()


def test_a_judge_that_fails_is_no_verdict(three) -> None:
    courtroom = Courtroom(three, "bubblewrap", times=SOON)
    assert courtroom.parent
    courtroom._folder.cleanup()
    with pytest.raises(RuntimeError, match=r"^the judge failed: FileNotFoundError: .*No such file or directory"):
        courtroom.hear(Job(Path(), three.name, {}))
    courtroom.close()


def test_a_sandbox_that_was_killed_says_so_and_can_be_closed(tmp_path: Path) -> None:
    parent = Parent("bubblewrap", tmp_path)
    parent.process.kill()
    assert parent.control.recv(1) == b""  # all of it has ended
    with pytest.raises(ValueError, match=r"the sandbox (has ended|did not start)"):
        parent.preload(["json"])
    parent.close()


def test_a_sandbox_can_be_closed_twice(tmp_path: Path) -> None:
    parent = Parent("bubblewrap", tmp_path)
    parent.close()
    parent.close()


def test_a_sandbox_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from autograder import sandbox

    start = sandbox.start
    monkeypatch.setattr(sandbox, "start", lambda module, *rest, **named: start("no.such.module", *rest, **named))
    with pytest.raises(ValueError, match=r"the sandbox did not start: .*No module named 'no'"):
        Parent("bubblewrap", tmp_path)
