"""A disk with one door, `do`, that remembers every request, and what stands on it after a crash at any byte.

The model, which is that of a journalling file system at its least obliging:

- A kill of the *process* leaves all that it wrote; of a write that it was in, any first part.
- A loss of *power* leaves data of a file only if that file was flushed after it was written. Otherwise any first part
  of it remains, or its length with zeros at the end.
- Names (a file created, renamed, removed) reach the disk in the order of the requests, but late: only a flush of the
  folder is a promise. So a renamed file may be there with its name, and without its data.

Source: Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014, sections 2 and 4.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path

__all__ = ["Disk", "FolderDisk"]

Draw = Callable[[int, int], int]
"""``draw(low, high)`` gives a whole number from low up to, but without, high."""

_OPERATIONS = {"write": 2, "flush": 1, "rename": 2, "flush folder": 0, "remove": 1, "read": 1, "names": 0}
"""How many arguments each takes."""


class _File:
    """What a name stands for: it keeps its data when it is renamed."""

    def __init__(self) -> None:
        self.data = b""
        self.flushed = False


class Disk:
    """A disk in memory.

    Attributes
    ----------
    log : list of tuple
        Requests that change something, in order, such as ``("write", "a", b"...")``.

    Examples
    --------
    >>> disk = Disk()
    >>> disk.do("write", "new", b"1234")
    >>> disk.do("rename", "new", "kept")
    >>> disk.files()
    {'kept': b'1234'}

    Nobody flushed, so after a loss of power all of it may be gone:

    >>> disk.after_power_loss(requests=2, inside=0, draw=lambda low, high: low)
    {}
    """

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.start = dict(files or {})
        self.log: list[tuple] = []
        self._now = dict(self.start)

    def do(self, operation: str, *arguments) -> object:
        """Carry out one request.

        ``write name data`` replaces or creates a file, ``flush name``, ``rename old new`` (which replaces ``new``),
        ``flush folder``, ``remove name``; ``read name`` returns its bytes, ``names`` the sorted names.

        Raises
        ------
        ValueError
            If there is no such request, or no such file.
        """
        _refuse(operation, arguments, self._now)
        if operation == "names":
            return sorted(self._now)
        if operation == "read":
            return self._now[arguments[0]]
        if operation == "write":
            self._now[arguments[0]] = bytes(arguments[1])
        elif operation == "rename":
            self._now[arguments[1]] = self._now.pop(arguments[0])
        elif operation == "remove":
            del self._now[arguments[0]]
        self.log.append((operation, *arguments))
        return None

    def files(self) -> dict[str, bytes]:
        """All files, as a program sees them that goes on."""
        return dict(self._now)

    def after_kill(self, requests: int, inside: int) -> dict[str, bytes]:
        """Files if the process ends after so many requests, and so many bytes of the next, if that is a write."""
        disk = Disk(self.start)
        for request in self._until(requests, inside):
            disk.do(*request)
        return disk.files()

    def after_power_loss(self, requests: int, inside: int, draw: Draw) -> dict[str, bytes]:
        """Files if power is lost at the same place; ``draw`` decides what the disk had not yet done."""
        files = {name: _stored(data) for name, data in self.start.items()}
        names, late = [dict(files)], 0  # the folder after each change; those from `late` on may be lost
        for operation, *arguments in self._until(requests, inside):
            if operation == "write":
                file = files.setdefault(arguments[0], _File())
                file.data, file.flushed = arguments[1], False
            elif operation == "flush":
                files[arguments[0]].flushed = True
            elif operation == "rename":
                files[arguments[1]] = files.pop(arguments[0])
            elif operation == "remove":
                del files[arguments[0]]
            names.append(dict(files))
            if operation == "flush folder":
                late = len(names) - 1
        survived = names[draw(late, len(names))]
        return {name: _torn(file, draw) for name, file in survived.items()}

    def _until(self, requests: int, inside: int) -> list[tuple]:
        done = self.log[:requests]
        if inside:
            operation, name, data = self.log[requests]
            done = [*done, (operation, name, data[:inside])]
        return done


def _refuse(operation: str, arguments: tuple, names: Collection[str]) -> None:
    """Raise a ValueError for a request that cannot be carried out on a disk with files of these names."""
    if operation not in _OPERATIONS:
        raise ValueError(f"A disk has no {operation!r}: it knows {', '.join(_OPERATIONS)}.")
    if len(arguments) != _OPERATIONS[operation]:
        raise ValueError(f"{operation!r} takes {_OPERATIONS[operation]} arguments, but got {len(arguments)}.")
    if operation == "write" and not isinstance(arguments[1], bytes):
        raise ValueError(f"'write' takes bytes, but got {type(arguments[1]).__name__} for {arguments[0]!r}.")
    if operation in ("read", "flush", "rename", "remove") and arguments[0] not in names:
        raise ValueError(f"{operation!r} of {arguments[0]!r}: there is no such file, only {sorted(names)}.")


def _stored(data: bytes) -> _File:
    file = _File()
    file.data, file.flushed = data, True
    return file


def _torn(file: _File, draw: Draw) -> bytes:
    """Data as the disk has them: whole if flushed, else cut short or ending in zeros."""
    if file.flushed:
        return file.data
    size = len(file.data)
    # The ends are more likely than places between: nothing was written yet, or all but the last byte.
    kept = (0, size // 2, max(size - 1, 0), draw(0, size + 1))[draw(0, 4)]
    zeros = size - kept if draw(0, 2) else 0
    return file.data[:kept] + bytes(zeros)


class FolderDisk:
    """A real folder behind the same door. Only `os` is asked: no data waits in a buffer of Python's.

    Examples
    --------
    >>> import tempfile
    >>> disk = FolderDisk(tempfile.mkdtemp())
    >>> disk.do("write", "a", b"12")
    >>> disk.do("flush folder")
    >>> disk.files()
    {'a': b'12'}
    """

    def __init__(self, folder: str | Path, chunk: int = 1 << 16) -> None:
        self.folder, self.chunk = Path(folder), chunk
        self.folder.mkdir(parents=True, exist_ok=True)

    def do(self, operation: str, *arguments) -> object:
        """As `Disk.do`."""
        names = os.listdir(self.folder)
        _refuse(operation, arguments, names)
        if operation == "names":
            return sorted(names)
        if operation == "flush folder":
            return self._sync(self.folder)
        path = self.folder / arguments[0]
        if operation == "read":
            return path.read_bytes()
        if operation == "write":
            return self._write(path, arguments[1])
        if operation == "flush":
            return self._sync(path)
        if operation == "rename":
            os.replace(path, self.folder / arguments[1])
        else:
            path.unlink()
        return None

    def files(self) -> dict[str, bytes]:
        """All files."""
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir())}

    def _write(self, path: Path, data: bytes) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            for first in range(0, len(data), self.chunk):  # in parts, so that a kill may come between them
                part = data[first : first + self.chunk]
                while part:
                    part = part[os.write(handle, part) :]
        finally:
            os.close(handle)

    def _sync(self, path: Path) -> None:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
