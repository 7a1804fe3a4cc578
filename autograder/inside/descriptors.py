"""Open descriptors: what a process can still reach whatever its namespaces are."""

from __future__ import annotations

import os
from collections.abc import Collection


def silence_all_but(kept: Collection[int]) -> None:
    """Make every open descriptor of this process one of /dev/null, but those in `kept`.

    They are not closed: an object that still thinks that it owns one would later close the number's next owner.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor != null and descriptor not in kept and _is_open(descriptor):
            os.dup2(null, descriptor, inheritable=descriptor <= 2)
    os.close(null)


def _is_open(descriptor: int) -> bool:
    """False for the descriptor through which the listing itself was read."""
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
