"""Put one hand-in's process, just forked from the warm parent, where it can do no harm.

Three processes come of it::

    warm parent ── outer process │ watcher ── session
                      (waits)    │ (pid 1)    (runs the hand-in)
                                 └ namespaces of their own

The watcher ends with the session, and the kernel then kills whatever else is left in its process namespace. The
session cannot end or change the watcher: it is the namespace's first process, which takes no signals from inside,
and it holds privileges that the session lacks. In a sandbox of the kind ``none`` there are no namespaces, and the
outer process is the watcher.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NoReturn

from autograder.inside import descriptors, identity, linux, scratch, seccomp
from autograder.inside.cgroup import Cgroup
from autograder.inside.limits import Limits, apply
from autograder.inside.settings import USERS, Settings, take_settings
from autograder.inside.watch import WATCH_FAILED, exit_code, kill_descendants, watch

_NAMESPACES = linux.CLONE_NEWPID | linux.CLONE_NEWNET | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS


def confine(limits: Limits, number: int, keep: Collection[int] = ()) -> None:
    """Confine the calling process, which must have one thread, and return in the session.

    The session's working directory is the hand-in's home: it can be written, and shows what the caller's working
    directory has. The calling process becomes the outer process. When nothing of the session is left it exits with
    the session's exit status, with 128 and the number of the signal that killed it, or with `watch.TIME_OVER` or
    `watch.MEMORY_OVER`. SIGTERM makes it end the session first; SIGKILL ends both, the session a little later.

    Parameters
    ----------
    limits : Limits
        What the session may take.
    number : int
        Counts the sessions of this sandbox. Those that run at the same time must differ modulo `settings.USERS`.
    keep : collection of int
        Descriptors that the session keeps. Every other one, 0 to 2 included, becomes /dev/null.

    Raises
    ------
    OSError, RuntimeError
        If it cannot be confined. The process must then run nothing of the hand-in, and exit.
    """
    settings = take_settings()
    lab = os.getcwd()
    os.umask(0o022)
    user = settings.first_user + number % USERS if settings.isolated and identity.may_become_anyone() else None
    descriptors.silence_all_but({*keep, *settings.cgroups})
    Path("/proc/self/oom_score_adj").write_text("1000")  # a machine out of memory ends hand-ins first
    if settings.isolated:
        home = _enter_namespaces(limits, Cgroup(settings.cgroups, f"{number}-{os.getpid()}"), user is None)
    else:
        home = _enter_folder(limits)
    _settle(lab, home)
    apply(limits)
    _give_up(user, settings)
    descriptors.silence_all_but(keep)


def _enter_namespaces(limits: Limits, cgroup: Cgroup, own_users: bool) -> str:
    """Go on as the session in new namespaces; returns its home."""
    cgroup.create(limits)
    if own_users:
        identity.enter_user_namespace(_NAMESPACES)
    else:
        linux.unshare(_NAMESPACES)
    linux.die_with_parent()
    outer = os.pidfd_open(os.getpid())
    first = os.fork()
    if first:
        _stay(lambda: _wait(first, cgroup))
    linux.die_with_parent()
    if select.select([outer], [], [], 0)[0]:  # it ended before this process asked to be told
        os._exit(WATCH_FAILED)
    linux.unshare(linux.CLONE_NEWNS)  # here, for the outer process needs the /proc that it has
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    home = scratch.mount_scratch(limits.scratch_bytes)
    # Not read-only: CUDA gives up if it cannot write the names of its threads there. All else needs root.
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # no handler of Python's may run here
    session = os.fork()
    if session:
        _stay(lambda: _watch_from_inside(session, limits, cgroup))
    signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
    cgroup.join()
    return home


def _wait(first: int, cgroup: Cgroup) -> int:
    _kill_when_terminated(first)
    descriptors.silence_all_but(cgroup.parents)
    code = exit_code(os.waitpid(first, 0)[1])
    cgroup.remove()
    return code


def _watch_from_inside(session: int, limits: Limits, cgroup: Cgroup) -> int:
    os.setsid()  # whatever the scheduler does to this session's processes, it does to them apart from others
    descriptors.silence_all_but(cgroup.parents)
    linux.set_dumpable(False)
    return watch(session, limits, cgroup)


def _enter_folder(limits: Limits) -> str:
    """Go on as the session in a temporary folder; returns it."""
    home = scratch.temporary_scratch()
    linux.adopt_orphans()
    linux.die_with_parent(signal.SIGTERM)
    session = os.fork()
    if session:
        _stay(lambda: _watch_from_outside(session, limits, home))
    linux.die_with_parent()
    return home


def _watch_from_outside(session: int, limits: Limits, home: str) -> int:
    _kill_when_terminated(session)
    descriptors.silence_all_but(())
    try:
        return watch(session, limits, Cgroup((), ""))
    finally:
        kill_descendants()
        shutil.rmtree(home, ignore_errors=True)


def _kill_when_terminated(child: int) -> None:
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))


def _stay(role: Callable[[], int]) -> NoReturn:
    """Play this role to the end, and exit with the code that it returns: never go on as the caller."""
    code = WATCH_FAILED
    try:
        code = role()
    finally:
        os._exit(code)


def _settle(lab: str, home: str) -> None:
    os.setsid()
    os.environ["HOME"] = home
    scratch.link(lab, home)
    os.chdir(home)


def _give_up(user: int | None, settings: Settings) -> None:
    if settings.isolated:
        linux.drop_bounding_set()
    if user is not None:
        identity.become(user)
    linux.drop_capabilities()
    linux.forbid_new_privileges()
    linux.set_dumpable(True)  # a change of user took it away, and /proc/self with it
    if settings.isolated or seccomp.available():
        seccomp.load()
