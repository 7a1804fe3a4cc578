"""lab17 and real kills, simulated crashes: a sample of those of `python -m benchmarks.lab17`."""

from __future__ import annotations

import pytest

from benchmarks import lab17


@pytest.mark.parametrize("at_bytes", [True, False], ids=["at a byte", "at a moment"])
def test_a_process_that_is_killed_goes_on_with_the_same_bits(at_bytes: bool) -> None:
    done = lab17.real_kills(kills=12, at_bytes=at_bytes)
    assert done["kills"] >= 12 and done["wrong"] == 0


def test_a_crash_at_any_byte_leaves_a_whole_checkpoint() -> None:
    found = lab17.crashes(300)
    assert found["wrong"] == 0 and min(found["the new one"], found["the one before"]) > 10
