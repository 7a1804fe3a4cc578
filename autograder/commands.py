"""What each command does and prints; the work itself is in the modules it calls."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path

from autograder import labs as lab_files
from autograder import master, scaffold


def labs(root: Path, options: Namespace) -> int:
    """`labs [--check]`"""
    if options.check:
        found = lab_files.differences(root)
        for sentence in found:
            print(f"labs: {sentence}; run `make labs`", file=sys.stderr)
        return 1 if found else 0
    for path in lab_files.write(root):
        print(f"{'wrote' if (root / path).exists() else 'removed'} {path}")
    for lab in master.load_all(root):
        lab_files.write_source(lab, root / "course")
    return 0


def new(root: Path, options: Namespace) -> int:
    """`new NN SLUG`"""
    folder = scaffold.new_lab(root, options.number, options.slug)
    name = folder.name
    print(f"wrote {folder.relative_to(root)}/; edit {name}.py, then: python -m autograder run {name}; make labs")
    return 0


def run(root: Path, options: Namespace) -> int:
    """`run LAB [--solution-only]`"""
    from autograder.report import print_run
    from autograder.run import run_in_subprocess
    from autograder.variants import complaints, solution_complaint

    lab = master.find(root, options.lab)
    report = run_in_subprocess(lab, variants=not options.solution_only)
    print_run(lab, report)
    found = complaints(lab, report) if report.variants else [solution_complaint(lab, report)]
    found = [sentence for sentence in found if sentence]
    for sentence in found:
        print(f"- {sentence}", file=sys.stderr)
    return 1 if found else 0


def grade(root: Path, options: Namespace) -> int:
    """`grade LAB [--from FOLDER]`"""
    from autograder.grade import grade_class
    from autograder.report import print_class

    lab = master.find(root, options.lab)
    if options.sandbox:
        os.environ["ADLS_SANDBOX"] = options.sandbox  # nbgrader_config.py reads it, in every process
    result = grade_class(root, lab, options.folder, workers=options.workers, time_limit=options.time_limit)
    print_class(result)
    return 0


def demo(root: Path, options: Namespace) -> int:
    """`demo [LAB]`"""
    from autograder.demo import run_demo

    return run_demo(root, options.lab)
