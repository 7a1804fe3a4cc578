"""A Python process of another kind beside this one.

Whether Triton interprets or compiles is fixed when it is imported. Work of the other kind goes to a second process: on
a laptop the compiler, on a GPU machine the interpreter. It starts at the first call and stays warm.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import subprocess
import sys
import threading
from typing import Any

__all__ = ["Worker", "WorkerError"]

_PATIENCE = 2.0  # seconds


class WorkerError(RuntimeError):
    """The worker could not do what was asked; the message is its own."""


class Worker:
    """Calls one function of one module in a process with its own environment.

    Parameters
    ----------
    target
        ``"package.module:function"``; called with the arguments of `call`.
    environment
        Variables to set; a value of None removes the variable.
    """

    def __init__(self, target: str, environment: dict[str, str | None]) -> None:
        self.target, self.environment = target, environment
        self._process: Any = None  # subprocess.Popen, whose pipes are always there
        self._lock = threading.Lock()

    def _start(self) -> Any:
        changed = {**os.environ, **{k: v for k, v in self.environment.items() if v is not None}}
        for name, value in self.environment.items():
            if value is None:
                changed.pop(name, None)
        changed["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
        process = subprocess.Popen(
            [sys.executable, "-m", "lablib.gpu.worker", self.target],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=changed,
        )  # fmt: skip
        atexit.register(self.close)
        return process

    def call(self, *args: Any, timeout: float = 120.0) -> Any:
        """Return the function's result.

        Parameters
        ----------
        *args
            Anything that pickles.
        timeout
            Seconds after which the process is ended.

        Raises
        ------
        WorkerError
            If the function raised, the process died, or time ran out.
        """
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self.close()
                self._process = self._start()
            process = self._process
            timer = threading.Timer(timeout, process.kill)
            timer.start()
            try:
                pickle.dump(args, process.stdin)
                process.stdin.flush()
                worked, value = pickle.load(process.stdout)
            except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
                took_too_long = not timer.is_alive()
                cause = f"took more than {timeout:.0f} s" if took_too_long else f"ended (exit code {process.wait()})"
                self.close()
                raise WorkerError(f"The process that runs {self.target} {cause}.") from error
            except KeyboardInterrupt:
                process.kill()  # it is at work, and would not see the end of its input
                self.close()
                raise
            finally:
                timer.cancel()
        if not worked:
            raise WorkerError(value)
        return value

    def close(self) -> None:
        """End the process; the next call starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(BrokenPipeError):  # closing flushes what the process never read
            process.stdin.close()
        try:
            process.wait(_PATIENCE)  # at the end of its input it ends by itself, and removes its files
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def serve(target: str) -> None:
    """Answer calls on standard input until it closes."""
    import importlib

    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the function prints must not mix with the answers
    module, name = target.split(":")
    function = getattr(importlib.import_module(module), name)
    while True:
        try:
            args = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = (True, function(*args))
        except Exception as error:
            answer = (False, f"{type(error).__name__}: {error}")
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
