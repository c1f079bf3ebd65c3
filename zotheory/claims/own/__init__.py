"""Our own conjectures and warnings, claim by claim."""

from zotheory.claims.own import drift

CLAIMS = (*drift.CLAIMS,)
