"""Small JSON files beside the labs' folders, which belong to the student: updates of the labs leave them alone.

A file is replaced as a whole and under a lock, so that several notebooks may write at once and none reads half a file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["LAB", "place", "read", "update"]

LAB = re.compile(r"lab[0-9]{2}(_[a-z0-9]+)+")
"""The name of a lab, which is also its folder's."""


def place(name: str) -> Path:
    """Where the file `name` lies: in ``labs/`` for a notebook in ``labs/labNN_slug/``, else beside the notebook.

    Examples
    --------
    >>> place("ledger.json").name
    'ledger.json'
    """
    folder = Path.cwd()
    return (folder.parent if LAB.fullmatch(folder.name) else folder) / name


def _is_dict(entry: Any) -> bool:
    return isinstance(entry, dict)


def read(
    path: Path, fits: Callable[[Any], bool] = _is_dict, holds: str = "names and values for each lab"
) -> dict[str, Any]:
    """The file's content, by lab and by name; empty when there is no file.

    Parameters
    ----------
    path
        A JSON file.
    fits
        Whether an entry is what the file is to hold; by default a dict.
    holds
        What that is, in words.

    Raises
    ------
    ValueError
        When it holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}); {_ADVICE}") from None
    if not isinstance(content, dict) or not all(fits(entry) for entry in content.values()):
        raise ValueError(f"{path} is to hold {holds}, and holds something else; {_ADVICE}")
    return content


_ADVICE = "nothing was written: mend it, or give it another name and run your cells again."


def update(
    path: Path,
    change: Callable[[dict[str, Any]], object],
    fits: Callable[[Any], bool] = _is_dict,
    holds: str = "names and values for each lab",
) -> None:
    """Let `change` alter the file's content, with no other writer in between.

    Parameters
    ----------
    path, fits, holds
        As in `read`.
    change
        Gets the content, and changes it in place.

    Raises
    ------
    ValueError
        As `read` does; the file stays as it is.
    """
    with _locked(path):
        content = read(path, fits, holds)
        change(content)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with draft.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Wait for our turn; the lock is a file of its own, because the other one is replaced."""
    import fcntl

    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
