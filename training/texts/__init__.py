"""The recipe of the texts that the shipped checkpoints learn from; `python -m training.texts`."""
