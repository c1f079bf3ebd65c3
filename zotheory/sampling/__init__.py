"""Samplers of estimators' statistics: dense ones from the definition, reduced ones for large sizes.

A sampler is picklable and called as `sampler(rng, size)`; it returns `size` independent values.
"""
