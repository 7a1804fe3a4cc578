"""The second process answers, reports errors, and is started again after it died."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from lablib.gpu import worker as module
from lablib.gpu.worker import Worker, WorkerError


@pytest.fixture
def worker():
    made = Worker("os:getenv", {"LABLIB_PROBE": "yes", "HOME": None})
    yield made
    made.close()


def test_environment_is_the_workers_own(worker: Worker) -> None:
    assert worker.call("LABLIB_PROBE") == "yes"
    assert worker.call("HOME") is None


def test_an_error_comes_back_with_its_type(worker: Worker) -> None:
    with pytest.raises(WorkerError, match="TypeError"):
        worker.call(1)
    assert worker.call("LABLIB_PROBE") == "yes"


def test_a_call_that_takes_too_long_is_ended() -> None:
    worker = Worker("time:sleep", {})
    with pytest.raises(WorkerError, match=r"time:sleep took more than 1 s"):
        worker.call(60, timeout=1.0)
    assert worker.call(0) is None
    worker.close()


def test_a_process_that_dies_is_reported_and_replaced() -> None:
    worker = Worker("os:_exit", {})
    for _ in range(2):
        with pytest.raises(WorkerError, match=r"os:_exit ended \(exit code 3\)"):
            worker.call(3)


def test_a_process_that_is_closed_removes_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 60.0)  # on a busy machine
    worker = Worker("lablib.gpu.modules:load_kernel", {"TMPDIR": str(tmp_path)})
    assert worker.call("x = 3", "x") == 3
    assert [path.name.startswith("lablib-kernels-") for path in tmp_path.iterdir()] == [True]
    process = worker._process
    worker.close()
    assert process.returncode == 0 and list(tmp_path.iterdir()) == []


def test_a_process_at_work_is_ended_without_waiting_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker("time:sleep", {})
    assert worker.call(0) is None
    process = worker._process

    def interrupted(stream: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_PATIENCE", 60.0)
    monkeypatch.setattr(module.pickle, "load", interrupted)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        worker.call(600)
    assert process.returncode == -signal.SIGKILL and time.monotonic() - begun < 30


def test_a_process_that_does_not_end_by_itself_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.1)
    worker = Worker("builtins:exec", {})
    worker.call("import threading, time; threading.Thread(target=time.sleep, args=(600,)).start()")
    process = worker._process
    worker.close()
    assert process.returncode == -signal.SIGKILL
