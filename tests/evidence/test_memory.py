"""The memory instrument against cases whose bytes are known, and against the real allocator."""

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

import estimators
from zotheory.evidence.instruments import Memory, Passes, at_depth, footprint, state_tensors
from zotheory.papers.shared.architectures import batch, llama_7b, opt_13b, small_llama
from zotheory.papers.tezo import memory as on_opt


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_temporaries_views_and_in_place_operations(device):
    held = torch.zeros(1000, device=device)
    with Memory([held, held[:10]]) as memory:
        assert memory.now == 4000
        for _ in range(2):  # the second time from remembered shapes
            memory.restart()
            total = (held * 2 + held * 3).view(10, 100)  # three at once beside `held`
            assert memory.peak == 16000
            assert memory.now == 8000
            row = total[3]
            held.add_(1).mul_(total.sum())
            del total
            assert memory.now == 8000  # the view keeps the storage
            del row
            assert memory.now == 4000
        half = held.to(torch.float16)
        assert memory.now == 6000
        del half


def test_agrees_with_the_allocator():
    """The running total of PyTorch's own allocation events has the same peak."""
    w = torch.zeros(300, 200)

    def work():
        z = torch.randn(300, 200)
        y = w + 2 * z * 1e-3
        y.square_().clamp_(min=1.0)
        return y.sum(0)

    work()
    with Memory() as memory:
        result = work()
    del result
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        work()
    now = peak = 0
    events = [e for e in record.profiler.kineto_results.events() if e.name() == "[memory]"]
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    assert memory.peak == pytest.approx(peak, abs=256)  # numbers lifted to tensors
    assert peak == pytest.approx(3 * w.nbytes, abs=2048)


def test_shapes_remembered_on_the_meta_device_change_no_count(monkeypatch):
    def count():
        model, closure = opt_13b(layers=1), Passes()
        optimizer = estimators.mezo(model, restore="regenerate", seed=0, counting=True)
        return footprint(model, lambda: optimizer.step(closure))

    remembered = count()
    monkeypatch.setattr("zotheory.evidence.instruments._signature", lambda *_: None)
    assert count() == remembered


def test_state_is_what_outlives_a_step():
    for name in ("mezo", "mezo_adam", "tezo_adam", "lozo_m"):
        model = small_llama(torch.float32)
        optimizer = getattr(estimators, name)(model, seed=0)
        found = footprint(model, lambda o=optimizer: o.step(Passes()))
        kept = sum(t.untyped_storage().nbytes() for t in state_tensors(optimizer))
        assert found.state == kept
        assert found.weights == sum(p.nbytes for p in (*model.parameters(), *model.buffers()))
        if name == "mezo_adam":
            assert kept == 2 * sum(p.nbytes for p in model.parameters())


def test_published_sizes():
    assert sum(p.numel() for p in opt_13b().parameters()) == 12_853_473_280
    assert sum(p.numel() for p in llama_7b().parameters()) == 6_738_415_616
    closure = batch(llama_7b(layers=1), 2, 5)
    assert [closure(), closure()] == [2.0, 1.0]
    assert closure.made == 2


def test_depths_must_lie_on_a_line():
    assert at_depth(lambda n: (3 * n + 1, 7), 40) == (121, 7)
    with pytest.raises(ArithmeticError, match="no line"):
        at_depth(lambda n: (n * n,), 40)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "rank"), [("mezo", None), ("tezo_adam", 64)])
def test_all_layers_of_opt_13b_hold_what_three_of_them_say(method, rank):
    options = {"restore": "regenerate"} | ({"max_rank": rank} if rank else {})
    assert on_opt._ours(method, options, 40) == on_opt.ours(method, rank)
    printed = on_opt._as_printed(method, rank, True, 40)
    assert printed == on_opt.as_printed(method, rank, True)
