"""One function in five intermediate representations: written once, captured by PyTorch, TensorFlow and JAX.

    python capture.py            writes captures.json beside this file

A node is a dict with ``name``, ``op``, ``inputs`` (names of nodes, and constants as text) and ``shape``. JAX and
TensorFlow are needed for their own captures alone: `pip install .[compilers]` and `pip install .[tf]`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZES = {"x": (4, 6), "w": (6, 3), "v": (6, 3), "b": (3,)}


class Maths:
    """The operations that the functions below use, by the names that one framework gives them."""

    def __init__(self, **operations: Callable[..., Any]) -> None:
        self.__dict__.update(operations)


def layer(m, x, w, v, b):
    return m.tanh(m.matmul(x, w) + b)


def softmax(m, x, w, v, b):
    z = m.matmul(x, w)
    e = m.exp(z - m.max_rows(z))
    return e / m.sum_rows(e)


def gated(m, x, w, v, b):
    h, gate = m.matmul(x, w), m.matmul(x, v)
    return m.tanh(gate) * h + m.exp(m.tanh(h))


def normed(m, x, w, v, b):
    h = m.matmul(x, w) + b
    d = h - m.sum_rows(h)
    return d * m.rsqrt(m.sum_rows(d * d))


def twins(m, x, w, v, b):
    one, other = m.exp(m.matmul(x, w)), m.exp(m.matmul(x, v))
    return (one - other) / (other + one * b)


FUNCTIONS = {f.__name__: f for f in (layer, softmax, gated, normed, twins)}


def torch_maths() -> Maths:
    import torch

    return Maths(
        matmul=torch.matmul, tanh=torch.tanh, exp=torch.exp, rsqrt=torch.rsqrt,
        max_rows=lambda z: torch.amax(z, 1, keepdim=True), sum_rows=lambda z: torch.sum(z, 1, keepdim=True),
    )  # fmt: skip


def jax_maths() -> Maths:
    import jax
    import jax.numpy as jnp

    return Maths(
        matmul=jnp.matmul, tanh=jnp.tanh, exp=jnp.exp, rsqrt=jax.lax.rsqrt,
        max_rows=lambda z: jnp.max(z, 1, keepdims=True), sum_rows=lambda z: jnp.sum(z, 1, keepdims=True),
    )  # fmt: skip


def tensorflow_maths() -> Maths:
    import tensorflow as tf

    return Maths(
        matmul=tf.matmul, tanh=tf.tanh, exp=tf.exp, rsqrt=tf.math.rsqrt,
        max_rows=lambda z: tf.reduce_max(z, 1, keepdims=True), sum_rows=lambda z: tf.reduce_sum(z, 1, keepdims=True),
    )  # fmt: skip


def node(name: str, op: str, inputs: list[str], shape: Any) -> dict[str, Any]:
    return {"name": name, "op": op, "inputs": inputs, "shape": [int(n) for n in shape]}


def aten(function: Callable[..., Any]) -> dict[str, Any]:
    """PyTorch's graph of ATen operations, from torch.export."""
    import torch

    maths = torch_maths()

    class Module(torch.nn.Module):
        def forward(self, x, w, v, b):
            return function(maths, x, w, v, b)

    examples = tuple(torch.zeros(shape) for shape in SIZES.values())
    program = torch.export.export(Module(), examples).run_decompositions()
    nodes = []
    for found in program.graph.nodes:
        if found.op == "output":
            continue
        op = "placeholder" if found.op == "placeholder" else str(found.target)
        names = [a.name if isinstance(a, torch.fx.Node) else str(a) for a in found.args]
        nodes.append(node(found.name, op, names, found.meta["val"].shape))
    return {"text": str(program.graph), "nodes": nodes}


def tensorflow(function: Callable[..., Any]) -> dict[str, Any]:
    """TensorFlow's GraphDef, from tf.function."""
    import tensorflow as tf

    maths = tensorflow_maths()
    specs = [tf.TensorSpec(shape, tf.float32, name=name) for name, shape in SIZES.items()]
    traced = tf.function(lambda x, w, v, b: function(maths, x, w, v, b), autograph=False)
    graph = traced.get_concrete_function(*specs).graph
    shapes = {op.name: op.outputs[0].shape if op.outputs else () for op in graph.get_operations()}
    nodes = [
        node(found.name, found.op, [name.lstrip("^") for name in found.input], shapes[found.name])
        for found in graph.as_graph_def().node
    ]
    text = "\n".join(f"{n['name']} = {n['op']}({', '.join(n['inputs'])})  {n['shape']}" for n in nodes)
    return {"text": text, "nodes": nodes}


def jaxpr(function: Callable[..., Any]) -> dict[str, Any]:
    """JAX's own intermediate representation."""
    import jax
    import jax.numpy as jnp

    maths = jax_maths()
    closed = jax.make_jaxpr(lambda x, w, v, b: function(maths, x, w, v, b))(*map(jnp.zeros, SIZES.values()))
    names: dict[Any, str] = {}

    def name(variable: Any) -> str:
        if hasattr(variable, "val"):  # a literal
            return str(variable.val)
        return names.setdefault(variable, f"v{len(names)}")

    nodes = [node(name(v), "parameter", [], v.aval.shape) for v in closed.jaxpr.invars]
    for equation in closed.jaxpr.eqns:
        result = equation.outvars[0]
        inputs = [name(v) for v in equation.invars]
        nodes.append(node(name(result), equation.primitive.name, inputs, result.aval.shape))
    return {"text": str(closed), "nodes": nodes}


def lowered(function: Callable[..., Any]) -> Any:
    import jax
    import jax.numpy as jnp

    maths = jax_maths()

    def main(x, w, v, b):
        return function(maths, x, w, v, b)

    return jax.jit(main, keep_unused=True).lower(*map(jnp.zeros, SIZES.values()))


def stablehlo(function: Callable[..., Any]) -> dict[str, Any]:
    """The dialect of MLIR that JAX and TensorFlow hand to compilers."""
    low = lowered(function)
    (main,) = [f for f in low.compiler_ir("stablehlo").body.operations if str(f.name).strip('"') == "main"]
    block = main.regions[0].blocks[0]
    nodes = []
    for argument in block.arguments:
        nodes.append(node(argument.get_name(), "argument", [], argument.type.shape))
    for operation in block.operations:
        if not operation.results:
            continue
        op = operation.operation.name
        if op == "stablehlo.reduce":
            op += " " + operation.regions[0].blocks[0].operations[0].operation.name
        result, inputs = operation.results[0], [value.get_name() for value in operation.operands]
        nodes.append(node(result.get_name(), op, inputs, result.type.shape))
    return {"text": low.as_text(), "nodes": nodes}


def hlo(function: Callable[..., Any]) -> dict[str, Any]:
    """What XLA makes of it for this machine's CPU: instructions of the entry computation, fusions with their parts."""
    text = lowered(function).compile().as_text()
    parts: dict[str, list[str]] = {}
    nodes, inside = [], ""
    for line in text.splitlines():
        if opening := re.match(r"(ENTRY )?%?([\w.\-]+) .*\{$", line):
            inside = "ENTRY" if opening[1] else opening[2]
        found = re.match(r"\s+(?:ROOT )?%?([\w.\-]+) = \w+\[([\d,]*)\]\S* ([\w\-]+)\((.*?)\)(.*)", line)
        if not found or inside != "ENTRY":
            if found and found[3] not in ("parameter", "constant"):
                parts.setdefault(inside, []).append(found[3])
            continue
        inputs = re.findall(r"%([\w.\-]+)", found[4])
        one = node(found[1], found[3], inputs, [n for n in found[2].split(",") if n])
        if called := re.search(r"calls=%?([\w.\-]+)", found[5]):
            one["parts"] = parts.get(called[1], [])
        nodes.append(one)
    code = re.sub(r", metadata=\{[^}]*\}", "", text)
    return {"text": code[: code.index("\n")] + "\n" + code[code.index("\n%") :], "nodes": nodes}


CAPTURE = {"aten": aten, "tensorflow": tensorflow, "jaxpr": jaxpr, "stablehlo": stablehlo, "hlo": hlo}


def main() -> None:
    """Add to captures.json what the frameworks that are installed here give."""
    path = Path(__file__).with_name("captures.json")
    kept = json.loads(path.read_text()) if path.is_file() else {"versions": {}, "functions": {}}
    for ir, capture in CAPTURE.items():
        try:
            found = {name: capture(function) for name, function in FUNCTIONS.items()}
        except ImportError as error:
            print(f"{ir}: kept as it was ({error})")
            continue
        module = __import__({"aten": "torch", "tensorflow": "tensorflow"}.get(ir, "jax"))
        kept["versions"][ir] = f"{module.__name__} {module.__version__}"
        for name, one in found.items():
            kept["functions"].setdefault(name, {})[ir] = one
        print(f"{ir}: {sum(len(one['nodes']) for one in found.values())} nodes, {kept['versions'][ir]}")
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
