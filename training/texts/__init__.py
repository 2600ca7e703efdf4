"""Makes the texts that the shipped checkpoints are trained on; `nextchar texts` runs it."""
