"""The table of what is covered: every item of the syllabus and every outcome, with the checks that cover it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autograder.master import Lab
from autograder.outline import exercises
from autograder.syllabus import ITEMS, OUTCOMES, SYLLABUS

_HEAD = """# What the labs cover

Written by `make labs` from `covers=` in the masters. Each row is a check that gives points; a cell of the name
`test_…` is run by the judge, one of the name `explain_…` is marked by a person.

## The syllabus
"""


def page(labs: Sequence[Lab]) -> str:
    """The table as Markdown."""
    lines = [_HEAD]
    for area, items in SYLLABUS.items():
        lines += [f"### {area}\n", "| item | lab | exercise | checks |", "| --- | --- | --- | --- |"]
        for item, words in items.items():
            lines += [f"| {words} | {row} |" for row in _rows(labs, item)]
        lines.append("")
    lines += ["## The learning outcomes\n", "After the module a student can\n"]
    lines += [f"{number}. {words};" for number, words in enumerate(OUTCOMES.values(), start=1)]
    lines[-1] = lines[-1].replace(";", ".")
    for number, outcome in enumerate(OUTCOMES, start=1):
        lines += [f"\n### Outcome {number}\n", "| lab | exercise | checks |", "| --- | --- | --- |"]
        lines += [f"| {row} |" for row in _rows(labs, outcome)]
    return "\n".join(lines) + "\n"


def missing(labs: Sequence[Lab]) -> list[str]:
    """Items and outcomes that no check covers."""
    covered = {key for lab in labs for cell in lab.graded_cells for key in cell.covers}
    return [key for key in (*ITEMS, *OUTCOMES) if key not in covered]


def _rows(labs: Sequence[Lab], key: str) -> Iterator[str]:
    """Lab, exercise and checks of each exercise that covers `key`."""
    for lab in labs:
        for exercise in exercises(lab):
            found = [f"`{cell.id}`" for cell in exercise.cells if key in cell.covers]
            if found:
                link = f"[{lab.name[:5]}](../labs/{lab.name}/{lab.name}.ipynb)"
                yield f"{link} | {exercise.heading} | {', '.join(found)}"
