"""A cgroup for one hand-in, where the machine lets us have one: the kernel itself then bounds what all of it takes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from autograder.inside.limits import Limits


class Cgroup:
    """One hand-in's folder in each of some cgroups: one of them, or in version 1 one a controller.

    Parameters
    ----------
    parents : tuple of int
        Descriptors of these cgroups; none where the machine has none for us, and then every method does nothing.
    name : str
        Ends with ``-`` and the number of this process, which lives as long as it is needed.
    """

    def __init__(self, parents: tuple[int, ...], name: str) -> None:
        self.parents = parents
        self._folders = [Path(f"/proc/self/fd/{parent}", name) for parent in parents]

    def create(self, limits: Limits) -> None:
        settings = {
            "memory.max": limits.memory,
            "memory.swap.max": 0,
            "memory.oom.group": 1,
            "pids.max": limits.processes,
            "memory.limit_in_bytes": limits.memory,  # this and the next: version 1
            "memory.memsw.limit_in_bytes": limits.memory,
        }
        for folder in self._folders:
            _sweep(folder.parent)
            folder.mkdir()
            for name, value in settings.items():
                if (folder / name).exists():
                    (folder / name).write_text(str(value))

    def join(self) -> None:
        """Put this process, and those that it starts, into it."""
        for folder in self._folders:
            (folder / "cgroup.procs").write_text("0")

    def out_of_memory(self) -> bool:
        """Whether the kernel ended a process in it for want of memory."""
        reports = (folder / name for folder in self._folders for name in ("memory.events", "memory.oom_control"))
        lines = (line.split() for report in reports if report.exists() for line in report.read_text().splitlines())
        return any(key == "oom_kill" and int(count) > 0 for key, count in lines)

    def remove(self) -> None:
        """Take it away, once its last process is gone."""
        for folder in self._folders:
            with suppress(OSError):  # a process of it is not quite gone: the next to make one sweeps this up
                folder.rmdir()


def _sweep(parent: Path) -> None:
    """Take away what processes left there that were killed."""
    for folder in parent.glob("*-*"):
        if not Path("/proc", folder.name.split("-")[-1]).exists():
            with suppress(OSError):
                folder.rmdir()
