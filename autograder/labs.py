"""Write labs/, what students open, from the masters; and say when the two differ."""

from __future__ import annotations

from pathlib import Path

from autograder import bridge, master
from autograder.master import Lab


def render(root: Path) -> dict[Path, bytes]:
    """Contents of every file that belongs under `root`/labs, by its path relative to `root`."""
    files: dict[Path, bytes] = {}
    for lab in master.load_all(root):
        folder = Path("labs", lab.name)
        files[folder / f"{lab.name}.ipynb"] = bridge.to_text(bridge.release_notebook(lab)).encode()
        files.update(_assets(lab, folder))
    return files


def write(root: Path) -> list[Path]:
    """Bring labs/ up to date, stale files removed; return the paths that changed."""
    wanted = render(root)
    changed = _differences(root, wanted)
    for path in changed:
        target = root / path
        if path in wanted:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(wanted[path])
        else:
            target.unlink()
            _remove_empty_folders(target.parent, root / "labs")
    return changed


def differences(root: Path) -> list[str]:
    """One sentence for each file of labs/ that is not what the masters give."""
    wanted = render(root)
    sentences = []
    for path in _differences(root, wanted):
        if path not in wanted:
            sentences.append(f"{path} belongs to no master")
        elif (root / path).exists():
            sentences.append(f"{path} is not what its master gives")
        else:
            sentences.append(f"{path} is missing")
    return sentences


def write_source(lab: Lab, course: Path) -> Path:
    """Write the lab's source notebook and assets where `nbgrader generate_assignment` reads them."""
    folder = course / "source" / lab.name
    folder.mkdir(parents=True, exist_ok=True)
    notebook = folder / f"{lab.name}.ipynb"
    notebook.write_text(bridge.to_text(bridge.source_notebook(lab)), encoding="utf-8")
    for path, content in _assets(lab, folder).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return notebook


def _assets(lab: Lab, folder: Path) -> dict[Path, bytes]:
    assets = lab.path.parent / "assets"
    files = sorted(file for file in assets.rglob("*") if file.is_file())
    return {folder / "assets" / file.relative_to(assets): file.read_bytes() for file in files}


def _differences(root: Path, wanted: dict[Path, bytes]) -> list[Path]:
    """Paths to write or to remove. Other files in labs/ (checkpoints, results) are not ours to judge."""
    present = {
        file.relative_to(root)
        for folder in (root / "labs").glob(master.LAB_FOLDERS)
        for pattern in ("*.ipynb", "assets/**/*")
        for file in folder.glob(pattern)
        if file.is_file()
    }
    stale = present - wanted.keys()
    outdated = {path for path, content in wanted.items() if path not in present or _read(root / path) != content}
    return sorted(stale | outdated)


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _remove_empty_folders(folder: Path, stop: Path) -> None:
    while folder != stop and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
