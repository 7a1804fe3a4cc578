"""Workers judge side by side, and one that dies costs no hand-in anything but time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from autograder import fingerprint, workers
from autograder.master import Lab
from autograder.sandbox import SandboxError
from autograder.verdict import Job, Verdict
from autograder.workers import ProcessWorkers, WorkersError, judge_all, open_workers

from . import lying_judge, plain_judge
from .conftest import ROOT

RIGHT = {"double": "def double(x):\n    return 2 * x", "area": "def area(radius):\n    return math.pi * radius**2"}
DIE = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
DIE_ONCE = f"marker = root / 'died'\nif not marker.exists():\n    marker.touch()\n    {DIE.replace(chr(10), '; ')}\n"

Found = dict[str, tuple[Verdict | None, str]]


def _jobs(root: Path, lab: Lab, **doubles: str) -> dict[str, Job]:
    return {name: Job(root, lab.name, RIGHT | {"double": source}) for name, source in doubles.items()}


def _keep(name: str, verdict: Verdict) -> Verdict:
    return verdict


def _judge(executor, lab: Lab, jobs: dict[str, Job], judge: str = plain_judge.NAME) -> Found:
    return {name: (verdict, reason) for name, verdict, reason in judge_all(executor, lab, jobs, _keep, judge)}


def _passed(found: Found) -> dict[str, int]:
    return {
        name: sum(one.passed for one in verdict.outcomes.values()) for name, (verdict, _) in found.items() if verdict
    }


def _eventually(true: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_worker_that_dies_costs_only_the_hand_in_that_ends_it_every_time(repository: Path, tiny: Lab) -> None:
    jobs = _jobs(
        repository,
        tiny,
        right=RIGHT["double"],
        wrong="def double(x):\n    return 3 * x",
        dies=DIE,
        unlucky=DIE_ONCE + RIGHT["double"],
    )
    with open_workers(tiny, 2) as executor:
        found = _judge(executor, tiny, jobs)
    assert _passed(found) == {"right": 2, "wrong": 1, "unlucky": 2}
    assert found["dies"] == (None, "the judge's process ended 3 times at this hand-in")
    judged = (repository / "judged").read_text().split()
    assert len(judged) == 1 + 1 + workers.MOST_DEATHS + 2


def test_a_worker_killed_from_outside_is_replaced(repository: Path, tiny: Lab) -> None:
    wait = "import time\nwhile not (root / 'go').exists():\n    time.sleep(0.02)\n"
    jobs = _jobs(repository, tiny, one=wait + RIGHT["double"], two=RIGHT["double"])
    with ProcessWorkers(1) as executor:
        results = judge_all(executor, tiny, jobs, _keep, plain_judge.NAME)
        assert _eventually(lambda: (repository / "judged").exists())
        for child in psutil.Process().children():
            if "spawn_main" in " ".join(child.cmdline()):
                child.kill()
        (repository / "go").touch()
        found: Found = {name: (verdict, reason) for name, verdict, reason in results}
    assert _passed(found) == {"one": 2, "two": 2}


def test_workers_end_with_the_process_that_started_them(repository: Path, tiny: Lab) -> None:
    script = (
        "import os, time\n"
        "from autograder.workers import ProcessWorkers\n"
        "if __name__ == '__main__':\n"
        "    with ProcessWorkers(2) as executor:\n"
        "        pids = [executor.submit(os.getpid).result()]\n"
        "        print(*pids, flush=True)\n"
        "        executor.submit(time.sleep, 600).result()\n"
    )
    file = repository / "starter.py"
    file.write_text(script)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, str(file)], env=environment, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        worker = psutil.Process(pid)
        starter.send_signal(signal.SIGKILL)
    assert _eventually(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def test_verdicts_are_kept_while_nobody_asks_for_them(repository: Path, tiny: Lab) -> None:
    jobs, kept = _jobs(repository, tiny, one=RIGHT["double"], two="pass"), []
    with open_workers(tiny, 1) as executor:
        results = judge_all(executor, tiny, jobs, lambda name, verdict: kept.append(name) or verdict, plain_judge.NAME)
        assert _eventually(lambda: sorted(kept) == ["one", "two"])
        assert len(list(results)) == 2


def test_what_the_judge_raises_is_a_reason(repository: Path, tiny: Lab) -> None:
    jobs = _jobs(repository, tiny, leaves="raise SystemExit('bye')", right=RIGHT["double"])
    with open_workers(tiny, 1) as executor:
        found = _judge(executor, tiny, jobs)
    assert found["leaves"] == (None, "bye")
    assert _passed(found) == {"right": 2}


def test_where_nothing_can_be_judged_nobody_loses_points(repository: Path, tiny: Lab) -> None:
    jobs = _jobs(repository, tiny, one="# no sandbox")
    with open_workers(tiny, 1) as executor:
        with pytest.raises(SandboxError, match="there is no sandbox here"):
            _judge(executor, tiny, jobs)
        with pytest.raises(WorkersError, match=r"there is no judge called tests\.no_such_judge"):
            _judge(executor, tiny, jobs, "tests.no_such_judge")


@pytest.mark.parametrize("lie", lying_judge.LIES)
def test_what_is_no_verdict_on_the_lab_is_not_kept(repository: Path, tiny: Lab, lie: str) -> None:
    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(WorkersError, match="the judge's outcomes are not of the lab's tests"),
    ):
        _judge(executor, tiny, _jobs(repository, tiny, one=lie), lying_judge.NAME)


def test_a_worker_with_other_sources_is_refused(repository: Path, tiny: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = _jobs(repository, tiny, right=RIGHT["double"])
    monkeypatch.setattr(fingerprint, "of_lab", lambda lab: "other")
    with open_workers(tiny, 1) as executor, pytest.raises(WorkersError, match="other sources or package versions"):
        _judge(executor, tiny, jobs)


@pytest.mark.slow
def test_dask_carries_the_same_work(repository: Path, tiny: Lab) -> None:
    jobs = _jobs(
        repository,
        tiny,
        right=RIGHT["double"],
        wrong="def double(x):\n    return 3",
        unlucky=DIE_ONCE + RIGHT["double"],
    )
    with _dask(2) as address, open_workers(tiny, 1, address) as executor:
        found = _judge(executor, tiny, jobs)
    assert _passed(found) == {"right": 2, "wrong": 1, "unlucky": 2}


@pytest.mark.slow
def test_a_dask_worker_without_the_checkout_is_refused(repository: Path, tiny: Lab, tmp_path: Path) -> None:
    with (
        _dask(1, PYTHONPATH=str(tmp_path)) as address,
        pytest.raises(WorkersError, match="No module named 'autograder'"),
    ):
        open_workers(tiny, 1, address).__enter__()


def test_a_scheduler_that_is_not_there_is_one_sentence(tiny: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "DASK_ANSWERS", "1s")
    with pytest.raises(WorkersError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        open_workers(tiny, 1, "tcp://127.0.0.1:9").__enter__()


@contextmanager
def _dask(number: int, **environment: str) -> Iterator[str]:
    """A scheduler and workers as a cluster would start them; the scheduler's address."""
    started = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    dask = [sys.executable, "-m", "dask"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "scheduler.json")
        options = ["--scheduler-file", str(file), "--no-dashboard"]
        commands = [
            [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", *options],
            [*dask, "worker", "--nworkers", str(number), "--nthreads", "1", "--local-directory", folder, *options],
        ]
        running = [
            subprocess.Popen(command, env=started, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
            for command in commands
        ]
        try:
            assert _eventually(lambda: file.exists() and file.stat().st_size > 0)
            yield json.loads(file.read_text())["address"]
        finally:
            for process in reversed(running):
                process.terminate()
                process.wait(30)
