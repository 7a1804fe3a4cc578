"""Questions for an oral check come from the hand-in's own lines, and their answers from the judge."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from autograder import bridge, demo, master
from autograder.__main__ import main
from autograder.judging import Courtroom
from autograder.master import Lab
from autograder.verdict import Job
from autograder.viva.changes import changes
from autograder.viva.figures import asked, draw_figure
from autograder.viva.page import page
from autograder.viva.questions import Question, draw

from .conftest import ROOT, TINY, write_lab
from .hand_ins import RIGHT, hand_in

STUB = "def f(x):\n    raise NotImplementedError"
ANSWER = """def f(x, é="ä"):
    x = x + 7
    if x < 12:
        x -= 3
    return f"{x + 5}", x, 2.5
"""
FIGURES = """
# %% record_figures
from lablib.ledger import record

record("lab90_tiny", {"area_ratio": lambda: area(2) / area(1), "doubled": lambda: double(2)})
"""


def made() -> dict[tuple[str, int], list[str]]:
    found: dict[tuple[str, int], list[str]] = {}
    for change in changes("f", ANSWER, STUB):
        found.setdefault((change.kind, change.line), []).append(change.source.splitlines()[change.line - 1].strip())
    return found


def test_each_place_gets_its_change() -> None:
    found = made()
    assert found["constant", 2] == ["x = x + 8"]
    assert found["sign", 2] == ["x = (x - 7)"]
    assert found["line", 2] == ["pass"]
    assert found["branch", 3] == ["if False:"]
    assert found["edge", 3] == ["if x <= 12:"]
    assert found["line", 4] == ["pass"]
    assert 'return f"{x + 5}", x, 5.0' in found["constant", 5]


def test_lines_that_were_given_are_nobodys_to_defend() -> None:
    given = "def f(x):\n    y = x * 3\n    raise NotImplementedError"
    answer = "def f(x):\n    y = x * 3\n    return y * 4"
    assert {change.line for change in changes("f", answer, given)} == {3}


@pytest.mark.parametrize(
    "answer",
    ["def f(:", "", "x = 1", "%time f()", "def f(x):\n    return " + "(" * 5000, "\0", "def f(x):\r    return 7\x0c"],
)
def test_what_is_no_program_gives_no_change_and_no_error(answer: str) -> None:
    assert all(change.source != answer for change in changes("f", answer, STUB))


def answers(double: str, area: str) -> dict[str, str]:
    return {"double": double, "area": area}


FIRST = answers("def double(x):\n    return x * 2", RIGHT["area"].replace("math.pi", "3.141592653589793"))
SECOND = answers(
    "def double(x):\n    total = 0\n    for _ in range(2):\n        total += x\n    return total",
    "def area(radius):\n    if radius < 0:\n        raise ValueError(radius)\n    return math.pi * radius * radius",
)


@pytest.fixture(scope="module")
def courtroom(tmp_path_factory: pytest.TempPathFactory):
    lab = master.load(write_lab(tmp_path_factory.mktemp("viva")))
    made = Courtroom(lab, "bubblewrap")
    yield made
    made.close()


def drawn(courtroom: Courtroom, given: dict[str, str]) -> list[Question]:
    lab = courtroom.lab
    return draw(lab, Job(lab.path.parents[2], lab.name, given, "bubblewrap", "key"), courtroom)


def test_questions_are_about_the_hand_in_and_the_judge_knows_the_answers(courtroom: Courtroom) -> None:
    first, second = drawn(courtroom, FIRST), drawn(courtroom, SECOND)
    for questions, given in ((first, FIRST), (second, SECOND)):
        assert len(questions) == 3
        assert {one.change.cell for one in questions} == {"double", "area"}
        for one in questions:
            assert one.answer == given[one.change.cell] != one.change.source
        effects = questions[0].effects
        assert set(effects) == {f"test_{questions[0].change.cell}"}
        assert "AssertionError" in next(iter(effects.values()))
    assert {one.change.question for one in first} != {one.change.question for one in second}
    assert drawn(courtroom, FIRST) == first


def test_where_nothing_passes_there_is_nothing_to_ask(courtroom: Courtroom) -> None:
    assert drawn(courtroom, {}) == []
    assert drawn(courtroom, answers("def double(x):\n    return x + 5", "def area(r):\n    return r * 9")) == []
    assert "there is no code to ask about" in page("lab90_tiny", "ann", "0" * 64, [], None)


def test_a_hand_in_that_kills_its_process_is_asked_about_the_rest(courtroom: Courtroom) -> None:
    questions = drawn(courtroom, FIRST | {"area": "import os\nos._exit(0)"})
    assert {one.change.cell for one in questions} == {"double"}


def notebook_with_figures(lab: Lab, path: Path, text: str) -> None:
    notebook = json.loads(bridge.to_text(demo.answered(lab, RIGHT)))
    for cell in notebook["cells"]:
        if cell["id"] == "record_figures":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text}]
    path.write_text(json.dumps(notebook))


def test_a_figure_is_asked_about_as_the_notebook_shows_it(tmp_path: Path) -> None:
    lab = master.load(write_lab(tmp_path, text=TINY + FIGURES))
    assert asked(lab) == {"area_ratio": "area(2) / area(1)", "doubled": "double(2)"}
    path = tmp_path / "ann.ipynb"
    notebook_with_figures(lab, path, "Recorded of lab90_tiny: area_ratio = 4.25, password = 3.")
    found = draw_figure(lab, path, "content")
    assert found is not None
    assert (found.name, found.value, found.expression, found.cells) == (
        "area_ratio",
        "4.25",
        "area(2) / area(1)",
        ("area",),
    )
    assert "area_ratio = 4.25" in page(lab.name, "ann", "0" * 64, [], found)
    for content in ("{", "[]", '{"cells": [3]}', '{"cells": [{"id": "record_figures", "outputs": 3}]}'):
        path.write_text(content)
        assert draw_figure(lab, path, "content") is None


def test_the_real_labs_figures_are_read() -> None:
    lab = master.find(ROOT, "lab10")
    assert asked(lab)["vision_flops_kept_merging"] == "merged"


def test_what_a_student_wrote_is_shown_as_text() -> None:
    answer = "def f(x):\n    # </pre><script>alert(1)</script>\n    return x + 7"
    (change, *_) = changes("f", answer, STUB)
    shown = page(
        "lab90_tiny", "<b>ann", "0" * 64, [Question(change, answer, {"test_f": "<img src=x> \x1b[31mred"})], None
    )
    assert "<script>" not in shown and "<img" not in shown and "<b>" not in shown and "\x1b" not in shown
    assert "&lt;script&gt;" in shown and f"{change.line:3} → " in shown


def test_the_command_writes_a_page(
    repository: Path, tiny: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    assert main(["viva", "lab90"]) == 2
    assert "has no hand-in of lab90_tiny: name a notebook" in capsys.readouterr().err
    assert main(["viva", "lab90", "none.ipynb"]) == 2
    assert "there is no such notebook" in capsys.readouterr().err
    hand_in(tiny, repository, "ann")
    assert main(["viva", "lab90", "ann.ipynb"]) == 0
    written = (repository / "course" / "viva" / "lab90_tiny" / "ann.html").read_text()
    assert written.count("<h2>Question") == 3 and "For the examiner" in written
    (repository / "ann.ipynb").rename(repository / "lab90 (1).ipynb")
    assert main(["viva", "lab90", "lab90 (1).ipynb"]) == 0
    assert (repository / "course" / "viva" / "lab90_tiny" / "lab90_1.html").is_file()


def test_make_hands_the_kind_of_sandbox_on() -> None:
    for target, words in (("viva", "viva lab90 --sandbox unshare"), ("demo", "ADLS_SANDBOX=unshare .venv")):
        command = ["make", "-n", "READY=Makefile", target, "LAB=lab90", "SANDBOX=unshare"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert words in " ".join(done.stdout.split())
