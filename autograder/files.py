"""Write a file whole or not at all: a process killed in between leaves what was there before."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Put `text` into `path`, in place of what was there."""
    os.replace(_written_beside(path, text, 0o666), path)
    _sync(path.parent)


def create(path: Path, text: str, mode: int = 0o666) -> bool:
    """Put `text` into `path` unless it exists; say whether this call made it."""
    draft = _written_beside(path, text, mode)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    _sync(path.parent)
    return True


def _written_beside(path: Path, text: str, mode: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{uuid.uuid4().hex}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    return draft


def _sync(folder: Path) -> None:
    """Make the new name last too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
