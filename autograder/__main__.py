"""The commands: `python -m autograder COMMAND`, run at the root of the repository."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from autograder import commands
from autograder.errors import AutograderError
from autograder.sandbox import KINDS


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m autograder", description="From a master to a graded class.")
    sub = top.add_subparsers(dest="command", required=True)

    labs = sub.add_parser("labs", help="write labs/, the course's source notebooks and the pages on coverage and plans")
    labs.add_argument("--check", action="store_true", help="write nothing; exit 1 when labs/ differs")
    labs.set_defaults(run=commands.labs)

    new = sub.add_parser("new", help="start a lab from the template")
    new.add_argument("number", metavar="NN", help="two digits, such as 07")
    new.add_argument("slug", metavar="SLUG", help="words joined by underscores, such as triton_kernels")
    new.set_defaults(run=commands.new)

    run = sub.add_parser("run", help="run a lab's solution, stubs and wrong answers; say what each loses")
    run.add_argument("lab", metavar="LAB", help="such as lab06_triton_kernels, or lab06")
    run.add_argument("--solution-only", action="store_true", help="leave stubs and wrong answers out")
    run.add_argument("--judged", action="store_true", help="through judge and sandbox, as hand-ins are graded")
    run.add_argument("--sandbox", choices=KINDS, default=KINDS[0], help="with --judged: where answers run (bubblewrap)")
    run.set_defaults(run=commands.run)

    lint = sub.add_parser("lint", help="find in masters what grading would refuse, or let a wrong answer pass")
    lint.add_argument("lab", metavar="LAB", nargs="?", help="every lab unless given")
    lint.add_argument("--assertions", action="store_true", help="find assertions that no wrong answer needs, too")
    lint.set_defaults(run=commands.lint)

    grade = sub.add_parser("grade", help="grade a class with nbgrader")
    grade.add_argument("lab", metavar="LAB")
    grade.add_argument(
        "--from", dest="path", type=Path, metavar="PATH", help="a notebook, folder or zip to import first"
    )
    grade.add_argument("--workers", type=int, default=2, metavar="N", help="hand-ins judged at a time (2)")
    grade.add_argument("--dask", metavar="ADDRESS", help="judge on the workers of a Dask scheduler, tcp://host:port")
    grade.add_argument("--sandbox", choices=KINDS, help="where hand-ins run (bubblewrap)")
    grade.add_argument("--regrade", action="store_true", help="judge everybody anew, whatever was judged before")
    grade.set_defaults(run=commands.grade)

    judge = sub.add_parser("judge", help="judge one notebook, keep the verdict and show it; no gradebook is touched")
    judge.add_argument("lab", metavar="LAB")
    judge.add_argument("notebook", metavar="NOTEBOOK", type=Path)
    judge.add_argument("--dask", metavar="ADDRESS", help="judge on a worker of a Dask scheduler, tls://host:port")
    judge.add_argument("--sandbox", choices=KINDS, help="where the hand-in runs (bubblewrap)")
    judge.set_defaults(run=commands.judge)

    viva = sub.add_parser("viva", help="write an examiner's page: questions from a hand-in's own code and figures")
    viva.add_argument("lab", metavar="LAB")
    viva.add_argument(
        "notebook", metavar="NOTEBOOK", type=Path, nargs="?", help="every hand-in of the course unless given"
    )
    viva.add_argument("--sandbox", choices=KINDS, help="where the hand-in runs (bubblewrap)")
    viva.set_defaults(run=commands.viva)

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
    except KeyboardInterrupt:
        print("autograder: interrupted; the same command does the rest", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
