"""What Algorithm 1's subspace knows of the gradient.

U and V are the leading singular vectors of a MeZO estimate. From one direction that is kappa Z,
kappa a number and Z noise; from an average over k directions it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import sympy as sp

from proofs_check.cards.invariance import NotInvariant
from proofs_check.gaussian import Derivation
from proofs_check.matrices import M, N, R
from zotheory.context import Context
from zotheory.evidence.compared import Case, Quantity, compare
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared.matrix_estimates import Loss, plain
from zotheory.papers.svd0 import frames, on_model
from zotheory.papers.svd0.frames import (
    DIAGONAL,
    OFF,
    RANKS,
    SHARE,
    claimed_share,
    entries,
    multiple,
)
from zotheory.papers.svd0.subspaces import Kept, LeadingShare, Projections, Shares, upper_identity
from zotheory.statistics import (
    Bernstein,
    Decision,
    decide_at_least,
    decide_equal,
    decide_less,
    sequential,
)
from zotheory.vocabulary import (
    Check,
    Claim,
    Evidence,
    Kind,
    Setting,
    Statement,
    Verdict,
    conjunction,
)

PROPER = (sp.Lt(R, M, evaluate=False), sp.Lt(R, N, evaluate=False))  # r = m = n keeps everything
KEPT = sp.Symbol("E||U^T G V||^2/||G||^2 by Algorithm 1")
RANDOM = sp.Symbol("the same by random U, V")
BEST = sp.Symbol("the largest E||U^T G V||^2/||G||^2 over k <= 4 max(m, n)")
LARGE = {M: 128, N: 128, R: 8}
AT_LEAST = 1.2  # "more" is measured as: by a fifth

AVERAGE = """
# the mean over all signed permutations A, B of the law-preserving moves Z -> A Z B
def signed(d):
    for order in itertools.permutations(range(d)):
        for signs in itertools.product((1, -1), repeat=d):
            yield np.eye(d)[list(order)] * np.array(signs)[:, None]

pairs = [(a, b) for a in signed(m) for b in signed(n)]
rng = np.random.default_rng(0)
g, z0 = rng.standard_normal((2, m, n))
"""


def _projection(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    diagonal, off = frames.algorithm1_projection(statement.setting["queries"])
    return {DIAGONAL: diagonal, OFF: off}


def _where_derivable(derive: Callable[[Statement], Mapping[sp.Expr, Derivation]]) -> Check:
    """An exact check that decides nothing where the subspace is not independent of the gradient."""
    check = exact(derive)

    def judge(statement: Statement, context: Context) -> Evidence:
        try:
            return check.judge(statement, context)
        except NotInvariant as reason:
            return Evidence(Kind.EXACT, Verdict.INCONCLUSIVE, str(reason))

    return Check(Kind.EXACT, judge)


def _measure_projection(statement: Statement, _: Context) -> Sequence[Measurement]:
    """The subspaces that SVD-0 draws, for G of rank one and of full rank."""
    measurements = []
    for loss, r in ((_rank_one(2, 3), 2), (plain(3, 3), 1)):
        m, n = loss.m, loss.n
        options = (("rank", r), ("queries", statement.setting["queries"]))
        share = float(claimed_share(statement).subs({M: m, N: n, R: r}))
        sampler, target = Projections("svd0", loss, options), share * upper_identity(m * n)
        measurements.append(entries(f"SVD-0, m={m} n={n} r={r}", sampler, target, 15, 0.15))
    size = {M: 8, N: 12, R: 3}
    decide = partial(
        decide_equal,
        method=Bernstein(),
        target=float(claimed_share(statement).subs(size)),
        tolerance=0.05,
    )
    sampler = LeadingShare(*size.values(), statement.setting["queries"])
    at = "reduced, rank-one G, m=8 n=12 r=3: <g, P P^T g>"
    return [*measurements, Measurement(at, sampler, decide, 500, 256)]


def _rank_one(m: int, n: int) -> Loss:
    """The linear loss W_11."""
    return Loss(m, n, linear=(1.0, *[0.0] * (m * n - 1)))


def _kept(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """<g, E[P P^T] g> / ||g||^2, P of Algorithm 1 and of independent random frames."""
    said = "E||P^T g||^2 = <g, E[P P^T] g>, g = vec G"
    (svd0, _), (random, _) = frames.algorithm1_projection(1), frames.independent_projection()
    return {
        KEPT: Derivation(svd0.value, (*svd0.steps, said)),
        RANDOM: Derivation(random.value, (*random.steps, said)),
    }


def _kept_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import itertools

import numpy as np

{inputs(failed.inputs)}{AVERAGE}
def kept(u, v):
    return np.sum((u.T @ g @ v) ** 2) / np.sum(g**2)

def algorithm1(z):
    u, _, vt = np.linalg.svd(np.sum(g * z) * z)  # of the MeZO gradient <G, Z> Z
    return kept(u[:, :r], vt[:r].T)

q1, q2 = (np.linalg.qr(rng.standard_normal((d, r)))[0] for d in (m, n))
print("claimed", float(np.mean([kept(a @ q1, b.T @ q2) for a, b in pairs])))  # less: random
print("actual", float(np.mean([algorithm1(a @ z0 @ b) for a, b in pairs])))
"""


def _measure_kept(statement: Statement, _: Context) -> Sequence[Measurement]:
    """Through the code that trains, and reduced for rank-one G (r = min(m, n) and r = 1, too)."""
    measurements = []
    points = [("trained", 4, 5, 3, Kept(("subzo", "svd0"), plain(4, 5), (("rank", 3),)), 25)]
    points += [
        ("reduced", *size, Shares(*size), 500) for size in ((8, 8, 2), (6, 10, 1), (3, 5, 3))
    ]
    for how, m, n, r, sampler, shard_size in points:
        decide = partial(decide_less, method=Bernstein(), margin=1 / AT_LEAST)
        if isinstance(statement.formula, sp.And):
            share = float(claimed_share(statement).subs({M: m, N: n, R: r}))
            decide = partial(
                decide_equal,
                method=Bernstein(),
                target=np.full(2, share),
                tolerance=AT_LEAST - 1,
            )
        measurements.append(
            Measurement(f"{how}, m={m} n={n} r={r}", sampler, decide, shard_size, 512)
        )
    return measurements


def _search_directions(statement: Statement, context: Context) -> Evidence:
    """Is there a k whose subspace keeps as much? One run each; the error is shared by all k.

    Powers of two from the largest k down, as long as they are confirmed. If not even the largest
    is, every other k, each until decided or as long as the first one took.
    """
    target = float(statement.formula.rhs.subs(LARGE))
    limit = 4 * max(LARGE[M], LARGE[N])
    decide = partial(decide_at_least, method=Bernstein(), bound=target)
    ladder = [2**i for i in reversed(range(limit.bit_length())) if 2**i <= limit]
    found: dict[int, Decision] = {}
    for k in ladder:
        found[k] = _run(k, decide, limit, context)
        if found[k].verdict != "confirmed":
            break
    if found[ladder[0]].verdict != "confirmed":
        for k in sorted(set(range(1, limit + 1)) - set(found)):
            found[k] = _run(k, decide, limit, context)
            if found[k].verdict == "confirmed":
                break
    return _found(statement, found, target, limit, context)


def _run(k: int, decide, runs: int, context: Context) -> Decision:
    context.tell(f"{context.claim}  measuring at k = {k}")
    return sequential(
        context.monte_carlo,
        f"{context.claim}/k={k}",
        LeadingShare(*LARGE.values(), k),
        decide,
        max_shards=max(1, int(64 * context.budget.samples)),
        shard_size=2,
        first_look=1,
        alpha=context.alpha / runs,
    )


def _found(
    statement: Statement, found: dict[int, Decision], target: float, runs: int, context: Context
) -> Evidence:
    """Confirmed by one k, refuted by all of them; a k that is not looked at might keep it all."""
    lows, highs = zip(*(decision.interval for decision in found.values()), strict=True)
    most = max(decision.estimate for decision in found.values())
    best = Quantity(most, max(lows), max(highs) if len(found) == runs else 1.0)
    lines = [
        f"k={k}: {d.estimate:.4g} in [{d.interval[0]:.4g}, {d.interval[1]:.4g}] "
        f"({d.samples} samples): at least {target:.4g} is {d.verdict}"
        for k, d in sorted(found.items())
    ]
    certificate = {
        "measurements": lines,
        "error probability": context.alpha,
        "seed": context.seed,
    }
    case = Case(", ".join(f"{s} = {v}" for s, v in LARGE.items()), {BEST: best, **LARGE})
    compared = compare(statement, [case], context.alpha)
    told = [max(found)] if compared.verdict is Verdict.REFUTED else sorted(found)
    numbers = {f"k={k}": _numbers(found[k]) for k in told}
    return compared.evidence(Kind.MEASURED, numbers, certificate)


def _numbers(decision: Decision) -> dict[str, object]:
    return {
        "estimate": decision.estimate,
        "interval": decision.interval,
        "claimed": decision.target,
        "tolerance": decision.tolerance,
        "samples": decision.samples,
    }


LEMMA16 = Claim(
    id="svd0.lemma16.algorithm1",
    where="Lemma 16 as used for Theorem 1",
    setting=Setting(
        "the subspace of Algorithm 1, which Theorem 1 takes for one drawn at random; judged with "
        "one query a refresh as eps -> 0",
    ),
    statement=Statement(
        "E[P P^T] = (r^2/(mn)) I also for the P of Algorithm 1, from the SVD of a MeZO gradient "
        "made with one Gaussian direction on a linear loss.",
        multiple(DIAGONAL, OFF, SHARE),
        RANKS,
        setting={"queries": 1},
    ),
    needs=(Kind.EXACT, Kind.MEASURED),
    checks=(_where_derivable(_projection), measured(_measure_projection)),
    mutant=Statement(
        "The same for an average over 8 directions.",
        multiple(DIAGONAL, OFF, SHARE),
        RANKS,
        setting={"queries": 8},
    ),
)

BETTER = (
    Claim(
        id="svd0.better_subspace",
        where="abstract, Sec. 1 and 4.1",
        setting=Setting(
            "LLMs, the subspace of a MeZO gradient against a random one; judged for every "
            "gradient matrix as eps -> 0, and measured on SmolLM2-135M's",
        ),
        statement=Statement(
            "The subspace of Algorithm 1, from a one-direction MeZO gradient, keeps more of the "
            "true gradient's squared norm on average than a random subspace of the same rank.",
            sp.Gt(KEPT, RANDOM),
            PROPER,
        ),
        needs=(Kind.EXACT, Kind.MEASURED, Kind.MODEL),
        checks=(
            exact(_kept, _kept_witness),
            measured(_measure_kept),
            on_model.ordered({KEPT: "share of SVD-0", RANDOM: "share of SubZero"}, SHARE, AT_LEAST),
        ),
        correction=Statement(
            "Both keep r^2/(mn) of it on average, whatever the gradient: the singular vectors of a "
            "one-direction MeZO gradient are those of its noise.",
            conjunction(sp.Eq(KEPT, SHARE), sp.Eq(RANDOM, SHARE)),
            PROPER,
        ),
    ),
    Claim(
        id="svd0.better_subspace.averaged",
        where="ours, for Sec. 4.1",
        setting=Setting("ours: a linear loss with a rank-one gradient"),
        statement=Statement(
            "With the MeZO gradient averaged over k directions, there is a k <= 4 max(m, n) from "
            "which the subspace keeps at least twice what a random one keeps, for a rank-one G "
            "with m = n = 128, r = 8.",
            sp.Ge(BEST, 2 * SHARE),
        ),
        needs=(Kind.MEASURED, Kind.MODEL),
        checks=(
            Check(Kind.MEASURED, _search_directions),
            on_model.averaged(BEST, LARGE[R]),
        ),
        mutant=Statement("The same with 300 times in place of twice.", sp.Ge(BEST, 300 * SHARE)),
    ),
)
