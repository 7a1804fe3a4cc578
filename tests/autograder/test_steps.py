"""The steps that nbgrader_config.py puts into nbgrader, and the configuration itself."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

from nbformat.v4 import new_code_cell, new_notebook, new_output
from nbgrader.utils import determine_grade
from traitlets.config.loader import PyFileConfigLoader
from traitlets.utils.importstring import import_item

from autograder import bridge
from autograder.execution import KeepVerdicts
from autograder.marking import DefuseAnswers, HideFromStudents, InsertRubrics
from autograder.master import Lab
from autograder.release import RELEASE_STEPS
from autograder.results import StudentResult, write_csv
from autograder.run_notebook import TIMEOUT

from .conftest import ROOT


def _config():
    return PyFileConfigLoader("nbgrader_config.py", path=str(ROOT)).load_config()


def test_config_names_the_release_steps_of_the_bridge() -> None:
    named = [import_item(name) for name in _config().GenerateAssignment.preprocessors]
    assert [step.__name__ for step in named].count("SaveCells") == 1
    assert [step for step in named if step.__name__ != "SaveCells"] == RELEASE_STEPS


def test_every_step_that_the_config_names_exists() -> None:
    config = _config()
    named = [*config.Autograde.autograde_preprocessors, *config.GenerateFeedback.preprocessors]
    for name in [*named, config.Autograde.exporter_class]:
        assert isinstance(import_item(name), type)


def test_config_imports_nothing_but_the_standard_library() -> None:
    script = (
        "import runpy, sys, types; before = set(sys.modules)\n"
        "class C:\n"
        "    def __getattr__(self, name):\n"
        "        self.__dict__[name] = C(); return self.__dict__[name]\n"
        "import os, pathlib\n"
        "before = set(sys.modules)\n"
        "runpy.run_path('nbgrader_config.py', init_globals={'get_config': C})\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _test_cell(outputs: list, executed: bool = True):
    meta = {
        "schema_version": 3,
        "grade": True,
        "solution": False,
        "locked": True,
        "grade_id": "t",
        "points": 5,
    }
    count = 1 if executed else None
    return new_code_cell("assert True", outputs=outputs, execution_count=count, metadata={"nbgrader": meta})


def _score(*outputs, executed: bool = True) -> tuple[float | None, list]:
    notebook = new_notebook(cells=[_test_cell(list(outputs), executed)])
    notebook, _ = KeepVerdicts().preprocess(notebook, {})
    return determine_grade(notebook.cells[0])[0], notebook.cells[0].outputs


def test_a_test_passes_unless_it_raised() -> None:
    error = new_output("error", ename="AssertionError", evalue="no", traceback=["no"])
    value = new_output("execute_result", data={"text/plain": "0.5"})
    warning = new_output("stream", name="stderr", text="careful")
    assert _score()[0] == 5
    assert _score(warning)[0] == 5
    assert _score(value)[0] == 5
    assert _score(error)[0] == 0
    assert _score(value, warning, error, error) == (0, [error])


def test_a_test_that_never_ran_scores_nothing() -> None:
    score, outputs = _score(executed=False)
    assert score == 0
    assert outputs[0].ename == "NotFinished"


def test_a_timeout_is_told_from_the_interrupt_that_ends_it() -> None:
    interrupt = new_output("error", ename="KeyboardInterrupt", evalue="", traceback=[])
    fields = {key: TIMEOUT[key] for key in ("ename", "evalue", "traceback")}
    timeout = new_output("error", **fields)
    assert _score(interrupt, timeout) == (0, [timeout])
    assert timeout.evalue == "the cell did not finish within its time limit"


def test_outputs_are_bounded() -> None:
    text = new_output("stream", name="stdout", text="x" * 10**6)
    figure = new_output("display_data", data={"image/png": "x" * 10**6})
    error = new_output("error", ename="E", evalue="y" * 10**6, traceback=["z" * 10**6])
    _, outputs = _score(text, error)
    plain = new_notebook(cells=[new_code_cell("1", outputs=[figure], execution_count=1)])
    KeepVerdicts().preprocess(plain, {})
    assert all(len(str(output)) < 50_000 for output in [*outputs, *plain.cells[0].outputs])
    assert "was left out" in plain.cells[0].outputs[0].data["text/plain"]


def test_rubric_stands_above_its_answer_for_the_marker_only(repository: Path, tiny: Lab) -> None:
    step = InsertRubrics(solutions=str(repository / "solutions"))
    notebook, _ = step.preprocess(bridge.release_notebook(tiny), {"nbgrader": {"assignment": tiny.name}})
    ids = [cell.id for cell in notebook.cells]
    assert ids.index("rubric_explain_area") == ids.index("explain_area") - 1
    rubric = notebook.cells[ids.index("rubric_explain_area")]
    assert "names the unrolled rings" in rubric.source
    assert rubric.metadata.editable is False
    shown, _ = HideFromStudents().preprocess(notebook, {})
    assert "unrolled" not in str(shown)


def test_feedback_quotes_no_hidden_test(tiny: Lab) -> None:
    notebook = bridge.source_notebook(tiny)
    cell = next(cell for cell in notebook.cells if cell.id == "test_double")
    trace = ["----> 5 assert double(secret_value) == 34", "AssertionError: expected twice the number, got 19"]
    cell.outputs = [
        new_output("stream", name="stdout", text="secret_value"),
        new_output("error", ename="AssertionError", evalue="expected twice the number, got 19", traceback=trace),
    ]
    shown, _ = HideFromStudents().preprocess(notebook, {})
    assert "secret_value" not in str(shown)
    assert cell.source.startswith("assert double(2) == 4")
    assert cell.outputs[0].traceback == ["AssertionError: expected twice the number, got 19"]


def test_csv_marks_what_is_open_and_defuses_formulas(tiny: Lab, tmp_path: Path) -> None:
    results = [
        StudentResult("=cmd|' /C calc'!A0", {"test_double": 20.0, "test_area": 0.0, "explain_area": None}, ["=1+1"]),
        StudentResult("bob", {}, ["late, very", "broken"]),
    ]
    write_csv(tmp_path / "x.csv", tiny, results)
    rows = list(csv.reader((tmp_path / "x.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[0] == ["student", "test_double", "test_area", "explain_area", "total", "max", "remarks"]
    assert rows[1] == ["'=cmd|' /C calc'!A0", "20", "0", "", "20", "100", "'=1+1"]
    assert rows[2] == ["bob", "", "", "", "0", "100", "late, very; broken"]


def test_written_answers_carry_no_markup(tiny: Lab) -> None:
    notebook = bridge.source_notebook(tiny)
    answer = next(cell for cell in notebook.cells if cell.id == "explain_area")
    answer.source = "a < b, `x<y`, <b onclick=f()>no</b> <!-- c --> <?php"
    shown, _ = DefuseAnswers().preprocess(notebook, {})
    assert answer.source == "a < b, `x< y`, < b onclick=f()>no< /b> < !-- c --> < ?php"
    assert shown is notebook
