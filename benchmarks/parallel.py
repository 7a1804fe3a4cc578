"""Collectives and a training step on several GPUs of one host, over NCCL; or, to try the script, over gloo.

    python -m benchmarks.parallel [FILE] [--backend gloo]

Every rank runs the same calls through `lablib.parallel.launch`. Bus bandwidth is what each rank's wire carries: the
bytes of the ring divided by the time. NVLink multicast (NVLS) is off, since hosts are shared. A step of a GPT is timed
on one GPU, under DDP and under FSDP2, with the same batch on each GPU (weak scaling). About 2 minutes on 2 or 4 H200s.
The result is benchmarks/results/<date>-<gpu>-x<ranks>-parallel.json unless FILE is given.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks import result_files
from lablib.models.gpt import GPT
from lablib.parallel import launch, ring_bytes

MIB = 2**20
SIZES = {"nccl": (MIB, 16 * MIB, 256 * MIB, 1024 * MIB), "gloo": (MIB // 16, MIB)}
MODELS = {
    "nccl": {"vocabulary": 50304, "width": 1536, "heads": 12, "depth": 24, "context": 1024},
    "gloo": {"vocabulary": 64, "width": 64, "heads": 4, "depth": 2, "context": 64},
}
REPEATS = 20


def timed(call: Callable[[], Any], device: str, repeats: int = REPEATS) -> list[float]:
    """Seconds of each repeat, after three that are not counted; all ranks begin together."""
    from torch import distributed as dist

    seconds = []
    for repeat in range(repeats + 3):
        dist.barrier()
        if device == "cuda":
            torch.cuda.synchronize()
        begun = time.perf_counter()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        if repeat >= 3:
            seconds.append(time.perf_counter() - begun)
    return seconds


def collectives(comm: Any, sizes: tuple[int, ...], device: str) -> list[dict[str, Any]]:
    """Each collective at each size: median seconds and bus bandwidth of this rank."""
    from torch import distributed as dist

    rows = []
    for nbytes in sizes:
        whole = torch.ones(nbytes // 4, device=device)
        part = torch.ones(nbytes // 4 // comm.size, device=device)
        gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
        scatter = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor
        calls = {
            "all_reduce": lambda whole=whole: dist.all_reduce(whole),
            "all_gather": lambda whole=whole, part=part, gather=gather: gather(whole, part),
            "reduce_scatter": lambda whole=whole, part=part, scatter=scatter: scatter(part, whole),
        }
        for name, call in calls.items():
            seconds = statistics.median(timed(call, device))
            sent = float(ring_bytes(name, nbytes, comm.size))
            rows.append({"collective": name, "bytes": nbytes, "seconds": seconds, "bus_bytes_per_s": sent / seconds})
    return rows


def step_seconds(comm: Any, how: str, sizes: dict[str, int], device: str) -> dict[str, Any]:
    """Median seconds of a training step of the GPT: ``"alone"``, ``"ddp"`` or ``"fsdp"``; 8 sequences a rank."""
    from torch.distributed.fsdp import fully_shard
    from torch.nn.parallel import DistributedDataParallel

    torch.manual_seed(comm.rank)
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    model = GPT(**sizes).to(device, dtype)
    if how == "fsdp":
        for block in model.blocks:
            fully_shard(block)
        fully_shard(model)
    runs = DistributedDataParallel(model, gradient_as_bucket_view=True) if how == "ddp" else model
    optimizer = torch.optim.AdamW(runs.parameters(), lr=1e-4, fused=True)
    tokens = torch.randint(sizes["vocabulary"], (8, sizes["context"]), device=device)

    def step() -> None:
        logits = runs(tokens)
        torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), tokens.flatten()).backward()
        optimizer.step()
        optimizer.zero_grad()

    seconds = timed(step, device, repeats=10)
    return {"how": how, "ranks": comm.size, "median": statistics.median(seconds), "seconds": seconds}


def exchange_bytes(comm: Any) -> bool:
    """lab15's first exercise in small: what comes back is the left neighbour's."""
    mine = torch.full((4,), float(comm.rank))
    left = comm.exchange(mine, (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size)
    return bool((left == (comm.rank - 1) % comm.size).all())


def measure(backend: str, ranks: int) -> dict[str, Any]:
    """Everything on ``ranks`` ranks."""
    device, sizes = "cuda" if backend == "nccl" else "cpu", MODELS[backend]

    def run(function: Callable[..., Any], size: int, *args: Any) -> list[Any]:
        return launch(function, size, *args, backend=backend, seconds=300).values

    if not all(run(exchange_bytes, ranks)):
        raise RuntimeError("exchange gives wrong values on this machine: nothing is measured")
    steps = [run(step_seconds, 1, "alone", sizes, device)[0]]
    steps += [
        max(run(step_seconds, ranks, how, sizes, device), key=lambda one: one["median"]) for how in ("ddp", "fsdp")
    ]
    return {
        "backend": backend,
        "ranks": ranks,
        "model": sizes,
        "collectives": run(collectives, ranks, SIZES[backend], device)[0],
        "steps": steps,
        "weak_scaling": {one["how"]: steps[0]["median"] / one["median"] for one in steps[1:]},
    }


def main() -> None:
    """Measure, write the result, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--backend", choices=("nccl", "gloo"), default="nccl")
    asked = parser.parse_args()
    ranks = torch.cuda.device_count() if asked.backend == "nccl" else 2
    if ranks < 2:
        raise SystemExit(f"this machine has {ranks} GPU: two are needed; --backend gloo tries the script without any")
    machine = result_files.gpu() if asked.backend == "nccl" else result_files.cpu()
    slug = f"{result_files.gpu_slug()}-x{ranks}" if asked.backend == "nccl" else f"cpu-x{ranks}"
    result = {**machine, **measure(asked.backend, ranks)}
    path = result_files.write(result, slug, "parallel", asked.file)
    for row in result["collectives"]:
        print(f"{row['collective']:15} {row['bytes'] / MIB:8.2f} MiB  {row['bus_bytes_per_s'] / 1e9:8.2f} GB/s")
    print({how: f"{share:.2f}" for how, share in result["weak_scaling"].items()}, f"weak scaling; written to {path}")


if __name__ == "__main__":
    main()
