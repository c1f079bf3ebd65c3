"""Figures 2, 5 and 6: where a step's time goes, and what leaving layers out saves of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

import estimators
from zotheory.context import Context
from zotheory.evidence.compared import Case, median
from zotheory.evidence.modelled import once
from zotheory.evidence.timed import interleaved, timed
from zotheory.papers.shared.steps import PublishedStep
from zotheory.vocabulary import Claim, Kind, Setting, Statement

if TYPE_CHECKING:
    from zotheory.model.language_model import LanguageModel

SHARE = sp.Symbol("share of perturbing and updating")
MISSED = sp.Symbol("speed-up / predicted")
LENGTHS = (16, 64, 256)
SPEED_UPS = tuple(sp.Symbol(f"speed-up at {length}") for length in LENGTHS)
ROUNDS = 28  # a median's interval at 5e-5 leaves the three least and the three greatest out
SHORT_ROUNDS = 32  # four, of steps that others' work disturbs more
FEW = 17  # at 5e-5 none is left out: where a claim lets the ratio stray far
SPARSITY = 0.75
LR = 0.0  # a step takes as long as at any other rate, and the model stays what it is
WITHIN = sp.Rational(15, 100)
PUBLISHED, OURS = "published loop", "this toolkit's step"
FORWARD = "forward"

Seconds = Mapping[str, np.ndarray]


def _on_prompts(context: Context) -> tuple[dict[str, Seconds], float]:
    """Seconds of a forward pass and both methods' steps, by loop; the share of weights dropped."""
    from zotheory.evidence.borrowed import decoder_layers, prompts_loss
    from zotheory.evidence.modelled import borrowed_model

    with borrowed_model(context) as found:
        model, loss = found.model, prompts_loss(found, context)
        layers = decoder_layers(model)
        mezo, lezo = PublishedStep(model, LR), PublishedStep(model, LR, layers=layers)
        published = {
            f"MeZO, {PUBLISHED}": lambda: mezo(loss),
            f"LeZO, {PUBLISHED}": lambda: lezo(loss),
        }
        inside = sum(p.numel() for p in layers.parameters())
        off = int(SPARSITY * len(layers)) / len(layers)
        seconds = {
            by: interleaved({FORWARD: loss, **steps}, rounds, _told(context))
            for by, steps, rounds in (
                (PUBLISHED, published, ROUNDS),
                (OURS, _ours(found, loss), FEW),
            )
        }
        return seconds, off * inside / found.parameters


def _ours(found: LanguageModel, loss: Any) -> dict[str, Any]:
    mezo = estimators.mezo(found.model, lr=LR, seed=0)
    lezo = estimators.lezo(found.model, lr=LR, sparsity=SPARSITY, seed=0)
    return {
        f"MeZO, {OURS}": partial(mezo.step, loss),
        f"LeZO, {OURS}": partial(lezo.step, loss),
    }


def _on_rows(context: Context) -> dict[str, dict[int, Seconds]]:
    """Seconds of both methods' steps on one row of tokens, by loop and by its length."""
    from zotheory.evidence.borrowed import decoder_layers, row_loss
    from zotheory.evidence.modelled import borrowed_model

    with borrowed_model(context) as found:
        model, layers = found.model, decoder_layers(found.model)
        mezo, lezo = PublishedStep(model, LR), PublishedStep(model, LR, layers=layers)
        losses = {length: row_loss(found, context, length) for length in LENGTHS}
        loops = {
            PUBLISHED: (
                FEW,
                lambda loss: {
                    f"MeZO, {PUBLISHED}": partial(mezo, loss),
                    f"LeZO, {PUBLISHED}": partial(lezo, loss),
                },
            ),
            OURS: (SHORT_ROUNDS, partial(_ours, found)),
        }
        seconds = {}
        for by, (rounds, steps) in loops.items():
            of = {length: steps(loss) for length, loss in losses.items()}
            named = {f"{n} {name}": step for n in LENGTHS for name, step in of[n].items()}
            measured = interleaved(named, rounds, _told(context))
            seconds[by] = {n: {name: measured[f"{n} {name}"] for name in of[n]} for n in LENGTHS}
    return seconds


def _told(context: Context):
    return lambda words: context.tell(f"{context.claim}  timing: {words}")


def _share(seconds: Seconds, by: str) -> np.ndarray:
    """1 - 2F/S of MeZO: what of its step is not spent in its two forward passes."""
    return 1 - 2 * seconds[FORWARD] / seconds[f"MeZO, {by}"]


def _speed_up(seconds: Seconds, by: str) -> np.ndarray:
    return seconds[f"MeZO, {by}"] / seconds[f"LeZO, {by}"]


def _medians(seconds: Seconds) -> dict[str, float]:
    return {f"{name} [s], median": float(np.median(s)) for name, s in seconds.items()}


def _half(_: Statement, context: Context) -> Sequence[Case]:
    """Of the published loop; what faster noise leaves of the share is told beside it."""
    seconds, _ = once("lezo.prompts", context, _on_prompts)
    shares = {by: _share(seconds[by], by) for by in (PUBLISHED, OURS)}
    notes = {f"share, {OURS}, median": float(np.median(shares[OURS]))}
    notes |= _medians(seconds[OURS]) | _medians(seconds[PUBLISHED])
    at = f"16 review prompts, {PUBLISHED}"
    return [Case(at, {SHARE: median(shares[PUBLISHED])}, notes, drawn=shares)]


def _amdahl(statement: Statement, context: Context) -> Sequence[Case]:
    """Amdahl's law: `saved` of a step's perturbing and updating, and nothing of its passes."""
    seconds, dropped = once("lezo.prompts", context, _on_prompts)
    timings = []
    for by in (PUBLISHED, OURS):
        share = _share(seconds[by], by) if statement.setting["passes"] == "stay" else 1.0
        predicted = 1 / (1 - dropped * share)
        speed_up = _speed_up(seconds[by], by)
        notes = {
            "share of the weights dropped": dropped,
            "speed-up, median": float(np.median(speed_up)),
            "predicted, median": float(np.median(predicted)),
        }
        drawn = {"speed-up": speed_up, "predicted": np.broadcast_to(predicted, speed_up.shape)}
        at = f"16 review prompts, {by}"
        timings.append(Case(at, {MISSED: median(speed_up / predicted)}, notes, drawn=drawn))
    return timings


def _length(_: Statement, context: Context) -> Sequence[Case]:
    found, cases = once("lezo.rows", context, _on_rows), []
    for by, rows in found.items():
        speed_ups = [_speed_up(rows[length], by) for length in LENGTHS]
        drawn = {str(length): s for length, s in zip(LENGTHS, speed_ups, strict=True)}
        ratios = dict(zip(SPEED_UPS, map(median, speed_ups), strict=True))
        cases.append(Case(f"one row of review tokens, {by}", ratios, drawn=drawn))
    return cases


def _near(bound: sp.Rational) -> sp.Basic:
    return sp.And(sp.Ge(MISSED, 1 - bound), sp.Le(MISSED, 1 + bound))


CLAIMS = (
    Claim(
        id="lezo.fig2.half",
        where="Fig. 2, Sec. 3.2",
        setting=Setting(
            "OPT-13B on SST-2 on GPUs, one step of MeZO",
            "SmolLM2-135M on one processor in 32 bits, short classification prompts",
        ),
        statement=Statement(
            "In MeZO on short classification prompts, perturbing and updating take more than half "
            "of a step.",
            sp.Gt(SHARE, sp.Rational(1, 2)),
        ),
        needs=(Kind.TIMED,),
        checks=(timed(_half),),
        mutant=Statement(
            "They take more than nine tenths of a step.", sp.Gt(SHARE, sp.Rational(9, 10))
        ),
        correction=Statement(
            "They take at most half of a step here.", sp.Le(SHARE, sp.Rational(1, 2))
        ),
    ),
    Claim(
        id="lezo.fig5.amdahl",
        where="Fig. 5",
        setting=Setting(
            "OPT-13B on eight tasks on GPUs, 75% of the layers dropped",
            "SmolLM2-135M on one processor in 32 bits, 75% of the layers dropped",
        ),
        statement=Statement(
            "With 75% of the layers dropped, the measured speed-up of a step is within 15% of "
            "1/(1 - share dropped x share of perturb-and-update).",
            _near(WITHIN),
            setting={"passes": "stay"},
        ),
        needs=(Kind.TIMED,),
        checks=(timed(_amdahl),),
        mutant=Statement(
            "It is within 15% of 1/(1 - share dropped), as if the passes became shorter, too.",
            _near(WITHIN),
            setting={"passes": "become shorter"},
        ),
        correction=Statement(
            "It is within 30% of 1/(1 - share dropped x share of perturb-and-update).",
            _near(2 * WITHIN),
            setting={"passes": "stay"},
        ),
    ),
    Claim(
        id="lezo.fig6.length",
        where="Fig. 6",
        setting=Setting(
            "OPT-13B on GPUs, tasks of different lengths, 75% of the layers dropped",
            "SmolLM2-135M on one processor in 32 bits, one row of 16, 64, 256 tokens, 75% of the "
            "layers dropped",
        ),
        statement=Statement(
            "With 75% of the layers dropped, LeZO's speed-up over MeZO falls as the input gets "
            "longer (16, 64, 256 tokens), with the published loop (Algorithm 1: three "
            "perturbations and an update, the noise drawn again each time) and with this "
            "toolkit's step: ratios of medians of interleaved rounds, one row of tokens.",
            sp.And(*map(sp.Gt, SPEED_UPS, SPEED_UPS[1:])),
        ),
        needs=(Kind.TIMED,),
        checks=(timed(_length),),
        mutant=Statement(
            "It rises as the input gets longer.", sp.And(*map(sp.Lt, SPEED_UPS, SPEED_UPS[1:]))
        ),
    ),
)
