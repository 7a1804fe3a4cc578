"""Write docs/kernels.md and its pictures from what `benchmarks.kernels` measured.

    python -m benchmarks.kernel_page [FILE]

FILE is the newest of benchmarks/results/*-kernels.json unless given. Chromium draws the pictures.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill
from typing import Any

from benchmarks import kernel_pictures, result_files

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "kernels.md"
IMAGES = ROOT / "docs" / "images"
ALT = {
    "kernels-roofline.svg": "Roofline: the kernels of the matrix units under what this machine computes and moves",
    "kernels-ratios.svg": "Bars: the best peer's time over ours for every row of the tables below, by kernel",
}
MUCH = 1.02  # times as fast as ours: a peer that the page and the kernel's docstring name


def faster(row: dict[str, Any]) -> dict[str, float]:
    """By name, how many times as fast as ours those peers of a row are that are much faster."""
    return {name: row["ms"] / ms for name, ms in row.get("peers_ms", {}).items() if row["ms"] > MUCH * ms}


def page(result: dict[str, Any], name: str) -> str:
    """The page as Markdown."""
    rows = result["rows"]
    parts = [_head(result, name), _pictures(), _tables(rows), _faster_peers(rows), _misses(rows)]
    return "\n".join(line for part in parts for line in part)


def _head(result: dict[str, Any], name: str) -> Iterator[str]:
    versions, roofs = result["versions"], result["roofs"]
    yield "# What the kernels reach\n"
    yield _paragraph(
        f"Measured on one {result['machine']} with torch {versions['torch']}, Triton {versions['triton']} and CUDA "
        f"{versions['cuda']} by `python -m benchmarks.kernels`, in {result['seconds'] / 60:.1f} minutes. Every figure "
        f"stands in [its result](../benchmarks/results/{name}); `python -m benchmarks.kernel_page` writes this page."
    )
    yield _paragraph(
        "Kernel and peers are timed in turns on random data: with a cold L2, or small cases inside a CUDA graph with a "
        "warm one; what counts is the time on the GPU, not that of a launch. Times are medians. A kernel whose result "
        "is wrong is not timed, and on a machine with a GPU `pytest tests/lablib/kernels -n 8` runs every kernel's "
        "tests compiled."
    )
    yield "- **Ratio** is the best peer's time over ours: above 1 we are faster."
    yield "- **Roof** is the least time that the machine allows, over ours. It is the longer of two times: that of"
    yield "  a stream with the same bytes read and written, and that of the operations at the rate of the vendor's"
    yield "  product of 8192³. That is no bound in the strict sense: a share may pass 1."
    yield "- **Target** is what was to be reached; *recorded* rows have none.\n"
    yield _paragraph(
        f"On this machine a copy moved {roofs['copy_bytes_per_s'] / 1e12:.2f} TB/s; the vendor's products reached "
        f"{roofs['bf16_flops_per_s'] / 1e12:.0f} TFLOP/s in bfloat16, {roofs['fp8_flops_per_s'] / 1e12:.0f} in fp8 and "
        f"{roofs['int8_flops_per_s'] / 1e12:.0f} TOP/s in int8."
    )


def _paragraph(text: str) -> str:
    return fill(text, 120, break_long_words=False, break_on_hyphens=False) + "\n"


def _pictures() -> Iterator[str]:
    for name, alt in ALT.items():
        yield f"![{alt}](images/{name})\n"
    yield _paragraph(
        "The roofline has each kernel of the matrix units at the first case of its table, with its share of the roof "
        "that was measured for it. Fused linear cross entropy is not in it: only its operations are counted."
    )


def _tables(rows: list[dict[str, Any]]) -> Iterator[str]:
    for kernel in dict.fromkeys(row["kernel"] for row in rows):
        yield f"## {kernel}\n"
        yield "| case | ms | best peer | its ms | ratio | roof | target |"
        yield "| --- | ---: | --- | ---: | ---: | ---: | --- |"
        yield from (_line(row) for row in rows if row["kernel"] == kernel)
        yield ""


def _line(row: dict[str, Any]) -> str:
    if "wrong" in row:
        return f"| {row['case']} | | | | | | **wrong**: {row['wrong']} |"
    peer = [row["best_peer"], _ms(row["best_peer_ms"]), f"{row['ratio']:.2f}"] if row["best_peer"] else ["", "", ""]
    cells = [row["case"], _ms(row["ms"]), *peer, f"{row['roof_fraction']:.2f}", _verdict(row)]
    return f"| {' | '.join(cells)} |"


def _ms(ms: float) -> str:
    return f"{ms:.2f}" if ms >= 10 else f"{ms:.3f}" if ms >= 0.1 else f"{ms:.4f}"


def _verdict(row: dict[str, Any]) -> str:
    target = row["target"]
    least = [(name, ratio) for name, ratio in target["peers"].items()]
    least += [("best peer", target["best_peer"])] if target["best_peer"] else []
    least += [("roof", target["roof"])] if target["roof"] else []
    asked = ", ".join(f"≥ {ratio:.2f} × {name}" for name, ratio in least)
    return f"{asked}: {'met' if row['met'] else '**missed**'}" if asked else "recorded"


def _faster_peers(rows: list[dict[str, Any]]) -> Iterator[str]:
    lost = [row for row in rows if faster(row)]
    if lost:
        yield "## Where a peer is faster\n"
        yield f"Those that are more than {MUCH - 1:.0%} faster.\n"
        for row in lost:
            peers = [f"{name} {_times(times)}" for name, times in faster(row).items()]
            yield f"- **{row['kernel']}, {row['case']}**: {'; '.join(peers)}"
        yield ""


def _times(times: float) -> str:
    return f"is {times:.1f} times as fast" if times >= 1.95 else f"is {times - 1:.0%} faster"


def _misses(rows: list[dict[str, Any]]) -> Iterator[str]:
    missed = [row for row in rows if not row["met"]]
    if missed:
        yield "## Where a target is missed\n"
    for kernel, cause in dict.fromkeys((row["kernel"], _cause(row)) for row in missed):
        yield f"**{kernel}.** {cause}\n"
        yield from (
            f"- {row['case']}: {_reached(row)}" for row in missed if (row["kernel"], _cause(row)) == (kernel, cause)
        )
        yield ""


def _cause(row: dict[str, Any]) -> str:
    text = row.get("wrong") or row.get("cause") or "not explained yet"
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


def _reached(row: dict[str, Any]) -> str:
    """What a row reached of its targets that it missed, so exactly that the difference shows."""
    if "wrong" in row:
        return "not timed"
    target = row["target"]
    least = dict(target["peers"]) | ({row["best_peer"]: target["best_peer"]} if target["best_peer"] else {})
    ratios = [(row["peers_ms"][name] / row["ms"], name, ratio) for name, ratio in least.items()]
    ratios += [(row["roof_fraction"], "the roof", target["roof"])] if target["roof"] else []
    short = [f"{reached:.3f} of {name}, not {ratio:.2f}" for reached, name, ratio in ratios if reached < ratio]
    return "; ".join(short + [text for text in row["missed"] if " of the memory of " in text])


def main(arguments: list[str]) -> None:
    path = Path(arguments[0]) if arguments else result_files.newest("kernels")
    result = json.loads(path.read_text(encoding="utf-8"))
    PAGE.write_text(page(result, path.name), encoding="utf-8")
    kernel_pictures.write(result, IMAGES)


if __name__ == "__main__":
    main(sys.argv[1:])
