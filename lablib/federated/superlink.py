"""Run the digits app on a real SuperLink, with SuperNodes as processes of this machine.

The SuperLink is the server to which clients connect; each SuperNode stands for one client's machine. Everything listens
on 127.0.0.1, and Flower's files live in a temporary folder.

    python -m lablib.federated.superlink --clients 4

trains there and in one process, and compares.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import lablib.federated  # noqa: F401  (first: it turns Flower's telemetry off)

__all__ = ["run_on_superlink"]

_PATIENCE = 240.0  # s
_SUBMIT = 120.0  # s, for one try of `flwr run`
_PROJECT = """[project]
name = "digits"
version = "1.0.0"
license = "Apache-2.0"
dependencies = []
[tool.flwr.app]
publisher = "lab"
[tool.flwr.app.components]
serverapp = "app:server_app"
clientapp = "app:client_app"
[tool.flwr.app.config]
"""
_APP = """from lablib.federated.digits_app import digits_apps

apps = digits_apps()
server_app = apps[0]
client_app = apps[1]
"""


def run_on_superlink(clients: int, run_config: Mapping[str, Any]) -> dict[str, Any]:
    """Run `lablib.federated.digits_app` on a SuperLink and as many SuperNodes as there are clients.

    Parameters
    ----------
    clients
        SuperNodes, a process each.
    run_config
        As in `lablib.federated.grid.run_in_process`.

    Returns
    -------
    dict
        The ServerApp's report; the same, number for number, as in one process.

    Raises
    ------
    RuntimeError
        If a process ends early or no report comes; with the last lines of the logs.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report = folder / "report.json"
        config = {**run_config, "clients": clients, "report": str(report)}
        ports = _free_ports(clients + 1)
        link = f"127.0.0.1:{ports[0]}"
        _write_app(folder, config, link)
        commands = [_superlink(ports[0])]
        commands += [_supernode(link, number, clients, port) for number, port in enumerate(ports[1:])]
        with _running(commands, folder) as processes:
            _submit(folder, processes)
            return _wait_for(report, processes, folder)


def _superlink(port: int) -> list[str]:
    return [_tool("flower-superlink"), "--insecure", "--host", "127.0.0.1", "--port", str(port),
            "--disable-runtime-dependency-installation"]  # fmt: skip


def _supernode(link: str, number: int, clients: int, port: int) -> list[str]:
    return [_tool("flower-supernode"), "--insecure", "--superlink", link, "--host", "127.0.0.1", "--port", str(port),
            "--node-config", f"partition-id={number} num-partitions={clients}"]  # fmt: skip


def _tool(name: str) -> str:
    """A command of the environment that Python runs in, which need not be on the PATH."""
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise RuntimeError(f"{path} is missing: `pip install flwr` puts it there.")
    return str(path)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _write_app(folder: Path, config: Mapping[str, Any], link: str) -> None:
    app, home = folder / "app", folder / "home"
    app.mkdir()
    home.mkdir()
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in config.items())
    (app / "pyproject.toml").write_text(f"{_PROJECT}{lines}\n")
    (app / "app.py").write_text(_APP)
    connection = f'[superlink]\ndefault = "lab"\n\n[superlink.lab]\naddress = "{link}"\ninsecure = true\n'
    (home / "config.toml").write_text(connection)


def _environment(folder: Path) -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "FLWR_HOME": str(folder / "home"), "PYTHONPATH": path, "PATH": tools, "OMP_NUM_THREADS": "1"}


@contextmanager
def _running(commands: Sequence[Sequence[str]], folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes with a log each; they end with the block, and their children with them."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for number, command in enumerate(commands):
            with (folder / f"{number}.log").open("wb") as log:
                processes.append(
                    subprocess.Popen(
                        command, stdout=log, stderr=log, env=_environment(folder), cwd=folder, start_new_session=True
                    )
                )
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            with suppress(ProcessLookupError):  # what it started is in its group
                os.killpg(process.pid, signal.SIGKILL)


def _submit(folder: Path, processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """``flwr run``, once the SuperLink answers."""
    end = time.monotonic() + 60
    while True:
        try:
            done = subprocess.run(
                [_tool("flwr"), "run", str(folder / "app"), "lab"], env=_environment(folder), cwd=folder,
                capture_output=True, text=True, timeout=_SUBMIT, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"`flwr run` took more than {_SUBMIT:g} s. {_logs(folder)}") from None
        if done.returncode == 0:
            return
        _all_alive(processes, folder)
        if time.monotonic() > end:
            raise RuntimeError(f"`flwr run` failed: {(done.stdout + done.stderr)[-1500:]}")
        time.sleep(0.5)


def _wait_for(report: Path, processes: Sequence[subprocess.Popen[bytes]], folder: Path) -> dict[str, Any]:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if report.exists():
            try:
                return json.loads(report.read_text())
            except json.JSONDecodeError:
                pass  # it is being written
        _all_alive(processes, folder)
        time.sleep(0.2)
    raise RuntimeError(f"No report within {_PATIENCE:g} s. {_logs(folder)}")


def _all_alive(processes: Sequence[subprocess.Popen[bytes]], folder: Path) -> None:
    if any(process.poll() is not None for process in processes):
        raise RuntimeError(f"A process of Flower ended early. {_logs(folder)}")


def _logs(folder: Path) -> str:
    return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in sorted(folder.glob("*.log")))


def main() -> int:
    """Train both ways; returns 0 when the reports are equal."""
    from lablib.federated.digits_app import digits_apps
    from lablib.federated.grid import run_in_process

    parser = argparse.ArgumentParser(description="Run the digits app on a SuperLink and in this process.")
    parser.add_argument("--clients", type=int, default=4, help="SuperNodes, a process each")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    here, _ = run_in_process(*digits_apps(), asked.clients, {"rounds": asked.rounds})
    there = run_on_superlink(asked.clients, {"rounds": asked.rounds})
    for name in here:
        print(f"{name:9} in one process {here[name]}\n{'':9} on a SuperLink {there[name]}")
    print("equal" if here == there else "different")
    return int(here != there)


if __name__ == "__main__":
    sys.exit(main())
