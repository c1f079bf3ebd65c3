"""All claims, in the paper's order."""

from zotheory.papers.lezo import (
    descent,
    memory,
    parameters,
    proof_lines,
    smoothing,
    sparsity_rate,
    table4,
    table5,
    tables1_2_3,
    timing,
)

CLAIMS = (
    *smoothing.CLAIMS,
    *proof_lines.CLAIMS,
    *descent.CLAIMS,
    *sparsity_rate.CLAIMS,
    *tables1_2_3.CLAIMS,
    *table4.CLAIMS,
    *timing.CLAIMS,
    *memory.CLAIMS,
    *parameters.CLAIMS,
    *table5.CLAIMS,
)
