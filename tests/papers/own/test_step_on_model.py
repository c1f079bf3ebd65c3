"""Falls and steps at a model's weights: decided both ways, and each batch measured once."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.model.tiny_model import sentences, tiny_model
from zotheory.budget import BUDGETS, OWN_MODEL
from zotheory.context import Context
from zotheory.evidence import modelled
from zotheory.papers.own import step_on_model as on
from zotheory.vocabulary import AssetMissing, Verdict

CLAIMS = {claim.id: claim for claim in on.CLAIMS}


@pytest.fixture
def context(tmp_path, monkeypatch):
    monkeypatch.setattr(modelled, "_DONE", {})
    return Context("own.step.same_fall", 0, BUDGETS["quick"], None, "tiny", tmp_path)


def moments(**means):
    """Of 40 batches: slope 1 and curvatures of these means, else 1.

    They scatter by a tenth in common and by a hundredth each.
    """
    rng = np.random.default_rng(0)
    common = 1 + 0.1 * rng.standard_normal(40)
    curvatures = {
        method: means.get(method, 1.0) * common * (1 + 0.01 * rng.standard_normal(40))
        for method in on.METHODS
    }
    return on.Moments(dict.fromkeys(on.METHODS, np.ones(40)), curvatures)


def judged(id, context, monkeypatch, found, statement=None):
    context = replace(context, model=OWN_MODEL)
    monkeypatch.setattr(on, "_moments", lambda _: found)
    (check,) = CLAIMS[id].checks
    return check.judge(statement or CLAIMS[id].statement, context)


@pytest.mark.parametrize(
    ("curvature", "verdict"),
    [
        (1.3, Verdict.CONFIRMED),
        (1 / 1.3, Verdict.CONFIRMED),
        (1.5, Verdict.INCONCLUSIVE),
        (2.0, Verdict.REFUTED),
        (0.5, Verdict.REFUTED),
    ],
)
def test_one_method_decides_whether_all_fall_as_mezo_does(curvature, verdict, context, monkeypatch):
    found = moments(tezo=curvature)
    evidence = judged("own.step.same_fall", context, monkeypatch, found)
    assert evidence.verdict is verdict
    decides = "times as many batches would decide" in evidence.summary
    assert decides is (verdict is Verdict.INCONCLUSIVE)
    assert evidence.numbers["tezo"]["fall over MeZO's"] == pytest.approx(1 / curvature, rel=0.01)
    mutant = CLAIMS["own.step.same_fall"].mutant
    found = judged("own.step.same_fall", context, monkeypatch, found, mutant)
    assert found.verdict is Verdict.REFUTED  # by the others


@pytest.mark.parametrize(("apart", "verdict"), [(8.0, Verdict.CONFIRMED), (9.8, Verdict.REFUTED)])
def test_the_factor_is_half_of_what_the_furthest_two_are_apart(
    apart, verdict, context, monkeypatch
):
    rates = dict.fromkeys(on.METHODS, 1e-06) | {"tezo": 4e-6}
    monkeypatch.setattr(on, "best_rates", lambda seed: rates)
    found = moments(tezo=apart / 4)  # its best step is 4 / apart that of others
    evidence = judged("own.step.one_factor", context, monkeypatch, found)
    assert evidence.verdict is verdict
    assert f" {apart**0.5:.1f}" in evidence.summary


def test_a_method_without_a_best_step_leaves_it_open(context, monkeypatch):
    rates = dict.fromkeys(on.METHODS, 1e-6)
    monkeypatch.setattr(on, "best_rates", lambda seed: rates)
    for id in CLAIMS:
        evidence = judged(id, context, monkeypatch, moments(subzo=-1.0))
        assert evidence.verdict is Verdict.INCONCLUSIVE
        json.dumps(evidence.numbers, allow_nan=False)


def test_runs_of_one_model_say_nothing_of_another(context):
    (check,) = CLAIMS["own.step.one_factor"].checks
    with pytest.raises(AssetMissing, match="are of smollm2-135m, not of tiny"):
        check.judge(CLAIMS["own.step.one_factor"].statement, context)


def test_few_best_rates_are_a_missing_asset(context, monkeypatch):
    monkeypatch.setattr(on, "best_rates", lambda seed: {"mezo": 1e-6, "hizoo": 1e-6})
    with pytest.raises(AssetMissing, match="best rates of 8 methods are needed, there are 1"):
        judged("own.step.one_factor", context, monkeypatch, moments())


def test_every_batch_is_measured_once_and_repeats(context, monkeypatch):
    methods = ("mezo", "rademacher", "lezo", "s_mezo", "tezo")
    tiny = tiny_model()
    monkeypatch.setattr(modelled, "_load", lambda name: tiny)
    monkeypatch.setattr(on, "sentences", lambda *_: sentences())
    monkeypatch.setattr(on, "METHODS", methods)
    first = on._moments(context)
    assert first.rows("mezo").shape == (3, 2)
    assert len(list((context.scratch / "studies").glob("*.joblib"))) == 3
    modelled._DONE.clear()
    monkeypatch.setattr(on._Company, "_known", None)  # all are read
    assert np.array_equal(on._moments(context).rows(*methods), first.rows(*methods))
    assert np.all(first.slopes["s_mezo"] < first.slopes["mezo"])
    assert np.array_equal(first.slopes["mezo"], first.slopes["rademacher"])


def test_methods_that_do_not_fit_are_a_missing_asset(context, monkeypatch):
    monkeypatch.setattr(modelled, "_load", lambda name: tiny_model())
    monkeypatch.setattr(on, "sentences", lambda *_: sentences())
    with pytest.raises(AssetMissing, match=r"the methods do not fit tiny: .*rank"):
        on._moments(context)
