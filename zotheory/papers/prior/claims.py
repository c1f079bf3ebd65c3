"""All claims, in the paper's order."""

from zotheory.papers.prior import (
    comparison,
    estimate,
    lemma1,
    lemma3,
    lemma4,
    table1,
    table2,
    table3,
    table4,
    table7,
    tables9_11,
    three_rounds,
)

CLAIMS = (
    *estimate.EQUATION2,
    *table1.CONSISTENTLY,
    *table1.GAINS,
    *table2.BEST_ROWS,
    *table2.TEXT,
    *three_rounds.CLAIMS,
    *table3.CLAIMS,
    *table4.CLAIMS,
    *lemma1.CLAIMS,
    *estimate.LEMMA2,
    *lemma3.CLAIMS,
    *lemma4.CLAIMS,
    *comparison.TABLE5,
    *lemma3.STEPS,
    *comparison.STEPS,
    *comparison.COST,
    *lemma4.DIRECTION,
    *table7.CLAIMS,
    *tables9_11.CLAIMS,
)
