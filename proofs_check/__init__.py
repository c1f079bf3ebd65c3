"""Exact mathematics for zeroth-order optimisation: no sampling, no floating point.

- :mod:`proofs_check.gaussian`: expectations of products of Gaussian tensors, symbolic dimensions;
- :mod:`proofs_check.moments`: moments of one Gaussian vector;
- :mod:`proofs_check.inequalities`: inequalities and identities over a whole domain;
- :mod:`proofs_check.peano`: worst case of a difference formula over a smoothness class;
- :mod:`proofs_check.steps`: does the conclusion of a proof step follow from its premises?
"""
