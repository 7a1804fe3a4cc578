"""Every completed notebook runs from top to bottom in a fresh Jupyter kernel, demonstrations included."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograder import bridge
from autograder.master import Lab

from .conftest import ROOT
from .test_figures import figure_names


@pytest.mark.slow
def test_completed_notebook_runs(lab: Lab, tmp_path: Path) -> None:
    notebook = tmp_path / f"{lab.name}.ipynb"
    notebook.write_text(bridge.to_text(bridge.completed_notebook(lab)), encoding="utf-8")
    if (lab.path.parent / "assets").is_dir():
        shutil.copytree(lab.path.parent / "assets", tmp_path / "assets")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")  # not this repository's options
    command = [sys.executable, "-m", "pytest", "-q", "-p", "nbval", "--nbval-lax", "--nbval-current-env"]
    command += ["--nbval-cell-timeout=120", "-p", "no:cacheprovider", "-p", "no:xdist", notebook.name]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(
        command, cwd=tmp_path, env=env | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert f"{_code_cells(notebook)} passed" in done.stdout
    ledger = tmp_path / "ledger.json"
    recorded = json.loads(ledger.read_text()) if ledger.is_file() else {}
    assert set(recorded.get(lab.name, {})) == figure_names(lab)


def _code_cells(notebook: Path) -> int:
    import nbformat

    return sum(cell.cell_type == "code" for cell in nbformat.read(notebook, as_version=4).cells)
