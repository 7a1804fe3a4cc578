"""The syllabus is covered, the pages say so, and the terms that they propose can be taught."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest

from autograder import coverage, master, outline, pages, plans
from autograder.errors import AutograderError
from autograder.master import Lab
from autograder.master_cells import MasterError
from autograder.plans import Plan
from autograder.syllabus import ITEMS, OUTCOMES

from .conftest import ROOT, TINY, write_lab

LABS = master.load_all(ROOT)
COUNTED = [lab for lab in LABS if not lab.name.startswith("lab00")]
COVERING = TINY.replace('"core"] points=20 hours=0.5', '"core"] points=20 hours=0.5 covers=["gnns", "lo2"]')


def test_every_item_and_every_outcome_has_a_check() -> None:
    assert coverage.missing(LABS) == []
    assert set(coverage.missing([])) == {*ITEMS, *OUTCOMES}


def test_every_counted_check_says_what_it_covers() -> None:
    silent = [f"{lab.name}: {cell.id}" for lab in COUNTED for cell in lab.graded_cells if not cell.covers]
    assert silent == []


def test_the_outcome_on_vision_and_language_is_checked_in_the_labs_on_compression_and_machines() -> None:
    found = {lab.name[:5] for lab in LABS for cell in lab.graded_cells if "lo4" in cell.covers}
    assert {"lab08", "lab09", "lab10", "lab11"} <= found


def test_the_page_has_a_row_for_what_a_cell_covers(tmp_path: Path) -> None:
    lab = master.load(write_lab(tmp_path, text=COVERING))
    assert lab.cell("test_double").covers == ("gnns", "lo2")
    page = coverage.page([lab])
    row = "[lab90](../labs/lab90_tiny/lab90_tiny.ipynb) |  | `test_double` |"
    assert f"| graph neural networks | {row}" in page
    assert page.count("`test_double`") == 2 and "`test_area`" not in page
    assert set(coverage.missing([lab])) == {*ITEMS, *OUTCOMES} - {"gnns", "lo2"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# %% look_double", '# %% look_double covers=["gnns"]', "covers= belongs on a test or manual cell"),
        ('covers=["gnns", "lo2"]', 'covers=["gnn"]', "covers= names 'gnn', which is not in autograder/syllabus.py"),
        ('covers=["gnns", "lo2"]', 'covers="gnns"', "covers= must be a list"),
    ],
)
def test_what_is_covered_is_known(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(MasterError, match=message):
        master.load(write_lab(tmp_path, text=COVERING.replace(old, new)))


def test_the_pages_are_what_the_masters_give() -> None:
    assert pages.differences(ROOT) == [], "run `make labs`"


def test_a_page_that_was_edited_is_named_and_undone(repository: Path) -> None:
    assert len(pages.write(repository)) == 3
    (repository / "docs" / "plans.md").write_text("mine")
    assert pages.differences(repository) == ["docs/plans.md is not what the masters give"]
    assert pages.write(repository) == [Path("docs/plans.md")]
    assert pages.write(repository) == []


def test_the_outline_of_a_lab() -> None:
    lab = master.find(ROOT, "lab09")
    assert outline.title(lab) == "Quantisation"
    assert outline.needs(lab) == ("lab02", "lab03", "lab06")
    third = outline.exercises(lab)[2]
    assert (third.number, third.heading, [cell.id for cell in third.cells]) == (
        3,
        "3 · Integers all the way",
        ["test_integer_linear"],
    )
    graded = [cell.id for exercise in outline.exercises(lab) for cell in exercise.cells]
    assert graded == [cell.id for cell in lab.graded_cells]
    assert outline.hours(lab, "core") + outline.hours(lab, "stretch") == sum(c.hours or 0 for c in lab.graded_cells)


@pytest.mark.parametrize("plan", plans.PLANS, ids=lambda plan: plan.name)
def test_a_plan_can_be_taught_in_its_order(plan: Plan) -> None:
    assert plans.unmet(plan, LABS) == []


@pytest.mark.parametrize("plan", plans.PLANS, ids=lambda plan: plan.name)
def test_a_plan_names_exercises_that_there_are(plan: Plan) -> None:
    by_number = {lab.name[:5]: lab for lab in LABS}
    assert set(plan.parts) <= set(by_number)
    for number, wanted in plan.parts.items():
        numbers = [exercise.number for exercise in plans.chosen(plan, by_number[number])]
        assert numbers and (wanted == plans.EVERY_CORE or tuple(numbers) == wanted), f"{plan.name}, {number}: {numbers}"


def test_a_plans_hours_are_those_of_the_cells_that_it_has() -> None:
    for plan in plans.PLANS:
        chosen = [one for lab in LABS if lab.name[:5] in plan.parts for one in plans.chosen(plan, lab)]
        cells = [cell for exercise in chosen for cell in exercise.cells if "core" in cell.tags]
        expected = sum(cell.hours or 0 for cell in cells)
        assert plans.hours(plan, LABS) == pytest.approx(expected)
        assert f"## {plan.name}: {expected:g} hours" in plans.page(LABS)


def test_breadth_is_two_exercises_of_each_lab_in_55_hours_and_the_capstone() -> None:
    breadth = plans.PLANS[0]
    assert list(breadth.parts) == [lab.name[:5] for lab in LABS]
    whole = {lab for lab, numbers in breadth.parts.items() if numbers == plans.EVERY_CORE}
    assert whole == {"lab00", "lab18"}
    assert all(len(numbers) == 2 for lab, numbers in breadth.parts.items() if lab not in whole)
    labs = Plan("", "", {lab: numbers for lab, numbers in breadth.parts.items() if lab != "lab18"})
    assert plans.hours(labs, LABS) <= 55
    assert plans.hours(breadth, LABS) - plans.hours(labs, LABS) == pytest.approx(25, abs=0.5)
    assert all(plans.hours(plan, LABS) < 125 for plan in plans.PLANS)  # a module of 5 ECTS


def test_a_lab_before_what_it_needs_is_named() -> None:
    early = Plan("Early", "", {"lab09": (1,), "lab02": (1,), "lab03": (1,), "lab06": (1,)})
    assert "Early: lab09_quantisation needs lab03 before it" in plans.unmet(early, LABS)
    assert "Early: lab02_vision_models needs lab00 before it" in plans.unmet(early, LABS)


def test_a_plan_that_cannot_be_taught_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "PLANS", (Plan("Early", "", {"lab00": (), "lab07": (1,)}),))
    with pytest.raises(AutograderError, match=r"lab07_flash_attention needs lab06 before it: change the plan in auto"):
        plans.page(LABS)


TIME = re.compile(r"^\| Time \| about (\S+) hours(?:: core (\S+) h, stretch (\S+) h|, all core)", re.MULTILINE)
ROW = re.compile(r"^\| \[(lab\w+)\]\(.*\| (.+?) \| ([\d.]+) \|$", re.MULTILINE)


def _halves(hours: float) -> float:
    return round(2 * hours) / 2


def _number(text: str) -> float:
    """A number as masters write it, such as 10¾, ½ or 8.5."""
    return float(text) if text[-1].isascii() else float(text[:-1] or 0) + unicodedata.numeric(text[-1])


@pytest.mark.parametrize("lab", COUNTED, ids=lambda lab: lab.name)
def test_the_time_that_a_lab_says_is_the_sum_of_its_cells(lab: Lab) -> None:
    ((whole, *parts),) = [found for cell in lab.cells for found in TIME.findall(cell.source)]
    core, stretch = outline.hours(lab, "core"), outline.hours(lab, "stretch")
    assert _number(whole) == _halves(core + stretch)
    assert [_number(part) for part in parts if part] == ([core, stretch] if stretch else [])


def test_readme_has_the_hours_and_the_needs_of_the_masters() -> None:
    rows = ROW.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    said = [(name, set(re.findall(r"lab\d\d", needed)), float(hours)) for name, needed, hours in rows]
    assert said == [
        (lab.name, set(outline.needs(lab)), _halves(outline.hours(lab, "core") + outline.hours(lab, "stretch")))
        for lab in LABS
    ]


def test_a_lab_that_helps_is_not_needed() -> None:
    assert outline.needs(master.find(ROOT, "lab07")) == ("lab06",)
    assert outline.needs(master.find(ROOT, "lab14")) == ("lab06",)
    assert outline.needs(master.find(ROOT, "lab11")) == ("lab00", "lab02")


def test_students_get_the_map_of_the_course() -> None:
    course = json.loads(outline.course_map(LABS))
    assert list(course["labs"]) == [lab.name for lab in LABS]
    assert "lab09" in course["syllabus"]["Compression"]["quantisation"]
    for lab in LABS:
        told = course["labs"][lab.name]["checks"]
        assert [(c["id"], c["points"], c["by_hand"]) for c in told] == [
            (cell.id, cell.points, cell.role == "manual") for cell in lab.graded_cells
        ]


def test_prose_that_names_no_lab_needs_none(tiny: Lab) -> None:
    assert outline.needs(tiny) == ()
    assert outline.title(tiny) == "Tiny"
