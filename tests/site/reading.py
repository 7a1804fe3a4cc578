"""What stands on a page of the site: its text, its links, and what it loads."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from docs.site.answers import plain

_TAG = re.compile(r"<[^>]+>")
_DATA = re.compile(r'<script type="application/json">(.*?)</script>', re.DOTALL)


def lines(page: str) -> list[str]:
    """Every line of text of a page, as `plain` writes it: markup removed, figures' and widgets' data read."""
    data = [text for found in _DATA.findall(page) for text in _strings(json.loads(found))]
    text = html.unescape(_TAG.sub("", _DATA.sub("", page)))
    return [plain(line) for part in (text, *data) for line in part.splitlines()]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(inner)


@dataclass
class Page(HTMLParser):
    """One page: its anchors, where its links lead, and what a browser loads for it."""

    path: Path
    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag says."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and values.get("rel") not in ("canonical", "index", "search", "next", "prev"):
            self.loads.append(values["href"])
        elif "src" in values and not values["src"].startswith("data:"):
            self.loads.append(values["src"])
        if tag == "img" and not values.get("alt", "").strip():
            self.unnamed.append(values["src"][:80])


def broken(pages: dict[Path, Page]) -> list[str]:
    """One sentence for each link that leads nowhere, each malformed address, and whatever comes from outside."""
    found = []
    for path, page in pages.items():
        for address in page.links + page.loads:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if address in page.loads:
                    found.append(f"{path} loads {address} from outside")
                elif not ((parts.scheme in ("http", "https") and "." in parts.netloc) or parts.scheme == "mailto"):
                    found.append(f"{path} links to {address}, which is no address")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                found.append(f"{path} links to {address}, which is not there")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{path} links to {address}, which has no such anchor")
    return found
