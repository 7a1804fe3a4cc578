"""Start the warm parent, from which hand-ins are forked."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from autograder.sandbox.kinds import require
from autograder.sandbox.launch import launch


def start(
    module: str,
    *arguments: str,
    kind: str,
    fds: Sequence[int],
    folder: Path,
    gpu: bool = False,
    withhold: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """Start ``python -m module arguments`` in a sandbox.

    Of the repository it sees lablib and `autograder.inside`, and nothing of this process's environment. It has no
    standard input or output; its standard error is a pipe, to be read when it ends early (nobody needs to read it
    before: a full pipe, 64 KiB, stops only what writes more).

    Parameters
    ----------
    module : str
        A module of `autograder.inside` or of an installed package.
    *arguments : str
        What it finds in ``sys.argv``.
    kind : str
        One of `KINDS`. ``none`` isolates nothing: the program is then an ordinary process.
    fds : sequence of int
        Descriptors that it inherits, under the same numbers.
    folder : Path
        What the lab gives, such as its assets: the content of the program's working directory, read-only.
    gpu : bool
        Whether it may use the machine's NVIDIA GPUs.
    withhold : sequence of str
        Modules and files of lablib that it does not see; ``none`` hides no files.

    Returns
    -------
    subprocess.Popen
        ``kill()`` ends everything in the sandbox; so does the end of the thread that called `start`.

    Raises
    ------
    SandboxError
        If the kind is unknown or does not work here.
    WithholdingError
        If lablib does not have what is to be withheld.
    """
    require(kind)
    return launch(module, arguments, kind, fds, folder, gpu, withhold)
