"""A torch network in fixed point, bit by bit, as hls4ml would put it into hardware.

hls4ml writes one C++ function for the whole network, each layer with types of its own; g++ compiles it with the headers
that hls4ml ships, and it is called with arrays. Both run in processes of their own, with time limits.

    torch.nn.Linear ──> nnet::dense<input_t, result_t, config>, with weight_t, bias_t and accum_t

Source: Duarte et al., "Fast inference of deep neural networks in FPGAs for particle physics", JINST 13 P07027, 2018.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.hls.build import built, run
from lablib.hls.cpp_source import flags
from lablib.hls.engines import GXX, HLS4ML, require_all
from lablib.hls.errors import HardwareError, ToolFailed, ToolTimeout
from lablib.hls.report import Report

if TYPE_CHECKING:
    import torch

__all__ = ["Layer", "Network", "network_csim"]

_ROLES = ("weight", "bias", "accum", "result")
_MODES = r"(, ?AP_(TRN|RND)(_\w+)?(, ?AP_(WRAP|SAT)(_\w+)?)?)?"
_TYPE = re.compile(rf"ap_u?fixed<\d+, ?-?\d+{_MODES}>|ap_u?int<\d+>")
_WORKER = Path(__file__).with_name("layers_worker.py")


@dataclass(frozen=True)
class Layer:
    """A layer as hls4ml sees it.

    Attributes
    ----------
    name, kind
        hls4ml's name for it, such as ``"_0"`` for the first module of a Sequential; ``"Dense"``.
    shape
        Of its result, channels last.
    types
        C++ types by role: ``"result"`` and, where it has them, ``"weight"``, ``"bias"`` and ``"accum"``.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    types: dict[str, str]


@dataclass(frozen=True)
class Network:
    """A compiled network; call it with arrays.

    Attributes
    ----------
    layers
        With the types that hls4ml chose where nobody said.
    input_shape
        Of one sample, as torch has it.
    report
        hls4ml's word on the hardware: a note that it has none without the vendor's tools.
    folder
        The C++ project.
    seconds
        Time limit of a call.
    """

    layers: tuple[Layer, ...]
    input_shape: tuple[int, ...]
    report: Report
    folder: Path
    seconds: float

    def __call__(self, x: Any) -> Any:
        """Run it.

        Parameters
        ----------
        x
            Array or tensor of shape (batch, *input_shape), or of one sample. Its type rounds and wraps or saturates it.

        Returns
        -------
        np.ndarray or torch.Tensor
            As `x`: float64 and exact, shape (batch, *shape of the result), channels first as in torch.

        Raises
        ------
        HardwareError
            The shape is wrong, or a value is not finite.
        ToolTimeout
            It takes too long.
        """
        array = np.asarray(x.detach() if hasattr(x, "detach") else x, dtype=np.float64)
        single = array.shape == self.input_shape
        batch = array[None] if single else array
        if batch.shape[1:] != self.input_shape or not np.isfinite(array).all():
            expected = f"(batch, {', '.join(map(str, self.input_shape))})"
            raise HardwareError(f"The network takes finite values of shape {expected}: it got shape {array.shape}.")
        result = self._run(np.moveaxis(batch, 1, -1))
        result = np.moveaxis(result, -1, 1)
        result = result[0] if single else result
        if hasattr(x, "detach"):
            import torch

            return torch.from_numpy(np.ascontiguousarray(result))
        return result

    def _run(self, batch: np.ndarray) -> np.ndarray:
        shape = self.layers[-1].shape
        with tempfile.TemporaryDirectory(prefix="lablib-layers-") as name:
            folder = Path(name)
            np.save(folder / "x.npy", np.ascontiguousarray(batch).reshape(len(batch), int(np.prod(self.input_shape))))
            task = {"step": "run", "library": str(self.folder / "network.so"), "outputs": int(np.prod(shape))}
            _work(task, folder, self.seconds, "running the network")
            return np.load(folder / "y.npy").reshape(len(batch), *shape)


def network_csim(
    model: torch.nn.Module,
    input_shape: Sequence[int],
    precision: str = "ap_fixed<16, 6>",
    layers: Mapping[str, Mapping[str, str]] | None = None,
    seconds: float = 300.0,
) -> Network:
    """Compile a torch network to fixed-point C++.

    Parameters
    ----------
    model
        Linear, ReLU, Conv1d, Conv2d, pooling, Flatten and what else hls4ml knows, in a forward without branches.
    input_shape
        Of one sample: ``(16,)``, or ``(channels, height, width)``.
    precision
        Type of everything that nobody says otherwise; accumulators are by default as wide as exact sums need.
    layers
        By module name as in ``model.named_modules()``: types by role, ``{"0": {"weight": "ap_fixed<8, 2>"}}``; roles
        are weight, bias, accum and result. ``"input"`` is the network's input.
    seconds
        Time limit of the compilation, and of each call.

    Raises
    ------
    EngineMissing
        There is no hls4ml or no g++.
    HardwareError
        hls4ml does not know a layer, or a type or a name is wrong.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Linear(2, 1)
    >>> with torch.no_grad():
    ...     _ = layer.weight.copy_(torch.tensor([[0.5, -1.25]])), layer.bias.zero_()
    >>> network = network_csim(torch.nn.Sequential(layer), (2,), "ap_fixed<12, 4>")
    >>> network([[1.0, 0.5], [2.0, 3.0]])
    array([[-0.125],
           [-2.75 ]])
    """
    require_all(HLS4ML, GXX)
    shape = tuple(int(size) for size in input_shape)
    traced, config = _traced(model, shape), _config(model, precision, layers or {})
    inputs = {
        "code": traced.code,
        "modules": repr(traced),
        "weights": _digest(traced),
        "config": repr((shape, precision, config)),
        "worker": _WORKER.read_text(),
        "version": version(HLS4ML.distribution),
        "flags": repr(_flags()),
    }
    task = {"step": "convert", "shape": shape, "precision": precision, "layers": config}
    folder = built("layers", inputs, lambda draft: _build(draft, traced, task, seconds))
    found = tuple(
        Layer(one["name"], one["kind"], tuple(one["shape"]), one["types"])
        for one in json.loads((folder / "layers.json").read_text())
    )
    note = "hls4ml estimates neither cycles nor resources itself: it asks Vitis HLS, see lablib.hls.vitis."
    return Network(found, shape, Report(type(model).__name__, "hls4ml", notes=(note,)), folder, seconds)


def _traced(model: torch.nn.Module, shape: tuple[int, ...]) -> Any:
    """The network as a list of calls: it needs no class of the notebook, so that another process can read it."""
    import torch
    from torch.fx.proxy import TraceError

    name = type(model).__name__
    try:
        traced = torch.fx.symbolic_trace(copy.deepcopy(model).cpu().eval())
        with torch.no_grad():
            traced(torch.zeros(1, *shape))
    except TraceError as error:
        raise HardwareError(f"The forward of {name} depends on values, and hardware cannot: {error}.") from None
    except (RuntimeError, ValueError) as error:
        said = str(error).splitlines()[0].rstrip(".")
        raise HardwareError(f"{name} does not take a sample of shape {shape}: {said}.") from None
    for node in traced.graph.nodes:
        node.type = None  # annotations may be text, which would not travel
    traced.recompile()
    return traced


def _config(model: Any, precision: str, layers: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Types by hls4ml's names of the layers."""
    names = {"input", *(name for name, _ in model.named_modules() if name)}
    for name, types in {"precision": {"result": precision}, **layers}.items():
        if name not in {"precision", *names}:
            raise HardwareError(f"The network has no module {name!r}: it has {', '.join(sorted(names))}.")
        for role, kind in types.items():
            if role not in _ROLES:
                raise HardwareError(f"Layer {name} has no {role!r}: expected one of {', '.join(_ROLES)}.")
            if not _TYPE.fullmatch(kind):
                raise HardwareError(f"{kind!r} of {name} is no type: expected ap_fixed<16, 6, AP_RND, AP_SAT> or so.")
    return {re.sub(r"^(?=\d)", "_", name.replace(".", "_")): dict(types) for name, types in layers.items()}


def _digest(traced: Any) -> str:
    digest = hashlib.sha256()
    for name, tensor in traced.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode() + tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def _flags() -> list[str]:
    return [*flags(), "-O1", "-w", "-fPIC", "-shared", "-Ifirmware"]


def _build(folder: Path, traced: Any, task: dict[str, Any], seconds: float) -> None:
    import torch

    torch.save(traced, folder / "model.pt")
    try:
        _work(task, folder, seconds, "writing C++ with hls4ml")
    except ToolTimeout:
        raise
    except ToolFailed as error:
        said = str(error).removeprefix("Writing C++ with hls4ml failed: ")
        said = re.sub(r"^\w*(?:Exception|Error): ", "", said).rstrip(".")
        raise ToolFailed(f"hls4ml cannot take this network: {said}.", error.output) from None
    (folder / "model.pt").unlink()
    sources = ["firmware/network.cpp", "network_bridge.cpp"]
    run([GXX.require(), *_flags(), *sources, "-o", "network.so"], folder, seconds, "compiling the network")


def _work(task: dict[str, Any], folder: Path, seconds: float, doing: str) -> None:
    run([sys.executable, "-P", _WORKER], folder, seconds, doing, given=json.dumps(task))
