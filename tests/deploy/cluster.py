"""As much of SLURM as the job script meets: a job's environment, and an `srun` that starts tasks on this machine."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.autograder import plain_judge

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "deploy" / "slurm.sh"
PATIENCE = 300  # seconds, after which a test fails rather than waits

# Two nodes by turns; an end is passed on to every task.
SRUN = """#!/usr/bin/env bash
while [[ $1 == --* ]]; do shift; done
trap 'kill $(jobs -p)' TERM
for ((task = 0; task < SLURM_NTASKS; task++)); do
    node=node$((task % 2 + 1))
    echo "$node $*" >> "$NODES/log"
    mkdir -p "$NODES/$node"
    TMPDIR=$NODES/$node "$@" &
done
wait
wait
"""
# This Python, in which hand-ins are judged by the plain judge.
PYTHON = f"""#!/usr/bin/env bash
if [[ "$1 $2" == "-m autograder" ]]; then
    shift 2
    set -- -c "
from autograder import workers
workers.JUDGE = '{plain_judge.NAME}'
from autograder.__main__ import main
raise SystemExit(main())" "$@"
fi
exec "{sys.executable}" "$@"
"""


class Job:
    """A job that was submitted at `root`.

    Parameters
    ----------
    root : Path
        The repository.
    folder : Path
        For the cluster's own files; empty.
    arguments : tuple of str
        What follows the script's name.
    tasks : int
        What `--ntasks` asks for.
    srun : str
        The source of `srun`.
    """

    def __init__(self, root: Path, folder: Path, *arguments: str, tasks: int = 2, srun: str = SRUN) -> None:
        self.root, self.folder = root, folder
        self.number = str(secrets.randbelow(10**12))
        spooled = folder / "slurm_script"  # SLURM runs a copy, so the script cannot look for its neighbours
        shutil.copy(SCRIPT, spooled)
        path = f"{self._program('srun', srun).parent}{os.pathsep}{os.environ['PATH']}"
        given = {
            "NODES": str(folder),
            "PATH": path,
            "PYTHON": str(self._program("python", PYTHON)),
            "PYTHONPATH": str(ROOT),
            "SLURM_JOB_ID": self.number,
            "SLURM_NTASKS": str(tasks),
            "SLURM_SUBMIT_DIR": str(root),
        }
        with (folder / "output").open("w") as output:
            self.process = subprocess.Popen(
                ["bash", str(spooled), *arguments],
                cwd=folder,
                env=os.environ | given,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _program(self, name: str, source: str) -> Path:
        file = self.folder / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(source)
        file.chmod(0o755)
        return file

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text()

    @property
    def started(self) -> list[str]:
        """Node and command of each task that `srun` started."""
        return (self.folder / "log").read_text().splitlines()

    @property
    def state(self) -> list[Path]:
        """The job's own folders in the course."""
        return list((self.root / "course").glob(f".slurm-{self.number}-*"))

    @property
    def left(self) -> list[str]:
        """Commands of its processes that are still there."""
        return [" ".join(one.info["cmdline"] or ()) for one in _processes() if self._owns(one)]

    def _owns(self, process: psutil.Process) -> bool:
        return (process.info["environ"] or {}).get("SLURM_JOB_ID") == self.number

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """Take away whatever is left of it."""
        for one in _processes():
            if self._owns(one):
                one.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)


def _processes() -> list[psutil.Process]:
    return list(psutil.process_iter(["environ", "cmdline"]))
