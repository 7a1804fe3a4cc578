"""A lab's solution in this process, after its own tests have passed: what a benchmark of a lab begins with."""

from __future__ import annotations

from typing import Any

from lablib import device  # isort: skip  (before triton: it decides whether kernels are interpreted)

from autograder.master import Lab
from autograder.run import Runner


def solved(lab: Lab) -> tuple[dict[str, Any], dict[str, str]]:
    """Run a master's setup, solution and test cells; return their names, and each test's status.

    Raises
    ------
    SystemExit
        If a test fails: then nothing is measured.
    """
    runner = Runner(lab)
    tests = {name: outcome.status for name, outcome in runner.run().solution.items()}
    failed = [name for name, status in tests.items() if status != "passed"]
    if failed:
        raise SystemExit(f"Nothing was measured: {', '.join(failed)} failed. {device.describe()}")
    return vars(runner.module), tests
