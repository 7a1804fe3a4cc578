"""The judge's hold on the sandbox: start its warm parent, and ask it for one child after the other."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autograder import sandbox
from autograder.errors import AutograderError
from autograder.inside.limits import Limits
from autograder.inside.watch import MEMORY_OVER, TIME_OVER

_START_SECONDS = 120.0
_ENDING_SECONDS = 2.0
_ENDINGS = {MEMORY_OVER: "the hand-in used more memory than it may", TIME_OVER: "the hand-in took longer than it may"}


class ParentError(AutograderError):
    """The sandbox does not start, or has ended."""


@dataclass
class Child:
    """One process of the sandbox; closing the lease ends it with everything that it started."""

    lease: socket.socket
    sockets: list[socket.socket] = field(default_factory=list)

    def ending(self) -> str:
        """Why it ended, if that was a limit's doing; waits for it a moment."""
        self.lease.settimeout(_ENDING_SECONDS)
        try:
            code = self.lease.recv(1)
        except OSError:
            code = b""
        return _ENDINGS.get(code[0], "") if code else ""

    def close(self) -> None:
        for sock in (*self.sockets, self.lease):
            sock.close()


class Parent:
    """A sandbox that has torch, triton and lablib imported and forks a process for each hand-in.

    Parameters
    ----------
    kind
        One of `autograder.sandbox.KINDS`.
    folder
        What a hand-in finds in its working directory; nothing secret.
    withhold
        Modules and files of lablib that a hand-in does not find.
    """

    def __init__(self, kind: str, folder: Path, withhold: Sequence[str] = ()) -> None:
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control = mine
        number = theirs.fileno()
        told = [str(number), *withhold]
        how = {"kind": kind, "fds": [number], "folder": folder, "withhold": withhold}
        self.process = sandbox.start("autograder.inside", *told, **how)
        theirs.close()
        mine.settimeout(_START_SECONDS)
        self._await_ready()

    def preload(self, modules: Iterable[str]) -> None:
        """Import modules that hand-ins are expected to need, so that each need not."""
        for some in _batches(sorted(modules)):
            self._send({"do": "import", "modules": some}, [])
            self._await_ready()

    def session(self, limits: Limits, tests: int) -> Child:
        """A process for a hand-in, with a socket for what happens between tests and two for each test."""
        return self._child("session", limits, 1 + 2 * tests)

    def replayer(self, limits: Limits) -> Child:
        """A clean process that runs logs."""
        return self._child("replay", limits, 1)

    def close(self) -> None:
        self._end()

    def _end(self) -> str:
        """End the sandbox; returns the last line that it had to say."""
        self.control.close()
        if self.process.stderr is None or self.process.stderr.closed:
            return ""
        self.process.kill()
        _, said = self.process.communicate()
        return (said or b"").decode(errors="replace").strip().rpartition("\n")[2]

    def _child(self, do: str, limits: Limits, count: int) -> Child:
        pairs = [socket.socketpair() for _ in range(1 + count)]
        (lease, _), *_ = pairs
        self._send({"do": do, "limits": asdict(limits)}, [theirs.fileno() for _, theirs in pairs])
        for _, theirs in pairs:
            theirs.close()
        return Child(lease, [mine for mine, _ in pairs[1:]])

    def _send(self, message: dict[str, Any], descriptors: list[int]) -> None:
        try:
            socket.send_fds(self.control, [json.dumps(message).encode()], descriptors)
        except OSError as error:
            raise ParentError(f"the sandbox has ended ({error})") from None

    def _await_ready(self) -> None:
        try:
            answer = self.control.recv(1)
        except OSError:  # no answer in time, or its end is gone
            answer = b""
        if answer != b"R":
            raise ParentError(f"the sandbox did not start: {self._end() or 'it says nothing'}")


def _batches(names: list[str], size: int = 200) -> Iterable[list[str]]:
    return (names[start : start + size] for start in range(0, len(names), size))
