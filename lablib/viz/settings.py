"""A widget with sliders: each setting of them has its figures, its sentence and its picture, drawn beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from lablib.viz.svg import titled
from lablib.viz.view import View, read


class SettingsView(View):
    """What `settings_view` makes; ``summary`` has its answer in words."""

    _esm = read("view.js", "explorer.js")
    _css = read("view.css", "explorer.css")


def settings_view(
    title: str, summary: str, knobs: Mapping[str, Sequence[str]], first: Sequence[int],
    settings: Mapping[tuple[str, ...], Mapping[str, Any]],
) -> SettingsView:  # fmt: skip
    """Put sliders above what was drawn for each of their settings.

    Parameters
    ----------
    title, summary
        The question that the widget answers, and the answer.
    knobs, first
        Options by slider, and the index of the option that each shows at first.
    settings
        For each combination of options ``facts`` (pairs of a figure and its name), ``sentence``, ``svg``, ``width`` and
        ``height``.

    Raises
    ------
    ValueError
        A combination is missing.
    """
    for chosen in product(*knobs.values()):
        if chosen not in settings:
            raise ValueError(f"there is nothing for {', '.join(map(' '.join, zip(knobs, chosen, strict=True)))}")
    kept = {"|".join(key): {name: one[name] for name in ("facts", "sentence", "svg")} for key, one in settings.items()}
    start = settings[tuple(options[at] for options, at in zip(knobs.values(), first, strict=True))]
    content = {
        "title": title, "subtitle": summary, "knobs": [[name, list(options)] for name, options in knobs.items()],
        "first": list(first), "settings": kept,
    }  # fmt: skip
    still = titled(title, f"{summary} Shown: {start['sentence']}", start["svg"], start["width"], start["height"])
    return SettingsView(content, summary, still)
