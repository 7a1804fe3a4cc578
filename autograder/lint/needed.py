"""Every assertion has a wrong answer that only it catches: find those that have none.

A lab's wrong answers run in forks of one process, as `autograder.run` does it, on rewritten test cells. The hidden
part decides: an assertion there is needed when some wrong answer fails it and nothing else there. The visible part
shows students on small inputs what the hidden part asks again: an assertion there is needed when some wrong answer
fails it. In a cell without a hidden part every assertion decides.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from textwrap import shorten

from autograder.errors import AutograderError
from autograder.lint.finding import Finding
from autograder.lint.instrument import RECORDER, assertions, deciding_lines, instrumented
from autograder.lint.recorder import Catch, Recorder, catch_of
from autograder.master import Lab, load
from autograder.master_cells import Cell
from autograder.outcomes import Report, Variant, report_from_json
from autograder.run import OUT_OF_TIME, Runner

SECONDS = 1800.0
SHOWN = 3  # wrong answers named in a sentence


def unneeded_assertions(lab: Lab) -> list[Finding]:
    """Run the lab's wrong answers, and find the assertions that none of them needs.

    Raises
    ------
    AutograderError
        The run ended early, or the solution does not pass.
    """
    report = _run_in_subprocess(lab)
    messages = report.cell_errors | {test: str(catch_of(outcome)) for test, outcome in report.solution.items()}
    failed = [f"{cell}: {message}" for cell, message in messages.items() if message]
    if failed:
        raise AutograderError(f"the solution of {lab.name} must pass first, but {'; '.join(failed)}")
    found: list[Finding] = []
    for test in lab.test_cells:
        wrong = [answer for answer in lab.wrong_answers if f"test_{answer.cell}" == test.id]
        catches = {w.mistake: catch_of(report.variants[f"{w.cell}__{w.mistake}"][test.id]) for w in wrong}
        found += _unneeded(lab, test, catches)
    return found


def _unneeded(lab: Lab, test: Cell, catches: dict[str, Catch]) -> Iterator[Finding]:
    deciding = deciding_lines(lab, test)
    for line, source in assertions(lab, test).items():
        failing = {mistake: catch for mistake, catch in catches.items() if line in catch.lines}
        alone = any(catch.lines & deciding == {line} and not catch.ended for catch in failing.values())
        if not alone and (line in deciding or not failing):
            brief = shorten(source, 60, placeholder=" …")
            late = [mistake for mistake, catch in catches.items() if OUT_OF_TIME in catch.ended]
            unknown = f"; not known of {', '.join(late)}, which ran out of time" if late else ""
            why = _why(line, deciding, failing) + unknown
            text = f"has an assertion without a wrong answer that only it catches ({why})"
            yield Finding(lab.path, line, test.id, f"{text}; write one, or drop it: {brief}")


def _why(line: int, deciding: set[int], failing: dict[str, Catch]) -> str:
    if not failing:
        return "no wrong answer fails it"
    others = sorted(deciding & set().union(*(catch.lines for catch in failing.values())) - {line})
    also = "one of the lines " if len(others) > 1 else "line " if others else "before its end"
    names = ", ".join(list(failing)[:SHOWN]) + (" and others" if len(failing) > SHOWN else "")
    return f"what fails it fails {also}{', '.join(map(str, others))} too: {names}"


def _run_in_subprocess(lab: Lab) -> Report:
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    # A fork takes along neither threads nor CUDA.
    env = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "autograder.lint.needed", str(lab.path)]
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise AutograderError(f"the wrong answers of {lab.name} did not finish within {SECONDS:.0f} s") from None
    if done.returncode:
        raise AutograderError(f"running {lab.name} ended with code {done.returncode}:\n{done.stderr[-3000:]}")
    return report_from_json(done.stdout)


def main() -> None:
    """Run a master's wrong answers on rewritten tests, and print the report as JSON."""
    parser = argparse.ArgumentParser(prog="python -m autograder.lint.needed")
    parser.add_argument("master", type=Path)
    lab = load(parser.parse_args().master)
    runner = Runner(instrumented(lab))
    runner.module.__dict__[RECORDER] = Recorder()
    wrong = [Variant(f"{one.cell}__{one.mistake}", "wrong", {one.cell: one.source}) for one in lab.wrong_answers]
    print(json.dumps(asdict(runner.run(wrong))))


if __name__ == "__main__":
    main()
