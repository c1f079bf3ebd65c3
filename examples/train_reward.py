"""A reward of generated text, which has no gradient: `python examples/train_reward.py`."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

import estimators

torch.manual_seed(0)
sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4}
config = LlamaConfig(
    vocab_size=64, num_hidden_layers=2, initializer_range=0.1, pad_token_id=0, **sizes
)
model = LlamaForCausalLM(config).eval()
prompts = torch.randint(3, 64, (32, 4))
asked = {"attention_mask": torch.ones_like(prompts), "min_new_tokens": 8, "max_new_tokens": 8}


def repetition():
    """The share of words that an answer has already: 0 if no word comes twice."""
    # Greedily, so that the same weights get the same value. Sampling does, too, if the generator
    # is seeded in here.
    answers = model.generate(prompts, do_sample=False, **asked)[:, prompts.shape[1] :]
    return 1 - sum(len(set(answer.tolist())) for answer in answers) / answers.numel()


# A reward of words moves in jumps: eps is so large that words change, and the average over some
# directions sees the slope behind the jumps.
optimizer = estimators.q_spsa(model, lr=5e-3, queries=4, eps=1e-2, seed=0)
optimizer.check_closure(repetition)  # raises if the value changes by itself
for step in range(41):
    value = optimizer.step(repetition)
    if step % 10 == 0:
        print(f"step {step:2d}  repetition {value:.3f}")
