"""A judge whose answers are no verdicts on the tiny lab; the hand-in says which lie it tells."""

from __future__ import annotations

from typing import Any

from autograder.outcomes import PASSED, Outcome
from autograder.verdict import Job, Verdict

NAME = "tests.autograder.lying_judge"
_ALL = {"test_double": Outcome(PASSED), "test_area": Outcome(PASSED)}
LIES: dict[str, Any] = {
    "nothing": None,
    "plain data": {"lab": "lab90_tiny", "outcomes": {}},
    "another lab": Verdict("lab91_other", _ALL),
    "a test too few": Verdict("lab90_tiny", {"test_double": Outcome(PASSED)}),
    "a test too many": Verdict("lab90_tiny", _ALL | {"test_more": Outcome(PASSED)}),
}


def judge_handin(job: Job) -> Any:
    return LIES[job.answers["double"]]
