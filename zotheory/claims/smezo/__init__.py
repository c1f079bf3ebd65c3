"""Sparse MeZO: Less Parameters for Better Performance in Zeroth-Order Tuning, claim by claim."""

from zotheory.claims.smezo import memory

CLAIMS = (*memory.CLAIMS,)
