"""A warm parent for the tests: it runs inside a sandbox, and forks a session for each program that it is sent.

It is an argument of `doctest`, the module of the standard library that imports a file by its path: of this repository
a sandbox sees lablib and autograder.inside alone.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import socket
import sys
from typing import NoReturn

from autograder.inside.confine import confine
from autograder.inside.limits import Limits

PREPARE = (
    "import ctypes, os, resource, signal, socket, subprocess, sys, time\nlibc = ctypes.CDLL(None, use_errno=True)\n"
)


def serve(control: socket.socket) -> NoReturn:
    """Fork a session for each request, and tell how each ended, until nobody is there to ask."""
    numbers: dict[int, int] = {}
    while True:
        if select.select([control], [], [], 0.005)[0]:
            message, descriptors, _, _ = socket.recv_fds(control, 2**16, 1)
            if not message:
                os._exit(0)
            answer(json.loads(message), descriptors, numbers)
        ended, status = os.waitpid(-1, os.WNOHANG) if numbers else (0, 0)
        if ended in numbers:
            code = os.waitstatus_to_exitcode(status)
            control.send(json.dumps({"number": numbers.pop(ended), "code": code}).encode())


def answer(request: dict, descriptors: list[int], numbers: dict[int, int]) -> None:
    if "signal" in request:
        outer = next(process for process, number in numbers.items() if number == request["number"])
        os.kill(outer, request["signal"])
        return
    process = os.fork()
    if process == 0:
        run(request, *descriptors)
    os.close(descriptors[0])
    numbers[process] = request["number"]


def run(request: dict, descriptor: int) -> NoReturn:
    """Be the session of a request: run its program, and send what it prints or raises."""
    said, code = io.StringIO(), 1
    try:
        confine(Limits(**request["limits"]), request["number"], keep=[descriptor])
        with contextlib.redirect_stdout(said):
            exec(PREPARE + request["program"], {"__name__": "__main__", "descriptor": descriptor})
        code = 0
    except Exception as error:
        said.write(f"{type(error).__name__}: {error}")
    finally:
        socket.socket(fileno=descriptor).sendall(said.getvalue().encode())
        os._exit(code)


if __name__ == "parent":
    serve(socket.socket(fileno=int(sys.argv[-1])))
