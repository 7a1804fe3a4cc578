from __future__ import annotations

import numpy as np
import pytest

from autograder.master import Lab
from autograder.reports import failures
from autograder.reports.item_analysis import UNMARKED, Item, analyse, correlation, observations
from autograder.results import StudentResult
from autograder.verdict import Verdict

from .conftest import Graded, left_open, out_of_time, passed, wrong


def _class(lab: Lab, doubles: list[bool], areas: list[bool]) -> tuple[list[StudentResult], dict[str, Verdict]]:
    verdicts = {
        f"s{number}": Verdict(
            lab.name,
            {"test_double": passed() if double else wrong("no"), "test_area": passed() if area else wrong("no")},
        )
        for number, (double, area) in enumerate(zip(doubles, areas, strict=True))
    }
    return [StudentResult(name, dict(one.scores(lab)), []) for name, one in verdicts.items()], verdicts


def _items(lab: Lab, students: list[StudentResult], verdicts: dict[str, Verdict]) -> dict[str, Item]:
    return {item.cell.id: item for item in analyse(lab, students, verdicts)}


def test_facility_is_the_mean_share_of_the_points(graded: Graded) -> None:
    items = _items(graded.lab, graded.result.students, graded.verdicts)
    assert items["test_double"].facility == 30 / 40
    assert items["test_area"].facility == 10 / 40
    marks = [50 - number for number in range(40) if number % 4]
    assert items["explain_area"].facility == pytest.approx(np.mean(marks) / 50)


def test_ends_are_counted(graded: Graded) -> None:
    items = _items(graded.lab, graded.result.students, graded.verdicts)
    ends = items["test_area"].ends
    assert [ends[end] for end in (failures.PASSED, failures.WRONG, failures.TIME, failures.OPEN)] == [10, 10, 10, 10]
    assert items["explain_area"].ends == {UNMARKED: 10}


def test_a_hand_in_that_was_not_judged_says_nothing_about_an_exercise(graded: Graded) -> None:
    students = [one for one in graded.result.students if one.student in graded.verdicts]
    assert analyse(graded.lab, students, graded.verdicts) == analyse(
        graded.lab, graded.result.students, graded.verdicts
    )


def test_who_solves_one_exercise_and_the_other_makes_it_discriminate(lab: Lab) -> None:
    half = [True] * 10 + [False] * 10
    assert _items(lab, *_class(lab, half, half))["test_double"].discrimination == pytest.approx(1.0)
    assert _items(lab, *_class(lab, half, half[::-1]))["test_double"].discrimination == pytest.approx(-1.0)
    assert _items(lab, *_class(lab, half, [True, False] * 10))["test_double"].discrimination == pytest.approx(0.0)


def test_the_item_itself_is_no_part_of_the_rest(lab: Lab) -> None:
    students, verdicts = _class(lab, [True] * 10 + [False] * 10, [True] * 20)
    assert _items(lab, students, verdicts)["test_double"].discrimination is None


def test_the_correlation_is_pearsons() -> None:
    x, y = np.array([0.0, 0, 1, 1, 1, 0, 1]), np.array([3.0, 4, 8, 9, 6, 5, 4])
    passing, failing = y[x == 1], y[x == 0]
    share = x.mean()
    point_biserial = (passing.mean() - failing.mean()) / y.std() * np.sqrt(share * (1 - share))
    assert correlation(x, y) == pytest.approx(point_biserial)


@pytest.mark.parametrize(("x", "y"), [([0, 1, 1, 0], [1, 2, 3, 4]), ([1] * 9, range(9)), (range(9), [2] * 9), ([], [])])
def test_without_spread_or_hand_ins_there_is_no_correlation(x, y) -> None:
    assert correlation(np.array(x, float), np.array(y, float)) is None


def test_what_deserves_a_look_is_said(lab: Lab) -> None:
    students, verdicts = _class(lab, [True] * 20, [True, False] * 10)
    items = analyse(lab, students, verdicts)
    assert observations(items[0], items) == ["nearly everybody gets it"]
    opened = {f"s{n}": Verdict(lab.name, {"test_double": left_open("double")}) for n in range(6)}
    stopped = {f"t{n}": Verdict(lab.name, {"test_double": out_of_time()}) for n in range(2)}
    zeros = [StudentResult(name, {"test_double": 0.0}, []) for name in opened | stopped]
    items = analyse(lab, zeros, opened | stopped)
    assert observations(items[0], items) == ["few get it", "often left open", "often stopped by a limit or a crash"]


def test_an_exercise_that_pays_another_wage_is_named(lab: Lab) -> None:
    items = analyse(lab, [], {})
    assert [observations(item, items) for item in items] == [[], [], []]
    assert [item.facility for item in items] == [None, None, None]
