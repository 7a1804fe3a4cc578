"""A training run on machines that fail, played against a list of failures.

The model: machines fail independently at a constant rate, so a fleet of N fails N times as often and the time from one
failure to the next is exponential. Any failure stops all (training is synchronous). Then

    restart (R)  work (interval)  blocked (C)  work (interval)  blocked (C) ...  failure

After each `interval` of work the run is blocked for C while its state is copied; a background writer then needs W until
the checkpoint can be trusted, and work goes on meanwhile. A failure throws back to the last trusted checkpoint, and may
also strike during a restart, which then begins again.

Source: Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps", FGCS 22, 2006.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Run", "failure_gaps", "goodput", "play"]


@dataclass
class Run:
    """Where the time of a run went, in the unit of the failures.

    Attributes
    ----------
    kept, lost, blocked, restarting
        Work that a trusted checkpoint holds; work and waiting that a failure threw away; waiting for copies; restarts.
    failures, checkpoints
        How many there were; checkpoints that came to be trusted.
    spans
        (kind, start, end) in order of time.
    """

    kept: float = 0.0
    lost: float = 0.0
    blocked: float = 0.0
    restarting: float = 0.0
    failures: int = 0
    checkpoints: int = 0
    spans: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def goodput(self) -> float:
        """Kept work as a share of all time."""
        return self.kept / (self.kept + self.lost + self.blocked + self.restarting)


def failure_gaps(count: int, mtbf: float, rng: np.random.Generator) -> np.ndarray:
    """Times from each failure of a fleet to the next, shape (count,), float64: exponential with mean ``mtbf``.

    Examples
    --------
    >>> gaps = failure_gaps(100_000, 4.0, np.random.default_rng(0))
    >>> bool(3.95 < gaps.mean() < 4.05)
    True
    """
    return rng.exponential(mtbf, count)


def goodput(interval: float, blocking: float, background: float, restart: float, gaps: np.ndarray) -> float:
    """The share of time that became kept work, over many failures at once.

    Parameters
    ----------
    interval, blocking, background, restart
        Work between two copies, C, W and R, in the unit of ``gaps``.
    gaps
        From `failure_gaps`.

    Raises
    ------
    ValueError
        If a write would not have ended when the next one is due.

    Examples
    --------
    Restarted after 1, a first checkpoint at 1 + 10 + 2 + 3 = 16 and a second at 28; the failure comes at 30:

    >>> round(goodput(10, 2, 3, 1, np.array([30.0])), 4)
    0.6667
    """
    _refuse(interval, blocking, background)
    running = gaps - restart
    trusted = 1 + np.floor((running - interval - blocking - background) / (interval + blocking))
    return float(interval * np.maximum(trusted, 0).sum() / gaps.sum())


def play(interval: float, blocking: float, background: float, restart: float, gaps: Sequence[float]) -> Run:
    """The same, span by span, for pictures and counters.

    Examples
    --------
    >>> run = play(10, 2, 3, 1, [30.0])
    >>> run.kept, run.blocked, run.lost, run.restarting
    (20.0, 4.0, 5.0, 1.0)
    """
    _refuse(interval, blocking, background)
    run, now = Run(), 0.0
    for gap in gaps:
        end = now + float(gap)
        up = min(now + restart, end)
        run.restarting += up - now
        run.spans.append(("restart", now, up))
        period = interval + blocking
        trusted = max(int((end - up - period - background) // period) + 1, 0)
        for number in range(trusted):
            begin = up + number * period
            run.spans += [("kept", begin, begin + interval), ("blocked", begin + interval, begin + period)]
        run.kept, run.blocked = run.kept + trusted * interval, run.blocked + trusted * blocking
        saved = up + trusted * period
        run.lost += end - saved
        run.spans.append(("lost", saved, end))
        run.checkpoints, run.failures, now = run.checkpoints + trusted, run.failures + 1, end
    return run


def _refuse(interval: float, blocking: float, background: float) -> None:
    if interval <= 0 or background > interval + blocking + 1e-9 * background:
        raise ValueError(
            f"A copy every {interval:g} + {blocking:g} and a write of {background:g}: the writer falls behind. "
            "Expected an interval above 0 and of at least the write less the copy."
        )
