"""A hand-in speaks to nobody."""

from __future__ import annotations

from .harness import Harness

SOCKETS = [
    "socket.create_connection(('1.1.1.1', 80), 2)",
    "socket.socket().bind(('127.0.0.1', 0))",
    "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
    "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "socket.socket(socket.AF_VSOCK)",
    "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)",
]


def test_a_socket_that_could_leave_the_machine_is_refused(harness: Harness) -> None:
    refused = "PermissionError: [Errno 1] Operation not permitted"
    assert harness.attempt({program: program for program in SOCKETS}) == dict.fromkeys(SOCKETS, refused)


def test_there_is_no_interface_with_an_address(harness: Harness) -> None:
    said, _ = harness.run("print(open('/proc/net/dev').read())")
    devices = [line.split(":")[0].strip() for line in said.splitlines() if ":" in line]
    assert devices == ["lo"]
    assert harness.run("print(open('/proc/net/fib_trie').read().strip())") == ("\n", 0)


def test_sockets_within_the_hand_in_work(harness: Harness) -> None:
    program = """
one, other = socket.socketpair(); one.send(b'pair'); print(other.recv(9))
import asyncio; print(asyncio.run(asyncio.sleep(0, 'loop')))
"""
    assert harness.run(program) == ("b'pair'\nloop\n", 0)


def test_sockets_of_others_by_abstract_name_are_not_there(harness: Harness) -> None:
    other = harness.start(
        "door = socket.socket(socket.AF_UNIX); door.bind('\\0meeting'); door.listen()\n"
        "os.write(descriptor, b'open'); time.sleep(60)"
    )
    assert other.read() == "open"
    said, _ = harness.run("socket.socket(socket.AF_UNIX).connect('\\0meeting')")
    assert said == "ConnectionRefusedError: [Errno 111] Connection refused"
    other.kill()
    other.end()
