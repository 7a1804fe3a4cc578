"""What the trusted side tells a sandbox about itself, in environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass

FIRST_USER = 0x7800_0000  # above what systemd, containers and directory services give out
USERS = 1024  # user ids that one sandbox has for its hand-ins
_PREFIX = "SANDBOX_"


@dataclass(frozen=True)
class Settings:
    """How the sandbox was started.

    Attributes
    ----------
    isolated : bool
        Whether each hand-in must get namespaces of its own: False only in a sandbox of the kind ``none``.
    first_user : int
        The first of the user ids for hand-ins, where they can have one each.
    cgroups : tuple of int
        Descriptors of the cgroups below which each hand-in gets one of its own.
    """

    isolated: bool = True
    first_user: int = FIRST_USER
    cgroups: tuple[int, ...] = ()

    def to_environment(self) -> dict[str, str]:
        return {
            f"{_PREFIX}ISOLATED": "yes" if self.isolated else "no",
            f"{_PREFIX}FIRST_USER": str(self.first_user),
            f"{_PREFIX}CGROUPS": " ".join(map(str, self.cgroups)),
        }


def take_settings() -> Settings:
    """Read the settings and remove them from the environment. Isolated, unless it says otherwise."""
    given = {name: os.environ.pop(f"{_PREFIX}{name}", "") for name in ("ISOLATED", "FIRST_USER", "CGROUPS")}
    return Settings(
        isolated=given["ISOLATED"] != "no",
        first_user=int(given["FIRST_USER"] or Settings.first_user),
        cgroups=tuple(map(int, given["CGROUPS"].split())),
    )
