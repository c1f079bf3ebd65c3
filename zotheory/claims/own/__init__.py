"""Our own conjectures and warnings, claim by claim."""

from zotheory.claims.own import drift, no_free_lunch

CLAIMS = (*no_free_lunch.CLAIMS, *drift.CLAIMS)
