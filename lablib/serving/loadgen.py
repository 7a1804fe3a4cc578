"""MLPerf's load generator against a server of yours.

    LoadGen ──samples──> inbox ──> your worker, in a thread ──complete(ids, answers)──> LoadGen ──> logs

LoadGen decides when queries come and measures how long they take; it knows nothing of models. Four scenarios are four
ways to ask: one sample at a time (SingleStream), eight at a time (MultiStream), at random moments at a given rate
(Server), all at once (Offline). Its logs go to a folder that is removed when they have been read.

Reference: Reddi et al., "MLPerf Inference Benchmark", ISCA 2020, arXiv:1911.02549, section III.
"""

from __future__ import annotations

import tempfile
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from lablib.serving import logs

__all__ = ["SCENARIOS", "Complete", "Run", "Sample", "answering", "probe", "run"]

SCENARIOS = ("SingleStream", "MultiStream", "Server", "Offline")

Sample = tuple[int, int]
"""(id of this request, index of the sample in the data set)."""
Complete = Callable[[Sequence[int], Sequence[int]], None]
"""Takes ids, and for each the answer, an int."""
Worker = Callable[[SimpleQueue, Complete], None]
"""Takes lists of samples from the queue until None comes, and completes each sample once."""


@dataclass(frozen=True)
class Run:
    """What LoadGen wrote: ``detail`` (``:::MLLOG`` lines), ``summary`` (for people) and ``accuracy`` (JSON)."""

    detail: str
    summary: str
    accuracy: str

    @property
    def result(self) -> dict[str, Any]:
        """The run in MLPerf's terms; see `lablib.serving.logs.summary`."""
        return logs.summary(self.detail)


def answering(answer: Callable[[list[Sample], Complete], None]) -> Worker:
    """A worker that answers one query after the other with ``answer(samples, complete)``."""

    def work(inbox: SimpleQueue, complete: Complete) -> None:
        while (samples := inbox.get()) is not None:
            answer(samples, complete)

    return work


def run(
    scenario: str,
    worker: Worker,
    count: int,
    *,
    accuracy: bool = False,
    seconds: float = 1.0,
    rate: float = 1000.0,
    bound: float = 0.1,
    percentile: float = 0.9,
) -> Run:
    """Run one scenario.

    Parameters
    ----------
    scenario
        One of `SCENARIOS`.
    worker
        Runs in a thread of its own; see `answering` and `lablib.serving.batching.worker`.
    count
        Samples in the data set; LoadGen asks for indices below it.
    accuracy
        Ask for each sample exactly once and log the answers, instead of measuring.
    seconds
        The least duration of a performance run. (An official one lasts 600 s.)
    rate
        In Server: queries a second. Otherwise: samples a second that the server does not reach, so that LoadGen
        prepares enough queries; a run takes up to ``1.1 * rate / reached * seconds``.
    bound, percentile
        In Server: the seconds within which that share of queries is to be answered.

    Raises
    ------
    ValueError
        If there is no such scenario, or the worker completes a sample that is not open.
    RuntimeError
        If LoadGen is not installed, or the worker ended and left samples unanswered. What the worker raised is raised.

    Examples
    --------
    >>> answer = lambda samples, complete: complete([i for i, _ in samples], [index % 10 for _, index in samples])
    >>> run("Offline", answering(answer), 20, accuracy=True).result["scenario"]
    'Offline'
    """
    if scenario not in SCENARIOS:
        raise ValueError(f"{scenario!r} is no scenario of LoadGen: expected one of {', '.join(SCENARIOS)}.")
    lg = _loadgen()
    settings = _settings(lg, scenario, accuracy, seconds, rate, bound, percentile)
    desk = _Desk(lg, worker)
    with tempfile.TemporaryDirectory(prefix="lablib-loadgen-") as folder:
        sut = lg.ConstructSUT(desk.issue, desk.flush)
        qsl = lg.ConstructQSL(count, count, lambda _: None, lambda _: None)
        try:
            lg.StartTestWithLogSettings(sut, qsl, settings, _log_settings(lg, folder))
        finally:
            desk.close()
            lg.DestroyQSL(qsl)
            lg.DestroySUT(sut)
        texts = [(Path(folder) / f"mlperf_log_{name}").read_text() for name in _FILES]
    if desk.failure:
        raise desk.failure
    return Run(*texts)


_FEWEST = {"SingleStream": 100, "MultiStream": 700, "Server": 100, "Offline": 1}
"""Least queries of a run: early stopping has no estimate of a 90th percentile below 64, of a 99th below 662."""
_FILES = ("detail.txt", "summary.txt", "accuracy.json")


def _loadgen() -> Any:
    try:
        import mlperf_loadgen
    except ImportError as error:
        raise RuntimeError(
            "MLPerf's LoadGen is not installed here: run `make lab`, or `pip install -e '.[serving]'` in the checkout, "
            "then restart the kernel."
        ) from error
    return mlperf_loadgen


def _settings(
    lg: Any, scenario: str, accuracy: bool, seconds: float, rate: float, bound: float, percentile: float
) -> Any:
    made = lg.TestSettings()
    made.scenario = getattr(lg.TestScenario, scenario)
    made.mode = lg.TestMode.AccuracyOnly if accuracy else lg.TestMode.PerformanceOnly
    made.min_duration_ms = round(1000 * seconds)
    made.min_query_count = _FEWEST[scenario]
    # LoadGen prepares as many queries as these expectations say: it must not expect a slower server than there is.
    made.single_stream_expected_latency_ns = round(1e9 / rate)
    made.multi_stream_samples_per_query = 8
    made.multi_stream_expected_latency_ns = round(8e9 / rate)
    made.offline_expected_qps = rate
    made.server_target_qps = rate
    made.server_target_latency_ns = round(1e9 * bound)
    made.server_target_latency_percentile = percentile
    return made


def _log_settings(lg: Any, folder: str) -> Any:
    output = lg.LogOutputSettings()
    output.outdir = folder
    output.copy_summary_to_stdout = False
    made = lg.LogSettings()
    made.log_output = output
    made.enable_trace = False
    return made


class _Desk:
    """Stands between LoadGen and the worker, and sees to it that every sample is answered, or the run fails.

    LoadGen waits for every answer, for ever. So when a worker fails, what is open and what still comes is answered
    with -1, and the failure is raised when LoadGen has returned.
    """

    def __init__(self, lg: Any, worker: Worker) -> None:
        self._lg, self._worker = lg, worker
        self._inbox: SimpleQueue = SimpleQueue()
        self._lock = threading.Lock()
        self._open: set[int] = set()
        self._ended = False
        self.failure: BaseException | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def issue(self, samples: Any) -> None:
        taken = [(sample.id, sample.index) for sample in samples]
        with self._lock:
            self._open.update(i for i, _ in taken)
            if self._ended and self.failure is None:
                self.failure = RuntimeError(
                    "The worker returned before LoadGen had asked for everything: it must take from the queue until "
                    "None comes."
                )
            failed = self.failure is not None
        if failed:
            self._give_up()
        else:
            self._inbox.put(taken)

    def flush(self) -> None:
        """LoadGen issues no more: whoever waits for company need not."""
        self._inbox.put(None)

    def close(self) -> None:
        self._inbox.put(None)
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        try:
            self._worker(self._inbox, self._complete)
            with self._lock:
                self._ended, left = True, len(self._open)
            if left:
                raise RuntimeError(f"The worker ended and left {left} samples unanswered.")
        except BaseException as error:
            with self._lock:
                self.failure = error
            self._give_up()
        self._over.wait()  # LoadGen still reads what this thread has logged, and crashes when it has ended

    def _complete(self, ids: Sequence[int], answers: Sequence[int]) -> None:
        if len(ids) != len(answers):
            raise ValueError(f"complete got {len(ids)} ids and {len(answers)} answers: each id needs one answer.")
        with self._lock:
            for one in ids:
                if one not in self._open:
                    raise ValueError(f"complete got the id {one}, which is not open: it was completed, or never asked.")
                self._open.remove(one)
        self._respond(ids, [int(answer) for answer in answers])

    def _respond(self, ids: Sequence[int], answers: list[int]) -> None:
        values = array("q", answers)
        start, size = values.buffer_info()[0], values.itemsize
        respond = self._lg.QuerySampleResponse
        self._lg.QuerySamplesComplete([respond(one, start + size * n, size) for n, one in enumerate(ids)])

    def _give_up(self) -> None:
        with self._lock:
            left, self._open = sorted(self._open), set()
        self._respond(left, [-1] * len(left))


def probe(worker: Worker, count: int, seconds: float = 0.3) -> float:
    """Samples a second that a worker reaches when all are there at once: what to multiply for ``rate`` of `run`.

    Parameters
    ----------
    worker
        As in `run`; it runs in this thread, and must end when None comes.
    count
        Samples of the one query that it gets each time, with the indices from 0 up as their ids.
    seconds
        The least time to measure; the call that runs then is waited for.

    Returns
    -------
    float
        Samples that were completed, over the seconds that this took.
    """
    inbox: SimpleQueue = SimpleQueue()
    done, start = 0, time.perf_counter()

    def complete(ids: Sequence[int], answers: Sequence[int]) -> None:
        nonlocal done
        done += len(ids)

    while time.perf_counter() - start < seconds:
        inbox.put([(index, index) for index in range(count)])
        inbox.put(None)
        worker(inbox, complete)
    return done / (time.perf_counter() - start)
