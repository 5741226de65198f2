"""The split of a model's output into its thinking, in any of the usual marks, and its answer."""

from __future__ import annotations

from ...models.text.thinking import parts


def without_thinking(text: str) -> tuple[str, str]:
    """Return the answer, and the thinking before it; `models.text.thinking` has the marks between them."""
    found = parts(text)
    answer, thoughts = (
        "\n".join(text[part.start : part.end] for part in found if part.thinking is thinking)
        for thinking in (False, True)
    )
    return answer, thoughts
