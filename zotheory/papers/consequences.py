"""What follows for somebody who trains: the results that change what one does, and their grounds.

An advice stands where its claims are judged as it needs them; a ledger that says otherwise drops
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zotheory.ledger import Ledger
from zotheory.vocabulary import Verdict


@dataclass(frozen=True)
class Consequence:
    """An advice, and the claims it rests on: True for what has to hold, False for refuted."""

    advice: str
    grounds: Mapping[str, bool]

    def stands(self, ledger: Ledger) -> bool:
        """Whether the ledger judges every ground so."""
        known = {entry.id: entry.verdict for entry in ledger.claims}
        return all(
            id in known and (known[id].holds if holds else known[id] is Verdict.REFUTED)
            for id, holds in self.grounds.items()
        )


CONSEQUENCES = (
    Consequence(
        "Count forward passes, not steps. Per pass, averaging over several directions beats "
        "MeZO-GV and MeZO-Greedy, and so do one-sided differences round a shared point.",
        {"prior.cost.gv": False, "prior.cost.greedy": False, "own.gv_forward": True},
    ),
    Consequence(
        "Choose a low-rank method for its memory and its speed, not for a better direction: on one "
        "matrix every rotation-invariant direction has the squared cosine of MeZO's, a subspace "
        "from one MeZO gradient included.",
        {"own.no_free_lunch": True, "svd0.better_subspace": False, "svd0.table15.order": False},
    ),
    Consequence(
        "Draw TeZO's factors anew now and then. Drawn once, as in Algorithm 1, they leave a share "
        "1 - r/(mn) of a quadratic's gradient out of reach for good.",
        {"tezo.thm2.algorithm1": False, "own.tezo_floor": True},
    ),
    Consequence(
        "Leave layers out to save time on short inputs, not steps: the full gradient falls more "
        "slowly the fewer are kept.",
        {"lezo.fig2.half": True, "lezo.fig5.amdahl": True, "lezo.lemma3.full_gradient": False},
    ),
    Consequence(
        "Do not run pseudocode as printed: SVD-0's Algorithm 3 climbs, Sparse-MeZO's mask compares "
        "signed weights, and a guiding vector that is rebuilt by re-seeding each tensor is not the "
        "one that was evaluated.",
        {
            "svd0.alg3.as_printed": False,
            "smezo.alg3.magnitude": False,
            "own.gv_reseeding": True,
        },
    ),
    Consequence(
        "In 16 bits do not perturb by +eps, -2 eps, +eps in place: the weights drift by more than "
        "1% of their norm in a thousand steps that learn nothing.",
        {"own.drift": True, "own.drift_16bit": True},
    ),
    Consequence(
        "Ask how a baseline was tuned and how many seeds there are: the papers' rows of MeZO on "
        "OPT-13B differ by more than 3 points, grids differ in size between the methods compared, "
        "and few of the printed gains over MeZO are significant.",
        {
            "cross.mezo_opt13b": False,
            "prior.grid_sizes": False,
            "svd0.grid_sizes": False,
            "lezo.tables12.significance": False,
            "smezo.table12.significance": False,
        },
    ),
)


def standing(ledger: Ledger) -> list[Consequence]:
    """Those whose grounds the ledger confirms."""
    return [found for found in CONSEQUENCES if found.stands(ledger)]
