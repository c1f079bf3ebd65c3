"""Prior-Driven Zeroth-Order Optimization (MeZO-GV and MeZO-Greedy), claim by claim."""

CLAIMS = ()
