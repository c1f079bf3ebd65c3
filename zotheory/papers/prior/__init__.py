"""MeZO-GV and MeZO-Greedy."""

TITLE = (
    "MeZO-GV and MeZO-Greedy: Prior-Driven Zeroth-Order Optimization for Scalable and "
    "Memory-Efficient LLM Fine-Tuning"
)
SOURCE = "Anonymous, an EMNLP submission"
