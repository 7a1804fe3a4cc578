"""Pipeline schedules as Gantt charts: move the stages and the micro-batches, and see the bubble and what is held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lablib.viz.settings import SettingsView, settings_view
from lablib.viz.svg import drawing, node, paint, text
from lablib.viz.units import plural

_LEFT, _WIDE, _TOP, _LINE, _BAR = 70, 806, 26, 26, 22
_CHARACTER = 6.6  # px
_TITLE = "How long do stages idle, and how much do they hold?"


def pipeline_schedule(played: Mapping[tuple[str, int, int], Any], title: str = _TITLE) -> SettingsView:
    """Compare schedules of a pipeline; a slider each for schedule, stages and micro-batches.

    A filled box is a forward pass, an outlined one a backward pass; its number is the micro-batch. Boxes of a stage's
    second chunk are lower, and of another colour.

    Parameters
    ----------
    played
        By (schedule, stages, micro-batches) what `lablib.parallel.pipeline.play` gives: has ``tasks`` (each with
        ``stage``, ``kind``, ``micro_batch``, ``chunk``, ``start`` and ``end``), ``end``, ``bubble`` and ``held``. All
        combinations.
    title
        The question that the widget answers.

    Raises
    ------
    ValueError
        There is no schedule, or a combination is missing.

    Examples
    --------
    >>> from types import SimpleNamespace as Some
    >>> one = Some(stage=0, kind="F", micro_batch=0, chunk=0, start=0, end=1)
    >>> pipeline_schedule({("GPipe", 1, 1): Some(tasks=[one], end=1, bubble=0.0, held=[1])})
    1 schedule. Least bubble: 0% (GPipe, 1 stage, 1 micro-batch); greatest: 0% (GPipe, 1 stage, 1 micro-batch).
    """
    if not played:
        raise ValueError("give at least one schedule that was played")
    names, stages, micro = (list(dict.fromkeys(key[at] for key in played)) for at in range(3))
    knobs = {"schedule": names, "stages": [str(n) for n in stages], "micro-batches": [str(n) for n in micro]}
    settings = {tuple(map(str, key)): _setting(key, one) for key, one in played.items()}
    least = min(played, key=lambda key: played[key].bubble)
    most = max(played, key=lambda key: played[key].bubble)
    summary = (
        f"{plural(len(names), 'schedule')}. Least bubble: {float(played[least].bubble):.0%} ({_said(least)}); "
        f"greatest: {float(played[most].bubble):.0%} ({_said(most)})."
    )
    return settings_view(title, summary, knobs, [0, len(stages) // 2, len(micro) // 2], settings)


def _said(key: tuple[str, int, int]) -> str:
    return f"{key[0]}, {plural(key[1], 'stage')}, {key[2]} micro-batch{'' if key[2] == 1 else 'es'}"


def _setting(key: tuple[str, int, int], played: Any) -> dict[str, Any]:
    held = ", ".join(map(str, played.held))
    sentence = f"{_said(key)}: stages idle {float(played.bubble):.0%} of the time, and hold at most {held} at once."
    facts = [
        [f"{float(played.bubble):.1%}", "bubble"], [str(played.end), "units of time"],
        [str(max(played.held)), "held at most, on the fullest stage"],
    ]  # fmt: skip
    height = _TOP + key[1] * _LINE + 6
    return {
        "facts": facts, "sentence": sentence, "svg": _chart(key, played, height, sentence), "width": _WIDE,
        "height": height,
    }  # fmt: skip


def _chart(key: tuple[str, int, int], played: Any, height: int, sentence: str) -> str:
    unit = (_WIDE - _LEFT - 12) / played.end
    parts = [text(_LEFT, 14, "time →", "muted", 11)]
    for stage in range(key[1]):
        y = _TOP + stage * _LINE
        parts.append(text(12, y + 16, f"stage {stage}", size=12, font_weight=600))
        parts.append(node("rect", x=_LEFT, y=y, width=_WIDE - _LEFT - 12, height=_BAR, fill=paint("faint")))
    # One path for all boxes of a look: hundreds of elements a setting would make a slow page.
    boxes: dict[tuple[bool, int], list[str]] = {}
    for task in played.tasks:
        x, y, width = _LEFT + task.start * unit, _TOP + task.stage * _LINE, (task.end - task.start) * unit
        inset, wide = 1 + 3 * min(task.chunk, 2), max(width - 1, 0.5)
        path = f"M{x + 0.5:.1f} {y + inset}h{wide:.1f}v{_BAR - 2 * inset}h-{wide:.1f}z"
        boxes.setdefault((task.kind == "F", task.chunk % 6), []).append(path)
    for (forward, chunk), paths in boxes.items():
        colour = paint(f"series-{chunk}")
        parts.append(node("path", d="".join(paths), stroke=colour, fill=colour if forward else paint("card")))
    parts += [_number(task, unit) for task in played.tasks if (task.end - task.start) * unit >= _CHARACTER * 2]
    return drawing(_WIDE, height, sentence, parts)


def _number(task: Any, unit: float) -> str:
    middle, y = _LEFT + (task.start + task.end) / 2 * unit, _TOP + task.stage * _LINE + 15
    shade = "card" if task.kind == "F" else "ink"
    return text(middle, y, str(task.micro_batch), shade, 10, text_anchor="middle")
