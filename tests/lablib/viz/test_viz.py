"""What all pictures have in common: lazy, self-describing, legible, and clear about what is missing."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from lablib import viz
from lablib.hls.parts import part_of
from lablib.hls.report import Report, Resources
from lablib.viz.style import INK
from tests.lablib.viz.signals import cells, timeline
from tests.lablib.viz.signals import stream as waves

WIDGETS = [
    viz.waveform(waves()),
    viz.pipeline(timeline()),
    viz.systolic_array(cells(np.array([[1, 2], [3, 4]]), np.array([[5, 6], [7, 8]]))),
    viz.code_plane(np.zeros((3, 3, 8, 8)), [[0.0, 0.5]], [7]),
    viz.draft_tokens("He", [(["a", "r"], ["a", "d"])]),
]
BARS = [{"name": "a", "loads": 8, "stores": 8}]


def test_importing_viz_loads_no_plotting_library():
    code = "import sys; from lablib import viz; print({'plotly', 'anywidget', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_public_name_is_a_function_that_no_module_shadows():
    assert dir(viz) == sorted(viz.__all__)
    for name in viz.__all__:
        assert getattr(viz, name).__module__ == f"lablib.viz.{viz._MODULE_OF[name]}"
        assert importlib.util.find_spec(f"lablib.viz.{name}") is None


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(AttributeError, match=r"no 'heatmap'.*tile_order,.*traffic_bars"):
        viz.heatmap  # noqa: B018


def test_without_plotly_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(ImportError, match="plotly, which is not installed here: run `pip install plotly`"):
        viz.traffic_bars(BARS)


def test_without_anywidget_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    for name in ("lablib.viz.view", "lablib.viz.stage_viewer"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ImportError, match="anywidget, which is not installed here: run `pip install anywidget`"):
        importlib.import_module("lablib.viz.stage_viewer")


def test_the_summary_is_the_repr_the_plain_text_and_in_the_figure():
    picture = viz.traffic_bars(BARS)
    assert picture.summary == repr(picture) == picture.figure.layout.meta["summary"]
    bundle = picture._repr_mimebundle_()
    assert bundle["text/plain"] == picture.summary


def test_a_saved_page_needs_no_network_and_does_not_play_by_itself(tmp_path):
    path = tmp_path / "picture.html"
    viz.program_grid(4, 5, 8, blocks=(4,)).save(path)
    page = path.read_text(encoding="utf-8")
    assert not re.search(r"<(script|link)[^>]*(src|href)=", page)
    assert "Plotly.animate" not in page.rsplit("Plotly.newPlot", 1)[1]
    assert "Plotly.addFrames" in page


def test_every_picture_fits_a_notebook_and_has_a_title(softmax_trace):
    roof = {"name": "GPU", "flops_per_s": 1e12, "bytes_per_s": 1e11}
    placed = Report("mac", "nextpnr", latency_cycles=2, resources=Resources(lut=90))
    pictures = [
        viz.program_grid(4, 5, 8),
        viz.memory_map(softmax_trace),
        viz.tile_order([(0, 0), (0, 1)], grid=(1, 2), in_flight=1),
        viz.roofline([], [roof]),
        viz.tape_replay([{"name": "y", "inputs": ["x"]}]),
        viz.view_explorer({"x": ((2, 3), (3, 1), 0)}, size=6),
        viz.traffic_bars(BARS),
        viz.compare_bars([{"name": "a", "value": 1.0}], "s", title="How long?"),
        viz.configuration_table([{"BLOCK": 16, "shared": 1024, "fits": True}]),
        viz.resource_bars(placed, part_of("hx1k")),
        viz.online_softmax([1.0, 2.0], block=1),
        viz.attention_tiles(8, 8, [(4, 4)]),
        viz.block_traffic({"a": {16: 1024.0}}),
        viz.latency_area({1: placed}),
        viz.image_steps([[[[0.0, 1.0]]]], ["0"], title="Which?"),
        viz.token_groups([[[0.0, 1.0]]], [[[[0, 0]]]], ["block 1"]),
        viz.router_load({"text": [3, 1]}, [1.0]),
        viz.cache_fill([{"line": 0, "set": 0, "hit": False, "held": [[0]]}], sets=1, ways=1),
        viz.queue_latency({"a": {"arrivals": [0], "latencies": [9]}}, bound=10),
        viz.attention_maps(np.eye(3)[None, None], "abc"),
        viz.cache_growth({"8 heads": 1000}, weight_bytes=1e6, memory_bytes=5e6, batches=[1, 8]),
        viz.message_passing([0, 1, 2], [1, 0], start=0, hops=1),
        viz.cell_graph({"a": ([(0, 1, "skip", True)], {"FLOPs": "0"})}, title="What is idle?"),
        viz.curves({"entropy": {"A": [1.0, 2.0]}}, title="Which?", x="draw"),
        viz.against({"FLOPs": ([1.0, 2.0], 1.0)}, [0.1, 0.2], title="Which?", axis="accuracy"),
        viz.front_growth({"a": [(1.0, 0.5)]}, (2.0, 0.0), queries=[1], x="latency", y="accuracy"),
    ]
    for picture in pictures:
        assert picture.figure.layout.width <= 840
        assert picture.figure.layout.title.text.startswith("<b>")
        assert picture.figure.layout.hoverlabel.font.color == INK, "plotly's own is the border's, which nobody can read"
        assert picture.summary.endswith(".")


def test_the_widgets_scripts_and_styles_travel_with_the_package():
    folder = Path(viz.__file__).parent
    assert {path.stem for path in folder.glob("*.js")} == {path.stem for path in folder.glob("*.css")}
    pyproject = (folder.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert '"*.js"' in pyproject and '"*.css"' in pyproject


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: type(widget).__name__)
def test_a_widget_is_also_a_page_a_picture_and_words(widget):
    displayed = widget._repr_mimebundle_()
    assert displayed is not None
    bundle, _ = displayed
    assert bundle["text/plain"] == widget.summary and widget.summary.endswith(".")
    assert "application/vnd.jupyter.widget-view+json" in bundle
    picture = ElementTree.fromstring(bundle["image/svg+xml"])
    assert widget.summary in picture.attrib["aria-label"] and float(picture.attrib["width"]) <= 840
    page = widget.to_html()
    assert not re.search(r"(src|href)=|@import|fetch\(", page) and "export default" not in page


def test_a_widgets_page_ends_no_script_early():
    tricky = waves()
    tricky.signals["</script><b>"] = tricky.signals["x"]
    assert viz.waveform(tricky).to_html().count("</script>") == 2
