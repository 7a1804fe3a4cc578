"""The program that tells whether a sandbox works here: it confines one process, which looks around.

It ends with status 0, or says what is wrong in its last line on standard error.
"""

from __future__ import annotations

import os
import sys

from autograder.inside.confine import confine
from autograder.inside.identity import may_become_anyone
from autograder.inside.limits import Limits

OLDEST_LINUX = (5, 14)


def main() -> None:
    child = os.fork()
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0)
    try:
        problem = _outside() or _inside()
    except (OSError, RuntimeError) as error:
        problem = str(error)
    if problem:
        print(problem, file=sys.stderr, flush=True)
    os._exit(1 if problem else 0)


def _outside() -> str:
    release = os.uname().release
    if not may_become_anyone() and tuple(map(int, release.split(".")[:2])) < OLDEST_LINUX:
        return f"hand-ins would share one limit on processes under Linux {release}: 5.14 or newer is needed, or root"
    return ""


def _inside() -> str:
    confine(Limits(seconds=30), number=0, keep=[2])
    for folder in dict.fromkeys((sys.base_prefix, sys.prefix, os.path.dirname(__file__))):
        if not os.access(folder, os.R_OK | os.X_OK):
            return f"hand-ins run as another user, who may not read {folder}: allow it with chmod -R go+rX"
    with open("scratch", "w") as file:
        file.write("home can be written")
    return ""


if __name__ == "__main__":
    main()
