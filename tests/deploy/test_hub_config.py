"""jupyterhub_config.py says in one sentence what a machine lacks, before a student can see what is not for students."""

from __future__ import annotations

import getpass
import importlib.util
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from traitlets.config import Config

from .cluster import ROOT

SOURCE = (ROOT / "docs" / "deploy" / "hub" / "jupyterhub_config.py").read_text(encoding="utf-8")


@pytest.fixture
def srv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /srv as the guide leaves it, whoever runs the tests."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "adls" / "solutions").mkdir(parents=True)
    (tmp_path / "adls").chmod(0o700)
    (tmp_path / "adls-labs" / "labs").mkdir(parents=True)
    return tmp_path


def _load(srv: Path, instructor: str = "") -> Config:
    """Read the configuration as JupyterHub does, of a machine whose /srv is elsewhere."""
    source = SOURCE.replace('"/srv/', f'"{srv}/').replace('"instructor"', repr(instructor or getpass.getuser()))
    config = Config()
    exec(compile(source, "jupyterhub_config.py", "exec"), {"__name__": "config", "get_config": lambda: config})
    return config


def test_a_machine_that_has_it_all(srv: Path) -> None:
    config = _load(srv)
    assert config.JupyterHub.bind_url == "http://127.0.0.1:8000"
    assert stat.S_IMODE((srv / "adls-exchange").stat().st_mode) == 0o1777
    assert stat.S_IMODE((srv / "adls-hub" / "private").stat().st_mode) == 0o700
    settings = json.loads((srv / "adls-hub" / "students" / "nbgrader_config.json").read_text())
    assert settings == {"Exchange": {"root": str(srv / "adls-exchange")}}


FAULTS: dict[str, Callable[[Path], object]] = {
    "expected the repository, with solutions/, in": lambda srv: (srv / "adls" / "solutions").rmdir(),
    "students can read the solutions: `chmod 700": lambda srv: (srv / "adls").chmod(0o750),
    "expected what `make student` packs in": lambda srv: (srv / "adls-labs" / "labs").rmdir(),
    "has solutions/: unpack there what `make student` packs": lambda srv: (srv / "adls-labs" / "solutions").mkdir(),
}


@pytest.mark.parametrize("sentence", FAULTS)
def test_a_fault_is_a_sentence(srv: Path, sentence: str) -> None:
    FAULTS[sentence](srv)
    with pytest.raises(SystemExit) as ended:
        _load(srv)
    assert str(ended.value).startswith("jupyterhub_config.py: ")
    assert sentence in str(ended.value)
    assert not (srv / "adls-exchange").exists()


def test_the_repository_is_the_instructors(srv: Path) -> None:
    with pytest.raises(SystemExit, match="must belong to nobody, not to"):
        _load(srv, "nobody")


def test_it_asks_for_root(srv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit, match="run it as root"):
        _load(srv)


def test_without_the_proxy_it_says_how_to_get_it(srv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"the proxy is missing: `.* -m pip install configurable-http-proxy`"):
        _load(srv)
