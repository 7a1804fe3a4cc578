"""Where rounds of federated averaging go in a plane, one number of local steps a step of a slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import BLUE, GREEN, INK, MARGIN, VERMILION, card, graph_objects, heading

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TITLE = "Where does FedAvg stop?"
_HEIGHT, _TOP, _BOTTOM = 420, 104, 56


def client_drift(
    paths: Mapping[int, Sequence[Sequence[float]]], centres: Sequence[Sequence[float]], best: Sequence[float]
) -> Picture:
    """Show the server's model after each round.

    Parameters
    ----------
    paths
        By local steps a round, the positions of the slider: the points (x, y) that the rounds went through.
    centres
        The point that each client would choose alone.
    best
        The optimum of all together.

    Returns
    -------
    Picture
        Its ``summary`` has the distance from the optimum at which each path ends.

    Raises
    ------
    ValueError
        When there is no path, or a point is not a pair.

    Examples
    --------
    >>> client_drift({1: [[0, 0], [1, 1]], 9: [[0, 0], [1, 3]]}, [[0, 0], [2, 2]], [1, 1])
    Where does FedAvg stop? 1 local step: 0.00 from the optimum; 9 local steps: 2.00 from the optimum.
    """
    lines = {steps: np.asarray(path, dtype=float) for steps, path in paths.items()}
    if not lines or any(line.ndim != 2 or line.shape[1] != 2 for line in lines.values()):
        raise ValueError("client_drift needs at least one path, and each of its points as a pair (x, y)")
    told = [f"{_steps(steps)}: {_sentence(line, best)}" for steps, line in lines.items()]
    return Picture(_draw(lines, np.asarray(centres, float), np.asarray(best, float)), f"{_TITLE} {'; '.join(told)}.")


def _steps(count: int) -> str:
    return f"{count} local step{'' if count == 1 else 's'}"


def _sentence(line: np.ndarray, best: Sequence[float] | np.ndarray) -> str:
    return f"{np.linalg.norm(line[-1] - np.asarray(best)):.2f} from the optimum"


def _draw(lines: Mapping[int, np.ndarray], centres: np.ndarray, best: np.ndarray) -> Figure:
    subtitles = [
        f"Each dot is the server after a round of {_steps(count)}; after {len(line) - 1} rounds it is "
        f"{_sentence(line, best)}."
        for count, line in lines.items()
    ]
    steps = [
        Step(str(count), _path(line), {"title": heading(_TITLE, subtitle, _HEIGHT)})
        for (count, line), subtitle in zip(lines.items(), subtitles, strict=True)
    ]
    figure = graph_objects().Figure([*steps[0].traces, *_marks(centres, best)])
    margin = {"l": 64, "r": MARGIN, "t": _TOP, "b": _BOTTOM + SLIDER_HEIGHT}
    card(figure, _TITLE, subtitles[0], _HEIGHT, margin=margin, showlegend=False)
    everything = np.concatenate([*lines.values(), centres, best[None]])
    for low, high, update in zip(
        everything.min(axis=0), everything.max(axis=0), (figure.update_xaxes, figure.update_yaxes), strict=True
    ):
        room = 0.18 * (high - low)
        update(range=[low - room, high + room], fixedrange=True)
    figure.update_xaxes(title_text="first coordinate")
    figure.update_yaxes(title_text="second coordinate")
    add_slider(figure, steps, prefix="local steps in a round: ", play=False)
    return figure


def _path(line: np.ndarray) -> list[Any]:
    go = graph_objects()
    dots = {"size": 5, "color": BLUE}
    end = {"size": 13, "color": VERMILION, "symbol": "x"}
    return [
        go.Scatter(x=line[:, 0], y=line[:, 1], mode="lines+markers", line={"color": BLUE, "width": 1}, marker=dots),
        go.Scatter(
            x=line[-1:, 0], y=line[-1:, 1], mode="markers+text", marker=end, text=["stops here"],
            textposition="top center", textfont={"color": INK},
        ),
    ]  # fmt: skip


def _marks(centres: np.ndarray, best: np.ndarray) -> list[Any]:
    go = graph_objects()
    shared = {"mode": "markers+text", "textposition": "bottom center", "textfont": {"color": INK}}
    return [
        go.Scatter(x=centres[:, 0], y=centres[:, 1], marker={"size": 12, "color": INK, "symbol": "square-open"},
                   text=[f"client {k} alone" for k in range(len(centres))], **shared),
        go.Scatter(x=best[:1], y=best[1:], marker={"size": 15, "color": GREEN, "symbol": "star"}, text=["optimum"],
                   **shared),
    ]  # fmt: skip
