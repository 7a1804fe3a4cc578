"""Which calls draw random numbers, and which seed them."""

from __future__ import annotations

TORCH_DRAWS = frozenset(
    f"torch.{name}"
    for name in (
        "bernoulli", "multinomial", "normal", "poisson", "rand", "rand_like", "randint", "randint_like", "randn",
        "randn_like", "randperm",
    )
)  # fmt: skip
IN_PLACE_DRAWS = frozenset(
    {"bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "normal_", "random_", "uniform_"}
)
"""Methods of a tensor."""
SEEDS = frozenset({
    "lablib.device.seed", "numpy.random.seed", "random.seed", "torch.cuda.manual_seed", "torch.cuda.manual_seed_all",
    "torch.manual_seed", "torch.random.manual_seed",
})  # fmt: skip


def is_draw(dotted: str) -> bool:
    """Whether the full name is that of a source of random numbers other than `check.rng`.

    Examples
    --------
    >>> is_draw("numpy.random.default_rng"), is_draw("torch.manual_seed")
    (True, False)
    """
    from_a_module = dotted.startswith(("numpy.random.", "random.", "secrets.")) and dotted not in SEEDS
    return from_a_module or dotted in TORCH_DRAWS
