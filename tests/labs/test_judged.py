"""Before the judge every lab's solution and wrong answers get what they get in a notebook."""

from __future__ import annotations

from autograder import variants
from autograder.master import Lab
from autograder.outcomes import Variant


def test_the_judge_gives_the_solution_all_points(lab: Lab, judged) -> None:
    complaint = variants.solution_complaint(lab, judged(lab.name))
    assert not complaint, complaint
    assert judged(lab.name).points(lab) == lab.test_points


def test_before_the_judge_a_variant_loses_exactly_its_points(judged_variant: tuple[Lab, Variant], judged) -> None:
    lab, variant = judged_variant
    complaint = variants.complaint(variant, judged(lab.name).variants[variant.name])
    assert not complaint, complaint
