"""All claims, in the paper's order."""

from zotheory.papers.lezo import descent, memory, smoothing, timing

CLAIMS = (*smoothing.CLAIMS, *descent.CLAIMS, *timing.CLAIMS, *memory.CLAIMS)
