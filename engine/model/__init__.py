"""The models. A decoder is an assembly of blocks; every choice is one row in a dictionary.

Read in this order: `norms`, `positions`, `attention`, `feedforward`, `block`, `decoder`; `context` holds
what travels along with one forward pass.

One legend for every shape comment:
B batch, T queries (new tokens), S keys (tokens seen so far), H heads, D head width, C d_model,
F feed-forward width, L layers, V vocabulary.
"""
