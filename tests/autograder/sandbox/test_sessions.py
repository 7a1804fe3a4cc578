"""What a hand-in has in the sandbox, and how the end of its session is told."""

from __future__ import annotations

import signal

import pytest

from autograder.inside.watch import MEMORY_OVER, TIME_OVER

from .harness import HUNGRY, Harness

MIB = 2**20


def test_its_home_can_be_written_and_shows_the_labs_assets(harness: Harness) -> None:
    program = "open('made', 'w').write(open('assets/given.txt').read()); print(os.getcwd(), *sorted(os.listdir()))"
    assert harness.run(program) == ("/home/student assets made parent.py\n", 0)


def test_two_sessions_share_no_file(harness: Harness) -> None:
    write = "for folder in ('.', '/tmp', '/dev/shm'): open(f'{folder}/mine', 'w').write('x')\n"
    first = harness.start(f"{write}os.write(descriptor, b'written'); sys.stdin = os.read(descriptor, 1)")
    assert first.read() == "written"
    look = "print([name for folder in ('.', '/tmp', '/dev/shm') for name in os.listdir(folder) if name == 'mine'])"
    assert harness.run(look) == ("[]\n", 0)
    first.socket.send(b".")
    assert first.end() == ("", 0)


def test_lablib_and_the_inside_of_the_grader_can_be_imported(harness: Harness) -> None:
    assert harness.run("import lablib, autograder.inside; print(lablib.__name__)") == ("lablib\n", 0)


def test_programs_and_threads_can_be_started(harness: Harness) -> None:
    program = """
import threading, multiprocessing, tempfile
found = []
threads = [threading.Thread(target=found.append, args=(n,)) for n in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
with multiprocessing.get_context('fork').Pool(2) as pool: found += pool.map(abs, [-8, -9])
found += [int(subprocess.run([sys.executable, '-c', 'print(10)'], capture_output=True, text=True, check=True).stdout)]
with tempfile.NamedTemporaryFile() as file: file.write(b'x')
print(sorted(found))
"""
    assert harness.run(program) == ("[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n", 0)


def test_what_it_starts_with_is_the_same_every_time(harness: Harness) -> None:
    program = "print(hash('a'), sorted(os.environ), os.umask(0), signal.getsignal(signal.SIGINT))"
    assert harness.run(program) == harness.run(program)


@pytest.mark.parametrize(
    ("program", "limits", "code"),
    [
        ("os._exit(7)", {}, 7),
        ("os.kill(os.getpid(), signal.SIGSEGV)", {}, 128 + signal.SIGSEGV),
        ("while True: time.sleep(1)", {"seconds": 0.3}, TIME_OVER),
    ],
)
def test_the_exit_status_tells_how_a_session_ended(harness: Harness, program: str, limits: dict, code: int) -> None:
    assert harness.run(program, **limits) == ("", code)


def test_one_array_too_large_is_a_memory_error_and_the_session_goes_on(harness: Harness) -> None:
    program = "try: bytearray(600 * 2**20)\nexcept MemoryError: print('too large')"
    assert harness.run(program, memory=512 * MIB) == ("too large\n", 0)


def test_memory_of_many_processes_counts_together(harness: Harness) -> None:
    assert harness.run(HUNGRY, memory=256 * MIB) == ("", MEMORY_OVER)


def test_memory_shared_between_processes_counts(harness: Harness) -> None:
    program = """
import mmap
held = [mmap.mmap(-1, 60 * 2**20) for _ in range(8)]
for one in held: one.write(b'x' * len(one))
time.sleep(60)
"""
    assert harness.run(program, memory=256 * MIB) == ("", MEMORY_OVER)


def test_a_file_has_a_largest_size(harness: Harness) -> None:
    said, code = harness.run("open('large', 'wb').write(bytes(3 * 2**20))", file_bytes=2 * MIB)
    assert (said, code) == ("OSError: [Errno 27] File too large", 1)


def test_all_that_it_writes_has_a_largest_size(harness: Harness) -> None:
    program = """
for folder in ('.', '/tmp', '/dev/shm'):
    for number in range(4): open(f'{folder}/{number}', 'wb').write(bytes(2**20))
"""
    said, code = harness.run(program, scratch_bytes=8 * MIB)
    assert (said, code) == ("OSError: [Errno 28] No space left on device", 1)


def test_the_number_of_files_is_limited(harness: Harness) -> None:
    said, code = harness.run("for number in range(10_000): open(str(number), 'w').close()", scratch_bytes=8 * MIB)
    assert (said.split(": '")[0], code) == ("OSError: [Errno 28] No space left on device", 1)


def test_open_descriptors_are_limited(harness: Harness) -> None:
    said, code = harness.run("held = [os.pipe() for _ in range(200)]")
    assert (said, code) == ("OSError: [Errno 24] Too many open files", 1)


def test_a_fork_bomb_leaves_the_neighbour_all_its_processes(harness: Harness) -> None:
    bomb = harness.start(
        """
def fork():
    try: return os.fork()
    except BlockingIOError: return None
while (child := fork()) is not None:
    if child == 0: time.sleep(60)
os.write(descriptor, b'no more'); time.sleep(60)
""",
        processes=20,
    )
    assert bomb.read() == "no more"
    neighbour = "children = [os.fork() for _ in range(1)]\nprint(len(children)) if all(children) else time.sleep(60)"
    assert harness.run(neighbour, processes=20) == ("1\n", 0)
    bomb.kill()
    assert bomb.end() == ("", -signal.SIGKILL)


def test_a_daemon_dies_with_its_session(harness: Harness) -> None:
    program = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        os.write(descriptor, b'alive')
        time.sleep(60)
    os._exit(0)
while os.read(descriptor, 1) != b'.': pass
os._exit(5)
"""
    session = harness.start(program)
    assert session.read() == "alive"
    session.socket.send(b".")
    assert session.end() == ("", 5)  # nobody holds the other end of its socket


def test_terminating_the_outer_process_ends_the_session_first(harness: Harness) -> None:
    session = harness.start("os.write(descriptor, b'alive'); time.sleep(60)")
    assert session.read() == "alive"
    session.kill(signal.SIGTERM)
    assert session.end() == ("", 128 + signal.SIGKILL)


@pytest.mark.parametrize("clear", ["", "libc.prctl(1, 0)"])
def test_a_session_dies_with_its_outer_process(harness: Harness, clear: str) -> None:
    session = harness.start(f"{clear}\nos.write(descriptor, b'alive'); time.sleep(60)")
    assert session.read() == "alive"
    session.kill()
    assert session.end() == ("", -signal.SIGKILL)
