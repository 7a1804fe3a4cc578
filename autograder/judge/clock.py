"""Time limits that stop whatever the judge is doing."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_AGAIN = 0.5  # seconds until it rings once more: Python drops what is raised inside a destructor


class OutOfTime(BaseException):
    """A time limit passed; nothing that a test catches."""


@contextmanager
def time_limit(seconds: float, what: str) -> Iterator[None]:
    """Raise `OutOfTime` in the block after `seconds`; a limit around it stays in force.

    Parameters
    ----------
    seconds
    what
        What took too long, e.g. ``"the test"``.

    Notes
    -----
    Only in the main thread: it uses the process's alarm.
    """

    def ring(number: int, frame: Any) -> None:
        raise OutOfTime(f"{what} took more than {seconds:.0f} s")

    begin = time.monotonic()
    outer, _ = signal.getitimer(signal.ITIMER_REAL)
    if outer and outer <= seconds:  # the limit around rings first
        yield
        return
    handler = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if outer:
            signal.setitimer(signal.ITIMER_REAL, max(outer - (time.monotonic() - begin), 1e-3), _AGAIN)
