"""What a folder or a zip of hand-ins holds: names that are compared, and bytes that are read up to a limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from autograder.handin import MAX_BYTES, HandInError

NOT_REGULAR = "not a regular file"


@dataclass(frozen=True)
class Member:
    """A file, a folder, or something that is neither.

    Attributes
    ----------
    path : tuple of str
        Its name, part by part. It comes from outside: nothing is ever written to it.
    time : str
        When it last changed, as ISO 8601 without a zone; "" where that is no date.
    problem : str
        Why it cannot be read, or "".
    content : callable
        Given a limit, returns that many bytes at most; raises HandInError where there are more.
    """

    path: tuple[str, ...]
    time: str = ""
    is_folder: bool = False
    problem: str = ""
    content: Callable[[int], bytes] = field(default=lambda limit: b"", compare=False, repr=False)

    @property
    def name(self) -> str:
        return self.path[-1]

    def read(self, limit: int = MAX_BYTES) -> bytes:
        """Its bytes.

        Raises
        ------
        HandInError
            It is no regular file, damaged, encrypted, or longer than `limit` bytes.
        """
        if self.problem:
            raise HandInError(self.problem)
        return self.content(limit)


@dataclass(frozen=True)
class Listing:
    """The members of a folder or zip, and a sentence for each name that no member may have."""

    members: list[Member]
    rejected: list[str] = field(default_factory=list)


def is_hidden(name: str) -> bool:
    """Whether `name` is one that macOS, Jupyter or an editor leaves behind."""
    return name.startswith(".") or name == "__MACOSX"


def too_large(limit: int) -> HandInError:
    return HandInError(f"larger than {limit // 2**20} MB")


def printable(name: str) -> str:
    """`name` as it may be shown: no control, direction or surrogate characters, and at most 80 characters.

    Examples
    --------
    >>> printable("lab\\u202e06")
    'lab?06'
    """
    shown = "".join(character if character.isprintable() else "?" for character in name[:81])
    return shown if len(shown) <= 80 else f"{shown[:79]}…"
