"""Sort what a test found by what went wrong: an assertion, a limit, a crash, or nobody tried."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from autograder.outcomes import FAILED, Outcome
from autograder.results import StudentResult
from autograder.verdict import Verdict

PASSED, WRONG, OPEN = "passed", "wrong", "left open"
TIME, MEMORY, CRASH, REFUSED = "time", "memory", "crash", "refused"
STOPPED = (TIME, MEMORY, CRASH, REFUSED)

_BY_EXCEPTION = {
    "OutOfTime": TIME,
    "MemoryError": MEMORY,
    "OutOfMemoryError": MEMORY,
    "Ended": CRASH,
    "Refused": REFUSED,
}
_BY_SENTENCE = (
    (re.compile(r"took more than|time ran out"), TIME),
    (re.compile(r"out of memory|more memory than"), MEMORY),
)
_NUMBER = re.compile(r"[-+]?(?:0x[0-9a-f]+|\b(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|\b(?:nan|inf)\b)", re.IGNORECASE)
_LIST_OF_NUMBERS = re.compile(r"#(?:[\s,]+#)+")


def kind(outcome: Outcome) -> str:
    """What happened in a test, as one of this module's constants.

    A test that the judge did not get to the end of has no exception but a sentence of the judge's.
    """
    if outcome.passed:
        return PASSED
    if outcome.errors and outcome.errors[0] in _BY_EXCEPTION:
        return _BY_EXCEPTION[outcome.errors[0]]
    if outcome.status == FAILED:
        return OPEN if "NotImplementedError" in outcome.errors else WRONG
    return next((found for sentence, found in _BY_SENTENCE if sentence.search(outcome.message)), CRASH)


@dataclass(frozen=True)
class Message:
    """What several hand-ins were told by the same test.

    Attributes
    ----------
    test : str
    kind : str
    example : str
        The message as the first of them got it.
    students : list of str
    """

    test: str
    kind: str
    example: str
    students: list[str]


def pattern(message: str) -> str:
    """The message with every number, and every row of numbers, as one "#".

    Examples
    --------
    >>> pattern("AssertionError: row 3: expected [1.0 2.5e-3], got [nan -4]")
    'AssertionError: row #: expected [#], got [#]'
    """
    return _LIST_OF_NUMBERS.sub("#", _NUMBER.sub("#", message))


def common_messages(verdicts: Mapping[str, Verdict], kinds: Iterable[str]) -> list[Message]:
    """Messages of outcomes of these kinds, alike but for their numbers, most frequent first in each test."""
    wanted = set(kinds)
    groups: dict[tuple[str, str, str], list[tuple[str, str]]] = defaultdict(list)
    tests: list[str] = []
    for student in sorted(verdicts):
        for test, outcome in verdicts[student].outcomes.items():
            if test not in tests:
                tests.append(test)
            found = kind(outcome)
            if found in wanted:
                groups[test, found, pattern(outcome.message)].append((student, outcome.message))
    messages = [
        Message(test, found, members[0][1], [student for student, _ in members])
        for (test, found, _), members in groups.items()
    ]
    return sorted(messages, key=lambda one: (tests.index(one.test), -len(one.students)))


def not_graded(students: Iterable[StudentResult], verdicts: Mapping[str, Verdict]) -> list[StudentResult]:
    """Hand-ins that no judge saw: unreadable, refused at import, or given up."""
    return [one for one in students if one.student not in verdicts]
