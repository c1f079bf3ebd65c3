"""LeZO: Simultaneous Computation and Memory Efficient Zeroth-Order Optimizer, claim by claim."""

from zotheory.papers.lezo import descent, memory, smoothing, timing

CLAIMS = (*smoothing.CLAIMS, *descent.CLAIMS, *timing.CLAIMS, *memory.CLAIMS)
