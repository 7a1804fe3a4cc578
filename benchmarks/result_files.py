"""Where measurements are kept: benchmarks/results/<date>-<machine>-<what>.json."""

from __future__ import annotations

import json
import platform
from datetime import date
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def newest(what: str) -> Path:
    """The newest measurement of something."""
    return sorted(RESULTS.glob(f"*-{what}.json"))[-1]


def place(machine: str, what: str) -> Path:
    """Where a measurement of today is kept."""
    return RESULTS / f"{date.today()}-{machine}-{what}.json"


def write(result: dict[str, Any], machine: str, what: str, path: Path | None = None) -> Path:
    """Write a measurement to ``path``, or to where it is kept; return where that is."""
    path = path or place(machine, what)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def cpu() -> dict[str, Any]:
    """This machine's kind of CPU, the threads that PyTorch uses, and versions."""
    import torch
    import triton

    return {
        "machine": f"{platform.machine()} CPU, {torch.get_num_threads()} threads",
        "versions": {"torch": torch.__version__, "triton": triton.__version__},
    }


def gpu() -> dict[str, Any]:
    """This machine's GPU, and versions."""
    import torch
    import triton

    return {
        "machine": torch.cuda.get_device_name(),
        "versions": {"torch": torch.__version__, "triton": triton.__version__, "cuda": torch.version.cuda},
    }


def gpu_slug() -> str:
    """The GPU in a file's name, such as h200."""
    return gpu()["machine"].lower().removeprefix("nvidia ").replace(" ", "-")
