"""What nbgrader's gradebook holds about a lab, read in one query, and how a hand-in starts from 0."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    Notebook,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import select


@dataclass(frozen=True)
class Mark:
    """One cell's points.

    Attributes
    ----------
    auto, manual, extra : float or None
        What the tests gave, what a person gave in its place, and on top.
    open : bool
        A person still has to look at it.
    """

    auto: float | None
    manual: float | None
    extra: float | None
    open: bool

    @property
    def score(self) -> float | None:
        """What counts; None where a person still has to mark."""
        points = self.auto if self.manual is None else self.manual
        return None if points is None or (self.open and self.manual is None) else points + (self.extra or 0.0)


@dataclass
class Entry:
    """One student's marks, comments of the marker and late penalty."""

    marks: dict[str, Mark] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    late_penalty: float = 0.0


def entries(book: Gradebook, lab: str, student: str | None = None) -> dict[str, Entry]:
    """The entries of a lab by student, or that of one student."""
    found: dict[str, Entry] = {}
    grades = [BaseCell.name, Grade.auto_score, Grade.manual_score, Grade.extra_credit, Grade.needs_manual_grade]
    for name, late, cell, *mark in _rows(book, lab, student, Grade, SubmittedNotebook.late_submission_penalty, *grades):
        found.setdefault(name, Entry(late_penalty=late or 0.0)).marks[cell] = Mark(*mark)
    for name, cell, comment in _rows(book, lab, student, Comment, BaseCell.name, Comment.manual_comment):
        if comment:
            found[name].comments[cell] = comment
    book.db.rollback()  # a reader that stays in its transaction would keep the writer waiting
    return found


def _rows(book: Gradebook, lab: str, student: str | None, table: Any, *columns: Any) -> list[Any]:
    """Student and `columns` of every row of `table` that belongs to a hand-in."""
    query = (
        select(SubmittedAssignment.student_id, *columns)
        .join(SubmittedNotebook, SubmittedNotebook.id == table.notebook_id)
        .join(BaseCell, BaseCell.id == table.cell_id)
        .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
        .join(Assignment, Assignment.id == Notebook.assignment_id)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .where(Assignment.name == lab)  # pyright: ignore[reportGeneralTypeIssues]
        .order_by(SubmittedAssignment.student_id, BaseCell.name)
    )
    if student is not None:
        query = query.where(SubmittedAssignment.student_id == student)
    return list(book.db.execute(query))


def reset(book: Gradebook, lab: str, student: str) -> None:
    """Start from 0, so that a hand-in that cannot be graded keeps no earlier score. A person's marks stay."""
    with book.db.no_autoflush:
        book.update_or_create_student(student)
        submission = book.update_or_create_submission(lab, student)
    for notebook in submission.notebooks:
        for grade in notebook.grades:
            grade.auto_score = 0.0
            grade.needs_manual_grade = False
    book.db.commit()
    book.db.expire_all()
