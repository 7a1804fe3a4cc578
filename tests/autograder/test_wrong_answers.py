"""Wrong answers are read as whole cells or as differences, and a difference that does not fit is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder import master
from autograder.master_cells import MasterError

from .conftest import TINY, write_lab


def lab_with(tmp_path: Path, name: str, text: str) -> Path:
    path = write_lab(tmp_path / "own", text=TINY, wrong={})
    (path.parent / "wrong" / name).write_text(text, encoding="utf-8")
    return path


def test_a_difference_is_applied_to_the_solution_without_its_markers(tiny, tmp_path: Path) -> None:
    old = next(line for line in tiny.cell("double").source.splitlines() if "return" in line)
    new = old[: len(old) - len(old.lstrip())] + "return x * x"
    path = lab_with(tmp_path, "double__squares.diff", f"Squares.\n@@\n-{old}\n+{new}\n")
    (wrong,) = master.load(path).wrong_answers
    assert (wrong.cell, wrong.mistake) == ("double", "squares")
    assert new in wrong.source and old not in wrong.source and "###" not in wrong.source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Says nothing.\n", r":1: a \.diff needs hunks"),
        ("Adds nowhere.\n@@\n+x = 1\n", r":1: a \.diff needs hunks"),
        ("Not there.\n@@\n-no such line\n+x\n", r":2: the old lines of this hunk stand 0 times"),
        ("Bad line.\n@@\n*x\n", r":3: a line of a hunk starts with -, \+ or a space, not '\*'"),
    ],
)
def test_a_difference_that_does_not_fit_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = lab_with(tmp_path, "double__odd.diff", text)
    with pytest.raises(MasterError, match=message):
        master.load(path)


def test_a_difference_must_leave_python(tiny, tmp_path: Path) -> None:
    old = next(line for line in tiny.cell("double").source.splitlines() if "return" in line)
    path = lab_with(tmp_path, "double__broken.diff", f"Broken.\n@@\n-{old}\n+return (\n")
    with pytest.raises(MasterError, match="not valid Python"):
        master.load(path)
