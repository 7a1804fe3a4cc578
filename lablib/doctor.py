"""What this machine has for the labs, what each missing thing costs, and the command that cures it.

``python -m lablib.doctor`` prints the whole report. With ``--system lab`` or ``--system test`` it looks only
at the operating system's tools and needs only the standard library: `make` calls it before installing.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lablib import _python_complaint
from lablib.hls.engines import ENGINES, NEXTPNR, YOSYS, Package
from lablib.system_tools import PYTHON_VENV, TOOLS_OF, SystemTool, provide

__all__ = ["Finding", "report"]


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes
    ----------
    name : str
        What was looked for.
    found : bool
        Whether it is there and works.
    detail : str
        Version, size or place when found; otherwise what is wrong.
    cost : str
        What cannot be done without it; empty when found.
    cure : str
        The command or action that puts it right; empty when found or when nothing does.
    """

    name: str
    found: bool
    detail: str
    cost: str = ""
    cure: str = ""


@dataclass(frozen=True)
class PythonPackage:
    """A package of requirements.lock: what it is called in the report, on PyPI and in ``import``."""

    name: str
    distribution: str
    module: str
    cost: str


PACKAGES = (
    PythonPackage("torch", "torch", "torch", "no lab runs"),
    PythonPackage("triton", "triton", "triton", "no lab runs (Linux and WSL2 only)"),
)
_NO_MACHINE_CODE = "lab00, lab06 and lab07 cannot compile kernels for a GPU that is not there"
TRITON_BINARIES = (
    ("ptxas", _NO_MACHINE_CODE),
    ("ptxas-blackwell", "lab06 cannot compile kernels for a B200 that is not there"),
    ("nvdisasm", _NO_MACHINE_CODE),
    ("cuobjdump", _NO_MACHINE_CODE),
)


def report() -> list[Finding]:
    """Look at everything that a lab may use.

    Returns
    -------
    list of Finding
        The machine first, then Python and its packages, the GPU, and the operating system's tools.

    Examples
    --------
    >>> [finding.name for finding in report()][:4]
    ['cores', 'memory', 'disk', 'python']
    """
    return [
        *_machine(),
        _python(),
        *(_package(package) for package in PACKAGES),
        *_engines(),
        *(_triton_binary(name, cost) for name, cost in TRITON_BINARIES),
        _gpu(),
        *(_system_tool(tool) for tool in TOOLS_OF["test"]),
    ]


def _machine() -> list[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    disk = shutil.disk_usage(Path.cwd()).free / 2**30
    return [
        Finding("cores", True, f"{cores} ({platform.machine()})"),
        _at_least("memory", memory, 4, "larger models run out of memory", "close other programs"),
        _at_least("disk", disk, 2, "compiled kernels and checkpoints cannot be saved", "free some space"),
    ]


def _at_least(name: str, gib: float, least: float, cost: str, cure: str) -> Finding:
    if gib >= least:
        return Finding(name, True, f"{gib:.0f} GiB")
    return Finding(name, False, f"{gib:.1f} GiB, of {least:.0f} GiB that the labs need", cost, cure)


def _python() -> Finding:
    complaint = _python_complaint()
    version = f"{platform.python_version()} ({sys.executable})"
    return Finding("python", not complaint, version, "no lab runs" if complaint else "", complaint)


def _package(package: PythonPackage) -> Finding:
    if importlib.util.find_spec(package.module) is None:
        cure = f"{sys.executable} -m pip install {package.distribution}"
        return Finding(package.name, False, "not installed", package.cost, cure)
    return Finding(package.name, True, importlib.metadata.version(package.distribution))


def _engines() -> list[Finding]:
    """The packages that the hardware labs start, each tried in a process of its own."""
    packages = [engine for engine in ENGINES if isinstance(engine, Package)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(_engine, packages))


def _cost(engine: Package) -> str:
    return f"lab12 and lab18 cannot {engine.purpose}"


def _engine(engine: Package) -> Finding:
    fault = engine.fault()
    if fault:
        reinstall = " --force-reinstall --no-deps" if fault != "not installed" else ""
        cure = engine.cure.replace(" install", f" install{reinstall}", 1)
        return Finding(engine.name, False, fault, _cost(engine), cure)
    detail = importlib.metadata.version(engine.distribution)
    if engine in (YOSYS, NEXTPNR):
        from lablib.hls.wasm import translated

        waits = f"its first run waits a minute or two, unless you run `{sys.executable} -m lablib.hls.warm` now"
        detail += "" if translated(engine) else f" ({waits})"
    return Finding(engine.name, True, detail)


def _triton_binary(name: str, cost: str) -> Finding:
    spec = importlib.util.find_spec("triton")
    if spec is None or spec.origin is None:
        return Finding(name, False, "comes with triton, which is not installed", cost)
    path = Path(spec.origin).parent / "backends" / "nvidia" / "bin" / name
    if not os.access(path, os.X_OK):
        cure = f"{sys.executable} -m pip install --force-reinstall --no-deps triton"
        return Finding(name, False, f"{path} is not there or cannot be executed", cost, cure)
    return Finding(name, True, str(path))


def _gpu() -> Finding:
    cost = "Triton kernels run in the interpreter, slowly; nothing is measured on a GPU"
    if importlib.util.find_spec("torch") is None:
        return Finding("gpu", False, "cannot tell without torch", cost)
    import torch

    if not torch.cuda.is_available():
        return Finding("gpu", False, "none", cost)
    properties = torch.cuda.get_device_properties(0)
    return Finding(
        "gpu",
        True,
        f"{torch.cuda.device_count()} x {properties.name}, {properties.total_memory / 2**30:.0f} GiB, "
        f"compute capability {properties.major}.{properties.minor}",
    )


def _system_tool(tool: SystemTool) -> Finding:
    path = tool.place()
    if path is None:
        cure = f"sudo apt-get install {tool.package}"
        return Finding(tool.name, False, "not found", tool.cost, cure)
    if tool.name == "bubblewrap":
        refusal = _sandbox_refusal(path)
        if refusal:
            cure = "allow user namespaces (in a container: --security-opt seccomp=unconfined)"
            return Finding(tool.name, False, f"{path} does not work here: {refusal}", tool.cost, cure)
    return Finding(tool.name, True, path)


def _sandbox_refusal(bwrap: str) -> str:
    """Start ``true`` in a sandbox: many containers ship bubblewrap and forbid what it does."""
    command = [bwrap, "--ro-bind", "/", "/", "--unshare-all", "--die-with-parent", "true"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stderr.strip() or f"exit status {done.returncode}" if done.returncode else ""


def _complain(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _print_report(findings: list[Finding]) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        print(f"{'ok' if finding.found else '--'}  {finding.name:<{width}}  {finding.detail}")
        if not finding.found:
            print(f"    {'':<{width}}  without it: {finding.cost}")
        if finding.cure:
            print(f"    {'':<{width}}  cure: {finding.cure}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 1 when what was asked for cannot go on.

    ``make lab`` goes on without the tools that only a few labs need; ``make grade`` and ``make test`` need theirs.
    """
    parser = argparse.ArgumentParser(prog="python -m lablib.doctor", description="Look at this machine.")
    parser.add_argument("--system", choices=tuple(TOOLS_OF), help="only Python and the tools of that target")
    parser.add_argument("--install", action="store_true", help="with --system: use apt-get when root")
    options = parser.parse_args(arguments)
    if not options.system:
        _print_report(report())
        return 0
    complaint = _python_complaint()
    if complaint:
        _complain(complaint)
        return 1
    try:
        missing = provide(TOOLS_OF[options.system], options.install)
    except subprocess.CalledProcessError as error:
        _complain(f"`{' '.join(error.cmd)}` failed with exit status {error.returncode}: its output is above.")
        return 1
    return int(PYTHON_VENV in missing or (options.system != "lab" and bool(missing)))


if __name__ == "__main__":
    sys.exit(main())
