"""A paper of one's own, judged before it is sent: `zotheory verify examples/my_paper/claims.py`.

It averages q estimates <g, z> z. Its claims stand in its order: a lemma that is right, a corollary
that is off by one, and a sentence about Table 1, which lies beside this file as it is printed.
"""

from pathlib import Path

import sympy as sp

from proofs_check.gaussian import Derivation, Fixed, Gaussian, Index, contraction, derive
from zotheory import Claim, Kind, Setting, Statement, exact
from zotheory.evidence.printed import above, printed
from zotheory.evidence.tables import Table

n, q = sp.symbols("n q", integer=True, positive=True)
(i, j, k), g, z = (Index(x, n) for x in "ijk"), Fixed("g"), Gaussian("z")
VARIANCE = sp.Symbol("E||g_q - g||^2 / ||g||^2")
ANY = Setting("z ~ N(0, I_n), a linear loss, every n and q")


def variance(_):
    """From the definition: that of one estimate, divided by q, as they are independent."""
    one = derive(g[i] * z[i] * g[j] * z[j] * z[k] * z[k])  # E||<g,z> z||^2
    found = sp.cancel(one.value / contraction(g[i] * g[i]) - 1) / q
    return {VARIANCE: Derivation(found, (*one.steps, "minus ||g||^2, as E <g,z> z = g; over q"))}


LEMMA_1 = Claim(
    id="draft.lemma1",
    where="Lemma 1",
    setting=ANY,
    statement=Statement("The relative variance is (n+1)/q.", sp.Eq(VARIANCE, (n + 1) / q)),
    needs=(Kind.EXACT,),
    checks=(exact(variance),),
    mutant=Statement("It is n/q.", sp.Eq(VARIANCE, n / q)),  # which the same check must refute
)
COROLLARY_2 = Claim(
    id="draft.corollary2",
    where="Corollary 2",
    setting=ANY,
    statement=Statement("It is at most 1 if q >= n.", sp.Le(VARIANCE, 1), (sp.Ge(q, n),)),
    needs=(Kind.EXACT,),
    checks=(exact(variance),),
    correction=Statement("If q >= n + 1.", sp.Le(VARIANCE, 1), (sp.Ge(q, n + 1),)),
)

TABLE_1 = Table.read(Path(__file__).with_name("table1.csv"))
GAINS = sp.Symbol("tasks on which ours is above SPSA")
COUNTED = {GAINS: sp.Add(*(above(TABLE_1["ours", t], TABLE_1["SPSA", t]) for t in TABLE_1.columns))}
SENTENCE = Claim(
    id="draft.table1",
    where="Sec. 4, Table 1",
    setting=Setting("three tasks, one run each"),
    statement=Statement("Ours is above SPSA on every task.", sp.Eq(GAINS, len(TABLE_1.columns))),
    needs=(Kind.PRINTED,),
    checks=(printed(TABLE_1, derive=lambda _: COUNTED),),
    correction=Statement("On two of three.", sp.Eq(GAINS, 2)),
)

CLAIMS = [LEMMA_1, COROLLARY_2, SENTENCE]
