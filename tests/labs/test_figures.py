"""Each lab hands its figures on to the capstone; tests/labs/test_nbval.py sees them arrive."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from autograder.master import Lab
from lablib import ledger

from .conftest import COUNTED

RECORDING = "record_figures"
CAPSTONE = "lab18"
LABS = [lab for lab in COUNTED if not lab.name.startswith(CAPSTONE)]


def figure_names(lab: Lab) -> set[str]:
    """Names of the figures that a lab's last code cell records; none where it has no such cell."""
    sources = [cell.source for cell in lab.cells if cell.id == RECORDING]
    literals = [node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Dict)]
    return {str(key.value) for literal in literals for key in literal.keys if isinstance(key, ast.Constant)}


@pytest.mark.parametrize("recording", LABS, ids=lambda lab: lab.name)
def test_a_lab_records_a_few_figures_under_its_name(recording: Lab) -> None:
    assert 2 <= len(figure_names(recording)) <= 5
    assert f'record("{recording.name}", ' in recording.cell(RECORDING).source


@pytest.mark.parametrize("recording", LABS, ids=lambda lab: lab.name)
def test_where_nothing_is_solved_the_cell_says_what_is_open(
    recording: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(recording.cell(RECORDING).source, {})
    said = capsys.readouterr().out
    assert said.startswith(f"Recorded of {recording.name}: nothing.")
    assert all(name in said for name in figure_names(recording))
    assert ledger.figures() == {}
