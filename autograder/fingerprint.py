"""What a verdict follows from, as hashes: the same hand-in, judged by the same judge, has the same verdict."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import lablib
from autograder.master import Lab
from autograder.verdict import Job

_AUTOGRADER = Path(__file__).parent
JUDGING = (
    "inside", "judge", "sandbox", "bridge.py", "dependencies.py", "judging.py", "master.py", "master_cells.py",
    "outcomes.py", "verdict.py", "withholding.py",
)  # fmt: skip
"""Of autograder: what can change a verdict."""
LOCK = _AUTOGRADER.parent / "requirements.lock"


@dataclass(frozen=True)
class Key:
    """Names a hand-in's verdict, and what each of its outcomes was judged by.

    A test's own source is kept apart from everything else, so that a corrected test leaves the outcomes of all
    others as they are.

    Attributes
    ----------
    hand_in : str
        Hash of answers, setup, assets, lablib, judge, versions and the term's secret.
    tests : dict of str to str
        Hash of each test cell's source, by id.
    """

    hand_in: str
    tests: dict[str, str]


def key(job: Job, lab: Lab, surroundings: str) -> Key:
    """Key of one hand-in's verdict; `surroundings` are the lab's, which hold for the whole class."""
    hand_in = digest([surroundings, job.lab, job.answers, job.sandbox, job.seed_key])
    return Key(hand_in, {cell.id: digest(cell.source) for cell in lab.test_cells})


def surroundings(lab: Lab) -> str:
    """Hash of everything but answers and tests: the lab's other code, its assets, lablib, the judge, versions."""
    code = [(cell.id, cell.role, cell.source) for cell in lab.cells if cell.kind == "code" and cell.role != "test"]
    locked = re.findall(r"^([\w.-]+)==", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    versions = {name: _version(name) for name in locked} | {"python": platform.python_version()}
    judging = [path for name in JUDGING for path in _files(_AUTOGRADER / name)]
    library = Path(lablib.__file__).parent
    assets = lab.path.parent / "assets"
    return digest(
        [
            code,
            lab.withheld,
            versions,
            _contents(_AUTOGRADER, judging),
            _contents(library, _files(library)),
            _contents(assets, _files(assets)),
        ]
    )


def of_lab(lab: Lab) -> str:
    """Hash of all that a worker must have in common with the process that grades: the lab's tests too."""
    return digest([surroundings(lab), [(cell.id, cell.source) for cell in lab.test_cells]])


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)


def _contents(folder: Path, files: Iterable[Path]) -> list[tuple[str, str]]:
    return [(str(file.relative_to(folder)), hashlib.sha256(file.read_bytes()).hexdigest()) for file in files]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def digest(value: Any) -> str:
    """Hash of plain data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
