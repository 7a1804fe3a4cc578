from __future__ import annotations

import json

import pytest

from lablib.serving import logs


def lines(**pairs):
    return "\n".join(f":::MLLOG {json.dumps({'key': key, 'value': value})}" for key, value in pairs.items())


def test_lines_of_anything_else_are_passed_over():
    text = "hello\n:::MLLOG" + ' {"key": "a", "value": 1}\nx :::MLLOG {"key": "b"}\n'
    assert [event["key"] for event in logs.events(text)] == ["a"]


@pytest.mark.parametrize(
    ("line", "words"), [(":::MLLOG {", "holds no JSON"), (':::MLLOG {"value": 1}', "without a key")]
)
def test_a_broken_event_is_named_with_its_line(line, words):
    with pytest.raises(ValueError, match=f"Line 2 of the log .*{words}"):
        logs.events("\n" + line)


@pytest.mark.parametrize("scenario", logs.METRICS)
def test_each_scenario_has_its_own_metric(scenario):
    values = {key: number for number, (key, _, _) in enumerate(logs.METRICS.values())}
    told = logs.summary(lines(effective_scenario=scenario, result_validity="VALID", num_errors=0, **values))
    assert told["value"] == list(logs.METRICS).index(scenario)
    assert told["valid"] and told["reasons"] == []


def test_an_invalid_run_says_why():
    text = lines(
        effective_scenario="Server", result_validity="INVALID", result_perf_constraints_met=False,
        result_min_duration_met=True, early_stopping_met=False,
    )  # fmt: skip
    assert logs.summary(text)["reasons"] == ["latency bound", "early stopping"]
    assert logs.summary(text)["valid"] is False


def test_an_accuracy_run_has_no_metric():
    told = logs.summary(lines(effective_scenario="Offline", effective_test_mode="AccuracyOnly"))
    assert told["valid"] is None and told["value"] is None


def test_logs_that_tell_nothing_are_refused():
    with pytest.raises(ValueError, match="names no scenario"):
        logs.summary(lines(seed=1))
    with pytest.raises(ValueError, match="the run did not end"):
        logs.summary(lines(effective_scenario="Offline", effective_test_mode="PerformanceOnly"))


def test_a_training_run_stops_at_its_target():
    ticks = iter(range(100))
    log = logs.TrainingLog(clock=lambda: next(ticks))
    assert log.run([0.2, 0.5, 0.9, 1.0], target=0.8, seed=3)
    told = logs.events(log.text)
    assert [event["key"] for event in told] == ["seed", "run_start", *["eval_accuracy"] * 3, "run_stop"]
    assert [event["time_ms"] for event in told] == [1000 * n for n in range(6)]
    assert told[-1]["metadata"] == {"status": "success"} and told[1]["event_type"] == "INTERVAL_START"
    assert not log.run([0.2], target=0.8, seed=4)
    assert logs.events(log.text)[-1]["metadata"] == {"status": "aborted"}
