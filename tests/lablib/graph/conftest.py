"""Small graphs, and the models of lablib as graphs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lablib.models.cnn import CNN
from lablib.models.cnn3d import CNN3D
from lablib.models.diffusion import UNet
from lablib.models.gcn import GCN
from lablib.models.gpt import GPT
from lablib.models.vae import VAE
from lablib.models.vit import ViT

MODELS = {
    "cnn": (CNN, lambda: (torch.rand(2, 1, 28, 28),)),
    "cnn3d": (CNN3D, lambda: (torch.rand(2, 1, 6, 16, 16),)),
    "vit": (lambda: ViT(depth=1), lambda: (torch.rand(2, 1, 28, 28),)),
    "gpt": (lambda: GPT(depth=1), lambda: (torch.randint(0, 72, (2, 10)),)),
    "vae": (VAE, lambda: (torch.rand(3, 1, 8, 8), torch.randn(3, 2))),
    "unet": (UNet, lambda: (torch.randn(2, 1, 8, 8), torch.tensor([1, 250]))),
    "gcn": (lambda: GCN(6, 4, 2), lambda: (torch.rand(5, 6), torch.rand(5, 5))),
}


@pytest.fixture(params=MODELS)
def model(request) -> Any:
    """A model in evaluation mode, and inputs for it."""
    torch.manual_seed(0)
    make, inputs = MODELS[request.param]
    return make().eval(), inputs()


def graph_of(*lines: str, inputs: dict[str, tuple[int, ...]], outputs: tuple[str, ...] = ("",)) -> dict[str, Any]:
    """A graph without attributes of lines such as ``"c = add a b"``; it returns the last node unless told otherwise."""
    nodes = []
    for line in lines:
        name, _, op, *given = line.split()
        nodes.append({"name": name, "op": op, "inputs": given, "attributes": {}})
    returned = list(outputs) if outputs != ("",) else [nodes[-1]["name"]]
    typed = {name: (shape, torch.float32) for name, shape in inputs.items()}
    return {"inputs": typed, "constants": {}, "nodes": nodes, "outputs": returned}
