"""All claims, in the paper's order."""

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
