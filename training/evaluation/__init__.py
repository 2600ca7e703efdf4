"""How well a checkpoint does on texts, computed as it is served."""
