"""Support library of the Advanced Deep Learning Systems labs.

Importing it imports nothing else: every part is imported by its own name, as in ``from lablib import viz``.
"""

from __future__ import annotations

import importlib.util
import sys

__all__ = ["__version__", "require"]

__version__ = "0.1.0"

OLDEST_PYTHON = (3, 11)
PYTHON_BELOW = (3, 14)

COMPUTING = ("numpy", "torch") + (("triton",) if sys.platform == "linux" else ())
DRAWING = ("anywidget", "ipywidgets", "plotly")


def require(version: str) -> None:
    """Check that this Python can run a lab; the setup cell of every lab calls it first.

    The packages that draw are asked for in a notebook only: tests and grading run without them.

    Parameters
    ----------
    version : str
        The oldest lablib that the lab works with, such as ``"0.1.0"``.

    Raises
    ------
    RuntimeError
        When Python or lablib is unsuitable or a package is missing. The message says what to run.
    ValueError
        When `version` is not numbers between dots.

    Examples
    --------
    >>> import lablib
    >>> lablib.require("0.1.0")
    """
    complaint = _python_complaint() or _version_complaint(version) or _packages_complaint()
    if complaint:
        raise RuntimeError(complaint)


def _python_complaint() -> str:
    if OLDEST_PYTHON <= sys.version_info[:2] < PYTHON_BELOW:
        return ""
    return (
        f"The labs need Python {_dotted(OLDEST_PYTHON)} or newer, below {_dotted(PYTHON_BELOW)}, but this is "
        f"Python {_dotted(sys.version_info[:3])} ({sys.executable}): install Python 3.11, then run "
        "`make lab PYTHON=python3.11` in the labs' folder."
    )


def _version_complaint(wanted: str) -> str:
    if _parse(wanted) <= _parse(__version__):
        return ""
    return (
        f"This lab needs lablib {wanted} or newer, but {__version__} is installed: run `git pull`, then "
        "`make lab`, in the labs' folder and restart the kernel."
    )


def _packages_complaint() -> str:
    needed = COMPUTING + (DRAWING if "ipykernel" in sys.modules else ())
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    return (
        f"This lab needs {' and '.join(missing)}, not installed for {sys.executable}: start JupyterLab with "
        f"`make lab` in the labs' folder, or run `{sys.executable} -m pip install {' '.join(missing)}` and "
        "restart the kernel."
    )


def _parse(version: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version.split("."))
    except ValueError:
        raise ValueError(f'lablib.require expects a version like "0.1.0", but got {version!r}.') from None


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in numbers)
