"""Pictures of parallel training: rings, shards, pipeline schedules, plans."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from lablib import viz
from lablib.parallel.pipeline import play
from lablib.viz.rings import ring_states
from lablib.viz.shards import kept_bytes


@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_ring_ends_with_every_sum_everywhere(size: int) -> None:
    states = ring_states(size)
    assert len(states) == 2 * size - 1
    assert all(sorted(parts) == list(range(size)) for row in states[-1][0] for parts in row)
    for held, moved in states[1:]:
        assert sorted(rank for rank, _ in moved) == list(range(size))  # each rank receives one chunk
        assert all(len(set(parts)) == len(parts) for row in held for parts in row)
    halfway = states[size - 1][0]
    assert sum(len(parts) == size for row in halfway for parts in row) == size


def test_the_ring_is_drawn_step_by_step() -> None:
    picture = viz.ring_packets(3)
    assert "3 ranks: 4 steps" in picture.summary and "4/3 of the tensor" in picture.summary
    frames = picture.figure.frames
    assert len(frames) == 5
    assert [list(row) for row in frames[1].data[0].text] == [
        ["0", "0", "2+0"], ["0+1", "1", "1"], ["2", "1+2", "2"],
    ]  # fmt: skip
    assert all(text == "sum" for row in frames[-1].data[0].text for text in row)
    assert len(frames[0].data[1].x) == 0 and len(frames[1].data[1].x) == 3


def test_shards_are_what_zero_says() -> None:
    assert [kept_bytes(8, 800, sharded) for sharded in (0, 2, 3, 4)] == [12800, 7200, 4400, 1600]
    frames = viz.shard_map(4, 1000).figure.frames
    kept = [[sum(cell == 1 for cell in row) for row in frame.data[0].z] for frame in frames]
    assert kept == [[16] * 4, [10] * 4, [7] * 4, [4] * 4]


def schedule() -> dict[tuple[str, int, int], Any]:
    order = [("F", 0), ("F", 1), ("B", 0), ("B", 1)]
    turns = [("F", 0), ("B", 0), ("F", 1), ("B", 1)]
    return {("GPipe", 2, 2): play([order, order], 2), ("1F1B", 2, 2): play([order, turns], 2)}


def test_a_schedule_shows_bubble_and_memory() -> None:
    widget = viz.pipeline_schedule(schedule())
    assert widget.summary.startswith("2 schedules. Least bubble: 33%")
    shown = widget.content["settings"]["1F1B|2|2"]
    assert shown["facts"] == [["33.3%", "bubble"], ["9", "units of time"], ["2", "held at most, on the fullest stage"]]
    assert shown["sentence"].endswith("2 micro-batches: stages idle 33% of the time, and hold at most 2, 1 at once.")
    assert shown["svg"].count("<path") == 2 and shown["svg"].count("stage ") >= 2
    assert widget.content["knobs"] == [["schedule", ["GPipe", "1F1B"]], ["stages", ["2"]], ["micro-batches", ["2"]]]
    assert play([[("F", 0), ("B", 0)]], 1).bubble == Fraction(0)


@pytest.mark.browser
def test_a_slider_shows_its_schedule_from_a_saved_notebook_too(show) -> None:
    page = show(viz.pipeline_schedule(schedule()))  # whose content is sorted by key, as a notebook's is
    assert page.locator(".knob .name").all_inner_texts() == ["schedule", "stages", "micro-batches"]
    assert page.inner_text(".status").startswith("GPipe, 2 stages, 2 micro-batches")
    page.locator("input").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.inner_text(".status").startswith("1F1B, 2 stages, 2 micro-batches")


PLANS = {
    (8, 1, 1): {"held": 200e9, "seconds": {"work": 1.0, "dp": 0.5}},
    (8, 2, 1): {"held": 90e9, "seconds": {"work": 1.0, "tp": 0.75}},
    (8, 1, 2): {},
    (8, 2, 2): {"held": 50e9, "seconds": {"work": 1.5, "pp": 0.75}},
}


def test_a_plan_says_whether_it_fits() -> None:
    widget = viz.plan_explorer(PLANS, 100e9)
    assert widget.summary == "The fastest that fits on 8 ranks: dp 4, tp 2, pp 1, 1.75 s a step."
    settings = widget.content["settings"]
    assert settings["8|1|1"]["sentence"].startswith("dp 8, tp 1, pp 1: does not fit. 1.50 s a step")
    assert settings["8|1|1"]["facts"][1] == ["200 GB", "of 100: too much"]
    assert "no such plan" in settings["8|1|2"]["sentence"]


def test_the_explorer_begins_with_a_plan_that_exists() -> None:
    begun = viz.plan_explorer({**PLANS, (8, 1, 1): {}}, 100e9)
    assert "Shown: dp 4, tp 2, pp 1: fits." in begun.picture


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: viz.ring_packets(1), "from 2 to 8; got 1"),
        (lambda: viz.shard_map(40, 10), "give 2 to 16 ranks"),
        (lambda: viz.pipeline_schedule({}), "at least one schedule"),
        (lambda: viz.plan_explorer({**PLANS, (16, 1, 1): {}}, 100e9), "nothing for ranks 16, tensor parallel"),
        (lambda: viz.plan_explorer(PLANS, 1e9), "no plan fits 1 GB"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_a_sentence(draw: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw()
