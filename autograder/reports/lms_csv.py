"""CSV files that learning management systems take, and the rows in them.

A hand-in of which a person still has to mark something has an empty total in all of them: what is imported is
shown to students, and a part must not pass for the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autograder.reports.people import Person
from autograder.reports.rows import Row
from autograder.results import StudentResult


@dataclass(frozen=True)
class Gradesheet:
    """The marks of one lab, for export.

    Attributes
    ----------
    lab : str
    points : dict of str to float
        Most points, by test and manual cell, in the lab's order.
    students : list of StudentResult
    people : dict of str to Person
        By student id; who is absent goes by the student id alone.
    """

    lab: str
    points: dict[str, float]
    students: list[StudentResult]
    people: Mapping[str, Person]

    @property
    def most(self) -> float:
        """Points that the lab gives."""
        return sum(self.points.values())

    def person(self, student: str) -> Person:
        return self.people.get(student, Person())


def canvas_rows(sheet: Gradesheet) -> list[Row]:
    """Rows for Canvas: *Grades*, *Import*.

    Canvas reads the columns Student, ID, SIS User ID, SIS Login ID and Section in this order, then one column an
    assignment, which it finds by its name. A second row starts with "Points Possible". A student is looked
    up by ID, Canvas's own number, then by login, so a student without an import record goes by the id as login. An
    empty grade changes nothing. (`lib/gradebook_importer.rb` of github.com/instructure/canvas-lms)
    """
    rows: list[Row] = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", sheet.lab]]
    rows.append(["Points Possible", "", "", "", "", sheet.most])
    for student in sheet.students:
        person = sheet.person(student.student)
        number = person.id_in("canvas")
        login = "" if number else student.student
        # Canvas takes any row whose first field holds these words for the row of points.
        name = (person.name or student.student).replace("Points Possible", "Points_Possible")
        rows.append([name, number, "", login, "", _total(student)])
    return rows


def moodle_rows(sheet: Gradesheet) -> list[Row]:
    """Rows for Moodle: the assignment's *Upload grading worksheet*.

    Moodle needs the columns Identifier, Grade and Last modified (grade), with these titles on an English site, and
    reads the number after "Participant " as the one in the names of downloaded submissions. Without a time of
    the last grade it takes grades for those who have none; to replace one tick "Allow updating records that have
    been modified more recently in Moodle than in the spreadsheet". An empty grade changes nothing. There is no
    column of feedback comments, because an empty one would delete what a teacher wrote. (`importgradeslib.php` and
    `locallib.php` in `mod/assign/feedback/offline` of github.com/moodle/moodle)
    """
    rows: list[Row] = [["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)"]]
    for student in sheet.students:
        person = sheet.person(student.student)
        identifier = f"Participant {person.id_in('moodle') or student.student}"
        rows.append([identifier, person.name or student.student, _total(student), sheet.most, None])
    return rows


def gradescope_rows(sheet: Gradesheet) -> list[Row]:
    """Rows as a table of grades that Gradescope exports has them, for scripts and gradebooks that read those.

    The columns are Name, SID, Email, Total Score, Max Points and Status, of Gradescope's bookkeeping those that
    are known here, then one a question, such as "1: name (10.0 pts)". Gradescope itself imports no grades.
    """
    questions = [f"{number}: {cell} ({points} pts)" for number, (cell, points) in enumerate(sheet.points.items(), 1)]
    rows: list[Row] = [["Name", "SID", "Email", "Total Score", "Max Points", "Status", *questions]]
    for student in sheet.students:
        person, total = sheet.person(student.student), _total(student)
        sid = person.id_in("gradescope") or student.student
        email = sid if "@" in sid else ""
        status = "Ungraded" if total is None else "Graded"
        scores = [student.scores.get(cell) for cell in sheet.points]
        rows.append([person.name or student.student, sid, email, total, sheet.most, status, *scores])
    return rows


FORMATS = {"canvas": canvas_rows, "moodle": moodle_rows, "gradescope": gradescope_rows}


def _total(student: StudentResult) -> float | None:
    """The student's points; None while a person still has to mark some, or when nothing was graded."""
    return student.total if student.scores and None not in student.scores.values() else None
