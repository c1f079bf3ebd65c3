"""The Trainer: no gradients, and everything else that a Trainer does."""

import warnings
from functools import partial
from itertools import chain

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import IterableDataset
from transformers import Trainer, TrainerCallback
from transformers.modeling_outputs import CausalLMOutput

import estimators
from estimators import StepSize
from estimators.trainer import ZerothOrderTrainer
from tests.estimators.language import arguments, sentences, tiny_llama
from tests.estimators.problems import RECIPES, build, same, weights


def trainer(folder, name="mezo", model=None, **options):
    options = {"train_dataset": sentences(), **options}
    kind = {
        k: options.pop(k)
        for k in ("callbacks", "train_dataset", "eval_dataset", "step_size")
        if k in options
    }
    recipe = options.pop("recipe", partial(build, name))
    model = tiny_llama() if model is None else model
    return ZerothOrderTrainer(model, arguments(folder, **options), recipe=recipe, **kind)


@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_without_gradients(name, tmp_path):
    model = tiny_llama()

    def forbid(parameter):
        raise AssertionError("a gradient was computed")

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(forbid)
    modes = []
    model.register_forward_hook(lambda *_: modes.append(torch.is_grad_enabled()))
    before = weights(model)
    run = trainer(tmp_path, name, model, max_steps=2)
    run.train()
    assert not any(modes)
    assert all(p.grad is None for p in model.parameters())
    assert not same(before, weights(model))
    optimizer = run.optimizer.optimizer
    assert optimizer.steps == 2
    assert len(modes) == sum(map(len, optimizer.log.losses))


@pytest.mark.parametrize("apply", ["inplace", "forward"])
def test_the_trainer_makes_the_steps_of_a_plain_loop(apply, tmp_path):
    """Schedule, decay groups, batches and their losses: the weights are those of a short loop."""
    data = sentences(8)
    run = trainer(
        tmp_path,
        recipe=partial(estimators.tezo_adam, apply=apply, rank=4),
        train_dataset=data,
        max_steps=5,
        weight_decay=0.5,
        warmup_steps=2,
        per_device_train_batch_size=8,
        lr_scheduler_type="cosine",
        seed=11,
    )
    run.train()

    model = tiny_llama()
    norms = [(n, p) for n, p in model.named_parameters() if "norm" in n]
    others = [(n, p) for n, p in model.named_parameters() if "norm" not in n]
    groups = [{"params": others}, {"params": norms, "weight_decay": 0.0}]
    optimizer = estimators.tezo_adam(
        groups, 1e-3, model=model, weight_decay=0.5, seed=11, rank=4, apply=apply
    )
    inputs, labels = (torch.stack([d[k] for d in data]) for k in ("input_ids", "labels"))
    rates = [0.0, 5e-4, 1e-3, 7.5e-4, 2.5e-4]
    for rate in rates:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step(lambda: model(input_ids=inputs, labels=labels).loss)
    logged = [entry["learning_rate"] for entry in run.state.log_history if "loss" in entry]
    torch.testing.assert_close(logged, rates)
    for left, right in zip(run.model.parameters(), model.parameters(), strict=True):
        # The order of sentences in the batch changes roundings of the loss only.
        torch.testing.assert_close(left, right, rtol=0, atol=2e-4)


def test_accumulation_is_a_larger_batch(tmp_path):
    """Uneven numbers of tokens: the loss is the mean over the tokens of all batches."""
    losses = []
    for size, batches in ((8, 1), (4, 2), (2, 4)):
        run = trainer(
            tmp_path,
            train_dataset=sentences(24),
            max_steps=3,
            per_device_train_batch_size=size,
            gradient_accumulation_steps=batches,
        )
        run.train()
        losses.append(run.optimizer.optimizer.log.losses)
        logged = [entry["loss"] for entry in run.state.log_history if "loss" in entry]
        means = [sum(step) / len(step) for step in losses[-1]]
        torch.testing.assert_close(logged, means, rtol=0, atol=1e-4)
    for other in losses[1:]:
        torch.testing.assert_close(other, losses[0], rtol=0, atol=1e-5)


def test_batches_of_models_that_do_not_count_tokens_are_averaged(tmp_path):
    class Regression(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 1)

        def forward(self, x, labels):
            return {"loss": (self.linear(x).squeeze(-1) - labels).square().mean()}

    data = [{"x": torch.full((3,), i / 10), "labels": torch.tensor(1.0)} for i in range(8)]
    losses = []
    for size, batches in ((8, 1), (2, 4)):
        torch.manual_seed(0)
        options = {"per_device_train_batch_size": size, "gradient_accumulation_steps": batches}
        run = trainer(tmp_path, model=Regression(), train_dataset=data, max_steps=4, **options)
        run.train()
        losses.append(run.optimizer.optimizer.log.losses)
    torch.testing.assert_close(losses[0], losses[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["mezo", "svd0_adam", "lozo_m", "tezo_adam"])
def test_a_resumed_run_equals_the_uninterrupted_one(name, tmp_path):
    options = {
        "max_steps": 8,
        "save_strategy": "steps",
        "save_steps": 3,
        "gradient_accumulation_steps": 2,
        "weight_decay": 0.1,
    }
    whole = trainer(tmp_path, name, **options)
    whole.train()
    rest = trainer(tmp_path, name, **options)
    rest.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert same(weights(whole.model), weights(rest.model))
    logs = [run.optimizer.optimizer.log for run in (whole, rest)]
    assert logs[0].losses == logs[1].losses
    assert logs[0].rates == logs[1].rates
    assert len(logs[0]) == 8


def test_evaluation_logging_and_stopping(tmp_path):
    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            control.should_training_stop = state.global_step == 4

    run = trainer(
        tmp_path,
        eval_dataset=sentences(6),
        eval_strategy="steps",
        eval_steps=2,
        callbacks=[Stop()],
    )
    run.train()
    history = run.state.log_history
    assert [e["step"] for e in history if "eval_loss" in e] == [2, 4]
    assert run.optimizer.optimizer.steps == 4
    assert not any("grad_norm" in entry for entry in history)
    assert run.evaluate()["eval_loss"] == [e["eval_loss"] for e in history if "eval_loss" in e][-1]


def test_dropout_is_off_while_losses_are_compared(tmp_path):
    ends = []
    for rate in (0.0, 0.5):
        run = trainer(tmp_path, model=tiny_llama(attention_dropout=rate))
        run.train()
        ends.append(weights(run.model))
    assert same(*ends)


def test_the_loss_falls(tmp_path):
    tokens = torch.randint(0, 4, (32, 9), generator=torch.Generator().manual_seed(1))
    data = [{"input_ids": row, "labels": row} for row in tokens]
    options = {"max_steps": 30, "learning_rate": 3e-3, "lr_scheduler_type": "constant"}
    run = trainer(tmp_path, train_dataset=data, eval_dataset=data, **options)
    before = run.evaluate()["eval_loss"]
    run.train()
    assert run.evaluate()["eval_loss"] < before - 0.2


def test_an_optimiser_and_a_scheduler_of_ones_own(tmp_path):
    model = tiny_llama()
    optimizer = estimators.mezo(model, lr=1e-3)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.1)
    run = ZerothOrderTrainer(
        model,
        arguments(tmp_path),
        optimizers=(optimizer, schedule),
        train_dataset=sentences(),
    )
    run.train()
    assert optimizer.steps == 6
    rates = [rate for _, (rate,), _ in optimizer.log.rates]
    torch.testing.assert_close(rates, [1e-3, 1e-4, 1e-5])


def returning(make):
    """A Trainer whose compute_loss returns make(loss, outputs) of the usual ones."""

    class Returning(ZerothOrderTrainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
            return make(loss, outputs)

    return Returning


LOSSES = {
    "float": lambda loss, _: loss.item(),
    "numpy": lambda loss, _: np.float32(loss.item()),
    "array": lambda loss, _: loss.numpy(),
    "tensor": lambda loss, _: loss,
    "one element": lambda loss, _: loss.view(1, 1),
    "pair": lambda loss, outputs: (loss.item(), outputs),
    "dict": lambda loss, outputs: {"loss": loss.item(), "logits": outputs.logits},
    "output": lambda loss, outputs: CausalLMOutput(loss=loss, logits=outputs.logits),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("kind", LOSSES)
def test_compute_loss_may_return_a_number_in_any_of_its_forms(kind, tmp_path):
    options = {"max_steps": 2, "gradient_accumulation_steps": 2}
    usual = trainer(tmp_path, **options, eval_dataset=sentences(6))
    made = returning(LOSSES[kind])(
        tiny_llama(),
        arguments(tmp_path, **options),
        recipe=estimators.mezo,
        train_dataset=sentences(),
        eval_dataset=sentences(6),
    )
    for run in (usual, made):
        run.train()
    assert same(weights(usual.model), weights(made.model))
    assert made.evaluate()["eval_loss"] == pytest.approx(usual.evaluate()["eval_loss"], rel=1e-6)
    if kind in ("pair", "dict", "output"):
        left, right = (run.predict(sentences(6)).predictions for run in (usual, made))
        np.testing.assert_array_equal(left, right)
    else:
        with pytest.raises(TypeError, match=r"compute_loss must return \(loss, outputs\)"):
            made.predict(sentences(6))


def test_a_count_is_a_loss(tmp_path):
    """Integers, which no gradient could come from; evaluation puts the method back."""

    class Mistakes(ZerothOrderTrainer):
        def compute_loss(self, model, inputs, **_):
            guess = model(input_ids=inputs["input_ids"]).logits[:, :-1].argmax(-1)
            return int((guess != inputs["labels"][:, 1:]).sum())

    run = Mistakes(
        tiny_llama(),
        arguments(tmp_path, max_steps=2),
        recipe="mezo",
        train_dataset=sentences(),
        eval_dataset=sentences(8),
    )
    run.train()
    assert all(loss % 1 == 0 for step in run.optimizer.optimizer.log.losses for loss in step)
    assert run.evaluate()["eval_loss"] % 1 == 0
    assert "compute_loss" not in vars(run)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda *_: None, "got NoneType"),
        (lambda *_: "0.5", "got str"),
        (lambda *_: [0.5], "got list"),
        (lambda *_: {"accuracy": 0.5}, "got dict"),
        (lambda *_: {"loss": None}, "got dict with NoneType"),
        (lambda *_: (None, None), "got tuple with NoneType"),
        (lambda *_: torch.ones(2), r"got Tensor of shape \(2,\)"),
        (lambda *_: np.ones(2), r"got ndarray of shape \(2,\)"),
        (lambda *_: torch.tensor(1j), "got Tensor"),
    ],
)
def test_compute_loss_without_a_loss_is_named(make, told, tmp_path):
    model = tiny_llama(torch.bfloat16)
    before = weights(model)
    options = {"recipe": estimators.mezo, "train_dataset": sentences()}
    run = returning(make)(model, arguments(tmp_path), **options)
    with pytest.raises(TypeError, match=f"compute_loss must return a number.*{told}"):
        run.train()
    assert same(before, weights(model))


@pytest.mark.parametrize("scaled", [None, False, True])
def test_losses_of_ones_own_are_added_up_as_in_trainer(scaled, tmp_path):
    class Constant(ZerothOrderTrainer):
        loss_is_scaled_for_ga = scaled

        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            return 2.0

    options = {"max_steps": 1, "gradient_accumulation_steps": 3}
    run = Constant(
        tiny_llama(), arguments(tmp_path, **options), recipe="mezo", train_dataset=sentences()
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run.train()
    told = [w for w in caught if "loss_is_scaled_for_ga to False" in str(w.message)]
    assert bool(told) == (scaled is None)
    total = 2.0 if scaled is False else 6.0
    assert run.optimizer.optimizer.log.losses == [[total, total]]


def test_compute_loss_func_may_return_a_float(tmp_path):
    def function(outputs, labels, num_items_in_batch=None):
        logits = outputs.logits[:, :-1].flatten(0, 1)
        loss = nn.functional.cross_entropy(logits, labels[:, 1:].flatten(), reduction="sum")
        return loss.item() / float(num_items_in_batch)

    losses = []
    for func in (None, function):
        run = ZerothOrderTrainer(
            tiny_llama(),
            arguments(tmp_path, gradient_accumulation_steps=2, max_steps=3),
            recipe="mezo",
            train_dataset=sentences(),
            eval_dataset=sentences(6),
            compute_loss_func=func,
        )
        run.train()
        steps = run.optimizer.optimizer.log.losses
        losses.append([*chain.from_iterable(steps), run.evaluate()["eval_loss"]])
    torch.testing.assert_close(*losses, rtol=0, atol=1e-5)


class Events(TrainerCallback):
    """Remembers every event with a copy of the weights, and can act at one."""

    def __init__(self, at="", act=lambda control: None):
        self.at, self.act = at, act
        self.seen = []

    def __getattribute__(self, name):
        if not name.startswith("on_") or name == "on_init_end":
            return object.__getattribute__(self, name)

        def note(args, state, control, model=None, **_):
            self.seen.append((name, weights(model)))
            if name == self.at:
                self.act(control)

        return note


def test_callbacks_come_in_the_order_of_a_trainer_around_the_step(tmp_path):
    options = {"max_steps": 3, "gradient_accumulation_steps": 2}
    events = Events(), Events()
    usual = Trainer(
        tiny_llama(),
        arguments(tmp_path, **options),
        train_dataset=sentences(),
        callbacks=[events[0]],
    )
    for run in (usual, trainer(tmp_path, callbacks=[events[1]], **options)):
        run.train()
    assert [name for name, _ in events[0].seen] == [name for name, _ in events[1].seen]
    changes = [
        (name, after)
        for (name, left), (after, right) in zip(events[1].seen, events[1].seen[1:], strict=False)
        if not same(left, right)
    ]
    assert changes == [("on_pre_optimizer_step", "on_optimizer_step")] * 3


@pytest.mark.parametrize("logging_steps", [1, 2, 4, 50])
def test_the_loss_of_every_step_is_logged_once(logging_steps, tmp_path):
    run = trainer(
        tmp_path,
        max_steps=7,
        gradient_accumulation_steps=3,
        logging_steps=logging_steps,
        eval_dataset=sentences(4),
        eval_strategy="steps",
        eval_steps=2,
        save_strategy="steps",
        save_steps=3,
    )
    result = run.train()
    means = [sum(step) / len(step) for step in run.optimizer.optimizer.log.losses]
    logged = {entry["step"]: entry["loss"] for entry in run.state.log_history if "loss" in entry}
    expected = {
        step: sum(means[step - logging_steps : step]) / logging_steps
        for step in range(logging_steps, 8, logging_steps)
    }
    assert logged == pytest.approx(expected, rel=1e-5)
    assert result.training_loss == pytest.approx(sum(means) / 7, rel=1e-5)
    result = run.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert result.training_loss == pytest.approx(sum(means[3:]) / 4, rel=1e-5)


class Seen(ZerothOrderTrainer):
    """Remembers the batches and the number of items of every step."""

    def evaluate_loss(self, model, batches, num_items_in_batch):
        if self.optimizer.optimizer.steps == len(self.__dict__.setdefault("seen", [])):
            self.seen.append((len(batches), int(num_items_in_batch)))
            items = sum(int((b["labels"][:, 1:] != -100).sum()) for b in batches)
            assert items == num_items_in_batch
        return super().evaluate_loss(model, batches, num_items_in_batch)


@pytest.mark.parametrize("at", ["on_step_begin", "on_substep_end", "on_pre_optimizer_step"])
def test_a_callback_that_raises_leaves_weights_and_no_batches(at, tmp_path):
    def fail(control):
        raise OSError("full disk")

    events = Events(at, fail)
    model = tiny_llama()
    before = weights(model)
    options = {"max_steps": 2, "gradient_accumulation_steps": 2}
    run = Seen(
        model,
        arguments(tmp_path, **options),
        recipe="mezo",
        train_dataset=sentences(),
        callbacks=[events],
    )
    with pytest.raises(OSError, match="full disk"):
        run.train()
    assert same(before, weights(model))
    events.at = ""
    run.train()
    assert [count for count, _ in run.seen] == [2, 2]


def test_a_callback_that_stops_within_a_step_leaves_the_weights(tmp_path):
    def stop(control):
        control.should_training_stop = True

    events = Events("on_substep_end", stop)
    model = tiny_llama()
    before = weights(model)
    options = {"max_steps": 2, "gradient_accumulation_steps": 3}
    run = trainer(tmp_path, model=model, callbacks=[events], **options)
    assert run.train().training_loss == 0.0
    assert same(before, weights(model))
    assert run.optimizer.optimizer.steps == 0


def test_training_again_after_an_exception_within_a_step(tmp_path):
    class Breaks(Seen):
        calls = 0

        def compute_loss(self, *args, **kwargs):
            self.calls += 1
            if self.calls == 6:
                raise OSError("no such file")
            return super().compute_loss(*args, **kwargs)

    options = {"max_steps": 3, "gradient_accumulation_steps": 2}
    run = Breaks(
        tiny_llama(), arguments(tmp_path, **options), recipe="mezo", train_dataset=sentences()
    )
    with pytest.raises(OSError, match="no such file"):
        run.train()
    result = run.train()
    losses = run.optimizer.optimizer.log.losses
    assert len(losses) == 4  # one of the first run
    assert all(count == 2 for count, _ in run.seen)
    means = [sum(step) / len(step) for step in losses[1:]]
    assert result.training_loss == pytest.approx(sum(means) / 3, rel=1e-5)


def test_a_training_step_that_collects_nothing_is_told(tmp_path):
    class Own(ZerothOrderTrainer):
        def training_step(self, model, inputs, num_items_in_batch=None):
            return torch.tensor(1.0)

    run = Own(tiny_llama(), arguments(tmp_path), recipe="mezo", train_dataset=sentences())
    with pytest.raises(RuntimeError, match="no batch was collected"):
        run.train()


def test_the_last_group_of_an_epoch_is_a_step(tmp_path):
    options = {"max_steps": -1, "num_train_epochs": 2, "gradient_accumulation_steps": 3}
    run = Seen(
        tiny_llama(), arguments(tmp_path, **options), recipe="mezo", train_dataset=sentences(15)
    )
    run.train()
    assert [count for count, _ in run.seen] == [3, 1, 3, 1]


def test_what_a_stream_leaves_over_joins_the_next_step(tmp_path):
    """Six batches an epoch of a length nobody knows: none is dropped or counted twice."""

    class Stream(IterableDataset):
        def __iter__(self):
            yield from sentences(24)

    run = Seen(
        tiny_llama(),
        arguments(tmp_path, max_steps=3, gradient_accumulation_steps=4),
        recipe="mezo",
        train_dataset=Stream(),
    )
    run.train()
    assert [count for count, _ in run.seen] == [4, 6, 6]
    model = tiny_llama()
    assert run.state.global_step == run.optimizer.optimizer.steps == 3

    # The second step, from the weights after the first, is one on the mean over all its tokens.
    optimizer = estimators.mezo(model, lr=1e-3, seed=42)
    data = sentences(24)
    for rate, rows in ((1e-3, data[:16]), (2e-3 / 3, data[16:] + data[:16])):
        inputs, labels = (torch.stack([d[k] for d in rows]) for k in ("input_ids", "labels"))
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step(lambda i=inputs, t=labels: model(input_ids=i, labels=t).loss)
    expected = run.optimizer.optimizer.log.losses[:2]
    torch.testing.assert_close(optimizer.log.losses, expected, rtol=0, atol=1e-5)


def test_a_nan_stops_the_run_with_the_weights_restored(tmp_path):
    class Poisoned(ZerothOrderTrainer):
        def compute_loss(self, *args, **kwargs):
            return super().compute_loss(*args, **kwargs) * float("nan")

    model = tiny_llama(torch.bfloat16)
    before = weights(model)
    run = Poisoned(model, arguments(tmp_path), recipe=estimators.mezo, train_dataset=sentences())
    with pytest.raises(ValueError, match="returned nan in step 0"):
        run.train()
    assert same(before, weights(model))


def test_bad_arguments(tmp_path):
    model, args = tiny_llama(), arguments(tmp_path)
    with pytest.raises(ValueError, match="either a recipe or"):
        ZerothOrderTrainer(model, args)
    with pytest.raises(ValueError, match="either a recipe or"):
        ZerothOrderTrainer(
            model, args, recipe=estimators.mezo, optimizers=(estimators.mezo(model), None)
        )
    with pytest.raises(TypeError, match="need a ZerothOrder optimiser, got SGD"):
        ZerothOrderTrainer(model, args, optimizers=(torch.optim.SGD(model.parameters(), 0.1), None))
    args.fp16 = True
    with pytest.raises(ValueError, match="load the model in float16"):
        ZerothOrderTrainer(model, args, recipe=estimators.mezo)
    args.fp16 = False
    schedule = torch.optim.lr_scheduler.StepLR(torch.optim.SGD(model.parameters(), 0.1), 2)
    with pytest.raises(ValueError, match="a scheduler acts on its own optimiser"):
        ZerothOrderTrainer(model, args, recipe="mezo", optimizers=(None, schedule))
    with pytest.raises(ValueError, match="optimizer_cls_and_kwargs has no meaning"):
        ZerothOrderTrainer(
            model, args, recipe="mezo", optimizer_cls_and_kwargs=(torch.optim.SGD, {})
        )
    assert issubclass(ZerothOrderTrainer, Trainer)


def test_a_recipe_by_its_name(tmp_path):
    ends = []
    for recipe in ("mezo", estimators.mezo):
        run = trainer(tmp_path, recipe=recipe, max_steps=2, seed=3)
        run.train()
        assert run.optimizer.optimizer.seed == 3
        ends.append(weights(run.model))
    assert same(*ends)
    with pytest.raises(ValueError, match=r"no recipe 'mzo'; there are .*lozo, .*mezo, .*tezo_m"):
        trainer(tmp_path, recipe="mzo")
    for name in ("with_greedy", "replay", "ZerothOrder"):  # no recipes
        with pytest.raises(ValueError, match=f"no recipe '{name}'; there are"):
            trainer(tmp_path, recipe=name)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_its_name(name, tmp_path):
    assert trainer(tmp_path, recipe=name).recipe is getattr(estimators, name)


def test_recipes_of_other_kinds(tmp_path):
    with pytest.raises(TypeError, match="recipe must be callable or a name, got 3"):
        trainer(tmp_path, recipe=3)
    with pytest.raises(TypeError, match="give one that exists as optimizers="):
        trainer(tmp_path, recipe=estimators.mezo(tiny_llama()))

    def sgd(params, lr, **_):
        return torch.optim.SGD(params, lr)

    with pytest.raises(TypeError, match="the recipe sgd made no ZerothOrder but SGD"):
        trainer(tmp_path, recipe=sgd).train()


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ({"optim": "adafactor"}, "optim='adafactor' needs gradients"),
        ({"optim_args": "eps=1"}, "optim_args would not reach the recipe"),
        ({"adam_beta1": 0.5, "adam_epsilon": 1e-6}, "adam_beta1, adam_epsilon would not reach"),
        ({"max_grad_norm": 0.3}, "max_grad_norm clips gradients"),
        ({"neftune_noise_alpha": 5.0}, "random within a step"),
        ({"fp16_full_eval": True}, "load the model in float16"),
        ({"bf16_full_eval": True}, "load the model in bfloat16"),
        ({"fp16": True}, "load the model in float16"),
    ],
)
def test_arguments_that_would_be_ignored_are_refused(option, told, tmp_path):
    with pytest.raises(ValueError, match=told):
        trainer(tmp_path, **option)


@pytest.mark.parametrize("name", ["deepspeed", "fsdp"])
def test_parts_of_a_model_are_refused(name, tmp_path):
    args = arguments(tmp_path)
    setattr(args, name, {"stage": 3})
    with pytest.raises(ValueError, match="every process needs the whole model"):
        ZerothOrderTrainer(tiny_llama(), args, recipe="mezo", train_dataset=sentences())


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "option",
    [
        {"optim": "adamw_torch"},
        {"max_grad_norm": 0.0},
        {"gradient_checkpointing": True},
        {"train_sampling_strategy": "group_by_length"},
        {"auto_find_batch_size": True},
        {"torch_compile": True, "torch_compile_backend": "eager"},
        {"include_num_input_tokens_seen": True},
    ],
    ids=lambda option: next(iter(option)),
)
def test_arguments_that_change_nothing(option, tmp_path):
    # Sorted by length (all are as long), sentences come in another order.
    data = sentences(4)
    ends = []
    for options in ({}, option):
        run = trainer(tmp_path, train_dataset=data, max_steps=2, **options)
        run.train()
        ends.append(run.optimizer.optimizer.log.losses)
    torch.testing.assert_close(*ends, rtol=0, atol=1e-5)


def test_full_evaluation_in_the_type_of_the_weights(tmp_path):
    run = trainer(
        tmp_path,
        model=tiny_llama(torch.bfloat16),
        bf16_full_eval=True,
        eval_dataset=sentences(4),
        max_steps=2,
    )
    run.evaluate()
    run.train()
    assert run.evaluate()["eval_loss"] > 0


@pytest.mark.parametrize("given", [False, True])
def test_compiled_models_have_their_noise_in_the_weights(given, tmp_path):
    model = tiny_llama()
    args = arguments(tmp_path, torch_compile=True, torch_compile_backend="eager")
    recipe = partial(estimators.mezo, apply="forward")
    kind = {"optimizers": (recipe(model), None)} if given else {"recipe": recipe}
    run = ZerothOrderTrainer(model, args, train_dataset=sentences(), **kind)
    with pytest.raises(ValueError, match="torch_compile would compile the noise"):
        run.train()


def test_bf16_computes_losses_in_16_bits_and_keeps_weights_in_32(tmp_path):
    kinds = set()
    losses = []
    for bf16 in (False, True):
        model = tiny_llama()
        model.lm_head.register_forward_hook(lambda *found: kinds.add(found[-1].dtype))
        run = trainer(tmp_path, model=model, bf16=bf16, max_steps=2)
        run.train()
        losses.append(run.optimizer.optimizer.log.losses)
        assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert kinds == {torch.float32, torch.bfloat16}
    assert losses[0] != losses[1]
    torch.testing.assert_close(*losses, rtol=0, atol=2e-2)


def test_smoothed_labels(tmp_path):
    """The Trainer's rule, which takes labels out of its batch, at every point of a step."""
    factor, data = 0.2, sentences(4)
    run = trainer(
        tmp_path, train_dataset=data, label_smoothing_factor=factor, max_steps=1, warmup_steps=1
    )
    run.train()
    model = tiny_llama()
    inputs, labels = (torch.stack([d[k] for d in data]) for k in ("input_ids", "labels"))

    def closure():
        logits = model(input_ids=inputs).logits[:, :-1].flatten(0, 1)
        return nn.functional.cross_entropy(logits, labels[:, 1:].flatten(), label_smoothing=factor)

    optimizer = estimators.mezo(model, seed=42)
    optimizer.step(closure)
    expected = run.optimizer.optimizer.log.losses
    torch.testing.assert_close(optimizer.log.losses, expected, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_a_batch_that_does_not_fit_is_made_smaller(tmp_path):
    """auto_find_batch_size: what was collected for the step that failed is forgotten."""

    class Small(Seen):
        def compute_loss(self, model, inputs, **kwargs):
            if len(inputs["labels"]) > 2:
                raise RuntimeError("CUDA out of memory. Tried to allocate 1 GiB")
            return super().compute_loss(model, inputs, **kwargs)

    model = tiny_llama()
    options = {"gradient_accumulation_steps": 2, "auto_find_batch_size": True, "max_steps": 2}
    run = Small(
        model,
        arguments(tmp_path, per_device_train_batch_size=8, **options),
        recipe="mezo",
        train_dataset=sentences(),
    )
    run.train()
    assert run.optimizer.optimizer.steps == 2
    assert [count for count, _ in run.seen] == [2, 2]


@pytest.mark.slow
def test_the_real_model_on_the_reviews(tmp_path):
    """SmolLM2-135M reads "<sentence> It was" and learns to say terrible or great."""
    from zotheory.model.language_model import load_model
    from zotheory.model.prompts import LABEL_WORDS, prompt
    from zotheory.model.reviews import examples, load_reviews, split

    loaded = load_model()
    reviews = split(examples(load_reviews()), seed=0)

    def encode(example):
        tokens = loaded.tokenizer(prompt(example.sentence) + LABEL_WORDS[example.label]).input_ids
        tokens = tokens[-32:]
        pad = 32 - len(tokens)
        return {
            "input_ids": torch.tensor([0] * pad + tokens),
            "attention_mask": torch.tensor([0] * pad + [1] * len(tokens)),
            "labels": torch.tensor([-100] * 31 + tokens[-1:]),  # the label word alone
        }

    run = trainer(
        tmp_path,
        model=loaded.model,
        recipe=partial(estimators.tezo, apply="forward"),
        train_dataset=[encode(e) for e in reviews.train[:512]],
        eval_dataset=[encode(e) for e in reviews.validation[:24]],
        max_steps=15,
        learning_rate=3e-6,
        lr_scheduler_type="constant",
        per_device_train_batch_size=8,
        logging_steps=5,
    )
    before = run.evaluate()["eval_loss"]
    run.train()
    assert run.evaluate()["eval_loss"] < before - 0.3
    assert all(p.grad is None for p in loaded.model.parameters())


def test_a_run_that_measures_its_rate_resumes_bit_for_bit(tmp_path):
    """Stopped at step 3, where an update waits for its batch."""
    options = {"learning_rate": "auto", "max_steps": 12, "save_strategy": "steps", "save_steps": 3}

    def fresh():
        model = tiny_llama()
        some = torch.stack([example["input_ids"] for example in sentences(8)])
        adam = torch.optim.Adam(model.parameters(), 3e-3)
        for _ in range(12):  # at random weights the loss is not convex on average
            adam.zero_grad()
            model(input_ids=some, labels=some).loss.backward()
            adam.step()
        model.zero_grad()
        rule = StepSize(first=2, every=4)
        return trainer(tmp_path, "rademacher", model, step_size=rule, **options)

    whole = fresh()
    whole.train()
    rest = fresh()
    rest.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert same(weights(whole.model), weights(rest.model))
    rules = [run.optimizer.optimizer.step_size for run in (whole, rest)]
    assert rules[0].state_dict() == rules[1].state_dict()
    assert rules[0].rate > 0
    logged = [entry["learning_rate"] for entry in whole.state.log_history if "loss" in entry]
    lambdas = [1 - step / 12 for step in range(12)]
    assert logged[0] == 0.0
    assert 0 < logged[6] <= max(rate for _, rate in rules[0].history) * lambdas[6]


def test_a_measured_rate_is_for_a_recipe(tmp_path):
    model = tiny_llama()
    args = arguments(tmp_path, learning_rate="auto")
    with pytest.raises(ValueError, match="give your optimiser lr"):
        ZerothOrderTrainer(model, args, optimizers=(estimators.mezo(model), None))
    with pytest.raises(ValueError, match="step_size needs"):
        ZerothOrderTrainer(model, arguments(tmp_path), recipe="mezo", step_size=StepSize())
