"""Read a hand-in that nobody vouches for, and rebuild a notebook from its answers alone."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from autograder.errors import AutograderError

MAX_BYTES = 20 * 2**20
MAX_CELLS = 2000
MAX_ANSWER = 200_000  # characters of one answer
REMARKS_CELL = "handin_remarks"


class HandInError(AutograderError):
    """A hand-in cannot be read; the message is the reason that student and marker see."""


@dataclass
class HandIn:
    """What is kept of a hand-in.

    Attributes
    ----------
    cells : list of (str, str)
        grade_id and source of every cell that has both, in order.
    remarks : list of str
        What was wrong with the file, for the student and the marker.
    """

    cells: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def read(path: Path) -> HandIn:
    """Read the hand-in at `path`; never raises: what is unreadable becomes a blank hand-in with a remark."""
    try:
        return HandIn(_answers(_parse(read_bytes(path))))
    except HandInError as error:
        return HandIn(remarks=[str(error)])


def read_bytes(path: Path) -> bytes:
    """Bytes of a regular file of bounded size.

    Raises
    ------
    HandInError
        The path is a link, a device, a pipe, a folder, missing, or too large.
    """
    try:
        # Without following links, and without waiting for the writer of a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise HandInError(f"there is no {path.name}") from None
    except OSError:
        raise HandInError("not a regular file") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise HandInError("not a regular file")
    with os.fdopen(descriptor, "rb") as stream:
        if status.st_size > MAX_BYTES:
            raise HandInError(f"larger than {MAX_BYTES // 2**20} MB ({status.st_size / 2**20:.0f} MB)")
        return stream.read(MAX_BYTES)


def rebuild(release: NotebookNode, handin: HandIn) -> NotebookNode:
    """Copy `release` with the hand-in's answers in its solution and manual cells.

    Everything else of a hand-in is dropped: tests, metadata, outputs, extra cells and order cannot matter.
    Demonstrations are kept for the reader but not executed. An answer that stands twice (a cell was split or
    pasted) is joined in order, as the student's notebook ran it.
    """
    notebook = deepcopy(release)
    pieces: dict[str, list[str]] = {}
    for grade_id, source in handin.cells:
        pieces.setdefault(grade_id, []).append(source)
    for cell in notebook.cells:
        meta = cell.metadata.get("nbgrader")
        if meta and meta["solution"] and meta["grade_id"] in pieces:
            cell.source = "\n\n".join(pieces[meta["grade_id"]])
        elif not meta and cell.cell_type == "code":
            cell.metadata["tags"] = ["skip-execution"]
    remarks = all_remarks(release, handin)
    if remarks:
        text = "**About this hand-in**\n\n" + "\n".join(f"- {escape(remark)}" for remark in remarks)
        notebook.cells.insert(0, new_markdown_cell(text, id=REMARKS_CELL))
    return notebook


def all_remarks(release: NotebookNode, handin: HandIn) -> list[str]:
    """The hand-in's own remarks, and how its cells differ from the release's."""
    if handin.remarks:
        return list(handin.remarks)
    count = Counter(grade_id for grade_id, _ in handin.cells)
    deleted: dict[str, list[str]] = {}
    repeated = []
    for cell in release.cells:
        meta = cell.metadata.get("nbgrader")
        if not meta:
            continue
        kind = "answer" if meta["solution"] else "test" if meta["grade"] else "setup"
        number = count[meta["grade_id"]]
        if number == 0:
            deleted.setdefault(kind, []).append(meta["grade_id"])
        elif number > 1:
            repeated.append(f"{kind} cell {meta['grade_id']} stands {number} times")
    return [f"{kind} cell deleted: {', '.join(ids)}" for kind, ids in deleted.items()] + repeated


def _parse(content: bytes) -> list:
    try:
        notebook = json.loads(content)
    except (ValueError, RecursionError):
        raise HandInError("unreadable notebook: not JSON, or cut off") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise HandInError("unreadable notebook: it has no list of cells")
    if len(cells) > MAX_CELLS:
        raise HandInError(f"unreadable notebook: {len(cells)} cells, more than {MAX_CELLS}")
    return cells


def _answers(cells: list) -> list[tuple[str, str]]:
    found = []
    for cell in cells:
        grade_id, source = _grade_id(cell), _source(cell)
        if grade_id and source is not None:
            found.append((grade_id, source))
    return found


def _grade_id(cell: object) -> str:
    value = cell
    for key in ("metadata", "nbgrader", "grade_id"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def _source(cell: object) -> str | None:
    source = cell.get("source") if isinstance(cell, dict) else None
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    if len(source) > MAX_ANSWER:
        return f"# This answer was longer than {MAX_ANSWER} characters and was not taken."
    return source.encode("utf-8", "replace").decode("utf-8")  # JSON may hold halves of surrogate pairs
