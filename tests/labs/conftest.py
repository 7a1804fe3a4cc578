"""Every lab, and the template, which obeys the same rules; each is run once, whatever the number of tests.

Of each exercise's wrong answers the judge hears one in twelve, and the first always. In the notebook, where students meet
the same checks, those of one lab in six are tried, one in eight. `--whole` tries them all, as `make bench` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import pytest

from autograder import master, variants
from autograder.master import Lab
from autograder.outcomes import Report
from autograder.run import run_in_subprocess
from autograder.scaffold import TEMPLATE

ROOT = Path(__file__).parents[2]
TEMPLATE_LAB = master.load(ROOT / "solutions" / TEMPLATE / "labNN_slug.py")
LABS = {lab.name: lab for lab in [*master.load_all(ROOT), TEMPLATE_LAB]}
TOUR = "lab00"  # not counted in the mark
COUNTED = [lab for lab in LABS.values() if lab is not TEMPLATE_LAB and not lab.name.startswith(TOUR)]


JUDGED_ONE_IN, NOTEBOOK_ONE_IN, NOTEBOOK_LABS_ONE_IN = 12, 8, 6


@cache
def _judged(name: str, one_in: int) -> Report:
    """Judge a lab's solution, stubs and wrong answers."""
    from autograder.trial import judged_report  # here, since it hides the GPU, which test_gpu needs

    return judged_report(LABS[name], "bubblewrap", one_in=one_in)


@cache
def _in_notebook(name: str, one_in: int) -> Report:
    """Run a lab's solution, stubs and wrong answers in a process of their own."""
    return run_in_subprocess(LABS[name], one_in=one_in)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test every lab, every solution cell or every variant, so that a failure names the exercise."""
    if "lab" in metafunc.fixturenames:
        metafunc.parametrize("lab", [pytest.param(lab, id=name) for name, lab in LABS.items()])
    step = _one_in(metafunc.config, NOTEBOOK_LABS_ONE_IN)
    tried = list(LABS.values())[step // 2 :: step]
    if "notebook_lab" in metafunc.fixturenames:
        metafunc.parametrize("notebook_lab", tried, ids=lambda lab: lab.name)
    if "counted_lab" in metafunc.fixturenames:
        metafunc.parametrize("counted_lab", COUNTED, ids=lambda lab: lab.name)
    if "exercise" in metafunc.fixturenames:
        exercises = [(lab, cell) for lab in LABS.values() for cell in lab.solution_cells]
        ids = [f"{lab.name}-{cell.id}" for lab, cell in exercises]
        metafunc.parametrize("exercise", exercises, ids=ids)
    sampled = {"judged_variant": (LABS.values(), JUDGED_ONE_IN), "notebook_variant": (tried, NOTEBOOK_ONE_IN)}
    for name, (labs, one_in) in sampled.items():
        if name in metafunc.fixturenames:
            _parametrize(metafunc, name, labs, _one_in(metafunc.config, one_in))


def _parametrize(metafunc: pytest.Metafunc, argument: str, labs: Iterable[Lab], one_in: int) -> None:
    found = [(lab, variant) for lab in labs for variant in variants.sample(lab, one_in)]
    names = [f"{lab.name}-{variant.name}" for lab, variant in found]
    metafunc.parametrize(argument, found, ids=names)


def _one_in(config: pytest.Config, sampled: int) -> int:
    return 1 if config.getoption("--whole") else sampled


@pytest.fixture
def judged(request: pytest.FixtureRequest) -> Callable[[str], Report]:
    """The function that gives what the judge finds of a lab by name."""
    return lambda name: _judged(name, _one_in(request.config, JUDGED_ONE_IN))


@pytest.fixture
def in_notebook(request: pytest.FixtureRequest) -> Callable[[str], Report]:
    """The function that gives what a notebook finds of a lab by name."""
    return lambda name: _in_notebook(name, _one_in(request.config, NOTEBOOK_ONE_IN))
