"""Errors of a student's source text, at the student's own lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lablib.hls.errors import HardwareError

__all__ = ["SourceError", "SourceRefused", "listing"]

_MOST_SHOWN = 5


@dataclass(frozen=True)
class SourceError:
    """One error: line and column count from 1; line 0 is an error of no line of the source."""

    line: int
    message: str
    column: int = 0


class SourceRefused(HardwareError):
    """Source text does not compile.

    Attributes
    ----------
    errors
        In the order of their lines, one a line.
    """

    def __init__(self, what: str, source: str, errors: Iterable[SourceError]) -> None:
        first_of_line = {each.line: each for each in sorted(errors, key=lambda each: each.line, reverse=True)}
        self.errors = tuple(sorted(first_of_line.values(), key=lambda each: each.line))
        count = f"{len(self.errors)} error{'s' if len(self.errors) != 1 else ''}"
        super().__init__(f"{what} does not compile: {count}.\n{listing(source, self.errors)}")


def listing(source: str, errors: Sequence[SourceError]) -> str:
    """The errors as text, each with its line of the source and a mark under its column.

    Examples
    --------
    >>> print(listing("int f() {\\n  retrun 1;\\n}", [SourceError(2, "unknown type name 'retrun'", 3)]))
    line 2: unknown type name 'retrun'
          retrun 1;
          ^
    """
    lines = source.splitlines()
    shown: list[str] = []
    for error in errors[:_MOST_SHOWN]:
        if not 0 < error.line <= len(lines):
            shown.append(error.message)
            continue
        shown += [f"line {error.line}: {error.message}", "    " + lines[error.line - 1].replace("\t", " ")]
        if error.column:
            shown.append(" " * (3 + error.column) + "^")
    if len(errors) > _MOST_SHOWN:
        shown.append(f"... and {len(errors) - _MOST_SHOWN} more.")
    return "\n".join(shown)
