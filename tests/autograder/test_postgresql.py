"""A gradebook on a PostgreSQL server holds what one in a file does."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autograder import bridge, demo, gradebook
from autograder.course import Course
from autograder.grade import Options, grade_class
from autograder.gradebook import Mark
from autograder.master import Lab

from . import plain_judge
from .conftest import WRONG

pytestmark = pytest.mark.slow

PLAIN = Options(judge=plain_judge.NAME, sandbox="none", workers=1)


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of an empty database on a server of its own."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name  # the server refuses to be root
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.getuid() == 0:
            shutil.chown(folder, user)
        data, log = str(folder / "data"), str(folder / "log")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        _run(user, [programs / "initdb", "-D", data, "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"])
        _run(user, [programs / "pg_ctl", "-D", data, "-l", log, "-w", "-o", options, "start"])
        try:
            yield f"postgresql+psycopg://{user}@/postgres?host={folder}"
        finally:
            _run(user, [programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"])


def _run(user: str, command: list) -> None:
    as_user = {"user": user} if os.getuid() == 0 else {}
    subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, **as_user)


def test_a_class_is_graded_into_postgresql(
    repository: Path, tiny: Lab, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADLS_DB_URL", server)
    folder = repository / "handins"
    folder.mkdir()
    right = {"double": "def double(x):\n    return x + x", "area": "def area(r):\n    return math.pi * r**2"}
    for student, answers in {"ann": right, "bob": right | {"double": WRONG["double__squares"]}}.items():
        (folder / f"{student}.ipynb").write_text(bridge.to_text(demo.answered(tiny, answers)))
    graded = grade_class(repository, tiny, folder, PLAIN)
    assert {one.student: one.total for one in graded.result.students} == {"ann": 50, "bob": 30}
    assert [path.name for path in (repository / "course").glob("*.db")] == []
    with Course(repository).gradebook() as book:
        assert book.engine.dialect.name == "postgresql"
        bob = gradebook.entries(book, tiny.name)["bob"]
        assert bob.marks["test_double"] == Mark(0.0, None, None, False)
    before = (repository / "course" / "autograded" / "bob").stat().st_mtime_ns
    assert grade_class(repository, tiny, None, replace(PLAIN, workers=2)).result.students == graded.result.students
    assert (repository / "course" / "autograded" / "bob").stat().st_mtime_ns == before
