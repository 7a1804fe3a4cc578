from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder import bridge, labs, master
from autograder.course import Course, environment
from autograder.master import Lab
from autograder.release import ANSWER_STUB

from .conftest import ROOT


def _by_id(notebook) -> dict:
    return {cell.id: cell for cell in notebook.cells}


def test_source_notebook_carries_nbgraders_metadata(tiny: Lab) -> None:
    notebook = bridge.source_notebook(tiny)
    nbformat.validate(notebook)
    flags = {
        cell.id: tuple(cell.metadata.nbgrader[key] for key in ("grade", "solution", "locked"))
        for cell in notebook.cells
        if "nbgrader" in cell.metadata
    }
    assert flags == {
        "setup": (False, False, True),
        "double": (False, True, False),
        "test_double": (True, False, True),
        "area": (False, True, False),
        "test_area": (True, False, True),
        "explain_area": (True, True, False),
    }
    assert _by_id(notebook)["test_area"].metadata.nbgrader.points == 30
    assert "nbgrader" not in _by_id(notebook)["look_double"].metadata
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert "version" not in notebook.metadata.language_info


def test_equal_prose_gets_numbered_ids(tiny: Lab) -> None:
    rules = [cell.id for cell in bridge.source_notebook(tiny).cells if cell.source == "---"]
    assert len(rules) == 2
    assert [name.rsplit("-", 1)[1] for name in rules] == ["1", "2"]
    assert len({name.rsplit("-", 1)[0] for name in rules}) == 1


def test_release_replaces_answers_and_drops_secrets(tiny: Lab) -> None:
    cells = _by_id(bridge.release_notebook(tiny))
    assert cells["double"].source == (
        'def double(x):\n    raise NotImplementedError("double: replace this line with your solution")'
    )
    assert cells["explain_area"].source == f"**Explain** the area.\n\n{ANSWER_STUB}"
    assert "secret_value" not in cells["test_double"].source
    assert "rubric_explain_area" not in cells
    assert cells["test_double"].metadata.editable is False
    assert cells["test_double"].metadata.deletable is False
    assert cells["double"].metadata.get("editable", True)
    assert len(cells["test_double"].metadata.nbgrader.checksum) == 32


def test_solution_notebook_is_complete_and_unmarked(tiny: Lab) -> None:
    cells = _by_id(bridge.solution_notebook(tiny))
    assert cells["double"].source == "def double(x):\n    return x + x"
    assert "secret_value = 17" in cells["test_double"].source
    assert "Rings, unrolled." in cells["explain_area"].source
    assert not any("###" in cell.source for cell in cells.values())


def test_completed_notebook_is_what_a_student_has_who_is_done(tiny: Lab) -> None:
    completed, solved, released = map(
        _by_id, (bridge.completed_notebook(tiny), bridge.solution_notebook(tiny), bridge.release_notebook(tiny))
    )
    assert completed["double"].source == solved["double"].source
    assert completed["test_double"].source == released["test_double"].source
    assert list(completed) == list(solved)


def test_builds_are_byte_identical_in_another_process(tiny: Lab) -> None:
    script = (
        "import sys; from autograder import bridge, master; lab = master.load(sys.argv[1]);"
        "sys.stdout.write(bridge.to_text(bridge.release_notebook(lab)))"
    )
    command = [sys.executable, "-c", script, str(tiny.path)]
    texts = {
        subprocess.run(command, env=environment() | {"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert texts == {bridge.to_text(bridge.release_notebook(tiny)).encode()}


@pytest.mark.slow
def test_nbgraders_own_command_releases_the_same_bytes(repository: Path, tiny: Lab) -> None:
    labs.write(repository)
    course = Course(repository)
    course.prepare(tiny)
    released = repository / "labs" / tiny.name / f"{tiny.name}.ipynb"
    assert course.release(tiny).read_bytes() == released.read_bytes()


def test_the_template_is_a_valid_lab() -> None:
    lab = master.load(ROOT / "solutions" / "_template" / "labNN_slug.py")
    nbformat.validate(bridge.release_notebook(lab))
    assert lab.manual_cells
    assert lab.wrong_answers
