"""Random changes of a valid hand-in: reading and rebuilding never raise, and what is trusted stays the release's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode

from autograder import bridge, handin, master

from .conftest import write_lab
from .hostile.attack import notebook_of

ANY_TEXT = st.text(max_size=20) | st.text("a<\0\ud83d\ude00", max_size=5)  # with halves of surrogate pairs
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.sampled_from(["area", "test_area"])
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4), max_leaves=10
)
CHANGES = ("write", "replace", "delete", "repeat", "nest", "move")
Trail = tuple[str | int, ...]


class Valid(NamedTuple):
    """A release, a hand-in of it as plain data, and a file to hand it in with."""

    release: NotebookNode
    notebook: dict[str, Any]
    path: Path


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Valid:
    root = tmp_path_factory.mktemp("valid")
    lab = master.load(write_lab(root))
    return Valid(bridge.release_notebook(lab), notebook_of(lab), root / "hand-in.ipynb")


def _trails(value: Any, trail: Trail = ()) -> Iterator[Trail]:
    """The way to every value inside `value`."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*trail, key)
        yield from _trails(value[key], (*trail, key))


def _follow(value: Any, trail: Trail) -> Any:
    for key in trail:
        value = value[key]
    return value


def _changed(draw: st.DrawFn, notebook: dict[str, Any]) -> None:
    """Change one value of the notebook."""
    trails = list(_trails(notebook))
    if not trails:
        return
    telling = [trail for trail in trails if trail[-1] in ("source", "grade_id")]  # what rebuilding looks at
    *way, key = draw(st.sampled_from(trails) | st.sampled_from(telling or trails))
    holder = _follow(notebook, tuple(way))
    change = draw(st.sampled_from(CHANGES))
    if change == "delete":
        del holder[key]
    elif change == "repeat" and isinstance(holder, list):
        holder.insert(draw(st.integers(0, len(holder))), deepcopy(holder[key]))
    elif change == "nest":
        holder[key] = [holder[key]]
    elif change == "move":
        holder[key] = deepcopy(_follow(notebook, draw(st.sampled_from(trails))))
    else:
        holder[key] = draw(ANY_TEXT if change == "write" else JSON)


@st.composite
def changed_notebooks(draw: st.DrawFn, notebook: dict[str, Any]) -> dict[str, Any]:
    notebook = deepcopy(notebook)
    for _ in range(draw(st.integers(1, 6))):
        _changed(draw, notebook)
    return notebook


def _assert_rebuilt_safely(valid: Valid, content: bytes) -> None:
    """Whatever was handed in, only the sources of answers may differ from the release."""
    valid.path.write_bytes(content)
    rebuilt = handin.rebuild(valid.release, handin.read(valid.path))
    nbformat.validate(rebuilt)
    bridge.to_text(rebuilt).encode()
    cells = [cell for cell in rebuilt.cells if cell.id != handin.REMARKS_CELL]
    assert [cell.id for cell in cells] == [cell.id for cell in valid.release.cells]
    for cell, original in zip(cells, valid.release.cells, strict=True):
        assert cell.cell_type == original.cell_type
        assert cell.metadata.get("nbgrader") == original.metadata.get("nbgrader")
        assert cell.source == original.source or cell.metadata.nbgrader.solution
    assert rebuilt.metadata == valid.release.metadata


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_notebook_with_other_values_changes_nothing_but_answers(valid: Valid, data: st.DataObject) -> None:
    notebook = data.draw(changed_notebooks(valid.notebook))
    _assert_rebuilt_safely(valid, json.dumps(notebook).encode())


@settings(max_examples=200, deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 300), st.binary(max_size=8)), min_size=1, max_size=5)
)
def test_a_file_with_other_bytes_changes_nothing_but_answers(valid: Valid, edits: list[tuple[int, int, bytes]]) -> None:
    content = json.dumps(valid.notebook).encode()
    for start, length, piece in edits:
        content = content[:start] + piece + content[start + length :]
    _assert_rebuilt_safely(valid, content)
