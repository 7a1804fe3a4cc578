"""End real processes with SIGKILL, which nobody can catch: a function, a rank under torchrun, a Dask worker."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["dask_with_kills", "run_and_kill", "torchrun_with_kill"]


def run_and_kill(function: Callable[[], object], after: float) -> bool:
    """Run ``function`` in a process of its own, and kill that after so many seconds.

    The process is a fork, so ``function`` may be defined in a notebook; it must not use torch, whose threads a fork
    does not take along.

    Returns
    -------
    bool
        Whether it was killed; False if it had ended.

    Raises
    ------
    RuntimeError
        If it ended with an error of its own.

    Examples
    --------
    >>> import time
    >>> run_and_kill(lambda: time.sleep(60), after=0.01)
    True
    """
    process = multiprocessing.get_context("fork").Process(target=function, daemon=True)
    process.start()
    process.join(after)
    if process.pid is not None and process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"The process ended with exit code {process.exitcode} of its own: see its output above.")
    return process.exitcode == -signal.SIGKILL


def torchrun_with_kill(
    samples: int = 60, batch: int = 6, ranks: int = 2, seconds: float = 120.0
) -> dict[str, Any]:  # fmt: skip
    """Run `lablib.cloud.elastic_worker` under torchrun; a rank is killed, and torchrun starts all of them again.

    Parameters
    ----------
    samples, batch, ranks
        What is counted, how many of them in a step, and by how many processes.
    seconds
        After which all processes are ended.

    Returns
    -------
    dict
        ``attempt`` (restarts that it took), ``world``, ``resumed_at``, ``steps``, and ``counts``: how often each sample
        counted.

    Raises
    ------
    RuntimeError
        If the job did not end well, or not in time; the text has its last lines.
    """
    with tempfile.TemporaryDirectory() as folder:
        worker = Path(__file__).with_name("elastic_worker.py")
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
        launch += ["--max-restarts=2", "--monitor-interval=0.1", f"--log-dir={folder}/ranks"]
        launch += [str(worker), folder, str(samples), str(batch)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
        report, log = Path(folder) / "report.json", Path(folder) / "log"
        with log.open("w") as said:
            process = subprocess.Popen(launch, env=environment, stdout=said, stderr=said)
            try:
                how = f"ended with {process.wait(seconds)}"
            except subprocess.TimeoutExpired:
                how = f"took more than {seconds:g} s and was ended"
            finally:
                _end(process, folder)
        if process.returncode or not report.exists():
            raise RuntimeError(f"torchrun {how}: {log.read_text(errors='replace')[-2000:]}")
        return json.loads(report.read_text())


def _end(process: subprocess.Popen, folder: str) -> None:
    """Kill torchrun if it still runs, and what it left: each rank has a session of its own, and names the folder."""
    process.kill()
    process.wait()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile, or is another user's
            if folder.encode() in (entry / "cmdline").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)


def dask_with_kills(dealer: Any, work: Callable[[list[int]], Any], kills: int = 2) -> dict[str, Any]:
    """Let Dask workers do the chunks of a dealer, and kill workers while they are busy.

    Parameters
    ----------
    dealer
        Has ``take(worker)``, ``done(lease)`` and ``lost(worker)``, as lab17 describes them.
    work
        From the ids of a chunk to its result; it runs in other processes.
    kills
        Workers to kill, one after the other.

    Returns
    -------
    dict
        ``results`` of the chunks that counted, ``killed`` and ``refused``, leases whose work did not count.

    Raises
    ------
    ImportError
        If dask.distributed is not installed.
    """
    try:
        from distributed import Client, KilledWorker, LocalCluster, as_completed
    except ImportError as error:
        raise ImportError("This needs dask.distributed: run `pip install distributed`.") from error
    told: dict[str, Any] = {"results": [], "killed": 0, "refused": 0}
    # The scheduler's pages take any free port: two clusters may run on one machine.
    pages = {"dashboard_address": "127.0.0.1:0", "scheduler_kwargs": {"dashboard": False}}
    options = {"n_workers": 2, "threads_per_worker": 1, "silence_logs": 50, **pages}
    # A worker that is killed is not asked again to do the same chunk: the dealer hands it out anew.
    with LocalCluster(host="127.0.0.1", **options) as cluster, Client(cluster) as client:
        client.run_on_scheduler(_no_retries)
        queue = as_completed()
        for number in range(4):
            _submit(client, queue, dealer, work, number)
        for count, future in enumerate(queue):
            worker, lease = future.lab
            try:
                result = future.result()
                counted = dealer.done(lease)
                told["results"] += [result] if counted else []
                told["refused"] += not counted
            except KilledWorker:
                dealer.lost(worker)
                told["refused"] += not dealer.done(lease)
            if told["killed"] < kills and count % 4 == 3:
                os.kill(next(iter(_pids(client))), signal.SIGKILL)
                told["killed"] += 1
            _submit(client, queue, dealer, work, worker)
        if not dealer.finished():
            raise RuntimeError("Nothing is left to do, and the dealer is not finished.")
    return told


def _pids(client: Any) -> list[int]:
    return list(client.run(os.getpid).values())


def _no_retries(dask_scheduler: Any) -> None:
    dask_scheduler.allowed_failures = 0


def _submit(client: Any, queue: Any, dealer: Any, work: Callable[[list[int]], Any], worker: Any) -> None:
    got = dealer.take(worker)
    if got is not None:
        future = client.submit(work, got[1], pure=False)
        future.lab = worker, got[0]
        queue.add(future)
