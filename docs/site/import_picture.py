"""Draw docs/images/imports.svg: which part of the library imports which, read from the sources.

python -m docs.site.import_picture
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import networkx as nx

from tests.architecture import imports

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "images" / "imports.svg"
WIDTH, TOP, ROW, HEIGHT, GAP = 960, 84, 96, 36, 8  # px
ALT = "Which part imports which, the importing one above: {}."
HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="imports" \
font-family="system-ui, sans-serif" font-size="14">
<title id="imports">{title}</title>
<rect width="{width}" height="{height}" fill="#fff"/>
<rect x="4" y="12" width="{bar}" height="36" rx="6" fill="#F8DCCB" stroke="#444"/>
<text x="{middle}" y="35" text-anchor="middle">labs: import any part of lablib</text>
"""
EDGE = '<line x1="{}" y1="{}" x2="{}" y2="{}" stroke="#5B6875" stroke-width="1.4"/>\n'
BOX = """<rect x="{left}" y="{top}" width="{width}" height="36" rx="6" fill="{fill}" stroke="#444"/>
<text x="{middle}" y="{base}" text-anchor="middle">{name}</text>
"""


def import_graph() -> nx.DiGraph:
    """An edge from each part to what it imports: `autograder`, or a package or module of `lablib` by its short name."""
    graph = nx.DiGraph()
    for top in ("lablib", "autograder"):
        for path in sorted((ROOT / top).rglob("*.py")):
            module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
            part = _part(module)
            graph.add_nodes_from({part} - {""})
            for found in imports(module, path.read_text(encoding="utf-8"), path.stem == "__init__"):
                if part and _part(found.module) not in ("", part):
                    graph.add_edge(part, _part(found.module))
    return graph


def _part(module: str) -> str:
    """The box that a module belongs to; empty for what has none: other packages, and lablib's own names."""
    top, _, rest = module.partition(".")
    name = rest.partition(".")[0]
    if top != "lablib":
        return top if top == "autograder" else ""
    return "" if name.startswith("_") else name


def rows(graph: nx.DiGraph) -> list[list[str]]:
    """The parts from top to bottom, each right below what imports it; last those that nothing ties to others."""
    level: dict[str, int] = {}
    for part in nx.topological_sort(graph):
        level[part] = max((level[above] + 1 for above in graph.predecessors(part)), default=int(part != "autograder"))
    alone = [part for part in graph if not graph.degree[part]]
    level.update(dict.fromkeys(alone, max(level.values()) + 1))
    layers = [sorted(part for part in graph if level[part] == number) for number in sorted(set(level.values()))]
    place: dict[str, float] = {}
    for layer in layers:
        means = {part: [place[above] for above in graph.predecessors(part)] for part in layer}
        layer.sort(key=lambda part: (sum(means[part]) / len(means[part]) if means[part] else 1.0, part))
        place.update({part: (index + 0.5) / len(layer) for index, part in enumerate(layer)})
    return layers


def picture() -> str:
    """The picture as SVG; what follows from other imports has no line of its own."""
    graph = nx.transitive_reduction(import_graph())
    layers = rows(graph)
    place = {part: _place(layers, level, part) for level, layer in enumerate(layers) for part in layer}
    words = "; ".join(f"{part} imports {', '.join(sorted(graph[part]))}" for part in sorted(graph) if graph[part])
    height = TOP + (len(layers) - 1) * ROW + HEIGHT + 12
    head = HEAD.format(width=WIDTH, height=height, title=escape(ALT.format(words)), bar=WIDTH - 8, middle=WIDTH // 2)
    lines = [
        EDGE.format(place[above]["middle"], place[above]["top"] + HEIGHT, place[below]["middle"], place[below]["top"])
        for above, below in sorted(graph.edges)
    ]
    return head + "".join(lines) + "".join(BOX.format(**place[part]) for part in sorted(place)) + "</svg>\n"


def _place(layers: list[list[str]], level: int, part: str) -> dict[str, Any]:
    """Where a part's box lies, and how it looks."""
    slot, top = WIDTH / len(layers[level]), TOP + level * ROW
    middle, width = (layers[level].index(part) + 0.5) * slot, min(slot, 150) - GAP
    return {
        **{"left": round(middle - width / 2, 1), "middle": round(middle, 1), "width": round(width, 1)},
        **{"top": top, "base": top + 23, "name": part, "fill": "#B7D5E8" if part == "autograder" else "#F2F5F7"},
    }


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
