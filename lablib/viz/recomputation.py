"""Plans of what to keep for a backward pass and what to compute again: what is held action by action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import BLUE, CARD, FAINT, INK, MARGIN, PALE_BLUE, RULE, VERMILION, card, graph_objects, heading
from lablib.viz.units import plural, si

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TOP, _BOTTOM, _LEFT, _ROW = 132, 64, 76, 30
# Nothing held; an output; an output and what its block's backward pass needs.
_COLOURS = [[0, FAINT], [0.33, FAINT], [0.34, PALE_BLUE], [0.66, PALE_BLUE], [0.67, BLUE], [1, BLUE]]


def checkpoint_plans(
    plans: Sequence[Mapping[str, Any]], title: str = "What is held, and what is computed again?"
) -> Picture:
    """Draw plans of one chain of blocks, a slider position each: blocks upwards, actions across.

    A pale cell is an output that is held, a dark one all that a block's backward pass needs. The sign says what is
    done: → forward, ● forward and save, × drop, ← backward. A forward pass that was done before is red or underlined.

    Parameters
    ----------
    plans
        Dicts with ``budget`` (what the slider says), ``plan`` (pairs of a word and a block's number, as
        `lablib.train.chain` has them), ``held`` (bytes after each action) and ``flops`` (of all forward passes).

    Returns
    -------
    Picture
        Its ``summary`` compares peaks and arithmetic of the first and the last plan.

    Raises
    ------
    ValueError
        When there is no plan, or one without actions.

    Examples
    --------
    >>> save = {"budget": "all", "plan": [("save", 1), ("backward", 1)], "held": [8, 0], "flops": 100}
    >>> checkpoint_plans([save])
    1 plan of 1 block. all: at most 8 B held, 100 FLOPs forward, 0 forward passes done again.
    """
    if not plans or not all(one["plan"] for one in plans):
        raise ValueError("checkpoint_plans needs plans, each of at least one action; got none, or an empty one")
    blocks = max(i for one in plans for _, i in one["plan"])
    ends = [plans[0]] if len(plans) == 1 else [plans[0], plans[-1]]
    told = " ".join(f"{one['budget']}: {_told(one)}." for one in ends)
    summary = f"{plural(len(plans), 'plan')} of {plural(blocks, 'block')}. {told}"
    return Picture(_draw(plans, blocks, title), summary)


def _told(one: Mapping[str, Any]) -> str:
    again = sum(repeated for *_, repeated in _signs(one["plan"]))
    flops = f"{one['flops']:,} FLOPs" if one["flops"] < 10_000 else si(one["flops"], "FLOP")
    return f"at most {si(max(one['held']), 'B')} held, {flops} forward, {plural(again, 'forward pass')} done again"


def _signs(plan: Sequence[tuple[str, int]]) -> list[tuple[str, int, bool]]:
    """For each action its sign, its block, and whether it is a forward pass that was done before."""
    signs = {"forward": "→", "save": "●", "drop": "×", "backward": "←"}
    seen: set[int] = set()
    found = []
    for word, i in plan:
        runs = word in ("forward", "save")
        found.append((signs[word], i, runs and i in seen))
        seen |= {i} if runs else set()
    return found


def _cells(plan: Sequence[tuple[str, int]], blocks: int, width: int) -> list[list[int | None]]:
    """0, 1 or 2 for each block after each action: nothing, its output, all of it; None after the last action."""
    state = [0] * blocks
    columns: list[list[int | None]] = []
    for word, i in plan:
        state[i - 1] = {"forward": 1, "save": 2}.get(word, 0)
        columns.append(list(state))
    columns.extend([None for _ in range(blocks)] for _ in range(width - len(columns)))
    return [list(row) for row in zip(*columns, strict=True)]


def _draw(plans: Sequence[Mapping[str, Any]], blocks: int, title: str) -> Figure:
    go = graph_objects()
    width = max(len(one["plan"]) for one in plans)
    height = _TOP + _ROW * blocks + 60 + _BOTTOM + SLIDER_HEIGHT
    steps = [
        Step(
            one["budget"],
            _traces(one, blocks, width),
            {"title": heading(title, f"Budget {one['budget']}: {_told(one)}.", height)},
        )
        for one in plans
    ]
    figure = go.Figure(steps[0].traces)
    card(figure, title, "", height, margin={"l": _LEFT, "r": MARGIN, "t": _TOP, "b": _BOTTOM + SLIDER_HEIGHT})
    figure.update_xaxes(title_text="actions", range=[0.5, width + 0.5], showgrid=False)
    figure.update_yaxes(title_text="block", range=[0.5, blocks + 0.5], dtick=1, showgrid=False)
    add_slider(figure, steps, prefix="budget: ", play=False)
    for name, symbol, colour in (
        ("its output is held", "square", PALE_BLUE),
        ("saved for its backward pass", "square", BLUE),
    ):
        marker = {"symbol": symbol, "size": 11, "color": colour, "line": {"color": RULE, "width": 1}}
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", name=name, marker=marker))
    figure.add_trace(
        go.Scatter(x=[None], y=[None], mode="markers", name="computed again: red, or underlined",
                   marker={"symbol": "arrow-right", "size": 11, "color": VERMILION})
    )  # fmt: skip
    return figure


def _traces(one: Mapping[str, Any], blocks: int, width: int) -> list[Any]:
    go = graph_objects()
    cells = go.Heatmap(
        x=list(range(1, width + 1)), y=list(range(1, blocks + 1)), z=_cells(one["plan"], blocks, width), zmin=0, zmax=2,
        colorscale=_COLOURS, showscale=False, xgap=1, ygap=2, hoverinfo="skip",
    )  # fmt: skip
    signs = _signs(one["plan"])
    hover = [f"{word} {i}: {si(held, 'B')} held" for (word, i), held in zip(one["plan"], one["held"], strict=True)]
    dark = [word == "save" for word, _ in one["plan"]]
    colours = [
        VERMILION if again and not on else CARD if on else INK for (*_, again), on in zip(signs, dark, strict=True)
    ]
    # On a dark cell a red sign would not be read: there a repeated one is underlined.
    texts = [f"<u>{sign}</u>" if again and on else sign for (sign, _, again), on in zip(signs, dark, strict=True)]
    text = go.Scatter(
        x=list(range(1, len(signs) + 1)), y=[i for _, i, _ in signs], mode="text", text=texts,
        textfont={"size": 13, "color": colours}, hovertext=hover, hoverinfo="text", showlegend=False,
    )  # fmt: skip
    return [cells, text]
