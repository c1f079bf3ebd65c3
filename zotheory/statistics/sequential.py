"""Draw until decided, at a stated error."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from zotheory.montecarlo import Accumulator, MonteCarlo, Sampler
from zotheory.statistics.decisions import DEFAULT_ALPHA, Decision
from zotheory.statistics.intervals import check_alpha


def sequential(
    mc: MonteCarlo,
    name: str,
    sampler: Sampler,
    decide: Callable[..., Decision],
    *,
    max_shards: int,
    shard_size: int,
    first_look: int = 32,
    alpha: float = DEFAULT_ALPHA,
    fingerprint: str = "",
) -> Decision:
    """Judge a statement about the mean of `sampler`, drawing shards look by look.

    Look k = 0, 1, ... comes after n_k = min(first_look * 2^k, max_shards) shards and spends

        alpha_k = alpha / ((k + 1)(k + 2)),   sum over all k = alpha,

    so that a wrong verdict has probability at most alpha whichever look ends the run, and also
    when an inconclusive run is continued with a larger `max_shards`, provided that the first one
    was first_look * 2^k. Each look judges its own interval; those of earlier looks are dropped.

    Args:
        mc, name, sampler, shard_size, fingerprint: see `MonteCarlo.run`.
        decide: one of the `decide_*` with everything but shards and alpha filled in, called as
            `decide(shards, alpha=alpha_k)`.
        max_shards: the budget; >= 1.
        first_look: shards before the first look.
        alpha: error probability of the whole procedure.

    Returns the first decision that is not inconclusive, or the last one, with the total alpha.

    Example:
        >>> judge = partial(decide_equal, method=Catoni(variance=2.0), target=1.0, tolerance=0.02)
        >>> sequential(mc, "chi2.mean", square, judge, max_shards=1024, shard_size=1000).verdict
        'confirmed'
    """
    check_alpha(alpha)
    if max_shards < 1 or first_look < 1:
        raise ValueError(f"max_shards {max_shards} and first_look {first_look} must be at least 1")
    shards: list[Accumulator] = []
    for look, size in enumerate(_looks(first_look, max_shards)):
        new = range(len(shards), size)
        shards += mc.run(name, sampler, new, shard_size, fingerprint)
        decision = decide(shards, alpha=alpha / ((look + 1) * (look + 2)))
        if decision.verdict != "inconclusive":
            break
    return replace(decision, alpha=alpha, looks=look + 1)


def _looks(first: int, last: int) -> Iterator[int]:
    """first, 2 first, 4 first, ... as long as below `last`, then `last`."""
    size = first
    while size < last:
        yield size
        size *= 2
    yield last
