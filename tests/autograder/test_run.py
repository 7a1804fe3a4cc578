from __future__ import annotations

from pathlib import Path

import pytest

from autograder import master, variants
from autograder.__main__ import main
from autograder.errors import AutograderError
from autograder.outcomes import FAILED, NOT_REACHED, Outcome, Report, Variant
from autograder.run import run_in_subprocess

from .conftest import TINY, WRONG, write_lab

ODD = WRONG | {
    "double__exits": "import sys\n\ndef double(x):\n    sys.exit(0)\n",
    "double__kills": "import os\n\ndef double(x):\n    os._exit(0)\n",
    "double__loops": "def double(x):\n    while True:\n        pass\n",
    "double__right_after_all": "def double(x):\n    return 2 * x\n",
    "double__stops_before_the_test": "def double(x):\n    return 2 * x\n\nraise ValueError('too early')\n",
    "double__wraps": "def double(x):\n    try:\n        raise KeyError(1)\n    except KeyError as e:\n"
    "        raise RuntimeError('outer') from e\n",
}
SETUP = """import dataclasses
import inspect
import math
import pickle


@dataclasses.dataclass
class Point:
    x: "int" = 1


assert pickle.loads(pickle.dumps(Point(3))) == Point(3)
assert __name__ == "__main__"


def helper():
    return "text"


assert 'return "text"' in inspect.getsource(helper)
"""


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> tuple[master.Lab, Report]:
    """A lab whose wrong answers misbehave, and its report."""
    path = write_lab(tmp_path_factory.mktemp("odd"), text=TINY.replace("import math\n", SETUP), wrong=ODD)
    lab = master.load(path)
    return lab, run_in_subprocess(lab, variant_seconds=3.0)


def test_solution_passes_and_cells_can_be_inspected_and_pickled(odd) -> None:
    lab, report = odd
    assert report.cell_errors == {}
    assert report.points(lab) == 50
    assert not variants.solution_complaint(lab, report)


def test_cells_find_the_assets_beside_the_master(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = TINY.replace("import math\n", "import math\nassert open('assets/note.txt').read() == 'here'\n")
    path = write_lab(tmp_path, text=text, wrong={})
    (path.parent / "assets").mkdir()
    (path.parent / "assets" / "note.txt").write_text("here")
    monkeypatch.chdir(tmp_path)
    report = run_in_subprocess(master.load(path.relative_to(tmp_path)), variants=False)
    assert report.cell_errors == {}


def test_demonstrations_run_when_asked_for_and_may_import_what_is_withheld(tmp_path: Path) -> None:
    text = TINY.replace('tags=["setup"]', 'tags=["setup"] withhold=["lablib.data.austen"]')
    text += '\n# %% look_text\nimport lablib.data.austen\n\n# %% tags=["raises-exception"]\n1 / 0\n'
    lab = master.load(write_lab(tmp_path, text=text, wrong={}))
    assert run_in_subprocess(lab, variants=False).cell_errors == {}
    errors = run_in_subprocess(lab, variants=False, prose=True).cell_errors
    assert list(errors) == ["look_double"] and "division by zero" in errors["look_double"]


def test_answers_cannot_import_what_is_withheld_and_tests_can(tmp_path: Path) -> None:
    text = TINY.replace('tags=["setup"]', 'tags=["setup"] withhold=["lablib.data.austen"]')
    text = text.replace(
        "import math\n", "import math\ndef given():\n    from lablib.data.austen import austen\n    return austen\n"
    )
    text = text.replace("assert double(2) == 4", "from lablib.data import austen\ngiven()\nassert double(2) == 4")
    answers = {
        "at_the_top": "from lablib.data.austen import austen\ndef double(x): return 2 * x\n",
        "in_the_call": "def double(x):\n    import lablib.data.austen\n    return 2 * x\n",
        "from_its_parent": "def double(x):\n    from lablib.data import austen\n    return 2 * x\n",
        "through_setup": "double = lambda x: given() and 2 * x\n",
    }
    wrong = {f"double__{name}": source for name, source in answers.items()}
    report = run_in_subprocess(master.load(write_lab(tmp_path, text=text, wrong=wrong)))
    assert report.solution["test_double"].passed and report.cell_errors == {}
    for name in answers:
        outcome = report.variants[f"double__{name}"]["test_double"]
        assert not outcome.passed, name
        assert name == "at_the_top" or "lablib.data.austen is withheld in grading" in outcome.message


def test_blank_and_stubs_fail_with_their_sentence(odd) -> None:
    _, report = odd
    assert {name: o.passed for name, o in report.variants["blank"].items()} == {
        "test_double": False,
        "test_area": False,
    }
    assert list(report.variants["area__stub"]) == ["test_area"]
    outcome = report.variants["area__stub"]["test_area"]
    assert outcome.errors[0] == "NotImplementedError"
    assert outcome.message.endswith("area: replace this line with your solution")


def test_wrong_answers_lose_their_own_points_only(odd) -> None:
    _, report = odd
    for name in WRONG:
        assert {test for test, o in report.variants[name].items() if not o.passed} == {f"test_{name.split('__')[0]}"}
    assert report.variants["double__adds_two"]["test_double"].message == (
        "AssertionError: expected twice the number, got 19"
    )


def test_an_answer_that_exits_dies_or_hangs_costs_no_other_cell(odd) -> None:
    _, report = odd
    assert report.variants["double__exits"]["test_double"].message.startswith("SystemExit")
    killed = report.variants["double__kills"]["test_double"]
    assert (killed.status, killed.message) == (NOT_REACHED, "the process died")
    hung = report.variants["double__loops"]["test_double"]
    assert (hung.status, hung.message) == (NOT_REACHED, "not done within 3 s")
    assert report.solution["test_area"].passed


def test_an_error_at_the_end_of_a_cell_keeps_its_definitions(odd) -> None:
    _, report = odd
    assert report.variants["double__stops_before_the_test"]["test_double"].passed


def test_causes_are_reported(odd) -> None:
    _, report = odd
    assert report.variants["double__wraps"]["test_double"].errors == ("RuntimeError", "KeyError")


def test_complaints_name_what_is_wrong(odd) -> None:
    lab, report = odd
    found = variants.complaints(lab, report)
    assert "double__right_after_all must lose test_double and no other, but it loses nothing" in found
    assert "double__loops must fail an assertion of test_double, but not done within 3 s" in found
    assert not any("adds_two" in sentence or "stub" in sentence or "blank" in sentence for sentence in found)


def test_a_complaint_for_each_kind_of_failure() -> None:
    failed, passed = Outcome(FAILED, "NameError: x", ("NameError",)), Outcome("passed")
    stub = Variant("f__stub", "stub", {"f": ""})
    assert "must fail with NotImplementedError only, but test_f: NameError" in variants.complaint(
        stub, {"test_f": failed}
    )
    assert variants.complaint(stub, {"test_f": passed}) == "the stub of f must fail test_f, but passes it"
    blank = Variant("blank", "blank", {"f": "", "g": ""})
    assert "but passes test_g" in variants.complaint(blank, {"test_f": failed, "test_g": passed})
    wrong = Variant("f__x", "wrong", {"f": ""})
    both = variants.complaint(wrong, {"test_f": failed, "test_g": failed})
    assert both == "f__x must lose test_f and no other, but it loses test_f, test_g"


def test_a_broken_solution_is_reported_not_raised(tmp_path: Path) -> None:
    text = TINY.replace("return x + x", "return x").replace("import math\n", "import math\nimport no_such_module\n")
    text = text.replace("assert math.isclose(area(1.0), math.pi)\n", "").replace(
        "area(2.0), 4 * math.pi)", "1, 1)\n3.5"
    )
    lab = master.load(write_lab(tmp_path, text=text))
    report = run_in_subprocess(lab, variants=False)
    assert report.variants == {}
    assert report.points(lab) == 0
    complaint = variants.solution_complaint(lab, report)
    assert "setup: ModuleNotFoundError" in complaint
    assert "test_double: AssertionError: expected 4, got 2" in complaint
    assert "test_area: AssertionError: a test cell must not end in a value" in complaint


@pytest.mark.parametrize(("words", "kind"), [([], "bubblewrap"), (["--sandbox", "unshare"], "unshare")])
def test_answers_are_judged_in_the_sandbox_that_is_named(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], kind: str
) -> None:
    def judged_report(lab: master.Lab, sandbox: str, variants: bool) -> Report:
        raise AutograderError(f"asked for {sandbox}")

    monkeypatch.setattr("autograder.trial.judged_report", judged_report)
    monkeypatch.chdir(repository)
    assert main(["run", "lab90", "--judged", *words]) == 2
    assert capsys.readouterr().err == f"autograder: asked for {kind}\n"


def test_a_run_that_takes_too_long_is_an_error(tmp_path: Path) -> None:
    text = TINY.replace("import math\n", "import math\nimport time\ntime.sleep(60)\n")
    lab = master.load(write_lab(tmp_path, text=text))
    with pytest.raises(RuntimeError, match="did not finish within 1 s"):
        run_in_subprocess(lab, seconds=1.0)
