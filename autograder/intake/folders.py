"""List a folder of hand-ins, and read its files, while students may still write to it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path

from autograder.handin import HandInError
from autograder.intake.members import NOT_REGULAR, Listing, Member, is_hidden, too_large

MAX_FOUND = 2000  # entries that are looked at below one entry of the folder
HARD_LINK = "a hard link, so the file may belong to somebody else"


def folder_listing(root: Path) -> Listing:
    """List what is in `root` and below, the upper levels first, without following links.

    Raises
    ------
    HandInError
        The folder itself cannot be opened.
    """
    try:
        top = _entries(root, (), None)
    except OSError as error:
        raise HandInError(f"cannot be read: {error.strerror}") from None
    members = []
    for member in top:
        members.append(member)
        if member.is_folder and not member.problem:
            members.extend(islice(_below(root, member.path), MAX_FOUND))
    return Listing(members)


def file_listing(path: Path) -> Listing:
    """List the one file at `path`. Who names it on the command line may name it by a link."""
    target = path.resolve()
    content = partial(_read, target.parent, (target.name,))
    return Listing([Member((path.name,), _time(target.stat().st_mtime), content=content)])


def _below(root: Path, path: tuple[str, ...]) -> Iterator[Member]:
    waiting = [path]
    for folder in waiting:  # grows while it is walked, so that no level comes before the one above it
        try:
            found = _entries(root, folder, MAX_FOUND)
        except OSError:  # it was removed, or is closed to us: what was in it counts as not handed in
            continue
        for member in found:
            yield member
            if member.is_folder and not member.problem:
                waiting.append(member.path)


def _entries(root: Path, folder: tuple[str, ...], limit: int | None) -> list[Member]:
    with os.scandir(root.joinpath(*folder)) as found:
        entries = list(islice((entry for entry in found if not is_hidden(entry.name)), limit))
    return [_member(root, folder, entry) for entry in sorted(entries, key=lambda entry: entry.name)]


def _member(root: Path, folder: tuple[str, ...], entry: os.DirEntry[str]) -> Member:
    path = (*folder, entry.name)
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return Member(path, problem=NOT_REGULAR)
    is_folder = os.path.isdir(entry.path)  # a link to a folder, too: it stands where a student's folder would
    problem = "" if stat.S_ISDIR(status.st_mode) else _problem(status)
    return Member(path, _time(status.st_mtime), is_folder, problem, partial(_read, root, path))


def _problem(status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return NOT_REGULAR
    return HARD_LINK if status.st_nlink > 1 else ""


def _read(root: Path, path: tuple[str, ...], limit: int) -> bytes:
    try:
        descriptor = _open_below(root, path)
    except OSError as error:
        special = error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO)
        raise HandInError(NOT_REGULAR if special else f"cannot be read: {error.strerror}") from None
    with open(descriptor, "rb") as stream:
        if problem := _problem(os.fstat(descriptor)):
            raise HandInError(problem)
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise too_large(limit)
    return content


def _open_below(root: Path, path: tuple[str, ...]) -> int:
    """Open part by part, following no link: a folder may be swapped for a link after it was listed."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for part in path:
        try:
            # Without O_NONBLOCK a named pipe would wait for its writer.
            deeper = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = deeper
    return descriptor


def _time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds).isoformat(timespec="seconds")
    except (OverflowError, OSError, ValueError):  # a file's owner can set any number
        return ""
