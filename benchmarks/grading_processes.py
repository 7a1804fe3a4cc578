"""The processes of a grading run that somebody else kills."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil

_ENDING_SECONDS = 60.0  # for workers to notice that nobody waits for them


def family(pid: int) -> list[psutil.Process]:
    """What the process started, and what these started."""
    with suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def workers(processes: list[psutil.Process]) -> list[int]:
    """Those that judge: multiprocessing has other helpers too."""
    found = []
    for process in processes:
        with suppress(psutil.Error):
            if "spawn_main" in " ".join(process.cmdline()):
                found.append(process.pid)
    return found


def left_behind(processes: list[psutil.Process]) -> list[str]:
    """Wait for processes to end; end those that do not, with a sentence about each."""
    deadline = time.monotonic() + _ENDING_SECONDS
    while any(map(_runs, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = [process for process in processes if _runs(process)]
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    return [f"process {process.pid} did not end" for process in left]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
