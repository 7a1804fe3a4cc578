"""Run a command with the privileges that a pod's container has, as far as a process of this machine can have them.

In it are a user namespace, a user without capabilities, a hidden part of /proc and the calls that a container
runtime's filter refuses. Not in it are AppArmor, SELinux, and the network.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
HIDDEN = "/proc/keys"  # of what a runtime hides unless `procMount` is `Unmasked`
# Of what containerd's and Docker's filters keep from a container without CAP_SYS_ADMIN.
REFUSED = ("mount", "pivot_root", "setns", "umount2", "unshare")

_HIDE = f'mount --bind /dev/null {HIDDEN} && exec "$@"'
_FILTER = """
import errno, json, os, pyseccomp, sys
rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
for name in json.loads(sys.argv[1]):
    rules.add_rule(pyseccomp.ERRNO(errno.EPERM), name)
rules.load()
os.execvp(sys.argv[2], sys.argv[2:])
"""


def run(
    command: Sequence[str], spec: dict[str, Any], cwd: Path | None = None, seconds: float = 60, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `command` as the only container of the pod that `spec` describes would."""
    security = spec.get("securityContext", {}) | spec["containers"][0]["securityContext"]
    user = security["runAsUser"]
    assert user > 0 and not security["allowPrivilegeEscalation"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    words = ["unshare", "--user", "--map-root-user", "--mount"]
    if security.get("procMount") != "Unmasked":
        words += ["sh", "-c", _HIDE, "sh"]
    words += ["unshare", "--user", f"--map-user={user}", f"--map-group={user}", "--keep-caps"]
    words += ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"]
    if security["seccompProfile"]["type"] == "RuntimeDefault":
        words += [sys.executable, "-c", _FILTER, json.dumps(REFUSED)]
    given = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run([*words, *command], env=given, cwd=cwd, capture_output=True, text=True, timeout=seconds)
