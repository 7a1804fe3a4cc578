# A program owns queries, walks along the keys, and adds to what other programs add to.
@triton.jit
def _grad_keys_kernel(
    q_ptr, k_ptr, v_ptr, lse_ptr, delta_ptr, do_ptr, dk_ptr, dv_ptr, S, scale, cap,
    D: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    head = tl.program_id(1)
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    columns = tl.arange(0, D)
    inside = rows < S
    q_offsets = (head * S + rows)[:, None] * D + columns[None, :]
    q = tl.load(q_ptr + q_offsets, mask=inside[:, None], other=0.0)
    do = tl.load(do_ptr + q_offsets, mask=inside[:, None], other=0.0)
    lse = tl.load(lse_ptr + head * S + rows, mask=inside, other=0.0)
    delta = tl.load(delta_ptr + head * S + rows, mask=inside, other=0.0)
    for n in range(0, S, BLOCK):
        keys = n + tl.arange(0, BLOCK)
        offsets = (head * S + keys)[:, None] * D + columns[None, :]
        k = tl.load(k_ptr + offsets, mask=keys[:, None] < S, other=0.0)
        v = tl.load(v_ptr + offsets, mask=keys[:, None] < S, other=0.0)
        t = tanh(tl.dot(k, q.T, input_precision="ieee") * (scale / cap))
        p = tl.exp(cap * t - lse[None, :])
        ds = p * (tl.dot(v, do.T, input_precision="ieee") - delta[None, :]) * (1.0 - t * t)
        dv = tl.dot(p.to(do.dtype), do, input_precision="ieee")
        dk = tl.dot(ds.to(q.dtype), q, input_precision="ieee") * scale
        tl.atomic_add(dv_ptr + offsets, dv.to(dv_ptr.dtype.element_ty), mask=keys[:, None] < S)
        tl.atomic_add(dk_ptr + offsets, dk.to(dk_ptr.dtype.element_ty), mask=keys[:, None] < S)


def grad_keys(q, k, v, lse, delta, do, cap, BLOCK=32, num_warps=4):
    H, S, D = q.shape
    dk, dv = torch.zeros_like(k), torch.zeros_like(v)
    _grad_keys_kernel[(triton.cdiv(S, BLOCK), H)](
        q, k, v, lse, delta, do, dk, dv, S, D**-0.5, cap, D=D, BLOCK=BLOCK, num_warps=num_warps
    )
    return dk, dv
