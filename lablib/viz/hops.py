"""Messages on a graph: whom a node has heard after each hop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.grids import BARE_AXIS
from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import BLUE, CARD, INK, MARGIN, MUTED, PALE_BLUE, RULE, VERMILION, card, graph_objects, heading
from lablib.viz.units import plural

if TYPE_CHECKING:
    from networkx import Graph
    from plotly.graph_objects import Figure

_TOP, _BOTTOM, _HEIGHT = 112, 24, 420
_MOST = 80  # nodes that can still be told apart


def message_passing(offsets: Sequence[int], columns: Sequence[int], start: int, hops: int) -> Picture:
    """Draw a graph and whom one node has heard, with a slider for the hop: a layer of a graph network is one.

    Parameters
    ----------
    offsets, columns
        Neighbours in CSR, each edge in both directions: those of node n are
        ``columns[offsets[n] : offsets[n + 1]]``.
    start
        The node that listens.
    hops
        The last position of the slider.

    Returns
    -------
    Picture
        Its ``summary`` counts the nodes heard, hop by hop.

    Raises
    ------
    ValueError
        When there are more than 80 nodes, ``start`` is none of them, or there is no hop.

    Examples
    --------
    >>> message_passing([0, 1, 3, 4], [1, 0, 2, 1], start=0, hops=2)
    Node 0 has heard, of 3 nodes: itself; after 1 hop 2; after 2 hops 3.
    """
    count = len(offsets) - 1
    if not 0 <= start < count <= _MOST or hops < 1:
        raise ValueError(
            f"message_passing draws up to {_MOST} nodes and at least one hop; got {count} nodes, start {start}, {hops}"
        )
    owners = np.repeat(np.arange(count), np.diff(offsets))
    edges = np.stack([owners, np.asarray(columns)], axis=1)
    graph = _graph(count, edges)
    distance = _distances(graph, start)
    heard = [f"after {plural(hop, 'hop')} {int((distance <= hop).sum())}" for hop in range(1, hops + 1)]
    summary = f"Node {start} has heard, of {count} nodes: itself; {'; '.join(heard)}."
    return Picture(_draw(_places(graph), edges, distance, start, hops), summary)


def _graph(count: int, edges: np.ndarray) -> Graph:
    from networkx import Graph

    graph = Graph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from(edges.tolist())
    return graph


def _distances(graph: Graph, start: int) -> np.ndarray:
    """Hops from ``start`` to each node, shape (nodes,); more than any number of hops where there is no way."""
    from networkx import single_source_shortest_path_length

    distance = np.full(len(graph), np.iinfo(np.int64).max)
    for node, hops in single_source_shortest_path_length(graph, start).items():
        distance[node] = hops
    return distance


def _places(graph: Graph) -> np.ndarray:
    """A place in the unit square for each node, by springs, always the same; shape (nodes, 2)."""
    from networkx import spring_layout

    places: Any = spring_layout(graph, iterations=300, seed=1)
    at = np.stack([places[node] for node in range(len(graph))])
    at -= at.min(axis=0)
    return at / np.maximum(at.max(axis=0), 1e-9)


def _draw(at: np.ndarray, edges: np.ndarray, distance: np.ndarray, start: int, hops: int) -> Figure:
    go = graph_objects()
    height = _TOP + _HEIGHT + _BOTTOM + SLIDER_HEIGHT
    title = f"Whom has node {start} heard?"
    steps = []
    for hop in range(hops + 1):
        new = int((distance == hop).sum())
        told = f"{int((distance <= hop).sum())} of {len(at)} nodes after {plural(hop, 'hop')}, {new} of them new."
        carry = edges[(distance[edges[:, 0]] == hop - 1) & (distance[edges[:, 1]] == hop)]
        groups = [
            ("not heard", distance > hop, CARD, "circle", MUTED),
            ("heard before", distance < hop, PALE_BLUE, "circle", BLUE),
            ("heard now", distance == hop, VERMILION, "square", VERMILION),
        ]
        traces = [_lines(at, carry, INK, 2.5), *(_dots(at, *group) for group in groups)]
        steps.append(Step(str(hop), traces, {"title": heading(title, told, height)}))
    figure = go.Figure(steps[0].traces)
    card(figure, title, "", height, margin={"l": MARGIN, "r": MARGIN, "t": _TOP, "b": _BOTTOM + SLIDER_HEIGHT})
    figure.update_xaxes(range=[-0.05, 1.05], **BARE_AXIS).update_yaxes(range=[-0.06, 1.06], **BARE_AXIS)
    # A shape, not a trace: it lies below every node.
    path = " ".join(f"M {x1:.4f},{y1:.4f} L {x2:.4f},{y2:.4f}" for (x1, y1), (x2, y2) in at[edges])
    figure.add_shape(type="path", path=path, layer="below", line={"color": RULE, "width": 1.2})
    add_slider(figure, steps, prefix="hop ")
    return figure


def _lines(at: np.ndarray, edges: np.ndarray, colour: str, width: float) -> Any:
    gaps = np.full((len(edges), 1, 2), np.nan)
    ends = np.concatenate([at[edges], gaps], axis=1).reshape(-1, 2)
    line = {"color": colour, "width": width}
    return graph_objects().Scatter(
        x=ends[:, 0], y=ends[:, 1], mode="lines", line=line, hoverinfo="skip", showlegend=False
    )


def _dots(at: np.ndarray, name: str, chosen: np.ndarray, fill: str, symbol: str, edge: str) -> Any:
    numbers = np.flatnonzero(chosen)
    marker = {"color": fill, "symbol": symbol, "size": 22, "line": {"color": edge, "width": 1.5}}
    return graph_objects().Scatter(
        x=at[chosen, 0], y=at[chosen, 1], mode="markers+text", name=name, marker=marker, text=numbers.astype(str),
        textfont={"size": 11, "color": CARD if fill == VERMILION else INK},
        hovertemplate="node %{text}, " + name + "<extra></extra>",
    )  # fmt: skip
