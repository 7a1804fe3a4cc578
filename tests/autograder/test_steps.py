"""The steps that nbgrader_config.py puts into nbgrader, and the configuration itself."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup
from jupyter_client.kernelspec import KernelSpecManager
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.utils import determine_grade
from traitlets.config.loader import PyFileConfigLoader
from traitlets.utils.importstring import import_item

from autograder import bridge, converters, demo, gradebook, handin, preprocessor, quarantine, submission
from autograder.converters import ConverterError
from autograder.course import Course, environment
from autograder.exporter import PageExporter
from autograder.marking import DefuseAnswers, HideFromStudents, InsertRubrics, inert
from autograder.master import Lab
from autograder.outcomes import FAILED, NOT_REACHED, PASSED, Outcome
from autograder.preprocessor import Judge, write_verdict
from autograder.release import RELEASE_STEPS
from autograder.verdict import Verdict

from .conftest import ROOT


def _config():
    return PyFileConfigLoader("nbgrader_config.py", path=str(ROOT)).load_config()


def test_config_names_the_release_steps_of_the_bridge() -> None:
    named = [import_item(name) for name in _config().GenerateAssignment.preprocessors]
    assert [step.__name__ for step in named].count("SaveCells") == 1
    assert [step for step in named if step.__name__ != "SaveCells"] == RELEASE_STEPS


def test_every_step_that_the_config_names_exists() -> None:
    config = _config()
    steps = [*config.Autograde.sanitize_preprocessors, *config.Autograde.autograde_preprocessors]
    exporters = [config.Autograde.exporter_class, config.GenerateFeedback.exporter_class]
    for name in [*steps, *config.GenerateFeedback.preprocessors, *exporters]:
        assert isinstance(import_item(name), type)
    assert callable(import_item(config.Autograde.pre_convert_hook))


def test_nbgrader_itself_executes_nothing() -> None:
    config = _config()
    assert config.Autograde.autograde_preprocessors[0] == converters.JUDGE
    assert not [name for name in config.Autograde.autograde_preprocessors if name.endswith("Execute")]


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


def _test_cell(points: float = 5):
    meta = {"schema_version": 3, "grade": True, "solution": False, "locked": True, "grade_id": "t", "points": points}
    old = [new_output("execute_result", data={"text/plain": "5.0"}), new_output("stream", text="printed")]
    return new_code_cell("assert True", outputs=old, execution_count=7, metadata={"nbgrader": meta})


def _answer_cell(number: int):
    meta = {"schema_version": 3, "grade": False, "solution": True, "locked": False, "grade_id": f"a{number}"}
    return new_code_cell("x = 1", metadata={"nbgrader": meta})


def _judged(outcome: Outcome | None, points: float = 5, remarks: list[str] | None = None) -> tuple[float | None, dict]:
    """nbgrader's score, and the one output from which it was read."""
    notebook = new_notebook(cells=[_test_cell(points)])
    write_verdict(notebook, Verdict("lab", {"t": outcome} if outcome else {}, remarks=remarks or []))
    cell = notebook.cells[-1]
    (output,) = cell.outputs
    return determine_grade(cell)[0], output


@pytest.mark.parametrize("points", [5, 0.5, 1e-3, 1e6])
def test_a_passed_test_is_worth_its_points(points: float) -> None:
    score, output = _judged(Outcome(PASSED), points)
    assert score == points
    assert output["output_type"] == "execute_result"


@pytest.mark.parametrize(
    ("outcome", "name", "value"),
    [
        (
            Outcome(FAILED, "AssertionError: expected 4, got 5", ("AssertionError",)),
            "AssertionError",
            "expected 4, got 5",
        ),
        (Outcome(NOT_REACHED, "out of memory"), "NotReached", "out of memory"),
        (Outcome(FAILED), "NotReached", "failed"),
        (None, "NotReached", "not judged: this test is not in the lab's master"),
    ],
)
def test_a_test_that_did_not_pass_scores_0_and_says_why(outcome: Outcome | None, name: str, value: str) -> None:
    score, output = _judged(outcome)
    assert score == 0
    assert (output["ename"], output["evalue"]) == (name, value)


def test_without_any_verdict_every_test_says_why() -> None:
    score, output = _judged(None, remarks=["not judged: the judge is away"])
    assert (score, output["evalue"]) == (0, "not judged: the judge is away")


def test_messages_are_plain_text_without_addresses() -> None:
    message = "E: \x1b[31m<b>red</b>\x1b[0m \x00\x07 <f at 0x7f00deadbeef> \u202egnp.exe\r\nline"
    _, output = _judged(Outcome(FAILED, message, ("E",)))
    assert output["traceback"] == ["E: <b>red</b>  <f at 0x...> gnp.exe\nline"]


def test_what_answers_print_is_shown_and_bounded() -> None:
    notebook = new_notebook(cells=[*map(_answer_cell, range(40)), _test_cell()])
    flood = {f"a{number}": "\U0001f600" * 10**6 for number in range(1, 40)}
    write_verdict(notebook, Verdict("lab", {"t": Outcome(FAILED, "m" * 10**6)}, flood | {"a0": "hello", "b": "lost"}))
    first, second, *_, test = notebook.cells
    assert first.outputs == [new_output("stream", name="stdout", text="hello")]
    assert second.outputs[0].text.endswith("(cut after 20000 characters)")
    assert len(test.outputs[0].evalue) < 5_000
    assert len(nbformat.writes(notebook).encode()) < 2**20


def test_remarks_stand_above_the_notebook_without_markup() -> None:
    notebook = new_notebook(cells=[_test_cell()])
    write_verdict(notebook, Verdict("lab", {}, remarks=["<script>x</script> [a](javascript:b)"]))
    assert "- < script>x< /script> [a] (javascript:b)" in notebook.cells[0].source


def _judge(root: Path) -> Judge:
    return Judge(root=str(root), sandbox="none")


def _rebuilt(lab: Lab):
    return bridge.release_notebook(lab), {"nbgrader": {"assignment": lab.name, "student": "ann", "notebook": lab.name}}


def _keep_verdict(repository: Path, lab: Lab, outcome: Outcome) -> None:
    course = Course(repository, "none")
    (one,) = submission.read(course, lab, [("", _released(repository, lab))])
    course.store.put(one.key, Verdict(lab.name, {cell.id: outcome for cell in lab.test_cells}))


def _released(repository: Path, lab: Lab) -> Path:
    path = repository / "released.ipynb"
    path.write_text(bridge.to_text(bridge.release_notebook(lab)), encoding="utf-8")
    return path


def _auto_scores(notebook) -> dict[str, float | None]:
    return {cell.id: determine_grade(cell)[0] for cell in notebook.cells if cell.id.startswith("test_")}


def test_the_judge_step_takes_the_verdict_that_is_kept(
    repository: Path, tiny: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocessor.subprocess, "run", None)  # nothing is judged
    _keep_verdict(repository, tiny, Outcome(PASSED))
    notebook, _ = _judge(repository).preprocess(*_rebuilt(tiny))
    assert _auto_scores(notebook) == {"test_double": 20, "test_area": 30}


def test_the_judge_step_has_a_process_judge_what_is_not_kept(
    repository: Path, tiny: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        asked.append((command[1:5], command[6:], options["cwd"], handin.read(Path(command[5])).remarks))
        _keep_verdict(repository, tiny, Outcome(PASSED))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(preprocessor.subprocess, "run", run)
    notebook, _ = _judge(repository).preprocess(*_rebuilt(tiny))
    assert _auto_scores(notebook) == {"test_double": 20, "test_area": 30}
    assert asked == [(["-m", "autograder", "judge", tiny.name], ["--sandbox", "none"], repository, [])]


@pytest.mark.parametrize(
    ("code", "log", "reason"),
    [
        (2, "autograder: there is no sandbox here", "not judged: there is no sandbox here"),
        (-9, "", "not judged: the judge ended with code -9"),
        (0, "", "not judged: the judge kept no verdict"),
    ],
)
def test_a_judge_that_fails_gives_no_points(
    repository: Path, tiny: Lab, monkeypatch: pytest.MonkeyPatch, code: int, log: str, reason: str
) -> None:
    done = subprocess.CompletedProcess([], code, "", log)
    monkeypatch.setattr(preprocessor.subprocess, "run", lambda *_, **__: done)
    notebook, _ = _judge(repository).preprocess(*_rebuilt(tiny))
    assert _auto_scores(notebook) == {"test_double": 0, "test_area": 0}
    assert reason in notebook.cells[0].source


def test_a_judge_step_that_cannot_even_start_gives_no_points(tmp_path: Path, tiny: Lab) -> None:
    step = _judge(tmp_path / "nowhere")
    step.log = logging.Logger("quiet")
    notebook, _ = step.preprocess(*_rebuilt(tiny))
    assert _auto_scores(notebook) == {"test_double": 0, "test_area": 0}


def test_the_gradebook_names_a_kernel_that_no_machine_has(repository: Path, tiny: Lab) -> None:
    course = Course(repository)
    course.prepare(tiny)
    with course.gradebook() as book:
        kernel = json.loads(book.find_notebook(tiny.name, tiny.name).kernelspec)  # pyright: ignore[reportArgumentType]
    assert kernel["name"] not in KernelSpecManager().find_kernel_specs()
    released = nbformat.read(course.release(tiny), as_version=4)
    assert released.metadata.kernelspec.name == "python3"


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/usr/bin:/bin", None])
def test_preparing_a_course_leaves_the_environment_as_it_is(
    repository: Path, tiny: Lab, monkeypatch: pytest.MonkeyPatch, path: str | None
) -> None:
    monkeypatch.delenv("PATH") if path is None else monkeypatch.setenv("PATH", path)
    before = dict(os.environ)
    Course(repository).prepare(tiny)
    assert dict(os.environ) == before


def test_without_the_config_nbgrader_runs_nothing_of_a_hand_in(repository: Path, tiny: Lab) -> None:
    course = Course(repository)
    course.prepare(tiny)
    path = course.submitted("eve", tiny)
    path.parent.mkdir(parents=True)
    mark = repository / "ran"
    path.write_text(bridge.to_text(demo.answered(tiny, {"double": f"open({str(mark)!r}, 'w')"})))
    (repository / "nbgrader_config.py").write_text("raise ValueError('broken')")
    for folder in (repository, course.folder):  # in the second, nbgrader's defaults find the course
        command = [sys.executable, "-m", "nbgrader", "autograde", tiny.name]
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
        assert done.returncode
    assert "No such kernel named judged" in done.stderr
    assert not mark.exists()
    assert not course.autograded("eve", tiny).exists()


def test_what_lies_beside_a_hand_in_is_set_aside(repository: Path, tiny: Lab) -> None:
    course = Course(repository)
    folder = course.submitted("eve", tiny).parent
    (folder / "package").mkdir(parents=True)
    (folder / "package" / "torch.py").write_text("raise SystemExit")
    (folder / "shadow").symlink_to("/etc/shadow")
    (folder / "timestamp.txt").symlink_to("/etc/passwd")
    (folder / "submission_secret.txt").write_text("where nbgrader puts the feedback")
    os.mkfifo(folder / "pipe")
    course.submitted("eve", tiny).write_text("{}")
    quarantine.set_aside(tiny.name, "eve", [str(course.submitted("eve", tiny))])
    assert sorted(path.name for path in folder.iterdir()) == [f"{tiny.name}.ipynb", "submission_secret.txt"]
    aside = course.folder / "quarantine" / "eve" / tiny.name
    assert sorted(path.name for path in aside.iterdir()) == ["package", "pipe", "shadow", "timestamp.txt"]


def test_what_could_not_be_set_aside_stops_this_hand_in(
    repository: Path, tiny: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = Course(repository)
    course.prepare(tiny)
    folder = course.submitted("eve", tiny).parent
    folder.mkdir(parents=True)
    course.submitted("eve", tiny).write_text("{}")
    (folder / "shadow").symlink_to("/etc/hostname")
    monkeypatch.setattr(quarantine, "move", lambda *_: None)
    with course.gradebook() as book:
        gradebook.reset(book, tiny.name, "eve")
    with pytest.raises(ConverterError, match="shadow lies beside the notebook and could not be set aside"):
        converters.grader(course.config, Judge()).convert(tiny.name, "eve")
    assert not course.autograded("eve", tiny).parent.exists()


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
        new_output("error", ename="AssertionError", evalue="expected twice the number, got 19", traceback=trace),
    ]
    shown, _ = HideFromStudents().preprocess(notebook, {})
    assert "secret_value" not in str(shown)
    assert cell.source.startswith("assert double(2) == 4")
    assert cell.outputs[0].traceback == ["AssertionError: expected twice the number, got 19"]


def test_written_answers_carry_no_markup(tiny: Lab) -> None:
    notebook = bridge.source_notebook(tiny)
    answer = next(cell for cell in notebook.cells if cell.id == "explain_area")
    answer.source = "a < b, `x<y`, <b onclick=f()>no</b> <!-- c --> <?php"
    shown, _ = DefuseAnswers().preprocess(notebook, {})
    assert answer.source == "a < b, `x< y`, < b onclick=f()>no< /b> < !-- c --> < ?php"
    assert shown is notebook


@pytest.mark.parametrize(
    "text",
    [
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt&colon;alert(1))",
        "[a]( javascript:alert(1))",
        "[a][b]\n\n[b]: javascript:alert(1)",
        "<javascript:alert(1)>",
        "![a](https://example.org/seen.png)",
        "![a](data:image/svg+xml;base64,AAAA)",
        "<img src=x onerror=alert(1)>",
        "$\\href{javascript:alert(1)}{x}$",
    ],
)
def test_written_answers_carry_no_script_link_or_picture(text: str) -> None:
    notebook = new_notebook(cells=[new_markdown_cell(inert(text))])
    page = PageExporter(template_name="basic").from_notebook_node(notebook, {"metadata": {"name": "x"}})[0]
    found = BeautifulSoup(page, features="html.parser")
    assert not found.select("img, script, [onerror]")
    assert all(str(link["href"]).startswith(("#", "https:")) for link in found.select("a[href]"))
    assert "\\href" not in page


def test_a_link_to_a_web_page_stays() -> None:
    assert inert("[the paper](https://arxiv.org/abs/1706.03762)") == "[the paper](https://arxiv.org/abs/1706.03762)"
