"""Write docs/kernels.md and its pictures from what `benchmarks.kernels` measured.

    python -m benchmarks.kernel_page [FILE]

FILE is the newest of benchmarks/results/*-kernels.json unless given.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "kernels.md"


def newest() -> Path:
    """The last result that was committed."""
    return sorted((ROOT / "benchmarks" / "results").glob("*-kernels.json"))[-1]


def page(result: dict[str, Any], name: str) -> str:
    """The page as Markdown."""
    return "\n".join([*_head(result, name), *_tables(result["rows"]), *_misses(result["rows"]), ""])


def _head(result: dict[str, Any], name: str) -> Iterator[str]:
    versions, roofs = result["versions"], result["roofs"]
    yield "# What the kernels reach"
    yield ""
    yield (
        f"Measured on one {result['machine']} with torch {versions['torch']}, Triton {versions['triton']} and CUDA "
        f"{versions['cuda']} by `python -m benchmarks.kernels`, in {result['seconds'] / 60:.1f} minutes; every figure "
        f"stands in `benchmarks/results/{name}`. This page is written by `python -m benchmarks.kernel_page`."
    )
    yield ""
    yield (
        "Functions are timed in turns with a cold L2 on random data; times are medians. *Ratio* is the best peer's "
        "time over ours: above 1 we are faster. *Roof* is the least time that memory or matrix units allow over ours. "
        "The memory's part is a stream with the same bytes read and written, the matrix units' part the vendor's "
        f"library at 8192³. On this machine a copy moved {roofs['copy_bytes_per_s'] / 1e12:.2f} TB/s; products reached "
        f"{roofs['bf16_flops_per_s'] / 1e12:.0f} TFLOP/s in bfloat16, {roofs['fp8_flops_per_s'] / 1e12:.0f} in fp8 and "
        f"{roofs['int8_flops_per_s'] / 1e12:.0f} TOP/s in int8."
    )
    yield ""


def _tables(rows: list[dict[str, Any]]) -> Iterator[str]:
    for kernel, group in groupby(rows, key=lambda row: row["kernel"]):
        yield f"## {kernel}"
        yield ""
        yield "| case | ms | best peer | its ms | ratio | roof | target |"
        yield "| --- | ---: | --- | ---: | ---: | ---: | --- |"
        yield from (_line(row) for row in group)
        yield ""


def _line(row: dict[str, Any]) -> str:
    if "wrong" in row:
        return f"| {row['case']} | | | | | | **wrong**: {row['wrong']} |"
    peer = [row["best_peer"], f"{row['best_peer_ms']:.4f}", f"{row['ratio']:.2f}"] if row["best_peer"] else ["", "", ""]
    verdict = "met" if row["met"] else f"**missed**: {'; '.join(row['missed'])}"
    if not any(row["target"].values()):
        verdict = "recorded"
    return f"| {row['case']} | {row['ms']:.4f} | {' | '.join(peer)} | {row['roof_fraction']:.2f} | {verdict} |"


def _misses(rows: list[dict[str, Any]]) -> Iterator[str]:
    missed = [row for row in rows if not row["met"]]
    if missed:
        yield "## Where a target is missed"
        yield ""
        yield from (
            f"- **{row['kernel']}, {row['case']}**: {row.get('cause') or 'not explained yet.'}" for row in missed
        )


def main(arguments: list[str]) -> None:
    path = Path(arguments[0]) if arguments else newest()
    PAGE.write_text(page(json.loads(path.read_text(encoding="utf-8")), path.name), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
