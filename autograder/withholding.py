"""What a lab withholds from answers: modules of lablib, and files of its data, that are what an exercise asks for."""

from __future__ import annotations

import site
from collections.abc import Iterable
from pathlib import Path

import autograder
from autograder.errors import AutograderError

REPOSITORY = Path(autograder.__file__).parents[1]


class WithholdingError(AutograderError):
    """Something is to be withheld that is not there, or that is there twice."""


def path_of(name: str, root: Path = REPOSITORY) -> Path:
    """The file or folder that a name stands for.

    Parameters
    ----------
    name : str
        A module or package (``"lablib.models.gpt"``), or a file of the repository (``"lablib/data/digits.npz"``).

    Raises
    ------
    WithholdingError
        lablib has no such module or file.

    Examples
    --------
    >>> path_of("lablib.models.gpt").relative_to(REPOSITORY)
    PosixPath('lablib/models/gpt.py')
    """
    parts = name.split("/") if "/" in name else name.split(".")
    whole = root.joinpath(*parts)
    found = whole if "/" in name or whole.is_dir() else whole.with_name(f"{parts[-1]}.py")
    if parts[0] != "lablib" or len(parts) < 2 or {"", ".", ".."} & set(parts) or not found.exists():
        raise WithholdingError(f"{name!r} is no module of lablib, and no file in it such as 'lablib/data/digits.npz'")
    return found


def paths_of(names: Iterable[str]) -> list[Path]:
    """The files and folders that names stand for, when no Python that a sandbox shows has them a second time."""
    found = [path_of(name) for name in names]
    for path in found:
        for place in site.getsitepackages():
            copy = Path(place, path.relative_to(REPOSITORY))
            if copy.exists() and not copy.samefile(path):
                raise WithholdingError(f"{copy} has what the lab withholds a second time: uninstall lablib there")
    return found
