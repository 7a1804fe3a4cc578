"""What a judge is asked, and what it answers: plain data that travels between processes and is kept in files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from autograder.master import Lab
from autograder.outcomes import Outcome, outcome_from_plain


@dataclass(frozen=True)
class Job:
    """One hand-in to judge.

    Attributes
    ----------
    root : Path
        The repository, whose solutions/<lab>/<lab>.py is the master.
    lab : str
        The lab's name.
    answers : dict of str to str
        Source of each solution cell of the hand-in, by cell id. A cell that is absent stays as released.
    sandbox : str
        Kind of sandbox: one of `autograder.sandbox.KINDS`.
    seed_key : str
        The term's secret, from which the inputs of the tests are drawn.
    modules : tuple of str
        Modules to import before any hand-in runs; see `autograder.judging.Rehearsal`.
    """

    root: Path
    lab: str
    answers: dict[str, str]
    sandbox: str = "bubblewrap"
    seed_key: str = ""
    modules: tuple[str, ...] = ()

    @property
    def content(self) -> str:
        """Hash of the answers: what the hand-in is, whoever handed it in."""
        return hashlib.sha256(json.dumps(self.answers, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Verdict:
    """What the judge found.

    Attributes
    ----------
    lab : str
    outcomes : dict of str to Outcome
        By test cell id, all of the lab's tests.
    output : dict of str to str
        What each answer cell printed or raised, as plain text of bounded length. A claim: for reading only.
    remarks : list of str
        What went wrong outside the tests (a limit, a crash), one sentence each.
    """

    lab: str
    outcomes: dict[str, Outcome]
    output: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def scores(self, lab: Lab) -> dict[str, float]:
        """Points by test cell id."""
        return {c.id: (c.points or 0.0) if self.outcomes[c.id].passed else 0.0 for c in lab.test_cells}

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True, indent=1)


def verdict_from_json(text: str) -> Verdict:
    plain = json.loads(text)
    outcomes = {test: outcome_from_plain(outcome) for test, outcome in plain["outcomes"].items()}
    return Verdict(plain["lab"], outcomes, plain["output"], plain["remarks"])
