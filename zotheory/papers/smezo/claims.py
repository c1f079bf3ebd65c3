"""All claims, in the paper's order."""

from zotheory.papers.smezo import (
    algorithms,
    grids,
    linear_loss,
    masks,
    memory,
    noise,
    quadratic,
    smoothing,
    table1,
    table4,
    table10,
    table11,
    table12,
    table13,
)

CLAIMS = (
    table4.SIX,
    *table1.CLAIMS,
    *smoothing.CLAIMS,
    *linear_loss.CLAIMS,
    *quadratic.CLAIMS,
    *algorithms.CLAIMS,
    *masks.MASKS,
    *memory.CLAIMS,
    *table4.CLAIMS,
    *grids.CLAIMS,
    *table10.CLAIMS,
    *table11.CLAIMS,
    *table12.CLAIMS,
    *table13.CLAIMS,
    *masks.STEPS,
    *noise.CLAIMS,
)
