# lablib's backward pass, which knows no cap.
def grad_queries(q, k, v, o, lse, do, cap, BLOCK=32, num_warps=4):
    from lablib.kernels.flash_attention_backward import flash_attention_gradients

    H, S, D = q.shape
    wide = torch.zeros(5, 1, H, S, 64, dtype=q.dtype, device=q.device)
    wide[:, 0, :, :, :D] = torch.stack([q, k, v, o, do])
    rows = torch.zeros(1, H, triton.cdiv(S, 4) * 4, device=q.device)[:, :, :S]
    rows[0] = lse * 1.4426950408889634
    dq, _, _ = flash_attention_gradients(*wide[:4], rows, wide[4], False, None, D**-0.5)
    return dq[0, :, :, :D].contiguous(), (o.float() * do.float()).sum(dim=2)
