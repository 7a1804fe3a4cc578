"""Memory over a training step, and plans of what to keep."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lablib import viz


def moment(phase: str, parameters: int, activations: int) -> SimpleNamespace:
    held = {"parameters": parameters, "activations": activations, "batch": 0}
    return SimpleNamespace(phase=phase, operation="mm", held=held, total=parameters + activations)


STEP = [moment("forward", 4000, n) for n in (1000, 5000)] + [moment("backward", 4000, n) for n in (6000, 0)]


def test_areas_stack_to_what_is_held_and_the_peak_is_named():
    picture = viz.memory_over_step(STEP)
    assert "most is held after operation 3 (mm, backward): 10 kB, of which activations 60%, parameters 40%" in repr(
        picture
    )
    areas = [trace for trace in picture.figure.data if trace.stackgroup]
    assert [area.name for area in areas] == ["parameters", "activations"]  # a kind that never is, is not drawn
    assert list(areas[1].y) == [0.001, 0.005, 0.006, 0.0]
    assert areas[0].fillpattern.shape != areas[1].fillpattern.shape


def test_the_slider_reads_off_every_operation_and_begins_at_the_peak():
    figure = viz.memory_over_step(STEP).figure
    assert len(figure.frames) == 4
    assert figure.layout.sliders[0].active == 2
    assert list(figure.frames[1].data[0].x) == [2, 2]
    assert "9 kB" in figure.frames[1].layout.title.subtitle.text
    assert [note.text for note in figure.layout.annotations] == ["forward", "backward"]


def test_of_many_operations_the_peak_is_drawn():
    many = [moment("forward", 4000, 7 if n == 1234 else 0) for n in range(5000)]
    figure = viz.memory_over_step(many).figure
    assert len(figure.data[1].x) < 500
    assert 1235 in figure.data[1].x
    assert len(figure.frames) < 50


SAVE = {"budget": "all", "plan": [("save", 1), ("save", 2), ("backward", 2), ("backward", 1)], "held": [8, 16, 8, 0]}
AGAIN = {
    "budget": "half",
    "plan": [("forward", 1), ("save", 2), ("backward", 2), ("drop", 1), ("save", 1), ("backward", 1)],
    "held": [2, 10, 2, 0, 8, 0],
}


def test_a_plan_shows_what_is_held_and_what_is_done_again():
    picture = viz.checkpoint_plans([{**SAVE, "flops": 20}, {**AGAIN, "flops": 30}])
    assert "half: at most 10 B held, 30 FLOPs forward, 1 forward pass done again." in repr(picture)
    cells, signs = picture.figure.frames[1].data[:2]
    assert [list(row) for row in cells.z] == [[1, 1, 1, 0, 2, 0], [0, 2, 0, 0, 0, 0]]
    assert list(signs.text) == ["→", "●", "←", "×", "<u>●</u>", "←"]
    assert list(picture.figure.data[0].z[0]) == [2, 2, 2, 0, None, None]  # the shorter plan ends earlier


@pytest.mark.parametrize("plans", [[], [{**SAVE, "plan": [], "flops": 0}]])
def test_no_plan_is_refused(plans):
    with pytest.raises(ValueError, match="needs plans, each of at least one action"):
        viz.checkpoint_plans(plans)


def test_no_moments_are_refused():
    with pytest.raises(ValueError, match="got no moments"):
        viz.memory_over_step([])
