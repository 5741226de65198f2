"""The messages from the page to the kernel, and their check: the page may have another version, or not be ours."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict, cast


class ToKernelHello(TypedDict):
    """A new page asks for everything."""

    type: Literal["hello"]
    protocol: int


class Ack(TypedDict):
    """The page has stored every column message up to `seq`."""

    type: Literal["ack"]
    seq: int


class Focus(TypedDict):
    """Compute the n_cols columns from `col` on next, because the reader looks at them."""

    type: Literal["focus"]
    col: int
    n_cols: int


class Ask(TypedDict):
    """Show this map; compute it if it does not exist.

    `foil`: the token id of a foil. `col`: compute only this column. `hop`: show this step back by way of the thinking.
    `aside`: compute it after the running tasks, and do not show it. `all`: compute also the columns that rest.
    """

    type: Literal["ask"]
    method: str
    objective: str
    settings: NotRequired[dict[str, Any]]
    foil: NotRequired[int]
    col: NotRequired[int]
    hop: NotRequired[int]
    aside: NotRequired[bool]
    all: NotRequired[bool]


class Branch(TypedDict):
    """Replace the target of `col` by this token, and let the model continue from there.

    `rows` or `text`: the change that was tried, if any; the model continues the text with this change.
    """

    type: Literal["branch"]
    col: int
    token: int
    rows: NotRequired[list[int]]
    text: NotRequired[str]


class Back(TypedDict):
    """Show the text of the trail with the index `to`."""

    type: Literal["back"]
    to: int


class AsChat(TypedDict):
    """Ask the text on show as the only turn of a chat, in the model's chat template. No effect on a chat."""

    type: Literal["as_chat"]


class Try(TypedDict):
    """Compute the effect of struck tokens or of an edited text; with neither, undo. The reply is `what_if`."""

    type: Literal["try"]
    request: int
    rows: NotRequired[list[int]]
    text: NotRequired[str]


class Keep(TypedDict):
    """Put the text with this change, which was tried, on show, with a map of its own."""

    type: Literal["keep"]
    rows: NotRequired[list[int]]
    text: NotRequired[str]


class AskHeads(TypedDict):
    """Compute the attention weights of every head for one column. The reply is `heads`."""

    type: Literal["heads"]
    request: int
    col: int


class Cancel(TypedDict):
    """Stop what is running; keep what is done."""

    type: Literal["cancel"]


class Explain(TypedDict):
    """Ask an LLM about `review`. `prompt` is a whole template, with `{review}` in it where the text goes.

    `labels`: what it is to choose between; `homework`: between positive and negative, as the homework does.
    `target`: what stands for `{target}`, and `col` its place among the targets.
    """

    type: Literal["explain"]
    explainer: str
    kind: str
    prompt: str
    review: str
    labels: NotRequired[list[str]]
    homework: NotRequired[bool]
    target: NotRequired[str]
    col: NotRequired[int]


class SayVersusDo(TypedDict):
    """Set what an explainer says of `review` beside what it computes, or the model. `labels`: as in `Explain`."""

    type: Literal["say_versus_do"]
    review: str
    explainer: NotRequired[str]
    labels: NotRequired[list[str]]


class Evaluate(TypedDict):
    """Judge every map of these columns, which are one target together. The reply is `evaluation`, several times.

    `ahead`: only find out how this model reads texts without some words, because the reader is about to ask.
    """

    type: Literal["evaluate"]
    cols: list[int]
    ahead: NotRequired[bool]


class Sanity(TypedDict):
    """Check maps of these columns: by shuffled weights, and by other spellings. The reply is `sanity`, several times.

    `maps`: their ids; all if left out. `ahead`: only tell which maps can be checked, and at which price.
    """

    type: Literal["sanity"]
    cols: list[int]
    maps: NotRequired[list[str]]
    ahead: NotRequired[bool]


ToKernel: TypeAlias = (
    ToKernelHello
    | Ack
    | Focus
    | Ask
    | Branch
    | Back
    | AsChat
    | Try
    | Keep
    | AskHeads
    | Cancel
    | Explain
    | SayVersusDo
    | Evaluate
    | Sanity
)

_MAY_BE_LEFT_OUT: dict[str, type] = {
    "settings": dict,
    "foil": int,
    "col": int,
    "hop": int,
    "explainer": str,
    "labels": list,
    "homework": bool,
    "target": str,
    "aside": bool,
    "all": bool,
    "ahead": bool,
    "maps": list,
    "rows": list,
    "text": str,
}
_TO_KERNEL_FIELDS: dict[str, dict[str, type]] = {
    "hello": {"protocol": int},
    "ack": {"seq": int},
    "focus": {"col": int, "n_cols": int},
    "ask": {"method": str, "objective": str},
    "branch": {"col": int, "token": int},
    "back": {"to": int},
    "as_chat": {},
    "try": {"request": int},
    "keep": {},
    "heads": {"request": int, "col": int},
    "cancel": {},
    "explain": {"explainer": str, "kind": str, "prompt": str, "review": str},
    "say_versus_do": {"review": str},
    "evaluate": {"cols": list},
    "sanity": {"cols": list},
}


def read(content: object) -> ToKernel | None:
    """Return the message in `content`, with every field checked, or None if it is not valid."""
    if not isinstance(content, dict):
        return None
    fields = _TO_KERNEL_FIELDS.get(str(content.get("type")))
    if fields is None or not all(_is(content.get(name), kind) for name, kind in fields.items()):
        return None
    given = _MAY_BE_LEFT_OUT.keys() & content.keys()
    if not all(_is(content[name], _MAY_BE_LEFT_OUT[name]) for name in given):
        return None
    return cast("ToKernel", content)


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind) and (kind is bool) == isinstance(value, bool)  # bool is a subclass of int
