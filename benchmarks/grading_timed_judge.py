"""The judge of `autograder.judging`, which notes how long each hand-in took it.

Workers import it by name.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from autograder import judging
from autograder.judging import rehearse
from autograder.verdict import Job, Verdict

__all__ = ["Note", "all_warm", "judge_handin", "read_notes", "rehearse"]

_NOTES = "judge_notes"


@dataclass(frozen=True)
class Note:
    """One hand-in: the process that judged it, when it was done (system-wide clock), and how long it took."""

    process: int
    done: float
    seconds: float


def judge_handin(job: Job) -> Verdict:
    started = time.monotonic()
    verdict = judging.judge_handin(job)
    done = time.monotonic()
    with (job.root / _NOTES).open("a") as notes:
        notes.write(f"{os.getpid()} {done} {done - started}\n")
    return verdict


def read_notes(root: Path) -> list[Note]:
    """The notes of a class, in the order in which verdicts came."""
    lines = (root / _NOTES).read_text().splitlines()
    return [Note(int(process), float(done), float(seconds)) for process, done, seconds in map(str.split, lines)]


def all_warm(notes: list[Note]) -> float:
    """When the last of the processes had judged its first hand-in, for which it starts a sandbox."""
    first: dict[int, float] = {}
    for note in notes:
        first.setdefault(note.process, note.done)
    return max(first.values())
