"""Grade a class: import, judge side by side, write into the gradebook, report.

Killed at any point, the same call does only what is missing and ends with the same grades: a verdict is kept as soon
as it is there, and `autograder.writer` knows what it has written.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from autograder import gradebook, sandbox, submission
from autograder.course import Course
from autograder.errors import AutograderError
from autograder.gradebook import Entry
from autograder.intake import STUDENT_ID, import_hand_ins
from autograder.intake.record import read_record
from autograder.master import Lab
from autograder.preprocessor import no_verdict
from autograder.rehearsal import rehearsed
from autograder.reports import write_all
from autograder.reports.score_log import BY_HAND, GRADED, LATE, REFUSED, REGRADED, ScoreLog
from autograder.results import ClassResult, StudentResult
from autograder.submission import Submission
from autograder.verdict import Verdict
from autograder.workers import JUDGE, judge_all, open_workers
from autograder.writer import Writer


@dataclass(frozen=True)
class Options:
    """How a class is graded.

    Attributes
    ----------
    workers : int
        Hand-ins judged at a time on this machine.
    dask : str or None
        Address of a Dask scheduler whose workers judge instead; the one that nbgrader_config.py names unless given.
    sandbox : str or None
        Kind of sandbox; the one that nbgrader_config.py names unless given.
    regrade : bool
        Judge everybody anew, whatever was judged before.
    judge : str
        Dotted name of a module with `judge_handin` and `rehearse`.
    """

    workers: int = 2
    dask: str | None = None
    sandbox: str | None = None
    regrade: bool = False
    judge: str = JUDGE


@dataclass(frozen=True)
class Graded:
    """What grading a class gave.

    Attributes
    ----------
    notes : list of str
        What the marker should know about the import.
    reports : list of Path
    unjudged : list of str
        Students whose hand-in the judge could not come to a verdict on; grading again tries them again.
    """

    result: ClassResult
    notes: list[str]
    reports: list[Path]
    unjudged: list[str]


def grade_class(root: Path, lab: Lab, path: Path | None = None, options: Options | None = None) -> Graded:
    """Grade every hand-in of `lab` that the course holds, after importing those at `path`.

    Parameters
    ----------
    root : Path
        The repository, with nbgrader_config.py.
    path : Path, optional
        Hand-ins as `autograder.intake.import_hand_ins` takes them.

    Raises
    ------
    AutograderError
        Path, course, sandbox or workers cannot be used. A bad hand-in raises nothing: it gets 0 points and a reason.
    """
    options = options or Options()
    course = Course(root, options.sandbox)
    options = replace(options, dask=options.dask or course.dask)
    if options.dask is None:
        sandbox.require(course.sandbox)
    with course.locked():
        course.prepare(lab)
        notes = import_hand_ins(course, lab, path).notes if path else []
        known = [name for name in course.students(lab) if course.submitted(name, lab).exists()]
        record = read_record(course, lab)
        refused = {name: one.refused for name, one in record.items() if one.refused and name not in known}
        unsafe = [name for name in known if not STUDENT_ID.fullmatch(name)]
        paths = [(name, course.submitted(name, lab)) for name in known if name not in unsafe]
        submissions = list(submission.read(course, lab, paths))
        log = ScoreLog(course.folder / "scores.jsonl")
        with Writer(course, lab) as writer:
            for student in refused:
                writer.refuse(student)
                left = {cell: mark.score for cell, mark in writer.entry(student).marks.items()}
                log.record(student, lab.name, left, "", REFUSED)
            _write(course, lab, writer, log, submissions, options)
        remarks = {one.student: one.remarks for one in submissions} | {name: [why] for name, why in refused.items()}
        remarks |= {name: [f"not graded: {name!r} is no student id"] for name in unsafe}
        result = _result(course, lab, remarks)
        verdicts = {one.student: one.verdict for one in submissions if one.verdict and one.judged}
        reports = write_all(course, lab, result, verdicts, {one.student: one.answers for one in submissions})
    return Graded(result, notes, reports, [one.student for one in submissions if not one.judged])


def judge_notebook(root: Path, lab: Lab, path: Path, options: Options | None = None) -> Verdict:
    """Judge one notebook as if it were handed in, and keep the verdict.

    Raises
    ------
    AutograderError
        There is no such file, or it cannot be judged here.
    """
    options = options or Options(workers=1)
    course = Course(root, options.sandbox)
    options = replace(options, dask=options.dask or course.dask)
    if not path.is_file():
        raise AutograderError(f"{path}: there is no such notebook")
    (one,) = judged(course, lab, list(submission.read(course, lab, [("", path)])), options)
    assert one.verdict is not None
    if not one.judged:
        raise AutograderError("; ".join(one.verdict.remarks))
    return one.verdict


def judged(
    course: Course, lab: Lab, submissions: list[Submission], options: Options
) -> Generator[Submission, None, None]:
    """Yield each submission once it has its verdict; equal answers are judged once."""
    waiting: dict[str, list[Submission]] = {}
    for one in submissions:
        one.verdict = None if options.regrade else course.store.get(one.key)
        one.judged = one.verdict is not None
        if one.judged:
            yield one
        else:
            waiting.setdefault(one.key.hand_in, []).append(one)
    if not waiting:
        return

    def keep(name: str, verdict: Verdict) -> Verdict:
        return course.store.put(waiting[name][0].key, verdict, afresh=options.regrade)

    with open_workers(lab, min(options.workers, len(waiting)), options.dask) as executor:
        modules = rehearsed(course, lab, executor, options.judge)
        jobs = {name: replace(same[0].job, modules=modules) for name, same in waiting.items()}
        for name, verdict, reason in judge_all(executor, lab, jobs, keep, options.judge):
            for one in waiting[name]:
                one.verdict, one.judged = verdict or no_verdict(lab.name, reason), verdict is not None
                yield one


def _write(
    course: Course, lab: Lab, writer: Writer, log: ScoreLog, submissions: list[Submission], options: Options
) -> None:
    found = closing(judged(course, lab, submissions, options))
    with found as ready, tqdm(total=len(submissions), desc=f"grading {lab.name}", unit="hand-in") as progress:
        for one in ready:
            assert one.verdict is not None
            one.remarks += [*one.verdict.remarks, *writer.write(one.student, one.content, one.verdict)]
            _log_scores(log, lab, one, writer.entry(one.student))
            progress.update()


def _log_scores(log: ScoreLog, lab: Lab, one: Submission, entry: Entry) -> None:
    """Log the scores that are not what the log knows, each with its cause."""
    last = log.last(one.student, lab.name)
    manual = {cell.id for cell in lab.manual_cells}
    scores = {cell: mark.score for cell, mark in entry.marks.items()}
    by_hand = {cell for cell, mark in entry.marks.items() if cell in manual or mark.manual is not None}
    for cause, key, changed in (
        (REGRADED if last else GRADED, one.key.hand_in, {c: s for c, s in scores.items() if c not in by_hand}),
        (BY_HAND, "", {c: s for c, s in scores.items() if c in by_hand}),
        (LATE, "", {"late penalty": -entry.late_penalty} if entry.late_penalty or "late penalty" in last else {}),
    ):
        changed = {cell: score for cell, score in changed.items() if cell not in last or last[cell] != score}
        if changed:
            log.record(one.student, lab.name, changed, key, cause)


def _result(course: Course, lab: Lab, remarks: dict[str, list[str]]) -> ClassResult:
    with course.gradebook() as book:
        entries = gradebook.entries(book, lab.name)
    students = []
    for student in sorted(remarks):
        entry = entries.get(student, Entry())
        scores = {cell: mark.score for cell, mark in entry.marks.items()}
        students.append(StudentResult(student, scores, remarks[student], entry.late_penalty))
    return ClassResult(lab, students, course.folder / f"{lab.name}.csv", course.folder)
