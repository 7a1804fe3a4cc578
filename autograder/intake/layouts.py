"""Whose a file is, as its name says: the names that Moodle, Canvas, Gradescope and people give to hand-ins."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from autograder.intake import gradescope
from autograder.intake.members import NOT_REGULAR, Listing, Member, printable

_MOODLE = re.compile(r"(?P<name>[^_]*)(?:_(?P<id>[0-9]{1,20}))?_assignsubmission_[a-z]+(?:_(?P<file>.*))?", re.DOTALL)
_CANVAS = re.compile(
    r"(?:(?P<name>.*?)_)??(?P<late>LATE_)?(?P<id>[0-9]{1,20}|anon_[0-9A-Za-z]{5})_"
    r"(?:(?P<attachment>[0-9]{1,20})_(?P<file>.+)|(?:text|link)\.html)",
    re.DOTALL,
)
_IDS = re.compile(r"_[0-9]+_[0-9]+_")


@dataclass(frozen=True)
class Owner:
    """The student or group that handed a file in.

    Attributes
    ----------
    name : str
        As the source writes it.
    lms : str
        "canvas", "gradescope", "moodle", or "" where a file or folder is simply named for its student.
    lms_id : str
        What the LMS joins grades on: Canvas's user number, the number in Moodle's `Participant 123`, Gradescope's
        student number or email address.
    late : bool or None
        Whether it came after the due date, as far as the name says.
    """

    name: str
    lms: str = ""
    lms_id: str = ""
    late: bool | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What tells this student from every other of the same source."""
        return self.lms, self.lms_id or self.name

    @property
    def label(self) -> str:
        """What a student id is made of.

        Canvas's numbers stay the same from lab to lab. Moodle's do not: each assignment numbers its participants
        anew, so only the name joins two labs.
        """
        if self.lms == "gradescope":
            return self.lms_id or self.name
        return f"{self.name}-{self.lms_id}".strip("-") if self.lms == "canvas" else self.name


@dataclass(frozen=True)
class Claim:
    """A member, and whose it is.

    Attributes
    ----------
    file : str
        What the student called it.
    time : str
        When it was handed in or last changed, as far as the source tells.
    order : tuple of int
        Greater is newer, and comes before `time`.
    """

    owner: Owner
    member: Member
    file: str
    time: str
    order: tuple[int, ...] = ()


@dataclass(frozen=True)
class Submission:
    """Everything that one student handed in."""

    owner: Owner
    claims: list[Claim]


Layout = Callable[[Member], list[Claim]]


def submissions(listing: Listing, lab: str) -> tuple[list[Submission], list[str]]:
    """Sort what was handed in by student; also return a sentence for each notebook that is nobody's.

    Raises
    ------
    HandInError
        Gradescope's metadata is there but cannot be read.
    """
    members = _without_root(listing.members, lab)
    metadata = gradescope.find_metadata(members)
    if metadata is None:
        layout, notes = _layout(members), []
    else:
        layout, notes = gradescope_export(metadata), gradescope.groups(metadata)
        # A folder that the export lacks is a submission all the same: one without files.
        members += [Member((folder,), is_folder=True) for folder in metadata]
    by_student: dict[object, Submission] = {}
    for member in members:
        claims = layout(member)
        for claim in claims:
            # Two entries that are simply named alike may be of two students: none replaces the other.
            key = claim.owner.key if claim.owner.lms else member.path[0]
            by_student.setdefault(key, Submission(claim.owner, [])).claims.append(claim)
        if not claims and len(member.path) == 1 and is_hand_in(member.name):
            notes.append(f"{printable(member.name)}: not taken, it is not named as the other hand-ins are")
    return list(by_student.values()), notes


def is_hand_in(name: str) -> bool:
    """Whether a file's name is that of a notebook or a zip."""
    return PurePosixPath(name).suffix.lower() in (".ipynb", ".zip")


def is_named_for(lab: str, file: str) -> bool:
    """Whether `file` is called like the lab, perhaps as a browser, Canvas or Jupyter names a copy.

    Examples
    --------
    >>> [is_named_for("lab06", name) for name in ("lab06.ipynb", "Lab06-2.ipynb", "lab06 (1).zip", "lab07.ipynb")]
    [True, True, True, False]
    """
    copy = r"(-\d+|[ _]?\(\d+\)|[-_]copy\d*)?"
    return bool(re.fullmatch(re.escape(lab) + copy, PurePosixPath(file).stem, re.IGNORECASE))


def named(member: Member) -> list[Claim]:
    """`<student>.ipynb`, `<student>.zip`, or anything in a folder `<student>/`."""
    top = member.path[0]
    if len(member.path) == 1 and not member.is_folder and is_hand_in(top):
        return [Claim(Owner(PurePosixPath(top).stem), member, top, member.time)]
    # A link or pipe stands where a student's folder would.
    is_students = len(member.path) > 1 or member.is_folder or member.problem == NOT_REGULAR
    return [Claim(Owner(top), member, member.name, member.time)] if is_students else []


def moodle(member: Member) -> list[Claim]:
    """What Moodle's *Download all submissions* makes.

    `Full Name_1234567_assignsubmission_file/lab.ipynb`, in older versions with another `_` at the folder's end, or
    `Full Name_1234567_assignsubmission_file_lab.ipynb` without *Download submissions in folders*. Moodle takes
    every `_` out of the name first. The number is that of `Participant 1234567` in the grading worksheet. With blind
    marking the name is `Participant`; a group has its name and number. (`mod/assign/classes/downloader.php`)
    """
    match = _MOODLE.fullmatch(member.path[0])
    if not match:
        return []
    file = member.name if len(member.path) > 1 else match["file"] or ""
    return [Claim(Owner(match["name"], "moodle", match["id"] or ""), member, file, member.time)]


def canvas(member: Member) -> list[Claim]:
    """What Canvas's *Download Submissions* makes: one folder of `lastnamefirst_LATE_12345_678901_lab.ipynb`.

    `LATE_` stands only in late ones. The numbers are those of the user and of the attachment, which grow with time.
    A file that the student has in Canvas already is called `lab-1.ipynb`, `lab-2.ipynb` there. With anonymous
    marking it begins with `anon_` and five characters; text entries end in `_12345_text.html`. The archive's times
    are those of the download. (`lib/content_zipper.rb`)
    """
    match = _CANVAS.fullmatch(member.path[0]) if len(member.path) == 1 else None
    if not match:
        return []
    owner = Owner(match["name"] or "", "canvas", match["id"], late=bool(match["late"]))
    file = match["file"] or ""
    # A student who may change the name that Canvas shows could put another's number into it. The real numbers then
    # follow in what looks like the file's name; such a file stands behind every other.
    order = (0 if _IDS.search(f"_{file}") else 1, int(match["attachment"] or 0))
    return [Claim(owner, member, file, member.time, order)]


def gradescope_export(metadata: dict[str, dict]) -> Layout:
    """What Gradescope's *Export Submissions* makes: `submission_123456/lab.ipynb` beside a metadata file.

    The metadata has, by folder, `:submitters:` with `:name:`, `:sid:` and `:email:`, and `:created_at:`. A group's
    folder counts for each of its members. Gradescope does not document it; these are the fields that public tools
    for such exports read.
    """

    def layout(member: Member) -> list[Claim]:
        submission = metadata.get(member.path[0])
        if submission is None:
            return []
        time = gradescope.created(submission) or member.time
        people = list(gradescope.submitters(submission)) or [(member.path[0], "")]
        return [Claim(Owner(name, "gradescope", number), member, member.name, time) for name, number in people]

    return layout


def _layout(members: list[Member]) -> Layout:
    tops = {member.path[0]: member for member in members}.values()
    for layout in (moodle, canvas):
        # Most of them decide: no single file of a student's can make the class look like something else.
        others = [member for member in tops if not layout(member) and named(member)]
        if sum(bool(layout(member)) for member in tops) > len(others):
            return layout
    return named


def _without_root(members: list[Member], lab: str) -> list[Member]:
    """Take off the one folder that everything is in, unless that is a student's folder."""
    tops = {member.path[0] for member in members}
    inside = {member.path[1] for member in members if len(member.path) > 1}
    is_root = len(tops) == 1 and len(inside) > 1 and not _MOODLE.fullmatch(min(tops))
    if not is_root or any(is_named_for(lab, name) for name in inside):
        return list(members)
    return [replace(member, path=member.path[1:]) for member in members if len(member.path) > 1]
