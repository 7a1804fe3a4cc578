"""The commands of docs/grade-a-class.md, run as they stand, in the order of a term; only the lab is a smaller one."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from autograder import bridge, demo
from autograder.course import Course, environment
from autograder.exchange import SET_ASIDE
from autograder.intake.record import ImportedFile, read_record, write_record
from autograder.master import Lab
from tests.browser.hub import FILES_OF_MAKE

from .conftest import ROOT

pytestmark = pytest.mark.slow

GUIDE = (ROOT / "docs" / "grade-a-class.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"<!-- ([a-z]+) -->\n+```sh\n(.*?)```", GUIDE, re.DOTALL))
RIGHT = {"double": "def double(x):\n    return 2 * x", "area": "def area(radius):\n    return math.pi * radius**2"}
CLASS = {"ada": RIGHT, "bob": RIGHT | {"double": "def double(x):\n    return 3 * x"}}


@pytest.fixture
def term(repository: Path, tiny: Lab) -> Path:
    """A repository at the start of a term. One account hands in for everybody, which a hub's collection refuses."""
    for name in ("Makefile", *FILES_OF_MAKE):
        shutil.copy(ROOT / name, repository)
    for name in ("autograder", "lablib"):
        (repository / name).symlink_to(ROOT / name)
    with (repository / "nbgrader_config.py").open("a", encoding="utf-8") as config:
        config.write("c.ExchangeCollect.check_owner = False\n")
    (repository / ".venv").symlink_to(sys.prefix)
    (repository / "labs").mkdir()
    (repository / "README.md").touch()
    _run(repository, "make labs\nmkdir -p course/exchange")
    return repository


def _run(root: Path, commands: str) -> str:
    commands = commands.replace("lab06_triton_kernels", "lab90_tiny")
    given = environment() | {"MAKEFLAGS": "READY=Makefile"}  # all is installed
    words = ["bash", "-euo", "pipefail", "-c", commands]
    done = subprocess.run(words, cwd=root, env=given, capture_output=True, text=True)
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _hand_in(root: Path, lab: Lab, student: str, answers: dict[str, str], when: str) -> None:
    folder = root / "course" / "exchange" / "adls" / "inbound" / f"{student}+{lab.name}+{when}+x"
    folder.mkdir()
    (folder / f"{lab.name}.ipynb").write_text(bridge.to_text(demo.answered(lab, answers)), encoding="utf-8")
    (folder / "timestamp.txt").write_text(when)
    (folder / "submission_secret.txt").write_text(student)


def _totals(root: Path) -> dict[str, str]:
    with (root / "course" / "lab90_tiny.csv").open(encoding="utf-8") as rows:
        return {row["student"]: row["total"] for row in csv.DictReader(rows)}


def test_a_term(term: Path, tiny: Lab) -> None:
    course = term / "course"
    release, collect = re.split(r"(?=nbgrader collect)", BLOCKS["lab"])
    _run(term, release)
    for student, answers in CLASS.items():
        _hand_in(term, tiny, student, answers, "2026-11-30 12:00:00.000000 UTC")
    _run(term, collect)
    assert _totals(term) == {"ada": "50", "bob": "30"}
    assert len(list((course / "exchange" / "adls" / "feedback").glob("*.html"))) == 2

    _run(term, BLOCKS["again"])
    for student in CLASS:
        _hand_in(term, tiny, student, {}, "2026-12-01 12:00:00.000000 UTC")  # both too late, one with an extension
    _run(term, BLOCKS["extension"])
    assert _totals(term) == {"ada": "0", "bob": "30"}

    assert {"ada", "bob"} <= set(_run(term, BLOCKS["viva"]).split())
    assert sorted(page.name for page in (course / "viva" / "lab90_tiny").iterdir()) == ["ada.html", "bob.html"]
    _run(term, BLOCKS["marks"])
    assert (course / "lab90_tiny.canvas.csv").is_file()
    with (course / "grades.csv").open(encoding="utf-8") as rows:
        late = {row["student_id"]: row["timestamp"] > row["duedate"] for row in csv.DictReader(rows)}
    assert late == {"ada": True, "bob": False}

    refused = ImportedFile("ada", "moodle", "7", "ada_7", "", "", None, "no file was handed in")
    write_record(Course(term), tiny, {"ada": refused, "bob": replace(refused, name="bob", refused="")})
    inbound = course / "exchange" / "adls" / "inbound"
    shutil.copytree(next(inbound.glob("ada+*")), inbound / f"{SET_ASIDE}0+ada+{tiny.name}+soon+x")
    again = "make grade LAB=lab06_triton_kernels\nnbgrader release_feedback lab06_triton_kernels\n"
    _run(term, BLOCKS["student"] + again + BLOCKS["marks"])
    assert _totals(term) == {"bob": "30"}
    assert len(list((course / "exchange" / "adls" / "feedback").glob("*.html"))) == 1
    assert set(read_record(Course(term), tiny)) == {"bob"}
    log = [json.loads(line)["student"] for line in (course / "scores.jsonl").read_text().splitlines()]
    assert set(log) == {"bob"}
    named = subprocess.run(["grep", "-rlw", "ada", "course"], cwd=term, capture_output=True)
    assert named.stdout.decode().split() == []
    assert [path for path in course.rglob("*") if re.search(r"\bada\b", path.name)] == []

    _run(term, BLOCKS["end"])
    assert not course.exists()
    assert os.path.getsize(term / "adls-2026.tar.gz") > 10_000


def test_every_block_is_run_here() -> None:
    assert set(BLOCKS) == {"lab", "again", "extension", "viva", "marks", "student", "end"}
    assert GUIDE.count("```sh") == len(BLOCKS)
