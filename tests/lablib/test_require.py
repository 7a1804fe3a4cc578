"""What the setup cell of every lab is told when something is missing."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from pathlib import Path

import pytest

import lablib


@pytest.fixture
def no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def test_this_environment_suits() -> None:
    lablib.require(lablib.__version__)
    lablib.require("0.0.9")


@pytest.mark.parametrize("newer", ["0.1.1", "0.10.0", "1.0.0"])
def test_a_lablib_that_is_too_old(newer: str) -> None:
    with pytest.raises(RuntimeError, match=rf"needs lablib {newer} or newer, but 0\.1\.0 .*git pull.*make lab"):
        lablib.require(newer)


@pytest.mark.parametrize("nonsense", ["", "0.1.x", "latest"])
def test_a_version_that_is_none(nonsense: str) -> None:
    with pytest.raises(ValueError, match=f"but got {nonsense!r}"):
        lablib.require(nonsense)


@pytest.mark.parametrize("version", [(3, 10, 14), (3, 14, 0)])
def test_a_python_that_does_not_suit(version: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    found = ".".join(map(str, version))
    with pytest.raises(RuntimeError, match=rf"3\.11 or newer, below 3\.14, but this is Python {found}"):
        lablib.require("0.1.0")


def test_packages_that_are_missing(no_packages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    with pytest.raises(RuntimeError) as caught:
        lablib.require("0.1.0")
    assert f"`{sys.executable} -m pip install {' '.join(lablib.COMPUTING)}`" in str(caught.value)


def test_a_notebook_also_needs_the_packages_that_draw(no_packages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    with pytest.raises(RuntimeError, match="anywidget ipywidgets plotly"):
        lablib.require("0.1.0")


def test_pyproject_names_the_same_pythons_and_packages(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert (lablib.OLDEST_PYTHON, lablib.PYTHON_BELOW) == ((3, 11), (3, 14))
    declared = {requirement.split(">")[0] for requirement in project["dependencies"]}
    assert {"triton", *lablib.COMPUTING, *lablib.DRAWING} <= declared
