"""A fleet's time, batches over time with their pages, and what a service level costs."""

from __future__ import annotations

from types import SimpleNamespace as Some

import pytest

from lablib import viz
from lablib.cloud import autoscale, fleet, requests


def test_every_hour_of_a_fleet_is_drawn_once() -> None:
    runs = {name: fleet.play(hours, 0.1, 0.2, 0.3, [5.0, 2.0, 7.0]) for name, hours in [("1 h", 1.0), ("3 h", 3.0)]}
    picture = viz.fleet_timeline(runs)
    assert repr(picture).startswith("Goodput by interval. 1 h: 71% work kept, 7.1% copies")
    assert "3 failures. 3 h: 64% work kept" in repr(picture)
    for frame, run in zip(picture.figure.frames, runs.values(), strict=True):
        bars = [trace for trace in frame.data if trace.type == "bar"]
        assert sum(sum(trace.x) for trace in bars) == pytest.approx(14.0)
        assert [sum(trace.x) for trace in bars] == pytest.approx([run.restarting, run.lost, run.blocked, run.kept])
        assert list(frame.data[4].x) == [5.0, 7.0, 14.0]


def test_a_fleet_without_time_is_refused() -> None:
    with pytest.raises(ValueError, match="each with spans"):
        viz.fleet_timeline({"a": Some(spans=[])})


def test_pages_are_those_of_the_step_and_of_the_last_run() -> None:
    asked = [(3, 2), (3, 4), (3, 1), (3, 3)]
    runs = {
        "static": requests.serve(requests.static_batches, asked, slots=2, pages=6, page=2),
        "one by one": requests.serve(lambda r, w, *_: ([], [] if r else [w[0][0]]), asked, slots=2, pages=6, page=2),
    }
    picture = viz.batch_pages(runs, slots=2)
    assert "static: 10 tokens in 7 steps, 71% of the slots used." in repr(picture)
    assert "one by one: 10 tokens in 10 steps, 50% of the slots used. Pages of one by one: at most 3 of 6" in repr(
        picture
    )
    assert len(picture.figure.frames) == 10
    for frame, owners in zip(picture.figure.frames, runs["one by one"].pages, strict=True):
        shown = [owner for row in frame.data[0].text for owner in row if owner != "nobody"]
        assert shown == [f"request {owner}" for owner in owners if owner >= 0]
    heat = [trace for trace in picture.figure.data if trace.type == "heatmap"]
    assert [len(trace.z) for trace in heat[1:]] == [2, 2] and [len(trace.z[0]) for trace in heat[1:]] == [7, 10]


def test_batches_without_a_step_are_refused() -> None:
    with pytest.raises(ValueError, match="one or two runs"):
        viz.batch_pages({}, slots=2)
    with pytest.raises(ValueError, match="at least one step"):
        viz.batch_pages({"a": Some(steps=0)}, slots=2)


def test_only_policies_left_of_the_line_keep_the_promise() -> None:
    service = {"capacity": 10, "startup": 1, "bound": 0, "period": 4}
    demand = [10, 20, 40, 10]
    runs = {f"{n} replicas": autoscale.play(lambda *_, n=n: n, demand, service) for n in (1, 4)}
    picture = viz.cost_slo(runs, demand, 10, {"1 replicas": 0.5, "4 replicas": 2.0})
    assert "1 replicas: $0.50 a million tokens" in repr(picture) and "misses it" in repr(picture)
    assert "4 replicas: $2.00 a million tokens, 0% late, meets it." in repr(picture)
    second = picture.figure.frames[1].data
    assert list(second[0].x) == [100 * runs["1 replicas"].late / 80, 0.0]
    assert list(second[2].y) == [40] * 4 and list(second[1].y) == demand


def test_a_policy_of_other_ticks_is_refused() -> None:
    with pytest.raises(ValueError, match="as many ticks as the demand"):
        viz.cost_slo({"a": Some(ready=[1])}, [1, 2], 3, {"a": 1.0})
