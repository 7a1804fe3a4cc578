"""System calls that a hand-in has no use for, and that have let others out of sandboxes.

A list of what is refused, and not of what is allowed: torch, Triton and what a student's code starts use most of the
rest, and the namespaces, the user and the missing capabilities already bound it.
"""

from __future__ import annotations

import errno
import os
import resource
import socket

from autograder.inside import linux

try:
    import pyseccomp
except (ImportError, RuntimeError):  # no package, or no libseccomp that it could load
    pyseccomp = None

_REFUSED = {
    "namespaces and mounts": """
        unshare setns mount umount umount2 pivot_root chroot fsopen fsconfig fsmount fspick move_mount open_tree
        name_to_handle_at open_by_handle_at quotactl swapon swapoff""",
    "other processes": "ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp move_pages",
    "the kernel's own machinery": """
        bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register keyctl add_key request_key
        fanotify_init lookup_dcookie kexec_load kexec_file_load init_module finit_module delete_module reboot acct
        syslog personality modify_ldt iopl ioperm vhangup""",
    "the machine's clock and name": """
        settimeofday stime clock_settime clock_adjtime adjtimex sethostname setdomainname""",
    "memory that no limit counts": "memfd_create shmget",
}
_NEW_NAMESPACES = (
    linux.CLONE_NEWNS,
    linux.CLONE_NEWCGROUP,
    linux.CLONE_NEWUTS,
    linux.CLONE_NEWIPC,
    linux.CLONE_NEWUSER,
    linux.CLONE_NEWPID,
    linux.CLONE_NEWNET,
)
_WATCHER = 1  # the number that the watcher's process has in its namespace; where it is the same user's, it is at reach
_SCHEDULING = ("sched_setscheduler", "sched_setparam", "sched_setattr", "sched_setaffinity", "prlimit64")


def available() -> bool:
    """Whether pyseccomp and libseccomp are there."""
    return pyseccomp is not None


def _build():
    if pyseccomp is None:
        return None
    refuse = pyseccomp.ERRNO(errno.EPERM)
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    # Calls in the conventions of another processor mode would pass by their own numbers.
    rules.set_attr(pyseccomp.Attr.ACT_BADARCH, pyseccomp.KILL_PROCESS)
    for name in " ".join(_REFUSED.values()).split():
        rules.add_rule(refuse, name)
    for flag in _NEW_NAMESPACES:
        rules.add_rule(refuse, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag))
    # Its flags lie in memory, where a filter cannot look: libraries fall back to clone when it does not exist.
    rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
    rules.add_rule(refuse, "socket", pyseccomp.Arg(0, pyseccomp.NE, socket.AF_UNIX))
    for name in _SCHEDULING:
        rules.add_rule(refuse, name, pyseccomp.Arg(0, pyseccomp.EQ, _WATCHER))
    rules.add_rule(refuse, "setpriority", pyseccomp.Arg(0, pyseccomp.NE, os.PRIO_PROCESS))
    rules.add_rule(refuse, "setpriority", pyseccomp.Arg(1, pyseccomp.EQ, _WATCHER))
    # `limits` sets this one so that crashes start nothing on the machine: it must stay.
    rules.add_rule(refuse, "setrlimit", pyseccomp.Arg(0, pyseccomp.EQ, resource.RLIMIT_CORE))
    rules.add_rule(
        refuse,
        "prlimit64",
        pyseccomp.Arg(1, pyseccomp.EQ, resource.RLIMIT_CORE),
        pyseccomp.Arg(2, pyseccomp.NE, 0),
    )
    return rules


_FILTER = _build()  # when the warm parent imports this module: a hand-in then only loads it


def load() -> None:
    """Refuse these calls to this process, and to those that it starts, for good."""
    if _FILTER is None:
        raise RuntimeError("pyseccomp and libseccomp are needed to run a hand-in: install pyseccomp and libseccomp2")
    _FILTER.load()
