"""Judge one hand-in: run the master's tests here, and the hand-in's code in the sandbox."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import io
import linecache
import socket
import sys
import time
import types
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from autograder.dependencies import names
from autograder.inside import wire
from autograder.inside.limits import Limits
from autograder.judge.channel import Channel, Ended, StudentError, student_error
from autograder.judge.clock import OutOfTime, time_limit
from autograder.judge.contracts import allowed_kernels, contracts
from autograder.judge.decoys import Decoys
from autograder.judge.memory import memory_limit
from autograder.judge.observing import Observing
from autograder.judge.parent import Child, Parent
from autograder.judge.proxies import Court, Proxy
from autograder.master import Lab
from autograder.master_cells import Cell
from autograder.outcomes import FAILED, NOT_REACHED, PASSED, Outcome, causes_of, message_of
from autograder.verdict import Verdict
from lablib import check

MAX_TEXT = 4000


@dataclass(frozen=True)
class TimeLimits:
    """Seconds for one answer cell, one test, and all of a hand-in."""

    cell: float = 60.0
    test: float = 120.0
    total: float = 600.0


@dataclass
class Hearing:
    """One hand-in before the judge.

    Parameters
    ----------
    lab
        Its master.
    answers
        Source of each solution cell by id; a cell that is absent stays a stub.
    parent
        The sandbox.
    tests
        Ids of the tests to run; all by default.
    list_modules
        Fill ``modules`` with what was imported.
    """

    lab: Lab
    answers: dict[str, str]
    parent: Parent
    seed: bytes = b""
    tests: frozenset[str] | None = None
    list_modules: bool = False
    limits: Limits = field(default_factory=Limits)
    times: TimeLimits = TimeLimits()

    def verdict(self) -> Verdict:
        """Judge; never raises for anything that the hand-in does."""
        self.outcomes: dict[str, Outcome] = {}
        self.output: dict[str, str] = {}
        self.remarks: list[str] = []
        self.cells = [c for c in self.lab.of_role("setup", "solution", "test") if c.role != "test" or self._wanted(c)]
        self.modules: set[str] = set()  # that the hand-in's process had imported after a test; a claim
        self._replayer: Child | None = None
        limits = replace(self.limits, seconds=self.times.total)
        self._session = self.parent.session(limits, len(self._test_ids()))
        try:
            with memory_limit(self.limits.memory), time_limit(self.times.total, "the hand-in"):
                self._run()
        except (OutOfTime, wire.Closed, wire.Refused, Ended) as error:
            cause = self._session.ending() or str(error) or "the hand-in's process ended"
            self.remarks.append(cause)
            for test in self._test_ids():
                self.outcomes.setdefault(test, Outcome(NOT_REACHED, cause, (type(error).__name__,)))
        finally:
            self._close()
        return Verdict(self.lab.name, self.outcomes, self.output, self.remarks)

    def _wanted(self, cell: Cell) -> bool:
        return self.tests is None or cell.id in self.tests

    def _test_ids(self) -> list[str]:
        return [cell.id for cell in self.cells if cell.role == "test"]

    def _run(self) -> None:
        self.declared = contracts(self.lab)
        kernels = allowed_kernels(self.lab, self.answers)
        self.observing = Observing(self._replayer_socket, kernels, Decoys(self._secret("decoys")))
        self.court = Court(self.declared, self.observing.observe, self.observing.launches)
        self.module = types.ModuleType("__main__")
        sys.modules["__main__"] = self.module  # where pickle looks setup's classes up
        self.main, *self.sockets = self._session.sockets
        self._send_cells()
        for cell in self.cells:
            if cell.role == "setup":
                self._execute(cell)
            elif cell.role == "solution":
                self._bind(cell)
            else:
                self._test(cell)
        self._await_end()

    def _await_end(self) -> None:
        """Take the reports of what comes after the last test."""
        while True:
            message = self._report()
            if "end" in message:
                return
            self._note(message)

    def _setup_classes(self) -> frozenset[type]:
        """Classes that setup cells define, told by the names that they bind."""
        bound = set().union(*(names(cell.source).defined for cell in self.lab.setup_cells))
        found = (vars(self.module).get(name) for name in bound)
        return frozenset(one for one in found if isinstance(one, type) and one.__module__ == "__main__")

    def _send_cells(self) -> None:
        cells = [(cell.role, cell.id, self._source(cell)) for cell in self.cells]
        wire.send(self.main, {"tests": self._test_ids(), "cells": cells, "cell_seconds": self.times.cell})

    def _source(self, cell: Cell) -> str:
        if cell.role == "test":
            return ""
        return self.answers.get(cell.id, "") if cell.role == "solution" else cell.source

    def _bind(self, cell: Cell) -> None:
        """Put proxies in the place of the names that a solution cell defines."""
        for name in names(cell.source).defined:
            setattr(self.module, name, self.court.name(name))

    def _test(self, cell: Cell) -> None:
        """Hear a test, at first without running kernels in the sandbox.

        The clean process runs them in any case, so whoever passes has earned it, in half the time. Whoever fails may
        have failed because a result was not there yet when their code looked at it, and is heard again.
        """
        self._await_test(cell)
        sockets = [self.sockets.pop(0), self.sockets.pop(0)]
        self.observing.first_time, self.observing.observed = True, False
        outcome, again = self._hear(cell, sockets[0], self._secret(cell.id), again_if_failed=True)
        if again:
            self.observing.first_time = False
            # Other inputs: what the hand-in wrote down of the first is of no use.
            second, _ = self._hear(cell, sockets[1], self._secret(f"{cell.id}, again"), again_if_failed=False)
            # A kernel that writes where it may not can end the sandbox's process; the first time says it better.
            outcome = outcome if second.status == NOT_REACHED else second
        for sock in sockets:
            sock.close()
        self.outcomes[cell.id] = outcome

    def _hear(self, cell: Cell, sock: socket.socket, seed: int, again_if_failed: bool) -> tuple[Outcome, bool]:
        """Run a test once; its outcome, and whether it is to be heard again."""
        self.court.channel = Channel(sock, self.court.object, self._setup_classes())
        check.rng.seed(seed)
        torch.manual_seed(seed)
        start = time.perf_counter()
        status, message, causes = self._outcome(cell)
        if self.list_modules and status == PASSED:
            self.modules.update(map(str, self.court.channel.ask("modules")))
        self.court.channel = None
        sock.close()
        again = again_if_failed and status != PASSED and self.observing.observed
        wire.send(self.main, {"again": again, "wants_cause": status == NOT_REACHED})
        ended = self._report().get("ended")
        if status == NOT_REACHED and isinstance(ended, str):
            message = ended[:MAX_TEXT]
        return Outcome(status, message, causes, time.perf_counter() - start), again

    def _outcome(self, cell: Cell) -> tuple[str, str, tuple[str, ...]]:
        try:
            with time_limit(self.times.test, "the test"):
                self._read_values(cell)
                self._execute(cell)
        except (OutOfTime, Ended, wire.Closed) as error:
            self._drop_replayer()
            return NOT_REACHED, str(error) or "the hand-in's process ended during this test", causes_of(error)
        except BaseException as error:
            said = isinstance(error, (StudentError, wire.Refused))
            return FAILED, str(error)[:MAX_TEXT] if said else message_of(error), causes_of(error)
        return PASSED, "", ()

    def _read_values(self, cell: Cell) -> None:
        """Plain values that answer cells bind to names are read as they are at this test."""
        read = set().union(*(names(c.source).read for c in [cell, *self.lab.setup_cells]))
        for name in self.declared.values & read:
            value = self.court.open_channel().ask("get", on=name, attribute=None)
            setattr(self.module, name, self.court.name(name) if isinstance(value, Proxy) else value)

    def _await_test(self, cell: Cell) -> None:
        """Take reports of answer cells until the snapshot for this test stands."""
        while True:
            message = self._report()
            if message.get("test") == cell.id:
                return
            self._note(message)

    def _report(self) -> dict[str, Any]:
        """The next message from the process that runs the cells."""
        message = wire.receive(self.main)
        if type(message) is not dict:
            raise wire.Refused("a report of unknown form")
        return message

    def _note(self, report: dict[str, Any]) -> None:
        """Keep what an answer cell printed and raised."""
        cell, text = report.get("cell"), report.get("output")
        if type(cell) is not str or type(text) is not str:
            raise wire.Refused("a report of unknown form")
        if "error" in report:
            error = student_error(report["error"])
            text += f"{type(error).__name__}: {error}"
        if text and any(cell == known.id for known in self.lab.solution_cells):
            self.output[cell] = text[:MAX_TEXT]

    def _execute(self, cell: Cell) -> None:
        filename = f"{self.lab.name}/{cell.id}.py"
        linecache.cache[filename] = (len(cell.source), None, cell.source.splitlines(keepends=True), filename)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            exec(compile(cell.source, filename, "exec"), self.module.__dict__)

    def _secret(self, purpose: str) -> int:
        """A number that only the term's key gives, and that is the same for the same hand-in."""
        content = hashlib.sha256("\0".join(f"{k}\0{v}" for k, v in sorted(self.answers.items())).encode()).hexdigest()
        return int.from_bytes(hmac.digest(self.seed, f"{content}/{purpose}".encode(), "sha256")[:7], "big")

    def _replayer_socket(self) -> socket.socket:
        if self._replayer is None:
            self._replayer = self.parent.replayer(self.limits)
        return self._replayer.sockets[0]

    def _drop_replayer(self) -> None:
        """End the process that runs logs: it may be in the middle of one."""
        if self._replayer is not None:
            self._replayer.close()
            self._replayer = None

    def _close(self) -> None:
        self._session.close()
        self._drop_replayer()
