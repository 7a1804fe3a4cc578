"""Assertions that no wrong answer needs are found, by running the wrong answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autograder import master
from autograder.__main__ import main
from autograder.errors import AutograderError
from autograder.lint import needed
from autograder.lint.finding import Finding
from autograder.lint.instrument import RECORDER, assertions, deciding_lines, instrumented
from autograder.lint.needed import unneeded_assertions
from autograder.lint.recorder import Catch, Recorder, catch_of
from autograder.outcomes import FAILED, NOT_REACHED, PASSED, Outcome

from .conftest import TINY, write_lab

TEST = """assert double(2) == 4
assert double(0) == 0


def judge(x):
    assert double(x) == 2 * x
    assert double(x) != 7


### BEGIN HIDDEN TESTS
judge(3)
assert double(-1) == -2
if double("a") != "aa":
    raise AssertionError("no text")
assert double(1.5) == 3
### END HIDDEN TESTS
"""
WRONG = {
    "double__adds_two": "def double(x):\n    return x + 2 if x != 'a' else 'aa'\n",
    "double__numbers_only": "def double(x):\n    return 0 if x == 'a' else 2 * x\n",
    "double__not_below_zero": "def double(x):\n    return 2 * abs(x) if x != 'a' else 'aa'\n",
    "double__exits_on_text": "import sys\n\ndef double(x):\n    return sys.exit(1) if x == 'a' else 2 * int(x)\n",
    "area__linear": "def area(radius):\n    return math.pi * radius\n",
}


def _lab(folder: Path, test: str = TEST, wrong: dict[str, str] = WRONG) -> master.Lab:
    start = TINY.index("assert double(2)")
    end = TINY.index("\n# %% look_double")
    return master.load(write_lab(folder, text=TINY[:start] + test + TINY[end:], wrong=wrong))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    return unneeded_assertions(_lab(tmp_path_factory.mktemp("assertions")))


def _reasons(found: list[Finding]) -> dict[str, str]:
    """What is said of each assertion, by the line that stands there."""
    lines = found[0].path.read_text(encoding="utf-8").splitlines()
    return {lines[finding.line - 1].strip(): finding.text for finding in found}


def test_assertions_that_no_wrong_answer_fails_are_found(found: list[Finding]) -> None:
    reasons = _reasons(found)
    assert "(no wrong answer fails it)" in reasons["assert double(x) != 7"]
    assert reasons["assert double(x) != 7"].endswith("write one, or drop it: assert double(x) != 7")


def test_assertions_that_others_make_superfluous_are_found(found: list[Finding]) -> None:
    reasons = _reasons(found)
    assert "(what fails it fails one of the lines 28, 31 too: adds_two)" in reasons["assert double(x) == 2 * x"]
    assert "(what fails it fails one of the lines 22, 28 too: adds_two)" in reasons["assert double(1.5) == 3"]


def test_assertions_that_one_wrong_answer_needs_are_left_alone(found: list[Finding]) -> None:
    reasons = _reasons(found)
    assert "assert double(-1) == -2" not in reasons  # not_below_zero
    assert 'raise AssertionError("no text")' not in reasons  # numbers_only
    assert "assert math.isclose(area(2.0), 4 * math.pi)" not in reasons


def test_visible_assertions_need_no_more_than_a_wrong_answer_that_fails_them(found: list[Finding]) -> None:
    reasons = _reasons(found)
    assert "(no wrong answer fails it)" in reasons["assert double(2) == 4"]
    assert "assert double(0) == 0" not in reasons  # adds_two, which fails others too


def test_a_wrong_answer_that_ran_out_of_time_is_named(tmp_path: Path) -> None:
    lab = _lab(tmp_path)
    late = {"loops": catch_of(Outcome(NOT_REACHED, "not done within 60 s"))}
    texts = [finding.text for finding in needed._unneeded(lab, lab.test_cells[0], late)]
    assert texts and all(
        "(no wrong answer fails it; not known of loops, which ran out of time)" in text for text in texts
    )


def test_the_command_prints_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _lab(tmp_path, test="assert double(2) == 4\nassert double(3) == 6\n", wrong={"area__linear": WRONG["area__linear"]})
    monkeypatch.chdir(tmp_path)
    assert main(["lint", "lab90", "--assertions"]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("solutions/lab90_tiny/lab90_tiny.py:16: test_double shows all that it asks")
    assert shown[1].startswith("solutions/lab90_tiny/lab90_tiny.py:17: test_double has an assertion without a wrong")


def test_a_solution_that_fails_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AutograderError, match="lab90_tiny must pass first, but test_double: fails line 17"):
        unneeded_assertions(_lab(tmp_path, test="assert double(2) == 5\n", wrong={}))


def test_a_master_that_cannot_run_is_an_error(tmp_path: Path) -> None:
    lab = _lab(tmp_path)
    lab.path.unlink()
    with pytest.raises(AutograderError, match="running lab90_tiny ended with code 1"):
        unneeded_assertions(lab)


def test_rewritten_cells_do_what_they_did_and_note_what_fails(tmp_path: Path) -> None:
    lab = instrumented(_lab(tmp_path))
    scope = {RECORDER: Recorder(), "double": lambda x: 2 * x}
    exec(lab.cell("test_double").source, scope)
    scope["double"] = lambda x: x + 2
    with pytest.raises(AssertionError) as caught:
        exec(lab.cell("test_double").source, scope)
    catch = catch_of(Outcome(FAILED, f"AssertionError: {caught.value}"))
    assert catch.ended.startswith("TypeError: can only concatenate str")
    assert catch.lines == {18, 22, 28}


def test_hidden_assertions_and_the_functions_that_they_call_decide(tmp_path: Path) -> None:
    lab = _lab(tmp_path)
    test = lab.cell("test_double")
    assert list(assertions(lab, test)) == [17, 18, 22, 23, 28, 30, 31]
    assert deciding_lines(lab, test) == {22, 23, 28, 30, 31}


def test_every_assertion_of_a_cell_without_hidden_part_decides(tmp_path: Path) -> None:
    lab = _lab(tmp_path, test="assert double(2) == 4\nassert double(3) == 6\n")
    assert deciding_lines(lab, lab.cell("test_double")) == {17, 18}


def test_a_check_whose_value_is_used_is_rewritten_in_its_place(tmp_path: Path) -> None:
    test = (
        "from lablib import check\ny = check.traffic(double, 2, loads=8)\nfor y in check.cost(double, 3):\n    pass\n"
    )
    source = instrumented(_lab(tmp_path, test=test)).cell("test_double").source
    assert f"y = {RECORDER}.unchecked(18, check.traffic)(double, 2, loads=8)" in source
    assert f"for y in {RECORDER}.unchecked(19, check.cost)(double, 3):" in source


def at_least(function: Callable[..., float], *args: float, least: float = 0, **kwargs: float) -> float:
    """A check in the form of lablib's."""
    value = function(*args, **kwargs)
    assert value >= least
    return value


def _noted(error: pytest.ExceptionInfo[AssertionError]) -> Catch:
    return catch_of(Outcome(FAILED, f"AssertionError: {error.value}"))


def test_a_failed_check_still_gives_the_result_of_the_function() -> None:
    recorder = Recorder()
    with pytest.raises(AssertionError) as error, recorder.cell():
        assert recorder.unchecked(7, at_least)(lambda x, y: x + y, 1, y=2, least=9) == 3
        assert recorder.unchecked(8, at_least)(lambda x: x, 9, least=9) == 9
    assert _noted(error) == Catch(frozenset({7}))


def test_an_error_of_the_function_under_check_ends_the_cell() -> None:
    recorder = Recorder()
    with pytest.raises(AssertionError) as error, recorder.cell():
        recorder.unchecked(7, at_least)({}.__getitem__, 1)
    assert _noted(error) == Catch(ended="KeyError: 1")


def test_an_error_in_a_statement_that_only_asserts_is_its_failure() -> None:
    recorder = Recorder()
    with pytest.raises(AssertionError) as error, recorder.cell(), recorder.assertion(7):
        raise KeyError("tile")
    assert _noted(error) == Catch(frozenset({7}))


def test_an_answer_that_never_came_to_the_test_is_no_catch() -> None:
    assert catch_of(Outcome(PASSED)) == Catch()
    assert catch_of(Outcome(NOT_REACHED, "not done within 60 s")) == Catch(ended="not done within 60 s")
