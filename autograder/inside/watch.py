"""The process that stays beside a hand-in's: it ends all of it when time or memory runs out, or the hand-in ends."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from autograder.inside.cgroup import Cgroup
from autograder.inside.limits import Limits

TIME_OVER = 124
MEMORY_OVER = 125
WATCH_FAILED = 126
_INTERVAL = 0.1  # seconds; a process fills about 1 GiB in one
_IDLE = 20  # times longer waiting than looking: where there are no namespaces, looking takes in the whole machine


def watch(session: int, limits: Limits, cgroup: Cgroup) -> int:
    """Wait for the process `session`, a child of this one and the first in `cgroup`.

    Returns
    -------
    int
        Its exit status, 128 and the number of the signal that killed it, `TIME_OVER` or `MEMORY_OVER`.
    """
    deadline = time.monotonic() + limits.seconds
    shared = _memory("self")[1]  # with the warm parent, by this process as by every other
    finished = select.poll()
    finished.register(os.pidfd_open(session), select.POLLIN)
    while True:
        started = time.monotonic()
        status = _reap(session)
        if cgroup.out_of_memory() or sum(max(0, held - shared) for _, held in descendants()) > limits.memory:
            return MEMORY_OVER
        if status is not None:
            return status
        if time.monotonic() > deadline:
            return TIME_OVER
        finished.poll(1000 * max(_INTERVAL, _IDLE * (time.monotonic() - started)))


def _reap(session: int) -> int | None:
    """Collect the processes that ended; the session's status if it is among them."""
    while True:
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended == session:
            return exit_code(status)
        if ended == 0:
            return None


def exit_code(status: int) -> int:
    """What `os.waitpid` said, as a shell says it: a death by signal is 128 and the signal's number."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def descendants() -> Iterator[tuple[int, int]]:
    """Id and bytes of memory of every process below this one."""
    children: dict[int, list[tuple[int, int]]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            parent, held = _memory(name)
            children.setdefault(parent, []).append((int(name), held))
    found = children.get(os.getpid(), [])
    while found:
        yield from found
        found = [below for process, _ in found for below in children.get(process, [])]


def _memory(process: str) -> tuple[int, int]:
    """Parent of a process, and bytes that it holds in memory that no file backs; zeros if it is gone."""
    try:
        text = Path("/proc", process, "status").read_text(errors="replace")
    except OSError:
        return 0, 0
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    held = sum(int(fields.get(name, "0 kB").split()[0]) for name in ("RssAnon", "RssShmem"))
    return int(fields["PPid"]), 1024 * held


def kill_descendants() -> None:
    """End every process below this one, those that they start meanwhile too."""
    while True:
        for process, _ in descendants():
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return
