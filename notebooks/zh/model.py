# %% [markdown]
# 注意力、位置、归一化、块，这些部件你都认识了。在这个笔记本里，你要把它们拼在一起，
# 跟着一个词元从它的编号走到下一个词元的预测，再看看为什么输出的顺序有时很要紧。

# %%
import inspect

import numpy as np
import torch

from engine import RunConfig, Sampler, generate, new_state, train
from engine.data import make_data
from engine.generation import adjust
from engine.model.decoder import Decoder
from engine.presets import PRESETS
from notebooks.exercises.zh import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 1000  # 每个模型大约二十秒

# %% [markdown]
# ## 动手写
#
# 写出 `top_p`：`logits` 形状 (V,) → 概率 (V,)。从最可能的词元开始保留，直到概率之和达到 p 为止；
# 使总和达到 p 的那个词元也保留。其余的概率为 0，最后除以剩下的总和。
#
# <details><summary>提示</summary>
#
# 按从大到小排序。如果排在它前面的词元的概率之和小于 p，这个词元就保留：`cumsum(0) - probabilities`。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def top_p(logits, p):
#     probabilities, order = logits.softmax(0).sort(descending=True)
#     before = probabilities.cumsum(0) - probabilities
#     kept = probabilities * (before < p)
#     result = torch.zeros_like(logits)
#     result[order] = kept / kept.sum()
#     return result
# ```
#
# </details>


# %%
def top_p(logits, p):
    return ...  # 你的代码


check(top_p)

# %% [markdown]
# ## 从词元到 logits
#
# **嵌入**（embedding）是一张表，每个词元在表里有一个向量。残差流从这个向量开始，所有的块都往上加。最后，
# 词表里的每个词元得到一个分数，叫 **logit**。

# %%
print(inspect.getsource(Decoder.compute))


# %%
def trained(preset, **changes):
    base = PRESETS[preset].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 20}
    config = RunConfig.from_flat(base | changes)
    state = new_state(config, make_data(config))
    return state, Curves.of(train(state))


stories, curves = trained("llama-style")
tokenizer = stories.data.tokenizer
one_run.loss(curves, title="Stories", vocab_size=tokenizer.vocab_size).show()
for name, part in stories.model.named_children():
    print(f"{name:>10}: {sum(weight.numel() for weight in part.parameters()):>7,} parameters")

# %% [markdown]
# ## 从 logits 到文字
#
# **softmax** 把 logits 变成概率。按概率抽出一个词元，接在文字后面。**温度**小于 1，可能的词元变得更可能；大于 1，
# 各个概率彼此靠近。**top-k** 只留下概率最高的 k 个词元。这些设置只改变采样，不改变模型。

# %%
prompt = tokenizer.encode("Once upon a time")
with torch.inference_mode():
    logits = stories.model(torch.tensor([prompt]))[0, -1]  # (V,)

next_token = one_run.blank("What follows “Once upon a time”", "Probability", "light")
samplers = {f"temperature {t}": Sampler(temperature=t) for t in (0.5, 1.0, 1.5)}
samplers["top-k 3"] = Sampler(top_k=3)
likeliest = logits.argsort(descending=True)[:8]
names = [one_run.visible(tokenizer.decode([token])) for token in likeliest.tolist()]
for number, (name, sampler) in enumerate(samplers.items()):
    colour = one_run.PALETTE["light"][number]
    shown = adjust(logits, sampler).after[likeliest]
    next_token.add_bar(x=names, y=shown.numpy(), name=name, marker_color=colour)
next_token.update_xaxes(title_text="Next token", type="category").update_layout(barmode="group")
next_token.show()

for name, sampler in samplers.items():
    written = [step.token for step in generate(stories.model, prompt, 60, sampler)]
    print(f"{name:>15}: {tokenizer.decode(prompt + written)!r}")

# %% [markdown]
# ## 输出的顺序
#
# 模型从左往右生成，写下的不能再改。在 `457+85=542` 里，答案的**第一**位取决于其余所有位，因为进位是从右往左走的。
# 如果答案从**最低位**写起，即 `457+85=245`，每一位就只需要两个数字和一个进位。运行下一格之前，先猜一猜：
# 两种顺序各能算对多少？

# %%
orders = {
    "first digit first": trained("addition", task_length=3),
    "last digit first": trained("addition", source="addition_reversed", task_length=3),
}
for name, (state, curves) in orders.items():
    batch = next(iter(state.data.validation(256, 1)))
    with torch.inference_mode():
        predicted = state.model(torch.from_numpy(batch.inputs)).argmax(-1).numpy()
    counted = batch.targets >= 0
    place = np.cumsum(counted, 1)[counted] - 1  # 每个目标是答案的第几位
    hits = (predicted == batch.targets)[counted]
    by_place = ", ".join(f"{hits[place == digit].mean():.0%}" for digit in range(3))
    print(
        f"{name}: {curves.accuracy[-1]:.1%} of the sums; digits 1 to 3 in output order: {by_place}"
    )

by_name = {name: curves for name, (_, curves) in orders.items()}
several_runs.compare(by_name, metric="right answers", title="Right answers").show()

# %% [markdown]
# 模型是一样的，不同的只是**顺序**。后面的词元能读到已经生成的词元，所以每一位都为下一位存下了一个中间结果。
#
# ## 练习
#
# - 训练三倍的步数。另一种顺序，模型也学得会吗？
#
#   <details><summary>答案</summary>
#
#   学得会：先写最高位，3,000 步之后答对 86% 的算式，1,000 步时是 33%。另一种顺序 1,000 步时就有 79%。
#   所以顺序决定的是学得多快，而不是学不学得会（一个种子）。
#
#   </details>
#
# - 两种顺序里，答案的哪一位各是最难的？为什么？
#
#   <details><summary>答案</summary>
#
#   都是第二位：53% 和 80%。先写最高位时，它要用到还没写出的那些位的进位，
#   而第一位往往只看最高的几位数字就能知道（87%）。先写最低位时，第一位完全不需要进位：100%。
#
#   </details>
#
# - 温度为 0.5、1 和 2 时，小故事模型写出的词，有多少是小故事里有的词？
#
#   <details><summary>答案</summary>
#
#   四段各 200 个字符的文字里，0.5 时全部都是，1 时 88%，2 时 42%。0.5 时它翻来覆去（`said Max`、`said Mia`）；
#   2 时连空格在哪里都说不准了。在两者之间，0.8 左右，它很少编造，又有变化：93%。
#
#   </details>
