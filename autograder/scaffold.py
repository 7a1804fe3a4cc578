"""Start a new lab from the template."""

from __future__ import annotations

import re
from pathlib import Path

from autograder.errors import AutograderError

TEMPLATE = "_template"
_NAME = "labNN_slug"


class ScaffoldError(AutograderError):
    """A new lab cannot be made; the message says why in one sentence."""


def new_lab(root: Path, number: str, slug: str) -> Path:
    """Copy solutions/_template to solutions/labNN_slug with the lab's number and name filled in.

    Parameters
    ----------
    root : Path
        The repository.
    number : str
        Two digits, such as "07".
    slug : str
        Lower-case words joined by underscores, such as "triton_kernels".

    Raises
    ------
    ScaffoldError
        The number or the slug is malformed, or the number is taken.
    """
    if not re.fullmatch(r"[0-9]{2}", number):
        raise ScaffoldError(f"NN must be two digits such as 07, not {number!r}")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", slug):
        raise ScaffoldError(
            f"SLUG must be lower-case words joined by underscores, such as triton_kernels, not {slug!r}"
        )
    taken = sorted((root / "solutions").glob(f"lab{number}_*"))
    if taken:
        raise ScaffoldError(f"lab {number} exists already: {taken[0].relative_to(root)}")
    template = root / "solutions" / TEMPLATE
    folder = root / "solutions" / f"lab{number}_{slug}"
    for file in sorted(path for path in template.rglob("*") if path.suffix in (".py", ".diff")):
        target = folder / Path(str(file.relative_to(template)).replace(_NAME, folder.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        text = file.read_text(encoding="utf-8")
        target.write_text(text.replace(_NAME, folder.name).replace("Lab NN", f"Lab {number}"), encoding="utf-8")
    return folder
