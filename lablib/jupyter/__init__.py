"""JupyterLab set up for a class: ``python -m lablib.jupyter`` starts it on a folder that holds ``labs/``.

`jupyter_server_config.json` configures the server, `settings/` JupyterLab's page. Nothing leaves the machine
(no news, no update check, no extension downloads), and nothing is written outside the folder: the class's
settings meet neither the user's own nor those of another course.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lablib import home

__all__ = ["command", "environment"]

CONFIGURATION = Path(__file__).parent


def command(root: Path, port: int, browser: bool) -> list[str]:
    """Return the command that serves `root`.

    Parameters
    ----------
    root : Path
        The folder to serve, which holds ``labs/``; also where nbgrader looks for its configuration.
    port : int
        The port on this machine's loopback address; JupyterLab takes the next free one when it is in use.
    browser : bool
        Whether to open the user's browser.

    Raises
    ------
    FileNotFoundError
        When `root` has no ``labs/``.

    Examples
    --------
    >>> command(Path("."), 8888, browser=False)[1:3]
    ['-m', 'jupyterlab']
    """
    if not (root / "labs").is_dir():
        raise FileNotFoundError(f"JupyterLab serves a folder that holds labs/, but {root.resolve()} has none.")
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--config={CONFIGURATION / 'jupyter_server_config.json'}",
        f"--LabApp.app_settings_dir={CONFIGURATION / 'settings'}",
        f"--ServerApp.root_dir={root.resolve()}",
        f"--ServerApp.port={port}",
        f"--ServerApp.open_browser={browser}",
        f"--LabApp.default_url=/lab/tree/labs{f'/{home.PAGE}' if (root / 'labs' / home.PAGE).is_file() else ''}",
        *(["--allow-root"] if os.geteuid() == 0 else []),
    ]


def environment(root: Path) -> dict[str, str]:
    """Return the environment of the server and its kernels.

    The programs of this Python's environment come first on PATH, and what Jupyter and IPython keep (settings,
    layout, history) stays in ``root/.jupyter``.
    """
    state = root.resolve() / ".jupyter"
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "JUPYTER_CONFIG_DIR": str(state),
        "JUPYTER_DATA_DIR": str(state / "data"),
        "JUPYTER_RUNTIME_DIR": str(state / "runtime"),
        "IPYTHONDIR": str(state / "ipython"),
    }
