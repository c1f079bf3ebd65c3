"""Entries of the timed claims, judged by their own checks on made-up seconds."""

from __future__ import annotations

import numpy as np
import pytest

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.judge import judge
from zotheory.ledger import Entry
from zotheory.papers import select
from zotheory.papers.lezo import timing

CLAIMS = ("lezo.fig2.half", "lezo.fig5.amdahl", "lezo.fig6.length")
FORWARD, STEPS = 1.0, {timing.PUBLISHED: (5.0, 3.2), timing.OURS: (3.0, 2.5)}

NOISE = {timing.PUBLISHED: 4.0, timing.OURS: 2.0}


def entries() -> list[Entry]:
    """One entry a claim: steps of 5 s and 3.2 s in the published loop, a pass of 1 s."""
    rng = np.random.default_rng(0)

    def seconds(value: float) -> np.ndarray:
        return value * rng.normal(1, 0.02, timing.SHORT_ROUNDS)

    prompts = {
        by: {
            timing.FORWARD: seconds(FORWARD),
            f"MeZO, {by}": seconds(mezo),
            f"LeZO, {by}": seconds(lezo),
        }
        for by, (mezo, lezo) in STEPS.items()
    }
    rows = {
        by: {
            length: {
                f"MeZO, {by}": seconds(more + length / 100),
                f"LeZO, {by}": seconds(1 + length / 100),
            }
            for length in timing.LENGTHS
        }
        for by, more in NOISE.items()
    }
    known = {"lezo.prompts": (prompts, 0.6), "lezo.rows": rows}
    context = Context("", 0, BUDGETS["quick"], None, "made up", None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "once", lambda what, context, measure: known[what])
        return [judge(claim, context) for claim in select(list(CLAIMS))]
