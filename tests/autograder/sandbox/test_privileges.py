"""A hand-in has no privilege, and no way to one."""

from __future__ import annotations

import signal

import pytest

from .harness import Harness

CALL = """
def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0: raise OSError(ctypes.get_errno(), name)
"""
CALLS = {
    "a mount": "call('mount', b'x', b'/tmp', b'tmpfs', 0, None)",
    "a bind over its home": "call('mount', b'/', b'/home/student', None, 4096, None)",
    "taking a mount away": "call('umount2', b'/tmp', 2)",
    "taking /proc away": "call('umount2', b'/proc', 2)",
    "another root": "os.chroot('/tmp')",
    "a pivot": "call('pivot_root', b'.', b'.')",
    "a user namespace": "call('unshare', 0x10000000)",
    "a mount namespace": "call('unshare', 0x20000)",
    "entering a namespace": "call('setns', os.open('/proc/self/ns/net', os.O_RDONLY), 0)",
    "a clone in a user namespace": "call('syscall', 56, 0x10000000 | 17, 0, 0, 0, 0)",
    "tracing": "call('ptrace', 16, 1, 0, 0)",
    "being traced": "call('ptrace', 0, 0, 0, 0)",
    "reading another's memory": "call('process_vm_readv', 1, 0, 0, 0, 0, 0)",
    "another's descriptor": "call('syscall', 438, os.pidfd_open(1), 0, 0)",
    "eBPF": "call('syscall', 321, 0, 0, 0)",
    "performance counters": "call('syscall', 298, 0, 0, -1, -1, 0)",
    "io_uring": "call('syscall', 425, 8, 0)",
    "user faults": "call('syscall', 323, 0)",
    "keys": "call('syscall', 250, 0, -1, 0, 0, 0)",
    "a memory file": "os.memfd_create('x')",
    "System V memory": "call('shmget', 0, 4096, 0o1600)",
    "a device": "os.mknod('disk', 0o60600, os.makedev(8, 0))",
    "being root": "os.setuid(0)",
    "being another": "os.setresuid(1, 1, 1)",
    "another group": "os.setgid(0)",
    "more groups": "os.setgroups([0])",
    "higher limits": "resource.setrlimit(resource.RLIMIT_NPROC, (10**6, 10**6))",
    "a better priority": "os.setpriority(os.PRIO_PROCESS, 0, -10)",
    "slowing the watcher down": "os.setpriority(os.PRIO_PROCESS, 1, 19)",
    "slowing all its user's processes down": "os.setpriority(os.PRIO_USER, os.getuid(), 19)",
    "scheduling the watcher last": "os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0))",
    "moving the watcher": "os.sched_setaffinity(1, [0])",
    "limits of the watcher": "resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))",
    "dumps of its memory": "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
    "the clock": "time.clock_settime(time.CLOCK_REALTIME, 0)",
    "the machine's name": "socket.sethostname('x')",
}


def test_a_call_that_needs_privilege_is_refused(harness: Harness) -> None:
    for name, outcome in harness.attempt({name: CALL + program for name, program in CALLS.items()}).items():
        # No other user has a number where there is but one; Python words the refusal of a higher limit itself.
        assert outcome.startswith(("PermissionError", "OSError: [Errno 22]", "ValueError: not allowed to raise")), name


def test_clone3_looks_absent_so_that_libraries_fall_back(harness: Harness) -> None:
    assert harness.run(CALL + "call('syscall', 435, 0, 0)") == ("OSError: [Errno 38] syscall", 1)


def test_a_call_in_another_convention_kills(harness: Harness) -> None:
    x32 = 0x4000_0000 + 272  # unshare
    assert harness.run(f"libc.syscall({x32}, 0x10000000)").code == 128 + signal.SIGSYS


def test_it_has_no_capability_and_gets_none(harness: Harness) -> None:
    program = """
for line in open('/proc/self/status'):
    if line.startswith(('Cap', 'NoNewPrivs', 'Seccomp:', 'Groups')): print(*line.split())
"""
    none = "0" * 16
    said, _ = harness.run(program)
    names = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    groups, *rest = said.splitlines()
    assert rest == [*(f"{name}: {none}" for name in names), "NoNewPrivs: 1", "Seccomp: 2"]
    assert groups in ("Groups:", "Groups: 65534")


def test_it_is_nobody(harness: Harness) -> None:
    said, _ = harness.run("print(os.getuid() > 1000, os.getgid() > 1000, os.getuid() == os.geteuid())")
    assert said == "True True True\n"


@pytest.mark.parametrize(
    "words", [["mount", "-t", "tmpfs", "x", "/tmp"], ["unshare", "-Ur", "true"], ["su", "-c", "id"]]
)
def test_a_program_that_would_give_privileges_fails(harness: Harness, words: list[str]) -> None:
    said, _ = harness.run(f"print(subprocess.run({words}, capture_output=True).returncode != 0)")
    assert said == "True\n"


def test_a_setuid_program_runs_as_who_started_it(harness: Harness) -> None:
    program = """
import shutil
shutil.copy('/usr/bin/id', 'who'); os.chmod('who', 0o6755)
print(subprocess.run(['./who', '-u'], capture_output=True, text=True).stdout == f'{os.getuid()}\\n')
print(bool(os.statvfs('.').f_flag & os.ST_NOSUID), bool(os.statvfs('/usr').f_flag & os.ST_NOSUID))
"""
    assert harness.run(program) == ("True\nTrue True\n", 0)
