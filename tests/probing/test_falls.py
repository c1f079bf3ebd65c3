"""How far a loss falls: what draws say, on quadratics whose trace is known, and on a model."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import estimators
from tests.model.tiny_model import tiny_model
from zotheory import cli
from zotheory.probing import ProbeError, probe_losses, probe_model
from zotheory.probing.fall import Draws, against, fall_of
from zotheory.probing.model_probe import LEAST


def quadratic(rng, curvature, gradient, draws):
    """Slopes and curvatures of MeZO's estimates, which are kappa z."""
    z = rng.standard_normal((draws, len(gradient)))
    squares = (z @ gradient) ** 2
    return Draws(squares, squares * (z * z @ curvature), 2)


def truth(curvature, gradient):
    """The best step and the fall per pass."""
    square, trace = gradient @ gradient, curvature.sum()
    rayleigh = (gradient * curvature) @ gradient / square
    return 1 / (trace + 2 * rayleigh), square / (4 * (trace + 2 * rayleigh))


HESSIANS = {
    "flat": np.ones(40),
    "falling": 1 / (1 + np.arange(40.0)),
    "of both signs": np.r_[10.0, 8, -6, 5, np.full(36, 0.1)],
}


@pytest.mark.parametrize("count", [LEAST, 10, 20])
@pytest.mark.parametrize("kind", HESSIANS)
def test_intervals_hold_what_is_known_as_often_as_they_say(kind, count):
    """In 400 samples: more than 88% of intervals of 95%, as the module's text has it."""
    rng = np.random.default_rng(0)
    curvature, gradient = HESSIANS[kind], np.ones(40)
    step, fall = truth(curvature, gradient)
    steps = falls = 0
    for _ in range(400):
        found = fall_of(quadratic(rng, curvature, gradient, count))
        steps += found.best_step.low <= step <= found.best_step.high
        falls += found.fall.low <= fall <= found.fall.high
    assert min(steps, falls) > 0.88 * 400


def test_differences_on_common_draws_are_sharper_than_values():
    """Half the gradient's weights, half the curvature: the ratio of falls is 1 for both."""
    rng = np.random.default_rng(1)
    z = rng.standard_normal((10, 40))
    squares = z.sum(1) ** 2
    one = Draws(squares, squares * (z * z).sum(1), 2)
    other = Draws(squares, squares * (z * z).sum(1) * 1.1, 2)
    ratio = against(one, other)
    assert ratio.value == pytest.approx(1.1)
    assert ratio.high / ratio.low < 1.0001
    value = fall_of(one).fall
    assert value.high / value.low > 3
    assert against(one, Draws(other.slopes, other.curvatures, 4)).value == pytest.approx(2.2)


def test_a_curvature_that_is_not_told_apart_from_zero_leaves_steps_without_an_end():
    draws = Draws(np.array([1.0, 2.0, 1.5, 0.5]), np.array([3.0, -2.0, 1.0, -0.5]), 2)
    found = fall_of(draws)
    assert found.best_step.value == pytest.approx(5.0 / 1.5)
    assert found.best_step.high == math.inf
    assert found.best_step.low > 0
    assert (found.fall.low, found.fall.high) == (0.0, math.inf)
    concave = fall_of(Draws(draws.slopes, -np.abs(draws.curvatures), 2))
    assert math.isnan(concave.best_step.value)
    assert concave.best_step.high == math.inf
    assert math.isnan(concave.fall.value)


class Bowl(nn.Module):
    """<g, w> + sum h w^2 / 2 of two tensors."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.one = nn.Parameter(torch.zeros(6, 5, dtype=torch.float64))
        self.two = nn.Parameter(torch.zeros(10, dtype=torch.float64))
        self.slope = torch.randn(40, dtype=torch.float64, generator=generator)
        self.curve = torch.rand(40, dtype=torch.float64, generator=generator) + 0.2

    def loss(self):
        w = torch.cat([self.one.flatten(), self.two])
        return self.slope @ w + (self.curve * w * w).sum() / 2


def test_signs_find_the_trace_exactly_and_methods_of_one_estimate_share_a_row():
    bowl = Bowl()
    names = ["rademacher", "mezo", "mezo_m", "zo_sgd_cons", "mezo_adam", "q_spsa", "mezo_gv"]
    told = []
    falls = probe_losses(bowl, [bowl.loss], *names, tell=lambda *what: told.append(what))
    rows = {row.name: row for row in falls.rows}
    assert set(rows) == {
        "rademacher",
        "mezo, mezo_m, mezo_adam",
        "zo_sgd_cons",
        "q_spsa",
        "mezo_gv",
    }
    assert {n: r.draws.passes for n, r in rows.items()} == {
        **{"rademacher": 2, "mezo, mezo_m, mezo_adam": 2, "zo_sgd_cons": 5},
        **{"q_spsa": 8, "mezo_gv": 6},
    }
    step = rows["rademacher"].found.best_step
    assert step.value == pytest.approx(1 / float(bowl.curve.sum()), rel=1e-6)
    assert step.high - step.low < 1e-6
    mezo, cons = rows["mezo, mezo_m, mezo_adam"], rows["zo_sgd_cons"]
    assert cons.found.fall.value == pytest.approx(mezo.found.fall.value * 2 / 5)
    assert len(rows["mezo_gv"].draws) == LEAST
    assert len(mezo.draws) == 8
    assert told[-1][1] == told[-1][2]
    assert falls.reference is mezo
    assert bowl.one.abs().max() == 0.0


def test_groups_share_gradient_and_trace():
    bowl = Bowl()
    falls = probe_losses(bowl, [bowl.loss], groups="kinds", passes=600)
    shares = {row.name: falls.share(row) for row in falls.rows}
    square, curve = bowl.slope.square(), bowl.curve
    gradient, trace = (float(x[:30].sum() / x.sum()) for x in (square, curve))
    assert shares["one"][0] == pytest.approx(gradient, abs=0.15)
    assert shares["one"][1] == pytest.approx(trace, abs=0.05)
    assert {row.name: row.group.weights for row in falls.rows} == {
        "one": 30,
        "norms and vectors": 10,
    }
    assert "norms and vectors" in falls._repr_html_()
    assert {"gradient_share", "trace_share"} <= set(falls.frame().columns)
    falls.plot()


def test_a_faint_curvature_is_looked_at_from_further_off():
    bowl = Bowl()

    def rounded():
        return round(float(bowl.loss().detach()), 5)

    falls = probe_losses(bowl, [rounded], "rademacher")
    (row,) = falls.rows
    assert row.stretch > 1.3
    assert row.found.best_step.value == pytest.approx(1 / float(bowl.curve.sum()), rel=0.2)


def test_several_batches_and_a_factory_of_ones_own(tmp_path):
    bowl = Bowl()

    def mine(params, seed, **options):
        return estimators.q_spsa(params, queries=2, seed=seed, **options)

    closures = [bowl.loss, lambda: 2 * bowl.loss()]
    falls = probe_losses(bowl, closures, mine, "mezo", passes=60)
    row = next(row for row in falls.rows if row.own)
    assert (row.name, row.draws.passes, len(row.draws)) == ("mine", 4, 10)  # a look takes 6
    frame = falls.frame()
    assert list(frame["name"]) == [row.name for row in falls.ranked]
    falls.write(tmp_path / "falls.csv")
    assert list(pd.read_csv(tmp_path / "falls.csv").columns) == list(frame.columns)
    falls.write(tmp_path / "falls.json")
    assert len(json.loads((tmp_path / "falls.json").read_text())) == 2
    falls.write(tmp_path / "falls.svg")
    with pytest.raises(ProbeError, match="suffixes are"):
        falls.write(tmp_path / "falls.doc")


@pytest.mark.parametrize(
    ("asked", "options", "message"),
    [
        (("mezoo",), {}, "no recipe is called 'mezoo'"),
        (("with_greedy",), {}, "with_greedy needs a perturbation"),
        ((lambda params, seed: object(),), {}, "a ZerothOrder is needed"),
        (("mezo",), {"groups": "kinds"}, "name no methods"),
        ((), {"groups": "colours"}, "groups must be"),
        ((), {"passes": 0}, "passes must be"),
        ((), {"batches": 10**6}, "sentences of at most 10 words are asked for"),
    ],
)
def test_what_cannot_be_probed_is_one_line(asked, options, message, monkeypatch):
    with pytest.raises(ProbeError, match=message) as error:
        probe_model(tiny_model(), *asked, **options)
    assert "\n" not in str(error.value)


def test_the_command_ranks_methods_on_a_model(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cli.console, "_width", 110)
    tiny = tiny_model()
    tiny.model.save_pretrained(tmp_path / "tiny")
    tiny.tokenizer.save_pretrained(tmp_path / "tiny")
    capsys.readouterr()  # what saving tells
    asked = ("probe", "--model", str(tmp_path / "tiny"))
    status, out, error = command(*asked, "mezo", "rademacher", "--out", str(tmp_path / "it.csv"))
    assert (status, error) == (0, "")
    assert "How far the loss falls per forward pass" in out
    assert {"mezo", "rademacher"} == set(pd.read_csv(tmp_path / "it.csv")["name"])
    status, out, error = command(*asked, "--groups", "kinds", "--passes", "2")
    assert (status, error) == (0, "")
    assert "norms and vectors" in out
    assert command(*asked, "mezoo")[0] == 2
    status, _, error = command("probe", "--groups", "kinds")
    assert status == 2
    assert "for a probe with --model" in error
