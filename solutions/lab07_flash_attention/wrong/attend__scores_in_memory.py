# Three kernels, and a buffer of S × S between them.
@triton.jit
def _scores_kernel(qkv_ptr, s_ptr, S, H, scale, D: tl.constexpr, BLOCK: tl.constexpr):
    head, columns = tl.program_id(2), tl.arange(0, D)
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    keys = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    q_offsets = (rows * 3 * H + head)[:, None] * D + columns[None, :]
    k_offsets = ((keys * 3 + 1) * H + head)[:, None] * D + columns[None, :]
    q = tl.load(qkv_ptr + q_offsets, mask=rows[:, None] < S, other=0.0)
    k = tl.load(qkv_ptr + k_offsets, mask=keys[:, None] < S, other=0.0)
    s = tl.where(keys[None, :] <= rows[:, None], tl.dot(q, k.T) * scale, float("-inf"))
    inside = (rows[:, None] < S) & (keys[None, :] < S)
    tl.store(s_ptr + (head * S + rows)[:, None] * S + keys[None, :], s, mask=inside)


@triton.jit
def _softmax_kernel(s_ptr, sink_ptr, lse_ptr, S, ROW: tl.constexpr):
    head, row, keys = tl.program_id(1), tl.program_id(0), tl.arange(0, ROW)
    s = tl.load(s_ptr + (head * S + row) * S + keys, mask=keys < S, other=float("-inf"))
    sink = tl.load(sink_ptr + head)
    m = tl.maximum(tl.max(s, axis=0), sink)
    lse = m + tl.log(tl.sum(tl.exp(s - m), axis=0) + tl.exp(sink - m))
    tl.store(lse_ptr + head * S + row, lse)
    tl.store(s_ptr + (head * S + row) * S + keys, tl.exp(s - lse), mask=keys < S)


@triton.jit
def _values_kernel(qkv_ptr, p_ptr, o_ptr, S, H, D: tl.constexpr, BLOCK: tl.constexpr):
    head, columns = tl.program_id(1), tl.arange(0, D)
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    o = tl.zeros((BLOCK, D), dtype=tl.float32)
    for n in range(0, S, BLOCK):
        keys = n + tl.arange(0, BLOCK)
        inside = (rows[:, None] < S) & (keys[None, :] < S)
        p = tl.load(p_ptr + (head * S + rows)[:, None] * S + keys[None, :], mask=inside, other=0.0)
        v_offsets = ((keys * 3 + 2) * H + head)[:, None] * D + columns[None, :]
        v = tl.load(qkv_ptr + v_offsets, mask=keys[:, None] < S, other=0.0)
        o = tl.dot(p.to(tl.float16), v, o)
    o_offsets = (rows * H + head)[:, None] * D + columns[None, :]
    tl.store(o_ptr + o_offsets, o.to(tl.float16), mask=rows[:, None] < S)


def attend(qkv, sink, BLOCK_M=32, BLOCK_N=32, num_warps=4, num_stages=2):
    S, _, H, D = qkv.shape
    o = torch.empty((S, H, D), dtype=qkv.dtype, device=qkv.device)
    lse = torch.empty((H, S), dtype=torch.float32, device=qkv.device)
    scores = torch.empty((H, S, S), dtype=torch.float32, device=qkv.device)
    blocks = triton.cdiv(S, BLOCK_M)
    _scores_kernel[(blocks, blocks, H)](qkv, scores, S, H, D**-0.5, D=D, BLOCK=BLOCK_M)
    _softmax_kernel[(S, H)](scores, sink, lse, S, ROW=triton.next_power_of_2(S))
    _values_kernel[(blocks, H)](qkv, scores, o, S, H, D=D, BLOCK=BLOCK_M)
    return o, lse
