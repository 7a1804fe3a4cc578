"""How often is a plan that drops a kept output early better than every plan that does not? And how far is lab14's
prediction of a training step's peak from the count?

    python -m benchmarks.lab14 [FILE]

The lab's own tests run first; nothing is measured if one fails. Random chains of 2 to 6 blocks, each with a random
budget: the lab's dynamic programme against the shortest path over all that could be held. Random shapes of GPT within
the exercise's contract: predicted against recorded. About two minutes on one core. The lab quotes the file that this
writes, which is benchmarks/results/<date>-cpu-lab14.json unless given.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

from lablib import device  # isort: skip  (before triton: it decides whether kernels are interpreted)

import torch

from autograder.master import load
from benchmarks import result_files
from benchmarks.solved_lab import solved
from lablib.models.gpt import GPT
from lablib.train.chain import Chain, replay
from lablib.train.memory import memory_of_steps
from lablib.train.plans import best_plan

MASTER = Path(__file__).parents[1] / "solutions/lab14_training_systems/lab14_training_systems.py"


def chains(lab: dict[str, Any], count: int) -> dict[str, Any]:
    """FLOPs of the lab's plans over the fewest of any plan."""
    draw, ratios, none = random.Random(1), [], 0
    for _ in range(count):
        n = draw.randint(2, 6)
        outputs = [draw.randint(1, 9) for _ in range(n)]
        saved = [one + draw.randint(1, 20) for one in outputs]
        chain = Chain(tuple(outputs), tuple(saved), tuple(draw.randint(1, 9) for _ in range(n)))
        budget = draw.randint(max(saved), sum(saved))
        plan = lab["optimal_plan"](outputs, saved, list(chain.flops), budget)
        best = best_plan(chain, budget)
        if plan is None or best is None:
            if plan is not best:
                raise SystemExit(f"Of {chain} in {budget} bytes only one planner finds a plan.")
            none += 1
            continue
        ratios.append(replay(chain, plan).flops / replay(chain, best).flops)
    return {
        "chains": count,
        "without a plan": none,
        "early drops are better": sum(ratio > 1 for ratio in ratios),
        "by at most": max(ratios),
        "early drops are worse": sum(ratio < 1 for ratio in ratios),
    }


def peaks(lab: dict[str, Any], count: int) -> dict[str, Any]:
    """The largest errors of predicted peaks, relative to what is recorded."""
    draw, errors = random.Random(4), []
    for _ in range(count):
        heads, width = draw.choice([1, 2, 4, 8]), draw.choice([32, 64, 96, 128, 192, 256])
        B, T = draw.randint(1, 12), draw.randint(4, min(256, 4 * width // heads))
        shape = (B, T, width, draw.randint(2, 6), heads, draw.randint(60, 500))
        texts = torch.zeros(B, T, dtype=torch.int64, device="meta")
        model = GPT(shape[5], T, width, shape[3], heads).to("meta")
        errors.append(lab["predict"](*shape)["peak"] / memory_of_steps(model, texts, texts).peak.total - 1)
    return {"shapes": count, "least error": min(errors), "largest error": max(errors)}


def main(path: Path | None = None) -> None:
    """Check, measure, and write ``path``."""
    if not device.INTERPRETED:
        raise SystemExit("benchmarks.lab14 counts on a CPU, as in grading: set TRITON_INTERPRET=1.")
    lab, tests = solved(load(MASTER))
    result = {
        **result_files.cpu(), "tests": tests, "random chains": chains(lab, 6000), "random shapes": peaks(lab, 40),
    }  # fmt: skip
    print(result_files.write(result, "cpu", "lab14", path))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
