"""LoRA and prefix tuning: only what is trainable is perturbed and updated."""

import peft
import pytest
import torch

import estimators
from tests.estimators.language import arguments, llama_problem, sentences, tiny_llama
from tests.estimators.problems import build, same, weights

CONFIGS = {
    "lora": peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], lora_dropout=0.1),
    "prefix": peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
}
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")


def adapted(kind):
    model, _ = llama_problem()
    model = peft.get_peft_model(model, CONFIGS[kind]).eval()
    tokens = torch.randint(0, 64, (3, 7))
    return model, lambda: model(input_ids=tokens, labels=tokens).loss


@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize("name", ["mezo", "tezo", "lozo", "subzo", "svd0", "mezo_adam", "s_mezo"])
@pytest.mark.parametrize("kind", CONFIGS)
def test_only_trainable_parameters_are_touched(kind, name, apply):
    model, closure = adapted(kind)
    optimizer = build(name, model, lr=1e-3, apply=apply)
    trainable = {n for n, p in model.named_parameters() if p.requires_grad}
    assert trainable
    assert all("lora" in n or "prompt_encoder" in n for n in trainable)
    assert {slot.name for slot in optimizer.slots()} == trainable
    frozen = [p for p in model.parameters() if not p.requires_grad]
    before, kept = weights(model), [p.detach().clone() for p in frozen]
    versions = [p._version for p in frozen]
    optimizer.step(closure)
    assert optimizer.log.losses[0][0] != optimizer.log.losses[0][1]
    assert same(kept, frozen)
    assert versions == [p._version for p in frozen]  # not even written and restored
    assert not same(before, weights(model))


@pytest.mark.parametrize("kind", CONFIGS)
def test_forward_and_inplace_agree(kind):
    losses = []
    for apply in ("inplace", "forward"):
        torch.manual_seed(5)
        model, closure = adapted(kind)
        optimizer = build("tezo", model, lr=0.0, eps=0.1, apply=apply, seed=1)
        optimizer.step(closure)
        losses.append(optimizer.log.losses[0])
    torch.testing.assert_close(losses[0], losses[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_trainer_trains_adapters_and_resumes(kind, tmp_path):
    from estimators.trainer import ZerothOrderTrainer

    def trainer():
        torch.manual_seed(5)
        model = peft.get_peft_model(tiny_llama(), CONFIGS[kind])
        args = arguments(tmp_path, max_steps=4, save_strategy="steps", save_steps=2)
        return ZerothOrderTrainer(model, args, recipe=estimators.mezo, train_dataset=sentences())

    whole = trainer()
    start = weights(whole.model)
    whole.train()
    rest = trainer()
    rest.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert same(weights(whole.model), weights(rest.model))
    for before, after in zip(start, whole.model.parameters(), strict=True):
        assert torch.equal(before, after) != after.requires_grad
