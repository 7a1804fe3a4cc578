"""Attacks that look for what is not theirs: each prints what it finds, and finds nothing."""

from __future__ import annotations

import pytest

from autograder.judge.judge import TimeLimits

from .conftest import hand_ins, in_cells, solution

TOOLS = """
import ctypes
import gc
import glob
import os
import socket
import sys
from pathlib import Path

import lablib

REPOSITORY = Path(lablib.__file__).parents[1]
PLACES = [REPOSITORY, "/home", "/root", "/lab", "/tmp", "/srv", "/opt", "/mnt", "/media", "/var", "/etc", "/run", "/dev/shm"]


def files():
    for place in PLACES:
        for folder, _, names in os.walk(place):
            if not folder.startswith((sys.prefix, sys.base_prefix)):
                yield from (os.path.join(folder, name) for name in names)


def tried(function, *args):
    try:
        return function(*args)
    except Exception:
        return None


def readable(path):
    try:
        with open(path, "rb") as file:
            return file.read(2**20)
    except OSError:
        return b""
"""

SEARCHES = {
    "masters and their tests": """
marks = ["".join(["### BEGIN ", what]).encode() for what in ("SOLUTION", "HIDDEN TESTS")]
for path in files():
    if any(mark in readable(path) for mark in marks):
        print(path)
""",
    "files of the repository that are not for it": """
for path in files():
    if path.startswith(str(REPOSITORY)) and not path.startswith((f"{REPOSITORY}/lablib/", f"{REPOSITORY}/autograder/inside/")):
        if path != f"{REPOSITORY}/autograder/__init__.py":
            print(path)
""",
    "gradebooks": """
for path in files():
    if path.endswith((".db", ".sqlite", ".csv")) or readable(path)[:15] == b"SQLite format 3":
        if not path.startswith(f"{REPOSITORY}/lablib/"):
            print(path)
""",
    "the judge's own modules": """
import importlib
for name in ("autograder.judge", "autograder.master", "autograder.judging", "autograder.gradebook", "solutions", "tests"):
    if tried(importlib.import_module, name):
        print(name)
""",
    "the grader's environment": """
known = "HOME USER PATH PYTHONPATH PYTHONHASHSEED LANG LC_CTYPE XDG_CACHE_HOME TRITON_CACHE_DIR OMP_NUM_THREADS".split()
known += "OMP_THREAD_LIMIT PWD TRITON_INTERPRET TORCHINDUCTOR_CACHE_DIR SHLVL _".split()
for name in sorted(set(os.environ) - set(known)):
    if not name.startswith(("KMP_", "TF_", "CUDA_", "TRITON_")):
        print(name)
""",
    "the environment of other processes": """
for path in glob.glob("/proc/[0-9]*/environ"):
    if any(word in readable(path) for word in (b"NBGRADER", b"SSH_", b"TOKEN", b"SECRET", b"PGPASS")):
        print(path)
""",
    "processes outside": """
for path in glob.glob("/proc/[0-9]*/cmdline"):
    if readable(path) and b"autograder.inside" not in readable(path):
        print(path, readable(path))
""",
    "the memory of the process that watches": """
for path in ("/proc/1/mem", "/proc/1/maps", "/proc/1/environ", "/proc/1/fd", "/proc/1/root"):
    if tried(os.listdir, path) or tried(open, path, "rb"):
        print(path)
""",
    "descriptors that were left open": """
for name in os.listdir("/proc/self/fd"):
    path = tried(os.readlink, f"/proc/self/fd/{name}") or ""
    if path and not path.startswith(("socket:", "/dev/null", "/proc/")):
        print(name, path)
""",
    "words of the tests in its own memory": """
words = "".join(["the number", " of ", "evaluations"]).encode()
with open("/proc/self/mem", "rb") as memory:
    for line in open("/proc/self/maps"):
        begin, end = (int(part, 16) for part in line.split()[0].split("-"))
        if " rw" in line and not line.rstrip().endswith("]") and end - begin < 2**28:
            memory.seek(begin)
            content = tried(memory.read, end - begin) or b""
            place = content.find(words)
            while place >= 0:
                if content[place + len(words) :][:2] == b'")':  # the line goes on as it does in the test
                    print(line)
                place = content.find(words, place + 1)
""",
    "what waits in the tests' sockets": """
for one in gc.get_objects():
    if type(one) is socket.socket:
        waiting = tried(one.recv, 2**16, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        if waiting:
            print(waiting)
""",
    "descriptors among the messages": """
for one in gc.get_objects():
    if type(one) is socket.socket:
        found = tried(one.recvmsg, 1, 1024, socket.MSG_DONTWAIT)
        if found and found[1]:
            print(found)
""",
    "a network": """
for place in (("1.1.1.1", 53), ("127.0.0.1", 22), ("169.254.169.254", 80), ("::1", 22)):
    if tried(socket.create_connection, place, 0.2):
        print(place)
for kind in (socket.AF_INET, socket.AF_INET6, socket.AF_PACKET, socket.AF_NETLINK):
    if tried(socket.socket, kind, socket.SOCK_RAW if kind == socket.AF_PACKET else socket.SOCK_DGRAM):
        print(kind)
""",
    "somebody else's memory": """
libc, here = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(8)
for process in (1, os.getppid()):
    if libc.ptrace(16, process, 0, 0) == 0 or libc.syscall(310, process, here, 1, here, 1, 0) > 0:
        print(process)
""",
    "privileges": """
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x20000
if libc.unshare(CLONE_NEWUSER) == 0 or libc.unshare(CLONE_NEWNS) == 0:
    print("unshare")
for name, call in {"setuid": lambda: os.setuid(0), "chroot": lambda: os.chroot("/tmp"), "nice": lambda: os.nice(-5)}.items():
    try:
        call()
        print(name)
    except OSError:
        pass
if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0 or os.getuid() == 0:
    print("mount or root")
""",
    "places where it can leave something": """
for place in (REPOSITORY, f"{REPOSITORY}/lablib", sys.prefix, sys.base_prefix, "/usr", "/etc", "/lab", "/", "/proc", "/dev", "/sys"):
    if tried(Path(place, "mark").write_text, "x"):
        print(place)
""",
    "other hand-ins' files": """
for place in ("/tmp", "/dev/shm", os.path.expanduser("~")):
    for name in set(os.listdir(place)) - {".ipython", ".cache"}:
        if not sys.prefix.startswith(os.path.join(place, name)):  # Python may be installed there
            print(place, name)
""",
}


SEARCHING = hand_ins(in_cells(SEARCHES))


@pytest.mark.parametrize("answers", SEARCHING.values(), ids=SEARCHING)
def test_nothing_is_found(bar, answers: dict[str, str]) -> None:
    own = solution(bar.lab)
    patient = TimeLimits(cell=60.0, test=60.0, total=300.0)  # it reads every file that it can see
    verdict = bar.hear({cell: TOOLS + source + own[cell] for cell, source in answers.items()}, times=patient)
    assert verdict.output == {}
    assert verdict.scores(bar.lab) == bar.full()


def test_what_one_hand_in_leaves_the_next_does_not_find(bar) -> None:
    leave = """
for place in ("/tmp", "/dev/shm", os.path.expanduser("~")):
    Path(place, "mark").write_text("left")
server = socket.socket(socket.AF_UNIX)
server.bind("\\0mark")
server.listen()
if os.fork() == 0:
    os.setsid()
    while True:
        server.accept()
"""
    look = """
for place in ("/tmp", "/dev/shm", os.path.expanduser("~")):
    if Path(place, "mark").exists():
        print(place)
if tried(lambda: socket.socket(socket.AF_UNIX).connect("\\0mark") or True):
    print("the other is still there")
"""
    own = solution(bar.lab)["tally"]
    assert bar.scores({"tally": TOOLS + leave + own}) == bar.full()
    assert bar.hear({"tally": TOOLS + look + own}).output == {}
