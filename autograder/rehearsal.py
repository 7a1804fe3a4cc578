"""Judge a lab's own solution before any hand-in is: a lab that fails here would cost a class its points.

Once is enough for each state of the lab, of the judge and of this environment.
"""

from __future__ import annotations

import json
import pkgutil
from concurrent.futures import Executor
from pathlib import Path

from autograder import files, fingerprint
from autograder.course import Course
from autograder.errors import AutograderError
from autograder.master import Lab


def rehearsed(course: Course, lab: Lab, executor: Executor, judge: str) -> tuple[str, ...]:
    """Modules that the lab's solution imports; loaded beforehand, they cost no hand-in any time.

    Parameters
    ----------
    judge : str
        Dotted name of a module with a function `rehearse`, such as `autograder.judging`.

    Raises
    ------
    AutograderError
        The solution does not get full marks here.
    """
    state = fingerprint.digest([fingerprint.of_lab(lab), course.sandbox, judge])
    path = course.folder / "verdicts" / "rehearsals" / f"{state}.json"
    try:
        return tuple(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        pass
    try:
        modules = executor.submit(_rehearse, judge, course.root, lab, course.sandbox).result()
    except AutograderError:
        raise
    except Exception as error:
        raise AutograderError(f"the solution of {lab.name} could not be judged: {error}") from None
    files.write(path, json.dumps(modules))
    return tuple(modules)


def _rehearse(judge: str, root: Path, lab: Lab, sandbox: str) -> list[str]:
    return list(pkgutil.resolve_name(f"{judge}:rehearse")(root, lab, sandbox).modules)
