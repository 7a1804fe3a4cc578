"""System calls of Linux that Python's standard library does not have (man pages of section 2)."""

from __future__ import annotations

import ctypes
import os
import signal

CLONE_NEWNS = 0x0002_0000
CLONE_NEWCGROUP = 0x0200_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 1 << 12, 1 << 14, 1 << 18
MNT_DETACH = 2

MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x2008_0522
_SYS_MOUNT_SETATTR = 442  # glibc names it since 2.36
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> int:
    result = getattr(_libc, name)(*arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
    return result


def unshare(namespaces: int) -> None:
    """Leave namespaces of this process for new ones. A new process namespace begins with the next child."""
    _call("unshare", namespaces)


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system of this kind, or with `MS_BIND` what is at `source`, on `target`."""
    words = [word.encode() or None for word in (source, target, kind)]
    try:
        _call("mount", *words, ctypes.c_ulong(flags), options.encode() or None)
    except OSError as error:
        raise OSError(error.errno, f"mount on {target}: {os.strerror(error.errno or 0)}") from None


def unmount(target: str) -> None:
    """Take a mount away with all below it, at once."""
    _call("umount2", target.encode(), MNT_DETACH)


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root, and have the root that was until then at `old`, a folder in `new`."""
    _call("pivot_root", new.encode(), old.encode())


def set_mount_attributes(target: str, attributes: int, recursive: bool = False) -> None:
    """Add attributes to a mount and, if asked, to all mounts below it (Linux 5.12)."""
    wanted = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    arguments = (ctypes.c_long(_AT_FDCWD), target.encode(), ctypes.c_long(flags), wanted, ctypes.c_size_t(32))
    _call("syscall", ctypes.c_long(_SYS_MOUNT_SETATTR), *arguments)


def _prctl(option: int, argument: int) -> int:
    return _call("prctl", option, *(ctypes.c_ulong(value) for value in (argument, 0, 0, 0)))


def die_with_parent(sent: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send a signal to this process when its parent ends. A change of user undoes it."""
    _prctl(_PR_SET_PDEATHSIG, sent)


def adopt_orphans() -> None:
    """Be the parent of every descendant whose own parent ended."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def set_dumpable(allowed: bool) -> None:
    """Say whether processes of the same user may look into this one, and it into its own /proc/self."""
    _prctl(_PR_SET_DUMPABLE, int(allowed))


def forbid_new_privileges() -> None:
    """Make setuid programs and file capabilities give nothing, from here on."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def drop_bounding_set() -> None:
    """Make sure that no program started from here on gets a capability."""
    capability = 0
    while True:
        try:
            present = _prctl(_PR_CAPBSET_READ, capability)
        except OSError:  # past the last capability that this kernel knows
            return
        if present:
            _prctl(_PR_CAPBSET_DROP, capability)
        capability += 1


def drop_capabilities() -> None:
    """Give up every capability of this process."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _call("capset", header, (ctypes.c_uint32 * 6)())
