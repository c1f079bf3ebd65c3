"""All claims, in the paper's order."""

from zotheory.papers.svd0 import (
    algorithm1,
    algorithm3,
    comparisons,
    convergence,
    estimate,
    frames,
    smoothing,
    timing,
)

CLAIMS = (
    estimate.LEMMA3,
    smoothing.LEMMA2,
    smoothing.LEMMA8,
    estimate.LEMMA9,
    *estimate.THEOREM2,
    smoothing.LEMMA11,
    convergence.LEMMA12,
    frames.LEMMA14,
    *frames.LEMMA15,
    frames.LEMMA16,
    algorithm1.LEMMA16,
    *algorithm1.BETTER,
    *comparisons.CLAIMS,
    *convergence.STEPS16_23,
    *algorithm3.CLAIMS,
    *timing.CLAIMS,
)
