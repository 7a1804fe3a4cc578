"""Who a hand-in's process is: a user that owns nothing, without privileges that it could use or get."""

from __future__ import annotations

import os
from pathlib import Path

from autograder.inside import linux

_NOBODY = 65534


def may_become_anyone() -> bool:
    """Whether this process may become any user of the machine: root may, but not a container's root."""
    every_id = ["0", "0", str(2**32 - 1)]
    return os.geteuid() == 0 and Path("/proc/self/uid_map").read_text().split() == every_id


def enter_user_namespace(others: int) -> None:
    """Enter a user namespace together with other new namespaces.

    There this user is called nobody, and the kernel counts its processes from zero (Linux 5.14).
    """
    user, group = os.geteuid(), os.getegid()
    linux.unshare(linux.CLONE_NEWUSER | others)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{_NOBODY} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{_NOBODY} {group} 1")


def become(user: int) -> None:
    """Become the user and the group of this number, and no other group's member."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
