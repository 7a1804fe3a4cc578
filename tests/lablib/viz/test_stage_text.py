from __future__ import annotations

from lablib.viz.stage_text import readable


def test_location_lines_go_and_line_numbers_stay(compiled):
    assert readable("sass", compiled.stages["sass"]) == [
        (0, "        .headerflags @EF_CUDA_SM90"),
        (2, "/*0000*/  LDG.E.128 R4, desc[UR4][R2.64] ;"),
        (3, "/*0010*/  IMAD R0, R4, R5, RZ ;"),
        (5, "/*0020*/  @!P0 STG.E.128 desc[UR4][R2.64], R4 ;"),
        (6, "/*0030*/  EXIT ;"),
    ]
    assert [index for index, _ in readable("ttir", compiled.stages["ttir"])] == [0, 1]


def test_ptx_ends_where_its_debug_sections_begin(compiled):
    assert readable("ptx", compiled.stages["ptx"]) == [(1, "    ld.global.v4.b32 { %r1 }, [ %rd1 + 0 ];")]


def test_llvm_loses_its_debug_notes_only():
    text = "  %1 = add i32 %0, 1, !dbg !20\n!20 = !DILocation(line: 3, scope: !5)\ndefine void @k() !dbg !5 {"
    assert readable("llir", text) == [(0, "  %1 = add i32 %0, 1"), (2, "define void @k() {")]


def test_an_unknown_stage_is_left_whole():
    assert readable("amdgcn", "v_add v0\n; note") == [(0, "v_add v0"), (1, "; note")]
