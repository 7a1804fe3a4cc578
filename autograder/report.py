"""Tables that a person reads in the terminal."""

from __future__ import annotations

from textwrap import shorten

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder.master import Lab
from autograder.outcomes import Report
from autograder.results import ClassResult


def print_run(lab: Lab, report: Report) -> None:
    """Print what the solution and each variant did in a lab's tests."""
    table = Table(title=f"{lab.name}: the solution earns {report.points(lab):g} of {lab.test_points:g}")
    table.add_column("answer", no_wrap=True)
    table.add_column("loses", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("first message")
    for name, outcomes in {"solution": report.solution, **report.variants}.items():
        lost = [test for test, outcome in outcomes.items() if not outcome.passed]
        loses = lost[0] if len(lost) == 1 else f"{len(lost)} tests" if lost else "nothing"
        message = outcomes[lost[0]].message.split("\n")[0][:100] if lost else ""
        seconds = sum(outcome.seconds for outcome in outcomes.values())
        table.add_row(name, loses, f"{seconds:.2f}", escape(message))
    Console().print(table)


def print_class(result: ClassResult) -> None:
    """Print one row a student and where gradebook, feedback and CSV are."""
    exercises = result.lab.graded_cells
    table = Table(title=f"{result.lab.name}: {len(result.students)} hand-ins")
    table.add_column("student", no_wrap=True, overflow="ellipsis")
    for number, cell in enumerate(exercises, start=1):
        table.add_column(f"{number}\n/{cell.points:g}", justify="right")
    table.add_column(f"total\n/{result.lab.points:g}", justify="right")
    table.add_column("remarks")
    for student in result.students:
        scores = [student.scores.get(cell.id) for cell in exercises]
        points = ["-" if score is None else f"{score:g}" for score in scores]
        remarks = shorten("; ".join(student.remarks), 60, placeholder=" …")  # the CSV has them whole
        table.add_row(escape(student.student), *points, f"{student.total:g}", escape(remarks))
    console = Console() if Console().is_terminal else Console(width=160)
    console.print(table)
    legend = ", ".join(f"{number} {cell.id}" for number, cell in enumerate(exercises, start=1))
    console.print(f"{legend}; - still to be marked by a person", highlight=False)
    for name, path in (("gradebook", "gradebook.db"), ("feedback", "feedback"), ("CSV", result.csv.name)):
        console.print(f"{name}: {result.course / path}", soft_wrap=True, highlight=False)
