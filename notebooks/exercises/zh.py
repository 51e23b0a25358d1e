"""`check` in Chinese, for the notebooks in zh/: the same comparison, said in other words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from notebooks import exercises

CHINESE = {
    "✗ {problem}": "✗ {problem}",
    "✗ There is no exercise {name}. The exercises: {names}.": "✗ 没有名为 {name} 的练习。练习有：{names}。",
    "✓ {name} is right: the same as the engine's on {cases} random inputs.": "✓ {name} 正确：在 {cases} 组随机输入上与引擎的结果相同。",
    # What differs
    "{name} stopped with {kind}: {problem}. It was called with {inputs}.": "{name} 运行出错，{kind}：{problem}。调用时的输入：{inputs}。",
    "{name} is not written yet: it returns nothing.": "{name} 还没有写：它没有返回任何结果。",
    "{name} is nearly right. {advice}": "{name} 差一点就对了。{advice}",
    "{name}: {difference}. It was called with {inputs}.": "{name}：{difference}。调用时的输入：{inputs}。",
    "a tensor {shape}": "形状为 {shape} 的张量",
    "the result": "结果",
    "value {number}": "第 {number} 个值",
    " at {index}": "（下标 {index}）",
    "{where} must be {count} values, and is a {kind}": "{where}应该是 {count} 个值，现在是 {kind}",
    "{where} must have {count} values, and has {found}": "{where}应该有 {count} 个值，现在有 {found} 个",
    "{where} is {found!r}, the engine's is {wanted!r}": "{where}是 {found!r}，引擎的是 {wanted!r}",
    "{where} must be a tensor or a number, and is a {kind}": "{where}应该是张量或数，现在是 {kind}",
    "{where} must have the shape {shape}, and has {found}": "{where}的形状应该是 {shape}，现在是 {found}",
    "{where} is {found:.4g}{place}, the engine's is {wanted:.4g} ({differing} of {count} numbers differ)": "{where}是 {found:.4g}{place}，引擎的是 {wanted:.4g}（{count} 个数里有 {differing} 个不同）",
    # Advice
    "These are nats, from the natural logarithm. Bits need the logarithm to base 2.": "这是奈特，用的是自然对数。比特要用以 2 为底的对数。",
    "This is the sum. Wanted is the mean for one character.": "这是总和。要的是每个字符的平均值。",
    "Take the logarithm of each probability, and then the mean.": "先对每个概率取对数，再求平均。",
    "You cut off the longest known piece. BPE applies the merges in the order in which they were learned.": "你每次切下了认识的最长子词。BPE 是按学到的先后顺序应用合并规则的。",
    "You counted every word once. A word that occurs nine times counts nine times.": "你把每个词都只数了一次。出现九次的词要算九次。",
    "The power of a large logit is larger than any 32-bit number (inf). Subtract the largest logit of each row first: the result is the same.": "logit 很大时，它的幂超出 32 位浮点数的范围（inf）。先减去每一行最大的 logit：结果不变。",
    "You divided by the sum of all rows. Each row sums to one.": "你除以了所有行的总和。应该每一行各自的和为 1。",
    "You summed over the columns. Each row sums to one: sum over the last dimension.": "你沿着列求和了。应该每一行的和为 1：沿最后一维求和。",
    "This is the sum. Wanted is the mean over the rows.": "这是总和。要的是各行的平均值。",
    "These are bits. Wanted are nats: the natural logarithm.": "这是比特。要的是奈特：用自然对数。",
    "The sign: a probability below one has a negative logarithm.": "注意符号：小于 1 的概率，对数是负的。",
    "The sign: the gradient points to where the function rises.": "注意符号：梯度指向函数上升的方向。",
    "Twice too much: w + h and w − h are 2 h apart.": "大了一倍：w + h 与 w − h 相距 2h。",
    "Divide q · k by √D before the softmax.": "在 softmax 之前，q · k 要除以 √D。",
    "The shares of each query sum to one: softmax over the keys.": "每个查询的权重之和为 1：softmax 应沿键的方向。",
    "Queries and keys are swapped: row i belongs to query i.": "查询和键弄反了：第 i 行属于第 i 个查询。",
    "A token still attends to later tokens.": "词元还看得到后面的词元。",
    "A score of 0 is not “nothing”: e⁰ is 1. What is hidden needs the score −∞.": "分数为 0 并不等于“没有”：e⁰ 是 1。要遮住的地方，分数应为 −∞。",
    "You hid the future after the softmax, so that the shares no longer sum to one. Hide the scores.": "你在 softmax 之后才遮住未来，所以权重之和不再是 1。应该遮住分数。",
    "The heads are right. The output matrix wo, which mixes them, is missing.": "各个头是对的，还缺把它们混合起来的输出矩阵 wo。",
    "This is one head. Cut q, k and v into n_head parts first.": "这是单头注意力。先把 q、k、v 切成 n_head 份。",
    "You rotate number i together with number i + D/2, as Llama in transformers does. That is RoPE too, with the numbers in another order. Here neighbours make a pair: 0 and 1, 2 and 3, ...": "你把第 i 个数与第 i + D/2 个数配成一对旋转，transformers 库里的 Llama 就是这样做的。这也是 RoPE，只是数的排列不同。这里是相邻的两个数配对：0 和 1，2 和 3，……",
    "You rotate in the other direction. The angle is positive: (cos, −sin; sin, cos).": "旋转的方向反了。角度取正：(cos, −sin; sin, cos)。",
    "The SiLU belongs to the gate, not to `up`.": "SiLU 应作用于门，而不是 `up`。",
    "This gate is a sigmoid alone (GLU). SiLU(z) is z · sigmoid(z).": "这里的门只是 sigmoid（GLU）。SiLU(z) 是 z · sigmoid(z)。",
    "The learned weight is missing.": "缺少可学习的权重。",
    "You subtracted the mean: that is LayerNorm. RMSNorm only divides.": "你减去了平均值：那是 LayerNorm。RMSNorm 只做除法。",
    "You divided by the length of the vector. Take the root of the mean of the squares, not of their sum.": "你除以了向量的长度。应该对平方的平均值开方，而不是对平方和开方。",
    "The token with which the sum reaches p belongs to those kept.": "使总和达到 p 的那个词元也要保留。",
    "What is left must sum to one again: divide by its sum.": "剩下的概率之和要重新等于 1：除以它们的和。",
    "The averages start at zero, so at first they are too small. Divide m by 1 − 0.9ᵗ and v by 1 − 0.999ᵗ.": "两个平均值都从零开始，所以起初太小。把 m 除以 1 − 0.9ᵗ，v 除以 1 − 0.999ᵗ。",
    "You added the decay to the gradient (L2). AdamW takes lr · decay · w from the weight itself.": "你把权重衰减加进了梯度（L2 正则）。AdamW 是直接从权重里减去 lr · 衰减 · w。",
    "There is no warm-up yet: update `step` < `warmup` has high · (step + 1) / (warmup + 1).": "还没有预热：`step` < `warmup` 时，学习率是 high · (step + 1) / (warmup + 1)。",
    "You limited each number. The whole vector keeps its direction: scale it.": "你限制了每个数的大小。整个向量要保持方向：按比例缩短它。",
    "A gradient shorter than the limit stays as it is.": "比上限短的梯度保持不变。",
    "You made the chosen gates sum to one, as Mixtral does. Here each keeps its probability among all experts.": "你让选中的门值之和为 1，Mixtral 是这样做的。这里每个门值都保持它在所有专家中的概率。",
    "All experts still have a gate. It is 0 for all but the k most probable.": "所有专家都还有门值。除了最可能的 k 个，其余应为 0。",
    "The factor E, the number of experts, is missing: with it, even work gives 1.": "缺少因子 E，即专家的个数：乘上它，负载均匀时正好是 1。",
    "You used P twice. f is a count: the share of tokens whose most probable expert this is.": "你用了两次 P。f 是数出来的：以该专家为最可能专家的词元所占的比例。",
    "Keys and values come from the memory, the encoder's output, not from x.": "键和值来自 memory，也就是编码器的输出，而不是 x。",
    "This is one iteration. Repeat it five times, each on the result of the one before.": "这只是一次迭代。要重复五次，每次都从上一次的结果开始。",
}
"""Each sentence of `check`, and each advice, in Chinese."""


def check(written: Callable[..., Any]) -> None:
    """Compare a learner's function with the engine, and print what was found."""
    exercises.check(written, CHINESE)
