"""Turns a trained float network into the checkpoint that is served."""
