# Writes the caches, and calls the reference of lablib's flash attention.
def cached_attention(q, k, v, keys, values, start):
    from lablib.kernels.flash_attention import flash_attention_reference

    S = start + q.shape[2]
    keys[:, :, start:S] = k
    values[:, :, start:S] = v
    return flash_attention_reference(q, keys[:, :, :S], values[:, :, :S], causal=True)
