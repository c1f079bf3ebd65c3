"""SVD-0."""

TITLE = "SVD-0: Enhancing Zero-Order Fine-Tuning for LLMs via Gradient-Guided Subspace Selection"
SOURCE = "Anonymous, a submission under review"
