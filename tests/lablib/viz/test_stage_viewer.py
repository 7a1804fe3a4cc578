from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest

from lablib import viz


def variant(compiled, **changes):
    return SimpleNamespace(**{**vars(compiled), **changes})


def test_the_summary_has_the_resources_and_key_instructions(compiled):
    widget = viz.compile_stages(compiled)
    assert (
        repr(widget)
        == widget.summary
        == ("copy. sm_90: 32 registers a thread, no spills, 1 KiB of shared memory, 4 warps; 1 LDG, 1 STG.")
    )


def test_spills_are_named(compiled):
    spilling = variant(compiled, spill_bytes=96, instructions={"STL": 24, "HGMMA": 8})
    assert "96 B spilled" in viz.compile_stages(spilling).summary
    assert "8 HGMMA, 24 STL" in viz.compile_stages(spilling).summary


def test_lines_keep_their_numbers_their_origin_and_their_kind(compiled):
    stage = viz.compile_stages(compiled).content["compiled"]["sm_90"]["stages"]["sass"]
    assert stage["numbers"] == [1, 3, 4, 6, 7]
    assert stage["map"] == [0, 2, 2, 3, 0]
    assert stage["kinds"] == ["", "global", "", "global", ""]
    assert stage["lines"][1] == "/*0000*/  LDG.E.128 R4, desc[UR4][R2.64] ;"


def test_key_instructions_are_grouped_by_kind(compiled):
    many = variant(compiled, instructions={"STS": 9, "LDG": 2, "IMAD": 50, "HMMA": 4, "STG": 3})
    shown = viz.compile_stages(many).content["compiled"]["sm_90"]["instructions"]
    assert [tuple(row) for row in shown] == [
        ("HMMA", 4, "matrix"), ("STG", 3, "global"), ("LDG", 2, "global"), ("STS", 9, "shared"),
    ]  # fmt: skip


def test_a_list_is_named_by_target_and_a_dict_by_its_keys(compiled):
    other = variant(compiled, target="sm_80")
    assert viz.compile_stages([other, compiled]).content["names"] == ["sm_80", "sm_90"]
    assert viz.compile_stages({"naive": compiled, "fused": compiled}).content["names"] == ["naive", "fused"]


def test_the_page_stands_alone_and_holds_the_content(compiled):
    tricky = variant(compiled, source="def k():\n    '</script>'\n")
    page = viz.compile_stages(tricky).to_html()
    assert not re.search(r"(src|href)=|https?://", page)
    assert page.count("</script>") == 2, "text of the kernel must not end the script"
    content = re.search(r'id="content">(.*?)</script>', page, re.DOTALL)
    assert content and json.loads(content[1])["compiled"]["sm_90"]["source"] == tricky.source
    assert "const widget =" in page and "export default" not in page


def test_it_displays_as_a_widget_with_its_summary_as_text(compiled):
    widget = viz.compile_stages(compiled)
    displayed = widget._repr_mimebundle_()
    assert displayed is not None
    bundle, _ = displayed
    assert bundle["text/plain"] == widget.summary
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_bad_input_is_refused_in_a_sentence(compiled):
    with pytest.raises(ValueError, match="there is nothing to show"):
        viz.compile_stages([])
    with pytest.raises(ValueError, match=r"same target \(sm_90, sm_90\): give a dict that names each"):
        viz.compile_stages([compiled, compiled])
    short = variant(compiled, line_map={**compiled.line_map, "ptx": [0]})
    with pytest.raises(ValueError, match=r"line_map\['ptx'\] of sm_90 must have an entry for each of the stage's 4"):
        viz.compile_stages(short)
