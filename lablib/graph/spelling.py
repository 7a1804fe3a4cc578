"""How ATen's calls are spelled in a graph: tensors apart from attributes, defaults written out, aliases united."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, fx

from lablib.graph.ir import Graph
from lablib.graph.ops import OPS

__all__ = ["Builder"]

_SAME = {
    "_sparse_mm": "matmul",
    "mm": "matmul",
    "bmm": "matmul",
}
_RESHAPES = {"view", "reshape", "_unsafe_view", "flatten", "unflatten", "unsqueeze", "squeeze", "contiguous", "clone"}
_PARTS = {"chunk", "split", "split_with_sizes", "unbind"}
_ARRAYS = {"conv2d": 2, "conv3d": 3, "max_pool2d": 2, "max_pool3d": 3}
# What an attribute is called here where ATen's name says less.
_RENAMED = {
    "layer_norm": {"normalized_shape": "shape"},
    "group_norm": {"num_groups": "groups"},
    "expand": {"size": "shape"},
}
_DROPPED = {
    "batch_norm": {"training", "momentum", "cudnn_enabled"},
    "layer_norm": {"cudnn_enable"},
    "group_norm": {"cudnn_enabled"},
    "softmax": {"dtype"},
    "mean": {"dtype"},
    "sum": {"dtype"},
    "embedding": {"padding_idx", "scale_grad_by_freq", "sparse"},
    "add": {"alpha"},
    "sub": {"alpha"},
    "expand": {"implicit"},
    "max_pool2d": {"dilation", "ceil_mode"},
    "max_pool3d": {"dilation", "ceil_mode"},
}


class Builder:
    """Adds nodes of torch.fx to a graph, one by one."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.names: dict[fx.Node, str] = {}
        self.counts: dict[str, int] = {}

    def name_of(self, node: fx.Node) -> str:
        return self.names[node]

    def tensor(self, node: fx.Node, tensor: Tensor, names: dict[int, str]) -> None:
        """An input or a constant."""
        name = names.get(id(tensor))
        if name is None and node.op == "placeholder":
            name = f"x{len(self.graph['inputs'])}"
            self.graph["inputs"][name] = (tuple(tensor.shape), tensor.dtype)
        else:
            name = name or str(node.target)
            self.graph["constants"][name] = tensor.detach()
        self.names[node] = name

    def call(self, node: fx.Node) -> None:
        """A call; what only names a part, or changes nothing in inference, adds no node."""
        if node.target is operator.getitem:
            self._part(node, *node.args)
            return
        target: Any = node.target
        op = target._overloadpacket.__name__
        if op in _PARTS:
            return
        values = _arguments(node)
        if (op == "dropout" and not values["train"]) or op in ("lift_fresh_copy", "detach", "alias"):
            self.names[node] = self.names[values[next(iter(values))]]
        elif op in _RESHAPES:
            self._reshape(node, values[next(iter(values))])
        else:
            self._add(node, *_spelled(op, values))

    def _add(self, node: fx.Node, op: str, inputs: list[fx.Node | None], attributes: dict[str, Any]) -> None:
        if op not in OPS:
            raise ValueError(f"The model runs {node.target}, an operation that no graph of lablib.graph holds.")
        stack = node.meta.get("nn_module_stack") or {}
        path = _path(next(reversed(stack.values()))[0]) if stack else ""
        count = self.counts[op] = self.counts.get(op, -1) + 1
        name = self.names[node] = f"{op}_{count}" if count else op
        self.graph["nodes"].append({
            "name": name, "op": op, "inputs": [None if one is None else self.names[one] for one in inputs],
            "attributes": attributes, "module": path,
        })  # fmt: skip

    def _reshape(self, node: fx.Node, source: fx.Node) -> None:
        before, after = _value(source), _value(node)
        if before.shape == after.shape and before.is_contiguous():
            self.names[node] = self.names[source]
            return
        copies = before.shape == after.shape or not _viewable(before, after.shape)
        self._add(node, "reshape" if copies else "view", [source], {"shape": list(after.shape)})

    def _part(self, node: fx.Node, parent: Any, place: Any) -> None:
        """One part of a tensor that was cut up: a view."""
        op = parent.target._overloadpacket.__name__
        if op not in _PARTS:
            raise ValueError(f"The model takes a part of {parent.target}, which no graph of lablib.graph holds.")
        source = parent.args[0]
        whole, part = _value(source), _value(node)
        dim = _arguments(parent).get("dim", 0) % whole.dim()
        if op == "unbind":
            self._add(node, "select", [source], {"dim": dim, "index": place})
            return
        start = sum(one.shape[dim] for one in parent.meta["val"][:place])
        ends = {"start": start, "end": start + part.shape[dim], "step": 1}
        self._add(node, "slice", [source], {"dim": dim, **ends})


def _spelled(op: str, values: dict[str, Any]) -> tuple[str, list[fx.Node | None], dict[str, Any]]:
    """An operation's name here, its tensors in order, and its attributes."""
    if op in ("ones", "zeros", "full"):
        value = {"ones": 1, "zeros": 0}.get(op, values.get("fill_value"))
        return "full", [], {"shape": list(values["size"]), "value": value, "dtype": _dtype(values)}
    if op in ("arange", "logspace"):
        rest = {"start": 0, "step": 1} if op == "arange" else {}
        kept = {key: values[key] for key in ("start", "end", "step", "steps", "base") if key in values}
        dtype = torch.int64 if op == "arange" and values.get("dtype") is None else _dtype(values)
        return op, [], {**rest, **kept, "dtype": dtype}
    if op in ("transpose", "t", "mT") or (op == "numpy_T" and _value(values["self"]).dim() == 2):
        return "permute", [values["self"]], {"dims": _swapped(values)}
    if op.startswith("upsample_nearest"):
        return "upsample", [values["input"]], {"scale": values["scale_factors"][0]}
    if op == "cat":
        return op, list(values["tensors"]), {"dim": values["dim"]}
    tensors: list[fx.Node | None] = [value for value in values.values() if isinstance(value, fx.Node)]
    attributes = {key: value for key, value in values.items() if not isinstance(value, fx.Node)}
    if op == "batch_norm":
        tensors = [values[key] for key in ("input", "weight", "bias", "running_mean", "running_var")]
    if op in ("_to_copy", "to"):
        return "to", tensors[:1], {"dtype": attributes["dtype"]}
    if op in ("mean", "sum") and attributes.get("dim") is None:
        attributes |= {"dim": list(range(_value(values["self"]).dim())), "keepdim": attributes.get("keepdim", False)}
    return _SAME.get(op, op), tensors, _attributes(op, attributes)


def _attributes(op: str, values: dict[str, Any]) -> dict[str, Any]:
    """Attributes with full lists for each axis, without those that inference leaves alone."""
    kept = {}
    for key, value in values.items():
        if value is None or key in _DROPPED.get(op, ()) or key in ("pin_memory", "device", "layout", "memory_format"):
            continue
        if op in _ARRAYS and isinstance(value, (list, tuple, int)) and key != "groups":
            value = [value] if isinstance(value, int) else list(value)
            value *= _ARRAYS[op] // max(len(value), 1)
        kept[_RENAMED.get(op, {}).get(key, key)] = list(value) if isinstance(value, (list, tuple)) else value
    if op.startswith("max_pool") and not kept["stride"]:
        kept["stride"] = kept["kernel_size"]
    return kept


def _arguments(node: fx.Node) -> dict[str, Any]:
    """All arguments of a call by name, defaults included."""
    target: Any = node.target
    schema = target._schema.arguments
    values = {argument.name: argument.default_value for argument in schema}
    values.update(zip((argument.name for argument in schema), node.args, strict=False))
    return values | dict(node.kwargs)


def _dtype(values: dict[str, Any]) -> torch.dtype:
    return values.get("dtype") or torch.get_default_dtype()


def _swapped(values: dict[str, Any]) -> list[int]:
    rank = _value(values["self"]).dim()
    dims = list(range(rank))
    first, second = values.get("dim0", -2) % max(rank, 1), values.get("dim1", -1) % max(rank, 1)
    dims[first], dims[second] = dims[second], dims[first]
    return dims


def _viewable(tensor: Tensor, shape: torch.Size) -> bool:
    """Whether strides can show a tensor under another shape."""
    alike = torch.empty_strided(tensor.shape, tensor.stride(), device="meta")
    try:
        alike.view(shape)
    except RuntimeError:
        return False
    return True


def _value(node: fx.Node) -> Tensor:
    return node.meta["val"]


def _path(name: str) -> str:
    """``L['self'].blocks[0].conv1``, or a path as it is, as ``blocks.0.conv1``."""
    return name.replace("L['self']", "").replace("[", ".").replace("]", "").replace("'", "").strip(".")
