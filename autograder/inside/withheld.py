"""Say why a module of lablib is not there.

The sandbox does not show the file of a module that the lab withholds, and nobody has imported it: of this finder comes
the sentence. In a sandbox of the kind ``none``, which hides no files, there is nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from importlib.abc import MetaPathFinder


class _Finder(MetaPathFinder):
    def __init__(self, names: Collection[str]) -> None:
        self.names = frozenset(names)

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Refuse a withheld module; any other is somebody else's to find."""
        if name in self.names:
            raise refusal(name)


def withhold(names: Collection[str]) -> None:
    """Let imports of these modules fail with a sentence, in this process and its forks.

    Raises
    ------
    RuntimeError
        If one has been imported: grading itself rests on it.
    """
    needed = sys.modules.keys() & set(names)
    if needed:
        raise RuntimeError(f"{min(needed)} cannot be withheld: grading itself uses it")
    sys.meta_path.insert(0, _Finder(names))


def refusal(name: str) -> ModuleNotFoundError:
    """The error that an answer gets."""
    text = f"{name} is withheld in grading, because an exercise asks for what it does; write that part yourself"
    return ModuleNotFoundError(text, name=name)
