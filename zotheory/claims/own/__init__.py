"""Our own conjectures and warnings, claim by claim."""

from zotheory.claims.own import drift, held_out, no_free_lunch, query_limit

CLAIMS = (
    *no_free_lunch.CLAIMS,
    *query_limit.CLAIMS,
    *held_out.CLAIMS,
    *drift.CLAIMS,
)
