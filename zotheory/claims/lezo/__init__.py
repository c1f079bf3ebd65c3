"""LeZO: Simultaneous Computation and Memory Efficient Zeroth-Order Optimizer, claim by claim."""

from zotheory.claims.lezo import descent, memory, smoothing

CLAIMS = (*smoothing.CLAIMS, *descent.CLAIMS, *memory.CLAIMS)
