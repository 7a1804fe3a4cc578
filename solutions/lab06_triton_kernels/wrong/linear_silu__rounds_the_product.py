# Rounds the product to float16 before the epilogue.
@triton.jit
def _linear_silu_kernel(
    x_ptr, w_ptr, bias_ptr, residual_ptr, y_ptr, M, N, K,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    rows = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for k in range(0, K, BLOCK_K):
        inner = k + tl.arange(0, BLOCK_K)
        x_inside = (rows[:, None] < M) & (inner[None, :] < K)
        w_inside = (columns[None, :] < N) & (inner[:, None] < K)
        x_tile = tl.load(x_ptr + rows[:, None] * K + inner[None, :], mask=x_inside, other=0.0)
        w_tile = tl.load(w_ptr + columns[None, :] * K + inner[:, None], mask=w_inside, other=0.0)
        acc = tl.dot(x_tile, w_tile, acc)
    offsets = rows[:, None] * N + columns[None, :]
    inside = (rows[:, None] < M) & (columns[None, :] < N)
    v = acc.to(tl.float16).to(tl.float32) + tl.load(bias_ptr + columns, mask=columns < N, other=0.0).to(tl.float32)[None, :]
    v = v / (1.0 + tl.exp(-v))
    v += tl.load(residual_ptr + offsets, mask=inside, other=0.0).to(tl.float32)
    tl.store(y_ptr + offsets, v.to(tl.float16), mask=inside)


def linear_silu(x, w, bias, residual):
    (M, K), N = x.shape, w.shape[0]
    y = torch.empty((M, N), dtype=x.dtype, device=x.device)
    grid = (triton.cdiv(M, 32), triton.cdiv(N, 32))
    _linear_silu_kernel[grid](x, w, bias, residual, y, M, N, K, BLOCK_M=32, BLOCK_N=32, BLOCK_K=32)
    return y
