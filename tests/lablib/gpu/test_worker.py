"""The second process answers, reports errors, and is started again after it died."""

from __future__ import annotations

import pytest

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
