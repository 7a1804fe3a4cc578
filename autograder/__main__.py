"""The commands: `python -m autograder COMMAND`, run at the root of the repository."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from autograder import commands
from autograder.errors import AutograderError


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m autograder", description="From a master to a graded class.")
    sub = top.add_subparsers(dest="command", required=True)

    labs = sub.add_parser("labs", help="write labs/ and the course's source notebooks from the masters")
    labs.add_argument("--check", action="store_true", help="write nothing; exit 1 when labs/ differs")
    labs.set_defaults(run=commands.labs)

    new = sub.add_parser("new", help="start a lab from the template")
    new.add_argument("number", metavar="NN", help="two digits, such as 07")
    new.add_argument("slug", metavar="SLUG", help="words joined by underscores, such as triton_kernels")
    new.set_defaults(run=commands.new)

    run = sub.add_parser("run", help="run a lab's solution, stubs and wrong answers; say what each loses")
    run.add_argument("lab", metavar="LAB", help="such as lab06_triton_kernels, or lab06")
    run.add_argument("--solution-only", action="store_true", help="leave stubs and wrong answers out")
    run.set_defaults(run=commands.run)

    grade = sub.add_parser("grade", help="grade a class with nbgrader")
    grade.add_argument("lab", metavar="LAB")
    grade.add_argument("--from", dest="folder", type=Path, metavar="FOLDER", help="import these hand-ins first")
    grade.add_argument("--workers", type=int, default=2, help="hand-ins graded at a time (2)")
    grade.add_argument("--time-limit", type=float, default=900.0, metavar="SECONDS", help="for one hand-in (900)")
    grade.add_argument("--sandbox", choices=("bubblewrap", "none"), help="where hand-ins run (bubblewrap)")
    grade.set_defaults(run=commands.grade)

    demo = sub.add_parser("demo", help="grade a small class of right, wrong and broken hand-ins")
    demo.add_argument("lab", metavar="LAB", nargs="?", help="lab06_triton_kernels unless given")
    demo.set_defaults(run=commands.demo)
    return top


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    root = Path.cwd()
    try:
        if not (root / "solutions").is_dir():
            raise AutograderError(f"{root} has no solutions/: run this at the root of the repository")
        return options.run(root, options)
    except AutograderError as error:
        print(f"autograder: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
