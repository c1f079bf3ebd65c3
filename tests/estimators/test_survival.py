"""Runs that are copied, saved, taken up elsewhere, given more groups: they go on as they were."""

import copy
import io
import pickle
import warnings

import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_state_dict,
    set_state_dict,
)
from torch.optim import lr_scheduler

import estimators
from tests.estimators.problems import RECIPES, Recorder, Table, build, same, weights

STEP = {"lr": 1e-3, "eps": 1e-2, "seed": 3}
DATA = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))


def advance(model, optimizer, steps):
    closure = Recorder(model)
    for _ in range(steps):
        optimizer.step(closure)


def chain(count=3, **options):
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Linear(6, 6, **options) for _ in range(count)))


def run(model, optimizer, steps, call=None):
    """Steps of a loss of `call`, the model or a wrapper of it, on DATA."""
    for _ in range(steps):
        optimizer.step(lambda: (call or model)(DATA).square().mean())


def pickled(pair):
    return pickle.loads(pickle.dumps(pair))


def saved(pair):
    file = io.BytesIO()
    torch.save(pair, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def untouched(model, optimizer, before, seed=3):
    """Whether an optimiser that has refused something is as new."""
    fresh = optimizer.steps == 0 and optimizer.seed == seed and not len(optimizer.log)
    return fresh and not any(optimizer.state.values()) and same(before, weights(model))


# Copies of the whole pair


@pytest.mark.sampled
@pytest.mark.parametrize("way", [copy.deepcopy, pickled, saved])
@pytest.mark.parametrize("name", RECIPES)
def test_a_copy_of_model_and_optimizer_goes_on_alike(name, way):
    model = Table(torch.float32)
    optimizer = build(name, model, **STEP)
    advance(model, optimizer, 3)
    before = weights(model)
    twin, twins = way((model, optimizer))
    advance(twin, twins, 2)
    assert same(before, weights(model))
    assert optimizer.steps == 3
    advance(model, optimizer, 2)
    assert same(weights(model), weights(twin))
    assert twins.steps == 5
    assert twins.log.losses == optimizer.log.losses
    assert twins.method == optimizer.method
    twins.load_state_dict(optimizer.state_dict())


@pytest.mark.parametrize("way", [copy.deepcopy, pickled, saved])
@pytest.mark.parametrize("name", ["mezo", "tezo", "s_mezo"])
def test_a_copy_that_perturbs_its_own_modules(name, way):
    """apply="forward" keeps the module; after a group was added, too."""
    model = chain()
    model[2].requires_grad_(False)
    optimizer = build(name, model, apply="forward", **STEP)
    run(model, optimizer, 1)
    model[2].requires_grad_(True)
    optimizer.add_param_group({"params": list(model[2].named_parameters("2")), "lr": 1e-4})
    run(model, optimizer, 1)
    twin, twins = way((model, optimizer))
    run(model, optimizer, 2)
    run(twin, twins, 2)
    assert same(weights(model), weights(twin))


# Distributed checkpoints

ON_DISK = [(name, torch.float32) for name in RECIPES]
ON_DISK += [(name, torch.bfloat16) for name in RECIPES[::7]]


@pytest.mark.sampled(12)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "dtype"), ON_DISK, ids=str)
def test_distributed_checkpoint_on_disk(name, dtype, tmp_path):
    model, other = Table(dtype), Table(dtype)
    optimizer = build(name, model, **STEP)
    advance(model, optimizer, 3)
    parts = dict(zip("mo", get_state_dict(model, optimizer), strict=True))
    dcp.save(parts, checkpoint_id=tmp_path / "checkpoint")
    resumed = build(name, other, **STEP | {"seed": 8})
    found = dict(zip("mo", get_state_dict(other, resumed), strict=True))
    dcp.load(found, checkpoint_id=tmp_path / "checkpoint")
    set_state_dict(other, resumed, model_state_dict=found["m"], optim_state_dict=found["o"])
    assert (resumed.steps, resumed.seed) == (3, 3)
    advance(model, optimizer, 2)
    advance(other, resumed, 2)
    assert same(weights(model), weights(other))
    assert resumed.log.losses == optimizer.log.losses


@pytest.mark.sampled
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("offload", [False, True])
@pytest.mark.parametrize("name", RECIPES)
def test_distributed_checkpoint_in_memory(name, offload):
    """With two groups, whose names are not in the order of the model's."""

    def make(model):
        named = list(model.named_parameters())
        groups = [
            {"params": [(n, p) for n, p in named if p.ndim > 1]},
            {"params": [(n, p) for n, p in named if p.ndim == 1], "lr": 3e-3},
        ]
        return build(name, groups, model=model, **STEP)

    model, other = Table(torch.float32), Table(torch.float32)
    optimizer, resumed = make(model), make(other)
    advance(model, optimizer, 3)
    how = StateDictOptions(cpu_offload=offload)
    theirs, state = copy.deepcopy(get_state_dict(model, optimizer, options=how))
    set_state_dict(other, resumed, model_state_dict=theirs, optim_state_dict=state, options=how)
    advance(model, optimizer, 2)
    advance(other, resumed, 2)
    assert same(weights(model), weights(other))


# Groups


@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize("name", ["mezo", "mezo_adam", "tezo", "lozo_m", "svd0", "s_mezo", "lezo"])
def test_groups_added_on_the_way(name, apply):
    """Gradual unfreezing: at steps 0, 2 and 4; resumed twice, and replayed."""

    def make(model, layers):
        groups = [
            {"params": list(model[i].named_parameters(f"{i}")), "lr": 1e-3 / (1 + i)}
            for i in layers
        ]
        return build(name, groups, model=model, apply=apply, **STEP)

    model, first, second, third = (chain() for _ in range(4))
    optimizer = make(model, [2])
    for index in (1, 0):
        run(model, optimizer, 2)
        group = list(model[index].named_parameters(f"{index}"))
        optimizer.add_param_group({"params": group, "lr": 1e-3 / (1 + index)})
    run(model, optimizer, 2)
    for other in (first, second):
        other.load_state_dict(model.state_dict())
        resumed = make(other, [2, 1, 0])
        resumed.load_state_dict(saved(optimizer.state_dict()))
        assert resumed.steps == len(resumed.log) == optimizer.steps
        run(model, optimizer, 2)
        run(other, resumed, 2)
        assert same(weights(model), weights(other))
        assert resumed.log.losses == optimizer.log.losses
        optimizer = resumed
        model = other
    replayed = make(third, [2, 1, 0])
    estimators.replay(replayed, optimizer.log)
    assert same(weights(model), weights(third))
    run(model, optimizer, 1)
    run(third, replayed, 1)
    assert same(weights(model), weights(third))


def parameter(*shape, dtype=torch.float32):
    return nn.Parameter(torch.ones(shape, dtype=dtype))


BAD = {
    "distinct names": lambda: {"params": [("weight", parameter(6, 6))]},
    "not floating point": lambda: {"params": [("new", parameter(6, 6, dtype=torch.complex64))]},
    "too coarse": lambda: {"params": [("new", parameter(6, 6, dtype=torch.float8_e5m2))]},
    "meta": lambda: {"params": [("new", nn.Parameter(torch.ones(6, 6, device="meta")))]},
    "rank": lambda: {"params": [("small", parameter(2, 2))]},
    "lr must be": lambda: {"params": [("new", parameter(6, 6))], "lr": -1.0},
    "weight_decay must be": lambda: {
        "params": [("new", parameter(6, 6))],
        "weight_decay": float("nan"),
    },
    "unknown option 'rate'": lambda: {"params": [("new", parameter(6, 6))], "rate": 1.0},
}


@pytest.mark.parametrize("told", BAD)
def test_a_group_is_refused_late_as_at_once(told):
    layer = nn.Linear(6, 6, bias=False)
    known = {"params": [("weight", layer.weight)]}
    with pytest.raises(ValueError, match=told):
        estimators.lozo([known, BAD[told]()], rank=4)
    optimizer = estimators.lozo(layer, rank=4, **STEP)
    twin = copy.deepcopy((layer, optimizer))
    run(layer, optimizer, 1)
    with pytest.raises(ValueError, match=told):
        optimizer.add_param_group(BAD[told]())
    assert len(optimizer.param_groups) == 1
    optimizer.state_dict()
    run(layer, optimizer, 1)
    run(*twin, 2)
    assert same(weights(layer), weights(twin[0]))


# Logs


def test_many_queries_in_one_step(tmp_path):
    weight = parameter(4)

    def make():
        return estimators.nes([("w", weight)], queries=8, **STEP)

    optimizer = make()
    for _ in range(2):
        optimizer.step(lambda: float(weight.detach().square().sum()))
    optimizer.log.losses[0] = [0.001 * i for i in range(40_000)]
    again = make()
    again.load_state_dict(saved(optimizer.state_dict()))
    optimizer.log.save(tmp_path / "log")
    for log in (again.log, estimators.Log.load(tmp_path / "log")):
        assert log.losses == optimizer.log.losses


@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize("name", ["mezo", "mezo_adam", "tezo", "one_sided"])
def test_eps_that_changes_during_a_run(name, apply):
    def make(model):
        return build(name, model, apply=apply, **STEP)

    model, third = chain(), chain()
    optimizer = make(model)
    run(model, optimizer, 2)
    for eps in (3e-3, 3e-3, 1e-3):
        optimizer.eps = eps
        run(model, optimizer, 1)
    other = copy.deepcopy(model)
    resumed = make(other)
    resumed.load_state_dict(saved(optimizer.state_dict()))
    assert resumed.eps == 1e-3
    run(model, optimizer, 2)
    run(other, resumed, 2)
    assert same(weights(model), weights(other))
    estimators.replay(make(third), resumed.log)
    assert same(weights(model), weights(third))


def refuses(act, told):
    with pytest.raises(ValueError, match=told) as caught:
        act()
    assert "\n" not in str(caught.value)


def takers(target, source):
    """Return the two ways to give an optimiser what is another one's."""
    return (
        lambda: target.load_state_dict(source.state_dict()),
        lambda: estimators.replay(target, source.log),
    )


@pytest.mark.parametrize("taker", [0, 1], ids=["state", "log"])
def test_another_eps_is_refused(taker):
    model, other = chain(), chain()
    source = estimators.mezo(model, **STEP)
    run(model, source, 2)
    target = estimators.mezo(other, **STEP | {"eps": 1e-3})
    before = weights(other)
    refuses(takers(target, source)[taker], "eps differs: 0.01 there, 0.001")
    assert untouched(other, target, before)
    assert target.eps == 1e-3


@pytest.mark.parametrize("taker", [0, 1], ids=["state", "log"])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("mezo", {}), ("rademacher", {})),
        (("mezo", {}), ("sphere", {})),
        (("mezo", {}), ("mezo_adam", {})),
        (("mezo_adam", {}), ("mezo_m", {})),
        (("mezo_adam", {}), ("mezo_adam", {"betas": (0.9, 0.9)})),
        (("lozo", {"rank": 2}), ("lozo", {"rank": 4})),
        (("lozo", {"interval": 2}), ("lozo", {"interval": 3})),
        (("tezo", {"rank": 2}), ("lozo", {"rank": 2})),
        (("subzo", {"rank": 2}), ("svd0", {"rank": 2})),
        (("r_mezo", {"sparsity": 0.5}), ("r_mezo", {"sparsity": 0.75})),
        (("lezo", {"sparsity": 0.5}), ("lezo", {"sparsity": 0.75})),
        (("zo_sgd_cons", {}), ("mezo", {})),
        (("q_spsa", {"queries": 2}), ("q_spsa", {"queries": 3})),
    ],
)
def test_another_methods_run_is_refused(first, second, taker):
    model, other = chain(), chain()
    source = build(first[0], model, **STEP, **first[1])
    run(model, source, 2)
    target = build(second[0], other, **STEP | {"seed": 5}, **second[1])
    before = weights(other)
    refuses(takers(target, source)[taker], "method differs")
    assert untouched(other, target, before, seed=5)
    advance_twin = copy.deepcopy((other, target))
    run(other, target, 1)
    run(*advance_twin, 1)
    assert same(weights(other), weights(advance_twin[0]))


@pytest.mark.parametrize(
    "change",
    [lambda m: m.double(), lambda m: m.bfloat16(), lambda m: nn.ModuleList([nn.Linear(6, 5), *m])],
    ids=["wider", "narrower", "shape"],
)
def test_a_log_of_other_tensors_is_refused(change):
    model, other = chain(), change(chain())
    source, target = estimators.mezo(model, **STEP), estimators.mezo(other, **STEP)
    run(model, source, 1)
    before = weights(other)
    refuses(lambda: estimators.replay(target, source.log), "weight differs: float32 6x6")
    assert untouched(other, target, before)


STATEFUL = ["mezo_m", "mezo_adam", "hizoo", "zo_adamu", "tezo", "lozo_m", "svd0_adam"]


@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize("name", STATEFUL)
def test_a_tensor_that_is_resized_does_not_go_on_with_its_old_state(name, apply):
    """As transformers resizes embeddings: the same Parameter, with other memory."""
    model = chain()
    optimizer = build(name, model, **STEP, apply=apply)
    run(model, optimizer, 1)
    model[-1].weight.data = torch.cat([model[-1].weight.data] * 2)
    model[-1].bias.data = torch.cat([model[-1].bias.data] * 2)
    before = weights(model)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"was \(6, 6\) when its state was made"):
            run(model, optimizer, 1)
    assert same(before, weights(model))
    assert optimizer.steps == len(optimizer.log) == 1
    go_on = build(name, model, **STEP, apply=apply)
    run(model, go_on, 1)


@pytest.mark.parametrize("name", STATEFUL)
def test_state_of_another_shape_is_refused(name):
    model = chain()
    source = build(name, model, **STEP)
    run(model, source, 1)
    other = nn.Sequential(*chain()[:-1], nn.Linear(6, 9))
    target = build(name, other, **STEP)
    before = weights(other)
    refuses(lambda: target.load_state_dict(source.state_dict()), "weight differs: float32 6x6")
    assert untouched(other, target, before)


def test_a_log_of_absent_parameters_is_refused():
    model, other = chain(), chain(2)
    source, target = estimators.mezo(model, **STEP), estimators.mezo(other, **STEP)
    run(model, source, 1)
    before = weights(other)
    refuses(lambda: estimators.replay(target, source.log), "2.weight differs: .*no such parameter")
    assert untouched(other, target, before)


@pytest.mark.parametrize("names", ["ba", "pq"], ids=["reordered", "renamed"])
@pytest.mark.parametrize("name", ["mezo", "mezo_adam", "tezo"])
def test_other_names_are_refused(name, names):
    """PyTorch matches state by position, noise is keyed by names."""

    def make(names):
        model = nn.ModuleDict({n: nn.Linear(6, 6, bias=False) for n in names})
        return model, build(name, model, **STEP)

    (model, source), (other, target) = make("ab"), make(names)
    source.step(lambda: model["b"](model["a"](DATA)).square().mean())
    before = weights(other)
    refuses(
        lambda: target.load_state_dict(source.state_dict()), f"a.weight there, {names[0]}.weight"
    )
    assert untouched(other, target, before)


# Wrappers

WRAPPERS = {
    "compiled": lambda m: torch.compile(m, backend="eager"),
    "data parallel": nn.DataParallel,
    "module": lambda m: nn.ModuleDict({"module": m}),
    "module of compiled": lambda m: nn.ModuleDict({"module": torch.compile(m, backend="eager")}),
    "compiled module": lambda m: torch.compile(nn.ModuleDict({"module": m}), backend="eager"),
    "sharded": lambda m: nn.ModuleDict({"_fsdp_wrapped_module": m}),
    "checkpoint": checkpoint_wrapper,
    "inner": lambda m: nn.Sequential(torch.compile(m[0], backend="eager"), m[1], m[2]),
    "inner checkpoint": lambda m: nn.Sequential(m[0], checkpoint_wrapper(m[1]), m[2]),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
@pytest.mark.parametrize("name", ["mezo", "lozo", "mezo_adam"])
def test_wrappers_do_not_change_the_noise(name, wrap):
    """The same steps, a checkpoint of either goes on in the other, and a log is replayed."""
    plain, inner, back, again = chain(), chain(), chain(), chain()
    first, second = build(name, plain, **STEP), build(name, wrap(inner), **STEP)
    run(plain, first, 2)
    run(inner, second, 2)
    assert same(weights(plain), weights(inner))
    assert list(second.named_parameters()) == list(first.named_parameters())
    outer = build(name, wrap(back), **STEP)
    back.load_state_dict(plain.state_dict())
    outer.load_state_dict(first.state_dict())
    first.load_state_dict(second.state_dict())
    run(plain, first, 1)
    run(back, outer, 1)
    assert same(weights(plain), weights(back))
    estimators.replay(build(name, wrap(again), **STEP), first.log)
    assert same(weights(plain), weights(again))


class Named(nn.Module):
    """A matrix, and another one of the same shape in a child that is called like a wrapper."""

    def __init__(self, child):
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(6, 6) / 2)
        self.add_module(child, nn.Linear(6, 6, bias=False))
        self.child = child

    def forward(self, x):
        return getattr(self, self.child)(x @ self.weight)


@pytest.mark.parametrize("child", ["module", "_orig_mod", "_fsdp_wrapped_module"])
def test_a_child_that_is_called_like_a_wrapper(child):
    model, other, third = (Named(child) for _ in range(3))
    optimizer = estimators.mezo_adam(model, **STEP)
    found = list(optimizer.estimate(lambda: model(DATA).square().mean()).values())
    assert len(found) == 2
    cosine = nn.functional.cosine_similarity(*(z.flatten() for z in found), dim=0)
    assert abs(float(cosine)) < 0.6
    run(model, optimizer, 2)
    other.load_state_dict(model.state_dict())
    resumed = estimators.mezo_adam(other, **STEP)
    resumed.load_state_dict(optimizer.state_dict())
    run(model, optimizer, 2)
    run(other, resumed, 2)
    assert same(weights(model), weights(other))
    estimators.replay(estimators.mezo_adam(third, **STEP), optimizer.log)
    assert same(weights(model), weights(third))


# Fresh states and schedulers


@pytest.mark.parametrize("name", RECIPES)
def test_the_state_of_a_fresh_optimizer_is_that_of_a_fresh_one(name):
    model, other = Table(torch.float32), Table(torch.float32)
    fresh = build(name, model, **STEP)
    target = build(name, other, **STEP | {"seed": 6})
    state = saved(fresh.state_dict())
    assert not any(fresh.state.values())
    target.load_state_dict(state)
    assert untouched(other, target, weights(model))
    advance(model, fresh, 3)
    advance(other, target, 3)
    assert same(weights(model), weights(other))
    target.load_state_dict(state)
    assert not any(target.state.values())


SCHEDULES = {
    "step": lambda o: lr_scheduler.StepLR(o, 2),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, 1e-2, total_steps=20, cycle_momentum=False),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 8),
    "cyclic": lambda o: lr_scheduler.CyclicLR(o, 1e-4, 1e-2, cycle_momentum=False),
    "plateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0, threshold=1.0),
    "sequence": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o), lr_scheduler.ExponentialLR(o, 0.5)], [3]
    ),
}


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_schedulers_are_copied_and_resumed(schedule):
    def make():
        model = chain(1)
        optimizer = estimators.mezo(model, **STEP)
        return model, optimizer, schedule(optimizer)

    def steps(model, optimizer, scheduler):
        for _ in range(3):
            run(model, optimizer, 1)
            plateau = isinstance(scheduler, lr_scheduler.ReduceLROnPlateau)
            scheduler.step(*([1.0] if plateau else []))

    with warnings.catch_warnings():  # SequentialLR steps its parts
        warnings.simplefilter("ignore", UserWarning)
        whole, rest = make(), make()
        steps(*whole)
        for part, other in zip(rest, whole, strict=True):
            part.load_state_dict(saved(other.state_dict()))
        twin, third = copy.deepcopy(whole), make()
        for parts in (whole, rest, twin):
            steps(*parts)
    rates = {parts[1].param_groups[0]["lr"] for parts in (whole, rest, twin)}
    assert len(rates) == 1
    assert rates != {STEP["lr"]}
    assert same(weights(whole[0]), weights(rest[0]))
    assert same(weights(whole[0]), weights(twin[0]))
    estimators.replay(third[1], whole[1].log)
    assert same(weights(whole[0]), weights(third[0]))


def test_the_rates_that_a_scheduler_goes_on_from_may_be_given():
    model = chain(1)
    groups = [{"params": list(model.named_parameters()), "initial_lr": 1e-2}]
    optimizer = estimators.mezo(groups, **STEP)
    lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.9**epoch, last_epoch=10)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-2 * 0.9**11)
    run(model, optimizer, 1)
