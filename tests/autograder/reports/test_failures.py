from __future__ import annotations

import pytest

from autograder.outcomes import FAILED, NOT_REACHED, Outcome
from autograder.reports import failures
from autograder.reports.failures import common_messages, kind, not_graded, pattern
from autograder.verdict import Verdict

from .conftest import Graded, left_open, out_of_time, passed, wrong


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (passed(), failures.PASSED),
        (wrong("expected 4, got 5"), failures.WRONG),
        (left_open("double"), failures.OPEN),
        (Outcome(FAILED, "RuntimeError: x", ("RuntimeError", "NotImplementedError")), failures.OPEN),
        (out_of_time(), failures.TIME),
        (Outcome(NOT_REACHED, "its process ended with SIGXCPU: CPU time ran out"), failures.TIME),
        (Outcome(NOT_REACHED, "the hand-in used more memory than 4 GiB"), failures.MEMORY),
        (Outcome(NOT_REACHED, "its process ended with SIGSEGV: it touched memory that is not its own"), failures.CRASH),
        (Outcome(NOT_REACHED, "the hand-in's process ended during this test"), failures.CRASH),
        (Outcome(FAILED, "MemoryError: ", ("MemoryError",)), failures.MEMORY),
        (Outcome(FAILED, "Refused: a generator", ("Refused",)), failures.REFUSED),
        (wrong("it took more than 120 s, out of memory"), failures.WRONG),
    ],
)
def test_an_end_is_told_from_others(outcome: Outcome, expected: str) -> None:
    assert kind(outcome) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("got 3 of 17", "got 4 of 18"),
        ("got 0.25", "got -1.5e-07"),
        ("got nan", "got 1"),
        ("[1. 2. 3.]", "[4. 5.]"),
        ("tensor([1, -2, 3])", "tensor([7])"),
        ("<object at 0x7f3a2b>", "<object at 0x55dead>"),
    ],
)
def test_messages_that_differ_in_numbers_are_one(one: str, other: str) -> None:
    assert pattern(one) == pattern(other)


@pytest.mark.parametrize(("one", "other"), [("x1 is wrong", "x2 is wrong"), ("rows differ", "columns differ")])
def test_messages_that_differ_in_words_are_two(one: str, other: str) -> None:
    assert pattern(one) != pattern(other)


def test_common_messages_are_counted_by_test(graded: Graded) -> None:
    found = common_messages(graded.verdicts, [failures.WRONG])
    assert [(one.test, len(one.students), one.example) for one in found] == [
        ("test_double", 10, "AssertionError: expected 4, got 30"),
        ("test_area", 10, "AssertionError: no circle"),
    ]
    (stopped,) = common_messages(graded.verdicts, failures.STOPPED)
    assert (stopped.test, stopped.kind, len(stopped.students)) == ("test_area", failures.TIME, 10)


def test_the_most_frequent_message_of_a_test_comes_first() -> None:
    said = ["rare", "often", "often"]
    verdicts = {f"s{n}": Verdict("lab90", {"test_a": wrong(text)}) for n, text in enumerate(said)}
    found = common_messages(verdicts, [failures.WRONG])
    assert [(one.example, one.students) for one in found] == [
        ("AssertionError: often", ["s1", "s2"]),
        ("AssertionError: rare", ["s0"]),
    ]


def test_who_has_no_verdict_was_not_graded(graded: Graded) -> None:
    assert [one.student for one in not_graded(graded.result.students, graded.verdicts)] == ["unread"]
