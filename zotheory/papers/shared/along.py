"""The fine-tuning run that papers' statements about fine-tuning are judged along."""

from zotheory.evidence.modelled import Trajectory

# 44 batches of 16 sentences; at four of its steps, spread over the run, further batches are
# compared that it does not train on.
ALONG = Trajectory("vocabulary", 1e-3, all_layers=True, steps=44, phases=(10, 21, 32, 43))
