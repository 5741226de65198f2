"""The same text spelled in another way: its words are the same to a reader, and its tokens may not be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ...attribution.aggregate import pooled
from ...attribution.pipeline import write
from ...errors import InputError
from ...models.text.document import joined
from ...models.text.prompting import check_prompt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...models.base import Model
    from ...models.text.document import Document
    from ...types import Token

# Each changes every stretch of the text between special tokens.
SPELLINGS: dict[str, Callable[[str], str]] = {
    "lower case": str.lower,
    "upper case": str.upper,
    "two spaces": lambda text: text.replace(" ", "  "),
    "line breaks": lambda text: text.replace(" ", "\n"),
}


@dataclass(frozen=True)
class Respelled:
    """A text in another spelling. `document`: as a model reads it. `places`: the rows of each word, in both texts."""

    document: Document
    places: tuple[tuple[list[int], list[int]], ...]

    def words(self, mine: NDArray[Any], theirs: NDArray[Any], pool: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the scores of tokens [n, k] of both texts as scores of words [w, k]."""
        before, after = ([list(pair[side]) for pair in self.places] for side in (0, 1))
        return pooled(mine, before, pool, 0), pooled(theirs, after, pool, 0)


def respelled(model: Model, document: Document, spelling: str) -> Respelled | str:
    """Return a document in another spelling, with the same targets; or a sentence why there is none."""
    given = len(document.inputs.source) or document.first_written
    ids = _ids_of(document)
    stretches = [
        (special, [token.position for token in tokens])
        for special, tokens in groupby(document.tokens[:given], key=lambda token: token.role == "special")
    ]
    before: list[int] = []
    after: list[int] = []
    spelled: list[list[tuple[int, int]]] = [[], []]  # the stretches of ordinary tokens, (start, end)
    changed = False
    for special, rows in stretches:
        own = [ids[row] for row in rows]
        text = model.tokenizer.decode(own, clean_up_tokenization_spaces=False)
        again, new = own, own
        if not special:
            again, new = (_encoded(model, each) for each in (text, SPELLINGS[spelling](text)))
            changed |= text != SPELLINGS[spelling](text)
            spelled[0].append((len(before), len(before) + len(own)))
            spelled[1].append((len(after), len(after) + len(new)))
        if again != own:
            return "The text's tokens are not those that its tokenizer makes of it, so it cannot be spelled otherwise."
        before += own
        after += new
    if not changed:
        return "This changes nothing in the text."
    try:
        other = _with_targets(model, document, after)
    except InputError as error:
        return str(error)
    if list(other.inputs.all[: len(after)]) != after:
        return "The model reads this text with tokens around it that a list of tokens does not get."
    words = [_words(of.tokens, parts) for of, parts in zip((document, other), spelled, strict=True)]
    if [text for text, _ in words[0]] != [text for text, _ in words[1]]:
        return "In this spelling the text has other words."
    return Respelled(other, tuple((a, b) for (_, a), (_, b) in zip(*words, strict=True)))


def _ids_of(document: Document) -> dict[int, int]:
    """Return the id of each token by its position, those of targets too."""
    targets = {target.position + i: one for target in document.targets for i, one in enumerate(target.ids)}
    return dict(enumerate(document.inputs.all)) | ({} if _explains_classes(document) else targets)


def _explains_classes(document: Document) -> bool:
    return document.cols[0].role == "class"


def _encoded(model: Model, text: str) -> list[int]:
    return list(model.tokenizer(text, add_special_tokens=False)["input_ids"])


def _with_targets(model: Model, document: Document, ids: Sequence[int]) -> Document:
    """Return the document of another beginning with the targets of `document`. Raises: InputError, TextTooLong."""
    begin, known = document.first_written, _ids_of(document)
    written = [known[at] for at in range(begin, max(target.n_seen for target in document.targets) + 1) if at in known]
    is_class = _explains_classes(document)
    prompt = check_prompt(None, input_ids=list(ids), target_ids=None if is_class else written)
    other = write(model, prompt, 0, lambda *_: None)
    shift = other.first_target - begin
    targets = tuple(target._replace(position=target.position + shift) for target in document.targets)
    return replace(other, targets=targets)


def _words(tokens: Sequence[Token], stretches: Sequence[tuple[int, int]]) -> list[tuple[str, list[int]]]:
    """Return the words of these stretches, case-folded, and the rows of each. White space is no word."""
    found = []
    for start, end in stretches:
        for _, group in groupby(tokens[start:end], key=lambda token: token.word):
            word = list(group)
            text = joined(word).text.strip().casefold()
            if text:
                found.append((text, [token.position for token in word]))
    return found
