"""All claims, in the paper's order."""

from zotheory.papers.smezo import masks, memory, noise, smoothing

CLAIMS = (*smoothing.CLAIMS, *masks.MASKS, *memory.CLAIMS, *masks.STEPS, *noise.CLAIMS)
