# %% [markdown]
# 注意力两两比较词元，与它们的顺序无关。所以大多数 Transformer 都有**位置编码**（position encoding）。在这个笔记本里，
# 你会看到没有它会失去什么，以及 RoPE 是怎样工作的。

# %%
import inspect

import torch

from engine import ModelConfig, RunConfig, TransformerLM, new_state, train
from engine.data import make_data
from engine.model import positions
from engine.presets import PRESETS
from notebooks.exercises.zh import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 300  # 每个模型大约四秒

# %% [markdown]
# ## 动手写
#
# 写出 `rope`：x 形状 (T, D)，是位置 0 到 T − 1 的词元的查询向量。对位置 p 的词元，
# 把相邻的两个数 2i 和 2i + 1 旋转 p · base^(−2i / D) 这么大的角。
# 旋转角 a 把 (a₁, a₂) 变成 (a₁ cos a − a₂ sin a, a₁ sin a + a₂ cos a)。
#
# <details><summary>提示</summary>
#
# `x[:, 0::2]` 和 `x[:, 1::2]` 是所有数对的第一个和第二个数；`torch.outer(positions, frequencies)` 是所有的角。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def rope(x, base):
#     length, width = x.shape
#     frequencies = base ** (-torch.arange(0, width, 2) / width)  # (D/2,)
#     angles = torch.outer(torch.arange(length).float(), frequencies)  # (T, D/2)
#     first, second = x[:, 0::2], x[:, 1::2]
#     turned = torch.empty_like(x)
#     turned[:, 0::2] = first * angles.cos() - second * angles.sin()
#     turned[:, 1::2] = first * angles.sin() + second * angles.cos()
#     return turned
# ```
#
# </details>


# %%
def rope(x, base):
    return ...  # 你的代码


check(rope)

# %% [markdown]
# ## 打乱前文
#
# 如果没有位置信息，把前面的词元打乱，最后一个词元收集到的信息还是一样。只有一层时，输出只相差 32 位浮点数的舍入误差。
# 层数多了，因果掩码会透露一些信息：一个词元前面有多少个词元。

# %%
size = {"d_model": 32, "n_head": 2, "n_layer": 1, "vocab_size": 20, "max_seq_len": 16}
row = torch.arange(12)[None]
shuffled = torch.cat([row[:, torch.randperm(11)], row[:, -1:]], 1)
for scheme in ("none", "learned", "rope", "alibi"):
    torch.manual_seed(0)
    model = TransformerLM(**size, position=scheme)
    with torch.inference_mode():
        change = (model(row)[0, -1] - model(shuffled)[0, -1]).abs().max()
    print(f"{scheme:>8}: the last logits move by at most {change:.1e}")

# %% [markdown]
# ## 随位置旋转
#
# RoPE 把查询和键**旋转**一个随位置增大的角度。这样，查询与键的点积只取决于两个角度之差，也就只取决于它们的**距离**。

# %%
print(inspect.getsource(positions.Rotary))
print(inspect.getsource(positions.rotate))

# %%
rotary = positions.Rotary(ModelConfig.parse(size | {"rope_theta": 100}))
places = torch.arange(16)
query, key = torch.randn(2, 1, 1, 1, 16).expand(2, 1, 16, 1, 16)  # 在每个位置都相同
turn = rotary.rotations(places)
turned = [positions.rotate(vectors, turn)[0, :, 0] for vectors in (query, key)]  # 各为 (16, 16)
products = turned[0] @ turned[1].T  # (T, T)

figure = one_run.blank("RoPE: the same query and key at increasing distance", "q · k", "light")
for place, colour in zip((5, 10, 15), one_run.PALETTE["light"], strict=False):
    apart = place - places[: place + 1]
    line = {"color": colour, "width": 7 - place / 3}
    values = products[place, : place + 1]
    one_run.add_line(figure, apart.numpy(), values.numpy(), f"query at {place}", line)
figure.update_xaxes(title_text="Distance")
figure.show()
difference = (products[1:, 1:] - products[:-1, :-1]).abs().max()
print(f"at equal distance, q · k differs by at most {difference:.1e}")

# %% [markdown]
# 三条曲线重合：查询在什么位置，结果都一样。
#
# ## 把一行倒过来
#
# 模型要把一行字母倒过来写。运行下一格之前，先猜一猜：三种里哪一种最好？


# %%
def trained(**changes):
    base = PRESETS["reverse"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 6}
    config = RunConfig.from_flat(base | changes)
    return Curves.of(train(new_state(config, make_data(config))))


runs = {scheme: trained(position=scheme) for scheme in ("none", "learned", "rope")}
for scheme, curves in runs.items():
    print(f"{scheme:>8}: loss {curves.validation[-1]:.3f}, {curves.accuracy[-1]:.1%} right")
several_runs.compare(runs, metric="right answers", title="Right answers").show()

# %% [markdown]
# 要把一行倒过来，模型得关注某个绝对**位置**，这件事可学习的位置更擅长。在小故事上训练 600 步之后，则是 RoPE 更好。
#
# ## 练习
#
# - 在小故事上训练：`PRESETS["llama-style"]`，并用 `metric="loss"`。在那里哪种位置编码最好？
#
#   <details><summary>答案</summary>
#
#   RoPE 和 ALiBi：600 步后的验证损失是 0.969 和 0.958，三个随机种子分不出高下。可学习的位置是 1.641，
#   正弦位置是 1.943，完全没有位置信息是 1.997。见 `assets/lessons/results/positions`。
#
#   </details>
#
# - 在这些短行上用常见的底数 `rope_theta=10_000`。转得慢有什么代价？
#
#   <details><summary>答案</summary>
#
#   答对 33% 的行，而底数为 100 时是 43%（各一个种子）。底数 10,000、每个头 16 个数时，
#   有一半的数对每个位置最多只转 0.01 弧度：在只有几十个词元的行里，它们说明不了距离。
#
#   </details>
#
# - 试试 `position="sinusoidal"`，单独用，再加上 `scale_embeddings=True`。
#
#   <details><summary>答案</summary>
#
#   不是好选择：答对 19% 的行；放大嵌入之后是 15%，一个种子说明不了这个差别。两者都比完全没有位置信息的 6% 好，
#   都远不如可学习的位置，87%：固定的向量模型自己改不了。在小故事上，放大嵌入有帮助：
#   1.389 对 1.943（`assets/lessons/results/positions`）。
#
#   </details>
