# Calls lablib's device function of the same name.
from lablib.kernels.schedule import grouped_tile


@triton.jit
def _order_kernel(row_ptr, column_ptr, tiles_m, tiles_n, GROUP_M: tl.constexpr, BLOCK: tl.constexpr):
    lanes = tl.arange(0, BLOCK)
    inside = lanes < tiles_m * tiles_n
    row, column = grouped_tile(tl.minimum(lanes, tiles_m * tiles_n - 1), tiles_m, tiles_n, GROUP_M)
    tl.store(row_ptr + lanes, row, mask=inside)
    tl.store(column_ptr + lanes, column, mask=inside)


def program_order(tiles_m, tiles_n, GROUP_M):
    count = tiles_m * tiles_n
    row, column = (torch.empty(count, dtype=torch.int32, device=device.DEVICE) for _ in range(2))
    _order_kernel[(1,)](row, column, tiles_m, tiles_n, GROUP_M, BLOCK=triton.next_power_of_2(count))
    return row, column
