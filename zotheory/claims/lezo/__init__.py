"""LeZO: Simultaneous Computation and Memory Efficient Zeroth-Order Optimizer, claim by claim."""

from zotheory.claims.lezo import memory

CLAIMS = (*memory.CLAIMS,)
