"""What `benchmarks.grading` measured, as tables for the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

_COLUMNS = {
    "judging\nwall s": "seconds_judging",
    "writing\nwall s": "seconds_writing",
    "all\nCPU s": "cpu",
    "judging\nCPU s": "cpu_judging",
    "gradebook,\nnotebook\nCPU s": "cpu_gradebook_and_notebook",
    "feedback\nCPU s": "cpu_feedback",
    "other\nCPU s": "cpu_other",
}


def print_result(result: dict[str, Any]) -> None:
    """Print what was measured of speed, ratios and kills."""
    console = Console(highlight=False) if Console().is_terminal else Console(width=160, highlight=False)
    console.print(result["machine"])
    if speed := result.get("speed"):
        console.print(_speed(speed))
        console.print(_ratios(speed["compared"]))
    if kills := result.get("kills"):
        console.print(_kills(kills))
        for fault in kills["faults"]:
            console.print(f"- {fault}", markup=False)


def _ratios(compared: dict[str, float]) -> str:
    return (
        f"2 workers grade {compared['times_stock']:.1f} × as fast as stock nbgrader "
        f"({compared['times_stock_with_start_and_end']:.1f} × with start and end of the runs); efficiency on 2 cores "
        f"{compared['efficiency_of_2_workers']:.0%}, with Dask {compared['efficiency_of_2_dask_workers']:.0%}"
    )


def _kills(kills: dict[str, Any]) -> str:
    targets = ", ".join(f"{target} {number} ×" for target, number in kills["kills"].items())
    return (
        f"killed while {kills['hand_ins']} hand-ins were graded: {targets}; judged again {kills['judged_again']}, "
        f"written again {kills['written_again']}, faults {len(kills['faults'])}"
    )


def _speed(speed: dict[str, Any]) -> Table:
    table = Table(title=speed["lab"])
    for heading in ("", "hand-ins", "wall s", "to the\nfirst s", "a hand-in\nwall s", "a minute", *_COLUMNS):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for run in speed["runs"]:
        each = run["a_hand_in"]
        parts = [f"{each[name]:.2f}" if name in each else "" for name in _COLUMNS.values()]
        start = f"{run['seconds_until_the_first']:.1f}"
        rate = f"{60 / each['seconds']:.0f}"
        table.add_row(
            run["name"], str(run["hand_ins"]), f"{run['seconds']:.1f}", start, f"{each['seconds']:.2f}", rate, *parts
        )
    return table
