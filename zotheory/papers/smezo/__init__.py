"""Sparse MeZO."""

TITLE = "Sparse MeZO: Less Parameters for Better Performance in Zeroth-Order LLM Fine-Tuning"
SOURCE = (
    "Yong Liu, Zirui Zhu, Chaoyu Gong, Minhao Cheng, Cho-Jui Hsieh, Yang You (2024), "
    "https://arxiv.org/abs/2402.15751"
)
