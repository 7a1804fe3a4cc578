"""The pragma explorer: one design for each choice, as it was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lablib import viz

ASSET = Path(__file__).parents[3] / "solutions/lab12_fpga_hls/assets/pragmas.json"
CHART = {"design": "f, l0", "latency": 2, "phases": ["begin", "cycle 0", "cycle 1"], "register_bits": [None, None]}
MUL = {"name": "mul", "start": 1, "cycles": 1, "resource": "", "line": 3}


def design(pipeline: str, unroll: str, cycles: int, ii: int | None, **more: Any) -> dict[str, Any]:
    chart = {**CHART, "ii": ii or 2, "source": "", "operations": [MUL]}
    trip = 8 if ii else None
    setting = {"PIPELINE": pipeline, "UNROLL": unroll}
    counts = {"cycles": cycles, "ii": ii, "trip": trip, "why": "", "multipliers": 1, "lut": 900 - cycles, "ff": 30}
    return {"setting": setting, "source": f"// {pipeline}, {unroll}", "timeline": chart, **counts, **more}


KNOBS = {"PIPELINE": ["none", "II=1"], "UNROLL": ["none", "factor=4"]}
DESIGNS = [
    design("none", "none", 400, None),
    design("none", "factor=4", 218, None),
    design("II=1", "none", 72, 1),
    design("II=1", "factor=4", 36, 4, why="II is 4: 4 reads.", multipliers=4),
]


def test_each_choice_shows_its_own_design() -> None:
    shown = viz.pragma_explorer(KNOBS, DESIGNS).content["designs"]
    assert list(shown) == ["none|none", "none|factor=4", "II=1|none", "II=1|factor=4"]
    assert shown["II=1|factor=4"]["facts"][:3] == [["36", "cycles"], ["4", "II"], ["4", "multipliers"]]
    assert shown["none|none"]["facts"][1] == ["—", "II"]
    assert shown["II=1|factor=4"]["sentence"] == "36 cycles. II is 4: 4 reads. The pipelined loop has 8 iterations."
    assert "Nothing is pipelined" in shown["none|factor=4"]["sentence"]
    assert shown["II=1|none"]["source"] == "// II=1, none"
    # Four iterations where they overlap, one where nothing is pipelined.
    assert [shown[key]["svg"].count('font-weight="600">input ') for key in ("II=1|none", "none|none")] == [4, 1]


def test_the_summary_names_the_fastest_and_the_smallest() -> None:
    assert viz.pragma_explorer(KNOBS, DESIGNS).summary == (
        "4 designs. The fastest takes 36 cycles with 4 multipliers (PIPELINE II=1, UNROLL factor=4); "
        "the one with fewest look-up tables, 500, takes 400."
    )


def test_a_setting_that_is_missing_or_unknown_is_refused() -> None:
    with pytest.raises(ValueError, match="each of the 4 settings; got 3 different ones"):
        viz.pragma_explorer(KNOBS, DESIGNS[1:])
    with pytest.raises(ValueError, match="UNROLL is 'factor=8' in a design: expected one of none, factor=4"):
        viz.pragma_explorer(KNOBS, [*DESIGNS[1:], design("none", "factor=8", 1, 1)])


def test_the_labs_designs_are_what_the_tools_say() -> None:
    """Three of its 36 designs, measured again."""
    from benchmarks.lab12 import KNOBS as knobs
    from benchmarks.lab12 import explored

    kept = json.loads(ASSET.read_text())
    assert kept["knobs"] == {name: list(options) for name, options in knobs.items()}
    for at in (0, 13, 35):
        setting = kept["designs"][at]["setting"]
        assert json.loads(json.dumps(explored(*setting.values()))) == kept["designs"][at], setting
