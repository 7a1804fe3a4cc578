"""Choose the notebook among all that a student handed in."""

from __future__ import annotations

import io
from dataclasses import dataclass

from autograder.handin import HandInError
from autograder.intake import zips
from autograder.intake.layouts import Claim, Submission, is_hand_in, is_named_for
from autograder.intake.members import printable

MAX_INNER_DIRECTORY = 2**20  # bytes of the table of contents of a zip that a student made


@dataclass(frozen=True)
class Choice:
    """The notebook that counts; `note` tells which, when there were several."""

    claim: Claim
    content: bytes
    note: str


def choose(submission: Submission, lab: str) -> Choice:
    """Read the notebook of `lab`: the one that is named for it, else the newest; out of a zip if it is in one.

    Raises
    ------
    HandInError
        There is none, or it cannot be read; the message is the reason that student and marker see.
    """
    suitable = [claim for claim in submission.claims if _is_suitable(claim, lab)]
    if not suitable:
        raise HandInError(_why_none(submission, lab))
    best, note = _best(suitable, lab)
    content = best.member.read()
    if not content.startswith(zips.START):  # what is in it counts, not how it is called
        return Choice(best, content, note)
    content, inner_note = _unzipped(content, best, lab)
    return Choice(best, content, note or inner_note)


def _is_suitable(claim: Claim, lab: str) -> bool:
    if claim.member.is_folder or not is_hand_in(claim.file):
        return False
    # In an LMS the assignment says which lab it is. A plain folder may hold every lab of a student.
    return bool(claim.owner.lms) or len(claim.member.path) == 1 or is_named_for(lab, claim.file)


def _best(claims: list[Claim], lab: str) -> tuple[Claim, str]:
    def kind(claim: Claim) -> tuple[bool, bool]:
        return is_named_for(lab, claim.file), claim.file.lower().endswith(".ipynb")

    ordered = sorted(claims, key=lambda claim: (*kind(claim), claim.order, claim.time, claim.member.path))
    best = ordered[-1]
    if len(ordered) == 1:
        return best, ""
    newest = ", the newest" if kind(ordered[-2]) == kind(best) else ""
    return best, f"{len(ordered)} files handed in, of which {printable(best.file)}{newest}, counts"


def _why_none(submission: Submission, lab: str) -> str:
    top = [claim.member for claim in submission.claims if len(claim.member.path) == 1 and claim.member.problem]
    files = [claim for claim in submission.claims if not claim.member.is_folder]
    if top:
        return top[0].problem
    if not submission.owner.lms:
        return f"there is no {lab}.ipynb"
    return f"no notebook among the files handed in ({len(files)})" if files else "no file was handed in"


def _unzipped(content: bytes, claim: Claim, lab: str) -> tuple[bytes, str]:
    members = zips.zip_listing(io.BytesIO(content), MAX_INNER_DIRECTORY).members
    notebooks = [
        Claim(claim.owner, member, member.name, member.time)
        for member in members
        if member.name.lower().endswith(".ipynb") and not member.is_folder
    ]
    if not notebooks:
        raise HandInError("its zip file holds no notebook")
    best, note = _best(notebooks, lab)
    inner = best.member.read()
    if inner.startswith(zips.START):
        raise HandInError("a zip file inside a zip file")
    return inner, note
