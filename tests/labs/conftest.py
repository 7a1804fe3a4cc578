"""Every lab, and the template, which obeys the same rules; each is run once, whatever the number of tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from autograder import master
from autograder.master import Lab
from autograder.outcomes import Report
from autograder.run import run_in_subprocess
from autograder.scaffold import TEMPLATE

ROOT = Path(__file__).parents[2]
TEMPLATE_LAB = master.load(ROOT / "solutions" / TEMPLATE / "labNN_slug.py")
LABS = {lab.name: lab for lab in [*master.load_all(ROOT), TEMPLATE_LAB]}
TOUR = "lab00"  # not counted in the mark
COUNTED = [lab for lab in LABS.values() if lab is not TEMPLATE_LAB and not lab.name.startswith(TOUR)]


@cache
def report(name: str) -> Report:
    """Run a lab's solution, stubs and wrong answers in a process of their own."""
    return run_in_subprocess(LABS[name])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test every lab, every solution cell or every variant, so that a failure names the exercise."""
    if "lab" in metafunc.fixturenames:
        metafunc.parametrize("lab", [pytest.param(lab, id=name) for name, lab in LABS.items()])
    if "counted_lab" in metafunc.fixturenames:
        metafunc.parametrize("counted_lab", COUNTED, ids=lambda lab: lab.name)
    if "exercise" in metafunc.fixturenames:
        exercises = [(lab, cell) for lab in LABS.values() for cell in lab.solution_cells]
        ids = [f"{lab.name}-{cell.id}" for lab, cell in exercises]
        metafunc.parametrize("exercise", exercises, ids=ids)
    if "variant" in metafunc.fixturenames:
        variants = [(lab, name) for lab in LABS.values() for name in _variant_names(lab)]
        metafunc.parametrize("variant", variants, ids=[f"{lab.name}-{name}" for lab, name in variants])


def _variant_names(lab: Lab) -> list[str]:
    """Names as `autograder.variants` gives them, without building notebooks while tests are collected."""
    stubs = [f"{cell.id}__stub" for cell in lab.solution_cells]
    return ["blank", *stubs, *(f"{wrong.cell}__{wrong.mistake}" for wrong in lab.wrong_answers)]


@pytest.fixture
def lab_report():
    """The function that gives a lab's report by name."""
    return report
