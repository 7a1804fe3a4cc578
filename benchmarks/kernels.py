"""Measure every reference kernel on a GPU, beside its peers and the roof that binds it.

    python -m benchmarks.kernels [FILE] [--only softmax,matmul]

A kernel is checked against its oracle at the timed shape first, and not timed if it is wrong. Functions are timed in
turns with a cold L2 on random data. FILE is benchmarks/results/<date>-<machine>-kernels.json unless given.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lablib import device

import torch  # isort: skip
from torch.utils._pytree import tree_leaves  # isort: skip

from benchmarks import kernel_rows, result_files  # isort: skip
from benchmarks.kernel_roofs import matrix_product, stream  # isort: skip
from benchmarks.kernel_row import Row  # isort: skip
from benchmarks.kernel_timing import Timing, time_in_turns  # isort: skip
from lablib.gpu.accuracy import relative_error, require_accurate  # isort: skip

COPIED = 2**30  # bytes read by the copy that is the memory's roof


def rows(only: list[str]) -> Iterator[Row]:
    """The rows of every module in `kernel_rows`, one at a time: their tensors are large."""
    for found in pkgutil.iter_modules(kernel_rows.__path__):
        if not only or found.name in only:
            yield from importlib.import_module(f"{kernel_rows.__name__}.{found.name}").rows()


def measure(row: Row) -> dict[str, Any]:
    """Check a row, time it, and tell how it stands; an error takes the place of the times."""
    result: dict[str, Any] = {"kernel": row.kernel, "case": row.case}
    try:
        result["error_of_result"] = check(row)
    except (AssertionError, RuntimeError) as error:
        return result | {"wrong": f"{type(error).__name__}: {str(error)[:300]}", "met": False}
    functions = {"ours": row.ours, **row.peers}
    if row.reads + row.writes:
        functions["stream"] = stream(row.reads, row.writes)
    times = time_in_turns(functions, row.graph)
    result |= judged(row, times)
    return with_memory(row, result) if row.most_memory else result


def check(row: Row) -> float:
    """The largest relative error of the kernel's tensors.

    Raises
    ------
    AssertionError
        It is too large.
    """
    ours, exact = row.ours(), row.exact()
    if row.bound is not None:
        error = worst_error(ours, exact)
        if not error <= row.bound:
            raise AssertionError(f"relative error {error:.1e}, expected at most {row.bound:.1e}")
        return error
    require_accurate(ours, exact, row.peers[row.usual]() if row.usual else None)
    return worst_error(ours, exact)


def worst_error(ours: Any, exact: Any) -> float:
    """The largest relative error of a nest of tensors."""
    return max(map(relative_error, tree_leaves(ours), tree_leaves(exact)))


def with_memory(row: Row, result: dict[str, Any]) -> dict[str, Any]:
    """The result with peak memory, of ours and of the usual peer, and whether the share is small enough."""
    ours, usual = peak_bytes(row.ours), peak_bytes(row.peers[row.usual or ""])
    result |= {"peak_bytes": ours, "usual_peak_bytes": usual}
    if ours > (row.most_memory or 1) * usual:
        missed = [*result["missed"], f"{ours / usual:.2f} of the memory of {row.usual}, not {row.most_memory}"]
        result |= {"met": False, "missed": missed, "cause": row.cause}
    return result


def peak_bytes(function: Callable[[], Any]) -> int:
    """Bytes that a call adds, at most, to what is allocated."""
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    function()
    return torch.cuda.max_memory_allocated() - before


def judged(row: Row, times: dict[str, Timing]) -> dict[str, Any]:
    """What the times say: against each peer, against the roof, against the targets."""
    ours = times["ours"].ms
    peers = {name: times[name].ms for name in row.peers}
    best = min(peers, key=peers.__getitem__) if peers else None
    roof = roof_ms(row, times)
    ratios = {name: ms / ours for name, ms in peers.items()}
    missed = [
        f"{ratios[name]:.2f} of {name}, not {least}"
        for name, least in row.least_of_peer.items()
        if ratios[name] < least
    ]
    if row.least_ratio and best and ratios[best] < row.least_ratio:
        missed.append(f"{ratios[best]:.2f} of {best}, not {row.least_ratio}")
    if row.least_roof and roof / ours < row.least_roof:
        missed.append(f"{roof / ours:.2f} of the roof, not {row.least_roof}")
    return {
        "ms": ours,
        "spread_ms": [times["ours"].least, times["ours"].greatest],
        "peers_ms": peers,
        "best_peer": best,
        "best_peer_ms": peers[best] if best else None,
        "ratio": ratios[best] if best else None,
        "roof_ms": roof,
        "roof_fraction": roof / ours,
        "flops_per_s": row.flops / ours * 1e3,
        "bytes_per_s": (row.reads + row.writes) / ours * 1e3,
        "target": {"best_peer": row.least_ratio, "peers": row.least_of_peer, "roof": row.least_roof},
        "met": not missed,
        "missed": missed,
        "cause": row.cause if missed else "",
    }


def roof_ms(row: Row, times: dict[str, Timing]) -> float:
    """The least time that memory or matrix units allow: the longer of both."""
    moving = times["stream"].ms if "stream" in times else 0.0
    return max(moving, 1e3 * row.flops / matrix_rate(row.matrix) if row.flops else 0.0)


@cache
def matrix_rate(kind: str) -> float:
    """Operations a second of a large matrix product by the vendor's library."""
    run, flops = matrix_product(kind)
    return 1e3 * flops / time_in_turns({kind: run})[kind].ms


def roofs() -> dict[str, float]:
    """What a large copy moves, and what matrix products in three dtypes compute."""
    copy = time_in_turns({"copy": stream(COPIED, COPIED)})["copy"].ms
    return {"copy_bytes_per_s": 2e3 * COPIED / copy} | {
        f"{kind}_flops_per_s": matrix_rate(kind) for kind in ("bf16", "fp8", "int8")
    }


def line(row: dict[str, Any]) -> str:
    """A row of the printed table."""
    head = f"{row['kernel']:<26}{row['case']:<44}"
    if "wrong" in row:
        return f"{head} WRONG {row['wrong']}"
    best = f"{row['best_peer']} {row['best_peer_ms']:.3f}" if row["best_peer"] else "-"
    ratio = f"{row['ratio']:.2f}" if row["ratio"] else "-"
    verdict = "; ".join(row["missed"]) or "met"
    if "peak_bytes" in row:
        verdict += f"; {row['peak_bytes'] / row['usual_peak_bytes']:.0%} of the memory of its usual peer"
    return f"{head}{row['ms']:>9.4f} ms  {best:<26}{ratio:>6}  roof {row['roof_fraction']:.2f}  {verdict}"


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; 1 when a kernel is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description="Measure every reference kernel.")
    parser.add_argument("file", metavar="FILE", nargs="?", type=Path)
    parser.add_argument("--only", metavar="KERNELS", default="", help="modules of kernel_rows, with commas")
    options = parser.parse_args(arguments)
    if device.INTERPRETED:
        print("benchmarks.kernels needs a GPU: the interpreter's times say nothing about a kernel.", file=sys.stderr)
        return 2
    began = time.monotonic()
    torch.manual_seed(0)
    result: dict[str, Any] = {**result_files.gpu(), "roofs": roofs(), "rows": []}
    for row in rows([name for name in options.only.split(",") if name]):
        result["rows"].append(measure(row))
        print(line(result["rows"][-1]), flush=True)
        del row
        torch.cuda.empty_cache()
    result["seconds"] = time.monotonic() - began
    result_files.write(result, result_files.gpu_slug(), "kernels", options.file)
    return int(any("wrong" in row for row in result["rows"]))


if __name__ == "__main__":
    sys.exit(main())
