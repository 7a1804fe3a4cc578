"""Measured figures that a lab shows are those that a benchmark wrote."""

from __future__ import annotations

import json
from pathlib import Path


def test_lab06_shows_the_newest_measurement(repository: Path) -> None:
    newest = sorted((repository / "benchmarks/results").glob("*-lab06.json"))[-1]
    shown = repository / "solutions/lab06_triton_kernels/assets/h200.json"
    assert shown.read_bytes() == newest.read_bytes(), f"copy {newest.name} to {shown.relative_to(repository)}"


def test_a_result_names_its_machine_and_versions_and_passed_its_tests(repository: Path) -> None:
    for path in (repository / "benchmarks/results").glob("*.json"):
        result = json.loads(path.read_text())
        assert result["machine"] and result["versions"]["torch"] and result["versions"]["triton"]
        assert set(result["tests"].values()) == {"passed"}
