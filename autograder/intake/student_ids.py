"""Student ids: safe in paths, globs and tables, one for each student, the same at every import."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from autograder.intake.layouts import Owner

STUDENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_LONGEST = 64


def student_id(name: str) -> str:
    """Reduce a name to an id of letters, digits and `_ . @ -`; a name without any gets its hash.

    Examples
    --------
    >>> student_id("../Zoë (late)")
    'Zoe_late'
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    cleaned = re.sub(r"[^A-Za-z0-9_.@-]+", "_", plain)
    cleaned = re.sub(r"^[^A-Za-z0-9]+", "", cleaned)[:60]
    return re.sub(r"[^A-Za-z0-9]+$", "", cleaned) or f"student-{_hash(name)}"


def assign(owners: Sequence[Owner], recorded: Mapping[str, Owner]) -> list[str]:
    """Give each owner a student id that no other has, not even in other case.

    Parameters
    ----------
    owners : sequence of Owner
        Of one import, in an order that the next import of the same repeats.
    recorded : mapping of str to Owner
        Students of earlier imports, who keep their ids.
    """
    known: dict[tuple[str, str], list[str]] = {}
    for student, owner in recorded.items():
        known.setdefault(owner.key, []).append(student)
    wanted = [student_id(owner.label) for owner in owners]
    namesakes = Counter(student.casefold() for student in wanted)
    taken = {student.casefold() for student in recorded}
    present = {owner.key for owner in owners}
    absent = {student for student, owner in recorded.items() if owner.key not in present}
    assigned: list[str] = []
    for owner, want in zip(owners, wanted, strict=True):
        if known.get(owner.key):
            student = known[owner.key].pop(0)
        elif not owner.lms and owner.name in absent and owner.name not in assigned:
            student = owner.name  # a file that somebody named for a student of the LMS
        else:
            shared = namesakes[want.casefold()] > 1 or want.casefold() in taken
            student = _unused(_joined(want, student_id(owner.lms_id)) if shared and owner.lms_id else want, taken)
        taken.add(student.casefold())
        assigned.append(student)
    return assigned


def _unused(student: str, taken: set[str]) -> str:
    candidate, number = student, 1
    while candidate.casefold() in taken:
        number += 1
        candidate = _joined(student, str(number))
    return candidate


def _joined(student: str, suffix: str) -> str:
    suffix = f"-{suffix}"[-_LONGEST // 2 :]
    return student[: _LONGEST - len(suffix)] + suffix


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
