"""What every widget of lablib is: content that a script shows, its answer in words, and a picture that stands still."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise ImportError(
        "This picture of lablib.viz is an anywidget, which is not installed here: run `pip install anywidget`, "
        "then restart the kernel."
    ) from error

_FOLDER = Path(__file__).parent
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{style}</style></head>
<body style="margin: 0; padding: 24px; background: #fff"><div id="widget"></div>
<script type="application/json" id="content">{content}</script>
<script type="module">{script}
const content = JSON.parse(document.getElementById("content").textContent);
widget.render({{ model: {{ get: () => content }}, el: document.getElementById("widget") }});
</script></body></html>
"""


def read(*names: str) -> str:
    """The text of files beside this one, joined: a widget's script follows what it shares with others."""
    return "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in names)


class View(anywidget.AnyWidget):
    """A widget that shows its content and writes nothing back, so that it also works without a kernel.

    Attributes
    ----------
    content : dict
        What is shown, as the script reads it. Its dicts have no order, since a saved notebook sorts them by key: what
        stands in an order is a list.
    summary : str
        The content in words; also the ``repr``.
    picture : str
        The widget standing still, as SVG: what a page shows that runs no widgets. Empty where there is none.
    """

    _esm = "export default { render() {} };"
    _css = ""
    content = traitlets.Dict().tag(sync=True)

    def __init__(self, content: dict[str, Any], summary: str, picture: str = "") -> None:
        super().__init__(content=content)
        self.summary = summary
        self.picture = picture

    def __repr__(self) -> str:
        return self.summary

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Display as a widget; the picture and the summary are there for whoever cannot."""
        displayed = super()._repr_mimebundle_(**options)
        if displayed is None or not self.picture:
            return displayed
        bundle, metadata = displayed
        return {**bundle, "image/svg+xml": self.picture}, metadata

    def to_html(self) -> str:
        """Return a web page with the same view, which needs neither Python nor a network."""
        script = self._esm.replace("export default", "const widget =")
        content = json.dumps(self.content, sort_keys=True).replace("</", "<\\/")
        return _PAGE.format(title=html.escape(self.summary[:80]), style=self._css, content=content, script=script)
