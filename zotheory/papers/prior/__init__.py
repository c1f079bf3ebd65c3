"""Prior-Driven Zeroth-Order Optimization (MeZO-GV and MeZO-Greedy), claim by claim."""

from zotheory.papers.prior import comparison, estimate, lemma1, lemma3, lemma4

CLAIMS = (
    *estimate.EQUATION2,
    *lemma1.CLAIMS,
    *estimate.LEMMA2,
    *lemma3.CLAIMS,
    *lemma4.CLAIMS,
    *comparison.TABLE5,
    *lemma3.STEPS,
    *comparison.STEPS,
    *comparison.COST,
    *lemma4.DIRECTION,
)
