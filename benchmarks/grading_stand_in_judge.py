"""A judge that runs nothing: it takes a moment, and its verdict follows from a hash of the answers.

Workers import it by name, and torch they need not. `<root>/judged` has a line a hand-in, written as its turn came.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from types import SimpleNamespace

from autograder import master
from autograder.master import Lab
from autograder.outcomes import FAILED, PASSED, Outcome
from autograder.verdict import Job, Verdict

NOTES = "judged"
SECONDS = 0.2  # two workers then give the writer about as much as it can take


def judge_handin(job: Job) -> Verdict:
    with (job.root / NOTES).open("a") as notes:
        notes.write(f"{job.content}\n")
    time.sleep(SECONDS)
    lab = master.find(job.root, job.lab)
    outcomes = {cell.id: _outcome(f"{cell.id} {job.content}") for cell in lab.test_cells}
    return Verdict(lab.name, outcomes, {cell.id: job.content for cell in lab.solution_cells[:1]})


def rehearse(root: Path, lab: Lab, sandbox: str) -> SimpleNamespace:
    return SimpleNamespace(modules=())


def _outcome(text: str) -> Outcome:
    number = hashlib.sha256(text.encode()).digest()[0]
    return Outcome(PASSED) if number % 3 else Outcome(FAILED, f"AssertionError: got {number}", ("AssertionError",))
