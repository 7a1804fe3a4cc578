"""One rank of a data-parallel job under torchrun; rank 1 of the first attempt kills itself in the middle.

Usage: ``torchrun --standalone --nproc-per-node=2 --max-restarts=2 elastic_worker.py FOLDER SAMPLES BATCH``. What rank r
of W reads in a step follows from the step alone: ``order[step · BATCH :][:BATCH][r::W]``, so it is right for every W.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path


def main(folder: Path, samples: int, batch: int) -> None:
    """Count every sample once in a vector that all ranks hold, with a checkpoint after each step."""
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    rank, world, attempt = (int(os.environ[k]) for k in ("RANK", "WORLD_SIZE", "TORCHELASTIC_RESTART_COUNT"))
    # A file of its own for each attempt: nobody can wait for a rank of the attempt before.
    dist.init_process_group("gloo", init_method=f"file://{folder}/ranks{attempt}", rank=rank, world_size=world)
    checkpoint = folder / "state.json"
    state = json.loads(checkpoint.read_text()) if checkpoint.exists() else {"step": 0, "counts": [0] * samples}
    first, counts = state["step"], torch.tensor(state["counts"])
    order = torch.randperm(samples, generator=torch.Generator().manual_seed(0))
    steps = -(-samples // batch)
    for step in range(first, steps):
        if attempt == 0 and rank == 1 and step == steps // 2:
            os.kill(os.getpid(), signal.SIGKILL)
        seen = torch.zeros_like(counts)
        seen[order[step * batch :][:batch][rank::world]] += 1
        dist.all_reduce(seen)  # stands for the gradients of this step
        counts += seen
        if rank == 0:
            _replace(checkpoint, {"step": step + 1, "counts": counts.tolist()})
        dist.barrier()
    if rank == 0:
        report = {"attempt": attempt, "world": world, "resumed_at": first, "steps": steps, "counts": counts.tolist()}
        _replace(folder / "report.json", report)
    dist.destroy_process_group()


def _replace(path: Path, content: dict) -> None:
    """Write, flush, rename: whoever is killed in here leaves the old file."""
    new = path.with_suffix(".new")
    with new.open("w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
