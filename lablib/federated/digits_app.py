"""A Flower ServerApp and ClientApp that train a small network on handwritten digits.

A round: the server sends its parameters as one vector, each client trains on its own digits and sends back the
difference, and the server adds the weighted mean of the differences. What is sent, and how differences become one, can
be replaced. Client state, such as a compressor's residual, stays in the client's Flower Context.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lablib.data.digits import digits
from lablib.federated.flower import (
    ArrayRecord,
    ClientApp,
    ConfigRecord,
    Context,
    Grid,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
    ServerApp,
)
from lablib.federated.splits import dirichlet_split

__all__ = ["DEFAULTS", "digits_apps", "initial_vector", "weighted_mean"]

DEFAULTS = {"rounds": 8, "clients": 10, "alpha": 0.3, "epochs": 1, "lr": 0.3, "batch": 16, "mu": 0.0, "split": 0}
"""Values that ``run_config`` may replace: ``mu`` is FedProx's, ``split`` the seed of the division among clients."""

Encode = Callable[[Tensor, Tensor], tuple[dict[str, Tensor], Tensor]]
"""From an update and the client's residual to what is sent, by name, and the new residual."""


def _network() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))


def initial_vector() -> Tensor:
    """The network's 19,210 parameters before training, one float32 vector, the same in every process."""
    return nn.utils.parameters_to_vector(_network().parameters()).detach()


def weighted_mean(updates: list[Tensor], examples: list[int]) -> Tensor:
    """Mean of the updates, each counted as often as its client has examples."""
    weights = torch.tensor(examples, dtype=torch.float64)
    return (torch.stack(updates).double().T @ (weights / weights.sum())).float()


def _plain(update: Tensor, residual: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    return {"update": update}, residual


def digits_apps(
    encode: Encode = _plain,
    decode: Callable[[Mapping[str, Tensor]], Tensor] = lambda sent: sent["update"],
    aggregate: Callable[[list[Tensor], list[int]], Tensor] = weighted_mean,
) -> tuple[ServerApp, ClientApp]:
    """Make a ServerApp and a ClientApp.

    Parameters
    ----------
    encode
        Called by each client in each round as ``encode(update, residual)``; the residual is zero at first.
    decode
        Called by the server on what a client sent; returns an update.
    aggregate
        Called by the server with the updates, in the order of the clients, and their numbers of examples.

    Returns
    -------
    server_app, client_app
        For `lablib.federated.grid.run_in_process`. The report has ``accuracy`` (on held-out digits) and ``loss`` (the
        clients' mean training loss), one a round, and ``norm``, that of the parameters in the end.
    """
    server, client = ServerApp(), ClientApp()

    @client.train()
    def train(message: Message, context: Context) -> Message:
        return _train(message, context, encode)

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        _serve(grid, {**DEFAULTS, **context.run_config}, decode, aggregate)

    return server, client


def _record(tensors: Mapping[str, Tensor]) -> ArrayRecord:
    return ArrayRecord({name: tensor.contiguous() for name, tensor in tensors.items()})


def _train(message: Any, context: Any, encode: Encode) -> Message:
    """One client's part of a round."""
    config = {**DEFAULTS, **context.run_config}
    client = int(context.node_config["partition-id"])
    vector = message.content["model"].to_torch_state_dict()["vector"]
    x, y = _own_digits(client, config)
    seed = 1000 * int(message.content["config"]["round"]) + client
    trained, loss = _train_locally(vector, x, y, config, torch.Generator().manual_seed(seed))
    state = context.state.get("residual")
    residual = torch.zeros_like(vector) if state is None else state.to_torch_state_dict()["residual"]
    sent, residual = encode(trained - vector, residual)
    if state is not None or bool(residual.any()):
        context.state["residual"] = _record({"residual": residual})
    metrics = MetricRecord({"examples": len(y), "loss": loss, "client": client})
    return Message(RecordDict({"sent": _record(sent), "metrics": metrics}), reply_to=message)


def _own_digits(client: int, config: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    data = digits()
    clients, alpha, seed = int(config["clients"]), float(config["alpha"]), int(config["split"])
    part = dirichlet_split(data.train_y, clients, alpha, seed, least=8)[client]
    return data.train_x[part], data.train_y[part]


def _train_locally(
    start: Tensor, x: Tensor, y: Tensor, config: Mapping[str, Any], generator: torch.Generator
) -> tuple[Tensor, float]:
    """SGD from ``start``; returns the new vector and the mean loss over the steps."""
    model = _network()
    parameters = list(model.parameters())
    nn.utils.vector_to_parameters(start.clone(), parameters)
    anchors = [p.detach().clone() for p in parameters]
    losses = []
    for _ in range(int(config["epochs"])):
        for batch in torch.randperm(len(y), generator=generator).split(int(config["batch"])):
            loss = F.cross_entropy(model(x[batch]), y[batch])
            gradients = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for p, gradient, anchor in zip(parameters, gradients, anchors, strict=True):
                    p -= float(config["lr"]) * (gradient + float(config["mu"]) * (p - anchor))
            losses.append(loss.item())
    return nn.utils.parameters_to_vector(parameters).detach(), sum(losses) / len(losses)


def _serve(grid: Any, config: Mapping[str, Any], decode: Any, aggregate: Any) -> None:
    """All rounds; writes the report."""
    vector, data = initial_vector(), digits()
    report: dict[str, Any] = {"accuracy": [], "loss": []}
    nodes = _connected(grid, int(config["clients"]))
    for number in range(1, int(config["rounds"]) + 1):
        replies = grid.send_and_receive(_orders(nodes, vector, number))
        failed = [reply.error.reason for reply in replies if reply.has_error()]
        if failed or len(replies) < len(nodes):
            raise RuntimeError(f"Round {number}: {len(replies)} of {len(nodes)} clients replied. Errors: {failed}")
        # Replies come in any order, and float sums depend on theirs.
        found: list[Any] = sorted(
            (reply.content for reply in replies), key=lambda content: content["metrics"]["client"]
        )
        updates = [decode(content["sent"].to_torch_state_dict()) for content in found]
        examples = [int(content["metrics"]["examples"]) for content in found]
        vector = vector + aggregate(updates, examples)
        losses = [content["metrics"]["loss"] * n for content, n in zip(found, examples, strict=True)]
        report["loss"].append(sum(losses) / sum(examples))
        report["accuracy"].append(_accuracy(vector, data.test_x, data.test_y))
    report["norm"] = vector.double().norm().item()
    Path(str(config["report"])).write_text(json.dumps(report))


def _orders(nodes: list[int], vector: Tensor, number: int) -> list[Message]:
    content = RecordDict({"model": _record({"vector": vector}), "config": ConfigRecord({"round": number})})
    return [Message(content, node, MessageType.TRAIN) for node in nodes]


def _connected(grid: Grid, clients: int, patience: float = 60.0) -> list[int]:
    """Ids of the nodes, once all are there."""
    end = time.monotonic() + patience
    while len(nodes := sorted(grid.get_node_ids())) < clients:
        if time.monotonic() > end:
            raise RuntimeError(f"{len(nodes)} of {clients} SuperNodes connected within {patience:g} s: see their logs.")
        time.sleep(0.1)
    return nodes


@torch.no_grad()
def _accuracy(vector: Tensor, x: Tensor, y: Tensor) -> float:
    model = _network()
    nn.utils.vector_to_parameters(vector, model.parameters())
    return (model(x).argmax(dim=1) == y).float().mean().item()
