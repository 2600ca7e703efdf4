"""What a checkpoint is worth on a text, as served."""
