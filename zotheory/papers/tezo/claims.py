"""All claims, in the paper's order."""

from zotheory.papers.tezo import (
    counted,
    layers,
    lemma1,
    rank_bound,
    second_moment,
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
)
