"""The list of engines is what the extra installs and what the lock holds, and each engine can be tried out."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from lablib.hls.engines import ENGINES, GXX, Package, Program, require_all
from lablib.hls.errors import EngineMissing

PACKAGES = [engine for engine in ENGINES if isinstance(engine, Package)]


def test_the_extra_and_the_lock_hold_every_package(repository: Path) -> None:
    extra = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]["hls"]
    assert sorted(re.match(r"[\w-]+", line)[0] for line in extra) == sorted(one.distribution for one in PACKAGES)  # type: ignore[index]
    lock = dict(re.findall(r"^([\w.-]+)==(\S+)", (repository / "requirements.lock").read_text(), re.MULTILINE))
    for line in extra:
        name, least = line.split(">=")
        assert _numbers(lock[name]) >= _numbers(least), f"{line}, but the lock has {lock[name]}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


@pytest.mark.parametrize("engine", ENGINES, ids=[engine.name for engine in ENGINES])
def test_each_engine_works_here(engine: Package | Program) -> None:
    assert engine.fault() == ""


def test_a_package_that_is_broken_is_told_from_one_that_is_missing() -> None:
    assert Package("not_there", "nothing", "fly").fault() == "not installed"
    broken = Package("json", "nothing", "fly", trial="import json.wings")
    assert broken.fault() == "installed, but does not work: ModuleNotFoundError: No module named 'json.wings'"


def test_the_first_that_is_missing_is_named() -> None:
    missing = Program("not-there", "nowhere", "fly")
    with pytest.raises(EngineMissing, match=r"^not-there is not in PATH, so nothing here can fly: run apt-get install"):
        require_all(GXX, missing)
    with pytest.raises(EngineMissing, match=r"can fly: grow wings\.$"):
        Program("not-there", "", "fly", "grow wings").require()
