"""Ranks as threads of one process: nothing to install, and every rank's objects can be looked at."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from lablib.parallel.communicator import Communicator
from lablib.parallel.errors import RankFailed
from lablib.parallel.meeting import Meeting
from lablib.parallel.traffic import Traffic

__all__ = ["run_threads"]

_LIBRARY = str(Path(__file__).parents[1])


class ThreadCommunicator(Communicator):
    """One rank among threads."""

    def __init__(self, rank: int, meeting: Meeting, started: float) -> None:
        super().__init__(rank, meeting.size, started)
        self._meeting, self._calls = meeting, 0

    def _exchange(self, tensor: torch.Tensor, to: int, source: int) -> torch.Tensor:
        self._meeting.post(self.rank, to, tensor.clone())
        received = self._meeting.fetch(source, self.rank)
        if (received.shape, received.dtype) != (tensor.shape, tensor.dtype):
            raise ValueError(
                f"exchange: rank {self.rank} sent shape {tuple(tensor.shape)}, {tensor.dtype}, and got "
                f"{tuple(received.shape)}, {received.dtype} from rank {source}: both must be alike"
            )
        return received

    def _start(self, operation: str, tensor: torch.Tensor) -> Callable[[], torch.Tensor]:
        number, self._calls = self._calls, self._calls + 1
        self._meeting.join(self.rank, number, operation, tensor.clone())
        return cache(lambda: self._meeting.result(self.rank, number, operation))  # who asks twice gets the same


def run_threads(function: Callable[..., Any], size: int, args: tuple, seconds: float) -> tuple[list[Any], Traffic]:
    """Call ``function(comm, *args)`` on ``size`` threads; see `lablib.parallel.launch`."""
    meeting, started = Meeting(size), time.time()
    comms = [ThreadCommunicator(rank, meeting, started) for rank in range(size)]
    values: list[Any] = [None] * size
    with_grad = torch.is_grad_enabled()

    def run(rank: int) -> None:
        failure = None
        try:
            with torch.set_grad_enabled(with_grad):
                values[rank] = function(comms[rank], *args)
        except BaseException as error:  # a rank that exits is a failure like any other
            failure = str(error) if isinstance(error, RankFailed) else _told(rank, size, error)
        meeting.leave(rank, failure)

    threads = [threading.Thread(target=run, args=(rank,), daemon=True) for rank in range(size)]
    for thread in threads:
        thread.start()
    _join(threads, meeting, started + seconds, seconds)
    if meeting.broken:
        raise RankFailed(meeting.broken)
    return values, Traffic().merge(comm.traffic for comm in comms)


def _join(threads: list[threading.Thread], meeting: Meeting, deadline: float, seconds: float) -> None:
    """Wait for all; when the time is over, say where each one is, and end those that run Python."""
    for thread in threads:
        thread.join(max(0.0, deadline - time.time()))
    late = {rank: thread for rank, thread in enumerate(threads) if thread.is_alive()}
    if not late:
        return
    frames = sys._current_frames()
    rank, thread = next(iter(late.items()))
    place = _place(frames.get(thread.ident or 0))
    others = f" So do {len(late) - 1} more ranks." if len(late) > 1 else ""
    for one in late.values():  # takes effect when the thread next runs a line of Python
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(one.ident or 0), ctypes.py_object(SystemExit))
    meeting.leave(rank, f"rank {rank} of {len(threads)} still runs after {seconds:g} s, {place}.{others}")


def _place(frame: FrameType | None) -> str:
    """The line of the caller's own code that a frame stands in."""
    found = "and nobody knows where"
    for one, line in traceback.walk_stack(frame):
        name = one.f_code.co_filename
        if not name.startswith(_LIBRARY) and "threading" not in name and "site-packages" not in name:
            return f"in line {line} of {one.f_code.co_name}"
        found = f"in {one.f_code.co_name}" if found.startswith("and") else found
    return found


def _told(rank: int, size: int, error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[1:]
    where = f" (line {frames[-1].lineno} of {frames[-1].name})" if frames else ""
    return f"rank {rank} of {size} raised {type(error).__name__}: {error}{where}"
