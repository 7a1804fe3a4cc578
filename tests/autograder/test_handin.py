"""Hand-ins that nobody vouches for: whatever the file holds, reading and rebuilding never raise."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nbformat
import pytest

from autograder import bridge, handin
from autograder.handin import HandIn
from autograder.master import Lab


def _write(path: Path, content: object) -> Path:
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


def _cell(grade_id: object, source: object, **metadata: object) -> dict:
    return {
        "cell_type": "code",
        "source": source,
        "metadata": {"nbgrader": {"grade_id": grade_id}, **metadata},
    }


UNREADABLE = {
    "empty": "",
    "cut off": '{"cells": [{"cell_type": "co',
    "not a notebook": "[1, 2, 3]",
    "no cells": '{"nbformat": 4}',
    "cells of the wrong type": '{"cells": {"a": 1}}',
    "deep": '{"cells": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "nan number": '{"cells": NaN}',
    "too many cells": json.dumps({"cells": [{}] * 2001}),
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_file_becomes_a_blank_with_a_reason(tiny: Lab, tmp_path: Path, content: str) -> None:
    read = handin.read(_write(tmp_path / "x.ipynb", content))
    assert read.cells == []
    assert read.remarks[0].startswith("unreadable notebook: ")
    release = bridge.release_notebook(tiny)
    rebuilt = handin.rebuild(release, read)
    assert [cell.source for cell in rebuilt.cells[1:]] == [cell.source for cell in release.cells]
    assert "unreadable notebook" in rebuilt.cells[0].source


def test_bytes_that_are_no_text_are_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    path.write_bytes(b"\xff\xfe\x00PK\x03\x04")
    assert handin.read(path).remarks[0].startswith("unreadable notebook")


def test_strange_cells_are_passed_over(tmp_path: Path) -> None:
    cells = [
        None,
        7,
        [],
        {},
        {"metadata": None, "source": "x"},
        {"metadata": {"nbgrader": []}, "source": "x"},
        _cell(3, "x"),
        _cell("double", {"a": 1}),
        _cell("double", ["a\n", 3]),
        _cell("double", ["a\n", "b"]),
        _cell("area", "half \ud83d pair"),
        _cell("area", "y" * (handin.MAX_ANSWER + 1)),
    ]
    read = handin.read(_write(tmp_path / "x.ipynb", {"cells": cells, "metadata": 5}))
    assert [grade_id for grade_id, _ in read.cells] == ["double", "area", "area"]
    assert read.cells[0][1] == "a\nb"
    assert read.cells[1][1] == "half ? pair"
    assert "longer than" in read.cells[2][1]
    assert len(read.cells[2][1]) < 200


def test_only_answers_are_taken(tiny: Lab) -> None:
    release = bridge.release_notebook(tiny)
    cells = [
        ("area", "def area(r): return 3"),
        ("test_area", "assert True"),
        ("setup", "import os"),
        ("invented", "print()"),
        ("double", "def double(x): return 4"),
    ]
    rebuilt = handin.rebuild(release, HandIn(cells))
    by_id = {cell.id: cell for cell in rebuilt.cells}
    original = {cell.id: cell for cell in release.cells}
    assert by_id["area"].source == "def area(r): return 3"
    assert by_id["test_area"].source == original["test_area"].source
    assert by_id["setup"].source == "import math"
    assert "invented" not in by_id
    assert [cell.id for cell in rebuilt.cells if cell.id in original] == [cell.id for cell in release.cells]
    assert by_id["look_double"].metadata.tags == ["skip-execution"]
    assert by_id["area"].metadata == original["area"].metadata
    nbformat.validate(rebuilt)


def test_rebuilding_reports_deleted_and_repeated_cells(tiny: Lab) -> None:
    release = bridge.release_notebook(tiny)
    ids = ["setup", "double", "double", "test_double", "area", "explain_area"]
    read = HandIn([(name, f"# part {i}") for i, name in enumerate(ids)])
    assert handin.all_remarks(release, read) == [
        "test cell deleted: test_area",
        "answer cell double stands 2 times",
    ]
    rebuilt = {cell.id: cell for cell in handin.rebuild(release, read).cells}
    assert rebuilt["double"].source == "# part 1\n\n# part 2"


def test_remarks_cannot_carry_markup(tiny: Lab) -> None:
    rebuilt = handin.rebuild(bridge.release_notebook(tiny), HandIn(remarks=["<script>alert(1)</script>"]))
    assert "<script>" not in rebuilt.cells[0].source


def test_links_pipes_devices_and_large_files_are_not_read(tmp_path: Path) -> None:
    secret = _write(tmp_path / "secret.txt", "secret")
    (tmp_path / "link.ipynb").symlink_to(secret)
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "folder.ipynb").mkdir()
    (tmp_path / "device.ipynb").symlink_to("/dev/zero")
    with (tmp_path / "large.ipynb").open("wb") as stream:
        stream.truncate(handin.MAX_BYTES + 1)
    for name in ("link", "pipe", "folder", "device"):
        assert handin.read(tmp_path / f"{name}.ipynb") == HandIn(remarks=["not a regular file"])
    assert handin.read(tmp_path / "large.ipynb").remarks == ["larger than 20 MB (20 MB)"]
    assert handin.read(tmp_path / "none.ipynb").remarks == ["there is no none.ipynb"]
