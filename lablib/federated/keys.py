"""What secure aggregation starts from: secrets that two clients share, and long masks from short secrets.

X25519 is a Diffie-Hellman key agreement: whoever has one private key and the other public key gets the same 32 bytes,
and who sees only the two public keys learns nothing of them. SHAKE-256 stretches 32 bytes into as many as are needed.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

__all__ = ["BYTES", "agree", "public_key", "stream"]

BYTES = 32
"""Of a private key, of a public key, and of a seed."""


def public_key(private: bytes) -> bytes:
    """The public key of a private key of 32 random bytes.

    Raises
    ------
    ValueError
        If the key does not have 32 bytes.
    """
    return _private(private).public_key().public_bytes_raw()


def agree(private: bytes, public: bytes) -> bytes:
    """The 32 bytes that a private key and another's public key have in common.

    Examples
    --------
    >>> a, b = bytes(range(32)), bytes(range(32, 64))
    >>> agree(a, public_key(b)) == agree(b, public_key(a))
    True
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    return _private(private).exchange(X25519PublicKey.from_public_bytes(_checked(public)))


def stream(seed: bytes, size: int) -> Tensor:
    """Pseudorandom words from a seed: int64, shape (size,), each from 0 to 2³² - 1.

    Examples
    --------
    >>> bool((stream(bytes(32), 5)[:3] == stream(bytes(32), 3)).all())
    True
    """
    words = hashlib.shake_256(_checked(seed)).digest(4 * size)
    return torch.from_numpy(np.frombuffer(words, dtype="<u4").astype(np.int64))


def _private(key: bytes):
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(_checked(key))


def _checked(key: bytes) -> bytes:
    if not isinstance(key, bytes) or len(key) != BYTES:
        shown = f"{len(key)} bytes" if isinstance(key, bytes) else f"a {type(key).__name__}"
        raise ValueError(f"Keys and seeds are {BYTES} bytes; this is {shown}.")
    return key
