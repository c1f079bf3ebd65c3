"""SVD-0: Zero-Order Fine-Tuning via Gradient-Guided Subspace Selection, claim by claim."""

CLAIMS = ()
