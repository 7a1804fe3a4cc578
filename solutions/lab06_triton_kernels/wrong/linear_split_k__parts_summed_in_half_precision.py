# Adds the parts in float16.
@triton.jit
def _partial_kernel(x_ptr, w_ptr, part_ptr, M, N, K, part_length, BLOCK: tl.constexpr):
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    part = tl.program_id(2)
    start = part * part_length
    end = tl.minimum(start + part_length, K)
    acc = tl.zeros((BLOCK, BLOCK), dtype=tl.float32)
    for k in range(start, end, BLOCK):
        inner = k + tl.arange(0, BLOCK)
        x_inside = (rows[:, None] < M) & (inner[None, :] < end)
        w_inside = (columns[None, :] < N) & (inner[:, None] < end)
        x_tile = tl.load(x_ptr + rows[:, None] * K + inner[None, :], mask=x_inside, other=0.0)
        w_tile = tl.load(w_ptr + columns[None, :] * K + inner[:, None], mask=w_inside, other=0.0)
        acc = tl.dot(x_tile, w_tile, acc)
    inside = (rows[:, None] < M) & (columns[None, :] < N)
    tl.store(part_ptr + part * M * N + rows[:, None] * N + columns[None, :], acc, mask=inside)


@triton.jit
def _sum_parts_kernel(part_ptr, y_ptr, count, splits, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < count
    acc = tl.zeros((BLOCK,), dtype=tl.float16)
    for split in range(0, splits):
        acc += tl.load(part_ptr + split * count + offsets, mask=inside, other=0.0).to(tl.float16)
    tl.store(y_ptr + offsets, acc, mask=inside)


def linear_split_k(x, w, splits):
    (M, K), N = x.shape, w.shape[0]
    y = torch.empty((M, N), dtype=x.dtype, device=x.device)
    parts = torch.empty((splits, M, N), dtype=torch.float32, device=x.device)
    steps = triton.cdiv(triton.cdiv(K, 32), splits)
    grid = (triton.cdiv(M, 32), triton.cdiv(N, 32), splits)
    _partial_kernel[grid](x, w, parts, M, N, K, steps * 32, BLOCK=32)
    _sum_parts_kernel[(triton.cdiv(M * N, 512),)](parts, y, M * N, splits, BLOCK=512)
    return y
