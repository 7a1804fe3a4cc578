"""LoadGen itself runs here, for a fraction of a second: what is asked is who was answered, never how fast."""

from __future__ import annotations

import json
import sys
import time
from types import SimpleNamespace

import pytest

from lablib.serving import loadgen


def served(scenario, answer, **options):
    return loadgen.run(scenario, loadgen.answering(answer), 50, seconds=0.05, rate=2000, **options)


@pytest.mark.parametrize("scenario", loadgen.SCENARIOS)
def test_every_sample_is_asked_and_answered(scenario):
    sizes = []

    def answer(samples, complete):
        sizes.append(len(samples))
        assert all(0 <= index < 50 for _, index in samples)
        complete([one for one, _ in samples], [index for _, index in samples])

    result = served(scenario, answer).result
    assert result["scenario"] == scenario and result["mode"] == "PerformanceOnly"
    assert set(sizes) == {"SingleStream": {1}, "MultiStream": {8}, "Server": {1}}.get(scenario, {sizes[0]})
    assert result["queries"] == len(sizes)


def test_accuracy_mode_asks_for_each_sample_once_and_logs_the_answers():
    rows = json.loads(
        served("Offline", lambda s, c: c([i for i, _ in s], [7 * n for _, n in s]), accuracy=True).accuracy
    )
    assert sorted(row["qsl_idx"] for row in rows) == list(range(50))
    assert all(bytes.fromhex(row["data"]) == (7 * row["qsl_idx"]).to_bytes(8, "little") for row in rows)


@pytest.mark.parametrize("scenario", loadgen.SCENARIOS)
def test_what_a_worker_raises_is_raised(scenario):
    def fails(samples, complete):
        raise KeyError("no such model")

    with pytest.raises(KeyError, match="no such model"):
        served(scenario, fails)


def test_samples_left_unanswered_end_the_run_in_a_sentence():
    with pytest.raises(RuntimeError, match=r"left \d+ samples unanswered"):
        served("Offline", lambda samples, complete: complete([samples[0][0]], [1]))


@pytest.mark.parametrize("scenario", ["SingleStream", "MultiStream", "Server"])
def test_a_worker_that_returns_early_ends_the_run_in_a_sentence(scenario):
    def one_query(inbox, complete):
        samples = inbox.get()
        complete([one for one, _ in samples], [0] * len(samples))

    with pytest.raises(RuntimeError, match=r"returned before LoadGen had asked for everything|samples unanswered"):
        loadgen.run(scenario, one_query, 50, seconds=0.05, rate=2000)


def test_what_is_asked_when_the_worker_has_returned_is_answered_and_fails():
    answered: list[int] = []
    lg = SimpleNamespace(QuerySampleResponse=lambda one, *_: one, QuerySamplesComplete=answered.extend)
    desk = loadgen._Desk(lg, lambda inbox, complete: None)
    time.sleep(0.1)  # the thread has left the worker
    desk.issue([SimpleNamespace(id=7, index=0)])
    desk.close()
    assert answered == [7]
    assert isinstance(desk.failure, RuntimeError)


def test_an_id_is_completed_once_and_with_an_answer():
    with pytest.raises(ValueError, match="not open: it was completed"):
        served("SingleStream", lambda s, c: (c([s[0][0]], [1]), c([s[0][0]], [1])))
    with pytest.raises(ValueError, match="1 ids and 2 answers"):
        served("SingleStream", lambda s, c: c([s[0][0]], [1, 2]))


def test_logs_leave_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    served("Offline", lambda s, c: c([i for i, _ in s], [0] * len(s)))
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_scenario_and_a_missing_loadgen_are_told_in_a_sentence(monkeypatch):
    with pytest.raises(ValueError, match="'Batch' is no scenario of LoadGen: expected one of SingleStream"):
        served("Batch", print)
    monkeypatch.setitem(sys.modules, "mlperf_loadgen", None)
    with pytest.raises(RuntimeError, match="LoadGen is not installed here: run `make lab`"):
        served("Offline", print)


def test_the_probe_counts_what_is_completed():
    counted = []

    def answer(samples, complete):
        counted.append(len(samples))
        complete([i for i, _ in samples], [0] * len(samples))

    assert loadgen.probe(loadgen.answering(answer), 40, seconds=0.01) > 0
    assert set(counted) == {40}
