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

from autograder import bridge
from autograder.course import Course, environment
from autograder.exchange import SET_ASIDE, Collect
from autograder.master import Lab

from .conftest import ROOT

ME, WHEN = getpass.getuser(), "2026-11-23 10:00:00.000000 UTC"


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
    assert forged.with_name(f"{SET_ASIDE}{forged.name}").is_dir()
    assert _collect(course, tiny) == ([ME], [])


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "data")


def _link(folder: Path) -> None:
    (folder / "data").symlink_to("/etc/passwd")


def _linked_folder(folder: Path) -> None:
    (folder / "data").symlink_to("/etc")


@pytest.mark.parametrize("make", [_pipe, _link, _linked_folder])
def test_a_file_that_cannot_be_copied_costs_no_other_hand_in(
    course: Course, tiny: Lab, make: Callable[[Path], None]
) -> None:
    odd = _put(course, tiny, ME, "2026-11-24 10:00:00.000000 UTC")
    make(odd)
    _put(course, tiny, ME)
    found, said = _collect(course, tiny)
    assert found == [ME]
    assert said == [f"{odd.name} was set aside: data is no regular file that can be read"]
    assert (course.folder / "submitted" / ME / tiny.name / "timestamp.txt").read_text() == WHEN


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
