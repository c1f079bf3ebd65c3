"""All claims, in the order in which the papers are listed."""

from zotheory.papers.cross import opt13b, zero_shot

CLAIMS = (*opt13b.CLAIMS, *zero_shot.CLAIMS)
