"""Collect hand-ins from nbgrader's exchange, to which every student's account may write.

nbgrader takes what somebody else handed in under a student's name, with a warning, and one file that it cannot copy
ends the collection for the whole class.
"""

from __future__ import annotations

import os
import pwd
import stat
from glob import escape, glob
from pathlib import Path
from typing import cast
from uuid import uuid4

from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default import ExchangeCollect
from nbgrader.utils import parse_utc

SET_ASIDE = ".set-aside-"
_LONGEST = 255  # bytes of a file's name


class Collect(ExchangeCollect):
    """nbgrader's collection, before which hand-ins that are not what they say are set aside in the exchange."""

    def init_src(self):
        course = cast(CourseDirectory, self.coursedir)
        inbound = escape(os.path.join(self.root, course.course_id, "inbound"))
        student = course.student_id
        student = escape(student) if student and student != "*" else "*"
        pattern = f"{inbound}/{student}+{escape(course.assignment_id)}+*"
        faults = {folder: self._fault(folder) for folder in map(Path, sorted(glob(pattern)))}
        left = {folder.name for folder, fault in faults.items() if fault and not self._set_aside(folder, fault)}
        super().init_src()
        self.src_records = [record for record in self.src_records if record["filename"] not in left]

    def _set_aside(self, folder: Path, fault: str) -> bool:
        """Rename a hand-in so that no collection finds it, to a name that nobody can have taken."""
        name = os.fsdecode(os.fsencode(f"{SET_ASIDE}{uuid4().hex}+{folder.name}")[:_LONGEST])
        try:
            os.rename(folder, folder.with_name(name))
        except OSError as error:
            self.log.error("%s is left out, and cannot be set aside (%s): %s", folder.name, error.strerror, fault)
            return False
        self.log.error("%s was set aside: %s", folder.name, fault)
        return True

    def _fault(self, folder: Path) -> str:
        """Why a hand-in must not be collected, or an empty string."""
        if folder.is_symlink() or not folder.is_dir():
            return "it is no folder"
        student = folder.name.rsplit("+", 3)[0]
        most = 1000 * cast(CourseDirectory, self.coursedir).max_dir_size
        try:
            owner = _owner(folder)
            if self.check_owner and owner != student:
                return f"{owner} handed it in"
            odd = [path.name for path in (folder, *sorted(folder.rglob("*"))) if not _plain(path)]
            if odd:
                return f"{odd[0]} is no regular file that can be read"
            if not _has_times(folder):
                return "the time in its name or in its timestamp.txt cannot be read"
            return f"it has more than {most:,} bytes" if self.get_size(folder) > most else ""
        except OSError as error:
            return f"it cannot be read ({error.strerror})"


def _owner(path: Path) -> str:
    number = path.stat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _has_times(folder: Path) -> bool:
    """Whether nbgrader can read the times of a hand-in, at which it would stop otherwise."""
    stamp = folder / "timestamp.txt"
    try:
        parse_utc(folder.name.rsplit("+", 3)[2])
        text = stamp.read_text().strip() if stamp.exists() else ""
        return not text or bool(parse_utc(text))
    except (ValueError, OverflowError, TypeError):
        return False


def _plain(path: Path) -> bool:
    mode = path.lstat().st_mode
    wanted = os.R_OK | os.X_OK if stat.S_ISDIR(mode) else os.R_OK
    return (stat.S_ISDIR(mode) or stat.S_ISREG(mode)) and os.access(path, wanted)
