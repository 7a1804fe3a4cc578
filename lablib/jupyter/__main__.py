"""Start JupyterLab in the current folder; see :mod:`lablib.jupyter`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from lablib import home
from lablib.jupyter import command, environment


def main() -> None:
    """Replace this process by the server, so that Ctrl-C reaches it directly."""
    parser = argparse.ArgumentParser(prog="python -m lablib.jupyter", description="Serve the labs in JupyterLab.")
    parser.add_argument("--port", type=int, default=8888, help="port on this machine (default: 8888)")
    parser.add_argument("--no-browser", action="store_true", help="for a headless machine")
    options = parser.parse_args()
    root = Path.cwd()
    try:
        home.write(root / "labs")
    except (OSError, ValueError) as error:  # the labs open without it
        print(f"The home page stays as it is: {error}", file=sys.stderr)
    try:
        arguments = command(root, options.port, browser=not options.no_browser)
    except FileNotFoundError as error:
        sys.exit(str(error))
    os.execve(arguments[0], arguments, environment(root))


if __name__ == "__main__":
    main()
