from __future__ import annotations

import pytest

from lablib import viz

SHARED = [{"name": "a", "inputs": ["x"]}, {"name": "b", "inputs": ["a"]}, {"name": "y", "inputs": ["a", "b"]}]


def lines(figure):
    return [frame.layout.title.subtitle.text for frame in figure.frames]


def test_forward_writes_an_entry_a_step_and_backward_visits_one():
    picture = viz.tape_replay(SHARED)
    assert picture.summary == "Tape of 3 entries. from the end of the tape: 3 visits, none too early."
    texts = lines(picture.figure)
    assert len(texts) == 6
    assert texts[0] == "Forward: a is computed and written down as entry 1."
    assert texts[3].endswith("visit y. It is the output: its gradient is given.")
    assert texts[5].endswith("visit a. All its gradients have come.")


def test_an_entry_that_is_visited_before_its_gradients_is_marked():
    picture = viz.tape_replay(SHARED, {"depth first": ["y", "a", "b"]})
    assert picture.summary.endswith("depth first: 3 visits, a too early.")
    frame = picture.figure.frames[4]
    assert lines(picture.figure)[4] == "depth first: visit a. Only 1 of 2 gradients have come: too early."
    assert frame.data[5].marker.symbol == "x-thin" and frame.data[5].text == ("<b>a</b><br>1 gradient",)


def test_a_value_used_twice_by_one_entry_waits_for_both():
    entries = [{"name": "a", "inputs": ["x"]}, {"name": "y", "inputs": ["a", "a"]}]
    picture = viz.tape_replay(entries)
    assert "<b>a</b><br>2 gradients" in picture.figure.frames[2].data[3].text


def test_entries_beside_the_way_are_not_waited_for():
    entries = [*SHARED, {"name": "beside", "inputs": ["a"]}]
    assert viz.tape_replay(entries, ["y", "b", "a"]).summary.endswith("3 visits, none too early.")


def test_of_a_chain_no_line_hides_behind_another():
    figure = viz.tape_replay(SHARED).figure
    heights = {tuple(trace.y) for trace in figure.frames[2].data[:1]}
    assert len({y for ys in heights for y in ys if y is not None}) == 2


@pytest.mark.parametrize(
    ("entries", "order", "sentence"),
    [
        ([], None, "1 to 24 entries can be drawn, got 0"),
        ([SHARED[0], SHARED[0]], None, "two entries of the tape share a name"),
        (SHARED, ["y", "z"], r"visits \['z'\]; the entries are a, b, y"),
        (SHARED, {"none": []}, "'none' visits nothing"),
    ],
)
def test_what_is_no_tape_is_refused(entries, order, sentence):
    with pytest.raises(ValueError, match=sentence):
        viz.tape_replay(entries, order)
