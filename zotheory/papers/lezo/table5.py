"""Table 5: what training costs by its hyperparameters, and the grids of learning rates."""

from __future__ import annotations

from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import printed
from zotheory.evidence.tables import Table
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE5 = Table.read(Path(__file__).parent / "tables" / "table5.csv")

COST = sp.Symbol("passes of MeZO / passes of FT", positive=True)
SENTENCES = 1_000  # that FT is trained on, in the setting that the paper follows
ZO_PASSES, FO_PASSES = 2, 3  # by sentence and step; a backward pass is as dear as two forward ones
DOUBLED = 2  # perturbing and updating take as long as MeZO's forward passes

# The rows of Table 5 with learning rates, and the method of MeZO that each is compared with. The
# first rate of MeZO's grid with a prefix for SQuAD is garbled: what is legible is the smaller.
GRIDS = {
    "OPT-13B": (
        ("LeZO: learning rate (OPT-13B and OPT-30B)",),
        ("MeZO: learning rate", "MeZO: learning rate (RTE and SQuAD)"),
    ),
    "LoRA": (
        ("LeZO (LoRA): learning rate",),
        ("MeZO (LoRA): learning rate", "MeZO (LoRA): learning rate (SQuAD)"),
    ),
    "prefix": (
        ("LeZO (prefix): learning rate",),
        ("MeZO (prefix): learning rate", "MeZO (prefix): learning rate (SQuAD)"),
    ),
}
LARGEST = {
    (name, method): sp.Symbol(f"largest learning rate of {method}, {name}", positive=True)
    for name in GRIDS
    for method in ("LeZO", "MeZO")
}


def _one(row: str) -> sp.Expr:
    """The only value that a row lists."""
    return TABLE5[row, TABLE5.columns[0]]


def _cost() -> sp.Expr:
    """Sentences passed through the model, MeZO's over FT's.

    MeZO's own batch size is garbled; the one with LoRA stands for it, which is every ZO row's.
    """
    zo = _one("ZO optimizers: steps") * _one("MeZO (LoRA): batch size") * ZO_PASSES * DOUBLED
    return zo / (_one("FT with Adam: epochs") * SENTENCES * FO_PASSES)


def _largest(rows: tuple[str, ...]) -> sp.Expr:
    return sp.Max(*(TABLE5[row, c] for row in rows for c in TABLE5.columns if TABLE5.has(row, c)))


QUANTITIES = {
    COST: _cost(),
    **{
        LARGEST[name, method]: _largest(rows)
        for name, grids in GRIDS.items()
        for method, rows in zip(("LeZO", "MeZO"), grids, strict=True)
    },
}
CHECK = printed(TABLE5, derive=lambda _: QUANTITIES)

CLAIMS = (
    Claim(
        id="lezo.sec32.hundreds",
        where="Sec. 3.2 ('hundreds or even thousands of times longer'), Table 5",
        statement=Statement(
            "By Table 5 (ZO 20K steps at batch 16, two forward passes each; FT 5 epochs at batch 8 "
            "over 1,000 sentences as in the setting that the paper follows, a backward pass "
            "counted as two forward ones), with perturbing and updating taken to double MeZO's "
            "cost, MeZO costs at least 100 times FT.",
            sp.Ge(COST, 100),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK.refutes("at 1,000 sentences"),),
        correction=Statement("It costs at least 85 times FT.", sp.Ge(COST, 85)),
        setting=Setting("fine-tuning of OPT models with MeZO and with Adam, 1,000 sentences"),
    ),
    Claim(
        id="lezo.appA.grids",
        where="App. A with Table 5",
        statement=Statement(
            "In Table 5 the largest learning rate of LeZO's grid exceeds the largest of MeZO's in "
            "each of: full parameters on OPT-13B, LoRA, prefix.",
            conjunction(*(sp.Gt(LARGEST[name, "LeZO"], LARGEST[name, "MeZO"]) for name in GRIDS)),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement(
            "For full parameters on OPT-13B they are the same, and with LoRA LeZO's is smaller.",
            conjunction(
                sp.Eq(LARGEST["OPT-13B", "LeZO"], LARGEST["OPT-13B", "MeZO"]),
                sp.Lt(LARGEST["LoRA", "LeZO"], LARGEST["LoRA", "MeZO"]),
            ),
        ),
        setting=Setting("grids for OPT-13B: all parameters, LoRA, prefix"),
    ),
)
