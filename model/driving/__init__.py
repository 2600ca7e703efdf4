"""The drive: whole suggestions computed by one call into C, for all texts that wait."""
