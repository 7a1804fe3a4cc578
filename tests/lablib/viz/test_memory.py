from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from lablib import viz
from lablib.viz.footprint import footprints
from lablib.viz.replay import replay

from .conftest import access, buffer, make_trace


def replayed(trace):
    """Return the only buffer's footprint after a replay, and the state after each step."""
    prints = footprints(trace.buffers)
    history = replay(trace.accesses, "program", prints)
    return prints[0], history


def test_the_summary_says_how_often_each_element_was_loaded(softmax_trace):
    assert viz.memory_map(softmax_trace).summary == (
        "softmax, 4 programs: loaded 512 B, stored 256 B. "
        "Each element of x was loaded 2 times. Each element of y was stored once."
    )


def test_a_step_a_program_and_one_for_the_totals(softmax_trace):
    figure = viz.memory_map(softmax_trace).figure
    labels = [step.label for step in figure.layout.sliders[0].steps]
    assert labels == ["program 0", "program 1", "program 2", "program 3", "all programs"]
    assert "So far loaded 256 B, stored 128 B" in figure.frames[1].layout.title.subtitle.text
    assert "In all: loaded 512 B, stored 256 B" in figure.frames[4].layout.title.subtitle.text


def test_a_step_an_instruction_names_its_line(softmax_trace):
    figure = viz.memory_map(softmax_trace, step="instruction").figure
    labels = [step.label for step in figure.layout.sliders[0].steps]
    assert labels[:3] == [
        "program 0: load x, line 3",
        "program 0: load x, line 5",
        "program 0: store y, line 8",
    ]
    assert len(labels) == 13


def test_a_frame_shows_counts_so_far_and_what_the_step_touches(softmax_trace):
    squares, loaded, stored, unused, *of_y = viz.memory_map(softmax_trace).figure.frames[1].data
    counts = np.asarray(squares.customdata)[..., 0]
    assert counts.tolist() == [[2] * 16, [2] * 16, [0] * 16, [0] * 16]
    assert squares.text[0][0] == "2", "the number repeats what the colour says"
    assert set(loaded.y) == {1} and sorted(loaded.x) == list(range(16))
    assert len(stored.x) == len(unused.x) == 0
    assert set(of_y[2].y) == {1} and of_y[0].text[0][0] == "◆"


def test_darker_means_loaded_more_often():
    accesses = [access(0, "load", "x", [0, 1]), access(0, "load", "x", [0])]
    trace = make_trace({"x": buffer((3,), (1,))}, accesses, 1)
    shade = np.asarray(viz.memory_map(trace).figure.frames[-1].data[0].z).ravel()
    assert shade[0] == 1 and shade[0] > shade[1] > shade[2] == 0


def test_strided_loads_fetch_sectors_that_they_do_not_use():
    trace = make_trace({"x": buffer((64,), (1,))}, [access(0, "load", "x", np.arange(0, 64, 4))], 1)
    picture = viz.memory_map(trace)
    assert "Loads of x use 25% of the sectors that they fetch" in picture.summary
    unused = picture.figure.frames[0].data[3]
    elements = {int(r) * 32 + int(c) for r, c in zip(unused.y, unused.x, strict=True)}
    assert elements == {i for i in range(64) if i % 4}
    assert "This step uses 25% of the 32-byte sectors" in picture.figure.frames[0].layout.title.subtitle.text


def test_the_buffers_alignment_shifts_the_sectors():
    load = [access(0, "load", "x", range(4))]
    aligned = make_trace({"x": buffer((16,), (1,))}, load, 1)
    shifted = make_trace({"x": buffer((16,), (1,), alignment=16)}, load, 1)
    assert replayed(aligned)[1][0].touched["x"].unused.tolist() == [4, 5, 6, 7]
    assert replayed(shifted)[1][0].touched["x"].unused.tolist() == []


def test_a_transposed_buffer_is_drawn_by_index_not_by_address():
    trace = make_trace({"x": buffer((2, 3), (1, 2))}, [access(0, "load", "x", [2, 3])], 1)
    x, _ = replayed(trace)
    assert x.loads.reshape(2, 3).tolist() == [[0, 1, 0], [0, 1, 0]]


def test_an_element_that_two_lanes_name_moves_once_and_an_atomic_is_neither_load_nor_store():
    accesses = [access(0, "load", "x", [0, 0, 1]), access(0, "atomic", "x", [0, 0])]
    x, history = replayed(make_trace({"x": buffer((4,), (1,))}, accesses, 1))
    assert history[-1].moved == {"load": 8, "store": 0, "atomic": 4}
    assert x.loads.tolist() == [2, 1, 0, 0] and x.stores.tolist() == [1, 0, 0, 0]


def test_a_large_buffer_is_binned_and_says_so():
    trace = make_trace({"x": buffer((128, 128), (128, 1))}, [access(0, "load", "x", np.arange(128 * 128))], 1)
    squares = viz.memory_map(trace).figure.data[0]
    assert np.asarray(squares.z).shape == (64, 64)
    assert (np.asarray(squares.customdata)[..., 0] == 1).all(), "a square shows the mean over its elements"
    assert "4 elements a square" in viz.memory_map(trace).figure.layout.annotations[0].text


def test_a_long_vector_and_a_scalar_fit():
    buffers = {"x": buffer((10_000,), (1,)), "s": buffer((), ()), "none": buffer((0, 4), (4, 1))}
    prints = footprints(buffers)
    assert [one.name for one in prints] == ["x", "s"]
    assert prints[0].exists.sum() == 3334 and prints[0].drawn[1] == 64 and prints[1].drawn == (1, 1)


def test_many_programs_share_positions_of_the_slider():
    accesses = [access(p, "load", "x", [p]) for p in range(200)]
    x, history = replayed(make_trace({"x": buffer((200,), (1,))}, accesses, 200))
    assert len(history) == 68
    assert history[0].label == "program 0 to program 2" and x.loads.sum() == 200


def test_two_launches_are_told_apart():
    accesses = [access(0, "load", "x", [0]), access(0, "store", "x", [0], launch=1)]
    _, history = replayed(make_trace({"x": buffer((1,), (1,))}, accesses, 1))
    assert [moment.label for moment in history] == [
        "launch 1, program 0",
        "launch 2, program 0",
        "all programs",
    ]


def test_faults_are_reported(softmax_trace):
    faults = ["program (3, 0, 0) would load element 64 of x"]
    trace = SimpleNamespace(**vars(softmax_trace), faults=faults)
    assert "1 access outside a buffer, not drawn; the first: program (3, 0, 0) would" in viz.memory_map(trace).summary


def test_bad_input_is_refused_in_a_sentence(softmax_trace):
    with pytest.raises(ValueError, match='"program" or "instruction", got \'warp\''):
        viz.memory_map(softmax_trace, step="warp")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="holds no load and no store"):
        viz.memory_map(make_trace({}, [], 0))


def test_gaps_of_a_strided_view_are_fetched_in_vain():
    column = {"x": buffer((4,), (8,))}
    picture = viz.memory_map(make_trace(column, [access(0, "load", "x", [0, 8, 16, 24])], 1))
    # 16 bytes of three whole sectors, and of the last one up to the view's end.
    assert "Loads of x use 16% of the sectors that they fetch." in picture.summary
