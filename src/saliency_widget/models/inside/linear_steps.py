"""The search of a pass's graph for steps that have no relevance rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.autograd.graph import Node

# Steps that are linear in what depends on the input, as autograd calls them; a ReLU's gradient is its identity rule,
# and so is that of the larger of two where one is a constant (the least score that a mask leaves). Keys and values that
# were kept (`slices`) are what they were.
_LINEAR = {
    "torch::autograd::AccumulateGrad", "Add", "Addmm", "Alias", "AsStrided", "Baddbmm", "Bmm", "Cat", "Clone",
    "ConstantPadNd", "Convolution", "Copy", "Div", "Expand", "Gather", "Index", "IndexSelect", "MaskedFill", "Maximum",
    "Mean", "Mm", "Mul", "Neg", "Permute", "Relu", "Repeat", "Reshape", "ReshapeAlias", "Rsub", "Select", "Slice",
    "Split", "SplitWithSizes", "Squeeze", "Stack", "Sub", "Sum", "T", "ToCopy", "Transpose", "Unbind", "Unsqueeze",
    "UnsafeSplit", "UnsafeView", "View", "Where", "_Kept",
}  # fmt: skip

# Of these the numbers of the inputs of which at most one may depend on the input.
_PRODUCTS = {
    "Addmm": (1, 2), "Baddbmm": (1, 2), "Bmm": (0, 1), "Convolution": (0, 1), "Maximum": (0, 1), "Mm": (0, 1),
    "Mul": (0, 1),
}  # fmt: skip


def steps_before(node: Node) -> tuple[Node, ...]:
    """Return the steps whose results a step takes."""
    return tuple(n for n, _ in node.next_functions if n is not None)


def step_without_rule(end: Node, made: Mapping[Node, tuple[Node, ...]]) -> str | None:
    """Return the name of a step before `end` that is neither linear nor made by a rule; None if there is none.

    `made`: the steps that a rule made, with the steps before the rule.
    """
    seen, queue = {end}, [end]
    while queue:
        node = queue.pop()
        before = made.get(node)
        if before is None:
            before, ways = steps_before(node), node.next_functions
            kind = node.name().split("Backward")[0]
            product = sum(at < len(ways) and ways[at][0] is not None for at in _PRODUCTS.get(kind, ())) > 1
            quotient = kind == "Div" and node.next_functions[1][0] is not None
            if kind not in _LINEAR or product or quotient:
                return node.name()
        queue += [n for n in before if n not in seen]
        seen.update(before)
    return None
