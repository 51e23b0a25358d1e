"""What the model picture says of its parts."""

from __future__ import annotations

TEXT = {
    "tokens": "Tokens",
    "tokens.about": "Text as numbers: every token is the index of one entry in the vocabulary.",
    "sources": "Text to translate",
    "sources.about": "The complete text as numbers: the encoder reads all of it before the decoder writes.",
    "written": "Translation so far",
    "written.about": "The tokens written so far, as numbers. The first one is the begin token.",
    "memory": "Memory",
    "memory.about": "The output of the encoder: one vector for each token of the text. Every block of the "
    "decoder attends to it.",
    "embedding.shared": "The text to translate and the translation use the same matrix.",
    "embedding": "Embedding",
    "embedding.about": "Looks up a learned vector for each token: one row of a table of V rows.",
    "tied": "The output layer uses the same matrix (tied).",
    "sinusoidal": "Sinusoids",
    "sinusoidal.about": "Adds sine and cosine waves of different frequencies, so that each position has its "
    "own pattern.",
    "learned": "Positions",
    "learned.about": "Adds a learned vector for each of the T positions.",
    "pairs": "Token pairs",
    "pairs.about": "Adds a learned vector for the pair of each token and the one before it, from a table of its own.",
    "pairs.hash": "There are {pairs} pairs and {rows} rows: a hash decides which pairs share a row.",
    "value": "Value embedding",
    "value.about": "Adds a learned vector for each token to its values, from a table of V rows in this block.",
    "skip": "Embedding skip",
    "skip.about": "Mixes the residual stream x with the embedding x₀, which entered the first block. The two "
    "factors are learned; a begins at 1 and b at 0.",
    "rmsnorm": "RMSNorm",
    "rmsnorm.about": "Scales each token's vector to a root mean square of 1, then by learned factors, so "
    "that its size stays limited.",
    "layernorm": "LayerNorm",
    "layernorm.about": "Centres each token's vector on zero and scales it to variance one, then by "
    "learned factors.",
    "norm.pre": "It is applied before the sub-layer, so the residual stream itself is never scaled.",
    "norm.post": "It is applied to the residual stream, after the sum, as in Vaswani 2017.",
    "norm.final": "It is the last norm, before the output layer.",
    "heads": "Query, key, value",
    "heads.about": "One matrix product computes a query, a key and a value for each head, each with D "
    "numbers.",
    "heads.mha": "Every head has its own keys and values (multi-head attention).",
    "heads.gqa": "{share} query heads share each key and value (grouped-query attention): a smaller "
    "cache.",
    "heads.mqa": "All query heads share one key and value (multi-query attention): the smallest "
    "cache.",
    "qk_norm": "Norm of q, k",
    "qk_norm.about": "Scales each query and each key to a root mean square of 1, then by learned factors, so "
    "that q·k stays limited (QK-norm).",
    "rope": "Rotate q, k",
    "rope.about": "Rotates queries and keys by an angle that grows with the position, so that q·k depends "
    "on the distance between two tokens (RoPE).",
    "weights": "Attention",
    "weights.about": "softmax(q·k / √D): the weight of each token on itself and on every earlier token. "
    "The future is masked. The values are summed with these weights.",
    "weights.encoder": "softmax(q·k / √D): the weight of each token of the text on every token, before and "
    "after it. The values are summed with these weights.",
    "weights.cross": "softmax(q·k / √D): the weight of each token of the translation on every token of the "
    "text. The values are summed with these weights: this is the alignment.",
    "heads.cross": "Queries come from the translation, keys and values from the encoder's memory, each with "
    "D numbers.",
    "cross": "Cross-attention",
    "cross.note": "reads memory",
    "weights.alibi": "Each head subtracts a penalty that grows with distance, steeply in some heads "
    "and gently in others (ALiBi).",
    "project": "Output",
    "project.about": "Concatenates the outputs of the heads, multiplies them by one matrix, and adds the "
    "result to the residual stream.",
    "gated": "Gate and up",
    "gated.about": "Two matrices project each token's vector from C to F numbers: one gives the gate, the "
    "other the values that the gate multiplies.",
    "plain": "Up",
    "plain.about": "One matrix projects each token's vector from C to F numbers.",
    "curve.gated": "{name} × up",
    "curve.gated.about": "Applies {name} to the gate, and multiplies it with the other projection, number by "
    "number ({kind}).",
    "curve.plain": "{name}",
    "curve.plain.about": "The activation function, applied to each number. Without it, the two matrices "
    "would be equivalent to one.",
    "down": "Down",
    "down.about": "One matrix projects F numbers back to C. The result is added to the residual stream.",
    "router": "Router",
    "router.topk": "A row of weights for each expert gives the token a score. Softmax turns the E scores into "
    "probabilities. The {k} most probable experts process the token.",
    "router.switch": "A row of weights for each expert gives the token a score. Softmax turns the E scores "
    "into probabilities. Only the most probable expert processes the token (Switch).",
    "router.sigmoid": "A row of weights for each expert gives the token a score. A sigmoid is applied to each "
    "score separately. The {k} experts with the highest scores process the token (DeepSeek-V3).",
    "router.noisy_topk": "A row of weights for each expert gives the token a score. During training, noise of "
    "a learned size is added to the scores, so that other experts are tried. The {k} experts with the highest "
    "scores process the token.",
    "router.expert_choice": "A row of weights for each expert gives the token a score. Each expert chooses the "
    "tokens with the highest scores, as many as its fair share. A token gets {k} on average. The choice also "
    "depends on later tokens.",
    "router.hash": "A fixed hash of the token id chooses {k} of the E experts. It has no learned weights.",
    "router.bias": "A bias for each expert is added when experts are chosen. Only balancing without a loss "
    "changes it.",
    "experts": "Experts",
    "experts.about": "E feed-forwards, each with its own weights ({kind}, F wide). Experts that are not chosen "
    "do no computation for this token.",
    "experts.capacity": "Each has a capacity of {factor} times its fair share of the tokens. Tokens above it "
    "skip the expert.",
    "experts.choose": "{experts} experts, each chooses its tokens",
    "experts.note": "{experts} experts, {k} work{s} on each token",
    "shared": "Shared",
    "shared.about": "Every token is processed by {shared}, independently of the router.",
    "combine": "Weighted sum",
    "combine.gates": "The outputs of the chosen experts are multiplied by their gates and summed{sum}. The "
    "result is added to the residual stream.",
    "combine.renormalised": "The gates of a token sum to one.",
    "combine.shared": " with the shared output",
    "dropout": "During training, {percent}% of its output is set to zero at random (dropout).",
    "logits": "Logits",
    "logits.about": "One score for each entry of the vocabulary. Their softmax is the prediction of the next "
    "token.",
    "logits.softcap": "A soft cap, c tanh(x / c) with c = {cap}, keeps each score x between -c and c.",
    "logits.tied": "This layer uses the embedding matrix, so it adds no parameters.",
    "summary": "A decoder-only Transformer with {total} parameters{active}. {layers}, {norm}. Each: "
    "attention with {heads}, then {then}. Width {width}, context {context} tokens, positions: {position}. Input and output matrices are "
    "{tied}.",
    "summary.sharing": "{heads} sharing {shared}",
    "summary.translates": "An encoder-decoder Transformer with {total} parameters{active}. {encoders} of an "
    "encoder read the text to translate, {layers} of a decoder write the translation, {norm}. Each: "
    "attention with {heads}, in the decoder cross-attention to the encoder's output, then "
    "{then}. Width {width}, context {context} tokens, positions: {position}. Input and output matrices are "
    "{tied}.",
    "summary.active": ", of which {active} work on each token",
    "summary.dense": "a feed-forward network ({feedforward}) that is {ff} wide",
    "summary.experts": "a router and {experts} experts ({feedforward}), each {ff} wide, of which "
    "{chosen}",
    "summary.chosen": "{k} work{s} on each token",
    "summary.choose": "each chooses its tokens",
    "summary.shared": "{chosen}, and {shared} for all tokens",
    "summary.mixed": "in block{s} {blocks}: {experts}, and in the other{others}: {dense}",
    "attention": "Self-attention",
    "feedforward": "Feed-forward",
    "moe": "Mixture of experts",
    "block.dense": "dense",
    "block.experts": "with experts",
    "block.encoder": "encoder",
    "block.encoder experts": "encoder with experts",
    "block.decoder": "decoder",
    "block.decoder experts": "decoder with experts",
    "kind.embedding": "embedding",
    "kind.positions": "positions",
    "kind.pairs": "token pairs",
    "kind.attention": "attention",
    "kind.values": "value embeddings",
    "kind.skips": "embedding skips",
    "kind.cross": "cross-attention",
    "kind.feedforward": "feed-forward",
    "kind.router": "router",
    "kind.experts": "experts",
    "kind.norms": "norms",
    "kind.output": "output",
}

PLAIN = {
    "tokens": "The text goes in here.",
    "sources": "The text to translate goes in here.",
    "written": "The translation goes in here as far as it is written.",
    "memory": "What the encoder has found out about the text.",
    "embedding": "Turns each token into a list of numbers to compute with.",
    "sinusoidal": "Says where in the text each token stands.",
    "learned": "Says where in the text each token stands.",
    "pairs": "Recognises two tokens that stand next to each other.",
    "value": "Gives each token something of its own to hand on.",
    "skip": "Reminds the block of what the tokens were at first.",
    "rmsnorm": "Brings the numbers to a size that the next part can work with.",
    "layernorm": "Brings the numbers to a size that the next part can work with.",
    "heads": "Each token asks for something (query), says what it offers (key), and holds what it hands on (value).",
    "qk_norm": "Keeps what is asked and what is offered at a comparable size.",
    "rope": "Lets attention know how far apart two tokens are.",
    "weights": "Decides how much each token takes from which other one.",
    "project": "Puts together what the heads have found.",
    "gated": "Gives each token's vector more room to compute in.",
    "plain": "Gives each token's vector more room to compute in.",
    "curve.gated": "Bends the numbers, so that more than straight lines can be learned.",
    "curve.plain": "Bends the numbers, so that more than straight lines can be learned.",
    "down": "Brings the result back to the width of the residual stream.",
    "router": "Decides which experts work on which token.",
    "experts": "Several networks, each of which can become good at something else.",
    "shared": "Works on every token, whatever the router decides.",
    "combine": "Puts the answers of the experts together.",
    "logits": "Says how well each possible next token would fit.",
}
"""The first sentence about each part, for who has never heard of it: what it is for, without symbols."""

ACTIVATIONS = {
    "swiglu": ("SiLU", "SwiGLU"),
    "geglu": ("GELU", "GEGLU"),
    "gelu": ("GELU", "GELU"),
    "relu": ("ReLU", "ReLU"),
    "silu": ("SiLU", "SiLU"),
}
"""Each feed-forward's activation, and its own name."""

POSITIONS = {
    "rope": "rotary",
    "sinusoidal": "sinusoidal",
    "learned": "learned",
    "alibi": "ALiBi",
    "none": "none",
}
