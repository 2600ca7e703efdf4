"""From a trained float network to the checkpoint that is served."""
