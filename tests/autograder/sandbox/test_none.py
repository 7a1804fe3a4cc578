"""Without isolation a hand-in still has limits and a folder of its own, and leaves nothing behind."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from autograder.inside.watch import MEMORY_OVER, TIME_OVER

from .harness import HUNGRY, Harness

MIB = 2**20


def test_its_home_is_a_folder_that_shows_the_labs_assets_and_goes_with_it(unisolated: Harness) -> None:
    program = "open('made', 'w').close(); print(open('assets/given.txt').read(), os.getcwd(), os.environ['HOME'])"
    given, folder, home = unisolated.run(program).said.split()
    assert (given, folder) == ("given", home)
    assert Path(folder).name.startswith("hand-in-") and not Path(folder).exists()


def test_temporary_files_go_with_it(unisolated: Harness) -> None:
    said, _ = unisolated.run("import tempfile; print(tempfile.mkstemp()[1])")
    assert said and not Path(said.strip()).exists()


@pytest.mark.parametrize(
    ("program", "limits", "code"),
    [
        ("os._exit(7)", {}, 7),
        ("while True: time.sleep(1)", {"seconds": 0.3}, TIME_OVER),
        ("while True: pass", {"cpu_seconds": 1}, 128 + signal.SIGXCPU),
        ("signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass", {"cpu_seconds": 1}, 128 + signal.SIGKILL),
        (HUNGRY, {"memory": 256 * MIB}, MEMORY_OVER),
    ],
)
def test_limits_hold(unisolated: Harness, program: str, limits: dict, code: int) -> None:
    assert unisolated.run(program, **limits).code == code


@pytest.mark.parametrize("kill", [False, True])
def test_a_daemon_dies_with_its_session(unisolated: Harness, kill: bool) -> None:
    program = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(descriptor, b'alive')
        time.sleep(60)
    os._exit(0)
os.read(descriptor, 1)
os._exit(5)
"""
    session = unisolated.start(program)
    assert session.read() == "alive"
    if kill:
        session.kill(signal.SIGTERM)
    else:
        session.socket.send(b".")
    assert session.end().said == ""


def test_namespaces_and_sockets_to_the_network_are_refused(unisolated: Harness) -> None:
    assert unisolated.run("print(libc.unshare(0x10000000))") == ("-1\n", 0)
    assert unisolated.run("socket.socket()").code == 1


def test_the_graders_environment_stays_outside(unisolated: Harness) -> None:
    said, _ = unisolated.run("print(dict(os.environ))")
    assert "GRADER_TOKEN" not in said and "PATH" in said
