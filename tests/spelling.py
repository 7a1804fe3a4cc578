"""Prose of the repository, and the words of it that a British dictionary does not have."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from autograder import master

ROOT = Path(__file__).resolve().parents[1]
TERMS = Path(__file__).with_name("words.txt")
# What is no prose: code, formulas, addresses, markup, titles and whatever has a digit or a sign of a path in it.
_OTHER = re.compile(
    r"```.*?```|``[^`]*``|`[^`]*`|\$\$.*?\$\$|\$[^$\n]+\$|https?://\S+|\]\([^)]*\)|<[^>]*>"
    r"|\*(?=[^\s*])[^*\n]+(?<=\S)\*|\"[^\"\n]+\"|\S*[_\d\\@{}=]\S*|[\w.-]+[./][\w./-]+",
    re.DOTALL,
)
_EXAMPLES = re.compile(r"^\s*>>>.*?(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
_ITEM = re.compile(r"^\S.*\n(?= {4}\S)", re.MULTILINE)  # a parameter's or an attribute's name
_DRAWING = re.compile(r"^ {4}.*$", re.MULTILINE)  # in a module's docstring
_WORD = re.compile(r"(?<![\w'-])[a-zà-ÿ]{3,}(?:n't|(?!\w))")


def prose() -> Iterator[tuple[str, str]]:
    """Where it stands, and the text: cells of masters, pages, and the docstrings of both packages."""
    for lab in master.load_all(ROOT):
        yield from ((f"{lab.path.name}:{cell.line}", cell.source) for cell in lab.cells if cell.kind == "markdown")
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("lablib/**/*.md")]):
        yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("lablib/**/*.py"), *ROOT.glob("autograder/**/*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
                text = _EXAMPLES.sub("", (_DRAWING if isinstance(node, ast.Module) else _ITEM).sub("", text))
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}", text


def words(text: str) -> set[str]:
    """The words of a text that a dictionary must know; names begin with a capital and are not looked up.

    Examples
    --------
    >>> sorted(words("Yosys maps `csim` to cells, see *Quantization* and docs/fpga.md."))
    ['and', 'cells', 'maps', 'see']
    """
    return set(_WORD.findall(_OTHER.sub(" ", text)))


def unknown(found: set[str], terms: Path = TERMS) -> set[str]:
    """Those words that neither the dictionary nor the list of terms has.

    Raises
    ------
    FileNotFoundError
        hunspell or its British dictionary is not installed.
    """
    command = ["hunspell", "-d", "en_GB", "-i", "utf-8", "-l"]
    done = subprocess.run(command, input="\n".join(sorted(found)), capture_output=True, text=True, check=False)
    if done.returncode or "Can't open" in done.stderr:
        raise FileNotFoundError(f"hunspell has no British dictionary ({done.stderr.strip()}): install hunspell-en-gb")
    return set(done.stdout.split()) - set(terms.read_text(encoding="utf-8").split())
