"""Losses see the noise, or the step is refused, or says so once."""

import copy
import re
import subprocess
import sys
import warnings
from contextlib import ExitStack
from pathlib import Path

import peft
import pytest
import torch
import torch.distributed as dist
from accelerate import Accelerator, cpu_offload, dispatch_model
from accelerate.state import AcceleratorState, GradientState
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor
from torch.testing._internal.two_tensor import TwoTensor

import estimators
from tests.estimators.language import llama_problem
from tests.estimators.problems import RECIPES, build, same, weights

CAST = {"device_type": "cpu", "dtype": torch.bfloat16}


def told(act):
    """Return the warnings of a call."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        act()
    return [str(w.message) for w in found if w.category is UserWarning]


def steps(optimizer, closure, count):
    for _ in range(count):
        optimizer.step(closure)


def small(rows=8):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
    x = torch.randn(rows, 8)
    return model, x, lambda: model(x).float().square().mean()


# ---------------------------------------------------------------- autocast


def losses_cast(name, outside, inside, **options):
    """Return the losses of a run with contexts of autocast around the steps and in the closure."""
    model, _, loss = small(32)
    optimizer = build(name, model, lr=1e-3, eps=3e-2, seed=0, **options)

    def entered(settings, act):
        with ExitStack() as stack:
            for enabled in settings:
                stack.enter_context(torch.autocast(**CAST, enabled=enabled))
            return act()

    said = told(
        lambda: entered(outside, lambda: steps(optimizer, lambda: entered(inside, loss), 4))
    )
    assert not said
    return optimizer.log.losses


@pytest.mark.sampled
@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize(
    "name", ["mezo", "tezo", "lozo", "mezo_m", "one_sided", "q_spsa", "hizoo", "s_mezo", "mezo_gv"]
)
def test_autocast_may_be_entered_anywhere(name, apply):
    cast, plain = losses_cast(name, [], [True], apply=apply), losses_cast(name, [], [], apply=apply)
    assert cast != plain
    assert all(len(set(pair)) > 1 for pair in cast)
    for outside, inside in (([True], []), ([True, True], []), ([True], [True])):
        assert losses_cast(name, outside, inside, apply=apply) == cast
    for outside, inside in (([True, False], []), ([True], [False])):
        assert losses_cast(name, outside, inside, apply=apply) == plain


@pytest.mark.parametrize("what", ["step", "estimate", "replay", "failed step"])
@pytest.mark.parametrize("apply", ["inplace", "forward"])
def test_what_an_autocast_context_evaluates_afterwards(apply, what):
    """The casts of perturbed or old weights are gone."""
    model, x, closure = small()
    log = estimators.mezo(copy.deepcopy(model), lr=3e-2, eps=5e-2, seed=0).log
    if what == "replay":
        other, _, loss = small()
        recorded = estimators.mezo(other, lr=3e-2, eps=5e-2, seed=0, apply=apply)
        recorded.step(loss)
        log = recorded.log
    optimizer = estimators.mezo(model, lr=3e-2, eps=5e-2, seed=0, apply=apply)

    def failing():
        closure()
        raise KeyError

    with torch.no_grad(), torch.autocast(**CAST):
        model(x)
        if what == "step":
            optimizer.step(closure)
        elif what == "estimate":
            optimizer.estimate(closure)
        elif what == "replay":
            estimators.replay(optimizer, log)
        else:
            with pytest.raises(KeyError):
                optimizer.step(failing)
        inside = model(x)
    with torch.no_grad(), torch.autocast(**CAST):
        assert torch.equal(inside, model(x))


@pytest.fixture
def fresh_accelerate():
    yield
    AcceleratorState._reset_state(True)
    GradientState._reset_state()


@pytest.mark.parametrize("apply", ["inplace", "forward"])
def test_autocast_of_accelerate(apply, fresh_accelerate):
    accelerator, losses = Accelerator(cpu=True, mixed_precision="bf16"), []
    for context in (torch.no_grad, accelerator.autocast):
        model, closure = llama_problem()
        optimizer = estimators.mezo(model, lr=1e-4, eps=1e-2, seed=0, apply=apply)
        _, stepper = accelerator.prepare(model, optimizer)
        with context():
            steps(stepper, closure, 2)
        losses.append(optimizer.log.losses)
    assert losses[0] == losses[1]


# ---------------------------------------------------------------- refusals


def with_weight(weight):
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = weight
    return model


def on_meta():
    with torch.device("meta"):
        return nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))


def one_on_meta():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1] = on_meta()[1]
    return model


def offloaded():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    return cpu_offload(model, execution_device=torch.device("cpu"))


def in_inference_mode():
    with torch.inference_mode():
        return nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))


def complex_weight():
    return with_weight(nn.Parameter(torch.zeros(4, 4, dtype=torch.complex64)))


REFUSED = {
    "meta": (on_meta, r"0\.weight is on the meta device.* load the whole model"),
    "one layer on meta": (one_on_meta, r"1\.weight is on the meta device"),
    "offloaded": (offloaded, r"0\.weight is on the meta device.*offloaded by accelerate"),
    "float8_e4m3": (
        lambda: with_weight(nn.Parameter(torch.ones(4, 4).to(torch.float8_e4m3fn))),
        r"1\.weight has type torch\.float8_e4m3fn.*in bfloat16, or adapters",
    ),
    "float8_e5m2": (
        lambda: with_weight(nn.Parameter(torch.ones(4, 4).to(torch.float8_e5m2))),
        r"1\.weight has type torch\.float8_e5m2.*in bfloat16, or adapters",
    ),
    "lazy": (
        lambda: nn.Sequential(nn.Linear(4, 4), nn.LazyLinear(4)),
        r"1\.weight has no shape yet; run one forward pass first",
    ),
    "inference mode": (in_inference_mode, r"0\.weight was made in inference mode.*outside of it"),
    "sparse": (
        lambda: with_weight(nn.Parameter(torch.eye(4).to_sparse())),
        r"1\.weight is a torch\.sparse_coo.*train plain weights or adapters",
    ),
    "sparse rows": (
        lambda: with_weight(nn.Parameter(torch.eye(4).to_sparse_csr())),
        r"1\.weight is a torch\.sparse_csr.*train plain weights or adapters",
    ),
    "quantised by a subclass": (
        lambda: with_weight(nn.Parameter(TwoTensor(torch.ones(4, 4), torch.ones(4, 4)))),
        r"1\.weight is a TwoTensor.*train plain weights or adapters",
    ),
    "complex": (complex_weight, r"1\.weight has type torch\.complex64, which is not floating"),
}


@pytest.mark.parametrize("recipe", ["mezo", "lozo", "s_mezo", "mezo forward"])
@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.filterwarnings("ignore:.*(Lazy modules|Sparse CSR|invariant checks)")
def test_what_noise_cannot_be_written_to_is_refused(kind, recipe):
    make, message = REFUSED[kind]
    model = make()
    options = {"apply": "forward"} if recipe.endswith("forward") else {}
    with pytest.raises(ValueError, match=message):
        build(recipe.split()[0], model, **options)


@pytest.mark.parametrize("kind", sorted(set(REFUSED) - {"lazy"}))
@pytest.mark.filterwarnings("ignore:.*(Sparse CSR|invariant checks)")
def test_what_noise_cannot_be_written_to_is_refused_later(kind):
    """As a group that is added, or because the model has been changed."""
    make, message = REFUSED[kind]
    with torch.no_grad():
        optimizer = estimators.mezo([("good", nn.Parameter(torch.ones(3)))])
    with pytest.raises(ValueError, match=message):
        optimizer.add_param_group({"params": list(make().named_parameters())})
    assert len(optimizer.param_groups) == 1
    optimizer.step(lambda: 1.0)


@pytest.mark.filterwarnings("ignore:.*quantized tensor creation")
@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int32, torch.quint8, torch.bool])
def test_integers_are_frozen_and_left_alone(dtype):
    """PyTorch lets no integer require a gradient; the adapters on them are trained."""
    values = torch.ones(4, 4)
    values = (
        torch.quantize_per_tensor(values, 0.1, 0, dtype)
        if dtype is torch.quint8
        else values.to(dtype)
    )
    frozen = nn.Parameter(values, requires_grad=False)
    with pytest.raises(ValueError, match="no parameter is trainable"):
        estimators.mezo([("codes", frozen)])
    adapter = nn.Parameter(torch.ones(4))
    optimizer = estimators.mezo([("codes", frozen), ("adapter", adapter)], lr=0.1)
    before = frozen.detach().clone()
    optimizer.step(lambda: float(adapter.detach().sum()))
    assert torch.equal(frozen, before)
    assert not torch.equal(adapter, torch.ones(4))


@pytest.mark.parametrize("recipe", ["mezo", "mezo_adam", "lozo"])
def test_layers_on_disk_are_refused(recipe, tmp_path):
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4))
    model = dispatch_model(
        model, {"0": "cpu", "1": "disk"}, main_device="cpu", offload_dir=str(tmp_path)
    )
    with pytest.raises(ValueError, match=r"1\.weight is on the meta device.*offloaded"):
        build(recipe, model)


@pytest.mark.parametrize("apply", ["inplace", "forward"])
def test_offloading_after_the_optimiser_was_made_is_told(apply):
    model, _, closure = small()
    optimizer = estimators.mezo(model, apply=apply)
    optimizer.step(closure)
    cpu_offload(model, execution_device=torch.device("cpu"))
    with pytest.raises(RuntimeError, match=r"weight is no longer a parameter of the model"):
        optimizer.step(closure)


@pytest.mark.parametrize("placement", [Shard(0), Replicate()])
def test_distributed_tensors_are_refused(placement):
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        model = nn.Sequential(nn.Linear(8, 4))
        mesh = init_device_mesh("cpu", (1,))
        model[0].weight = nn.Parameter(
            distribute_tensor(model[0].weight.detach(), mesh, [placement])
        )
        for options in ({}, {"apply": "forward"}):
            with pytest.raises(ValueError, match=r"0\.weight is sharded.*data_parallel"):
                estimators.mezo(model, **options)
    finally:
        dist.destroy_process_group()


_SHARDED = """
import sys, torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel
import estimators
rank, store = int(sys.argv[1]), dist.FileStore(sys.argv[2], 2)
dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
for original in (True, False):
    net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))
    model = FullyShardedDataParallel(
        net, use_orig_params=original, device_id=torch.device("cpu")
    )
    for params in (model, list(model.named_parameters()), list(model.parameters())):
        try:
            estimators.mezo(params)
        except ValueError as error:
            print(error)
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_sharded_models_are_refused(tmp_path):
    """By FSDP, on two ranks: as the model, by name, and without names."""
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", _SHARDED, str(rank), str(tmp_path / "store")],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for rank in range(2)
    ]
    for process in ranks:
        messages = process.communicate(timeout=60)[0].splitlines()
        assert process.returncode == 0
        assert len(messages) == 6
        assert all("sharded" in m and "use estimators.data_parallel" in m for m in messages)


# ---------------------------------------------------------------- equal losses


def equal(found):
    return [text for text in found if "equal bit for bit" in text]


@pytest.mark.parametrize("name", ["mezo", "one_sided", "nes", "mezo_gv", "hizoo", "tezo"])
def test_losses_of_another_model_are_told_once(name):
    model, x, _ = small()
    average = copy.deepcopy(model)
    found = told(lambda: steps(build(name, model), lambda: average(x).square().mean(), 30))
    assert len(equal(found)) == 1
    assert "another model" in found[-1]
    assert len(found) <= 2


def test_merged_adapters_are_told_once():
    model, _ = llama_problem()
    config = peft.LoraConfig(r=4, target_modules=["q_proj"])
    model = peft.get_peft_model(model, config).eval()
    tokens = torch.randint(0, 64, (3, 7))
    optimizer = estimators.mezo(model, lr=1e-3)
    closure = lambda: model(input_ids=tokens, labels=tokens).loss  # noqa: E731
    assert not told(lambda: steps(optimizer, closure, 3))
    model.merge_adapter()
    found = told(lambda: steps(optimizer, closure, 30))
    assert len(equal(found)) == 1
    assert "merged adapters" in equal(found)[0]


def test_eps_that_no_loss_sees_is_told_once():
    model, _, closure = small()
    for restore in (None, "copy"):
        optimizer = estimators.mezo(model, lr=1e-3, eps=1e-12, seed=0, restore=restore)
        found = told(lambda optimizer=optimizer: steps(optimizer, closure, 30))
        assert len(equal(found)) == 1
        assert "eps = 1e-12 is below the spacing of the weights" in equal(found)[0]


@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize("name", ["mezo", "mezo_adam", "tezo", "hizoo", "mezo_gv", "zo_sgd_cons"])
def test_a_flat_start_is_not_told(name, apply):
    model, _, loss = small()
    optimizer = build(name, model, lr=1e-3, eps=1e-2, seed=0, apply=apply)
    said = told(lambda: steps(optimizer, lambda: 0 * loss() if optimizer.steps < 2 else loss(), 20))
    assert not said


def test_an_accuracy_that_differs_mostly_is_not_told():
    torch.manual_seed(0)
    x = torch.randn(60, 2)
    y = (x[:, 0] > 0.3 * x[:, 1]).long()
    model = nn.Linear(2, 2)
    optimizer = estimators.mezo(model, lr=0.02, eps=0.3, seed=0)
    wrong = lambda: 1 - float((model(x).argmax(1) == y).float().mean())  # noqa: E731
    assert not told(lambda: steps(optimizer, wrong, 60))
    assert 0 < sum(a == b for a, b in optimizer.log.losses) < 20


# ---------------------------------------------------------------- 16 bits, and rounding


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("options", [{}, {"apply": "forward"}, {"recipe": "tezo"}])
def test_a_loss_of_16_bits_is_told_once(options, dtype):
    options = dict(options)
    name = options.pop("recipe", "mezo")

    def run(kind):
        model, _, loss = small()
        optimizer = build(name, model, lr=1e-6, eps=1e-3, seed=0, **options)
        return told(lambda: steps(optimizer, lambda: (10 + loss()).to(kind), 4))

    (text,) = run(dtype)
    assert re.search(r"computed in b?float16, whose spacing there is 0\.0", text)
    assert "compute it in float32" in text
    assert not run(torch.float32)


def rounding(size, dtype, eps, name="mezo", **options):
    """Return what is told of a large tensor beside a small one."""
    generator = torch.Generator().manual_seed(0)
    large = nn.Parameter((size * (1 + 0.3 * torch.rand(64, 16, generator=generator))).to(dtype))
    tiny = nn.Parameter((1e-4 * torch.randn(16, 4, generator=generator)).to(dtype))
    optimizer = build(name, [("encoder.table", large), ("head", tiny)], lr=0.0, eps=eps, **options)
    slope = torch.randn(64, 16, dtype=torch.float64, generator=generator)

    def closure():
        return float((large.detach().double() * slope).sum() + tiny.detach().double().sum())

    return told(lambda: steps(optimizer, closure, 3))


@pytest.mark.sampled
@pytest.mark.parametrize("options", [{}, {"restore": "copy"}, {"restore": "regenerate"}])
@pytest.mark.parametrize("name", ["mezo", "lozo", "rademacher", "sphere", "one_sided"])
@pytest.mark.parametrize(
    ("size", "dtype"),
    [(1e5, torch.float32), (1e6, torch.float32), (1.0, torch.bfloat16), (30.0, torch.float16)],
)
def test_rounding_is_told_once_with_an_eps_that_would_do(size, dtype, name, options):
    (text,) = rounding(size, dtype, 1e-4, name, **options)
    assert "encoder.table" in text
    assert "head" not in text
    assert "eps = 0.0001 is below the spacing" in text
    better = float(re.search(r"an eps of (\S+) would do", text).group(1))
    assert better > 1e-4
    assert not rounding(size, dtype, better, name, **options)
    assert not rounding(size, dtype, 2 * better, name, **options)


@pytest.mark.parametrize("size", [0.7, 1.0, 1.3, 1.7, 2.2, 2.9, 3.7, 4.9, 6.3, 8.1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_eps_that_is_told_does_whatever_the_size(size, dtype):
    """Also when it is rounded to one digit."""
    size *= 1e6 if dtype is torch.float32 else 10
    (text,) = rounding(size, dtype, 1e-4)
    assert not rounding(size, dtype, float(re.search(r"eps of (\S+) would do", text).group(1)))


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("size", "dtype", "eps"),
    [(1.0, torch.float32, 1e-3), (100.0, torch.float32, 1e-3), (1e-2, torch.bfloat16, 1e-3)],
)
@pytest.mark.parametrize("name", [name for name in RECIPES if name != "lezo"])
def test_rounding_that_does_not_matter_is_not_told(size, dtype, eps, name):
    assert not rounding(size, dtype, eps, name)


@pytest.mark.sampled
@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize("name", RECIPES)
def test_no_false_alarm_on_a_real_network(name, apply):
    model, closure = llama_problem()
    before = weights(model)
    optimizer = build(name, model, lr=1e-6, eps=1e-3, seed=0, apply=apply)
    assert not told(lambda: steps(optimizer, closure, 3))
    assert not same(before, weights(model))


def test_in_16_bits_only_the_norms_are_told():
    """Their weights are ones."""
    model, closure = llama_problem(torch.bfloat16)
    optimizer = estimators.mezo(model, lr=1e-6, seed=0)
    (text,) = told(lambda: steps(optimizer, lambda: closure().float(), 3))
    assert "norm.weight" in text or "layernorm.weight" in text
