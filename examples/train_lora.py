"""Adapters of peft, trained without a backward pass: `python examples/train_lora.py`."""

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

import estimators

torch.manual_seed(0)
sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4}
base = LlamaForCausalLM(
    LlamaConfig(vocab_size=64, num_hidden_layers=2, initializer_range=0.1, **sizes)
)
model = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear"))
model.eval()  # no dropout: the losses of a step are those of one function
words = torch.randint(0, 4, (16, 12))  # sentences that use four words only

# Given the model, an optimiser trains what is trainable: the adapters. The rest is never written.
optimizer = estimators.mezo(model, lr=1e-2, seed=0)
for step in range(301):
    loss = optimizer.step(lambda: model(input_ids=words, labels=words).loss)
    if step % 50 == 0:
        print(f"step {step:3d}  loss {loss:.3f}")
