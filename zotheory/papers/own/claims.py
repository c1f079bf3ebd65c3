"""All claims."""

from zotheory.papers.own import (
    adam_error,
    drift,
    forward,
    gv_break_even,
    gv_memory,
    gv_reseeding,
    gv_scale,
    held_out,
    layers,
    no_free_lunch,
    query_limit,
    svd0_threshold,
    table14_noise,
    tezo_floor,
    two_candidates,
    value_projections,
)

CLAIMS = (
    *no_free_lunch.CLAIMS,
    *query_limit.CLAIMS,
    *held_out.CLAIMS,
    *tezo_floor.CLAIMS,
    *adam_error.CLAIMS,
    *svd0_threshold.CLAIMS,
    *table14_noise.CLAIMS,
    *forward.CLAIMS,
    *gv_break_even.CLAIMS,
    *drift.CLAIMS,
    *gv_reseeding.CLAIMS,
    *two_candidates.CLAIMS,
    *layers.CLAIMS,
    *value_projections.CLAIMS,
    *gv_scale.CLAIMS,
    *gv_memory.CLAIMS,
)
