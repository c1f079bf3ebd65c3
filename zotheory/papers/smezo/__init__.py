"""Sparse MeZO: Less Parameters for Better Performance in Zeroth-Order Tuning, claim by claim."""

from zotheory.papers.smezo import masks, memory, noise, smoothing

CLAIMS = (*smoothing.CLAIMS, *masks.MASKS, *memory.CLAIMS, *masks.STEPS, *noise.CLAIMS)
