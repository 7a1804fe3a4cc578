"""A sandbox for the tests, and what they do with it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pyseccomp

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SECRET = "secret_value"
HUNGRY = """
for _ in range(8):
    if os.fork() == 0:
        held = b'x' * (60 * 2**20)
        time.sleep(60)
time.sleep(60)
"""
PATIENCE = 60  # seconds, after which a test fails rather than waits


class Ended(NamedTuple):
    """What a session printed or raised, and the exit status of its outer process."""

    said: str
    code: int


class Session:
    """A program that runs in a sandbox."""

    def __init__(self, harness: Harness, number: int, ours: socket.socket) -> None:
        self.harness, self.number, self.socket = harness, number, ours

    def read(self, size: int = 2**16) -> str:
        """What it sent next through its own descriptor; nothing when no process holds that any more."""
        return self.socket.recv(size).decode()

    def end(self) -> Ended:
        said = b"".join(iter(lambda: self.socket.recv(2**16), b"")).decode()
        self.socket.close()
        return Ended(said, self.harness.code(self.number))

    def kill(self, sent: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the outer process."""
        self.harness.send({"number": self.number, "signal": sent})


class Harness:
    """A sandbox, started by another process, with the tests' warm parent in it.

    Parameters
    ----------
    kind : str
        The sandbox's kind.
    python : list of str
        The command that runs Python as the user who starts it.
    folder : Path
        The lab's folder.
    """

    def __init__(self, kind: str, python: list[str], folder: Path) -> None:
        shutil.copy(HERE / "parent.py", folder)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(PATIENCE)
        self._number, self._codes = 0, {}
        self.starter = subprocess.Popen(
            [*python, "-P", str(HERE / "starter.py"), kind, str(folder), str(theirs.fileno())],
            env={**os.environ, "PYTHONPATH": str(ROOT), "GRADER_TOKEN": SECRET},
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

    def start(self, program: str, **limits: float) -> Session:
        self._number += 1
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE)
        request = {"number": self._number, "limits": limits, "program": program}
        socket.send_fds(self._control, [json.dumps(request).encode()], [theirs.fileno()])
        theirs.close()
        return Session(self, self._number, ours)

    def run(self, program: str, **limits: float) -> Ended:
        return self.start(program, **limits).end()

    def attempt(self, programs: dict[str, str]) -> dict[str, str]:
        """Run programs one after another in one session; by their names, what each raised or ``"done"``."""
        program = f"""
import json
programs, outcomes = {programs!r}, {{}}
for name, source in programs.items():
    try: exec(source); outcomes[name] = 'done'
    except Exception as error: outcomes[name] = f'{{type(error).__name__}}: {{error}}'
print(json.dumps(outcomes))
"""
        return json.loads(self.run(program).said)

    def send(self, request: dict) -> None:
        self._control.send(json.dumps(request).encode())

    def code(self, number: int) -> int:
        while number not in self._codes:
            message = self._control.recv(2**16)
            assert message, "the sandbox ended"
            told = json.loads(message)
            self._codes[told["number"]] = told["code"]
        return self._codes[number]

    def has_ended(self) -> bool:
        """Wait until no process of the sandbox holds its end of the line."""
        while self._control.recv(2**16):
            pass
        return True

    def close(self) -> None:
        self._control.close()
        self.starter.wait(PATIENCE)


def python_of(user: int, folder: Path) -> list[str] | None:
    """A command that runs Python, with what a sandbox needs, as another user; None if this machine has none."""
    become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    if _runs([*become, sys.executable], f"import pyseccomp, sys; assert sys.base_prefix == {sys.base_prefix!r}"):
        return [*become, sys.executable]
    if _runs([*become, "/usr/bin/python3"], "import sys; assert sys.version_info >= (3, 11)"):
        return [*become, str(small_environment(folder, Path("/usr/bin/python3").resolve()))]
    return None


def _runs(python: list[str], program: str) -> bool:
    return subprocess.run([*python, "-c", program], capture_output=True).returncode == 0


def small_environment(folder: Path, python: Path) -> Path:
    """Make a virtual environment with pyseccomp alone for the Python of that name; returns its own Python."""
    packages = folder / "lib" / python.name / "site-packages"
    packages.mkdir(parents=True)
    shutil.copy(pyseccomp.__file__, packages)
    (folder / "pyvenv.cfg").write_text(f"home = {python.parent}\n")
    (folder / "bin").mkdir()
    (folder / "bin/python").symlink_to(python)
    return folder / "bin/python"
