"""Table 4 and Sec. 4.3: the greedy strategy on Llama2-7B and OPT-13B."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import sympy as sp

from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.counted import counted
from zotheory.evidence.instruments import Passes
from zotheory.evidence.printed import printed
from zotheory.evidence.tables import Table
from zotheory.papers.prior.pairs import ordered, pairs
from zotheory.papers.prior.selection import recipe
from zotheory.papers.prior.table2 import TABLE2
from zotheory.papers.prior.table3 import TABLE3
from zotheory.papers.shared.estimates import Recipe, zeros
from zotheory.papers.shared.parts import parts
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE4 = Table.read(Path(__file__).parent / "tables" / "table4.csv")
MODELS = ("Llama2-7B", "OPT-13B")
TASKS = TABLE4.columns
M = sp.Symbol("M", integer=True, positive=True)
GREEDY, MEZO = (
    sp.Symbol(f"forward passes of a {name} step", integer=True, positive=True)
    for name in ("MeZO-Greedy (LoRA)", "MeZO (LoRA)")
)
LORA = {"lora_A": (8, 24), "lora_B": (16, 8)}  # passes depend on no shape
SETTING = Setting(paper="Llama2-7B and OPT-13B, WIC, RTE and BoolQ (Table 4)")

_MEZO_LORA = TABLE4.row("OPT-13B MeZO (LoRA)")
_GV = (  # GV's row for each of Table 4's greedy ones
    (TABLE3, "MeZO-GV-10k", "Llama2-7B MeZO-Greedy"),
    (TABLE3, "MeZO-GV-10k(LoRA)", "Llama2-7B MeZO-Greedy (LoRA)"),
    (TABLE2, "MeZO-GV(FT)", "OPT-13B MeZO-Greedy"),
    (TABLE2, "MeZO-GV(LoRA)", "OPT-13B MeZO-Greedy (LoRA)"),
)
_AGAINST_GREEDY = [(table[row, t], TABLE4[greedy, t]) for table, row, greedy in _GV for t in TASKS]
_GV_AHEAD = [
    TABLE3["MeZO-GV-10k", "RTE"],
    TABLE3["MeZO-GV-10k(LoRA)", "RTE"],
    TABLE2["MeZO-GV(FT)", "RTE"],
]
_WITH_LORA = pairs(TABLE4, [(f"{m} MeZO-Greedy (LoRA)", f"{m} MeZO-Greedy") for m in MODELS], TASKS)
_BELOW_WITH_LORA = [TABLE4["Llama2-7B MeZO-Greedy (LoRA)", t] for t in ("WIC", "BoolQ")]


def _passes(_: Statement, __: Context) -> Iterator[Case]:
    """One step of each on LoRA's two factors, by the estimators, at the paper's two M."""
    plain = _made(Recipe("mezo"))
    for candidates in (2, 4):
        made = _made(recipe("greedy", candidates))
        yield Case({"M": candidates}, {M: candidates, GREEDY: made, MEZO: plain})


def _made(method: Recipe) -> int:
    closure = Passes()
    method.build(zeros(LORA)).step(closure)
    return closure.made


CLAIMS = (
    Claim(
        id="prior.table4.lora_base",
        where="Table 4, Table 2",
        statement=Statement(
            "The OPT-13B row MeZO (LoRA) of Table 4 (WIC, RTE, BoolQ) agrees with the row "
            "MeZO(LoRA) of Table 2.",
            conjunction(*map(sp.Eq, _MEZO_LORA, TABLE2.row("MeZO(LoRA)", TASKS))),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE2, TABLE4),),
        correction=Statement(
            "It agrees with the row SubZero(FT) of Table 2: another method, without LoRA.",
            conjunction(*map(sp.Eq, _MEZO_LORA, TABLE2.row("SubZero(FT)", TASKS))),
        ),
        setting=Setting(paper="OPT-13B, WIC, RTE and BoolQ (Tables 2 and 4)"),
    ),
    Claim(
        id="prior.table4.gv_against_greedy",
        where="Sec. 5 (ZO-GV achieves the best performance), Tables 2, 3, 4",
        statement=Statement(
            "In each of the twelve cells (WIC, RTE, BoolQ; Llama2-7B and OPT-13B; full and LoRA) "
            "MeZO-GV's accuracy of Table 2 or 3 (10k steps for Llama2) is at least MeZO-Greedy's "
            "of Table 4.",
            ordered(sp.Ge, _AGAINST_GREEDY),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE2, TABLE3, TABLE4),),
        correction=Statement(
            "It is in three of the twelve, all of them RTE; in the other nine MeZO-Greedy's is "
            "above.",
            ordered(sp.Ge, _AGAINST_GREEDY, but={gv for gv, _ in _AGAINST_GREEDY} - {*_GV_AHEAD}),
        ),
        setting=Setting(
            paper="the gradient-aligned ratio that Sec. 5 compares (Table 5)",
            judged="accuracies of Llama2-7B and OPT-13B (Tables 2 to 4)",
        ),
    ),
    Claim(
        id="prior.table4.lora",
        where="Sec. 4.3, Table 4",
        statement=Statement(
            "In all six pairs of Table 4 MeZO-Greedy (LoRA) is at least as accurate as MeZO-Greedy "
            "(maintain or enhance accuracy), and its step makes no more forward passes than a "
            "MeZO (LoRA) step (reducing computational costs).",
            conjunction(ordered(sp.Ge, _WITH_LORA), sp.Le(GREEDY, MEZO)),
        ),
        needs=(Kind.COUNTED, Kind.PRINTED),
        checks=parts(
            (TABLE4.numbers.keys(), printed(TABLE4)),
            ({GREEDY, MEZO, M}, counted(_passes)),
        ),
        correction=Statement(
            "It is in four of the six pairs, not for Llama2-7B on WIC and BoolQ, and its step "
            "makes M + 2 forward passes, where MeZO's makes 2.",
            conjunction(ordered(sp.Ge, _WITH_LORA, but=_BELOW_WITH_LORA), sp.Eq(GREEDY - MEZO, M)),
        ),
        setting=SETTING,
    ),
)
