"""The warm parent: imports what hand-ins need once, then forks a confined child for each that comes.

It holds no secret, runs no hand-in's code itself, and ends with the judge. Of the judge it gets one message a child,
with the child's sockets and another one, the lease. When the judge closes the lease, the child is ended; when it ends
by itself, the parent says there how.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys
from dataclasses import dataclass
from typing import Any, NoReturn

from autograder.inside import cells, replay, wire
from autograder.inside.confine import confine
from autograder.inside.limits import Limits
from autograder.inside.warm import warm_up
from autograder.inside.watch import exit_code
from autograder.inside.withheld import withhold

_MESSAGE = 2**16
_MANY = 250  # descriptors that one message can carry


@dataclass(frozen=True)
class Child:
    """A forked process, by its id and a descriptor that shows when it ends."""

    lease: socket.socket
    process: int
    ended: int

    def close(self, kill: bool) -> None:
        """Collect the process, killed if need be, and tell the judge how it ended."""
        if kill:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGTERM)  # it ends when nothing of its session is left
        code = exit_code(os.waitpid(self.process, 0)[1])
        with contextlib.suppress(OSError):
            self.lease.send(bytes([code]))
        self.lease.close()
        os.close(self.ended)


def main(control: int, withheld: list[str]) -> None:
    withhold(withheld)
    warm_up()
    judge = socket.socket(fileno=control)
    judge.sendall(b"R")
    children: list[Child] = []
    started = 0
    while True:
        waited = [judge, *(child.lease for child in children), *(child.ended for child in children)]
        ready, _, _ = select.select(waited, [], [])
        for child in [one for one in children if one.ended in ready or one.lease in ready]:
            children.remove(child)
            child.close(kill=child.ended not in ready)
        if judge not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(judge, _MESSAGE, _MANY)
        if not message:
            return
        task = json.loads(message)
        if task["do"] == "import":
            import_all(task["modules"])
            judge.sendall(b"R")
        else:
            started += 1
            children.append(fork(judge, children, task, descriptors, started))


def import_all(modules: list[str]) -> None:
    for name in modules:
        with contextlib.suppress(BaseException):  # it speeds things up, and is not needed
            importlib.import_module(name)


def fork(judge: socket.socket, others: list[Child], task: dict[str, Any], given: list[int], number: int) -> Child:
    """Start a child that does `task` with the descriptors that it was given, of which the first is its lease."""
    lease, *rest = given
    process = os.fork()
    if process == 0:
        for kept in (judge, *(other.lease for other in others)):
            kept.close()
        os.close(lease)
        be_child(task, rest, number)
    for descriptor in rest:
        os.close(descriptor)
    return Child(socket.socket(fileno=lease), process, os.pidfd_open(process))


def be_child(task: dict[str, Any], descriptors: list[int], number: int) -> NoReturn:
    """Serve one hand-in, or one hand-in's logs, in a confined process."""
    code = 1
    try:
        sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        confine(Limits(**task["limits"]), number, keep=descriptors)
        if task["do"] == "replay":
            replay.serve(sockets[0])
        else:
            message = wire.receive(sockets[0])
            pairs = zip(sockets[1::2], sockets[2::2], strict=True)
            tests = dict(zip(message["tests"], map(list, pairs), strict=True))
            session = cells.Cells(sockets[0], tests, message["cell_seconds"])
            session.run([cells.InsideCell(*cell) for cell in message["cells"]])
        code = 0
    except wire.Closed:
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
