"""Attacks on time, memory, processes and disk: they cost the exercise that makes them, and nobody else."""

from __future__ import annotations

import threading
import time

import pytest

from autograder.inside.limits import GIB, MIB, Limits
from autograder.judge.judge import MAX_TEXT, TimeLimits

from .conftest import RING, hand_ins, in_calls, in_cells, solution

PATIENCE = 200  # looks, a tenth of a second apart, until the machine has cleared up
HASTY = TimeLimits(cell=1.5, test=1.5, total=30.0)
SMALL = Limits(memory=1 * GIB, processes=32, scratch_bytes=32 * MIB, file_bytes=16 * MIB)

LOOPS = {
    "a loop": "while True:\n    pass",
    "a loop that swallows every exception": "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
    "a loop that ignores every signal": (
        "import signal\nfor number in signal.valid_signals():\n    try:\n        signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError):\n        pass\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
        "while True:\n    pass"),
    "one long step in C": "sum(range(10**12))",
    "a regular expression that backtracks": "import re\nre.match('(a+)+$', 'a' * 40 + 'b')",
    "a number of a thousand million digits": "x = 7 ** 10**10",
    "a long sleep": "import time\ntime.sleep(1000)",
    "a stop": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "a wait for input": "import os\nread, write = os.pipe()\nos.read(read, 1)",
    "a lock that it holds already": "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()",
    "a slow drip of output": "import time\nwhile True:\n    print('x', flush=True)\n    time.sleep(0.05)",
}  # fmt: skip


STUBBORN = ("a loop", "a loop that ignores every signal", "one long step in C", "a stop")
CELLS = hand_ins(in_cells(LOOPS))
CALLS = hand_ins(in_calls({name: LOOPS[name] for name in STUBBORN}))


@pytest.mark.parametrize("answers", CELLS.values(), ids=CELLS)
def test_a_cell_without_end_costs_its_own_exercise_only(bar, answers: dict[str, str]) -> None:
    verdict = bar.hear(answers, times=HASTY, limits=SMALL)
    assert verdict.scores(bar.lab) == bar.full(*[f"test_{cell}" for cell in answers])
    assert all("the cell took more than 2 s" in verdict.output[cell] for cell in answers)


@pytest.mark.parametrize("answers", CALLS.values(), ids=CALLS)
def test_a_call_without_end_costs_its_own_test_only(bar, answers: dict[str, str]) -> None:
    verdict = bar.hear(answers, times=HASTY, limits=SMALL)
    assert verdict.scores(bar.lab) == bar.full(*[f"test_{cell}" for cell in answers])
    assert all("the test took more than 2 s" in verdict.outcomes[f"test_{cell}"].message for cell in answers)


GREED = {
    "8 GB at once": "x = bytearray(8 * 2**30)",
    "1 MB after the other": "x = []\nwhile True:\n    x.append(bytearray(2**20))",
    "a tensor of 400 GB": "x = torch.ones(10**11)",
    "a million files": "for number in range(10**6):\n    open(f'/tmp/{number}', 'w').close()",
    "a file without end": "with open('/tmp/x', 'wb') as file:\n    while True:\n        file.write(bytes(2**20))",
    "files that fill the disk": "for number in range(99):\n    open(f'/tmp/{number}', 'wb').write(bytes(15 * 2**20))",
    "descriptors": "x = [open('/dev/null') for _ in range(10_000)]",
}  # fmt: skip


@pytest.mark.parametrize("name", GREED)
def test_who_takes_too_much_loses_one_exercise(bar, name: str) -> None:
    verdict = bar.hear({"tally": GREED[name]}, times=TimeLimits(cell=9.0, test=5.0, total=30.0), limits=SMALL)
    assert verdict.scores(bar.lab) == bar.full("test_tally")
    assert "Error" in verdict.output["tally"]


THREADS = """
import threading, time
try:
    while True:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
except RuntimeError:
    pass
"""


def test_who_takes_all_processes_has_none_for_the_exercises_after_it(bar) -> None:
    verdict = bar.hear({"crossing": THREADS}, times=TimeLimits(cell=9.0, test=5.0, total=30.0), limits=SMALL)
    assert [test for test, points in verdict.scores(bar.lab).items() if points] == ["test_standardize", "test_tally"]
    assert bar.scores({}) == bar.full()


def test_memory_that_a_limit_on_one_process_does_not_see_ends_the_hand_in(bar) -> None:
    shared = "import mmap, os\nmany = []\nwhile True:\n    many.append(mmap.mmap(-1, 2**26))\n    many[-1].write(bytes(2**26))"
    verdict = bar.hear({"crossing": shared}, times=TimeLimits(cell=9.0, test=5.0, total=30.0), limits=SMALL)
    assert [test for test, points in verdict.scores(bar.lab).items() if points] == ["test_standardize", "test_tally"]
    assert bar.scores({}) == bar.full()


PROCESSES = {
    "a fork bomb": "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
    "forks that wait": (
        "import os, time\nfor _ in range(100):\n    try:\n        if os.fork() == 0:\n            time.sleep(60)\n"
        "            os._exit(0)\n    except OSError:\n        break"),
    "a daemon": (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(60)\n    os._exit(0)"),
    "a daemon that is busy": (
        "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        while True:\n            pass\n"
        "    os._exit(0)"),
    "a program": "import subprocess\nsubprocess.Popen(['sleep', '60'])",
}  # fmt: skip


@pytest.mark.parametrize("name", PROCESSES)
def test_no_process_outlives_its_hand_in(bar, name: str) -> None:
    assert bar.scores({"fit": PROCESSES[name]}, times=HASTY, limits=SMALL) == bar.full("test_fit")
    assert bar.scores({}) == bar.full()
    for _ in range(PATIENCE):
        if bar.processes() == bar.idle:
            break
        time.sleep(0.1)
    assert bar.processes() == bar.idle


def test_a_fork_bomb_does_not_hurt_the_hand_in_beside_it(bar) -> None:
    scores = {}

    def hear(name: str, answers: dict[str, str]) -> None:
        scores[name] = bar.scores(answers, limits=SMALL)

    both = [
        threading.Thread(target=hear, args=("bomb", {"fit": PROCESSES["forks that wait"]})),
        threading.Thread(target=hear, args=("honest", {})),
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert scores == {"bomb": bar.full("test_fit"), "honest": bar.full()}


OUTPUT = {
    "200 MB at once": "print('x' * (200 * 2**20))",
    "twenty thousand lines": "for number in range(20_000):\n    print(number)",
    "writing past Python": "import os\nfor _ in range(1000):\n    os.write(1, b'x' * 2**20)",
    "a subprocess that prints": "import subprocess\nsubprocess.run(['seq', '5000000'])",
    "errors and warnings": "import sys, warnings\nsys.stderr.write('x' * 10**7)\nwarnings.warn('x' * 10**7)",
    "a display of 50 MB": "from IPython.display import HTML, display\ndisplay(HTML('<script>' * 6_000_000))",
}  # fmt: skip


PRINTING = hand_ins(in_cells(OUTPUT))


@pytest.mark.parametrize("answers", PRINTING.values(), ids=PRINTING)
def test_who_prints_too_much_is_cut_short_and_keeps_all_points(bar, answers: dict[str, str]) -> None:
    own = solution(bar.lab)
    verdict = bar.hear({cell: f"{source}\n{own[cell]}" for cell, source in answers.items()})
    assert verdict.scores(bar.lab) == bar.full()
    assert all(len(text) <= MAX_TEXT for text in verdict.output.values())
    assert len(verdict.to_json()) < 20_000


def test_an_exception_with_a_long_message_is_cut_short(bar) -> None:
    verdict = bar.hear({"tally": "def tally(items):\n    raise ValueError('x' * 10**7)"})
    assert verdict.scores(bar.lab) == bar.full("test_tally")
    assert len(verdict.to_json()) < 20_000


def test_a_test_that_collects_without_end_runs_into_the_judges_own_limit(bar) -> None:
    times = TimeLimits(cell=10.0, test=30.0, total=60.0)
    endless = RING + "\n    def __iter__(self):\n        while True:\n            yield torch.zeros(2**23)"
    verdict = bar.hear({"ring": endless}, times=times, limits=Limits(memory=1 * GIB))
    assert verdict.scores(bar.lab) == bar.full("test_ring")
    assert "MemoryError" in verdict.outcomes["test_ring"].message  # in the test itself, or as it reads a message


def test_a_range_that_a_test_unfolds_runs_into_the_judges_own_limit(judged) -> None:
    status, message = judged(
        "def answer():\n    return [1]", "sorted(answer())", "def answer():\n    return range(10**12)"
    )
    assert (status, message) == ("failed", "MemoryError")
