"""The trail is the history of the texts that one widget showed, one of which is on show."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ..attribution import pipeline
from ..errors import InputError
from ..models.text.as_chat import as_chat, may_answer_as_chat
from ..models.text.changes import Change, Text, changed, editable, name_of
from ..protocol import to_page
from .messages import status, step_message, tokens_message
from .pace import Pace
from .recipe import recipe

if TYPE_CHECKING:
    from ..models.base import Model
    from ..models.steps import Step
    from ..models.text.document import Document
    from ..models.text.prompting import Encoded, Prompt
    from .patience import Patience
    from .sender import Sender

    OnProgress: TypeAlias = Callable[[Encoded, list[int], list[Step]], None]


class Trail:
    """The history of texts. Only the worker's thread uses it, with a shadow of the model.

    `turned` is called before the pages are told of another text; `grown` is called with a text that is being written
    whenever the pages were told of more of it; `early_left` returns the seconds that this will take until a number of
    tokens is written. `check` and `grown` may raise to stop; the text so far stays.
    `given`: the model as the user named it.
    """

    def __init__(
        self,
        sender: Sender,
        prompt: Prompt,
        max_new_tokens: int,
        *,
        given: Any = None,
        patience: Patience,
        check: Callable[[], None],
        turned: Callable[[], None],
        grown: Callable[[Model, Document], None],
        early_left: Callable[[int], float | None],
    ) -> None:
        self._sender = sender
        self._prompt = prompt
        self._max_new_tokens = max_new_tokens
        self._given = given
        self._patience = patience
        self._check = check
        self._turned = turned
        self._grown = grown
        self._early_left = early_left
        self._texts: list[Text] = []
        self._at = -1

    @property
    def text(self) -> Text | None:
        """Return the text on show, or None before there is any."""
        return self._texts[self._at] if self._texts else None

    def close(self) -> None:
        """Forget all texts."""
        self._texts = []

    # ── ways to a text ────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, model: Model) -> None:
        """Encode the prompt, and let the model write the first text. Raises: InputError, TextTooLong."""
        prompt, total = self._prompt, self._max_new_tokens

        def write(on_progress: OnProgress) -> Document:
            return pipeline.write(model, prompt, total, on_progress)

        self._write(model, None, prompt, write)

    def ask_as_chat(self, model: Model) -> None:
        """Write an answer to the plain text as the user's turn in a chat, unless the text on show is a chat.

        Raises: InputError, TextTooLong.
        """
        here = self._here()
        if here.prompt is None:
            raise InputError(
                "This text was given as token ids, so it cannot be asked as a chat.", cure="Give messages=."
            )
        if here.prompt.chat is not None:  # the user clicked twice
            return
        prompt, total = as_chat(here.prompt), self._max_new_tokens

        def write(on_progress: OnProgress) -> Document:
            return pipeline.write(model, prompt, total, on_progress)

        self._write(model, "as a chat", prompt, write)

    def branch(self, model: Model, col: int, token: int, change: Change) -> None:
        """Replace the target of `col` with another token, drop what follows, and let the model continue.

        It continues the text with this change of its input, if there is one.
        Raises: InputError, TextTooLong.
        """
        before = self._here()
        pipeline.check_column(col, before.document)
        if before.document.cols[0].role == "class":
            raise InputError(
                f"{model.name} writes no text, so no token can be replaced.", cure="Change the input instead."
            )
        model.check_ids([token])
        name = model.foil_text(token).strip() or "␣"
        if change:
            before, cols = changed(model, before, change)
            if col not in cols:
                raise InputError(
                    "The token to replace is struck out.", cure="Undo the strike, or replace another token."
                )
            col, name = cols.index(col), f"{name}, {before.name}"
        begun = (*(target.ids[0] for target in before.document.targets[:col]), token)
        more = 0 if model.ends_at(token) else max(1, self._max_new_tokens - len(begun))

        def write(on_progress: OnProgress) -> Document:
            return pipeline.go_on(model, before.encoded, begun, more, on_progress)

        self._write(model, name, before.prompt, write, n_begun=len(begun), n_same=0 if change else col)

    def keep(self, model: Model, change: Change) -> None:
        """Put the text with a changed input and the same continuation on show.

        Raises: InputError, TextTooLong.
        """
        if not change:
            raise InputError("There is no change to keep.", cure="Strike tokens out or edit the text first.")
        after, _ = changed(model, self._here(), change)
        self._announce(model, after)
        self._add(after)

    def back(self, model: Model, to: int) -> None:
        """Put the text with the index `to` on show. Raises: InputError if there is none."""
        n = len(self._texts)
        if not 0 <= to < n:
            raise InputError(f"There is no text {to}.", cure=f"There are {n}: 0 … {n - 1}.")
        if to != self._at:
            self._at = to
            self.announce(model)

    # ── what the pages are told ───────────────────────────────────────────────────────────────────────────────────

    def announce(self, model: Model) -> None:
        """Send the text on show again as a new document. The pages forget its maps."""
        self._begin(model, self._texts, self._at)

    def _announce(self, model: Model, text: Text, n_same: int = 0) -> None:
        """Send a text that will follow the one on show. Its first `n_same` columns keep their steps."""
        self._begin(model, [*self._texts[: self._at + 1], text], self._at + 1, n_same)

    def _begin(self, model: Model, texts: Sequence[Text], at: int, n_same: int = 0) -> None:
        self._turned()
        text, doc = texts[at], self._sender.doc + 1
        steps = self._sender.latest("steps").items()
        self._sender.tell(
            self._trail_message(texts, at),
            to_page.Document(
                type="document", doc=doc, model=model.name, device=str(model.device), dtype=model.dtype_name,
                first_target=text.document.first_target, editable=editable(text.prompt), raw=model.raw, alive=True,
                beside=[], code=recipe(self._given, text),
            ),
            tokens_message(doc, text.document.tokens, text.document.segments),
            *(cast("to_page.Steps", {**step, "doc": doc}) for col, step in steps if col < n_same),
        )  # fmt: skip

    @staticmethod
    def _trail_message(texts: Sequence[Text], at: int) -> to_page.Trail:
        return {"type": "trail", "names": [t.name for t in texts], "at": at, "as_chat": texts[at].as_chat}

    def _tell_tokens(self, document: Document) -> None:
        self._sender.tell(tokens_message(self._sender.doc, document.tokens, document.segments))

    def _here(self) -> Text:
        return self._texts[self._at]

    def _add(self, text: Text) -> None:
        """Add a text after the one on show, in place of the texts that followed it."""
        self._texts = [*self._texts[: self._at + 1], text]
        self._at += 1
        self._tell_tokens(text.document)
        if text.as_chat:  # known only now that the whole text is written
            self._sender.tell(self._trail_message(self._texts, self._at))

    def _write(
        self,
        model: Model,
        name: str | None,
        prompt: Prompt | None,
        write: Callable[[OnProgress], Document],
        *,
        n_begun: int = 0,
        n_same: int = 0,
    ) -> None:
        """Write a text, and send it to the pages while it grows.

        `n_begun`: the number of target tokens that are given. `n_same`: how many columns keep the steps of the text on
        show.
        """
        sent_at, interval = 0.0, self._patience.between
        total = max(self._max_new_tokens, n_begun + 1)
        pace: Pace | None = None
        told = 0
        latest: tuple[Encoded, list[int]] | None = None  # None until the pages know of the text

        def text_of(encoded: Encoded, document: Document) -> Text:
            return Text(name=name or name_of(prompt, document), prompt=prompt, encoded=encoded, document=document)

        def on_progress(encoded: Encoded, written: list[int], steps: list[Step]) -> None:
            nonlocal sent_at, interval, pace, told, latest
            self._check()
            now = time.perf_counter()
            if told and now - sent_at < interval:  # the first token is sent at once
                return
            document = model.document(encoded, written)
            if pace is None:
                pace = Pace(n_begun)
                self._announce(model, text_of(encoded, document), n_same)
                latest = encoded, written
            else:
                self._tell_tokens(document)
            tell_steps(self._sender, model, range(n_begun + told, n_begun + len(steps)), steps[told:])
            told = len(steps)
            if len(written) == n_begun + told:  # otherwise the target is forced, and nothing is written
                writing, columns = pace.left(len(written), total), self._early_left(total)
                left = None if writing is None or columns is None else writing + columns
                self._sender.tell(status("generating", "Writing", len(written), total, left if told > 1 else None))
            sent_at = time.perf_counter()
            interval = max(self._patience.between, self._patience.pause * (sent_at - now))
            if told:
                self._grown(model, document)
                pace.skip(time.perf_counter() - sent_at)

        try:
            document = write(on_progress)
        except Exception:  # a cancel, or an error of the model's code
            if latest is not None and latest[1]:  # the tokens written so far stay, and can be explained
                encoded, written = latest
                self._add(text_of(encoded, model.document(encoded, written)))
            raise
        assert latest is not None, "every way of writing calls on_progress"
        whole = text_of(latest[0], document)
        ids = [target.ids[0] for target in document.targets]
        self._add(replace(whole, as_chat=not n_begun and may_answer_as_chat(model, prompt, ids)))


def tell_steps(sender: Sender, model: Model, cols: Iterable[int], steps: Sequence[Step]) -> None:
    """Send the probability (or value) and the alternatives of each column's target."""
    doc, columns = sender.doc, zip(cols, steps, strict=True)
    sender.tell(*(step_message(doc, col, s.probability, s.value, model.alternatives(s)) for col, s in columns))
