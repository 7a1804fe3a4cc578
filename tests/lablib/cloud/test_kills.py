"""Real processes, and a signal that nobody can catch."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from lablib.cloud import kills


def test_a_function_is_killed_or_ends() -> None:
    assert kills.run_and_kill(lambda: time.sleep(60), after=0.05)
    assert not kills.run_and_kill(lambda: None, after=30)


def test_a_function_that_fails_is_no_kill() -> None:
    with pytest.raises(RuntimeError, match="exit code 1"):
        kills.run_and_kill(lambda: 1 / 0, after=30)


def test_a_rank_that_is_killed_under_torchrun_loses_and_repeats_nothing() -> None:
    report = kills.torchrun_with_kill(samples=25, batch=4, ranks=2)
    assert report["counts"] == [1] * 25 and report["attempt"] == 1
    assert 0 < report["resumed_at"] < report["steps"] == 7


def test_a_job_that_takes_too_long_gets_a_sentence() -> None:
    with pytest.raises(RuntimeError, match=r"torchrun took more than 0\.1 s and was ended"):
        kills.torchrun_with_kill(seconds=0.1)


def command_line(pid: int) -> bytes:
    """Nothing if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_ranks_end_with_torchrun_although_they_have_sessions_of_their_own(tmp_path: Path) -> None:
    rank = [sys.executable, "-c", "import time; time.sleep(600)", str(tmp_path)]
    code = f"import subprocess, time; p = subprocess.Popen({rank}, start_new_session=True); print(p.pid, flush=True)"
    with subprocess.Popen([sys.executable, "-c", f"{code}; time.sleep(600)"], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        try:
            while str(tmp_path).encode() not in command_line(pid):
                time.sleep(0.01)
            kills._end(run, str(tmp_path))
        finally:
            run.kill()
    deadline = time.monotonic() + 30
    while command_line(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert run.returncode and not command_line(pid)


class Dealer:
    """The least that Dask needs: chunks by number, leases that are never given twice."""

    def __init__(self, chunks: int) -> None:
        self.free, self.open, self.counted, self.given = list(range(chunks)), {}, [], 0

    def take(self, worker):
        if not self.free:
            return None
        self.given += 1
        self.open[self.given] = worker, self.free.pop(0)
        return self.given, [self.open[self.given][1]]

    def done(self, lease):
        found = self.open.pop(lease, None)
        self.counted += [found[1]] if found else []
        return found is not None

    def lost(self, worker):
        for lease in [lease for lease, (holder, _) in self.open.items() if holder == worker]:
            self.free.append(self.open.pop(lease)[1])

    def finished(self):
        return not self.free and not self.open


def slow(ids):
    time.sleep(0.02)
    return ids[0]


def test_dask_workers_that_are_killed_lose_and_repeat_nothing() -> None:
    with ExitStack() as taken:
        with suppress(OSError):  # Dask's own port is taken: by us, or by somebody else
            taken.enter_context(socket.create_server(("127.0.0.1", 8787)))
        told = kills.dask_with_kills(Dealer(30), slow, kills=1)
    assert told["killed"] == 1 and sorted(told["results"]) == list(range(30))
