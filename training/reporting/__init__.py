"""What a person sees of a training: progress, samples, plots and the card."""
