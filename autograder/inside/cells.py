"""Run a hand-in's cells in order, and keep a snapshot of them at each test cell.

Every answer cell runs in a fork. When it ends well, the fork goes on and its elder only waits; when it kills its
process or runs out of time, the elder goes on without it. So a cell that crashes costs no other cell its state.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import mmap
import os
import signal
import socket
import sys
import time
import types
from dataclasses import dataclass
from typing import Any, NoReturn

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from autograder.inside import wire
from autograder.inside.alone import alone
from autograder.inside.serve import Server, described

MAX_OUTPUT = 20_000  # characters that are kept of what one cell prints
_PAUSE = 0.002  # seconds between two looks at a process that runs
_MOMENT = 0.3  # seconds that a process may take to end after its socket has closed


@dataclass(frozen=True)
class InsideCell:
    """A cell to run: ``role`` is "setup", "solution" or "test"; a test has no source here."""

    role: str
    id: str
    source: str


class Cells:
    """Runs one hand-in.

    Parameters
    ----------
    main
        Socket to the judge for what happens between tests.
    tests
        Two sockets to the judge by test cell id: it may hear a test again.
    seconds
        Time limit of one cell.
    """

    def __init__(self, main: socket.socket, tests: dict[str, list[socket.socket]], seconds: float) -> None:
        self.main, self.tests, self.seconds = main, tests, seconds
        self.done = mmap.mmap(-1, 8)  # shared by all forks: how many cells have ended
        # A history would start a thread, which a fork does not take along.
        config = Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "nocolor"}})
        self.shell = InteractiveShell.instance(config=config, user_module=types.ModuleType("__main__"))
        self.shell.system = self.shell.system_raw  # `!command` would ask for a terminal, and there is none

    def run(self, cells: list[InsideCell]) -> None:
        """Run all cells; returns in the process that ran the last one."""
        for index, cell in enumerate(cells):
            if cell.role == "test":
                self.snapshot(cell)
            elif cell.role == "solution":
                self.guarded(index, cell)
            else:
                self.execute(cell)
        wire.send(self.main, {"end": True})

    def execute(self, cell: InsideCell) -> None:
        """Run a cell here, and report what it printed and raised."""
        output = _Bounded(MAX_OUTPUT)
        with alone(), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            result = self.shell.run_cell(cell.source, store_history=False)
        error = result.error_before_exec or result.error_in_exec
        report: dict[str, Any] = {"cell": cell.id, "output": output.getvalue()}
        if error is not None:
            report["error"] = described(error)
        with contextlib.suppress(wire.Refused):
            wire.send(self.main, report)

    def guarded(self, index: int, cell: InsideCell) -> None:
        """Run a cell in a fork that goes on in this process's place, unless the cell ends it."""
        _flush()
        child = os.fork()
        if child == 0:
            self.execute(cell)
            self.done[:] = (index + 1).to_bytes(8, "little")
            return
        cause = self.wait(child, index)
        if cause is None:  # the fork went on to the end
            os._exit(0)
        error = {"classes": [], "message": cause, "line": None}
        wire.send(self.main, {"cell": cell.id, "output": "", "error": error})

    def wait(self, child: int, index: int) -> str | None:
        """Wait for a fork; why it ended in this cell, or None when it got past it."""
        deadline = time.monotonic() + self.seconds
        while int.from_bytes(self.done[:], "little") <= index:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return None if int.from_bytes(self.done[:], "little") > index else ending(status)
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return f"the cell took more than {self.seconds:.0f} s"
            time.sleep(_PAUSE)
        self.close_sockets()
        os.waitpid(child, 0)
        return None

    def close_sockets(self) -> None:
        """Keep no socket that another process serves: the judge is to see its end when that process ends."""
        self.main.close()
        for sock in itertools.chain(*self.tests.values()):
            sock.close()

    def snapshot(self, cell: InsideCell) -> None:
        """Fork a process that serves one test as things stand, and another if the judge wants to hear it again."""
        _flush()
        wire.send(self.main, {"test": cell.id})
        for sock in self.tests.pop(cell.id):
            child = os.fork()
            if child == 0:
                self.serve(sock)
            sock.close()
            judge = wire.receive(self.main)
            status = _end(child, _MOMENT if judge["wants_cause"] else 0.0)
            wire.send(self.main, {"ended": ending(status) if status else None})
            if not judge["again"]:
                return

    def serve(self, sock: socket.socket) -> NoReturn:
        """Answer for one test, and end."""
        self.close_sockets()
        with contextlib.redirect_stdout(_Bounded(0)), contextlib.redirect_stderr(_Bounded(0)):
            Server(sock, self.shell.user_ns).run()
        os._exit(0)


class _Bounded(io.StringIO):
    """Keeps the beginning of what is printed."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.left = limit

    def write(self, text: str) -> int:
        if self.left > 0:
            super().write(text[: self.left])
            self.left -= len(text)
            if self.left <= 0:
                super().write("\n… the rest is left out")
        return len(text)


def _end(child: int, seconds: float) -> int | None:
    """Give a process some seconds to end by itself; its status, or None if it had to be killed."""
    deadline = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() >= deadline:
            break
        time.sleep(_PAUSE)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def ending(status: int) -> str:
    """How a process ended, in words."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"its process exited with status {code}"
    name = signal.Signals(-code).name
    known = {
        "SIGSEGV": "it touched memory that is not its own",
        "SIGKILL": "it was killed",
        "SIGXCPU": "CPU time ran out",
    }
    return f"its process ended with {name}" + (f": {known[name]}" if name in known else "")


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
