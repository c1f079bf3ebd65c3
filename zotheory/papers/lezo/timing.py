"""Figures 2, 5 and 6: where a step's time goes, and what leaving layers out saves of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

import estimators
from zotheory.context import Context
from zotheory.evidence.compared import Case, median
from zotheory.evidence.modelled import once
from zotheory.evidence.timed import Contenders, Rounds, Seconds, Timing, timed
from zotheory.papers.shared.steps import Closure, PublishedStep
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

if TYPE_CHECKING:
    from zotheory.model.language_model import LanguageModel

SHARE = sp.Symbol("share of perturbing and updating")
MISSED = sp.Symbol("speed-up / predicted")
LENGTHS = (16, 64, 256)
SPEED_UPS = tuple(sp.Symbol(f"speed-up at {length}") for length in LENGTHS)
MOST = 36  # rounds, of which the medians' intervals at 1e-4 / 6 leave three out on either side
SPARSITY = 0.75
LR = 0.0  # a step takes as long as at any other rate, and the model stays what it is
WITHIN = sp.Rational(15, 100)
PUBLISHED, OURS = "published loop", "this toolkit's step"
FORWARD, MEZO, LEZO = "forward", "MeZO", "LeZO"


@contextmanager
def _on_prompts(by: str, context: Context) -> Iterator[Contenders]:
    """A forward pass on review prompts, and both methods' steps by a loop."""
    from zotheory.evidence.borrowed import prompts_loss
    from zotheory.evidence.modelled import borrowed_model

    with borrowed_model(context) as found:
        loss = prompts_loss(found, context)
        yield {FORWARD: loss, **_steps(by, found, loss)}


@contextmanager
def _on_rows(by: str, context: Context) -> Iterator[Contenders]:
    """Both methods' steps by a loop on one row of tokens, at every length."""
    from zotheory.evidence.borrowed import row_loss
    from zotheory.evidence.modelled import borrowed_model

    with borrowed_model(context) as found:
        yield {
            f"{name} at {length}": step
            for length in LENGTHS
            for name, step in _steps(by, found, row_loss(found, context, length)).items()
        }


def _steps(by: str, found: LanguageModel, loss: Closure) -> Contenders:
    from zotheory.evidence.borrowed import decoder_layers

    if by == PUBLISHED:
        layers = decoder_layers(found.model)
        mezo, lezo = PublishedStep(found.model, LR), PublishedStep(found.model, LR, layers=layers)
        return {MEZO: partial(mezo, loss), LEZO: partial(lezo, loss)}
    mezo = estimators.mezo(found.model, lr=LR, seed=0)
    lezo = estimators.lezo(found.model, lr=LR, sparsity=SPARSITY, seed=0)
    return {MEZO: partial(mezo.step, loss), LEZO: partial(lezo.step, loss)}


def _dropped(context: Context) -> float:
    """The share of the model's weights that lie in the layers left out, on average."""
    from zotheory.evidence.borrowed import decoder_layers
    from zotheory.evidence.modelled import language_model

    found = language_model(context)
    layers = decoder_layers(found.model)
    inside = sum(p.numel() for p in layers.parameters())
    return int(SPARSITY * len(layers)) / len(layers) * inside / found.parameters


PROMPTS = {
    PUBLISHED: Rounds("lezo.prompts.published", partial(_on_prompts, PUBLISHED), MOST),
    OURS: Rounds("lezo.prompts.ours", partial(_on_prompts, OURS), MOST),
}
ROWS = {
    PUBLISHED: Rounds("lezo.rows.published", partial(_on_rows, PUBLISHED), MOST),
    OURS: Rounds("lezo.rows.ours", partial(_on_rows, OURS), MOST),
}


def _share(seconds: Seconds) -> np.ndarray:
    """1 - 2F/S of MeZO: what of its step is not spent in its two forward passes."""
    return 1 - 2 * seconds[FORWARD] / seconds[MEZO]


def _speed_up(seconds: Seconds, at: str = "") -> np.ndarray:
    return seconds[MEZO + at] / seconds[LEZO + at]


def _medians(seconds: Seconds, by: str) -> dict[str, float]:
    return {f"{name}, {by} [s], median": float(np.median(s)) for name, s in seconds.items()}


def _half(_: Statement, __: Context, published: Seconds, ours: Seconds) -> Case:
    """Of the published loop; what faster noise leaves of the share is told beside it."""
    shares = {PUBLISHED: _share(published), OURS: _share(ours)}
    notes = {f"share, {OURS}, median": float(np.median(shares[OURS]))}
    notes |= _medians(ours, OURS) | _medians(published, PUBLISHED)
    at = f"16 review prompts, {PUBLISHED}"
    return Case(at, {SHARE: median(shares[PUBLISHED])}, notes, drawn=shares)


def _amdahl(by: str, statement: Statement, context: Context, seconds: Seconds) -> Case:
    """Amdahl's law: `saved` of a step's perturbing and updating, and nothing of its passes."""
    dropped = once("lezo.dropped", context, _dropped)
    share = _share(seconds) if statement.setting["passes"] == "stay" else 1.0
    predicted, speed_up = 1 / (1 - dropped * share), _speed_up(seconds)
    notes = {
        "share of the weights dropped": dropped,
        "speed-up, median": float(np.median(speed_up)),
        "predicted, median": float(np.median(predicted)),
    }
    drawn = {"speed-up": speed_up, "predicted": np.broadcast_to(predicted, speed_up.shape)}
    at = f"16 review prompts, {by}"
    return Case(at, {MISSED: median(speed_up / predicted)}, notes, drawn=drawn)


def _length(by: str, _: Statement, __: Context, seconds: Seconds) -> Case:
    speed_ups = [_speed_up(seconds, f" at {length}") for length in LENGTHS]
    drawn = {str(length): s for length, s in zip(LENGTHS, speed_ups, strict=True)}
    ratios = dict(zip(SPEED_UPS, map(median, speed_ups), strict=True))
    return Case(f"one row of review tokens, {by}", ratios, drawn=drawn)


def _near(bound: sp.Rational) -> sp.Basic:
    return conjunction(sp.Ge(MISSED, 1 - bound), sp.Le(MISSED, 1 + bound))


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
        checks=(timed(Timing(_half, tuple(PROMPTS.values()))),),
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
        checks=(timed(*(Timing(partial(_amdahl, by), (PROMPTS[by],)) for by in PROMPTS)),),
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
            conjunction(*map(sp.Gt, SPEED_UPS, SPEED_UPS[1:])),
        ),
        needs=(Kind.TIMED,),
        checks=(timed(*(Timing(partial(_length, by), (ROWS[by],)) for by in ROWS)),),
        mutant=Statement(
            "It rises as the input gets longer.", conjunction(*map(sp.Lt, SPEED_UPS, SPEED_UPS[1:]))
        ),
    ),
)
