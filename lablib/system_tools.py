"""The programs and libraries of the operating system that the labs, grading and the tests need, and their installation.

Nothing outside the standard library is imported here: `make` looks for them before anything is installed.
"""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

from lablib.hls.engines import ENGINES, Program

__all__ = ["CHROMIUM", "PYTHON_VENV", "TOOLS_OF", "SystemTool", "provide"]


@dataclass(frozen=True)
class SystemTool:
    """A program or library of the operating system: the names it may go by, and the Debian packages that have it."""

    name: str
    executables: tuple[str, ...]
    package: str
    cost: str
    library: str = ""

    def place(self) -> str | None:
        """Where it is, or None."""
        if self.library:
            return ctypes.util.find_library(self.library)
        return next(filter(None, map(shutil.which, self.executables)), None)


CHROMIUM = SystemTool(
    "chromium",
    ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    "chromium",
    "the tests cannot open the labs in a browser",
)

LAB_TOOLS = tuple(
    SystemTool(engine.name, (engine.name,), engine.package, f"lab12 and lab18 cannot {engine.purpose}")
    for engine in ENGINES
    if isinstance(engine, Program)
)
GRADE_TOOLS = (
    SystemTool("bubblewrap", ("bwrap",), "bubblewrap", "hand-ins cannot be graded in the bubblewrap sandbox"),
    SystemTool("unshare", ("unshare",), "util-linux", "there is no second kind of sandbox"),
    SystemTool("libseccomp", (), "libseccomp2", "no hand-in can be confined", library="seccomp"),
)
TEST_TOOLS = (
    SystemTool("postgresql", ("pg_ctlcluster",), "postgresql", "the tests cannot grade into a PostgreSQL gradebook"),
    CHROMIUM,
    SystemTool("hunspell", ("hunspell",), "hunspell hunspell-en-gb", "the tests cannot check spelling"),
)
TOOLS_OF = {"lab": LAB_TOOLS, "grade": GRADE_TOOLS, "test": LAB_TOOLS + GRADE_TOOLS + TEST_TOOLS}
PYTHON_VENV = SystemTool("venv", (), "python3-venv", "no virtual environment can be made")


def _missing(tools: tuple[SystemTool, ...]) -> list[SystemTool]:
    missing = [tool for tool in tools if tool.place() is None]
    return missing if importlib.util.find_spec("ensurepip") else [PYTHON_VENV, *missing]


def _install(tools: list[SystemTool]) -> None:
    """Install with apt-get; its output is shown, since this can take a minute."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    packages = [package for tool in tools for package in tool.package.split()]
    print(f"Installing {', '.join(packages)} with apt-get.", flush=True)
    subprocess.run(["apt-get", "update", "--quiet"], env=environment, check=True)
    subprocess.run(["apt-get", "install", "--yes", "--quiet", *packages], env=environment, check=True)


def provide(tools: tuple[SystemTool, ...], install: bool) -> list[SystemTool]:
    """Look for `tools`, install what is missing where that is possible, and return what is still missing."""
    missing = _missing(tools)
    if missing and install and os.geteuid() == 0 and shutil.which("apt-get"):
        _install(missing)
        missing = _missing(tools)
    if missing:
        costs = "; ".join(f"without {tool.name}: {tool.cost}" for tool in missing)
        packages = " ".join(tool.package for tool in missing)
        cure = f"sudo apt-get update && sudo apt-get install {packages}"
        print(f"Some tools are missing ({costs}): run `{cure}`.", file=sys.stderr)
    return missing
