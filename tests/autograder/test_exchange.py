"""What lies in the exchange under a student's name is collected only if that student put it there."""

from __future__ import annotations

import getpass
import logging
import os
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
from nbgrader.coursedir import CourseDirectory
from traitlets.config.loader import PyFileConfigLoader
from traitlets.utils.importstring import import_item

from autograder import bridge, exchange
from autograder.course import Course, environment
from autograder.exchange import SET_ASIDE, Collect
from autograder.master import Lab

from .conftest import ROOT

ME, WHEN = getpass.getuser(), "2026-11-23 10:00:00.000000 UTC"
LATER = "2026-11-24 10:00:00.000000 UTC"


@pytest.fixture
def course(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    monkeypatch.setenv("PATH", environment()["PATH"])
    course = Course(repository)
    course.folder.mkdir()
    return course


def _put(course: Course, lab: Lab, student: str, when: str = WHEN) -> Path:
    """A hand-in by this account, under some student's name."""
    folder = course.folder / "exchange" / course.course_id / "inbound" / f"{student}+{lab.name}+{when}+x"
    folder.mkdir(parents=True)
    (folder / f"{lab.name}.ipynb").write_text(bridge.to_text(bridge.release_notebook(lab)), encoding="utf-8")
    (folder / "timestamp.txt").write_text(when)
    return folder


def _collect(course: Course, lab: Lab) -> tuple[list[str], list[str]]:
    """Who has a hand-in in the course now, and what was said."""
    said: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: said.append(record.getMessage())
    log = logging.Logger("collect")
    log.addHandler(handler)
    config = deepcopy(course.config)
    config.CourseDirectory.assignment_id = lab.name
    collect = Collect(coursedir=CourseDirectory(config=config, log=log), config=config, log=log)
    collect.init_src()
    collect.copy_files()
    return course.students(lab), said


def test_the_config_collects_this_way() -> None:
    config = PyFileConfigLoader("nbgrader_config.py", path=str(ROOT)).load_config()
    assert import_item(config.ExchangeFactory.collect) is Collect


def test_what_somebody_else_handed_in_is_set_aside(course: Course, tiny: Lab) -> None:
    _put(course, tiny, ME)
    forged = _put(course, tiny, "victim")
    found, said = _collect(course, tiny)
    assert found == [ME]
    assert said == [f"{forged.name} was set aside: {ME} handed it in"]
    assert [path.name.startswith(SET_ASIDE) for path in forged.parent.glob(f".*+{forged.name}")] == [True]
    assert _collect(course, tiny) == ([ME], [])


def test_no_name_that_a_student_takes_ends_the_collection(course: Course, tiny: Lab) -> None:
    inbound = _put(course, tiny, ME).parent
    forged = inbound / f"victim+{tiny.name}+{WHEN}+".ljust(255, "x")
    forged.mkdir()
    (inbound / f"{SET_ASIDE}{forged.name}"[:255] / "taken").mkdir(parents=True)
    found, said = _collect(course, tiny)
    assert (found, said) == ([ME], [f"{forged.name} was set aside: {ME} handed it in"])
    assert not forged.exists()


def test_what_cannot_be_set_aside_is_left_out(course: Course, tiny: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    _put(course, tiny, ME)
    forged = _put(course, tiny, "victim")

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(exchange.os, "rename", refuse)
    found, said = _collect(course, tiny)
    sentence = "is left out, and cannot be set aside (Operation not permitted)"
    assert (found, said) == ([ME], [f"{forged.name} {sentence}: {ME} handed it in"])


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "data")


def _link(folder: Path) -> None:
    (folder / "data").symlink_to("/etc/passwd")


def _linked_folder(folder: Path) -> None:
    (folder / "data").symlink_to("/etc")


def _no_time(folder: Path) -> None:
    (folder / "timestamp.txt").write_text("soon")


def _large(folder: Path) -> None:
    (folder / "data").write_bytes(bytes(200_000))


NO_FILE = "data is no regular file that can be read"
FAULTS = [
    (_pipe, LATER, NO_FILE),
    (_link, LATER, NO_FILE),
    (_linked_folder, LATER, NO_FILE),
    (_no_time, LATER, "the time in its name or in its timestamp.txt cannot be read"),
    (lambda folder: None, "soon", "the time in its name or in its timestamp.txt cannot be read"),
    (_large, LATER, "it has more than 100,000 bytes"),
]


@pytest.mark.parametrize(("make", "when", "fault"), FAULTS)
def test_what_cannot_be_copied_costs_no_other_hand_in(
    course: Course, tiny: Lab, make: Callable[[Path], None], when: str, fault: str
) -> None:
    course.config.CourseDirectory.max_dir_size = 100
    odd = _put(course, tiny, ME, when)
    make(odd)
    _put(course, tiny, ME)
    found, said = _collect(course, tiny)
    assert found == [ME]
    assert said == [f"{odd.name} was set aside: {fault}"]
    assert (course.folder / "submitted" / ME / tiny.name / "timestamp.txt").read_text() == WHEN


def test_a_hand_in_that_nobody_may_read_costs_no_other(
    course: Course, tiny: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = _put(course, tiny, ME, LATER)
    _put(course, tiny, ME)
    may = os.access
    monkeypatch.setattr(exchange.os, "access", lambda path, mode: path != closed and may(path, mode))
    found, said = _collect(course, tiny)
    assert (found, said) == ([ME], [f"{closed.name} was set aside: {closed.name} is no regular file that can be read"])


def test_a_link_in_place_of_a_hand_in_is_set_aside(course: Course, tiny: Lab, tmp_path: Path) -> None:
    inbound = _put(course, tiny, ME).parent
    (inbound / f"other+{tiny.name}+{WHEN}+y").symlink_to(tmp_path)
    found, said = _collect(course, tiny)
    assert (found, len(said)) == ([ME], 1)
    assert said[0].endswith("was set aside: it is no folder")


def test_accounts_need_not_be_students_names(course: Course, tiny: Lab) -> None:
    course.config.ExchangeCollect.check_owner = False
    _put(course, tiny, "somebody")
    assert _collect(course, tiny) == (["somebody"], [])
