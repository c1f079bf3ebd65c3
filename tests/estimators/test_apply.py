"""In place and in the forward pass: same losses, weights safe, errors clear."""

import pytest
import torch
from torch import nn

import estimators
from estimators.workspace import Workspace
from tests.estimators.problems import RECIPES, Recorder, Table, build, net_problem, same, weights


@pytest.mark.parametrize("name", RECIPES)
def test_forward_and_inplace_agree(name):
    losses, ends = [], []
    for apply in ("inplace", "forward"):
        model, closure = net_problem()
        if name == "s_mezo" and apply == "inplace":
            optimizer = build(name, model, lr=1e-3, seed=2, implementation="copy")
        else:
            optimizer = build(name, model, lr=1e-3, seed=2, apply=apply)
        for _ in range(3):
            optimizer.step(closure)
        losses.append([loss for step in optimizer.log.losses for loss in step])
        ends.append(torch.cat([w.flatten() for w in weights(model)]))
    torch.testing.assert_close(losses[0], losses[1], rtol=2e-3, atol=2e-3)
    torch.testing.assert_close(losses[0][:2], losses[1][:2], rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", ["mezo", "tezo", "subzo", "lezo"])
def test_forward_never_writes_a_weight(name):
    model, closure = net_problem()
    before = weights(model)
    versions = [p._version for p in model.parameters()]
    memory = [p.detach().numpy() for p in model.parameters()]  # read past PyTorch's functions

    def watched():
        assert all((a == b.numpy()).all() for a, b in zip(memory, before, strict=True))
        return closure()

    optimizer = build(name, model, apply="forward")
    optimizer.estimate(watched)
    optimizer.estimate(watched)
    assert same(before, weights(model))
    assert versions == [p._version for p in model.parameters()]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert not any("forward" in vars(m) for m in model.modules())


@pytest.mark.parametrize("name", ["tezo", "lozo", "subzo", "svd0"])
def test_low_rank_noise_is_never_dense_in_linear_and_embedding(name):
    """Between refreshes no tensor as large as a weight matrix is made, apart from the logits."""
    from torch.utils._python_dispatch import TorchDispatchMode

    model = nn.Sequential(nn.Embedding(300, 200), nn.Linear(200, 250, bias=False))
    tokens = torch.arange(3)
    optimizer = build(name, model, apply="forward", interval=None if name == "tezo" else 10)
    closure = lambda: model(tokens).sum()  # noqa: E731
    optimizer.step(closure)

    class Largest(TorchDispatchMode):
        largest = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            inplace = any(out is a for a in args)
            view = isinstance(out, torch.Tensor) and any(
                isinstance(a, torch.Tensor)
                and a.untyped_storage().data_ptr() == out.untyped_storage().data_ptr()
                for a in args
            )
            if isinstance(out, torch.Tensor) and not inplace and not view:
                Largest.largest = max(Largest.largest, out.numel())
            return out

    with Largest():
        optimizer.step(closure)
    assert 0 < Largest.largest <= 3 * 250  # activations and factors, not 200 x 250


@pytest.mark.parametrize("name", ["mezo", "s_mezo", "sphere"])
def test_rows_of_a_large_linear_are_perturbed_in_turn(name, monkeypatch):
    """No perturbed copy of a head without bias is held; its noise is that of every other way."""
    monkeypatch.setattr(Workspace, "piece", 1 << 15)
    held, take = [], Workspace.take
    monkeypatch.setattr(
        Workspace,
        "take",
        lambda self, entries, like: held.append(entries) or take(self, entries, like),
    )
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(50, 90), nn.Linear(90, 1500, bias=False))
    tokens, losses = torch.arange(12).view(3, 4), []
    closure = lambda: model(tokens).square().mean()  # noqa: E731
    before = weights(model)
    for apply in ("inplace", "forward"):
        optimizer = build(name, model, lr=0.0, seed=2, apply=apply, eps=0.1)
        optimizer.step(closure)
        losses.append(optimizer.log.losses[0])
        for old, new in zip(before, weights(model), strict=True):
            torch.testing.assert_close(old, new, rtol=0, atol=1e-6)
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-5, atol=0)
    assert set(held) == {(1 << 15) // 90 // 364 * 364 * 90}


def test_modules_that_run_again_or_in_another_order_than_they_are_listed(monkeypatch):
    """Small tensors are perturbed together, ahead of their modules; that is never seen."""

    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.ModuleList(nn.Linear(6, 6) for _ in range(5))

        def forward(self, x):
            for index in (3, 1, 1, 4, 0, 2, 3):
                x = x + self.inner[index](x).tanh()
            return x.square().mean()

    torch.manual_seed(0)
    model, x, losses, draws = Turned(), torch.randn(2, 6), [], []
    perturb = Workspace.perturb
    monkeypatch.setattr(
        Workspace, "perturb", lambda self, hook: draws.append(1) or perturb(self, hook)
    )
    for apply, piece in (("inplace", 0), ("forward", 0), ("forward", 1 << 22)):
        monkeypatch.setattr(Workspace, "piece", piece)
        draws.clear()
        optimizer = estimators.mezo(model, lr=0.0, seed=3, eps=0.1, apply=apply, restore="copy")
        optimizer.step(lambda: model(x))
        losses.append(optimizer.log.losses[0])
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-5, atol=0)
    assert losses[1] == losses[2]
    assert len(draws) < 2 * 14  # 14 tensors are used in each of two evaluations


class Outside(nn.Module):
    """Uses a weight of a part, too, and is made of parts that read each other's weights."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 3)
        self.attention = nn.MultiheadAttention(3, 1)  # reads the weights of its out_proj

    def forward(self, x):
        mixed, _ = self.attention(x, x, x)
        return (self.inner(mixed) + x @ self.inner.weight).square().mean()


@pytest.mark.parametrize("name", ["mezo", "tezo", "mezo_adam", "hizoo"])
def test_forward_replaces_a_weight_that_is_used_outside_its_module(name):
    losses, x = [], torch.ones(2, 3)
    for apply in ("inplace", "forward"):
        torch.manual_seed(0)
        model = Outside()
        before = weights(model)
        optimizer = build(name, model, lr=1e-2, eps=0.1, seed=1, apply=apply)
        for _ in range(3):
            optimizer.step(lambda model=model: model(x))
        losses.append(optimizer.log.losses)
        assert all(type(p) is nn.Parameter for p in model.parameters())
        assert not same(before, weights(model))
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-4, atol=1e-5)


def test_forward_refuses_what_it_cannot_perturb():
    model = nn.Linear(3, 3)
    weight = model.weight
    optimizer = estimators.mezo(model, apply="forward")
    with pytest.raises(RuntimeError, match=r"weight is used outside the forward of its module"):
        optimizer.step(lambda: (model(torch.ones(3)) + weight.sum()).sum())

    unused = nn.ModuleList([nn.Linear(3, 1), nn.Linear(3, 1)])
    optimizer = estimators.mezo(unused, apply="forward")
    with pytest.raises(RuntimeError, match=r"1\.weight was not used"):
        optimizer.step(lambda: unused[0](torch.ones(3)))

    scripted = torch.jit.script(nn.Sequential(nn.Linear(3, 1)))
    with pytest.raises(ValueError, match="TorchScript"):
        estimators.mezo(scripted, apply="forward")
    estimators.mezo(scripted).step(lambda: scripted(torch.ones(3)))


@pytest.mark.parametrize("name", ["mezo", "tezo"])
@pytest.mark.parametrize("view", [lambda w: w.T, lambda w: w[2:], lambda w: w.data, torch.detach])
def test_forward_refuses_views_that_were_made_outside(view, name):
    """Their noise would be in the weights only, which a forward pass never writes."""
    table = nn.Embedding(8, 8)
    kept, index = view(table.weight), torch.arange(8)
    options = {"rank": 2} if name == "tezo" else {}
    for _ in range(2):
        optimizer = getattr(estimators, name)(table, seed=0, apply="forward", **options)
        with pytest.raises(RuntimeError, match=r'weight is used outside .*apply="inplace"'):
            optimizer.step(lambda: (table(index) @ kept[:8].sum(0)).square().mean())
    optimizer.step(lambda: (table(index) @ table.weight.detach().T).square().mean())


def test_forward_audits_every_new_situation():
    """Another closure, weights unfrozen later, another mode: uses outside are found each time."""
    x, losses = torch.ones(2, 3), []
    for apply in ("inplace", "forward"):
        torch.manual_seed(0)
        model = Outside()
        model.inner.requires_grad_(False)
        optimizer = estimators.mezo(model, lr=0.0, eps=0.1, seed=1, apply=apply, restore="copy")
        optimizer.step(lambda model=model: model(x))
        model.inner.requires_grad_(True)
        optimizer.step(lambda model=model: model(x))
        optimizer.step(lambda model=model: model(x) + model.attention.in_proj_bias.sum())
        losses.append(optimizer.log.losses)
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["mezo", "tezo", "lozo"])
def test_compiled_modules(name):
    """In place they work as they do; in forward mode they run as they were written."""
    losses = []
    for apply in ("inplace", "forward"):
        for compiled in (False, True):
            torch._dynamo.reset()
            model, _ = net_problem()
            call = torch.compile(model, backend="eager") if compiled else model
            tokens = torch.arange(20).view(2, 10)
            optimizer = build(name, model, lr=1e-3, seed=2, apply=apply)
            for _ in range(3):
                optimizer.step(lambda call=call, tokens=tokens: call(tokens).square().mean())
            losses.append(optimizer.log.losses)
    for other in losses[1:]:
        torch.testing.assert_close(other, losses[0], rtol=2e-3, atol=2e-3)
    assert losses[2] == losses[3]


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize("name", ["mezo", "tezo"])
def test_steps_compile_nothing_anew(name, apply, inner):
    """Neither a step nor what is called between steps, of a model or of a part of it."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    model, _ = net_problem()
    call = model
    if inner:
        model.layers[1] = torch.compile(model.layers[1], backend="eager")
    else:
        call = torch.compile(model, backend="eager")
    tokens = torch.arange(20).view(2, 10)
    optimizer = build(name, model, lr=1e-3, seed=2, apply=apply)

    def closure():
        return call(tokens).square().mean()

    with torch.no_grad():
        closure()
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert graphs
    for _ in range(3):
        optimizer.step(closure)
        with torch.no_grad():
            closure()
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == graphs
    assert len(set(optimizer.log.losses[-1])) == 2


def test_modules_that_are_moved_or_rebuilt_are_told():
    for apply in ("inplace", "forward"):
        model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        optimizer = estimators.mezo(model, apply=apply)
        model[1].weight = nn.Parameter(torch.zeros(3, 3))
        with pytest.raises(RuntimeError, match=r"1\.weight is no longer a parameter of the model"):
            optimizer.step(lambda model=model: model(torch.ones(3)).sum())


BAD = {
    "raises": None,
    "nan": float("nan"),
    "inf": torch.tensor(float("inf")),
    "vector": torch.ones(3),
    "none": None,
}


@pytest.mark.parametrize("kind", list(BAD))
@pytest.mark.parametrize("name", ["mezo", "tezo_m", "svd0", "mezo_adam", "mezo_gv"])
@pytest.mark.parametrize("apply", ["inplace", "forward"])
def test_a_bad_closure_leaves_everything_as_it_was(kind, name, apply):
    model, closure = net_problem()
    options = {"restore": "copy"} if apply == "inplace" else {}
    optimizer = build(name, model, lr=1e-3, apply=apply, **options)
    optimizer.step(closure)
    before, state, calls = weights(model), optimizer.state_dict(), []

    def bad():
        calls.append(1)
        loss = closure()
        if len(calls) < 2:
            return loss
        if kind == "raises":
            raise KeyError("mine")
        return BAD[kind]

    with pytest.raises(KeyError if kind == "raises" else ValueError):
        optimizer.step(bad)
    assert same(before, weights(model))
    assert optimizer.steps == 1
    assert len(optimizer.log) == 1
    after = optimizer.state_dict()["state"]
    for key, entries in state["state"].items():
        for entry, value in entries.items():
            assert torch.equal(torch.as_tensor(after[key][entry]), torch.as_tensor(value))
    optimizer.step(closure)


def test_regenerating_restores_up_to_rounding():
    model = Table(torch.float32)
    before = weights(model)
    optimizer = estimators.mezo(model)

    def bad():
        raise KeyError

    with pytest.raises(KeyError):
        optimizer.step(bad)
    for old, new in zip(before, weights(model), strict=True):
        torch.testing.assert_close(old, new, rtol=1e-6, atol=1e-9)


def test_estimate_changes_nothing():
    model = Table(torch.float32)
    closure = Recorder(model)
    for name in RECIPES:
        optimizer = build(name, model)
        before = weights(model)
        first = optimizer.estimate(closure)
        again = optimizer.estimate(closure)
        assert same(before, weights(model)), name
        assert same(list(first.values()), list(again.values())), name
        assert not any(optimizer.state.values())
        assert len(optimizer.log) == optimizer.steps == 0


def test_frozen_and_tied_parameters():
    model, closure = net_problem()
    model.conv.weight.requires_grad_(False)
    frozen = model.conv.weight.clone()
    visited = []

    def watched():
        visited.append(model.head.weight.detach().clone())
        return closure()

    optimizer = estimators.mezo(model, lr=1e-2, eps=0.1)
    assert "head.weight" not in {slot.name for slot in optimizer.slots()}
    before = model.embed.weight.detach().clone()
    optimizer.step(watched)
    assert torch.equal(model.conv.weight, frozen)
    z = (visited[0] - before) / 0.1
    assert 0.9 < z.square().mean() < 1.1  # perturbed once, not twice
    assert model.head.weight is model.embed.weight


def test_groups_and_schedulers():
    model = Table()
    groups = [
        {"params": [("embed", model.embed)], "lr": 0.0},
        {"params": [(n, p) for n, p in model.named_parameters() if n != "embed"]},
    ]
    optimizer = estimators.mezo(groups, lr=1e-2, restore="copy")
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    before = weights(model)
    optimizer.step(Recorder(model))
    schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.0, 5e-3]
    after = weights(model)
    assert torch.equal(before[0], after[0])
    assert not torch.equal(before[1], after[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: estimators.mezo(m, eps=0.0), "eps must be"),
        (lambda m: estimators.mezo(m, eps=float("nan")), "eps must be"),
        (lambda m: estimators.mezo(m, lr=-1.0), "lr must be"),
        (lambda m: estimators.lozo(m, rank=0), "rank must lie"),
        (lambda m: estimators.subzo(m, rank=6), "rank must lie"),
        (lambda m: estimators.tezo(m, rank=100), "rank must lie"),
        (lambda m: estimators.lozo(m, rank=1, interval=0), "interval"),
        (lambda m: estimators.lezo(m, sparsity=1.0), "sparsity"),
        (lambda m: estimators.mezo([]), "empty parameter list"),
        (lambda m: estimators.mezo(m.requires_grad_(False)), "no trainable"),
        (lambda m: estimators.mezo(list(m.parameters()), apply="forward"), "needs a module"),
        (lambda m: estimators.mezo(m, lr="fast"), "lr must be"),
        (lambda m: estimators.mezo([{"params": m.embed, "eps": 1.0}]), "unknown option 'eps'"),
        (lambda m: estimators.mezo([{"params": m.embed, "lr": -1.0}]), "lr must be"),
        (lambda m: estimators.lezo(m, layers=["blocks.0"]), "no trainable parameter belongs to"),
        (lambda m: estimators.lezo(m, layers="layers"), "must be a list of names"),
        (lambda m: estimators.mezo(m, apply="sideways"), "apply must be"),
        (lambda m: estimators.mezo_gv(m, candidates=1), "candidates"),
        (lambda m: estimators.mezo_gv(m, elite=0.1), "elite"),
        (lambda m: estimators.nes(m, queries=1), "queries"),
        (lambda m: estimators.s_mezo(m, implementation="magic"), "implementation"),
        (lambda m: estimators.mezo(m).step(), "closure"),
        (lambda m: estimators.one_sided([m.embed[:1, :1].detach().requires_grad_()],
         queries=3, orthonormal=True).step(lambda: 0.0), "cannot be orthogonal"),
    ],
)  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(Table())


def test_forward_reaches_the_modules_that_fused_layers_skip():
    """In evaluation mode PyTorch's encoder layer reads its weights without running its modules."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    layer.self_attn.requires_grad_(False)  # its projection is not run as a module in any case
    x, losses = torch.randn(2, 3, 8), []
    for apply in ("inplace", "forward"):
        optimizer = estimators.tezo(layer, lr=0.0, rank=2, apply=apply, seed=1)
        for _ in range(2):  # the first evaluation is audited, which alone disables the fused path
            optimizer.step(lambda: layer(x).square().sum())
        losses.append(optimizer.log.losses)
        assert torch.backends.mha.get_fastpath_enabled()
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-5, atol=1e-5)
    assert "forward" not in vars(layer.linear1)
