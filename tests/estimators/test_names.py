"""What parameters are called, which blocks a model repeats, and LeZO, which leaves some out."""

import peft
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from transformers import GPT2Config, GPT2LMHeadModel, T5Config, T5ForConditionalGeneration

import estimators
from estimators.names import layers_of, plain_name, repeated_modules
from tests.estimators.language import tiny_llama
from tests.estimators.problems import Table

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
INNER = "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"
parts = st.lists(st.sampled_from(["layers", "0", "12", "q_proj", "weight", "modules"]), min_size=1)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("weight", "weight"),
        ("module.weight", "weight"),
        ("module.module.weight", "weight"),
        ("_orig_mod.module.0.weight", "0.weight"),
        ("module._orig_mod.layers.0._checkpoint_wrapped_module.weight", "layers.0.weight"),
        ("layers.0._fsdp_wrapped_module.w", "layers.0.w"),
        ("encoder.module.weight", "encoder.module.weight"),
        ("modules.weight", "modules.weight"),
        ("my_orig_mod.weight", "my_orig_mod.weight"),
        ("module", "module"),
        ("_orig_mod", "_orig_mod"),
    ],
)
def test_plain_names(name, plain):
    assert plain_name(name) == plain


@given(names=parts, data=st.data())
def test_wrappers_leave_no_trace(names, data):
    """Wherever torch.compile, FSDP and checkpoints wrap a module, and DDP the whole of it."""
    plain = ".".join(names)
    inner = st.lists(st.sampled_from(INNER), max_size=2)
    wrapped = [part for name in names for part in (*data.draw(inner), name)]
    outer = data.draw(st.lists(st.sampled_from(["module", *INNER]), max_size=3))
    assert plain_name(".".join([*outer, *wrapped])) == plain
    assert plain_name(plain) == plain


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.lin = nn.LayerNorm(4), nn.Linear(4, 4)


class Mixture(Block):
    """A block with experts, which are repeated inside of it."""

    def __init__(self):
        super().__init__()
        self.experts = nn.ModuleList(Block() for _ in range(3))


class Net(nn.Module):
    """Embedding, given parts, and a head."""

    def __init__(self, **children):
        super().__init__()
        self.embed, self.head = nn.Embedding(5, 4), nn.Linear(4, 2)
        for name, child in children.items():
            self.add_module(name, child)


def blocks(kind=Block, count=3):
    return nn.ModuleList(kind() for _ in range(count))


def compiled(module):
    return torch.compile(module, backend="eager")


def t5():
    torch.manual_seed(0)
    sizes = {"d_model": 8, "d_ff": 8, "d_kv": 4, "num_heads": 2, "vocab_size": 16}
    return T5ForConditionalGeneration(T5Config(num_layers=2, num_decoder_layers=3, **sizes))


def gpt2():
    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=8, n_positions=4, n_embd=4, n_layer=4, n_head=2)
    ).eval()


def adapted():
    return peft.get_peft_model(
        tiny_llama(), peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"])
    )


TREES = {
    "list": (lambda: Net(layers=blocks()), "layers.0 layers.1 layers.2"),
    "bare parameters": (Table, "layers.0 layers.1 layers.2 layers.3"),
    "sequential": (lambda: nn.Sequential(nn.Embedding(5, 4), *blocks(), nn.Linear(4, 2)), "1 2 3"),
    "inner sequential": (lambda: Net(body=nn.Sequential(*blocks())), "body.0 body.1 body.2"),
    "single layers": (lambda: nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)), "0 2"),
    "dictionary": (
        lambda: nn.ModuleDict({"embed": nn.Embedding(5, 4), "up": Block(), "down": Block()}),
        "up down",
    ),
    "attributes": (
        lambda: Net(first=Block(), second=Block(), last=Block()),
        "first second last",
    ),
    "numbered embeddings and heads": (
        lambda: Net(
            embeds=nn.ModuleList([nn.Embedding(5, 4), nn.Embedding(5, 4)]),
            layers=blocks(),
            heads=nn.ModuleList([nn.Linear(4, 2), nn.Linear(4, 2)]),
        ),
        "layers.0 layers.1 layers.2",
    ),
    "one head in a list": (
        lambda: Net(heads=nn.ModuleList([nn.Linear(4, 2)]), layers=blocks(count=2)),
        "layers.0 layers.1",
    ),
    "experts": (lambda: Net(layers=blocks(Mixture)), "layers.0 layers.1 layers.2"),
    "two towers": (
        lambda: Net(text=Net(layers=blocks(count=2)), image=Net(stages=blocks(count=2))),
        "text.layers.0 text.layers.1 image.stages.0 image.stages.1",
    ),
    "encoder and decoder": (
        t5,
        "encoder.block.0 encoder.block.1 decoder.block.0 decoder.block.1 decoder.block.2",
    ),
    "gpt2": (gpt2, "transformer.h.0 transformer.h.1 transformer.h.2 transformer.h.3"),
    "llama": (tiny_llama, "model.layers.0 model.layers.1"),
    "adapters": (adapted, "base_model.model.model.layers.0 base_model.model.model.layers.1"),
    "compiled": (lambda: compiled(Net(layers=blocks())), "layers.0 layers.1 layers.2"),
    "compiled blocks": (
        lambda: Net(layers=nn.ModuleList(compiled(b) for b in blocks())),
        "layers.0 layers.1 layers.2",
    ),
    "one compiled block": (
        lambda: Net(layers=nn.ModuleList([compiled(Block()), Block(), Block()])),
        "layers.0 layers.1 layers.2",
    ),
    "checkpointed blocks": (
        lambda: Net(layers=nn.ModuleList(checkpoint_wrapper(b) for b in blocks())),
        "layers.0 layers.1 layers.2",
    ),
    "wrapped": (lambda: nn.DataParallel(Net(layers=blocks())), "layers.0 layers.1 layers.2"),
    "one layer": (lambda: nn.Linear(4, 4), ""),
    "embedding and head": (Net, ""),
    "parts of PyTorch's": (
        lambda: Net(up=nn.Linear(4, 4), gate=nn.Linear(4, 4), down=nn.Linear(4, 4)),
        "",
    ),
}
trees = pytest.mark.parametrize(("make", "found"), TREES.values(), ids=TREES)


@trees
def test_repeated_modules(make, found):
    assert repeated_modules(make()) == found.split()


@trees
def test_every_parameter_is_of_one_block_or_none(make, found):
    model = make()
    names = [plain_name(name) for name, _ in model.named_parameters()]
    layers = layers_of(names, model, None)
    assert list(layers) == names
    assert {layer for layer in layers.values() if layer} == set(found.split())
    for name, layer in layers.items():
        inside = [place for place in found.split() if name.startswith(f"{place}.")]
        assert inside == ([layer] if layer else [])


@given(count=st.integers(2, 25), depth=st.integers(0, 2))
def test_blocks_of_many_digits(count, depth):
    """layers.1 is not layers.10, however deep the list is."""
    model = Net(layers=nn.ModuleList(nn.LayerNorm(1) for _ in range(count)))
    for _ in range(depth):
        model = Net(body=model)
    prefix = "body." * depth
    names = [name for name, _ in model.named_parameters()]
    found = layers_of(names, model, None)
    assert repeated_modules(model) == [f"{prefix}layers.{i}" for i in range(count)]
    for index in range(count):
        for kind in ("weight", "bias"):
            layer = f"{prefix}layers.{index}"
            assert found[f"{layer}.{kind}"] == layer


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("model.layers.3.mlp.weight", "model.layers.3"),
        ("transformer.h.11.ln.bias", "transformer.h.11"),
        ("layers.1.experts.2.w", "layers.1"),
        ("blocks.4", "blocks.4"),
        ("0.weight", None),
        ("embed.weight", None),
        ("layer3.weight", None),
        ("parameter.3", None),
    ],
)
def test_layers_read_off_names(name, layer):
    assert layers_of([name], None, None) == {name: layer}


def test_layers_that_are_given():
    names = ["a.w", "ab.w", "a", "b.a.w", "c.1.w", "c.10.w"]
    found = layers_of(names, Net(layers=blocks()), ["a", "c.1"])
    assert found == dict(zip(names, ["a", None, "a", None, "c.1", None], strict=True))


def movements(model, optimizer, steps=10):
    """Return the sets of names that steps move."""
    named = {plain_name(name): param for name, param in model.named_parameters()}

    def loss():
        return sum((p.double() + 1.0).square().sum() for p in named.values())

    found = []
    for _ in range(steps):
        before = {name: param.detach().clone() for name, param in named.items()}
        optimizer.step(loss)
        found.append({name for name in named if not torch.equal(named[name], before[name])})
    return found


OPTIONS = {"lr": 1e-3, "eps": 1e-2, "seed": 0, "restore": "copy"}


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.75])
@trees
def test_lezo_moves_some_blocks_and_all_else(make, found, sparsity):
    model, found = make(), found.split()
    if not found:
        with pytest.raises(ValueError, match="layers="):
            estimators.lezo(model, sparsity=sparsity, **OPTIONS)
        return
    trained = {plain_name(name) for name, p in model.named_parameters() if p.requires_grad}
    layers = layers_of(sorted(trained), model, None)
    optimizer, moving = estimators.lezo(model, sparsity=sparsity, **OPTIONS), set()
    for moved in movements(model, optimizer, 6):
        assert {name for name in trained if layers[name] is None} <= moved <= trained
        on = {layers[name] for name in moved} - {None}
        assert len(on) == len(found) - int(sparsity * len(found))
        assert {name for name in trained if layers[name] in on} <= moved
        moving |= on
    assert len(moving) > 1


def test_lezo_draws_every_block():
    model = Net(layers=blocks(count=4))
    moved = set().union(*movements(model, estimators.lezo(model, **OPTIONS), 40))
    assert moved == {name for name, _ in model.named_parameters()}


def groups(model):
    named = list(model.named_parameters())
    matrices = [pair for pair in named if pair[1].ndim == 2]
    return [{"params": matrices}, {"params": [pair for pair in named if pair[1].ndim < 2]}]


@pytest.mark.parametrize(
    "make",
    [
        lambda m: estimators.lezo(m.parameters(), model=m, **OPTIONS),
        lambda m: estimators.lezo(m.named_parameters(), **OPTIONS),
        lambda m: estimators.lezo(list(m.named_parameters()), **OPTIONS),
        lambda m: estimators.lezo(groups(m), model=m, **OPTIONS),
        lambda m: estimators.lezo(groups(m), **OPTIONS),
        lambda m: estimators.lezo(compiled(m), **OPTIONS),
        lambda m: estimators.lezo(nn.DataParallel(m), **OPTIONS),
        lambda m: estimators.lezo(m, layers=[f"layers.{i}" for i in range(4)], **OPTIONS),
        lambda m: estimators.lezo(
            list(m.named_parameters()), layers=[f"layers.{i}" for i in range(4)], **OPTIONS
        ),
    ],
)
def test_lezo_is_one_run_however_the_model_is_given(make):
    runs = []
    for way in (lambda m: estimators.lezo(m, **OPTIONS), make):
        torch.manual_seed(0)
        model = Net(layers=blocks(count=4))
        runs.append((movements(model, way(model), 5), list(model.parameters())))
    assert runs[0][0] == runs[1][0]
    assert all(torch.equal(a, b) for a, b in zip(runs[0][1], runs[1][1], strict=True))


def test_lezo_over_parameters_alone():
    """The module of model.parameters() is known, their names are not: the blocks are found."""
    model = Net(layers=blocks(count=4))
    optimizer = estimators.lezo(model.parameters(), **OPTIONS)
    assert next(iter(optimizer.named_parameters())) == "parameter.0"
    for moved in movements(model, optimizer):
        assert {"embed.weight", "head.weight", "head.bias"} <= moved
        assert len({name.split(".")[1] for name in moved if name.startswith("layers.")}) == 1


@pytest.mark.parametrize(
    "params",
    [
        lambda m: list(m.parameters()),
        lambda m: [("w", m.embed.weight), ("v", m.head.weight)],
        lambda m: [{"params": list(m.parameters())}],
    ],
)
def test_lezo_without_layers_says_what_to_give(params):
    with pytest.raises(ValueError, match="layers="):
        estimators.lezo(params(Net(layers=blocks())), **OPTIONS)


def test_layers_are_chosen_by_name():
    model = Net(up=nn.Linear(4, 4), gate=nn.Linear(4, 4), down=nn.Linear(4, 4))
    optimizer = estimators.lezo(model, layers=["up", "gate"], sparsity=0.5, **OPTIONS)
    for moved in movements(model, optimizer):
        assert {"embed.weight", "head.weight", "head.bias", "down.weight", "down.bias"} <= moved
        assert ("up.weight" in moved) != ("gate.weight" in moved)


def test_layers_that_there_are_not():
    model = Net(layers=blocks())
    with pytest.raises(ValueError, match=r"no trainable parameter belongs to 'layers\.7'"):
        estimators.lezo(model, layers=["layers.0", "layers.7"])
    with pytest.raises(ValueError, match="must be a list of names"):
        estimators.lezo(model, layers="layers")
