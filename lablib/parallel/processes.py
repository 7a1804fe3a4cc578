"""Ranks as processes over gloo or NCCL: the same function and the same counters as with threads.

The processes come from a server that has torch loaded, so that a second launch starts in tenths of a second. Each
reports through a pipe of its own; whoever does not within the time limit is ended.
"""

from __future__ import annotations

import os
import tempfile
import time
import traceback
from collections.abc import Callable
from multiprocessing import connection, get_context
from pathlib import Path
from typing import Any

import torch

from lablib.parallel.communicator import Communicator
from lablib.parallel.errors import RankFailed
from lablib.parallel.traffic import Traffic

__all__ = ["run_processes"]

_PRELOADED = ["torch._dynamo", "torch.distributed.tensor", "lablib.parallel.processes"]


class ProcessCommunicator(Communicator):
    """One rank of PyTorch's default process group."""

    def __init__(self, rank: int, size: int, started: float, device: torch.device) -> None:
        super().__init__(rank, size, started)
        self._device = device

    def _exchange(self, tensor: torch.Tensor, to: int, source: int) -> torch.Tensor:
        from torch import distributed as dist

        if to == source == self.rank:
            return tensor.clone()
        sent = tensor.contiguous().to(self._device)
        received = torch.empty_like(sent)
        pair = [dist.P2POp(dist.isend, sent, to), dist.P2POp(dist.irecv, received, source)]
        for work in dist.batch_isend_irecv(pair):
            work.wait()
        return received.to(tensor.device)

    def _start(self, operation: str, tensor: torch.Tensor) -> Callable[[], torch.Tensor]:
        from torch import distributed as dist

        mine = tensor.contiguous().to(self._device)
        work: Any  # PyTorch declares that it may be None, which it is for ranks outside of the group
        rows, rest = (mine.shape[0], mine.shape[1:]) if mine.dim() else (1, ())
        # PyTorch 2.13 renamed two collectives; the machine with the GPUs may have an older one.
        gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
        scatter = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor
        if operation == "all_reduce":
            result = mine.clone() if mine.data_ptr() == tensor.data_ptr() else mine
            work = dist.all_reduce(result, async_op=True)
        elif operation == "all_gather":
            result = mine.new_empty((rows * self.size, *rest))
            work = gather(result, mine, async_op=True)
        else:
            result = mine.new_empty((rows // self.size, *rest))
            work = scatter(result, mine, async_op=True)

        def wait() -> torch.Tensor:
            work.wait()
            return result.to(tensor.device)

        return wait


def run_processes(
    function: Callable[..., Any], size: int, args: tuple, seconds: float, backend: str
) -> tuple[list[Any], Traffic]:
    """Call ``function(comm, *args)`` on ``size`` processes; see `lablib.parallel.launch`."""
    if backend == "nccl" and torch.cuda.device_count() < size:
        raise RankFailed(f"NCCL wants a GPU for each of {size} ranks; this machine has {torch.cuda.device_count()}")
    content = _pickler().dumps((function, args))
    context = get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    started = time.time()
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder) / "store")
        pipes = [context.Pipe(duplex=False) for _ in range(size)]
        processes = [
            context.Process(
                target=_work, args=(rank, size, backend, store, started, seconds, content, pipe[1]), daemon=True
            )
            for rank, pipe in enumerate(pipes)
        ]
        try:
            for process, pipe in zip(processes, pipes, strict=True):
                process.start()
                pipe[1].close()  # so that a rank that dies ends its pipe
            outcomes = _collect([pipe[0] for pipe in pipes], started + seconds, seconds)
        finally:
            for process in processes:
                process.kill()
                process.join(5)
    return [value for value, _ in outcomes], Traffic().merge(traffic for _, traffic in outcomes)


def _pickler() -> Any:
    try:
        import cloudpickle
    except ImportError as error:
        raise ImportError(
            "A notebook's functions travel to other processes with cloudpickle, which is not installed here: "
            "run `pip install cloudpickle`, or launch with backend='threads'."
        ) from error
    return cloudpickle


def _collect(pipes: list[Any], deadline: float, seconds: float) -> list[tuple[Any, Traffic]]:
    """What each rank reports; the first failure ends the launch."""
    outcomes: dict[int, tuple[Any, Traffic]] = {}
    while len(outcomes) < len(pipes):
        waiting = [pipe for rank, pipe in enumerate(pipes) if rank not in outcomes]
        ready: list[Any] = connection.wait(waiting, max(0.0, deadline - time.time()))
        if not ready:
            late = ", ".join(str(rank) for rank in range(len(pipes)) if rank not in outcomes)
            raise RankFailed(f"after {seconds:g} s nothing came from rank {late} of {len(pipes)}; all were ended")
        for pipe in ready:
            rank = pipes.index(pipe)
            try:
                failure, outcome = _pickler().loads(pipe.recv_bytes())
            except EOFError:
                raise RankFailed(f"the process of rank {rank} of {len(pipes)} died; all were ended") from None
            if failure:
                raise RankFailed(failure)
            outcomes[rank] = outcome
    return [outcomes[rank] for rank in range(len(pipes))]


def _work(
    rank: int, size: int, backend: str, store: str, started: float, seconds: float, content: bytes, pipe: Any
) -> None:
    """One rank's process."""
    from datetime import timedelta

    from torch import distributed as dist

    torch.set_num_threads(1)
    os.environ["NCCL_NVLS_ENABLE"] = "0"  # NVLink multicast is not for hosts that several users share
    try:
        device = torch.device("cpu")
        if backend == "nccl":
            device = torch.device("cuda", rank)
            torch.cuda.set_device(device)
        dist.init_process_group(
            backend, init_method=f"file://{store}", rank=rank, world_size=size, timeout=timedelta(seconds=seconds),
            device_id=device if backend == "nccl" else None,
        )  # fmt: skip
        function, args = _pickler().loads(content)
        comm = ProcessCommunicator(rank, size, started, device)
        answer = _packed(rank, size, function(comm, *args), comm.traffic)
    except BaseException as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"line {frame.lineno} of {frame.name}"
        answer = _pickler().dumps((f"rank {rank} of {size} raised {type(error).__name__}: {error} ({where})", None))
    pipe.send_bytes(answer)
    pipe.close()
    os._exit(0)  # without waiting for peers that may hang


def _packed(rank: int, size: int, value: Any, traffic: Traffic) -> bytes:
    """What a rank reports; of a value that cannot go to another process, that it cannot."""
    try:
        return _pickler().dumps((None, (value, traffic)))
    except Exception as error:
        told = f"rank {rank} of {size} returned a value that cannot go to another process: {error}"
        return _pickler().dumps((told, None))
