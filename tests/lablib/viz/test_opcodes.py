from __future__ import annotations

import pytest

from lablib.viz.opcodes import KINDS, kind_of_line, kind_of_opcode

OPCODES = {
    "matrix": "HMMA IMMA DMMA HGMMA IGMMA QGMMA UTCHMMA UTCQMMA",
    "global": "LDG STG LDGSTS UTMALDG UTMASTG RED ATOMG",
    "shared": "LDS STS LDSM STSM ATOMS LDTM STTM",
    "spill": "LDL STL",
    "barrier": "BAR DEPBAR LDGDEPBAR SYNCS WARPGROUP MEMBAR",
    "special": "MUFU",
    "": "IMAD LOP3 LEA LDC REDUX S2R EXIT UMOV",
}


@pytest.mark.parametrize(("kind", "opcode"), [(kind, op) for kind, ops in OPCODES.items() for op in ops.split()])
def test_opcodes_of_sass(kind, opcode):
    assert kind_of_opcode(opcode) == kind


@pytest.mark.parametrize(
    ("stage", "line", "kind"),
    [
        ("sass", "        /*0ae0*/                   IMAD R4, R4, 0x2, RZ ;", ""),
        ("sass", "        /*0af0*/              @!P0 LDGSTS.E.128 [R50], desc[UR4][R4.64] ;", "global"),
        ("sass", "        /*1950*/                   HGMMA.64x128x16.F32 R24, gdesc[UR12], R24 ;", "matrix"),
        ("ptx", "    @%p3 mbarrier.init.shared::cta.b64 [%r253], 1;", "barrier"),
        ("ptx", "    wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {%f1}, %rd1, 1;", "matrix"),
        ("ptx", "    wgmma.wait_group.sync.aligned 0;", "barrier"),
        ("ptx", "    cp.async.cg.shared.global [ %r1 + 0 ], [ %rd5 + 0 ], 0x10;", "global"),
        ("ptx", "    cp.async.commit_group;", "barrier"),
        ("ptx", "    st.shared.v4.b32 [%r1], {%r2};", "shared"),
        ("ptx", "    st.local.b32 [%rd1], %r2;", "spill"),
        ("ptx", "    ex2.approx.f32 %f2, %f1;", "special"),
        ("ptx", "    // begin inline asm: ld.global", ""),
        ("llir", "  %9 = call i32 asm \"ld.global.b32 $0, [$1];\", \"=r\"(ptr addrspace(1) %3)", "global"),
        ("llir", "  %9 = load <4 x i32>, ptr addrspace(3) %3, align 16", "shared"),
        ("llir", "  tail call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)", "barrier"),
        ("llir", "declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)", ""),
        ("ttgir", "%d = ttng.warp_group_dot %a, %b, %acc {inputPrecision = 0 : i32}", "matrix"),
        ("ttgir", "%d:3 = ttng.warp_group_dot_wait %x, %a, %b {pendings = 0 : i32}", "barrier"),
        ("ttgir", "%t = ttg.async_copy_global_to_local %p, %b mask %m", "global"),
        ("ttir", "%e = math.exp %x : tensor<128xf32>", "special"),
        ("ttir", "tt.store %p, %x, %mask : tensor<128x!tt.ptr<f32>>", "global"),
        ("cuasm", "LDG R1", ""),
    ],
)  # fmt: skip
def test_lines_of_stages(stage, line, kind):
    assert kind_of_line(stage, line) == kind
    assert kind in ("", *KINDS)
