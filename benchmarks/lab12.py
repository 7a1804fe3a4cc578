"""Measure what lab12 shows: designs by their pragmas, the digits network on FPGAs, and the same network on a GPU.

    python -m benchmarks.lab12 designs          writes the lab's assets pragmas.json and networks.json, about 4 minutes
    python -m benchmarks.lab12 processor [FILE] times the digits network on this machine's GPU, or on its CPU
    python -m benchmarks.lab12 asset            copies the newest result of a GPU to the lab's asset gpu.json

Nothing is written unless every design and every processor gives the integer model's results. `processor` needs numpy
and torch alone; it writes benchmarks/results/<date>-<machine>-digits-network.json unless told otherwise.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import result_files
from lablib.hls.designs.digits import digits, digits_network

ASSETS = Path(__file__).parents[1] / "solutions/lab12_fpga_hls/assets"
ROWS, COLUMNS = 8, 16
PART = "ecp5-25k"
KNOBS = {
    "PIPELINE": ("none", "inner loop", "outer loop"),
    "UNROLL": ("none", "factor=4"),
    "ARRAY_PARTITION": ("none", "cyclic factor=4", "complete"),
    "ALLOCATION": ("none", "mul limit=4"),
}
"""What the explorer of lab12 turns, by pragma."""


def matvec(pipeline: str, unroll: str, partition: str, allocation: str) -> str:
    """A product of a matrix and a vector with these pragmas."""
    function, outer, inner = [], [], []
    if allocation != "none":
        function.append("#pragma HLS ALLOCATION operation instances=mul limit=4")
    if partition != "none":
        function += [f"#pragma HLS ARRAY_PARTITION variable={one} {partition}" for one in ("w dim=2", "x")]
    (outer if pipeline == "outer loop" else inner if pipeline == "inner loop" else []).append("#pragma HLS PIPELINE")
    if unroll != "none":
        inner.append("#pragma HLS UNROLL factor=4")
    return "\n".join([
        '#include "ap_int.h"',
        "void matvec(const ap_int<8> w[8][16], const ap_int<8> x[16], ap_int<20> y[8]) {",
        *(f"  {line}" for line in function),
        "  for (int r = 0; r < 8; r++) {",
        *(f"    {line}" for line in outer),
        "    ap_int<20> sum = 0;",
        "    for (int c = 0; c < 16; c++) {",
        *(f"      {line}" for line in inner),
        "      sum += w[r][c] * x[c];",
        "    }",
        "    y[r] = sum;",
        "  }",
        "}",
    ])  # fmt: skip


def explored(*setting: str) -> dict[str, Any]:
    """What the tools say of one setting: the schedule, cycles in Verilator, units in Yosys."""
    from lablib.hls.cpp.design import hardware, measure
    from lablib.hls.cpp.ir import blocks
    from lablib.hls.cpp.report import loop_reports
    from lablib.hls.synth import synth

    source = matvec(*setting)
    design = hardware(source, "matvec", part=PART)
    rng = np.random.default_rng(12)
    w, x = rng.integers(-128, 128, (4, ROWS, COLUMNS)), rng.integers(-128, 128, (4, COLUMNS))
    (run,) = measure([(design, (w, x), {})])
    assert np.array_equal(run.results["y"], np.einsum("trc,tc->tr", w, x)), source
    assert set(run.cycles) == {design.report.latency_cycles}, source
    counted = synth(design.verilog, "matvec", PART).resources
    (loop,) = [one for one in loop_reports(design.plan) if one.ii] or [None]
    # Where no loop is pipelined, the chart is that of the block that multiplies.
    multiplying = [b for b in blocks(design.plan.kernel.regions) if any(v.kind == "mul" for v in b.values)]
    timeline = design.timeline(loop.name if loop else multiplying[0].name)
    depth = timeline.latency
    return {
        "setting": dict(zip(KNOBS, setting, strict=True)), "source": source,
        "cycles": int(run.cycles[0]), "ii": loop.ii if loop else None, "trip": loop.trip if loop else None,
        "why": loop.why if loop else "",
        "multipliers": counted.dsp, "lut": counted.lut, "ff": counted.ff,
        "timeline": {
            "design": timeline.design, "latency": depth, "ii": timeline.ii if loop else depth,
            "phases": timeline.phases, "register_bits": timeline.register_bits, "source": source,
            "operations": [
                {"name": re.sub(r"(_\d+)+$", "", one.name), "start": one.start, "cycles": one.cycles,
                 "resource": _unit(one.resource), "line": one.line}
                for one in timeline.operations
            ],
        },
    }  # fmt: skip


def _unit(resource: str) -> str:
    """The unit's name where operations take turns on it; banks that each do the same are one row without a name."""
    return "" if re.search(r"_\d+ (read|write) port$", resource) else resource


def networks() -> list[dict[str, Any]]:
    """The digits network of lablib on 1 to 8 multipliers, simulated on all held-out images, placed on the HX8K."""
    data, rows = digits(), []
    for macs in (1, 2, 4, 8):
        design = digits_network(macs)
        run = design.simulate(data.images)
        assert np.array_equal(run.outputs["y"], design.golden(data.images)), macs
        placed = design.place()
        taken = placed.resources
        rows.append({
            "multipliers": macs, "cycles": run.report.latency_cycles, "ii": run.report.ii, "cells": taken.cells,
            "bram": taken.bram, "fmax_mhz": placed.fmax_mhz,
        })  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def designs() -> None:
    """Write the lab's two assets of designs."""
    found = [explored(*setting) for setting in itertools.product(*KNOBS.values())]
    content = {"part": PART, "knobs": KNOBS, "designs": found}
    (ASSETS / "pragmas.json").write_text(json.dumps(content) + "\n", encoding="utf-8")
    (ASSETS / "networks.json").write_text(json.dumps(networks(), indent=1) + "\n", encoding="utf-8")


def integer_network(device: str) -> Callable[[Any], Any]:
    """The digits network in torch: float32 that holds whole numbers, whose sums stay below 2²⁴ and so are exact."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    layers = [
        (torch.tensor(one.weights.T, dtype=torch.float32, device=device),
         torch.tensor(np.asarray(one.bias), dtype=torch.float32, device=device), 2.0**-one.shift, one.low)
        for one in digits().layers
    ]  # fmt: skip

    def network(x: Any) -> Any:
        for weights, bias, scale, low in layers:
            x = torch.addmm(bias, x, weights).mul_(scale).floor_().clamp_(low, 127)
        return x

    return network


def _seconds(call: Callable[[], Any], wait: Callable[[], Any]) -> float:
    """Of a call, waited for each time: the median of 200."""
    import time

    times = []
    for _ in range(220):
        begin = time.perf_counter()
        call()
        wait()
        times.append(time.perf_counter() - begin)
    return float(np.median(times[20:]))


def processor(path: Path | None = None) -> None:
    """Time one image and many, after the results are those of the integer model."""
    import torch

    gpu = torch.cuda.is_available()
    device = "cuda" if gpu else "cpu"
    wait = torch.cuda.synchronize if gpu else lambda: None
    data, network = digits(), integer_network(device)
    images = torch.tensor(data.images, dtype=torch.float32, device=device)
    with torch.no_grad():
        exact = np.array_equal(network(images).cpu().numpy(), digits_network().golden(data.images))
        if not exact:
            raise SystemExit(f"Nothing was measured: the network in torch on {device} is not the integer model.")
        rows = []
        for batch in (1, 64, 4096, 262_144):
            x = images[torch.arange(batch, device=device) % len(images)].contiguous()
            rows.append({"batch": batch, "how": "eager", "seconds": _seconds(lambda x=x: network(x), wait)})
            if gpu:
                rows.append({"batch": batch, "how": "CUDA graph", "seconds": _seconds(_graph(network, x), wait)})
    machine = result_files.gpu() if gpu else result_files.cpu()
    result = {**machine, "threads": torch.get_num_threads(), "digits network, 64 → 32 → 10": rows}
    slug = result_files.gpu_slug() if gpu else "cpu"
    print(result_files.write(result, slug, "digits-network", path))


def asset() -> None:
    """Give the lab the newest figures of a GPU, those of other machines left out."""
    found = [path for path in result_files.RESULTS.glob("*-digits-network.json") if "-cpu-" not in path.name]
    if not found:
        raise SystemExit("No GPU has been measured: run python -m benchmarks.lab12 processor on one.")
    shutil.copyfile(max(found, key=lambda path: path.name), ASSETS / "gpu.json")


def _graph(network: Callable[[Any], Any], x: Any) -> Callable[[], None]:
    """The network's kernels on these images as one launch."""
    import torch

    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        network(x)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        network(x)
    return graph.replay


if __name__ == "__main__":
    what, *rest = sys.argv[1:] or ["help"]
    if what == "designs":
        designs()
    elif what == "processor":
        processor(*map(Path, rest[:1]))
    elif what == "asset":
        asset()
    else:
        sys.exit(__doc__)
