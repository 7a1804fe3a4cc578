"""Who holds which part of weights, gradients and optimizer states, from data parallelism to ZeRO's last stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import CALM_BLUE, FAINT, card, graph_objects, heading

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TITLE = "Which rank keeps which part between steps?"
_KINDS = (("weights", 4), ("gradients", 4), ("m", 4), ("v", 4))  # float32, bytes a parameter
STAGES = (
    ("data parallel", 0, "Every rank keeps all."),
    ("ZeRO-1", 2, "Moments are sharded: each rank updates its part of the weights."),
    ("ZeRO-2", 3, "Gradients too: a rank needs only those of its part."),
    ("ZeRO-3", 4, "Weights too: they are gathered layer by layer when they are needed."),
)
_LINE, _TOP, _BOTTOM = 30, 118, 60


def shard_map(size: int, parameters: int) -> Picture:
    """Show what each rank keeps in float32 training with AdamW, 16 bytes a parameter, at each stage of ZeRO.

    Parameters
    ----------
    size
        Ranks, 2 to 16.
    parameters
        Of the model; a multiple of ``size`` gives even shards.

    Raises
    ------
    ValueError
        ``size`` is out of range, or there is no parameter.

    Examples
    --------
    >>> shard_map(8, 8_000_000_000)
    Which rank keeps which part between steps? Of 128.0 GB, a rank of 8 keeps 128.0 GB (data parallel), 72.0 GB (ZeRO-1), 44.0 GB (ZeRO-2), 16.0 GB (ZeRO-3).
    """  # noqa: E501
    if not isinstance(size, int) or not 2 <= size <= 16 or parameters < 1:
        raise ValueError(f"give 2 to 16 ranks and at least one parameter; got {size!r} and {parameters!r}")
    kept = ", ".join(f"{kept_bytes(size, parameters, sharded) / 1e9:.1f} GB ({name})" for name, sharded, _ in STAGES)
    summary = f"{_TITLE} Of {16 * parameters / 1e9:.1f} GB, a rank of {size} keeps {kept}."
    return Picture(_draw(size, parameters), summary)


def kept_bytes(size: int, parameters: int, sharded: int) -> float:
    """Bytes that each rank keeps when the last ``sharded`` of weights, gradients, m and v are sharded.

    Examples
    --------
    >>> kept_bytes(4, 100, 4)
    400.0
    """
    whole = len(_KINDS) - sharded
    return sum(n * parameters / (1 if index < whole else size) for index, (_, n) in enumerate(_KINDS))


def _sentence(size: int, parameters: int, stage: int) -> str:
    _, sharded, words = STAGES[stage]
    return f"{words} {kept_bytes(size, parameters, sharded) / 1e9:.1f} GB a rank."


def _draw(size: int, parameters: int) -> Figure:
    height = _TOP + size * _LINE + _BOTTOM + SLIDER_HEIGHT
    steps = [
        Step(name, [_cells(size, sharded)], {"title": heading(_TITLE, _sentence(size, parameters, stage), height)})
        for stage, (name, sharded, _) in enumerate(STAGES)
    ]
    figure = graph_objects().Figure(steps[0].traces)
    middles = [kind * (size + 1) + (size - 1) / 2 for kind in range(len(_KINDS))]
    figure.update_xaxes(
        tickvals=middles, ticktext=[name for name, _ in _KINDS], side="top", showgrid=False, fixedrange=True
    )
    figure.update_yaxes(
        title_text="rank", tickvals=list(range(size)), autorange="reversed", showgrid=False, fixedrange=True
    )
    margin = {"l": 64, "r": 24, "t": _TOP, "b": _BOTTOM + SLIDER_HEIGHT - 30}
    card(figure, _TITLE, _sentence(size, parameters, 0), height, margin=margin)
    add_slider(figure, steps, prefix="", play=False)
    return figure


def _cells(size: int, sharded: int) -> Any:
    """One row a rank; the parts of each kind side by side, with a gap between kinds."""
    rows: list[list[float | None]] = []
    words: list[list[str]] = []
    for rank in range(size):
        row: list[float | None] = []
        said: list[str] = []
        for kind, (name, _) in enumerate(_KINDS):
            for part in range(size):
                keeps = kind < len(_KINDS) - sharded or part == rank
                row.append(float(keeps))
                said.append(f"rank {rank} {'keeps' if keeps else 'has no'} part {part} of {name}")
            row.append(None)
            said.append("")
        rows.append(row[:-1])
        words.append(said[:-1])
    return graph_objects().Heatmap(
        z=rows, zmin=0, zmax=1, colorscale=[[0, FAINT], [1, CALM_BLUE]], showscale=False, xgap=2, ygap=4,
        text=words, hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
