"""The models. A decoder is an assembly of blocks; every choice is one row in a dictionary.

Read in this order: `norms`, `positions`, `attention`, `feedforward`, `block`, `shortcuts`, `decoder`; then `experts`,
`routers`, `routing` and `balance` for mixtures of experts, and `encoder_decoder`. `context` has what the
layers of one forward pass share.

One legend for every shape comment:
B batch, T queries (new tokens), S keys (tokens seen so far), H heads, D head width, C d_model,
F feed-forward width, L layers, V vocabulary.
"""
