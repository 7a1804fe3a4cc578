"""A sandbox of each kind for each sort of person who may start one; each is started once."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import Harness, python_of

BACKENDS = ("bubblewrap", "unshare")
OTHER_USER = 12345
# A container's root has every privilege in its container and none outside.
STARTERS = ("root", "user", "container") if os.geteuid() == 0 else ("user",)


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, as no folder of pytest's own."""
    with tempfile.TemporaryDirectory(prefix="sandbox-tests-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def pythons(open_folder: Path) -> dict[str, list[str]]:
    """The commands that run Python as the person of each sort."""
    if os.geteuid() != 0:
        return {"user": [sys.executable]}
    user = python_of(OTHER_USER, open_folder / "environment")
    if user is None:
        return {"root": [sys.executable]}
    become, python = user[:-1], user[-1]
    contained = [*become, "unshare", "--user", "--map-root-user", python]
    return {"root": [sys.executable], "user": user, "container": contained}


def _open(kind: str, starter: str, pythons: dict[str, list[str]], folder: Path) -> Iterator[Harness]:
    if starter not in pythons:
        pytest.skip("no Python here that another user may run")
    assets = folder / f"{kind}-{starter}" / "assets"
    assets.mkdir(parents=True, exist_ok=True)
    (assets / "given.txt").write_text("given")
    harness = Harness(kind, pythons[starter], assets.parent)
    yield harness
    harness.close()


@pytest.fixture(scope="session", params=[f"{kind}-{starter}" for kind in BACKENDS for starter in STARTERS])
def harness(request: pytest.FixtureRequest, pythons: dict[str, list[str]], open_folder: Path) -> Iterator[Harness]:
    """A sandbox that isolates."""
    yield from _open(*request.param.split("-"), pythons, open_folder)


@pytest.fixture(scope="session")
def unisolated(pythons: dict[str, list[str]], open_folder: Path) -> Iterator[Harness]:
    """A sandbox of the kind ``none``."""
    yield from _open("none", STARTERS[0], pythons, open_folder)
