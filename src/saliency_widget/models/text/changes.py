"""Changes of the input of a text that keep its continuation."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from ...checks import whole_text
from ...errors import InputError
from .chat import last_of_user, with_last_of_user
from .document import joined
from .prompting import Encoded, Prompt, check_prompt
from .stretches import Named

if TYPE_CHECKING:
    from ...types import Token
    from ..base import Model
    from .document import Document

_NAME = 28  # characters of a text's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A document, and the prompt and encoding that it was made from.

    `prompt`: None if tokens were struck out. `name`: the change that made it, in a few words. `as_chat`: whether the
    model may write more if the text is asked as a chat.
    """

    name: str
    prompt: Prompt | None
    encoded: Encoded
    document: Document
    as_chat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change: the rows of struck tokens, or the new text in place of `editable`, or neither."""

    rows: tuple[int, ...] = ()
    text: str | None = None

    def __post_init__(self) -> None:
        if self.rows and self.text is not None:
            raise InputError("Tokens are struck out and the text is edited too.", cure="Do one after the other.")

    def __bool__(self) -> bool:
        return bool(self.rows) or self.text is not None


@dataclass(frozen=True, slots=True)
class Rewriting:
    """The fate of the given tokens in a new text. `gone`: positions of those that are not in the new text, ascending.

    `written`: what the new text has more, each with the position before which it stands, ascending.
    """

    gone: tuple[int, ...] = ()
    written: tuple[tuple[int, str], ...] = ()


def rewriting(before: Document, after: Document) -> Rewriting:
    """Return where a text was written anew: token by token what is gone, and what is there in its place."""
    old, new = (list(document.tokens[: document.first_target]) for document in (before, after))
    a, b = ([(token.text, token.part, token.role) for token in tokens] for tokens in (old, new))
    gone: list[int] = []
    written: list[tuple[int, str]] = []
    for tag, start, end, begin, stop in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        gone += range(start, end)
        if begin < stop:
            written.append((end, joined(new[begin:stop]).text))
    return Rewriting(tuple(gone), tuple(written))


def name_of(prompt: Prompt | None, document: Document) -> str:
    """Return the first words of the prompt."""
    given = [token for token in document.tokens[: document.first_target] if token.role != "special"]
    return _short(editable(prompt) or (joined(given).text if given else "")) or "…"


def editable(prompt: Prompt | None) -> str | None:
    """Return the part that can be edited: the text, or the user's last turn; None if the prompt was given as ids."""
    if prompt is None:
        return None
    return prompt.text if prompt.chat is None else last_of_user(prompt.chat)


def changed(model: Model, text: Text, change: Change) -> tuple[Text, list[int]]:
    """Return the text after the change, and the old columns that it still has: a struck token is no target.

    The ids of other tokens stay the same. Raises: InputError, TextTooLong.
    """
    if change.text is not None:
        return _rewritten(model, text, change.text), list(range(len(text.document.targets)))
    return _struck(model, text, set(change.rows))


def _rewritten(model: Model, text: Text, new: str) -> Text:
    prompt, targets = text.prompt, tuple(target.ids[0] for target in text.document.targets)
    if prompt is None or editable(prompt) is None:
        raise InputError("This text was given as token ids, so it cannot be edited.", cure="Strike tokens out.")
    if prompt.chat is None:
        fresh = check_prompt(new if prompt.second is None else (new, prompt.second), target_ids=targets)
    else:
        whole_text("A chat message", new)
        fresh = replace(prompt, chat=with_last_of_user(prompt.chat, new), target=None, target_ids=targets)
    # Segments given by their words are searched again; positions of characters are those of the old text.
    prompt = replace(fresh, named=tuple((name, where) for name, where in prompt.named if isinstance(where, str)))
    encoded = model.encode(prompt)
    model.check_length(encoded, len(targets))
    return Text(name="edited", prompt=prompt, encoded=encoded, document=model.document(encoded, targets))


def _struck(model: Model, text: Text, rows: Collection[int]) -> tuple[Text, list[int]]:
    document, encoded = text.document, text.encoded
    n, n_source, first = len(document.rows), len(document.inputs.source), document.first_target
    missing = [row for row in rows if not 0 <= row < n]
    if missing:
        raise InputError(f"There is no input token {missing[0]}.", cure=f"There are {n}: 0 … {n - 1}.")
    given = [position for position in range(first) if position not in rows]
    cols = [col for col, target in enumerate(document.targets) if target.position not in rows]
    left = encoded.inputs.at(given)
    if not left.ids or (n_source and not left.source):
        raise InputError(
            f"Without these tokens there is nothing left for {model.name} to read.", cure="Leave one of them in."
        )
    segments = encoded.segments and tuple(
        replace(s, start=_below(given, s.start), end=_below(given, s.end)) for s in encoded.segments
    )
    fewer = replace(
        encoded,
        inputs=left,
        roles=tuple(encoded.roles[at] for at in given),
        segments=segments,
        unknown=tuple(encoded.unknown[at] for at in given if at < len(encoded.unknown)),
        named=tuple(_left_of(text, given)),
    )
    shorter = model.document(fewer, [document.targets[col].ids[0] for col in cols])
    prompt = text.prompt if len(given) == first else _prompt_without(text, rows)
    name = _short(f"without {_said([document.tokens[row] for row in sorted(rows)])}")
    return Text(name=name, prompt=prompt, encoded=fewer, document=shorter), cols


def _prompt_without(text: Text, rows: Collection[int]) -> Prompt | None:
    """Return what would have been given without these tokens, to be written anew; None where that cannot be said.

    It can where all are of what can be written anew, and the tokens spell that out: template tokens, other turns and
    the second text of a pair are no part of it.
    """
    prompt, (start, end) = text.prompt, _editable_stretch(text)
    given = [token for token in text.document.tokens[start:end] if token.role != "special"]
    old = editable(prompt)
    if prompt is None or prompt.second is not None or old is None or not given:
        return None
    gone = {row for row in rows if row < text.document.first_target}
    left = [token for token in given if token.position not in gone]
    is_spelled = joined(given).text.strip() == old.strip()
    if not (is_spelled and left and gone <= {token.position for token in given}):
        return None
    new = "".join(joined(run).text for run in _stretches(left))
    new = new if old[:1].isspace() else new.lstrip()
    named = tuple((name, where) for name, where in prompt.named if isinstance(where, str) and where in new)
    if prompt.chat is None:
        return replace(prompt, text=new, target=None, named=named)
    return replace(prompt, chat=with_last_of_user(prompt.chat, new), target=None, named=named)


def _editable_stretch(text: Text) -> tuple[int, int]:
    """Return the tokens of what can be written anew: the last turn of a user, the source, or all that was given."""
    document, prompt = text.document, text.prompt
    kind = "user" if prompt is not None and prompt.chat is not None else "source"
    found = [segment for segment in document.segments if segment.kind == kind]
    return (found[-1].start, found[-1].end) if found else (0, document.first_target)


def _left_of(text: Text, given: list[int]) -> Iterator[Named]:
    """Return the named stretches of a text over the tokens that are left of them."""
    names = {name for name, _ in text.encoded.named}
    for segment in text.document.segments:
        left = range(_below(given, segment.start), _below(given, segment.end))
        if segment.name in names and left:
            yield segment.name, left


def _below(positions: list[int], end: int) -> int:
    return sum(position < end for position in positions)


def _said(tokens: Sequence[Token]) -> str:
    """Return the text of each run of tokens; neighbours are one."""
    return " ".join(joined(stretch).text.strip() or "␣" for stretch in _stretches(tokens))


def _stretches(tokens: Sequence[Token]) -> list[list[Token]]:
    """Neighbours together."""
    stretches: list[list[Token]] = []
    for token in tokens:
        if stretches and stretches[-1][-1].position == token.position - 1:
            stretches[-1].append(token)
        else:
            stretches.append([token])
    return stretches


def _short(text: str) -> str:
    """Return the first words of a text, on one line."""
    text = " ".join(text.split())
    if len(text) <= _NAME:
        return text
    cut = text.rfind(" ", _NAME // 2, _NAME)
    return f"{text[: _NAME - 1 if cut < 0 else cut]}…"
