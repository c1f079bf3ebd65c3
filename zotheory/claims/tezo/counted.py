"""Claims counted on the estimators themselves: Table 2, momentum, memory."""

from __future__ import annotations

from zotheory.vocabulary import Claim, Kind, Statement

PENDING = "counted on the estimators, which this version does not have yet"


def _pending(id: str, where: str, says: str, *needs: Kind) -> Claim:
    return Claim(id, where, Statement(says), needs or (Kind.COUNTED,), pending=PENDING)


TABLE2 = (
    _pending(
        "tezo.table2.mezo",
        "Table 2",
        "MeZO draws m n T distinct random numbers for one m x n weight in T steps.",
    ),
    _pending("tezo.table2.subzo", "Table 2", "SubZO with update interval 1 draws (m+n+r) r T."),
    _pending("tezo.table2.lozo", "Table 2", "LOZO with update interval 1 draws (m+n) r T."),
    _pending("tezo.table2.tezo", "Table 2", "TeZO draws (m+n+T) r."),
)

STATE = (
    _pending(
        "tezo.momentum.exact",
        "Sec. 4.3, TeZO-m",
        "Momentum kept on kappa_t tau_t and expanded with u, v equals dense momentum of kappa_t "
        "Z_t, exactly, at every step.",
        Kind.EXACT,
        Kind.COUNTED,
    ),
    _pending(
        "tezo.memory.adam_share",
        "abstract, Fig. 3a, Table 7",
        "For OPT-13B at 16 bits, weights plus optimiser state of TeZO-Adam are 30% to 40% of "
        "MeZO-Adam's.",
    ),
    _pending(
        "tezo.memory.adam_below_mezo",
        "abstract",
        "For OPT-13B, the peak of weights plus state plus temporaries of TeZO-Adam is below "
        "MeZO-SGD's (Table 7: 26.01 G against 26.43 G). Count it for the paper's step, where a "
        "whole perturbed layer's noise is formed at once, and for ours.",
    ),
)
