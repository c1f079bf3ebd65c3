"""Points are taken at weights that are put back, each with sentences of its own."""

import pytest
import sympy as sp
import torch

from tests.model.tiny_model import sentences, tiny_model
from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence import modelled
from zotheory.evidence.compared import Case
from zotheory.evidence.modelled import by_layer, points
from zotheory.model.language_model import THREADS, ModelError
from zotheory.vocabulary import AssetMissing, Statement


@pytest.fixture
def context(monkeypatch, tmp_path):
    tiny = tiny_model()
    monkeypatch.setattr(modelled, "_load", lambda name: tiny)
    monkeypatch.setattr("zotheory.evidence.modelled.sentences", lambda context, words: sentences())
    return Context("a.b", 0, BUDGETS["quick"], None, "tiny", tmp_path)


def test_one_point_a_layer_and_the_weights_are_put_back(context):
    model = modelled.language_model(context).model
    before = [p.detach().clone() for p in model.parameters()]
    with points(context, by_layer, 4, layers=2) as found:
        assert [{n.split(".")[2] for n, _ in p.named} for p in found] == [{"1"}, {"3"}]
        assert len({float(p.loss()) for p in found}) == 2
        for _, weight in found[0].named:
            weight.data.add_(1.0)
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), before, strict=True))


def test_a_model_that_does_not_fit_is_a_missing_asset(context):
    def decide(statement, context):
        with points(context, lambda weights: [weights], 4):
            raise ModelError("no such matrix")

    with pytest.raises(AssetMissing, match="no such"):
        modelled.on_model(decide).judge(None, context)


def test_a_model_check_runs_on_a_fixed_number_of_threads(context):
    threads, seen = torch.get_num_threads(), []
    torch.set_num_threads(THREADS + 1)
    try:
        symbol = sp.Symbol("threads")

        def measure(*_):
            seen.append(torch.get_num_threads())
            return modelled.Modelled([Case("here", {symbol: seen[0]})], {}, {})

        statement = Statement("Some.", sp.Eq(symbol, THREADS))
        found = modelled.on_model(measure).judge(statement, context)
        assert found.verdict == "confirmed"
        assert found.certificate["found"] == [f"here: threads {THREADS}, claimed = {THREADS}"]
        assert seen == [THREADS]
        assert torch.get_num_threads() == THREADS + 1
    finally:
        torch.set_num_threads(threads)
