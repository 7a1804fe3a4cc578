"""How far are lab05's passes from the best? Plans, schedules, kernels and results of its solution, and of simpler ways.

    python -m benchmarks.lab05 [FILE]

The lab's own tests run first; nothing is measured if one fails. Plans are compared with the most bytes that live at
once, schedules with Graham's bound and the best there is, groups with the best there are, results with PyTorch's. About
a minute on one core. The lab quotes the file that this writes, benchmarks/results/<date>-cpu-lab05.json unless given.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lablib import device

import torch  # isort: skip

from autograder.master import load  # isort: skip
from benchmarks import result_files  # isort: skip
from benchmarks.solved_lab import solved  # isort: skip
from lablib.graph import backend, capture, kernels, live_bytes, memory_job, parse, run_in_arena, traffic  # isort: skip
from lablib.graph.exhaustive import earliest_end, fewest_bytes  # isort: skip
from lablib.graph.streams import conflicts, graham_bound  # isort: skip

MASTER = Path(__file__).parents[1] / "solutions/lab05_graph_compilers/lab05_graph_compilers.py"
Graph = dict[str, Any]
Lab = dict[str, Any]


def models(lab: Lab) -> dict[str, tuple[torch.nn.Module, tuple[torch.Tensor, ...]]]:
    """Every model of lablib.models, and inputs for it."""
    return {
        "CNN": (lab["CNN"](), (torch.randn(4, 1, 28, 28),)),
        "3D CNN": (lab["CNN3D"](), (torch.randn(2, 1, 6, 16, 16),)),
        "ViT": (lab["ViT"](), (torch.randn(2, 1, 28, 28),)),
        "GPT": (lab["GPT"](), (torch.randint(0, 72, (2, 32)),)),
        "VAE": (lab["VAE"](), (torch.rand(8, 1, 8, 8), torch.randn(8, 2))),
        "diffusion": (lab["UNet"](), (torch.randn(2, 1, 8, 8), torch.tensor([1, 250]))),
        "GCN": (lab["GCN"](34, 16, 2), (torch.rand(34, 34), torch.rand(34, 34))),
    }


def blocks(lab: Lab) -> dict[str, Graph]:
    """Graphs whose memory is planned."""
    residual, deep = lab["ResidualBlock"], torch.nn.Sequential
    made = {
        "residual block": (residual(8, 16, 2), torch.zeros(2, 8, 9, 9)),
        "three residual blocks": (
            deep(residual(8, 8), residual(8, 16, 2), residual(16, 24)),
            torch.zeros(2, 8, 12, 12),
        ),
        "GPT block": (lab["Block"](32, 4, causal=True), torch.zeros(2, 12, 32)),
        "GPT of 4 blocks": (lab["GPT"](), torch.zeros(2, 32, dtype=torch.int64)),
    }
    return {name: capture(model.eval(), x) for name, (model, x) in made.items()}


def ratio_of(plan: Callable[..., dict[str, int]], job: tuple[Any, dict[str, int], list[str]]) -> float:
    """The size of a plan's arena over the most bytes that live at once."""
    order, sizes, kept = job
    room = {name: -(-size // 64) * 64 for name, size in sizes.items()}
    offsets = plan(order, sizes, kept)
    return max(offsets[name] + room[name] for name in room) / max(live_bytes(order, room, kept))


def random_job(draw: random.Random) -> tuple[Any, dict[str, int], list[str]]:
    """Twenty results, as the lab's test draws them."""
    job, sizes = [], {}
    for number in range(20):
        sizes[f"t{number}"] = 64 * draw.choice([1, 2, 3, 4, 6, 8, 12, 16, 24, 32]) - draw.randrange(60)
        reads = [f"t{j}" for j in range(max(0, number - 6), number) if draw.random() < 0.3]
        job.append({"reads": ["x", *reads], "writes": [f"t{number}"]})
    return job, sizes, ["t19"]


def random_tasks(draw: random.Random) -> tuple[list[int], list[list[int]]]:
    """Ten tasks, as the lab's test draws them."""
    durations = [draw.randint(1, 20) for _ in range(10)]
    return durations, [[other for other in range(task) if draw.random() < 0.15] for task in range(10)]


def schedules(ways: dict[str, Callable[..., Any]], sets: int = 200) -> dict[str, Any]:
    """Ends over the best end, and over Graham's bound, on two streams."""
    draw, found = random.Random(0), {name: {"over the best": [], "over Graham's bound": []} for name in ways}
    for durations, waits in (random_tasks(draw) for _ in range(sets)):
        best, bound = earliest_end(durations, waits, 2), graham_bound(durations, waits, 2)
        for name, way in ways.items():
            placed = way(durations, waits, 2)
            if wrong := conflicts(durations, waits, placed):
                raise SystemExit(f"{name} of {durations} and {waits}: {wrong[0]}")
            end = max(start + length for (_, start), length in zip(placed, durations, strict=True))
            found[name]["over the best"].append(end / best)
            found[name]["over Graham's bound"].append(end / bound)
    return {name: {what: summary(numbers) for what, numbers in rows.items()} for name, rows in found.items()}


def random_graph(draw: random.Random) -> Graph:
    """Seven nodes, as the lab's test draws them."""
    lines, names = ["x: float32 (4, 4); y: float32 (4, 4)"], ["x", "y"]
    for number in range(7):
        op, one, other = (
            draw.choice(["add", "mul", "exp", "tanh", "sub", "matmul", "softmax"]),
            *draw.choices(names[-5:], k=2),
        )
        lines.append(f"n{number} = {op}({one}{dict(exp='', tanh='', softmax=', dim=-1').get(op, f', {other}')})")
        names.append(f"n{number}")
    read = "".join(lines)
    ends = [n for n in names[2:] if (f"({n}" not in read and f", {n})" not in read) or draw.random() < 1 / 12]
    return parse("\n".join([*lines, f"return {', '.join(ends)}"]))


def groups(ways: dict[str, Callable[[Graph], Any]], classes: int = 20) -> dict[str, Any]:
    """Bytes over the fewest, 20 graphs together, as the lab's test adds them up."""
    draw, found = random.Random(0), {name: [] for name in ways}
    for _ in range(classes):
        graphs = [random_graph(draw) for _ in range(20)]
        fewest = sum(map(fewest_bytes, graphs))
        for name, way in ways.items():
            found[name].append(sum(traffic(graph, way(graph)) for graph in graphs) / fewest)
    return {name: summary(numbers) for name, numbers in found.items()}


def compiled(lab: Lab, model: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> dict[str, Any]:
    """A model through torch.compile with the lab's passes, and once more inside the planned arena."""
    seen: list[Any] = []

    def passes(graph: Graph) -> tuple[Graph, Any]:
        lean = lab["fold_norms"](lab["simplify"](graph))
        seen[:] = [graph, lean, lab["fuse"](lean)]
        return lean, seen[2]

    with torch.no_grad():
        want = first(model.eval()(*inputs))
        got = first(torch.compile(model, backend=backend(passes))(*inputs))
    graph, lean, together = seen
    order, sizes, kept = memory_job(lean, together)
    offsets = lab["plan"](order, sizes, kept)
    inside = run_in_arena(lean, order, offsets, *(x for x, _ in zip(inputs, lean["inputs"], strict=True)))[0]
    return {
        "kernels": [len(kernels(graph)), len(order)],
        "bytes": [traffic(graph), traffic(lean), traffic(lean, together)],
        "bytes left": traffic(lean, together) / traffic(graph),
        "bytes of all results": sum(memory_job(graph)[1].values()),
        "bytes of the arena": max(offsets[name] + sizes[name] for name in offsets),
        "arena over the least possible": ratio_of(lab["plan"], (order, sizes, kept)),
        "largest difference": max((one - want).abs().max().item() for one in (got, inside)),
        "largest result": want.abs().max().item(),
    }


def first(value: Any) -> torch.Tensor:
    """A model's result, of several the first."""
    return value[0] if isinstance(value, tuple) else value


def summary(numbers: list[float]) -> dict[str, float]:
    """What the lab quotes."""
    return {"mean": statistics.mean(numbers), "worst": max(numbers), "least": min(numbers), "count": len(numbers)}


def main(path: Path | None = None) -> None:
    """Check, measure, and write ``path``."""
    if not device.INTERPRETED:
        raise SystemExit("benchmarks.lab05 measures what grading measures: set TRITON_INTERPRET=1.")
    master = load(MASTER)
    lab, tests = solved(master)

    def with_mistake(cell: str, *mistakes: str) -> dict[str, Any]:
        """The lab's function of a cell, and those of wrong answers to it."""
        found = {"solution": lab[cell]}
        for wrong in master.wrong_answers:
            if wrong.cell == cell and wrong.mistake in mistakes:
                names = dict(lab)
                exec(wrong.source, names)
                found[wrong.mistake] = names[cell]
        return found

    draw = random.Random(0)
    jobs = [random_job(draw) for _ in range(200)]
    planners = with_mistake("plan", "in_order_of_coming", "smallest_first")
    schedulers = with_mistake(
        "list_schedule", "in_order_of_number", "most_readers_first", "longest_task_first", "shortest_way_first"
    )
    groupers = with_mistake("fuse", "no_siblings", "four_at_most", "chains")
    result = {
        **result_files.cpu(),
        "tests": tests,
        "arena over the least possible": {
            **{
                name: {way: ratio_of(plan, memory_job(graph)) for way, plan in planners.items()}
                for name, graph in blocks(lab).items()
            },
            "200 random jobs": {way: summary([ratio_of(plan, job) for job in jobs]) for way, plan in planners.items()},
        },
        "200 sets of 10 tasks on 2 streams": schedules(schedulers),
        "bytes over the fewest, 20 random graphs": groups(groupers),
        "models": {name: compiled(lab, *one) for name, one in models(lab).items()},
    }  # fmt: skip
    print(result_files.write(result, "cpu", "lab05", path))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
