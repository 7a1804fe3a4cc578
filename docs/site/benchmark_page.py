"""The page of measurements: pictures drawn from benchmarks/results/ as its files stand."""

from __future__ import annotations

import json
from functools import reduce
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from docs.site.lab_pages import plot
from lablib.viz.picture import Picture
from lablib.viz.style import BLUE, INK, card, graph_objects
from lablib.viz.units import si, three_digits

HEADINGS = {
    "grading": "Grading a class",
    "hls": "Hardware engines",
    "diffusion-steps": "Sampling steps of lab04",
    "digits-network": "The digits network on a GPU",
}
LOGARITHMIC = 30  # times the least
HEAD = """# Measurements

What the scripts in `benchmarks/` measured, newest of each kind. A bar of several runs is their mean, and its line ends
at the least and the most of them. `make bench` and `make bench-gpu` measure again;
[what the kernels reach](../docs/kernels.md) has a page.

"""


class Chart(NamedTuple):
    """One picture: the file's kind, where its rows are, where a row has its value, the question and the unit."""

    kind: str
    rows: tuple[str, ...]
    value: tuple[str, ...]
    title: str
    unit: str = "s"


CHARTS = (
    Chart("grading", ("speed", "runs"), ("a_hand_in", "seconds"), "How long does one hand-in take to grade?"),
    Chart("hls", ("seconds",), ("cold", "wall"), "How long does an engine take the first time?"),
    Chart("hls", ("seconds",), ("warm", "wall"), "How long does it take when its result is cached?"),
    Chart("diffusion-steps", ("rows",), ("frechet",), "How far from real digits? Fréchet distance, three seeds", ""),
    Chart("lab01", ("calls",), ("seconds",), "What does one call cost?"),
    Chart("lab01", ("torch.add(x, y)",), ("seconds",), "What does torch.add(x, y) cost, by elements?"),
    Chart("lab02", (), (), "Which accuracy do lab02's networks reach?", ""),
    Chart("lab03", (), (), "Which accuracy do lab03's models reach?", ""),
    Chart("lab05", ("arena over the least possible", "200 random jobs"), (), "Memory plans: bytes over the least", ""),
    Chart("lab05", ("bytes over the fewest, 20 random graphs",), (), "Fusion: bytes over the fewest possible", ""),
    Chart("lab06", ("softmax_t, 16384 × 8192 float16",), ("seconds",), "Softmax of 16384 × 8192 float16"),
    Chart("lab06", ("linear, 4096 × 4096 × 4096 float16",), ("seconds",), "A product of 4096³ in float16, by tile"),
    Chart("lab07", ("forward, causal, 64 heads × 4096 × 128 float16",), ("seconds",),
          "Causal attention, 64 heads × 4096 × 128, by rows × keys × warps × stages"),
    Chart("lab07", ("window of 1024, 64/16 heads × 8192 × 128 float16",), ("seconds",),
          "A window of 1024 keys, 64 heads × 8192 × 128 on 16 shared ones"),
    Chart("lab09", ("perplexity at 3 bits, as a multiple of the float model's", "with outliers"), (),
          "Perplexity at 3 bits over the float model's, with outliers", ""),
    Chart("digits-network", ("digits network, 64 → 32 → 10",), ("seconds",), "The digits network on a GPU, by batch"),
)  # fmt: skip


def page(results: Path) -> str:
    """The page as Markdown: a section for each kind with a chart, drawn from its newest file, and a list of all files.

    Raises
    ------
    IndexError, KeyError
        A chart asks for a file, or for rows, that are not there.
    """
    kinds = dict.fromkeys(chart.kind for chart in CHARTS)
    sections = [_section(kind, sorted(results.glob(f"*-{kind}.json"))[-1]) for kind in kinds]
    files = [f"- [{path.name}](results/{path.name}): {_origin(path)}" for path in sorted(results.glob("*.json"))]
    return HEAD + "\n".join([*sections, "## Every file", "", *files, ""])


def _origin(path: Path) -> str:
    result = json.loads(path.read_text(encoding="utf-8"))
    return "; ".join([result["machine"], *(f"{name} {version}" for name, version in result["versions"].items())])


def _section(kind: str, path: Path) -> str:
    result = json.loads(path.read_text(encoding="utf-8"))
    parts = [f"## {HEADINGS.get(kind, kind)}\n", f"{result['machine']}; [all figures](results/{path.name}).\n"]
    for chart in CHARTS:
        if chart.kind == kind:
            picture = _bars(chart, values(result, chart))
            parts.append(plot(picture.figure.to_plotly_json(), picture.summary) + "\n")
    return "\n".join(parts)


def values(result: dict[str, Any], chart: Chart) -> dict[str, list[float]]:
    """By the row's label, its mean, least and most.

    Examples
    --------
    >>> chart = Chart("lab01", ("calls",), ("seconds",), "What does one call cost?")
    >>> values({"calls": [{"name": "add", "seconds": 2.0}]}, chart)
    {'add': [2.0, 2.0, 2.0]}
    """
    rows: Any = reduce(lambda inner, key: inner[key], chart.rows, result)
    named = {_label(row): row for row in rows} if isinstance(rows, list) else rows
    found = {}
    for name, row in named.items():
        value = reduce(lambda inner, key: inner.get(key, {}) if isinstance(inner, dict) else {}, chart.value, row)
        if isinstance(value, dict) and {"mean", "least"} <= value.keys():
            found[name] = [value["mean"], value["least"], value["most"] if "most" in value else value["worst"]]
        elif value and isinstance(value, float | list):
            runs = value if isinstance(value, list) else [value]
            found[name] = [fmean(runs), min(runs), max(runs)]
    return found


def _label(row: dict[str, Any]) -> str:
    if "name" in row:
        return " ".join([row["name"], " × ".join(map(str, row.get("blocks", [])))]).strip()
    return ", ".join(f"{key} {value}" for key, value in row.items() if isinstance(value, int | str))


def _bars(chart: Chart, rows: dict[str, list[float]]) -> Picture:
    """Horizontal bars, with their values beside their names."""
    go = graph_objects()
    means, least, most = zip(*rows.values(), strict=True)
    texts = [si(mean, chart.unit) if chart.unit else three_digits(mean) for mean in means]
    ends = {
        "array": [high - mean for mean, high in zip(means, most, strict=True)],
        "arrayminus": [mean - low for mean, low in zip(means, least, strict=True)],
        "color": INK,
    }
    hover = "%{y}: %{customdata}<extra></extra>"
    bars = go.Bar(y=list(rows), x=means, orientation="h", marker={"color": BLUE}, customdata=texts, hovertemplate=hover)
    if least != most:
        bars.error_x = ends
    height, margin = 110 + 32 * len(rows), {"l": 330, "r": 32, "t": 56, "b": 54}
    figure = card(go.Figure(bars), chart.title, "", height, margin=margin)
    shown = [f"{label}  <b>{text}</b>  " for label, text in zip(rows, texts, strict=True)]
    figure.update_yaxes(autorange="reversed", tickvals=list(rows), ticktext=shown, tickfont={"color": INK})
    wide = max(means) > LOGARITHMIC * min(means) > 0
    axis = {"type": "log", "title": {"text": "logarithmic axis"}, "dtick": 1} if wide else {"rangemode": "tozero"}
    figure.update_xaxes({**axis, "ticksuffix": chart.unit, "exponentformat": "SI"})
    told = "; ".join(f"{label}: {text}" for label, text in zip(rows, texts, strict=True))
    return Picture(figure, f"{chart.title.rstrip('?.')}. {told}.")
