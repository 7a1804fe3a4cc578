"""What pragmas do to one kernel: choose them, and see the schedule, the cycles and the units that tools measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from types import SimpleNamespace
from typing import Any

from lablib.viz.pipeline_picture import pipeline_picture
from lablib.viz.pipelines import rows_of
from lablib.viz.svg import titled
from lablib.viz.units import plural
from lablib.viz.view import View, read

_INPUTS = 4  # iterations that a chart shows
_WIDEST = 40  # cycles of a chart: fewer iterations where these do not fit


class PragmaView(View):
    """The widget that `pragma_explorer` returns; its summary names the fastest design and the smallest."""

    _esm = read("view.js", "pragmas.js")
    _css = read("view.css", "pipelines.css", "pragmas.css")


def pragma_explorer(
    knobs: Mapping[str, Sequence[str]],
    designs: Sequence[Mapping[str, Any]],
    title: str = "What does each pragma change?",
) -> PragmaView:
    """Choose pragmas of a kernel, and see its source, its schedule, and what was measured.

    Parameters
    ----------
    knobs
        Options by pragma, in the order in which they are shown; the first of each is chosen at first.
    designs
        One for each combination of options: a mapping with ``setting`` (option by pragma), ``source``, ``cycles``,
        ``ii`` and ``trip`` (None where nothing is pipelined), ``why`` (a sentence, or empty), ``multipliers``, ``lut``,
        ``ff``, and ``timeline``: a mapping with what `lablib.viz.pipeline` reads by attribute.
    title
        The question that the widget answers.

    Returns
    -------
    PragmaView
        Displays in Jupyter; ``to_html()`` gives a page of its own.

    Raises
    ------
    ValueError
        A combination is missing, or is there twice.

    Examples
    --------
    >>> work = {"name": "mul", "start": 1, "cycles": 1, "resource": "", "line": 1}
    >>> chart = {"design": "f", "latency": 2, "ii": 1, "phases": ["begin", "0", "1"], "register_bits": [None, None]}
    >>> chart |= {"source": "", "operations": [work]}
    >>> counts = {"cycles": 9, "ii": 1, "trip": 8, "why": "", "multipliers": 1, "lut": 20, "ff": 10, "timeline": chart}
    >>> pragma_explorer({"PIPELINE": ["on"]}, [{"setting": {"PIPELINE": "on"}, "source": "y = x * x;", **counts}])
    1 design. The fastest takes 9 cycles with 1 multiplier (PIPELINE on); the one with fewest look-up tables, 20, takes 9.
    """  # noqa: E501
    found = {_key(knobs, one["setting"]): _shown(one) for one in designs}
    if not len(found) == len(designs) == prod(map(len, knobs.values())):
        wanted = prod(map(len, knobs.values()))
        raise ValueError(f"there must be one design for each of the {wanted} settings; got {len(found)} different ones")
    summary = _summary(designs)
    first = "|".join(options[0] for options in knobs.values())
    content = {"title": title, "subtitle": summary, "knobs": [[k, list(v)] for k, v in knobs.items()], "designs": found}
    shown = found[first]
    still = titled(title, f"{summary} Shown: {shown['sentence']}", shown["svg"], shown["width"], shown["height"])
    return PragmaView(content, summary, still)


def _key(knobs: Mapping[str, Sequence[str]], setting: Mapping[str, str]) -> str:
    for name, options in knobs.items():
        if setting.get(name) not in options:
            raise ValueError(f"{name} is {setting.get(name)!r} in a design: expected one of {', '.join(options)}")
    return "|".join(setting[name] for name in knobs)


def _shown(design: Mapping[str, Any]) -> dict[str, Any]:
    chart = design["timeline"]
    timeline = SimpleNamespace(**{**chart, "operations": [SimpleNamespace(**one) for one in chart["operations"]]})
    rows = rows_of(timeline.operations)
    inputs = max(1, min(_INPUTS, design["trip"] or 1, 1 + (_WIDEST - timeline.latency) // timeline.ii))
    sentence = _sentence(design)
    svg, size = pipeline_picture(timeline, rows, inputs, timeline.latency, f"{timeline.design}. {sentence}")
    facts = [
        [str(design["cycles"]), "cycles"], ["—" if design["ii"] is None else str(design["ii"]), "II"],
        [str(design["multipliers"]), "multipliers"], [str(design["lut"]), "look-up tables"],
        [str(design["ff"]), "flip-flops"],
    ]  # fmt: skip
    return {
        "source": design["source"], "facts": facts, "sentence": sentence, "svg": svg,
        "width": size["width"], "height": size["height"],
    }  # fmt: skip


def _sentence(design: Mapping[str, Any]) -> str:
    if design["ii"] is None:
        return f"{design['cycles']} cycles. Nothing is pipelined: an iteration begins when the one before has ended."
    why = design["why"] or "II is 1: an iteration begins every cycle."
    return f"{design['cycles']} cycles. {why} The pipelined loop has {plural(design['trip'], 'iteration')}."


def _summary(designs: Sequence[Mapping[str, Any]]) -> str:
    fastest = min(designs, key=lambda one: (one["cycles"], one["lut"]))
    smallest = min(designs, key=lambda one: (one["lut"], one["cycles"]))
    setting = ", ".join(f"{name} {option}" for name, option in fastest["setting"].items() if option != "none")
    return (
        f"{plural(len(designs), 'design')}. The fastest takes {plural(fastest['cycles'], 'cycle')} with "
        f"{plural(fastest['multipliers'], 'multiplier')} ({setting or 'no pragma'}); the one with fewest look-up "
        f"tables, {smallest['lut']}, takes {smallest['cycles']}."
    )
