"""What the user sees of a training: progress, samples, plots and the model card."""
