"""Each fault shows in one counter, and in no other."""

from __future__ import annotations

from typing import Any

import pytest

from lablib.train.faulty_loops import counters


def seen(fault: str) -> dict[str, Any]:
    return counters(fault, micro_batches=3, rows=4, width=8, depth=2)


def test_a_healthy_loop_holds_one_micro_batch_and_keeps_nothing() -> None:
    assert seen("healthy") == {
        "micro_batches": 3,
        "parameters": 4 * 2 * (8 * 8 + 8),
        "activations_of_one_micro_batch": 4 * 2 * 4 * 8,  # each tanh keeps its output
        "activations": 4 * 2 * 4 * 8,
        "gradients_before_the_forward_pass": 0,
        "kept_after_each_step": [0, 0, 0],
    }


@pytest.mark.parametrize(
    ("fault", "counter", "value"),
    [
        ("one graph", "activations", 3 * 256),
        ("gradients kept", "gradients_before_the_forward_pass", 576),
        ("results kept", "kept_after_each_step", [384, 768, 1152]),
    ],
)
def test_a_fault_shows_in_its_counter_alone(fault: str, counter: str, value: object) -> None:
    assert seen(fault) == {**seen("healthy"), counter: value}


def test_another_fault_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'slow' is no fault of lablib\.train\.faulty_loops"):
        counters("slow")
