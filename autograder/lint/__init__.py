"""The author's linter: finds in a master what grading would refuse, or would let a wrong answer pass.

Test cells run on the judge's side with proxies for what solution cells define (docs/write-a-lab.md has the rules).
This package reads their source and runs nothing; `autograder.lint.needed` runs a lab's wrong answers.
"""

from __future__ import annotations

import ast

from autograder.lint.finding import Finding
from autograder.lint.origins import student_side
from autograder.lint.reading import Reading
from autograder.lint.rules import cells, inputs, objects, process, references, training, verdicts, withholding
from autograder.master import Lab

__all__ = ["Finding", "lint"]

TEST_RULES = [*inputs.RULES, *objects.RULES, *training.RULES, *process.RULES, *verdicts.RULES]


def lint(lab: Lab) -> list[Finding]:
    """Find every breach of the rules for a lab's author, in the master's order.

    Examples
    --------
    >>> from autograder import master
    >>> lint(master.load("solutions/_template/labNN_slug.py"))
    []
    """
    found = {finding for rule in (*cells.RULES, *references.RULES, *withholding.RULES) for finding in rule(lab)}
    student, setup = student_side(lab), [ast.parse(cell.source) for cell in lab.setup_cells]
    for test in lab.test_cells:
        reading = Reading(test.source, setup, student)
        for rule in TEST_RULES:
            for node, text in rule(reading):
                found.add(Finding(lab.path, test.line + getattr(node, "lineno", 0), test.id, text))
    return sorted(found)
