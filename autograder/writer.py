"""Put verdicts into the gradebook: what nbgrader's Autograde and GenerateFeedback do, one hand-in at a time.

Whoever holds the course's lock is the only writer. What is done is written down last, in a receipt; a writer that
was killed leaves a hand-in without one, and the next does it again.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from sqlalchemy.exc import OperationalError

from autograder import converters, files, gradebook
from autograder.converters import ConverterError
from autograder.course import Course
from autograder.fingerprint import digest
from autograder.gradebook import Entry
from autograder.master import Lab
from autograder.preprocessor import GivenVerdict
from autograder.verdict import Verdict

ATTEMPTS = 2


class Writer:
    """Writes one lab's verdicts; use it as a context manager, under the course's lock.

    Examples
    --------
    >>> with course.locked(), Writer(course, lab) as writer:  # doctest: +SKIP
    ...     remarks = writer.write("alice", submission.content, verdict)
    """

    def __init__(self, course: Course, lab: Lab) -> None:
        self.course, self.lab = course, lab
        self._judge = GivenVerdict()
        self._grader = converters.grader(course.config, self._judge)
        self._explainer = converters.explainer(course.config)
        self._book = course.gradebook()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._book.close()

    def write(self, student: str, content: str, verdict: Verdict) -> list[str]:
        """Bring one student's gradebook entry, autograded notebook and feedback up to date.

        Parameters
        ----------
        content
            Hash of the rebuilt hand-in, which nbgrader reads for itself.

        Returns
        -------
        list of str
            What went wrong, for the marker.
        """
        graded = digest([content, _shown(verdict), [cell.source for cell in self.lab.rubric_cells]])
        receipt = self._receipt(student)
        try:
            if receipt.get("graded") != graded or not self._agrees(student, verdict):
                self._grade(student, verdict)
                receipt = {"graded": graded}
            entry = digest(asdict(self.entry(student)))
            if receipt.get("entry") != entry or not self.course.feedback(student, self.lab).exists():
                self._explainer.convert(self.lab.name, student)
                files.write(self._receipt_path(student), json.dumps({"graded": graded, "entry": entry}))
        except (ConverterError, OperationalError) as error:
            self._book.db.rollback()
            return [f"nbgrader failed: {error}"]
        return []

    def refuse(self, student: str) -> None:
        """Leave a student whose hand-in was not taken with 0 points and nothing of an earlier hand-in."""
        gradebook.reset(self._book, self.lab.name, student)
        for path in (self.course.autograded(student, self.lab), self.course.feedback(student, self.lab)):
            shutil.rmtree(path.parent, ignore_errors=True)
        self._receipt_path(student).unlink(missing_ok=True)

    def entry(self, student: str) -> Entry:
        """What the gradebook holds."""
        return gradebook.entries(self._book, self.lab.name, student).get(student, Entry())

    def _grade(self, student: str, verdict: Verdict) -> None:
        self._judge.given = verdict
        reason = ""
        for _ in range(ATTEMPTS):
            gradebook.reset(self._book, self.lab.name, student)
            try:
                self._grader.convert(self.lab.name, student)
            except ConverterError as error:
                reason = str(error)
            else:
                if self._agrees(student, verdict):
                    return
                reason = "the gradebook does not hold the judge's scores"
        gradebook.reset(self._book, self.lab.name, student)
        raise ConverterError(reason)

    def _agrees(self, student: str, verdict: Verdict) -> bool:
        marks = self.entry(student).marks
        held = {cell.id: marks[cell.id].auto for cell in self.lab.test_cells if cell.id in marks}
        return held == scores(self.lab, verdict) and self.course.autograded(student, self.lab).exists()

    def _receipt_path(self, student: str) -> Path:
        return self.course.folder / "receipts" / self.lab.name / f"{student}.json"

    def _receipt(self, student: str) -> dict[str, str]:
        try:
            return json.loads(self._receipt_path(student).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}


def scores(lab: Lab, verdict: Verdict) -> dict[str, float]:
    """Points by test; a test without an outcome has 0."""
    passed = {test for test, outcome in verdict.outcomes.items() if outcome.passed}
    return {cell.id: (cell.points or 0.0) * (cell.id in passed) for cell in lab.test_cells}


def _shown(verdict: Verdict) -> list[object]:
    """The part of a verdict that reaches the gradebook or a page."""
    outcomes = {test: [one.status, one.message, one.errors] for test, one in verdict.outcomes.items()}
    return [outcomes, verdict.output, verdict.remarks]
