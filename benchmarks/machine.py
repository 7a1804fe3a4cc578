"""What a measurement on CPU cores ran on, and how busy they are."""

from __future__ import annotations

import os
import platform
import re
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

PACKAGES = ("torch", "triton", "nbgrader", "distributed", "ipython", "numpy")
IDLE = 0.1  # cores that may be busy with something else
_NOT_BUSY = ("idle", "iowait", "steal", "guest", "guest_nice")  # guests' time is part of the user's


def describe() -> dict[str, Any]:
    """Machine, cores and versions."""
    return {
        "machine": f"{_processor()}, {len(cores())} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB",
        "cores": len(cores()),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }


def slug() -> str:
    """The machine in a file's name, such as intel-xeon-2-cores."""
    words = re.sub(r"\(.*?\)|\bcpu\b|\bprocessor\b|@.*", " ", _processor().lower())
    return "-".join([*re.findall(r"[a-z0-9]+", words), f"{len(cores())}-cores"])


def cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def use_cores(number: int) -> None:
    """Keep this process, and all that it starts, to `number` cores."""
    os.sched_setaffinity(0, cores()[:number])


def cpu_seconds() -> float:
    """Seconds that the cores of this machine were busy since it started, whoever kept them so.

    A sandbox's processes die by the hand of the kernel, unseen by the process that started them, so that nobody's
    own count has them. The machine's has: nothing else should run on it.
    """
    times = psutil.cpu_times()._asdict()
    return sum(seconds for name, seconds in times.items() if name not in _NOT_BUSY)


def busy_cores(seconds: float = 2.0) -> float:
    """How many cores are busy while this process sleeps."""
    before = cpu_seconds()
    time.sleep(seconds)
    return (cpu_seconds() - before) / seconds


def _processor() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()
