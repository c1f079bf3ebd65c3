"""All claims, in the paper's order."""

from zotheory.papers.tezo import (
    counted,
    layers,
    lemma1,
    operations,
    rank_bound,
    second_moment,
    table6,
    table9,
    tables3_4_5,
    tables7_8,
    theorem1,
    theorem2,
    theorem2_redrawn,
)

CLAIMS = (
    *theorem1.CLAIMS,
    *lemma1.CLAIMS,
    *theorem2.CLAIMS,
    *theorem2_redrawn.CLAIMS,
    *counted.TABLE2,
    *rank_bound.CLAIMS,
    *second_moment.CLAIMS,
    *counted.STATE,
    *layers.CLAIMS,
    *tables3_4_5.CLAIMS,
    *table6.CLAIMS,
    *tables7_8.CLAIMS,
    *operations.CLAIMS,
    *table9.CLAIMS,
)
