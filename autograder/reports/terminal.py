"""Tables that a person reads in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder.master import Lab
from autograder.outcomes import Report
from autograder.reports.rows import format_points
from autograder.reports.text import one_line
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
        message = outcomes[lost[0]].message.split("\n")[0] if lost else ""
        seconds = sum(outcome.seconds for outcome in outcomes.values())
        table.add_row(name, loses, f"{seconds:.2f}", _shown(message, 100))
    Console().print(table)


def print_class(result: ClassResult) -> None:
    """Print one row a student, the class's mean below, and where gradebook, feedback, report and CSV are."""
    exercises = result.lab.graded_cells
    table = Table(title=f"{result.lab.name}: {len(result.students)} hand-ins", show_footer=bool(result.students))
    table.add_column("student", "mean", no_wrap=True, overflow="ellipsis")
    for number, cell in enumerate(exercises, start=1):
        known = [s for one in result.students if (s := one.scores.get(cell.id)) is not None]
        mean = format_points(sum(known) / len(known)) if known else "-"
        table.add_column(f"{number}\n/{cell.points:g}", mean, justify="right")
    totals = [one.total for one in result.students]
    mean = format_points(sum(totals) / len(totals)) if totals else ""
    table.add_column(f"total\n/{result.lab.points:g}", mean, justify="right")
    table.add_column("remarks")
    for student in result.students:
        scores = [student.scores.get(cell.id) for cell in exercises]
        points = ["-" if score is None else format_points(score) for score in scores]
        remarks = _shown("; ".join(student.remarks), 60)  # the CSV has them whole
        table.add_row(_shown(student.student, 40), *points, format_points(student.total), remarks)
    console = Console() if Console().is_terminal else Console(width=160)
    console.print(table)
    legend = ", ".join(f"{number} {cell.id}" for number, cell in enumerate(exercises, start=1))
    console.print(f"{legend}; - still to be marked by a person", highlight=False)
    report = f"reports/{result.lab.name}.html"
    for name, path in (
        ("gradebook", "gradebook.db"),
        ("feedback", "feedback"),
        ("report", report),
        ("CSV", result.csv.name),
    ):
        console.print(f"{name}: {result.course / path}", soft_wrap=True, highlight=False)


def _shown(text: str, most: int) -> str:
    """Text of a hand-in on one line of at most about `most` characters, without markup and terminal sequences."""
    line = one_line(text)
    return escape(line if len(line) <= most else f"{line[: most - 1]}…")
