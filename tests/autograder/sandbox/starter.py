"""The trusted side for the tests: start a sandbox with the tests' warm parent, and stay until it ends.

python starter.py KIND FOLDER DESCRIPTOR
"""

from __future__ import annotations

import sys
from pathlib import Path

from autograder import sandbox


def main() -> None:
    kind, folder, descriptor = sys.argv[1:]
    with sandbox.start(
        "doctest", "parent.py", descriptor, kind=kind, fds=[int(descriptor)], folder=Path(folder)
    ) as parent:
        said = parent.communicate()[1].decode()
    sys.exit(said or parent.returncode)


if __name__ == "__main__":
    main()
