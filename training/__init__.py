"""Training: corpora, the training loop, evaluation and plots."""
