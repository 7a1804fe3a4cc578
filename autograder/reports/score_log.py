"""The log of scores: every change with its time and cause, appended and never rewritten.

A line of JSON counts once its newline is written. What a killed writer left behind the last newline was never
promised to anybody: readers skip it, the next writer cuts it off.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from autograder.errors import AutograderError

GRADED, REGRADED, BY_HAND, LATE, REFUSED = "graded", "regraded", "marked by hand", "late", "hand-in not taken"
CAUSES = (GRADED, REGRADED, BY_HAND, LATE, REFUSED)

Score = float | None


class ScoreLogError(AutograderError):
    """The log holds something else than score changes, or was asked to."""


@dataclass(frozen=True)
class ScoreChange:
    """One entry of the log.

    Attributes
    ----------
    time : str
        UTC, ISO 8601.
    student, lab, cell : str
    old, new : float or None
        None where a person still has to mark, and as `old` of a first entry.
    cause : str
        One of `CAUSES`.
    verdict_key : str
        Key of the verdict that gave the score; empty for a score that a person gave.
    """

    time: str
    student: str
    lab: str
    cell: str
    old: Score
    new: Score
    cause: str
    verdict_key: str

    def to_line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"


class ScoreLog:
    """A log of scores in one file.

    Several processes may record: each takes the file's lock for one append, after it has read what others
    appended since.

    Parameters
    ----------
    path : Path
        Such as course/scores.jsonl; it appears with the first change.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[tuple[str, str, str], Score] = {}
        self._read_up_to = 0

    def record(
        self, student: str, lab: str, scores: Mapping[str, Score], verdict_key: str, cause: str
    ) -> list[ScoreChange]:
        """Append the scores, by cell, that differ from the log's last; return what was appended.

        A cell that the log does not know is a change, whatever its score. Recording the same again does nothing,
        so a run that was killed between the gradebook and the log is made good by the next one.

        Raises
        ------
        ScoreLogError
            The cause is unknown, a score is no finite number, or the file is not a log of scores.
        """
        if cause not in CAUSES:
            raise ScoreLogError(f"a score changes for one of the causes {', '.join(CAUSES)}, not {cause!r}")
        for cell, score in scores.items():
            if score is not None and not math.isfinite(score):
                raise ScoreLogError(f"{student}, {cell}: a score is a finite number, not {score}")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)  # given back when the file is closed, also by a kill
            self._catch_up(stream)
            stream.truncate(self._read_up_to)
            changes = self._changes(student, lab, scores, verdict_key, cause)
            stream.write(b"".join(change.to_line() for change in changes))
            stream.flush()
            os.fsync(stream.fileno())
            self._catch_up(stream)
        return changes

    def last(self, student: str, lab: str) -> dict[str, Score]:
        """The scores that the log knows, by cell."""
        if self.path.exists():
            with self.path.open("rb") as stream:
                self._catch_up(stream)
        return {cell: score for (s, a, cell), score in self._known.items() if (s, a) == (student, lab)}

    def _changes(
        self, student: str, lab: str, scores: Mapping[str, Score], verdict_key: str, cause: str
    ) -> list[ScoreChange]:
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        changes = []
        for cell, score in scores.items():
            new = None if score is None else float(score)
            known = (student, lab, cell) in self._known
            old = self._known.get((student, lab, cell))
            if not known or old != new:
                changes.append(ScoreChange(time, student, lab, cell, old, new, cause, verdict_key))
        return changes

    def _catch_up(self, stream: BinaryIO) -> None:
        """Take in the whole lines that were appended since the last look."""
        stream.seek(self._read_up_to)
        for change, end in _whole_lines(self.path, stream, self._read_up_to):
            self._known[change.student, change.lab, change.cell] = change.new
            self._read_up_to = end


def read_log(path: Path) -> list[ScoreChange]:
    """Every entry of the log at `path`, oldest first; none when there is no log.

    Raises
    ------
    ScoreLogError
        A whole line is not a score change: something else wrote to the file.
    """
    if not path.exists():
        return []
    with path.open("rb") as stream:
        return [change for change, _ in _whole_lines(path, stream, 0)]


def _whole_lines(path: Path, stream: BinaryIO, position: int) -> Iterator[tuple[ScoreChange, int]]:
    """The changes from byte `position` on, each with the byte at which its line ends."""
    for line in stream:
        if not line.endswith(b"\n"):
            return
        try:
            plain = json.loads(line)
            change = ScoreChange(**{field.name: plain[field.name] for field in fields(ScoreChange)})
        except (ValueError, KeyError, TypeError):
            raise ScoreLogError(f"{path}: the line at byte {position} is no score change; restore a backup") from None
        position += len(line)
        yield change, position
