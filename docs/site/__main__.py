"""Build the site: `python -m docs.site [--labs lab00 lab06]`.

Pages lie in build/pages as their sources lie in the repository, so that every link of these works there as it is.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Collection
from pathlib import Path

import nbformat

from autograder import master
from docs.site import benchmark_page
from docs.site.executed import ROOT, executed
from docs.site.lab_pages import lab_page

PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "Dockerfile", "LICENSE", "LICENSE-CC-BY-4.0", "benchmarks/results", "docs")
HOME = "README.md"


def stage(pages: Path, cache: Path, run: Collection[str] | None = None) -> None:
    """Lay out everything that becomes a page; `run` names the labs to execute, all of them unless given."""
    shutil.rmtree(pages, ignore_errors=True)
    for name in PAGES:
        source, target = ROOT / name, pages / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    shutil.rmtree(pages / "docs" / "site")
    (pages / "lablib" / "data").mkdir(parents=True)
    shutil.copy(ROOT / "lablib" / "data" / "README.md", pages / "lablib" / "data")
    contents = (ROOT / "docs" / "site" / "contents.md").read_text(encoding="utf-8")
    (pages / "index.md").write_text((ROOT / HOME).read_text(encoding="utf-8") + contents, encoding="utf-8")
    results = pages / "benchmarks" / "results"
    (pages / "benchmarks" / "index.md").write_text(benchmark_page.page(results), encoding="utf-8")
    for lab in master.load_all(ROOT):
        folder = pages / "labs" / lab.name
        if (lab.path.parent / "assets").is_dir():
            shutil.copytree(lab.path.parent / "assets", folder / "assets")
        folder.mkdir(parents=True, exist_ok=True)
        solved = executed(lab, cache) if run is None or lab.name.split("_")[0] in run else None
        nbformat.write(lab_page(lab, solved), folder / f"{lab.name}.ipynb")


def build(pages: Path, site: Path) -> int:
    """Let Sphinx write the site; a broken link, a missing anchor or any other warning fails."""
    from sphinx.cmd.build import main as sphinx

    conf = str(Path(__file__).parent)
    return sphinx(["-q", "-a", "-E", "-W", "--keep-going", "-c", conf, str(pages), str(site)])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.site", description="Build the documentation as a site.")
    parser.add_argument("--labs", nargs="*", metavar="lab06", help="labs to show with their figures (all)")
    parser.add_argument("--out", type=Path, default=ROOT / "build", help="the folder to build in (build)")
    options = parser.parse_args()
    out = options.out
    stage(out / "pages", out / "executed", options.labs)
    status = build(out / "pages", out / "site")
    if not status:
        print(f"open {out / 'site' / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
