"""The command and the settings of `make lab`; tests/browser starts the real thing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from lablib import jupyter

SCHEMAS = Path(sys.prefix) / "share" / "jupyter" / "lab" / "schemas"
OVERRIDES = json.loads((jupyter.CONFIGURATION / "settings" / "overrides.json").read_text())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "labs").mkdir()
    return tmp_path


def test_the_command_serves_the_root_on_the_port(root: Path) -> None:
    command = jupyter.command(root, 8899, browser=False)
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--ServerApp.root_dir={root}" in command
    assert "--ServerApp.port=8899" in command
    assert "--ServerApp.open_browser=False" in command
    assert "--ServerApp.open_browser=True" in jupyter.command(root, 8899, browser=True)


@pytest.mark.parametrize(("user", "allowed"), [(0, True), (1000, False)])
def test_only_root_is_allowed_to_be_root(root: Path, user: int, allowed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert ("--allow-root" in jupyter.command(root, 8888, browser=True)) == allowed


def test_authentication_stays_on(root: Path) -> None:
    settings = (jupyter.CONFIGURATION / "jupyter_server_config.json").read_text()
    said = " ".join([settings, *jupyter.command(root, 8888, browser=True)]).lower()
    assert "token" not in said
    assert "password" not in said


def test_a_folder_without_labs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"holds labs/, but {tmp_path} has none"):
        jupyter.command(tmp_path, 8888, browser=True)
    command = [sys.executable, "-m", "lablib.jupyter"]
    path = os.pathsep.join([str(jupyter.CONFIGURATION.parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_everything_that_jupyter_keeps_stays_in_the_folder(root: Path) -> None:
    environment = jupyter.environment(root)
    kept = [environment[name] for name in environment if name.startswith(("JUPYTER_", "IPYTHONDIR"))]
    assert len(kept) >= 4
    assert all(Path(place).is_relative_to(root / ".jupyter") for place in kept)
    assert environment["PATH"].startswith(str(Path(sys.executable).parent))


@pytest.mark.parametrize("plugin", OVERRIDES)
def test_settings_are_ones_that_jupyterlab_knows(plugin: str) -> None:
    """JupyterLab ignores an unknown setting in silence, so an upgrade could lose one."""
    extension, _, name = plugin.partition(":")
    schema = json.loads((SCHEMAS / extension / f"{name}.json").read_text())
    assert set(OVERRIDES[plugin]) <= set(schema["properties"])
    assert [error.message for error in Draft7Validator(schema).iter_errors(OVERRIDES[plugin])] == []
