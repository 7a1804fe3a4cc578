"""The pictures of docs/kernels.md: every compute kernel under its roof, and every row beside its best peer."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lablib import viz
from lablib.doctor import CHROMIUM_NAMES
from lablib.viz.picture import Picture

# The same digits in every run, so that plotly gives the elements of a file the same names.
SAME_DIGITS = "let state = 1; Math.random = () => (state = state * 16807 % 2147483647) / 2147483647;"
AS_SVG = """figure => Plotly.toImage(figure,
    {format: 'svg', width: figure.layout.width, height: figure.layout.height})"""


def pictures(result: dict[str, Any]) -> dict[str, Picture]:
    """By the name of its file."""
    rows = [row for row in result["rows"] if "ms" in row]
    return {"kernels-roofline.svg": _roofline(rows, result["roofs"]), "kernels-ratios.svg": _ratios(rows)}


def _roofline(rows: list[dict[str, Any]], roofs: dict[str, float]) -> Picture:
    """Each kernel of the matrix units at the first case that the benchmark has of it."""
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["flops_per_s"] and row["bytes_per_s"]:
            first.setdefault(row["kernel"], row)
    points = [
        {
            "name": kernel,
            "flops": row["flops_per_s"] * row["ms"] / 1e3,
            "bytes": row["bytes_per_s"] * row["ms"] / 1e3,
            "seconds": row["ms"] / 1e3,
            "share": row["roof_fraction"],
            "roof": {"matmul_fp8": "fp8", "matmul_int8": "int8"}.get(kernel, "bf16"),
        }
        for kernel, row in first.items()
    ]
    machine = [
        {"name": kind, "flops_per_s": roofs[f"{kind}_flops_per_s"], "bytes_per_s": roofs["copy_bytes_per_s"]}
        for kind in ("bf16", "int8", "fp8")
    ]
    return viz.roofline(points, machine)


def _ratios(rows: list[dict[str, Any]]) -> Picture:
    compared = sorted((row for row in rows if row["best_peer"]), key=lambda row: row["kernel"])
    bars = [
        {"group": row["kernel"], "name": row["case"], "value": row["ratio"], "against": row["best_peer"]}
        for row in compared
    ]
    return viz.ratio_bars(bars, title="Which is faster, our kernel or its best peer?", axis="the peer's time over ours")


def write(result: dict[str, Any], folder: Path) -> None:
    """Let Chromium draw each picture, and write it into `folder` as SVG.

    Raises
    ------
    FileNotFoundError
        When there is no Chromium.
    """
    from playwright.sync_api import sync_playwright
    from plotly.offline import get_plotlyjs

    chromium = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if chromium is None:
        raise FileNotFoundError(
            "The pictures are drawn by chromium, which is not on PATH: run `python -m lablib.doctor`."
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name, picture in pictures(result).items():
            page = browser.new_page()
            page.evaluate(SAME_DIGITS)
            page.add_script_tag(content=get_plotlyjs())
            url = page.evaluate(AS_SVG, picture.figure.to_plotly_json())
            (folder / name).write_text(unquote(url.partition(",")[2]) + "\n", encoding="utf-8")
        browser.close()
