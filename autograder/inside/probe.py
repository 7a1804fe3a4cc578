"""The program that tells whether a sandbox works here: it confines one process, which looks around.

It ends with status 0, or says what is wrong in its last line on standard error.
"""

from __future__ import annotations

import os
import sys

from autograder.inside.confine import confine
from autograder.inside.limits import Limits


def main() -> None:
    child = os.fork()
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0)
    code = 1
    try:
        confine(Limits(seconds=30), number=0, keep=[2])
        problem = _problem()
        code = 1 if problem else 0
    except (OSError, RuntimeError) as error:
        problem = str(error)
    print(problem, file=sys.stderr, flush=True)
    os._exit(code)


def _problem() -> str:
    for folder in dict.fromkeys((sys.base_prefix, sys.prefix, os.path.dirname(__file__))):
        if not os.access(folder, os.R_OK | os.X_OK):
            return f"hand-ins run as another user, who may not read {folder}: allow it with chmod -R go+rX"
    with open("scratch", "w") as file:
        file.write("home can be written")
    return ""


if __name__ == "__main__":
    main()
