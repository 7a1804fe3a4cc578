"""How sure is lab03 of its accuracies? Train its solution, and the controls, on many random graphs.

    python -m benchmarks.lab03 [FILE]

The lab's own tests run first; nothing is trained if one fails. Each graph is drawn as the lab's check draws it. About a
minute on one core. The lab quotes the file that this writes, which is benchmarks/results/<date>-cpu-lab03.json unless
given.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lablib import device

import torch  # isort: skip

from autograder.master import load  # isort: skip
from benchmarks import result_files  # isort: skip
from benchmarks.solved_lab import solved  # isort: skip
from benchmarks.spread import summary  # isort: skip
from lablib.models.gcn import GCN, normalised_adjacency  # isort: skip
from lablib.train.loop import fit  # isort: skip

MASTER = Path(__file__).parents[1] / "solutions/lab03_sequence_and_graph_models/lab03_sequence_and_graph_models.py"
GRAPHS, DEEP_GRAPHS = 40, 8


def shares(lab: dict[str, Any], learn: Callable, judge: Callable, graphs: int = GRAPHS) -> dict[str, Any]:
    """Accuracy on the nodes held out of each graph: ``learn(graph)`` trains, ``judge(graph, answer)`` gives logits."""
    found = []
    for seed in range(graphs):
        torch.manual_seed(seed)
        graph = lab["block_model"](1000 + seed)
        right = judge(graph, learn(graph)).argmax(dim=1) == graph.y
        found.append(right[~graph.train].float().mean().item())
    return summary(found)


def linear(lab: dict[str, Any], heard_in_training: bool, heard_in_test: bool) -> dict[str, Any]:
    """The solution, with neighbours heard or not while it learns, and while it is judged."""

    def propagate(graph: Any, heard: bool) -> Callable:
        return lab["mean_of_neighbours"](graph) if heard else lambda h: h

    def learn(graph: Any) -> Any:
        known = torch.where(graph.train, graph.y, -1)
        return lab["train_nodes"](propagate(graph, heard_in_training), graph.x, known, graph.train)

    def judge(graph: Any, answer: Any) -> torch.Tensor:
        mean, (weights, bias) = propagate(graph, heard_in_test), answer
        return mean(mean(graph.x)) @ weights + bias

    return shares(lab, learn, judge)


def two_layers(lab: dict[str, Any], neighbours: bool) -> dict[str, Any]:
    """lablib's GCN, or with a matrix that hears nobody an MLP, trained with two sparse products a pass."""

    def adjacency(graph: Any) -> torch.Tensor:
        nobody = (torch.zeros_like(graph.offsets), graph.columns[:0])
        return normalised_adjacency(*(graph[:2] if neighbours else nobody))

    def learn(graph: Any) -> GCN:
        model, matrix = GCN(graph.x.shape[1], 16, 4, dropout=0.5), adjacency(graph)

        def loss(network: torch.nn.Module) -> torch.Tensor:
            return torch.nn.functional.cross_entropy(network(graph.x, matrix)[graph.train], graph.y[graph.train])

        fit(model, loss, steps=200, rate=0.02)
        return model.eval()

    def judge(graph: Any, model: GCN) -> torch.Tensor:
        with torch.no_grad():
            return model(graph.x, adjacency(graph))

    return shares(lab, learn, judge, DEEP_GRAPHS)


def main(path: Path | None = None) -> None:
    """Check, train, and write ``path``."""
    if not device.INTERPRETED:
        raise SystemExit("benchmarks.lab03 measures what a CPU trains, as in grading: set TRITON_INTERPRET=1.")
    lab, tests = solved(load(MASTER))
    result = {
        **result_files.cpu(),
        "tests": tests,
        "solution": linear(lab, heard_in_training=True, heard_in_test=True),
        "learned alone, then heard": linear(lab, heard_in_training=False, heard_in_test=True),
        "alone": linear(lab, heard_in_training=False, heard_in_test=False),
        "GCN of two layers": two_layers(lab, neighbours=True),
        "MLP of two layers": two_layers(lab, neighbours=False),
    }
    print(result_files.write(result, "cpu", "lab03", path))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
