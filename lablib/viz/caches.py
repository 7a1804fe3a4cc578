"""How a cache of keys and values grows with the text, beside the weights and the memory that it must fit in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import CARD, DASHES, INK, MARGIN, MUTED, SERIES, card, graph_objects, heading
from lablib.viz.units import plural, si

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT, _TOP, _BOTTOM, _LEFT = 500, 148, 72, 84
_SHORTEST, _LONGEST = 2**7, 2**20  # tokens


def cache_growth(
    token_bytes: Mapping[str, int], weight_bytes: float, memory_bytes: float, batches: Sequence[int]
) -> Picture:
    """Draw the bytes of the caches of a batch against the length of its texts, with a slider for the batch.

    Parameters
    ----------
    token_bytes
        By the name of a variant, the bytes that one token of one text adds to the cache.
    weight_bytes, memory_bytes
        Of the model, and of the device that holds model and caches.
    batches
        Positions of the slider: texts that are served together.

    Returns
    -------
    Picture
        Its ``summary`` says for the first and the last batch at which length a cache outgrows the weights, and at which
        the memory is full.

    Raises
    ------
    ValueError
        When there is no variant or batch, a number is not positive, or the weights do not fit.

    Examples
    --------
    >>> cache_growth({"8 heads": 1000}, weight_bytes=1e6, memory_bytes=5e6, batches=[1, 10])
    Tokens a text at which caches are as large as the weights (1 MB) and at which 5 MB are full. Batch 1: 8 heads 1,000 and 4,000. Batch 10: 8 heads 100 and 400.
    """  # noqa: E501
    if not token_bytes or not batches or min(*token_bytes.values(), *batches, 1) < 1:
        raise ValueError(f"cache_growth needs bytes and batches from 1 up, got {dict(token_bytes)} and {batches}")
    if not 0 < weight_bytes < memory_bytes:
        raise ValueError(f"weights of {weight_bytes:g} bytes do not fit into a memory of {memory_bytes:g}")
    ends = dict.fromkeys((batches[0], batches[-1]))
    found = [f"Batch {batch}: {_lengths(token_bytes, weight_bytes, memory_bytes, batch)}." for batch in ends]
    what = f"as large as the weights ({si(weight_bytes, 'B')}) and at which {si(memory_bytes, 'B')} are full"
    summary = f"Tokens a text at which caches are {what}. {' '.join(found)}"
    return Picture(_draw(token_bytes, weight_bytes, memory_bytes, list(batches)), summary)


def _lengths(token_bytes: Mapping[str, int], weights: float, memory: float, batch: int) -> str:
    return ", ".join(
        f"{name} {int(weights / (batch * each)):,} and {int((memory - weights) / (batch * each)):,}"
        for name, each in token_bytes.items()
    )


def _draw(token_bytes: Mapping[str, int], weights: float, memory: float, batches: list[int]) -> Figure:
    go = graph_objects()
    height = _HEIGHT + SLIDER_HEIGHT
    title = "When does the cache outgrow the weights, and when the memory?"
    lengths = np.geomspace(_SHORTEST, _LONGEST, 53)
    steps = []
    for batch in batches:
        told = _lengths(token_bytes, weights, memory, batch)
        texts = f"{plural(batch, 'text')}. Tokens each at which caches equal the weights, and fill the memory: {told}."
        lines = [_line(name, each * batch, lengths, index) for index, (name, each) in enumerate(token_bytes.items())]
        steps.append(Step(str(batch), lines, {"title": heading(title, texts, height)}))
    figure = go.Figure(steps[0].traces)
    margin = {"l": _LEFT, "r": MARGIN, "t": _TOP, "b": _BOTTOM + SLIDER_HEIGHT}
    card(figure, title, "", height, margin=margin)
    for value, name in ((weights, "weights"), (memory - weights, "what they leave of the memory")):
        figure.add_hline(y=value / 1e9, line={"color": INK, "width": 1.5})
        figure.add_annotation(
            text=f"{name}: {si(value, 'B')}", x=0.01, xref="x domain", y=np.log10(value / 1e9), xanchor="left",
            yanchor="bottom", showarrow=False, font={"size": 12, "color": INK}, bgcolor=CARD,
        )  # fmt: skip
    sizes = [each * batch * length / 1e9 for each in token_bytes.values() for batch in batches for length in lengths]
    ends = np.log10([max(min(sizes), weights / 1e13), 20 * memory / 1e9]).tolist()
    decades = {"type": "log", "dtick": 1, "showexponent": "all", "exponentformat": "none", "tickformat": "~g"}
    ticks = [2**power for power in range(7, 21)]
    names = [str(tick) if tick < 1024 else f"{tick // 1024}k" if tick < 2**20 else "1M" for tick in ticks]
    figure.update_xaxes(
        title_text="tokens in each text", type="log", range=np.log10([_SHORTEST, _LONGEST]).tolist(),
        tickvals=ticks, ticktext=names,
    )  # fmt: skip
    figure.update_yaxes(title_text="bytes of all caches (GB)", range=ends, **decades)
    add_slider(figure, steps, prefix="texts served together: ", play=False)
    return figure


def _line(name: str, each: int, lengths: np.ndarray, index: int) -> Any:
    style = {"color": SERIES[index % len(SERIES)], "dash": DASHES[index % len(DASHES)], "width": 2.5}
    hover = [f"{name}: {si(each * length, 'B')} at {length:,.0f} tokens" for length in lengths]
    return graph_objects().Scatter(
        x=lengths, y=each * lengths / 1e9, mode="lines", name=name, line=style, hovertext=hover, hoverinfo="text",
        hoverlabel={"bordercolor": MUTED},
    )  # fmt: skip
