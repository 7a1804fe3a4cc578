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

from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default import ExchangeCollect

SET_ASIDE = ".set-aside-"


class Collect(ExchangeCollect):
    """nbgrader's collection, before which hand-ins that are not what they say are set aside in the exchange."""

    def init_src(self):
        course = cast(CourseDirectory, self.coursedir)
        inbound = escape(os.path.join(self.root, course.course_id, "inbound"))
        student = course.student_id
        student = escape(student) if student and student != "*" else "*"
        pattern = f"{inbound}/{student}+{escape(course.assignment_id)}+*"
        for folder in map(Path, sorted(glob(pattern))):
            fault = self._fault(folder)
            if fault:
                os.rename(folder, folder.with_name(f"{SET_ASIDE}{folder.name}"))
                self.log.error("%s was set aside: %s", folder.name, fault)
        super().init_src()

    def _fault(self, folder: Path) -> str:
        """Why a hand-in must not be collected, or an empty string."""
        if folder.is_symlink() or not folder.is_dir():
            return "it is no folder"
        student = folder.name.rsplit("+", 3)[0]
        owner = _owner(folder)
        if self.check_owner and owner != student:
            return f"{owner} handed it in"
        try:
            odd = [path.name for path in sorted(folder.rglob("*")) if not _plain(path)]
        except OSError as error:
            return f"it cannot be read ({error.strerror})"
        return f"{odd[0]} is no regular file that can be read" if odd else ""


def _owner(path: Path) -> str:
    number = path.stat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _plain(path: Path) -> bool:
    mode = path.lstat().st_mode
    wanted = os.R_OK | os.X_OK if stat.S_ISDIR(mode) else os.R_OK
    return (stat.S_ISDIR(mode) or stat.S_ISREG(mode)) and os.access(path, wanted)
