"""A judge without a sandbox, for the tiny lab's honest answers: what surrounds judging can be tried in milliseconds.

Workers import it by name. An answer may end its own process. `<root>/judged` lists the hand-ins that were judged.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from autograder import master
from autograder.judging import Rehearsal
from autograder.master import Lab
from autograder.outcomes import FAILED, PASSED, Outcome, causes_of, message_of
from autograder.sandbox import SandboxError
from autograder.verdict import Job, Verdict

NAME = "tests.autograder.plain_judge"


def judge_handin(job: Job) -> Verdict:
    with (job.root / "judged").open("a") as log:
        log.write(f"{job.content}\n")
    if any("no sandbox" in source for source in job.answers.values()):
        raise SandboxError("there is no sandbox here")
    return _judge(master.find(job.root, job.lab), job)


def rehearse(root: Path, lab: Lab, sandbox: str) -> Rehearsal:
    return Rehearsal(_judge(lab, Job(root, lab.name, {})), ())


def _judge(lab: Lab, job: Job) -> Verdict:
    names: dict[str, object] = {"root": job.root}
    outcomes: dict[str, Outcome] = {}
    output: dict[str, str] = {}
    for cell in lab.of_role("setup", "solution", "test"):
        printed, outcome = io.StringIO(), Outcome(PASSED)
        try:
            with contextlib.redirect_stdout(printed):
                exec(job.answers.get(cell.id, cell.source), names)
        except Exception as error:
            outcome = Outcome(FAILED, message_of(error), causes_of(error))
        if cell.role == "test":
            outcomes[cell.id] = outcome
        elif printed.getvalue():
            output[cell.id] = printed.getvalue()
    return Verdict(lab.name, outcomes, output)
