"""Perturbations: which Z for one tensor."""
