"""Schedules, played: tasks wait for what they need, the bubble is exact, and nothing runs twice."""

from __future__ import annotations

from fractions import Fraction

import pytest

from lablib.parallel.pipeline import play

GPIPE = [("F", 0), ("F", 1), ("B", 0), ("B", 1)]


def test_two_stages_by_hand() -> None:
    played = play([GPIPE, GPIPE], 2)
    times = {(task.stage, task.kind, task.micro_batch): (task.start, task.end) for task in played.tasks}
    assert times == {
        (0, "F", 0): (0, 1), (0, "F", 1): (1, 2), (1, "F", 0): (1, 2), (1, "F", 1): (2, 3),
        (1, "B", 0): (3, 5), (1, "B", 1): (5, 7), (0, "B", 0): (5, 7), (0, "B", 1): (7, 9),
    }  # fmt: skip
    assert (played.end, played.bubble, played.held) == (9, Fraction(1, 3), [2, 2])


def test_turns_hold_less_in_the_same_time() -> None:
    turns = [("F", 0), ("B", 0), ("F", 1), ("B", 1)]
    played = play([GPIPE, turns], 2)
    assert (played.end, played.held) == (9, [2, 1])


def test_chunks_go_round_the_stages() -> None:
    order = [("F", 0, 0), ("F", 0, 1), ("B", 0, 1), ("B", 0, 0)]
    played = play([order, order], 1, chunks=2, times=(1, 1))
    assert [(task.stage, task.kind, task.chunk) for task in played.tasks] == [
        (0, "F", 0), (1, "F", 0), (0, "F", 1), (1, "F", 1), (1, "B", 1), (0, "B", 1), (1, "B", 0), (0, "B", 0),
    ]  # fmt: skip
    assert played.bubble == Fraction(1, 2)


@pytest.mark.parametrize(
    ("orders", "micro_batches", "words"),
    [
        ([[("F", 0)]], 1, r"each of its 2 tasks once; it lists 1, and \('B', 0, 0\)"),
        ([[("F", 0), ("F", 0), ("B", 0)]], 1, r"it lists 3, and \('F', 0, 0\)"),
        ([[("F", 0), ("B", 0), ("X", 0)]], 1, r"got \('X', 0\)"),
        ([[("B", 0), ("F", 0)]], 1, r"wait for each other: stage 0 never gets what \('B', 0, 0\) needs"),
    ],
)
def test_what_cannot_run_is_refused(orders: list, micro_batches: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        play(orders, micro_batches)
