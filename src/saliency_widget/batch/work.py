"""From rows to lines: the part of a run that has the model, and one shadow of it for all texts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..attribution import memory, together
from ..attribution.engine import Schedule
from ..attribution.methods import method_for
from ..attribution.pipeline import assemble, columns, go_on
from ..attribution.problem import Chunk, Progress, Spot, replaced_by
from ..errors import Cancelled, InputError, SaliencyError, WeightsChanged
from ..evaluation.common_text import Given
from ..evaluation.faithfulness.evaluation import Evaluation
from ..evaluation.faithfulness.judging import judge
from ..evaluation.say_versus_do.compare import compare
from ..explanation.local import LocalClient
from ..models.causal import CausalModel
from ..models.inside import probe
from ..models.inside.probe import MODEL_ERRORS
from ..models.text.document import spanning
from .record import failure_of, record_of

if TYPE_CHECKING:
    from ..attribution.result import Attribution
    from ..evaluation.say_versus_do.result import SayVersusDo
    from ..models.base import Model
    from ..models.text.document import Document
    from ..models.text.prompting import Encoded
    from .asked import Asked
    from .record import Record
    from .rows import Row

TOGETHER = 32  # texts, at most, that are written in one batch


@dataclass
class _Text:
    """A row on its way: what is known of it so far, the time it took, and its error."""

    row: Row
    encoded: Encoded | None = None
    document: Document | None = None
    map: Attribution | None = None
    evaluation: Evaluation | None = None
    not_evaluated: str | None = None
    compared: SayVersusDo | None = None
    not_said: str | None = None
    seconds: float = 0.0
    error: BaseException | None = None


class Worker:
    """Computes the lines of rows. `settings`: the hash of what all texts share. `check` may raise to stop.

    All calls come from the thread that made it.
    Raises: UnsupportedMethod, InputError if the model cannot do what is asked of any text.
    """

    def __init__(self, model: Model, asked: Asked, settings: str, check: Callable[[], None] | None = None) -> None:
        self._asked = asked
        self._settings = settings
        self._question = asked.question()
        self._inside = model.shadow(check)
        self._check = check or (lambda: None)
        method_for(self._question.card, self._inside, self._question.settings)
        self._comparison = asked.comparison()
        self._client = None if self._comparison is None else LocalClient(model)

    def check_weights(self) -> None:
        """Raise WeightsChanged if the model's weights are not those that the lines so far were computed with."""
        self._inside.check_weights()

    def lines(self, rows: Sequence[Row]) -> Iterator[list[Record]]:
        """Yield the lines of these rows, some at a time, in an order that suits the work. A text that fails has one.

        Raises: Cancelled, WeightsChanged.
        """
        texts = [_Text(row) for row in rows]
        for text in texts:
            with _Timed([text]):
                self._try([text], self._encode)
        yield from self._finished([text for text in texts if text.error is not None])
        for group in self._alike([text for text in texts if text.error is None]):
            self._write(group)
            self._attribute([text for text in group if text.error is None])
            yield from self._finished(group)

    def _finished(self, texts: Sequence[_Text]) -> Iterator[list[Record]]:
        for text in texts:
            if text.map is not None:
                with _Timed([text]):
                    if self._asked.evaluate is not None:
                        text.not_evaluated = self._reason(partial(self._evaluate, text))
                    if self._comparison is not None:
                        text.not_said = self._reason(partial(self._compare, text))
        if texts:
            yield [self._line(text) for text in texts]

    def _line(self, text: _Text) -> Record:
        key = text.row.key(self._settings)
        if text.map is None:
            assert text.error is not None, "a text has a map or an error"
            return failure_of(text.row, key, text.error, text.seconds)
        line = record_of(text.row, key, text.map, text.evaluation, text.compared)
        return line | {"seconds": text.seconds, "not_evaluated": text.not_evaluated, "not_said": text.not_said}

    def _try(self, texts: Sequence[_Text], work: Callable[[Any], None]) -> None:
        """Do the work on one text; its error is a part of its line. An error that concerns all texts is raised."""
        for text in texts:
            try:
                work(text)
            except (Cancelled, WeightsChanged):
                raise
            except Exception as error:  # noqa: BLE001 (whatever a model's code raises, this text has failed)
                self._inside.check_weights()  # autograd's own error about changed weights is hard to read
                is_memory = memory.is_out_of_memory(error)
                text.error = memory.not_enough_for("the map of this text") if is_memory else error

    # ── reading and writing ───────────────────────────────────────────────────────────────────────────────────────

    def _encode(self, text: _Text) -> None:
        text.encoded = encoded = self._inside.encode(text.row.prompt())
        self._inside.check_length(encoded, len(encoded.target) or self._asked.max_new_tokens)

    def _alike(self, texts: Sequence[_Text]) -> Iterator[list[_Text]]:
        """Yield the texts in groups that go through the model together: those whose prompts have equal lengths."""
        alike: dict[tuple[bool, int], list[_Text]] = {}
        for text in texts:
            assert text.encoded is not None, "it was encoded"
            alike.setdefault((bool(text.encoded.target), len(text.encoded.inputs.ids)), []).append(text)
        for group in alike.values():
            yield from (group[start : start + TOGETHER] for start in range(0, len(group), TOGETHER))

    def _write(self, texts: Sequence[_Text]) -> None:
        """Let the model write, or take the forced targets."""
        inside, new = self._inside, self._asked.max_new_tokens
        written: list[list[int] | None] = [None] * len(texts)
        free = all(text.encoded is not None and not text.encoded.target for text in texts)
        if len(texts) > 1 and free and isinstance(inside, CausalModel) and together.reads_alike(inside):
            with _Timed(texts):
                prompts = [text.encoded.inputs.ids for text in texts if text.encoded is not None]
                written = self._several(prompts, new) or written
        for text, ids in zip(texts, written, strict=True):
            with _Timed([text]):
                self._try([text], partial(self._document, written=ids))

    def _several(self, prompts: Sequence[Sequence[int]], new: int) -> list[list[int] | None] | None:
        """Return what follows each prompt: None where it must be written alone, and for all where the batch failed."""
        assert isinstance(self._inside, CausalModel), "as above"
        try:
            return self._inside.write_several(prompts, new)
        except (MemoryError, *MODEL_ERRORS):
            self._inside.check_weights()
            return None

    def _document(self, text: _Text, written: list[int] | None) -> None:
        encoded, span = text.encoded, self._asked.span
        assert encoded is not None, "it was encoded"
        if encoded.target or written is not None:
            document = self._inside.document(encoded, encoded.target or written or ())
        else:
            inside = self._inside.fresh() if probe.remembers(self._inside) else self._inside
            document = go_on(inside, encoded, (), self._asked.max_new_tokens, lambda *_: None)
        text.document = document if span is None else spanning(document, *span)

    # ── maps ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _attribute(self, texts: Sequence[_Text]) -> None:
        alone = list(texts)
        if len(texts) > 1 and together.may_join(self._inside, self._question):
            documents = [text.document for text in texts if text.document is not None]
            alone = []
            for group in together.groups(self._inside, documents, self._asked.memory_budget):
                alone += self._join([texts[at] for at in group]) if len(group) > 1 else [texts[group[0]]]
        for text in alone:
            with _Timed([text]):
                self._try([text], self._map)

    def _join(self, texts: list[_Text]) -> list[_Text]:
        """Compute the maps of these texts in common passes. Return those that must be computed alone.

        Where the common passes fail, each text does so for itself, or does not.
        """
        with _Timed(texts):
            documents = [text.document for text in texts if text.document is not None]
            try:
                made = together.joined(self._inside, self._question, documents, self._asked.memory_budget)
            except (Cancelled, WeightsChanged):
                raise
            except (SaliencyError, MemoryError, *MODEL_ERRORS):
                self._inside.check_weights()
                return texts
            for text, document, found in zip(texts, documents, made, strict=True):
                if found is not None:
                    text.map = assemble(self._inside, self._question, document, found.chunks, 0.0, found.spot)
        return [text for text in texts if text.map is None]

    def _map(self, text: _Text) -> None:
        """Compute one map, as `attribute` does."""
        document = text.document
        assert document is not None, "it was written"
        chunks: list[Chunk] = []
        spot: Spot | None = None
        schedule = Schedule(self._question.cols(document))
        for part in columns(self._inside, self._question, document, schedule, self._asked.memory_budget):
            match part:
                case Progress():
                    pass
                case Spot():
                    spot = part
                case _:
                    chunks = replaced_by(part, chunks)
        text.map = assemble(self._inside, self._question, document, chunks, 0.0, spot)

    # ── figures ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _reason(self, work: Callable[[], None]) -> str | None:
        """Do work on a text that keeps its map without it, too. Return why it failed, or None."""
        try:
            work()
        except (Cancelled, WeightsChanged):
            raise
        except (SaliencyError, MemoryError, *MODEL_ERRORS) as error:
            self._inside.check_weights()
            return str(error) or type(error).__name__
        return None

    def _evaluate(self, text: _Text) -> None:
        """Evaluate a map."""
        found = text.map
        assert found is not None, "it has a map"
        targets = None
        if found.cols[0].role == "class":  # one line has the figures of one target
            targets = [int(found.step_scores["value" if self._inside.raw else "probability"].argmax())]
        asked = self._asked.evaluation(targets)
        last: Evaluation | None = None
        for part in judge(self._inside, [Given(found.label, found, found)], asked, self._asked.memory_budget):
            if isinstance(part, Evaluation):
                last = part
        text.evaluation = last

    def _compare(self, text: _Text) -> None:
        """Ask the model about the words of a text, and set the method's map of its answer beside what it says.

        Raises: InputError for a row that is no plain text.
        """
        assert self._client is not None, "it is asked for"
        assert self._comparison is not None, "as above"
        words = text.row.fields.get("text")
        if not isinstance(words, str):
            raise InputError(
                "The model is asked about the words of one plain text, and this row has none.",
                cure="Give rows with a column text.",
            )
        text.compared = compare(
            self._client, words, lambda *_: self._check(), choice=self._comparison.choice,
            methods=[self._question.card.id], askings=self._comparison.askings,
            memory_budget=self._asked.memory_budget,
        )  # fmt: skip


class _Timed:
    """A context that shares out its seconds among some texts."""

    def __init__(self, texts: Sequence[_Text]) -> None:
        self._texts = texts

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        for text in self._texts:
            text.seconds += (time.perf_counter() - self._started) / len(self._texts)
