"""Entries of the timed claims, judged by their own checks on made-up seconds."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

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

    def seconds(value: float) -> list[float]:
        return (value * rng.normal(1, 0.02, timing.MOST)).tolist()

    known = {
        timing.PROMPTS[by]: {
            timing.FORWARD: seconds(FORWARD),
            timing.MEZO: seconds(mezo),
            timing.LEZO: seconds(lezo),
        }
        for by, (mezo, lezo) in STEPS.items()
    }
    known |= {
        timing.ROWS[by]: {
            f"{name} at {length}": seconds(base + length / 100)
            for length in timing.LENGTHS
            for name, base in ((timing.MEZO, more), (timing.LEZO, 1))
        }
        for by, more in NOISE.items()
    }
    with TemporaryDirectory() as scratch, pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "once", lambda *_: 0.6)
        folder = Path(scratch) / "rounds"
        folder.mkdir()
        for rounds, taken in known.items():
            (folder / f"{rounds.name}.json").write_text(json.dumps(taken))
        context = Context("", 0, BUDGETS["quick"], None, "made up", Path(scratch))
        return [judge(claim, context) for claim in select(list(CLAIMS))]
