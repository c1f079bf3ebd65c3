"""MeZO-GV and MeZO-Greedy.

Anonymous, an EMNLP submission.
"""

TITLE = (
    "MeZO-GV and MeZO-Greedy: Prior-Driven Zeroth-Order Optimization for Scalable and "
    "Memory-Efficient LLM Fine-Tuning"
)
