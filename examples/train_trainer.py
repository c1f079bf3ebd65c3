"""The same with the Trainer of transformers: `python examples/train_trainer.py`."""

from functools import partial
from tempfile import TemporaryDirectory

import torch
from transformers import LlamaConfig, LlamaForCausalLM, TrainingArguments

import estimators
from estimators.trainer import ZerothOrderTrainer

torch.manual_seed(0)
sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4}
model = LlamaForCausalLM(LlamaConfig(vocab_size=64, num_hidden_layers=2, **sizes))
# Sentences that use four words only: this much is learned in seconds.
sentences = [{"input_ids": words, "labels": words} for words in torch.randint(0, 4, (64, 16))]
with TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        folder,
        max_steps=60,
        learning_rate=3e-3,
        lr_scheduler_type="cosine",
        logging_steps=10,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    recipe = partial(estimators.mezo, apply="forward")
    ZerothOrderTrainer(model, arguments, recipe=recipe, train_dataset=sentences).train()
