"""MLPerf's log lines, ``:::MLLOG {json}``: reading them, writing them, and what a run of LoadGen comes to.

Both suites write one event a line. MLPerf Inference's LoadGen writes settings and results; a training run writes its
start, its evaluations and its stop. The format is that of mlcommons/logging (mlperf_logging/mllog) and of LoadGen's
``logging.cc``: a prefix, then a JSON object with ``key``, ``value``, ``time_ms``, ``namespace``, ``event_type`` and
``metadata``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["METRICS", "PREFIX", "TrainingLog", "events", "summary"]

PREFIX = ":::MLLOG"

METRICS = {
    "SingleStream": ("early_stopping_latency_ss", "90th percentile of latency", "ns"),
    "MultiStream": ("early_stopping_latency_ms", "99th percentile of a query's latency", "ns"),
    "Server": ("result_completed_samples_per_sec", "completed samples a second", "1/s"),
    "Offline": ("result_samples_per_second", "samples a second", "1/s"),
}
"""By scenario: the key of LoadGen's detail log that is MLPerf's metric, what it means, and its unit."""


def events(text: str) -> list[dict[str, Any]]:
    """The events of a log, in order; lines of anything else are passed over.

    Raises
    ------
    ValueError
        If a line begins as an event and is none.

    Examples
    --------
    >>> [event["value"] for event in events('epoch 1\\n:::MLLOG {"key": "seed", "value": 3}')]
    [3]
    """
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.startswith(PREFIX):
            continue
        try:
            event = json.loads(line[len(PREFIX) :])
        except json.JSONDecodeError as error:
            raise ValueError(f"Line {number} of the log begins with {PREFIX} but holds no JSON: {error}.") from None
        if not isinstance(event, dict) or "key" not in event:
            raise ValueError(f"Line {number} of the log is an event without a key: {line[:80]!r}.")
        found.append(event)
    return found


def summary(detail: str) -> dict[str, Any]:
    """What a run of LoadGen came to, from its detail log.

    Returns
    -------
    dict
        ``scenario``, ``mode``, ``valid``, ``metric`` (in words), ``value``, ``unit``, ``queries``, ``reasons`` (why it
        is invalid) and ``errors``. In accuracy mode there is neither metric nor validity: these are None.

    Raises
    ------
    ValueError
        If the log names no scenario, or a performance run ended without a result.

    Examples
    --------
    >>> lines = {"effective_scenario": "Offline", "effective_test_mode": "PerformanceOnly",
    ...          "result_validity": "VALID", "result_samples_per_second": 250.0}
    >>> log = "\\n".join(f':::MLLOG {json.dumps({"key": k, "value": v})}' for k, v in lines.items())
    >>> summary(log)["value"], summary(log)["valid"]
    (250.0, True)
    """
    last = {event["key"]: event.get("value") for event in events(detail)}
    scenario = last.get("effective_scenario")
    if scenario not in METRICS:
        raise ValueError(f"The log names no scenario of {', '.join(METRICS)}: is it LoadGen's mlperf_log_detail.txt?")
    key, metric, unit = METRICS[scenario]
    told = {
        "scenario": scenario, "mode": last.get("effective_test_mode"), "valid": None, "metric": None, "value": None,
        "unit": None, "queries": last.get("result_query_count"), "reasons": [], "errors": last.get("num_errors", 0),
    }  # fmt: skip
    if told["mode"] == "AccuracyOnly":
        return told
    if "result_validity" not in last:
        raise ValueError("The log of this performance run has no result: the run did not end.")
    met = {
        "latency bound": "result_perf_constraints_met", "duration": "result_min_duration_met",
        "number of queries": "result_min_queries_met", "early stopping": "early_stopping_met",
    }  # fmt: skip
    reasons = [name for name, flag in met.items() if last.get(flag) is False]
    valid = last["result_validity"] == "VALID"
    return {**told, "valid": valid, "metric": metric, "value": last.get(key), "unit": unit, "reasons": reasons}


class TrainingLog:
    """Writes what a training run has to log, a line an event.

    Parameters
    ----------
    clock
        Gives seconds; time zero is not told from any other.

    Examples
    --------
    >>> log = TrainingLog(clock=lambda: 2.0)
    >>> log.event("run_stop", metadata={"status": "success"}, kind="INTERVAL_END")
    >>> events(log.text)[0]["time_ms"], events(log.text)[0]["metadata"]
    (2000, {'status': 'success'})
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lines: list[str] = []

    @property
    def text(self) -> str:
        """The log so far."""
        return "\n".join(self._lines)

    def event(
        self, key: str, value: Any = None, metadata: dict[str, Any] | None = None, kind: str = "POINT_IN_TIME"
    ) -> None:
        """Write one event; ``kind`` is POINT_IN_TIME, INTERVAL_START or INTERVAL_END."""
        line = {
            "namespace": "", "time_ms": round(1000 * self._clock()), "event_type": kind, "key": key, "value": value,
            "metadata": metadata or {},
        }  # fmt: skip
        self._lines.append(f"{PREFIX} {json.dumps(line)}")

    def run(self, evaluate: Iterable[float], target: float, seed: int) -> bool:
        """Write a whole run: ``evaluate`` trains an epoch when asked, and yields its quality; stop at the target.

        Returns
        -------
        bool
            Whether the target was reached.
        """
        self.event("seed", seed)
        self.event("run_start", kind="INTERVAL_START")
        reached = False
        for epoch, quality in enumerate(evaluate, start=1):
            self.event("eval_accuracy", quality, {"epoch_num": epoch})
            if quality >= target:
                reached = True
                break
        self.event("run_stop", metadata={"status": "success" if reached else "aborted"}, kind="INTERVAL_END")
        return reached
