"""The recipe of the texts that the shipped checkpoints learn from; `nextchar texts` runs it."""
