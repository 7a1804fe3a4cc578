"""What a hand-in tries to reach, and the answer that it gets."""

from __future__ import annotations

from .harness import ROOT, SECRET, Harness

ABSENT = {
    "the machine's users": "open('/etc/passwd')",
    "the machine's keys": "os.listdir('/etc/ssl')",
    "the gradebook": f"open({str(ROOT / 'course' / 'gradebook.db')!r})",
    "the configuration of grading": f"open({str(ROOT / 'nbgrader_config.py')!r})",
    "the solutions": f"os.listdir({str(ROOT / 'solutions')!r})",
    "the tests": f"os.listdir({str(ROOT / 'tests')!r})",
    "the judge": "import autograder.sandbox",
    "a disk": "open('/dev/vda')",
    "the kernel's memory": "open('/dev/mem')",
    "a terminal": "open('/dev/tty')",
    "the machine's devices": "os.listdir('/sys')",
}
REFUSED = {
    "the root of the first process": "os.listdir('/proc/1/root')",
    "the memory of the first process": "open('/proc/1/mem', 'rb')",
    "the descriptors of the first process": "os.readlink('/proc/1/fd/0')",
    "the environment of the first process": "open('/proc/1/environ').read()",
}
READ_ONLY = {
    "Python": "open(os.__file__, 'a')",
    "lablib": "import lablib; open(lablib.__file__, 'a')",
    "the inside of the grader": "import autograder.inside; open(autograder.inside.__file__, 'a')",
    "a new module": "import lablib; open(lablib.__file__ + 'x', 'w')",
    "an asset": "open('assets/given.txt', 'a')",
    "a program": "open('/usr/bin/env', 'r+b')",
    "the repository's place": f"open({str(ROOT / 'planted')!r}, 'w')",
    "the root": "open('/planted', 'w')",
    "devices": "open('/dev/planted', 'w')",
    "the kernel's settings": "open('/proc/sys/kernel/core_pattern', 'w')",
    "the users of its namespace": "os.write(os.open('/proc/self/uid_map', os.O_WRONLY), b'0 0 1')",
    "the network's settings": "open('/proc/sys/net/ipv4/ip_forward', 'w')",
    "the machine's name": "open('/proc/sys/kernel/hostname', 'w')",
    "the largest shared memory": "open('/proc/sys/kernel/shmmax', 'w')",
    "permissions": "os.chmod('/usr/bin/env', 0o777)",
}


def test_what_is_not_its_own_is_not_there(harness: Harness) -> None:
    for name, outcome in harness.attempt(ABSENT).items():
        assert outcome.startswith(("FileNotFoundError", "ModuleNotFoundError")), name


def test_the_watcher_cannot_be_looked_into(harness: Harness) -> None:
    for name, outcome in harness.attempt(REFUSED).items():
        assert outcome.startswith("PermissionError"), name


def test_nothing_around_its_home_can_be_written(harness: Harness) -> None:
    for name, outcome in harness.attempt(READ_ONLY).items():
        assert outcome.startswith(("OSError: [Errno 30] Read-only", "PermissionError")), name


def test_of_the_repository_it_sees_lablib_and_the_inside_of_the_grader(harness: Harness) -> None:
    said, _ = harness.run(f"for part in ('', '/autograder'): print(*sorted(os.listdir({str(ROOT)!r} + part)))")
    assert said.removeprefix(".venv ") == "autograder lablib\n__init__.py inside\n"  # its Python may lie there


def test_no_secret_of_the_grader_is_in_its_environment(harness: Harness) -> None:
    said, _ = harness.run("print(dict(os.environ), open('/proc/self/environ').read())")
    assert "PATH" in said and SECRET not in said and "GRADER" not in said


def test_every_descriptor_but_its_own_is_dev_null(harness: Harness) -> None:
    program = """
for name in os.listdir('/proc/self/fd'):
    try: target = os.readlink(f'/proc/self/fd/{name}')
    except FileNotFoundError: continue  # the listing's own
    if int(name) != descriptor: print(target)
"""
    said, code = harness.run(program)
    assert set(said.split()) == {"/dev/null"} and code == 0


def test_processes_of_others_are_not_there(harness: Harness) -> None:
    other = harness.start("os.write(descriptor, b'here'); os.read(descriptor, 1)")
    assert other.read() == "here"
    said, _ = harness.run("print(sorted(int(name) for name in os.listdir('/proc') if name.isdigit()), os.getpid())")
    assert said == "[1, 2] 2\n"
    other.socket.send(b".")
    assert other.end().code == 0


def test_no_signal_ends_the_watcher(harness: Harness) -> None:
    program = """
for number in signal.valid_signals():
    try: os.kill(1, number)
    except PermissionError: pass  # where it is another user's
time.sleep(0.2)
print('still here')
"""
    assert harness.run(program) == ("still here\n", 0)


def test_killing_everything_that_it_can_ends_its_own_processes_alone(harness: Harness) -> None:
    other = harness.start("os.write(descriptor, b'here'); os.read(descriptor, 1)")
    assert other.read() == "here"
    program = "child = os.fork() or time.sleep(60)\nos.kill(-1, signal.SIGKILL); print(os.waitpid(child, 0)[1])"
    assert harness.run(program) == ("9\n", 0)
    other.socket.send(b".")
    assert other.end() == ("", 0)
