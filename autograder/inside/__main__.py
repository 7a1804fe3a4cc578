"""The warm parent: imports what hand-ins need once, then forks a confined child for each that comes.

It holds no secret, runs no hand-in's code itself, and ends with the judge. Of the judge it gets one message a child,
with the child's sockets, and the reading end of a pipe, the lease: when that closes, the child is killed.
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
from typing import Any

from autograder.inside import cells, replay, wire
from autograder.inside.confine import confine
from autograder.inside.limits import Limits
from autograder.inside.warm import warm_up

_MESSAGE = 2**16
_MANY = 250  # descriptors that one message can carry


def main(control: int) -> None:
    warm_up()
    judge = socket.socket(fileno=control)
    leases: dict[int, int] = {}  # lease to child
    started = 0
    judge.sendall(b"R")
    while True:
        ready, _, _ = select.select([judge, *leases], [], [])
        for lease in [one for one in ready if one is not judge]:
            end(leases.pop(lease))
            os.close(lease)
        if judge not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(judge, _MESSAGE, _MANY)
        if not message:
            return
        task = json.loads(message)
        if task["do"] == "import":
            for name in task["modules"]:
                with contextlib.suppress(Exception):  # it speeds things up, and is not needed
                    importlib.import_module(name)
            judge.sendall(b"R")
            continue
        lease, *rest = descriptors
        started += 1
        child = os.fork()
        if child == 0:
            judge.close()
            for other in leases:
                os.close(other)
            be_child(task, rest, started)
        leases[lease] = child
        for descriptor in rest:
            os.close(descriptor)


def be_child(task: dict[str, Any], descriptors: list[int], number: int) -> None:
    """Serve one hand-in, or one hand-in's logs, in a confined process; never returns."""
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
    except wire.Closed:
        pass
    finally:
        os._exit(0)


def end(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
