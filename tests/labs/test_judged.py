"""Before the judge every lab's solution and wrong answers get what they get in a notebook."""

from __future__ import annotations

from functools import cache

from autograder import variants
from autograder.master import Lab
from autograder.outcomes import Report
from autograder.trial import judged_report

from .conftest import LABS


@cache
def judged(name: str) -> Report:
    return judged_report(LABS[name], "bubblewrap")


def test_the_judge_gives_the_solution_all_points(lab: Lab) -> None:
    complaint = variants.solution_complaint(lab, judged(lab.name))
    assert not complaint, complaint


def test_before_the_judge_a_variant_loses_exactly_its_points(variant: tuple[Lab, str]) -> None:
    lab, name = variant
    (found,) = (one for one in variants.all_variants(lab) if one.name == name)
    complaint = variants.complaint(found, judged(lab.name).variants[name])
    assert not complaint, complaint
