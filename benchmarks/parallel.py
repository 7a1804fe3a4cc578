"""Collectives, training steps and split models on several GPUs of one host, over NCCL; or, to try it, over gloo.

    python -m benchmarks.parallel [FILE] [--backend gloo]

lab15's functions run as the solution has them, beside torch's own means. Every rank runs the same calls through
`lablib.parallel.launch`; a repeat takes as long as its slowest rank, and figures are medians. NVLink multicast (NVLS)
is off, since hosts are shared. About 3 minutes on 2 or 4 H200s. What is measured:

collectives
    Bus bandwidth: the bytes that a rank of a ring sends, divided by the time.
steps
    A training step of a GPT of 1.1 billion weights, on one GPU, and with the same batch on each of several (weak
    scaling: seconds alone over seconds together).
layers, pipeline
    A forward and a backward pass of wide layers, and a pipeline of two or more stages, the job staying the same.

Beside each time stands what lab15's cost model says, from the bandwidth measured here and the time on one GPU. The
result is benchmarks/results/<date>-<gpu>-x<ranks>-parallel.json unless FILE is given.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from autograder import master
from benchmarks import result_files
from benchmarks.parallel_collectives import collectives
from benchmarks.parallel_splits import split_depth, split_layers
from benchmarks.parallel_steps import WAYS, measured_steps, shapes_of
from benchmarks.parallel_timing import attention, slowest
from lablib.parallel import launch, ring_bytes
from lablib.parallel.pipeline import play

MIB = 2**20
ROOT = Path(__file__).parents[1]
CELLS = ("ring_all_reduce", "ddp_gradients", "zero_step", "given_layer", "tp_layer", "schedules", "nodes")
SIZES = {"nccl": (2**14, MIB, 16 * MIB, 256 * MIB, 1024 * MIB), "gloo": (MIB // 16, MIB)}
GPT = {
    "nccl": {"vocabulary": 50304, "width": 2048, "heads": 16, "depth": 18, "context": 2048, "sequences": 8},
    "gloo": {"vocabulary": 64, "width": 32, "heads": 2, "depth": 2, "context": 16, "sequences": 2},
}
LAYERS = {
    "nccl": {"width": 4096, "heads": 32, "depth": 8, "context": 2048, "sequences": 8},
    "gloo": {"width": 32, "heads": 4, "depth": 2, "context": 8, "sequences": 2},
}
PIPELINE = {
    "nccl": {"width": 2048, "heads": 16, "depth": 16, "context": 2048, "sequences": 32},
    "gloo": {"width": 32, "heads": 4, "depth": 4, "context": 8, "sequences": 8},
}
MICRO_BATCHES = 8
HIDDEN = 2 / 3
"""The share of a step that can hide what is sent: the backward pass takes twice as long as the forward pass."""


def lab_functions(context: int) -> dict[str, Any]:
    """What lab15's solution defines, its attention for sequences of ``context`` rows."""
    import math

    names: dict[str, Any] = {"__name__": "lab15", "torch": torch, "nn": nn, "F": F, "math": math}
    cells = {cell.id: cell.source for cell in master.find(ROOT, "lab15").cells}
    for name in CELLS:
        exec(cells[name], names)
    names["attention"] = partial(attention, context=context)
    return {name: value for name, value in names.items() if callable(value) and not name.startswith("__")}


Run = Callable[..., list[Any]]


def measured_collectives(run: Run, ranks: int, backend: str, device: str) -> list[dict[str, Any]]:
    """Bus bandwidth of each, and the ring's share of NCCL's all-reduce."""
    by_rank = run(collectives, ranks, SIZES[backend], device, lab_functions(1)["ring_all_reduce"])
    result = []
    for rows in zip(*by_rank, strict=True):
        name, nbytes = rows[0]["collective"], rows[0]["bytes"]
        times = slowest([row["of_rank"] for row in rows])
        kind = name if name in ("all_gather", "reduce_scatter") else "all_reduce"
        sent = nbytes // ranks if name == "exchange" else float(ring_bytes(kind, nbytes, ranks))
        row = {"collective": name, "bytes": nbytes, **times, "bus_bytes_per_s": sent / times["seconds"]}
        if "ring" in name:
            row["of all_reduce"] = of(result, "all_reduce", nbytes)["seconds"] / times["seconds"]
        result.append(row)
    return result


def of(rows: list[dict[str, Any]], name: str, nbytes: int) -> dict[str, Any]:
    """One row of the collectives."""
    return next(row for row in rows if (row["collective"], row["bytes"]) == (name, nbytes))


def measured_training(run: Run, ranks: int, backend: str, device: str, wires: list[dict[str, Any]]) -> dict[str, Any]:
    """Steps alone and together, weak scaling, and the cost model's word for it."""
    sizes, lab = GPT[backend], lab_functions(GPT[backend]["context"])
    weights = sum(torch.Size(shape).numel() for piece in shapes_of(sizes) for shape in piece.values())
    alone = combined(run(measured_steps, 1, ["alone"], sizes, device, lab))[0]
    rows = [alone, *combined(run(measured_steps, ranks, [way for way in WAYS if way != "alone"], sizes, device, lab))]
    least, large = (of(wires, "all_reduce", SIZES[backend][place]) for place in (0, -2))
    latency = least["seconds"] / (2 * (ranks - 1))
    for row in rows[1:]:
        passes = 3 if "FSDP" in row["way"] or "ZeRO" in row["way"] else 2
        passes -= row["way"].endswith("kept")
        # lab15's `efficiency` speaks of an all-reduce, two passes of the ring; three send half as much again.
        nbytes = weights * (2 if backend == "nccl" else 4) * passes / 2
        share = lab["efficiency"]("weak", ranks, alone["seconds"], nbytes, large["bus_bytes_per_s"], latency, HIDDEN)
        row["weak scaling"] = alone["seconds"] / row["seconds"]
        row["weak scaling by the cost model"] = share
    return {"model": sizes, "weights": weights, "rows": rows}


def combined(by_rank: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Rows of all ranks as one: the slowest one's time, the most memory."""
    return [
        {**rows[0], "of_rank": None, **slowest([row["of_rank"] for row in rows]),
         "peak_bytes": max(row["peak_bytes"] or 0 for row in rows)}
        for rows in zip(*by_rank, strict=True)
    ]  # fmt: skip


def measured_layers(run: Run, ranks: int, backend: str, device: str, wires: list[dict[str, Any]]) -> dict[str, Any]:
    """Layers on one GPU and split over all: strong scaling."""
    sizes, lab = LAYERS[backend], lab_functions(LAYERS[backend]["context"])
    alone, together = (run(split_layers, size, sizes, device, lab) for size in (1, ranks))
    activation = sizes["sequences"] * sizes["context"] * sizes["width"] * (2 if backend == "nccl" else 4)
    wire = sizes["depth"] * 4 * float(ring_bytes("all_reduce", activation, ranks))
    wire /= of(wires, "all_reduce", SIZES[backend][-2])["bus_bytes_per_s"]
    rows = []
    for one, *several in zip(*alone, *together, strict=True):
        first, then = slowest([one["of_rank"]]), slowest([row["of_rank"] for row in several])
        rows.append({
            "way": one["way"], "alone": first, "together": then, "apart": several[0]["apart"],
            "strong scaling": first["seconds"] / ranks / then["seconds"],
            "strong scaling by the cost model": first["seconds"] / (first["seconds"] + ranks * wire),
        })  # fmt: skip
    return {"model": sizes, "rows": rows}


def measured_pipeline(run: Run, ranks: int, backend: str, device: str) -> dict[str, Any]:
    """A step of a pipeline, beside the bubble that its stages' own times make of it."""
    sizes, lab = PIPELINE[backend], lab_functions(PIPELINE[backend]["context"])
    by_rank = run(split_depth, ranks, sizes, device, lab, MICRO_BATCHES)
    forward, both = (slowest([one[what] for one in by_rank])["seconds"] for what in ("forward", "both"))
    microseconds = round(1e6 * forward), round(1e6 * (both - forward))
    played = play([lab["one_f_one_b"](stage, ranks, MICRO_BATCHES) for stage in range(ranks)], MICRO_BATCHES,
                  times=microseconds)  # fmt: skip
    rows = []
    for way in ("lab15's pipeline", "torch's pipeline"):
        times = slowest([one[way] for one in by_rank])
        rows.append({"way": way, **times, "of the cost model": times["seconds"] / (played.end * 1e-6)})
    return {
        "model": sizes, "micro_batches": MICRO_BATCHES, "rows": rows, "apart": by_rank[-1]["apart"],
        "of the slowest stage, a micro-batch": {"forward": forward, "both": both},
        "by the cost model": played.end * 1e-6, "bubble": float(played.bubble),
    }  # fmt: skip


def measure(backend: str, ranks: int) -> dict[str, Any]:
    """Everything on ``ranks`` ranks."""
    device = "cuda" if backend == "nccl" else "cpu"

    def run(function: Callable[..., Any], size: int, *args: Any) -> list[Any]:
        return launch(function, size, *args, backend=backend, seconds=300).values

    wires = measured_collectives(run, ranks, backend, device)
    return {
        "backend": backend, "ranks": ranks, "collectives": wires,
        "steps": measured_training(run, ranks, backend, device, wires),
        "layers": measured_layers(run, ranks, backend, device, wires),
        "pipeline": measured_pipeline(run, ranks, backend, device),
    }  # fmt: skip


def topology() -> dict[str, Any]:
    """How the GPUs are linked, NCCL's version, and its settings in the environment."""
    links = subprocess.run(["nvidia-smi", "topo", "-m"], capture_output=True, text=True, check=False).stdout
    settings = {key: value for key, value in os.environ.items() if key.startswith("NCCL_")}
    return {"links": links.splitlines(), "nccl": list(torch.cuda.nccl.version()), "settings": settings}


def show(result: dict[str, Any]) -> None:
    """Print what was measured."""
    for row in result["collectives"]:
        print(f"{row['collective']:15} {row['bytes'] / MIB:8.2f} MiB  {row['bus_bytes_per_s'] / 1e9:8.2f} GB/s  "
              + (f"{row['of all_reduce']:.2f} of all_reduce" if "of all_reduce" in row else ""))  # fmt: skip
    for row in result["steps"]["rows"]:
        print(f"{row['way']:27} {1e3 * row['seconds']:8.2f} ms  loss {row['loss']:.4f}  "
              f"{row['peak_bytes'] / 2**30:6.1f} GiB  weak scaling {row.get('weak scaling', 1):.3f}  "
              f"(model {row.get('weak scaling by the cost model', 1):.3f})")  # fmt: skip
    for row in result["layers"]["rows"]:
        print(f"{row['way']:27} {1e3 * row['alone']['seconds']:8.2f} ms alone, {1e3 * row['together']['seconds']:.2f} "
              f"together: {row['strong scaling']:.3f} (model {row['strong scaling by the cost model']:.3f}), "
              f"{row['apart']:.1e} apart")  # fmt: skip
    pipeline = result["pipeline"]
    for row in pipeline["rows"]:
        print(f"{row['way']:27} {1e3 * row['seconds']:8.2f} ms, {row['of the cost model']:.3f} of the cost model's "
              f"{1e3 * pipeline['by the cost model']:.2f}; {pipeline['apart']:.1e} apart")  # fmt: skip


def main() -> None:
    """Measure, write the result, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--backend", choices=("nccl", "gloo"), default="nccl")
    asked = parser.parse_args()
    ranks = torch.cuda.device_count() if asked.backend == "nccl" else 2
    if ranks < 2:
        raise SystemExit(f"this machine has {ranks} GPU: two are needed; --backend gloo tries the script without any")
    machine = {**result_files.gpu(), **topology()} if asked.backend == "nccl" else result_files.cpu()
    slug = f"{result_files.gpu_slug()}-x{ranks}" if asked.backend == "nccl" else f"cpu-x{ranks}"
    result = {**machine, **measure(asked.backend, ranks)}
    print("written to", result_files.write(result, slug, "parallel", asked.file))
    show(result)


if __name__ == "__main__":
    main()
