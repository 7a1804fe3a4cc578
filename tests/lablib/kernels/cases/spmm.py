"""Sparse times dense: a graph's edges sum the features of neighbours."""

from __future__ import annotations

import torch

from lablib import device
from lablib.check.random import Rng
from lablib.gpu.cost import Cost
from lablib.kernels.spmm import spmm, spmm_reference

from ..case import Build, Case, Refused

DEGREES = [0, 3, 1, 300, 0, 20, 0]  # empty rows first, between and last; a hub of several segments


def _graph(rng: Rng, dtype: torch.dtype, degrees: list[int], N: int, integers: torch.dtype = torch.int32) -> tuple:
    offsets = torch.tensor([0, *degrees], device=device.DEVICE).cumsum(0).to(integers)
    return offsets, rng.integers(0, N, sum(degrees)).to(integers), rng.normal(sum(degrees), dtype=dtype)


def _sliced(rng: Rng, dtype: torch.dtype) -> tuple:
    """Rows of a wider matrix; the first one, which no edge reaches, is infinite."""
    offsets, columns, values = _graph(rng, dtype, [17, 0, 3], 8)
    x = rng.normal(9, 150, dtype=dtype)[:, 3:140]
    x[0] = float("inf")
    return offsets, columns + 1, values, x


def _few_edges(rng: Rng, dtype: torch.dtype) -> tuple:
    """No row gathers a neighbour twice, which the tracer would count once."""
    offsets, columns, values = _graph(rng, dtype, [1, 0, 5], 9)
    return offsets, torch.arange(6, dtype=columns.dtype, device=columns.device), values, rng.normal(9, 16, dtype=dtype)


def _requested(offsets: torch.Tensor, columns: torch.Tensor, values: torch.Tensor, x: torch.Tensor) -> Cost:
    """What programs ask for: one row of x an edge, where there is one slice and no whole segment."""
    rows, edges, row_bytes = len(offsets) - 1, len(columns), x.shape[1] * x.element_size()
    index = offsets.element_size()
    return Cost(0, 2 * rows * index + edges * (index + values.element_size() + row_bytes) + rows * row_bytes)


CASES = [
    Case(
        "spmm of a graph with a hub",
        spmm,
        spmm_reference,
        lambda rng, dtype: (*_graph(rng, dtype, DEGREES, 9), rng.normal(9, 66, dtype=dtype)),
        gradients=(2, 3),
    ),
    Case("spmm of a slice", spmm, spmm_reference, _sliced),
    Case(
        "spmm of a graph with wide integers",
        spmm,
        spmm_reference,
        lambda rng, dtype: (*_graph(rng, dtype, [0, 150, 128], 5, torch.int64), rng.normal(5, 1, dtype=dtype)),
        gradients=(2, 3),
    ),
    Case(
        "spmm of no edges",
        spmm,
        spmm_reference,
        lambda rng, dtype: (*_graph(rng, dtype, [0, 0], 1), rng.normal(1, 3, dtype=dtype)),
    ),
    Case(
        "spmm of few edges",
        spmm,
        spmm_reference,
        _few_edges,
        cost=_requested,
    ),
]


def _zeros(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype, device=device.DEVICE)


def _integers(*shape: int) -> torch.Tensor:
    return _zeros(*shape, dtype=torch.int32)


REFUSED = [
    Refused(spmm, lambda: (_integers(3), _integers(4), _zeros(5), _zeros(2, 8)), r"it got \(3,\), \(4,\), \(5,\)"),
    Refused(spmm, lambda: (_integers(3), _integers(4), _zeros(4), _zeros(8, 2).T), "unit stride along D"),
    Refused(spmm, lambda: (_integers(3), _integers(4), _zeros(4), _zeros(8, 0)), r"not empty .* \(8, 0\)"),
    Refused(spmm, lambda: (_zeros(3), _integers(4), _zeros(4), _zeros(2, 8)), "in int32 or int64"),
    Refused(spmm, lambda: (_integers(3), _integers(4), _zeros(4).half(), _zeros(2, 8)), "values in the dtype of x"),
]


def _launch(dtype: torch.dtype):
    def meta(*shape: int, dtype: torch.dtype = dtype) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device="meta")

    edges, nodes = 4_000_000, 131_072
    graph = meta(nodes + 1, dtype=torch.int32), meta(edges, dtype=torch.int32), meta(edges)
    return lambda: spmm(*graph, meta(nodes, 128))


BUILDS = [
    Build(f"{kernel.strip('_')} in {str(dtype).removeprefix('torch.')}", _launch(dtype), kernel)
    for dtype in (torch.bfloat16, torch.float32)
    for kernel in ("_spmm_kernel", "_segment_kernel")
]
