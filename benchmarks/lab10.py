"""How sure is lab10 of its thresholds? Its solution on other halves of the inputs, with controls, and other seeds.

    python -m benchmarks.lab10 [FILE]

The lab's own tests run first; nothing is measured if one fails. About 2 minutes on one core. The lab quotes the file
that this writes, which is benchmarks/results/<date>-cpu-lab10.json unless given.
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

MASTER = Path(__file__).parents[1] / "solutions/lab10_adaptive_compute/lab10_adaptive_compute.py"
HALVES = 100
COUNTS = ((0, 0, 0), (8, 8, 8), (16, 12, 8), (20, 10, 5), (24, 12, 4))


def exits(lab: dict[str, Any], inputs: Any, budget: float) -> dict[str, Any]:
    """Gates set on a random half of the inputs and used on the other; what the lab's check asks is asked of each."""
    found = []
    for seed in range(HALVES):
        order = torch.randperm(inputs[0].shape[1], generator=torch.Generator().manual_seed(seed)).chunk(2)
        found.append(lab["compare"](lab["choose_threshold"], *inputs, budget, *order))
    return {
        "budget": budget,
        "flops": summary([one["flops"] for one in found]),
        "points lost": summary([100 * (one["whole"] - one["gate"]) for one in found]),
        "points above static": summary([100 * (one["gate"] - one["static"]) for one in found]),
        "points above random": summary([100 * (one["gate"] - one["random"]) for one in found]),
    }


def merging(lab: dict[str, Any]) -> list[dict[str, Any]]:
    """Accuracy on all held-out images by how many tokens are merged, and of two controls."""
    model, data = lab["load"](lab["ViT"](), "vit"), lab["mnist"]()

    def accuracy(merge: Callable[..., Any], counts: tuple[int, ...], seen_by_size: bool = True) -> float:
        guesses = [lab["merged_pass"](model, x, merge, counts, seen_by_size)[0] for x in data.test_x.split(250)]
        return float((torch.cat(guesses).argmax(dim=1) == data.test_y).float().mean())

    generator = torch.Generator().manual_seed(0)

    def at_random(x: torch.Tensor, sizes: torch.Tensor, r: int) -> Any:
        """Tokens merged by the lab's rule, of features that say nothing."""
        noise = torch.randn(x.shape, generator=generator)
        _, sizes_after, to = lab["merge_tokens"](noise, sizes, r)
        sums = torch.zeros_like(x[:, r:]).scatter_add(1, to[..., None].expand_as(x), x * sizes[..., None])
        return sums / sizes_after[..., None], sizes_after, to

    whole = lab["vit_flops"]((0, 0, 0))
    return [
        {
            "merged after blocks 1, 2, 3": list(counts), "flops": lab["vit_flops"](counts) / whole,
            "accuracy": accuracy(lab["merge_tokens"], counts),
            "without sizes in attention": accuracy(lab["merge_tokens"], counts, seen_by_size=False),
            "merged at random": accuracy(at_random, counts),
        }
        for counts in COUNTS
    ]  # fmt: skip


def speculation(lab: dict[str, Any]) -> list[dict[str, Any]]:
    """Tokens a pass, measured with several seeds, beside the formula."""
    text = lab["austen"]()
    model, table = lab["load"](lab["GPT"](), "gpt"), lab["counted_draft"](text.train, 2)
    held_out = text.test[:2560].view(20, 128)
    with torch.no_grad():
        p = model(held_out)[:, 1:].double().softmax(dim=2)
    rate = float(lab["acceptance"](p, table[held_out[:, :-1] * 72 + held_out[:, 1:]]).mean())

    def measured(K: int, seed: int) -> float:
        generator = torch.Generator().manual_seed(seed)
        prompts = [text.test[start : start + 40] for start in range(500 * seed, 30_000, 5000)]
        runs = [lab["speculate"](model, table, lab["verify"], prompt, 80, K, generator) for prompt in prompts]
        return sum(len(w) for run in runs for _, w in run) / sum(len(run) for run in runs)

    return [
        {
            "K": K, "acceptance rate on held-out text": rate, "formula": lab["tokens_a_pass"](rate, K),
            "tokens a pass": summary([measured(K, seed) for seed in range(8)]),
        }
        for K in (1, 2, 4, 8)
    ]  # fmt: skip


def main(path: Path | None = None) -> None:
    """Check, measure, and write ``path``."""
    if not device.INTERPRETED:
        raise SystemExit("benchmarks.lab10 measures what a CPU computes, as in grading: set TRITON_INTERPRET=1.")
    lab, tests = solved(load(MASTER))
    result = {
        **result_files.cpu(),
        "tests": tests,
        "exits, vision": exits(lab, lab["vision_exits"](), 0.5),
        "exits, language": exits(lab, lab["language_exits"](), 0.9),
        "merging": merging(lab),
        "speculation": speculation(lab),
    }
    print(result_files.write(result, "cpu", "lab10", path))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
