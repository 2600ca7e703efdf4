"""The recurrent network: text to ids, cells, checkpoints, the runtime that serves them, decoding.

Only `network.cells`, `network.embedding`, `network.network` and `runtime.reference` need torch.
Training and tests use them; serving does not.
"""
