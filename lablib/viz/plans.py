"""Plans for thousands of ranks: move tensor and pipeline parallelism, and see the memory and where the time goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lablib.viz.settings import SettingsView, settings_view
from lablib.viz.svg import drawing, node, paint, text

_LEFT, _WIDE, _HEIGHT = 150, 806, 150
_TITLE = "Which plan fits, and where does its time go?"


def plan_explorer(
    plans: Mapping[tuple[int, int, int], Mapping[str, Any]], memory: float, title: str = _TITLE
) -> SettingsView:
    """Compare plans; a slider each for the ranks, and for those that share a layer and those in a pipeline.

    Parameters
    ----------
    plans
        By (ranks, tp, pp): ``held``, the bytes of a rank, and ``seconds``, those of a step by cause. An empty mapping
        where no such plan exists. All combinations.
    memory
        Bytes of a GPU.
    title
        The question that the widget answers.

    Raises
    ------
    ValueError
        No plan fits the memory, or a combination is missing.

    Examples
    --------
    >>> plan_explorer({(8, 2, 1): {"held": 30e9, "seconds": {"work": 1.5, "dp": 0.5}}}, 80e9)
    The fastest that fits on 8 ranks: dp 4, tp 2, pp 1, 2.00 s a step.
    """
    best = {}
    for ranks in dict.fromkeys(key[0] for key in plans):
        fitting = [key for key, plan in plans.items() if key[0] == ranks and plan and plan["held"] <= memory]
        if fitting:
            best[ranks] = min(fitting, key=lambda key: sum(plans[key]["seconds"].values()))
    if not best:
        raise ValueError(f"no plan fits {memory / 1e9:.0f} GB")
    told = [f"on {ranks:,} ranks: {_said(key)}, {_total(plans[key]):.2f} s a step" for ranks, key in best.items()]
    summary = f"The fastest that fits {'; '.join(told)}."
    sizes, tps, pps = (sorted({key[at] for key in plans}) for at in range(3))
    knobs = {"ranks": list(map(str, sizes)), "tensor parallel (tp)": list(map(str, tps)),
             "pipeline stages (pp)": list(map(str, pps))}  # fmt: skip
    longest = {
        ranks: max(_total(plan) for key, plan in plans.items() if key[0] == ranks and plan and plan["held"] <= memory)
        for ranks in best
    }
    whole = max(longest.values())
    settings = {
        tuple(map(str, key)): _setting(key, plan, memory, longest.get(key[0], whole)) for key, plan in plans.items()
    }
    size = sizes[len(sizes) // 2]
    possible = (key for key in sorted(plans) if key[0] == size and plans[key])
    _, tp, pp = next(possible, (size, tps[0], pps[0]))
    return settings_view(title, summary, knobs, [sizes.index(size), tps.index(tp), pps.index(pp)], settings)


def _said(key: tuple[int, int, int]) -> str:
    ranks, tp, pp = key
    return f"dp {ranks // (tp * pp):,}, tp {tp}, pp {pp}"


def _total(plan: Mapping[str, Any]) -> float:
    return sum(plan["seconds"].values())


def _setting(
    key: tuple[int, int, int], plan: Mapping[str, Any], memory: float, longest: float
) -> dict[str, Any]:  # fmt: skip
    if not plan:
        sentence = f"{_said(key)}: no such plan; the batch, the layers or the ranks do not divide."
        empty = drawing(_WIDE, _HEIGHT, sentence, [text(12, 40, "no such plan", "muted", 13)])
        return {"facts": [], "sentence": sentence, "svg": empty, "width": _WIDE, "height": _HEIGHT}
    fits = plan["held"] <= memory
    parts = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in plan["seconds"].items())
    sentence = f"{_said(key)}: {'fits' if fits else 'does not fit'}. {_total(plan):.2f} s a step: {parts}."
    facts = [
        [_said(key), "plan"],
        [f"{plan['held'] / 1e9:,.0f} GB", f"of {memory / 1e9:.0f}" + ("" if fits else ": too much")],
        [f"{_total(plan):.2f} s", "a step"],
    ]  # fmt: skip
    return {
        "facts": facts, "sentence": sentence, "svg": _bars(plan, memory, longest, sentence), "width": _WIDE,
        "height": _HEIGHT,
    }  # fmt: skip


def _bars(plan: Mapping[str, Any], memory: float, longest: float, sentence: str) -> str:
    room = _WIDE - _LEFT - 24
    share = min(plan["held"] / memory, 1.5) / 1.5
    limit = _LEFT + room / 1.5
    fits = plan["held"] <= memory
    parts = [
        text(12, 33, "memory of a rank", size=12, font_weight=600),
        node("rect", x=_LEFT, y=18, width=share * room, height=22, fill=paint("good" if fits else "bad")),
        node("path", d=f"M{limit:.1f} 12V46", stroke=paint("ink"), stroke_width=2),
        text(limit + 5, 58, "limit", "muted", 11),
        text(12, 93, "time of a step", size=12, font_weight=600),
    ]
    x = float(_LEFT)
    for number, (name, seconds) in enumerate(plan["seconds"].items()):
        width = min(seconds / longest * room, _LEFT + room - x)  # one that fits is never cut
        parts.append(node("rect", x=x, y=78, width=width, height=22, fill=paint(f"series-{number % 6}")))
        left = _LEFT + number * room / max(len(plan["seconds"]), 1)
        parts.append(node("rect", x=left, y=120, width=11, height=11, fill=paint(f"series-{number % 6}")))
        parts.append(text(left + 16, 130, f"{name} {seconds:.2f} s", "ink", 11))
        x += width
    return drawing(_WIDE, _HEIGHT, sentence, parts)
