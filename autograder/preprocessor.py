"""nbgrader's way to the judge: the steps that stand in its lists where it would run or trust a hand-in.

nbgrader reads a test's points from its outputs: no output, a negative number or a word give full points, a warning
on stderr none, a number above the points keeps the old score. So `Judge` writes exactly one output to each test: an
error, or the number of its points.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output
from nbgrader import preprocessors as nbgrader_steps
from nbgrader.utils import is_grade, is_solution
from traitlets import Unicode

from autograder import fingerprint, master
from autograder.converters import last_error
from autograder.course import Course, environment
from autograder.errors import AutograderError
from autograder.marking import inert
from autograder.outcomes import NOT_REACHED, Outcome
from autograder.verdict import Verdict
from autograder.workers import MOST_SECONDS

MOST_MESSAGE = 4_000  # characters of one test's message
MOST_PRINTED = 20_000  # characters that one answer cell printed
MOST_IN_ALL = 150_000  # characters that all of them printed: outputs of a hand-in stay below 1 MB
JUDGE_CELL = "judge_remarks"
NO_KERNEL = {"name": "judged", "display_name": "graded by the judge", "language": "python"}
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")


class SaveCells(nbgrader_steps.SaveCells):
    """Save the source's cells into the gradebook, under a kernel that no machine has.

    Grading takes the kernel from there. So where the judge is missing, because nbgrader_config.py was not found or
    has an error, nbgrader cannot run a hand-in without a sandbox.
    """

    def preprocess(self, nb, resources):
        kernel = nb.metadata.get("kernelspec", {})
        nb.metadata["kernelspec"] = NO_KERNEL
        nb, resources = super().preprocess(nb, resources)
        nb.metadata["kernelspec"] = kernel
        return nb, resources


class Judge(nbgrader_steps.NbGraderPreprocessor):
    """Write what the judge found into a rebuilt hand-in; a test that it did not reach gets 0 and the reason.

    The verdict is the store's. Where there is none, a process of its own judges: nbgrader may run inside a
    server's event loop, and what a hand-in does to the judge must not reach that server.
    """

    root = Unicode(help="folder of nbgrader_config.py").tag(config=True)
    sandbox = Unicode("bubblewrap", help="one of autograder.sandbox.KINDS").tag(config=True)
    dask = Unicode(help="address of a Dask scheduler whose workers judge; empty: this machine does").tag(config=True)

    def preprocess(self, nb, resources):
        write_verdict(nb, self.verdict(nb, resources["nbgrader"]))
        return nb, resources

    def verdict(self, nb: NotebookNode, submission: dict[str, str]) -> Verdict:
        """The verdict on a rebuilt hand-in; never raises."""
        name = submission["assignment"]
        try:
            course = Course(Path(self.root), self.sandbox)
            lab = master.find(course.root, name)
            key = fingerprint.key(course.job(name, nb), lab, fingerprint.surroundings(lab))
            found = course.store.get(key)
            if found is None:
                _judge_in_subprocess(course, name, nb, self.dask)
                found = course.store.get(key)
            return found or no_verdict(name, "the judge kept no verdict")
        except AutograderError as error:
            return no_verdict(name, str(error))
        except Exception as error:
            self.log.exception("%s's hand-in could not be judged", submission["student"])
            return no_verdict(name, f"{type(error).__name__}: {error}")


class GivenVerdict(Judge):
    """Write the verdict that the process which runs nbgrader has at hand."""

    given: Verdict

    def verdict(self, nb: NotebookNode, submission: dict[str, str]) -> Verdict:
        return self.given


def no_verdict(lab: str, reason: str) -> Verdict:
    """What stands for a verdict where the judge came to none: no test was reached."""
    return Verdict(lab, {}, remarks=[f"not judged: {reason}"])


def write_verdict(nb: NotebookNode, verdict: Verdict) -> None:
    """Replace all outputs of a notebook by what the judge found, as bounded plain text."""
    room = MOST_IN_ALL
    for cell in nb.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs, cell.execution_count = [], None
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if is_grade(cell) and not is_solution(cell):
            cell.outputs = [_test_output(cell, verdict)]
        elif printed := plain(verdict.output.get(grade_id, ""), min(MOST_PRINTED, max(0, room))):
            cell.outputs = [new_output("stream", name="stdout", text=printed)]
            room -= len(printed)
    if verdict.remarks:
        lines = "\n".join(f"- {inert(plain(remark, MOST_MESSAGE))}" for remark in verdict.remarks)
        nb.cells.insert(0, new_markdown_cell(f"**About grading**\n\n{lines}", id=JUDGE_CELL))


def plain(text: str, most: int) -> str:
    """Text without terminal escapes and other controls, cut to its first `most` characters.

    Addresses in memory go too: they differ from run to run, and grades must not.
    """
    text = _ADDRESS.sub("0x...", _CONTROLS.sub("", _ESCAPES.sub("", text)))
    return text if len(text) <= most else f"{text[:most]}\n... (cut after {most} characters)"


def _test_output(cell: NotebookNode, verdict: Verdict) -> NotebookNode:
    """The one output from which nbgrader reads a test's points."""
    reason = "; ".join(verdict.remarks) or "not judged: this test is not in the lab's master"
    outcome = verdict.outcomes.get(cell.metadata.nbgrader.grade_id, Outcome(NOT_REACHED, reason))
    if outcome.passed:
        points = float(cell.metadata.nbgrader.points)
        return new_output("execute_result", data={"text/plain": str(points), "text/html": f"Passed: {points:g} points"})
    message = plain(outcome.message, MOST_MESSAGE) or outcome.status
    name = outcome.errors[0] if outcome.errors else "NotReached"
    return new_output("error", ename=name, evalue=message.removeprefix(f"{name}: "), traceback=[message])


def _judge_in_subprocess(course: Course, lab: str, nb: NotebookNode, dask: str) -> None:
    """Have `python -m autograder judge` keep a verdict on the notebook."""
    where = ["--dask", dask] if dask else []
    with tempfile.TemporaryDirectory(prefix="hand-in-") as folder:
        path = Path(folder, f"{lab}.ipynb")
        path.write_text(nbformat.writes(nb), encoding="utf-8")
        command = [sys.executable, "-m", "autograder", "judge", lab, str(path), "--sandbox", course.sandbox, *where]
        try:
            done = subprocess.run(
                command, cwd=course.root, env=environment(), capture_output=True, text=True, timeout=MOST_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise AutograderError(f"the judge did not answer within {MOST_SECONDS} s") from None
    if done.returncode:
        reason = last_error(done.stderr.splitlines()).removeprefix("autograder: ")
        raise AutograderError(reason or f"the judge ended with code {done.returncode}")
