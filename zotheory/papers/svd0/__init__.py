"""SVD-0.

Anonymous, a submission under review.
"""

TITLE = "SVD-0: Enhancing Zero-Order Fine-Tuning for LLMs via Gradient-Guided Subspace Selection"
