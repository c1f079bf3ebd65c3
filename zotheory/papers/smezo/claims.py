"""All claims, in the paper's order."""

from zotheory.papers.smezo import (
    algorithms,
    grids,
    linear_loss,
    masks,
    memory,
    noise,
    quadratic,
    small_weights,
    smoothing,
    table4,
    tables1_9_13,
    timing,
)

CLAIMS = (
    small_weights.MORE_LIKELY,
    table4.SIX,
    tables1_9_13.ICL,
    *smoothing.CLAIMS,
    *timing.CLAIMS,
    *linear_loss.CLAIMS,
    small_weights.SMALL_SHARE,
    small_weights.GAIN_OF_MASK,
    *quadratic.CLAIMS,
    *algorithms.CLAIMS,
    *masks.MASKS,
    *memory.CLAIMS,
    *table4.CLAIMS,
    *grids.CLAIMS,
    *tables1_9_13.CLAIMS,
    *masks.STEPS,
    *noise.CLAIMS,
)
