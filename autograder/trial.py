"""Try a lab's solution, stubs and wrong answers before the judge, as hand-ins are.

`autograder.run` does the same in one process, as a notebook would. Both must find the same.
"""

from __future__ import annotations

from autograder import bridge
from autograder.dependencies import dependent_tests
from autograder.judging import Courtroom
from autograder.master import Lab
from autograder.outcomes import Report
from autograder.variants import sample
from autograder.verdict import Job


def judged_report(lab: Lab, sandbox: str, variants: bool = True, one_in: int = 1) -> Report:
    """Judge the solution, and of each variant the tests that it can change.

    Parameters
    ----------
    sandbox
        One of `autograder.sandbox.KINDS`.
    variants
        Judge stubs and wrong answers too.
    one_in
        Judge one in so many of each cell's wrong answers.
    """
    root, answers = lab.path.parents[2], bridge.solution_answers(lab)
    courtroom = Courtroom(lab, sandbox)
    try:
        report = Report(lab.name, courtroom.hear_solution()[0].outcomes)
        for variant in sample(lab, one_in) if variants else ():
            job = Job(root, lab.name, answers | variant.replacements, sandbox)
            tests = frozenset(test.id for cell in variant.replacements for test in dependent_tests(lab, cell))
            report.variants[variant.name] = courtroom.hear(job, tests)[0].outcomes
    finally:
        courtroom.close()
    return report
