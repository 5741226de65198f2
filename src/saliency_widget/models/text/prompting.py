"""Prompts (a text, a chat or ids, and a forced continuation), and their encoding as ids with roles and segments."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...checks import whole_number, whole_text
from ...errors import InputError
from ...types import Inputs, Role, Segment
from .chat import Chat, Message, check_chat
from .pairs import pair_of, second_of, second_of_ids, types_of_ids
from .rendering import chat_tokens, write_chat
from .stretches import Named, check_named
from .unknown import unknown_texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """The user's arguments, checked for contradictions but not yet encoded."""

    text: str | None = None
    second: str | None = None  # of a pair
    chat: Chat | None = None
    input_ids: tuple[int, ...] | None = None
    target: str | None = None
    target_ids: tuple[int, ...] | None = None
    named: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """An encoded prompt. `target`: the ids of a forced continuation, or of classes; empty if the model writes.

    `roles`: one for each input. `segments`: chat turns, or source and output, that tile the inputs; None for a plain
    text. `unknown`: for each of the first inputs, the text of an unknown token, or None.
    """

    inputs: Inputs
    roles: tuple[Role, ...]
    segments: tuple[Segment, ...] | None
    target: tuple[int, ...]
    unknown: tuple[str | None, ...] = ()
    named: tuple[Named, ...] = ()


def check_prompt(
    text: str | tuple[str, str] | None,
    *,
    messages: Sequence[Message] | None = None,
    tools: Sequence[Any] | None = None,
    template: Mapping[str, Any] | None = None,
    input_ids: Sequence[int] | None = None,
    target: str | None = None,
    target_ids: Sequence[int] | None = None,
    segments: Mapping[str, str | tuple[int, int]] | None = None,
    documents: Sequence[str | Mapping[str, Any]] | None = None,
) -> Prompt:
    """Return the prompt of these arguments.

    Raises: InputError unless exactly one of `text`, `messages`, `input_ids` and at most one of `target`, `target_ids`
    is given, and none of them is empty.
    """
    given = [name for name, v in (("text", text), ("messages", messages), ("input_ids", input_ids)) if v is not None]
    if not given:
        raise InputError("There is no text.", cure="Give text=, messages= or input_ids=.")
    if len(given) > 1:
        raise InputError(
            f"There are {len(given)} kinds of text: {' and '.join(given)}.", cure="Give exactly one of them."
        )
    if target is not None and target_ids is not None:
        raise InputError("There are two kinds of target: target and target_ids.", cure="Give one of them.")
    second: str | None = None
    if isinstance(text, tuple) and len(text) == 2 and all(isinstance(part, str) for part in text):
        text, second = text
    several: Any = text
    is_one = isinstance(several, str | bytes | Mapping) or getattr(several, "ndim", 1) == 0
    if hasattr(several, "__len__") and not is_one:
        pair = " A pair for a classifier is a tuple: (first, second)." if len(several) == 2 else ""
        raise InputError(
            f"There are {len(several)} texts, and a map is of one.",
            cure=f"Make a map for each: [sw.attribute(model, text) for text in texts].{pair}",
        )
    if text is not None and not isinstance(text, str):
        raise InputError(
            f"The text is a {type(text).__name__}, not a string.", cure="Give messages= for a chat, input_ids= for ids."
        )
    if target is not None and not isinstance(target, str):
        raise InputError(f"The target is a {type(target).__name__}, not a string.", cure="Give target_ids= for ids.")
    ids = None if input_ids is None else _whole_numbers("input_ids", input_ids)
    if messages is None:
        _check_no_chat(tools, template, documents)
    if text == "" or ids == ():
        raise InputError(f"The {given[0]} is empty.", cure="Give at least one token for the model to read.")
    whole_text("The text", text or "")
    whole_text("The second text", second or "")
    whole_text("The target", target or "")
    return Prompt(
        text=text,
        second=second,
        chat=None if messages is None else check_chat(messages, tools, template, documents),
        input_ids=ids,
        target=target,
        target_ids=None if target_ids is None else _whole_numbers("target_ids", target_ids),
        named=() if segments is None else check_named(segments),
    )


def _check_no_chat(tools: Any, template: Any, documents: Any) -> None:
    """Raise InputError if what only a chat has is given without one."""
    if documents is not None:
        raise InputError(
            "documents= are for a chat, and there is none.",
            cure='Give messages=, or write them into the text and name them: segments={"a name": "its words"}.',
        )
    if tools is not None or template is not None:
        raise InputError("tools= and template= are for a chat, and there is none.", cure="Give messages=.")


def check_max_new_tokens(n: int) -> None:
    """Raise InputError unless n is a whole number above 0."""
    whole_number("max_new_tokens", n, least=1, cure="Let at least one token be written.")


def _whole_numbers(name: str, ids: Any) -> tuple[int, ...]:
    cure = "Give the ids of one text, one after another: tokenizer(text).input_ids."
    ids = ids.tolist() if hasattr(ids, "tolist") else ids
    if isinstance(ids, list | tuple) and ids and all(isinstance(row, list | tuple) for row in ids):
        if len(ids) > 1:
            raise InputError(f"{name} holds {len(ids)} texts, and a map is of one.", cure=f"Give {name}[0], say.")
        (ids,) = ids  # as a tokenizer gives them for a model: [1, n]
    if isinstance(ids, str) or not hasattr(ids, "__len__"):
        raise InputError(f"{name} is a {type(ids).__name__}, not a list of token ids.", cure=cure)
    return tuple(whole_number(f"A token id in {name}", i, cure=cure) for i in ids)


# ── from text to ids. Nothing is decoded and encoded again on the way ────────────────────────────────────────────


def encode_text(tokenizer: Any, prompt: Prompt) -> Encoded:
    """Encode the prompt of a causal model.

    Raises: InputError for a chat without a template, and for a text or target without a token.
    """
    segments: tuple[Segment, ...] | None = None
    before: str | None
    roles: list[Role] | None = None
    documents: tuple[Named, ...] = ()
    if prompt.chat is not None:
        written = write_chat(tokenizer, prompt.chat)
        before = written.text
        ids, roles, segments, documents = chat_tokens(tokenizer, written)
    else:
        ids, before = _ids(tokenizer, prompt), prompt.text
    unknown = unknown_texts(tokenizer, before, ids)
    target = prompt.target_ids
    if target is None:
        target = continuation(tokenizer, before, ids, prompt.target)
    return Encoded(
        inputs=Inputs((), tuple(ids)),
        roles=tuple(_roles(ids, tokenizer, "prompt", unknown) if roles is None else roles),
        segments=segments,
        target=_checked_target(target),
        unknown=unknown,
        named=(*prompt.named, *documents),
    )


def encode_source(tokenizer: Any, prompt: Prompt, start: tuple[int, ...], output: str) -> Encoded:
    """Encode the prompt of an encoder-decoder model. `start`: its decoder's first ids; `output`: its output's name.

    Raises: InputError for a chat, and for a text or target without a token.
    """
    ids = _ids(tokenizer, prompt)
    target = prompt.target_ids
    if target is None and prompt.target is not None:
        target = tuple(tokenizer(text_target=prompt.target)["input_ids"])
        if start[1:] and target[: len(start) - 1] == start[1:]:  # the language token is in both
            target = target[len(start) - 1 :]
    n, m = len(ids), len(ids) + len(start)
    unknown = unknown_texts(tokenizer, prompt.text, ids)
    return Encoded(
        inputs=Inputs(tuple(ids), start),
        roles=tuple(_roles(ids, tokenizer, "source", unknown) + ["special"] * len(start)),
        segments=(
            Segment(kind="source", name="source", start=0, end=n),
            Segment(kind="target", name=output, start=n, end=m),
        ),
        target=_checked_target(target),
        unknown=unknown,
        named=prompt.named,
    )


def encode_to_classify(tokenizer: Any, prompt: Prompt, labels: tuple[str, ...], *, types: bool = False) -> Encoded:
    """Encode the prompt of a classifier. The targets are the class that the user named, or all classes.

    Each text of a pair is a segment. `types`: whether the model reads token types.
    Raises: InputError for a chat, a text without a token, and an unknown class.
    """
    ids, second = _ids_of_texts(tokenizer, prompt)
    named = prompt.target_ids if prompt.target is None else (prompt.target,)
    chosen = tuple(class_index(labels, name) for name in named or ())
    unknown = unknown_texts(tokenizer, prompt.text, ids[:second])
    if prompt.second is not None and second is not None:
        behind = unknown_texts(tokenizer, prompt.second, ids[second:])
        unknown = (*unknown, *[None] * (second - len(unknown)), *behind) if behind else unknown
    return Encoded(
        inputs=Inputs((), tuple(ids), tuple(types_of_ids(tokenizer, ids, second)) if types else ()),
        roles=tuple(_roles(ids, tokenizer, "prompt", unknown)),
        segments=None if second is None else pair_of(second, len(ids)),
        target=tuple(range(len(labels))) if named is None else _checked_target(chosen),
        unknown=unknown,
        named=prompt.named,
    )


def _ids_of_texts(tokenizer: Any, prompt: Prompt) -> tuple[list[int], int | None]:
    """Return the ids of a text or a pair, and the index of the second text's first token."""
    if prompt.second is not None:
        second = second_of(tokenizer, str(prompt.text))
        return list(tokenizer(prompt.text, prompt.second)["input_ids"]), second
    ids = _ids(tokenizer, prompt)
    return ids, second_of_ids(tokenizer, ids) if prompt.input_ids is not None else None


def class_index(labels: tuple[str, ...], wanted: str | int) -> int:
    """Return the index of a class, given its name or index. Raises: InputError, which names the classes."""
    if type(wanted) is int and 0 <= wanted < len(labels):  # True is no index
        return wanted
    if wanted in labels:
        return labels.index(str(wanted))
    raise InputError(f"There is no class {wanted!r}.", cure=f"The classes are {', '.join(labels)}.")


def _ids(tokenizer: Any, prompt: Prompt) -> list[int]:
    """Return the ids of a text that is no chat, including special tokens. Raises: InputError."""
    if prompt.chat is not None:
        raise InputError("This model takes no chat.", cure="Give text= instead of messages=.")
    if prompt.second is not None:
        raise InputError("This model reads one text, not a pair.", cure="Give one text, or a classifier.")
    ids = list(prompt.input_ids) if prompt.input_ids is not None else _ids_of_text(tokenizer, str(prompt.text))
    if not ids:
        raise InputError("The text makes no token at all.", cure="Give at least one token for the model to read.")
    return ids


def _ids_of_text(tokenizer: Any, text: str) -> list[int]:
    """Return the ids of a text. The token that begins every text comes once, even if a rendered chat contains it."""
    ids, bare = list(tokenizer(text)["input_ids"]), _bare(tokenizer, text)
    before = len(ids) - len(bare)
    start = next((n for n in range(1, before + 1) if ids[n : n + len(bare)] == bare), 0)
    return ids[start:] if start and bare[:start] == ids[:start] else ids


def _checked_target(target: Sequence[int] | None) -> tuple[int, ...]:
    if target is not None and not target:
        raise InputError(
            "The target makes no token at all.", cure="Give a target with at least one character, or none."
        )
    return tuple(target or ())


def _roles(ids: Sequence[int], tokenizer: Any, role: Role, unknown: Sequence[str | None]) -> list[Role]:
    special = set(tokenizer.all_special_ids)
    known = (*unknown, *[None] * (len(ids) - len(unknown)))
    return ["special" if i in special and said is None else role for i, said in zip(ids, known, strict=True)]


def continuation(tokenizer: Any, before: str | None, ids: list[int], target: str | None) -> tuple[int, ...] | None:
    """Return the ids of `target` after a text `before` whose ids are `ids`; None for None.

    Both are encoded together if that keeps the text's ids: some tokenizers begin a separate text with a space.
    """
    if target is None:
        return None
    if before is not None:
        bare = _bare(tokenizer, before)
        _check_beginning(tokenizer, before, target)
        together = _bare(tokenizer, before + target)
        if ids[-len(bare) :] == bare and together[: len(bare)] == bare:
            return tuple(together[len(bare) :])
    return tuple(_bare(tokenizer, target))


def _check_beginning(tokenizer: Any, before: str, target: str) -> None:
    """Raise InputError for a target that lacks its leading space and would continue the word before.

    It is an error only if the space would make fewer tokens: a target may be the rest of a word.
    """
    if not (_is_spaced(before[-1:]) and _is_spaced(target[:1])):
        return
    if len(_bare(tokenizer, " " + target)) < len(_bare(tokenizer, target)):
        word, begun = target.split(maxsplit=1)[0], before.rsplit(maxsplit=1)[-1]
        raise InputError(
            f"“{word}” would continue the word “{begun}”, and be read in other tokens than the word “ {word}”.",
            cure=f"Did you mean target={' ' + target!r}? If not, give target_ids=.",
        )


def _is_spaced(letter: str) -> bool:
    """Return whether a character is a letter of a script that separates words by spaces."""
    return letter.isalpha() and unicodedata.name(letter, "").startswith(("LATIN", "GREEK", "CYRILLIC", "ARMENIAN"))


def _bare(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
