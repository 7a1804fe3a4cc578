"""The engines behind `lablib.hls`: what each is for, and how to get it."""

from __future__ import annotations

import importlib
import shutil
from dataclasses import dataclass
from types import ModuleType

from lablib.hls.errors import EngineMissing

__all__ = ["Package", "Program", "require_all"]


@dataclass(frozen=True)
class Package:
    """An engine that is a Python package.

    Attributes
    ----------
    module, distribution
        Its names in ``import`` and on PyPI.
    purpose
        What cannot be done without it: ``"simulate RTL"``.
    """

    module: str
    distribution: str
    purpose: str

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


@dataclass(frozen=True)
class Program:
    """A program of the operating system that an engine starts."""

    name: str
    package: str
    purpose: str

    def require(self) -> str:
        """Its path.

        Raises
        ------
        EngineMissing
            It is not in PATH.
        """
        place = shutil.which(self.name)
        if place is None:
            raise EngineMissing(
                f"{self.name} is not in PATH, so nothing here can {self.purpose}: run apt-get install {self.package}."
            )
        return place


def require_all(*engines: Package | Program) -> None:
    """Raise `EngineMissing` for the first engine that is not there."""
    for engine in engines:
        engine.require()
