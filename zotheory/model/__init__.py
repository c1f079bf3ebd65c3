"""The real model and the real text: loading, gradients layer by layer, measurements on them."""

import os

# Spinning OpenMP threads cost several times the work itself where other processes run; the policy
# is read when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
