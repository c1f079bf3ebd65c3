"""The fine-tuning run that papers' statements about fine-tuning are judged along."""

from zotheory.evidence.modelled import Trajectory

# 44 batches of 16 sentences.
ALONG = Trajectory("vocabulary", 1e-3, all_layers=True, steps=44)
