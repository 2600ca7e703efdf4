"""The recurrent network: text to ids, cells, checkpoints, the runtime that serves them, decoding.

Nothing here needs torch but `cells`, `network` and `runtime.reference`, which training uses.
"""
