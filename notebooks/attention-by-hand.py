# %% [markdown]
# **Attention** lets each token collect information from the tokens before it: shares from queries and keys, and a weighted
# sum of values. In this notebook you write it in a few lines, and see why scores are divided by √D.

# %%
import torch

from engine import RunStore, load_model
from engine.inspection import observe
from engine.training.shipped import ROOT
from notebooks.exercises import check
from playground.figures import one_run

# %% [markdown]
# ## Write it yourself
#
# Write `attention`: q, k and v are (T, D). Every query attends to every key. Return (T, D).
#
# <details><summary>Hint</summary>
#
# softmax(q kᵀ / √D) v. The softmax is over the keys, the last dimension.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def attention(q, k, v):
#     scores = q @ k.T / q.shape[-1] ** 0.5
#     return scores.softmax(-1) @ v
# ```
#
# </details>


# %%
def attention(q, k, v):
    return ...  # your code


check(attention)

# %% [markdown]
# Write `causal_attention`: the same, but token i attends only to tokens 0 to i.
#
# <details><summary>Hint</summary>
#
# `torch.ones(T, T).tril() == 0` is true where a key is in the future. Which score has the share 0 after the
# softmax?
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def causal_attention(q, k, v):
#     scores = q @ k.T / q.shape[-1] ** 0.5
#     future = torch.ones_like(scores).tril() == 0
#     return scores.masked_fill(future, float("-inf")).softmax(-1) @ v
# ```
#
# </details>


# %%
def causal_attention(q, k, v):
    return ...  # your code


check(causal_attention)

# %% [markdown]
# ## Three tokens
#
# The last of three tokens has the query (2, 0), and the keys are (1, 0), (2, 1) and (0, 1). Before you run the next cell,
# say which token it attends to most.

# %%
query = torch.tensor([2.0, 0.0])
keys = torch.tensor([[1.0, 0.0], [2.0, 1.0], [0.0, 1.0]])
values = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
products = keys @ query
scores = products / 2**0.5
shares = scores.softmax(0)
print(f"q · k    {products.tolist()}")
print(f"÷ √2     {[round(score, 2) for score in scores.tolist()]}")
print(f"softmax  {[round(share, 3) for share in shares.tolist()]}")
print(f"output   {[round(number, 3) for number in (shares @ values).tolist()]}")

# %% [markdown]
# ## Why √D?
#
# The product of two random vectors grows with their width D. Without the division, softmax gives nearly everything to one
# token, and its gradient disappears.

# %%
torch.manual_seed(0)
widths = torch.tensor([1, 4, 16, 64, 256, 1024])
largest = {"q · k": [], "q · k / √D": []}
for width in widths.tolist():
    q, k = torch.randn(1000, 1, width), torch.randn(1000, 8, width)
    products = (q * k).sum(-1)  # (1000, 8): a query and eight keys, a thousand times
    for name, scale in (("q · k", 1.0), ("q · k / √D", width**-0.5)):
        largest[name].append((products * scale).softmax(-1).max(-1).values.mean().item())

figure = one_run.blank("The largest of eight shares", "share", "light")
for number, (name, means) in enumerate(largest.items()):
    one_run.add_points(
        figure, widths.numpy(), torch.tensor(means).numpy(), name, one_run.line_of(number, "light")
    )
    print(f"{name:>11}: {means[0]:.2f} at width 1, {means[-1]:.2f} at width 1024")
figure.update_xaxes(title_text="Width D of queries and keys", type="log")
figure.show()

# %% [markdown]
# ## In a trained model
#
# The model that ships with the project computes the same, in every block and head. Each row of the picture is one token,
# and says how much it attends to each token before it.

# %%
run = RunStore(ROOT).open("stories")
model, tokenizer, _ = load_model(run.checkpoints()[-1].path)
sentence = "Once upon a time there was a fox."
ids = tokenizer.encode(sentence)
weights = observe.attention_maps(
    observe.trace_sequence(model, ids), model.config.n_layer
)  # (L, H, T, T)
print(
    f"blocks, heads, queries, keys: {weights.shape}; every row sums to {weights.sum(-1).mean():.3f}"
)
tokens = [tokenizer.decode([token]) for token in ids]
one_run.attention(weights[0, 0], tokens, title="Block 1, head 1").show()

# %% [markdown]
# ## Exercises
#
# - Give the last token the query (−2, 0). Which token does it attend to now?
#
#   <details><summary>Answer</summary>
#
#   To the third, with a share of 0.77. The scores change their signs: −1.41, −2.83 and 0. The second key, which
#   fitted best, now fits worst and gets 0.05; the first keeps 0.19.
#
#   </details>
#
# - Multiply all queries by 10. What happens to the shares, and which temperature would do the same?
#
#   <details><summary>Answer</summary>
#
#   The best key gets everything: 0.9999993 instead of 0.77. All scores are multiplied by 10, as a temperature of 1/10
#   would do. Large queries and keys make attention nearly a choice, and its gradient nearly zero.
#
#   </details>
#
# - Find a head of the shipped model that looks at the previous character: `observe.head_patterns(weights, ids)`.
#
#   <details><summary>Answer</summary>
#
#   Block 2, head 1: 34% of its attention is on the previous character, above what even attention would give; block
#   1, head 3 has 33%. No head of this model looks only there, unlike the model that is trained in the notebook
#   `attention`.
#
#   </details>
