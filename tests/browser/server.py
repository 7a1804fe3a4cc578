"""JupyterLab, started as ``make lab`` starts it, for as long as a test lasts."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lablib.jupyter import command, environment

START_SECONDS = 90
STOP_SECONDS = 20


@dataclass(frozen=True)
class Server:
    """A running JupyterLab: `root` is the folder that it serves, `url` has no slash at its end."""

    root: Path
    url: str
    token: str

    def ask(self, method: str, path: str) -> Any:
        """Call Jupyter's REST interface and return the decoded answer, or None where there is none."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.url}/api/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def end_sessions(self) -> None:
        """Shut down every kernel, so that the next notebook has the machine to itself."""
        for session in self.ask("GET", "sessions"):
            self.ask("DELETE", f"sessions/{session['id']}")


@contextmanager
def serving(root: Path) -> Iterator[Server]:
    """Serve `root`, which holds ``labs/``, on a free port; the server's log is ``root/jupyter.log``."""
    port, token, log = free_port(), secrets.token_hex(16), root / "jupyter.log"
    env = {**environment(root), "JUPYTER_TOKEN": token}
    with log.open("w") as output:
        process = subprocess.Popen(
            command(root, port, browser=False),
            cwd=root,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(root, f"http://127.0.0.1:{port}", token)
    try:
        _wait_until_up(server, process, log)
        yield server
    finally:
        _stop(process)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_up(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            server.ask("GET", "status")
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start within {START_SECONDS} s; its log:\n{log.read_text()[-4000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Let the server end its kernels, then make sure of the whole group."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
