"""Bring hand-ins into the course: one notebook a student, whatever it came in."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from autograder.course import Course
from autograder.errors import AutograderError
from autograder.handin import HandInError
from autograder.intake.choice import choose
from autograder.intake.layouts import Submission, submissions
from autograder.intake.members import Listing, printable
from autograder.intake.record import ImportedFile, read_record, write_record
from autograder.intake.sources import opened
from autograder.intake.student_ids import assign, student_id
from autograder.master import Lab

MAX_SENTENCES = 20  # about files that are nobody's: an archive can hold any number


class IntakeError(AutograderError):
    """Nothing can be imported from what was given."""


@dataclass
class Imported:
    """What an import did.

    Attributes
    ----------
    taken : list of str
        Ids of the students whose hand-in is in the course.
    refused : dict of str to str
        Student id to the reason, one sentence.
    notes : list of str
        What a marker should know besides: which of several files counts, which name became which id.
    """

    taken: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def import_hand_ins(course: Course, lab: Lab, path: Path) -> Imported:
    """Copy every hand-in at `path` to `course`/submitted/<student>/<lab>/<lab>.ipynb.

    A student's earlier hand-in is replaced, or removed where the new one is refused. Students who are not in this
    import keep theirs. The import record beside the course joins students to the LMS.

    Parameters
    ----------
    path : Path
        A notebook `<student>.ipynb`; a folder or a zip of `<student>.ipynb` or `<student>/<lab>.ipynb`; or what
        Moodle, Canvas or Gradescope lets teachers download, packed or unpacked. A hand-in may be a zip itself.

    Raises
    ------
    IntakeError
        There is nothing at `path`, it cannot be read as a whole, or it holds no hand-in.
    """
    try:
        with opened(path) as listing:
            return _import(course, lab, listing)
    except HandInError as error:
        raise IntakeError(f"{path}: {error}") from None


def import_folder(course: Course, lab: Lab, folder: Path) -> dict[str, str]:
    """Import the hand-ins in `folder`; return the refused ones, student to reason."""
    return import_hand_ins(course, lab, folder).refused


def _import(course: Course, lab: Lab, listing: Listing) -> Imported:
    found, notes = submissions(listing, lab.name)
    if not found:
        raise HandInError(f"no hand-ins; expected <student>/{lab.name}.ipynb or <student>.ipynb, or an LMS's download")
    earlier = read_record(course, lab)
    students = assign([one.owner for one in found], {student: entry.owner for student, entry in earlier.items()})
    imported = Imported(notes=[*_first(listing.rejected), *_first(notes)])
    record = dict(earlier)
    for student, submission in zip(students, found, strict=True):
        if student != student_id(submission.owner.label):
            imported.notes.append(f"{printable(submission.owner.name)} has the id {student}")
        entry = _take(course, lab, student, submission, imported)
        before = earlier.get(student)
        if before and before.lms and not entry.lms:  # somebody handed it in by hand: its owner stays the LMS's
            entry = replace(entry, name=before.name, lms=before.lms, lms_id=before.lms_id)
        record[student] = entry
    write_record(course, lab, record)
    return imported


def _first(sentences: list[str]) -> list[str]:
    more = len(sentences) - MAX_SENTENCES
    return sentences if more <= 0 else [*sentences[:MAX_SENTENCES], f"and {more} more like it"]


def _take(course: Course, lab: Lab, student: str, submission: Submission, imported: Imported) -> ImportedFile:
    owner, target = submission.owner, course.submitted(student, lab)
    try:
        choice = choose(submission, lab.name)
    except HandInError as error:
        imported.refused[student] = str(error)
        # An earlier hand-in must not stand in for this one.
        _clear(target.parent, None)
        first = submission.claims[0]
        path = "/".join(first.member.path)
        return ImportedFile(owner.name, owner.lms, owner.lms_id, path, "", first.time, owner.late, str(error))
    _clear(target.parent, target)
    _write(target, choice.content)
    imported.taken.append(student)
    if choice.note:
        imported.notes.append(f"{student}: {choice.note}")
    path, digest = "/".join(choice.claim.member.path), hashlib.sha256(choice.content).hexdigest()
    return ImportedFile(owner.name, owner.lms, owner.lms_id, path, digest, choice.claim.time, owner.late)


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(".draft")
    with draft.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(target)


def _clear(folder: Path, keep: Path | None) -> None:
    """Remove what lies in a student's folder for this lab: it belongs to an earlier hand-in."""
    if folder.is_symlink():
        folder.unlink()
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry != keep:
            entry.unlink()
