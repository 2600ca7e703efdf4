"""The protocols of others as thin adapters over the same core, one module each."""
