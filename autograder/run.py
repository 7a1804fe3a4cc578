"""Run a master fast: setup, solution and test cells in one process, wrong answers in forks of it.

A wrong answer starts from the state that the solution reached before its cell, so a lab with twenty wrong
answers costs little more than its solution. Start it in a process of its own with `run_in_subprocess`.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import json
import linecache
import os
import select
import signal
import subprocess
import sys
import time
import types
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from autograder.dependencies import dependent_tests
from autograder.guard import guarding
from autograder.master import Lab, load
from autograder.master_cells import PROSE, PROSE_TAGS, Cell
from autograder.outcomes import (
    FAILED,
    NOT_REACHED,
    PASSED,
    Outcome,
    Outcomes,
    Report,
    Variant,
    causes_of,
    message_of,
    outcome_from_plain,
    report_from_json,
)

VARIANT_SECONDS = 60.0
OUT_OF_TIME = "not done within"
_RUN_ROLES = ("setup", "solution", "test")


def run_in_subprocess(
    lab: Lab, *, variants: bool = True, one_in: int = 1, prose: bool = False, seconds: float = 1800.0,
    variant_seconds: float = VARIANT_SECONDS,
) -> Report:  # fmt: skip
    """Run `lab` in a fresh process and return its report.

    Parameters
    ----------
    variants : bool
        Run stubs and wrong answers too (never on a GPU: CUDA does not survive a fork).
    one_in : int
        Run one in so many of each cell's wrong answers.
    prose : bool
        Run the code cells without a role too: demonstrations and widgets.
    seconds, variant_seconds : float
        Time limits for everything, and for one variant.

    Raises
    ------
    RuntimeError
        The process died or took too long; the message holds the end of its output.
    """
    command = [sys.executable, "-m", "autograder.run", str(lab.path), f"--variant-seconds={variant_seconds}"]
    command.append(f"--one-in={one_in}")
    if not variants:
        command.append("--solution-only")
    if prose:
        command.append("--prose")
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    env = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{lab.name} did not finish within {seconds:.0f} s") from None
    if done.returncode:
        raise RuntimeError(f"running {lab.name} ended with code {done.returncode}:\n{done.stderr[-3000:]}")
    return report_from_json(done.stdout)


class Runner:
    """Runs one lab's cells in this process, in a module that stands for the notebook's `__main__`."""

    def __init__(self, lab: Lab, variant_seconds: float = VARIANT_SECONDS, *, prose: bool = False) -> None:
        self.lab = lab
        self.variant_seconds = variant_seconds
        roles = (*_RUN_ROLES, PROSE) if prose else _RUN_ROLES
        self.cells = [cell for cell in lab.of_role(*roles) if cell.kind == "code"]
        self.guarded = not prose  # demonstrations import what answers may not
        self.module = types.ModuleType("__main__")
        sys.modules["__main__"] = self.module  # where pickle and dataclasses look names up

    def run(self, variants: Iterable[Variant] = ()) -> Report:
        """Run the solution; on the way, fork each variant just before the first cell that it replaces."""
        starts: dict[str, list[Variant]] = {}
        for variant in variants:
            starts.setdefault(next(c.id for c in self.cells if c.id in variant.replacements), []).append(variant)
        report = Report(self.lab.name)
        # The folder is where cells find the lab's assets.
        guard = guarding(self.lab) if self.guarded else contextlib.nullcontext()
        with contextlib.chdir(self.lab.path.parent), guard:
            for index, cell in enumerate(self.cells):
                for variant in starts.get(cell.id, ()):
                    report.variants[variant.name] = self._in_fork(variant, index)
                outcome = self._execute(cell, cell.source, f"{self.lab.name}/{cell.id}.py")
                if cell.role == "test":
                    report.solution[cell.id] = outcome
                elif not outcome.passed and not set(PROSE_TAGS) & set(cell.tags):
                    report.cell_errors[cell.id or f"line {cell.line}"] = outcome.message
        return report

    def run_variant(self, variant: Variant, start: int, tests: set[str]) -> Iterable[tuple[str, Outcome]]:
        """Run the cells from `start` with the variant's sources, of the tests only `tests`."""
        for cell in self.cells[start:]:
            if cell.role == "test" and cell.id not in tests:
                continue
            replaced = cell.id in variant.replacements
            source = variant.replacements.get(cell.id, cell.source)
            folder = f"{self.lab.name}/{variant.name}" if replaced else self.lab.name
            outcome = self._execute(cell, source, f"{folder}/{cell.id}.py")
            if cell.role == "test":
                yield cell.id, outcome

    def _execute(self, cell: Cell, source: str, filename: str) -> Outcome:
        # inspect.getsource, and with it triton.jit, finds the text of a cell in linecache.
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        start, stderr = time.perf_counter(), io.StringIO()
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(stderr):
                value = self._evaluate(source, filename)
            if cell.role == "test" and value is not None:
                raise AssertionError(f"a test cell must not end in a value (nbgrader reads it as a score): {value!r}")
        except BaseException as error:  # a student's sys.exit() fails the cell, not the run
            return Outcome(FAILED, message_of(error), causes_of(error), time.perf_counter() - start)
        return Outcome(PASSED, seconds=time.perf_counter() - start)

    def _evaluate(self, source: str, filename: str) -> object:
        """Run a cell as a notebook does: statements, then the value of a closing expression."""
        body = ast.parse(source, filename).body
        closing = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), filename, "exec"), self.module.__dict__)
        if not isinstance(closing, ast.Expr):
            return None
        return eval(compile(ast.Expression(closing.value), filename, "eval"), self.module.__dict__)

    def _in_fork(self, variant: Variant, start: int) -> Outcomes:
        later = {cell.id for cell in self.cells[start:]}  # earlier tests have run and cannot change
        tests = {
            cell.id
            for changed in variant.replacements
            for cell in dependent_tests(self.lab, changed)
            if cell.id in later
        }
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read_end)
            self._serve(variant, start, tests, write_end)
        os.close(write_end)
        lines, cause = _read_lines(read_end, self.variant_seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        outcomes = {test: Outcome(NOT_REACHED, cause) for test in tests}
        for line in lines:
            test, outcome = json.loads(line)
            outcomes[test] = outcome_from_plain(outcome)
        return outcomes

    def _serve(self, variant: Variant, start: int, tests: set[str], pipe: int) -> None:
        """In the child: one JSON line for each test, as soon as it is known; never returns."""
        code = 1
        try:
            os.setsid()
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)
            with os.fdopen(pipe, "w", encoding="utf-8") as stream:
                for test, outcome in self.run_variant(variant, start, tests):
                    stream.write(json.dumps([test, asdict(outcome)]) + "\n")
                    stream.flush()
            code = 0
        finally:
            os._exit(code)


def _read_lines(descriptor: int, seconds: float) -> tuple[list[str], str]:
    """Read until the writer closes or time is up; return whole lines and why any are missing."""
    deadline, chunks, cause = time.monotonic() + seconds, [], "the process died"
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        while True:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                cause = f"{OUT_OF_TIME} {seconds:.0f} s"
                break
            chunk = pipe.read(65536)
            if not chunk:
                break
            chunks.append(chunk)
    return b"".join(chunks).decode("utf-8").split("\n")[:-1], cause


def main() -> None:
    """Run a master and print its report as JSON: what `run_in_subprocess` starts."""
    parser = argparse.ArgumentParser(prog="python -m autograder.run")
    parser.add_argument("master", type=Path)
    parser.add_argument("--solution-only", action="store_true")
    parser.add_argument("--prose", action="store_true")
    parser.add_argument("--one-in", type=int, default=1)
    parser.add_argument("--variant-seconds", type=float, default=VARIANT_SECONDS)
    options = parser.parse_args()

    import torch

    torch.set_num_threads(1)  # a fork after OpenMP has started threads hangs in its first parallel region
    lab = load(options.master)
    variants: list[Variant] = []
    if not options.solution_only and not torch.cuda.is_available():
        from autograder.variants import sample

        variants = sample(lab, options.one_in)
    report = Runner(lab, options.variant_seconds, prose=options.prose).run(variants)
    print(json.dumps(asdict(report)))


if __name__ == "__main__":
    main()
