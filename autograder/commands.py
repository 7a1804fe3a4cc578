"""What each command does and prints; the work itself is in the modules it calls."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from autograder import labs as lab_files
from autograder import master, pages, scaffold


def labs(root: Path, options: Namespace) -> int:
    """`labs [--check]`"""
    if options.check:
        found = lab_files.differences(root) + pages.differences(root)
        for sentence in found:
            print(f"labs: {sentence}; run `make labs`", file=sys.stderr)
        return 1 if found else 0
    for path in lab_files.write(root) + pages.write(root):
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
    """`run LAB [--solution-only] [--judged] [--sandbox KIND]`"""
    from autograder.reports.terminal import print_run
    from autograder.run import run_in_subprocess
    from autograder.variants import complaints, solution_complaint

    lab = master.find(root, options.lab)
    if options.judged:
        from autograder.trial import judged_report

        report = judged_report(lab, options.sandbox, variants=not options.solution_only)
    else:
        report = run_in_subprocess(lab, variants=not options.solution_only)
    print_run(lab, report)
    found = complaints(lab, report) if report.variants else [solution_complaint(lab, report)]
    found = [sentence for sentence in found if sentence]
    for sentence in found:
        print(f"- {sentence}", file=sys.stderr)
    return 1 if found else 0


def lint(root: Path, options: Namespace) -> int:
    """`lint [LAB] [--assertions]`"""
    from autograder.lint import lint as lint_master
    from autograder.lint.needed import unneeded_assertions

    count = 0
    for lab in [master.find(root, options.lab)] if options.lab else master.load_all(root):
        found = lint_master(lab) + (unneeded_assertions(lab) if options.assertions else [])
        for finding in found:
            print(replace(finding, path=finding.path.relative_to(root)))
        count += len(found)
    return 1 if count else 0


def grade(root: Path, options: Namespace) -> int:
    """`grade LAB [--from PATH] [--workers N] [--dask ADDRESS] [--sandbox KIND] [--regrade]`"""
    from autograder.grade import Options, grade_class
    from autograder.reports.terminal import print_class

    lab = master.find(root, options.lab)
    how = Options(options.workers, options.dask, options.sandbox, options.regrade)
    graded = grade_class(root, lab, options.path, how)
    print_class(graded.result)
    for note in graded.notes:
        print(f"note: {note}")
    if graded.unjudged:
        print(f"not judged, grade again: {', '.join(graded.unjudged)}", file=sys.stderr)
    return 1 if graded.unjudged else 0


def judge(root: Path, options: Namespace) -> int:
    """`judge LAB NOTEBOOK [--dask ADDRESS] [--sandbox KIND]`"""
    from autograder.grade import Options, judge_notebook

    lab = master.find(root, options.lab)
    how = Options(workers=1, dask=options.dask, sandbox=options.sandbox)
    verdict = judge_notebook(root, lab, options.notebook, how)
    for cell in lab.test_cells:
        outcome = verdict.outcomes[cell.id]
        print(f"{cell.id}: {outcome.status}{outcome.message and ': ' + outcome.message}")
    for remark in verdict.remarks:
        print(f"remark: {remark}")
    return 0


def viva(root: Path, options: Namespace) -> int:
    """`viva LAB [NOTEBOOK] [--sandbox KIND]`"""
    from autograder.viva.examine import examine

    for path in examine(root, master.find(root, options.lab), options.notebook, options.sandbox):
        print(f"wrote {path}")
    return 0


def demo(root: Path, options: Namespace) -> int:
    """`demo [LAB]`"""
    from autograder.demo import run_demo

    return run_demo(root, options.lab)
