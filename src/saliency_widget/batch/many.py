"""`attribute_many`: the maps of many texts, written to a folder, that goes on where it stopped."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ..aside import aside
from ..characters import bar_name
from ..checks import one_of, whole_number
from ..errors import FileError, InputError
from ..models.loading.load import load_model
from . import asked as questions
from . import parts
from .cluster import check_ray, lines_by_ray, model_by_ray, start_ray
from .record import schema
from .rows import Row, counted, is_read_once, rows_of
from .run import Run
from .work import Worker

if TYPE_CHECKING:
    from .asked import Asked
    from .record import Record

    Compute: TypeAlias = Callable[[Iterator[Row]], Iterator[list[Record]]]

ENGINES = ("local", "ray")
AHEAD = 256  # rows that are looked at together, so that texts of equal lengths meet
_LONGEST = 30.0  # seconds of work that a part may hold, if its texts take so long


def attribute_many(
    model: Any,
    rows: Any,
    *,
    out: str | os.PathLike[str],
    method: str = "saliency",
    objective: str | None = None,
    foil: str | int | None = None,
    span: tuple[int, int] | None = None,
    through: str | None = None,
    max_new_tokens: int = 32,
    evaluate: bool | Mapping[str, Any] = False,
    say_versus_do: bool | Mapping[str, Any] = False,
    engine: str = "local",
    workers: int | None = None,
    batch_size: int = 64,
    memory_budget: int | None = None,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """Compute the map of each of many texts, and write them to a folder. Blocks until all are there.

    Run again with the same arguments, it goes on where it stopped: texts that have a map are not computed again, those
    that failed are tried again, new ones are added. Ctrl-C, a full disk or the end of the process lose at most the
    texts since the last part was written.

    Args:
        model: anything that `load_model` accepts.
        rows: texts, pairs, chats, or rows with the columns text | messages | input_ids, and target | target_ids, tools,
            template, segments, documents, id, as `attribute` has them; others are ignored. A list or any other
            iterable, a data frame, a split of `datasets`, or the path of a JSONL file. A text that cannot be explained
            is a line with its error.
        out: the folder. A folder of other maps (another method, another model, …) is refused.
        method: an id of `methods()`.
        objective: the number to explain, as for `attribute`.
        foil: the token that each target is set against, as for `attribute`.
        span: of every text, the written tokens that are explained together.
        through: the name of a segment, such as "thinking", by way of which each map also takes two steps back, as for
            `attribute`. A text without that segment is a line with its error.
        max_new_tokens: the number of tokens, at most, that the model writes after each text without a target.
        evaluate: whether each map is evaluated too, or options of `evaluate` (operators, unit, random, budget). The
            figures are columns: those of all written tokens together, or of the most probable class.
        say_versus_do: whether the model is also asked how much each word of each text matters, as `say_versus_do` asks,
            or options of it (labels, askings). What it says, the method's map of the label that it answers, and how far
            they agree are columns. It takes a model that goes on with a text, and rows with a plain text.
        engine: "local": in this process. "ray": by workers of Ray Data, one for each GPU, or for a share of the cores.
        workers: the number of Ray's workers; None: one for each GPU, or one for each two cores.
        batch_size: the texts that one part of the folder holds, at least.
        memory_budget: bytes of the device's memory that the work may use; default: half of the free memory.
        progress: whether to show a progress bar, with the time that is left.
        **settings: the method's own, as for `attribute`.

    Raises:
        InputError: an argument is invalid, the folder holds something else, two rows have one id.
        FileError: a part cannot be written (the disk is full); all earlier ones are there.
        WeightsChanged: the weights changed meanwhile; what was computed before is there.
        ModelNotFound, DamagedFile, UnsupportedMethod: the model cannot be loaded, or not be asked this.
    """
    _check(model, engine, workers, batch_size)
    asked = questions.check(
        method, objective=objective, foil=foil, span=span, through=through, max_new_tokens=max_new_tokens,
        settings=settings, evaluate=evaluate, say_versus_do=say_versus_do, memory_budget=memory_budget,
    )  # fmt: skip
    folder = Path(out)
    parts.is_run(folder)  # raises for a folder of something else, before a model is loaded
    total = counted(rows)
    if not is_read_once(rows):
        for _ in rows_of(rows):  # two rows of one id are found before anything is computed
            pass
    job = _Job(model, rows, folder, asked, engine, workers, batch_size)
    if engine == "ray":
        start_ray()  # here, for the thread of the work ends with it
    bar = _Bar(asked.method, total) if progress else None
    try:
        return aside(partial(_work, job, bar), bar.draw if bar else lambda: None)
    finally:
        if bar is not None:
            bar.close()


def _check(model: Any, engine: str, workers: int | None, batch_size: int) -> None:
    """Raise InputError for arguments that are invalid whatever is asked, and for packages that are not there."""
    parts.check_pyarrow()
    one_of("engine", engine, ENGINES)
    whole_number("batch_size", batch_size, least=1, cure="64 is usual.")
    if hasattr(model, "attribute_text"):
        raise InputError(
            "A model behind a server is asked one text at a time, and each costs money.",
            cure="Call attribute(client, text, labels=…) for each text.",
        )
    if engine == "ray":
        check_ray(model, workers)


class _Job(NamedTuple):
    """The arguments of a run, checked."""

    model: Any
    rows: Any
    folder: Path
    asked: Asked
    engine: str
    workers: int | None
    batch_size: int


def _work(job: _Job, bar: _Bar | None, check: Callable[[], None]) -> Run:
    """Compute and write what is not there yet. Runs in a thread of its own."""
    with parts.alone_in(job.folder):
        writer = _Writer(job.folder, job.asked, job.batch_size)
        settings, computed = _by_ray(job) if job.engine == "ray" else _here(job, writer, check)
        try:
            for lines in computed(_todo(job, settings, check, bar)):
                writer.add(lines)
                if bar is not None:
                    bar.add(lines)
                check()
        except FileError:
            raise
        except BaseException:
            writer.flush()  # an interrupt keeps what is done
            raise
        writer.flush()
    return Run(job.folder)


# ── what was asked before ────────────────────────────────────────────────────────────────────────────────────────


def _agree(folder: Path, described: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """Write `run.json`, or check that it asks the same. Raises: InputError, FileError."""
    about: dict[str, Any] = {"asked": described, "model": model, "versions": [_versions()]}
    if parts.is_run(folder):
        before = parts.read_about(folder)
        _check_same(folder, before, about)
        if _versions() in before["versions"]:
            return
        about = {**before, "versions": [*before["versions"], _versions()]}
    parts.write_about(folder, about)


def _check_same(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    cure = "Name another folder, out=…; or ask as before, to go on with this one."
    for name in sorted({*before["asked"], *now["asked"]}):
        old, new = before["asked"].get(name), now["asked"].get(name)
        if old != new:
            raise InputError(f"{folder} holds maps with {name}={old!r}, and now {name} is {new!r}.", cure=cure)
    if before["model"]["fingerprint"] != now["model"]["fingerprint"]:
        names = before["model"]["name"], now["model"]["name"]
        other = f"{names[1]}, not {names[0]}" if names[0] != names[1] else f"another {names[1]}: other weights"
        raise InputError(f"{folder} holds maps of a model, and this is {other}.", cure=cure)


def _versions() -> dict[str, str]:
    packages = ("saliency-widget", "torch", "transformers", "tokenizers", "pyarrow")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _todo(job: _Job, settings: str, check: Callable[[], None], bar: _Bar | None) -> Iterator[Row]:
    """Yield the rows that have no map yet. Raises: InputError where another text has the same id."""
    there = parts.lines(job.folder)
    for row in rows_of(job.rows):
        check()
        before = there.get(row.id)
        if before is None or before.error is not None:
            yield row
        elif before.key != row.key(settings):
            raise InputError(
                f"Row {row.id!r} is another text than in {job.folder}.",
                cure="Give another folder, or rows with a column id: without one it is the row's place.",
            )
        elif bar is not None:
            bar.skip()


# ── computed and written ─────────────────────────────────────────────────────────────────────────────────────────


def _here(job: _Job, writer: _Writer, check: Callable[[], None]) -> tuple[str, Compute]:
    """Return the hash of what is asked, and the function that computes lines in this process."""
    model = load_model(job.model)
    described, about = job.asked.described(), questions.model_described(model, job.model)
    settings = questions.hash_of(described, about["fingerprint"])
    worker = Worker(model, job.asked, settings, check)
    _agree(job.folder, described, about)
    writer.before = worker.check_weights

    def computed(todo: Iterator[Row]) -> Iterator[list[Record]]:
        while ahead := list(islice(todo, AHEAD)):
            yield from worker.lines(ahead)

    return settings, computed


def _by_ray(job: _Job) -> tuple[str, Compute]:
    """Return the hash of what is asked, and the function that has Ray's workers compute lines."""
    described, about = job.asked.described(), model_by_ray(job.model, job.asked, job.workers)
    settings = questions.hash_of(described, about["fingerprint"])
    _agree(job.folder, described, about)

    def computed(todo: Iterator[Row]) -> Iterator[list[Record]]:
        return lines_by_ray(job.model, job.asked, settings, todo, job.workers, job.batch_size)

    return settings, computed


class _Writer:
    """Gathers lines, and writes a part when there are enough. `before`: called before; it raises to discard them."""

    def __init__(self, folder: Path, asked: Asked, least: int) -> None:
        self._folder = folder
        self._schema = schema(asked.described())
        self._least = least
        self._lines: list[Record] = []
        self._since = time.monotonic()
        self.before: Callable[[], None] = lambda: None

    def add(self, lines: Sequence[Record]) -> None:
        """Add lines, and write them if there are many, or it is long since the last part. Raises: FileError."""
        self._lines += lines
        if len(self._lines) >= self._least or time.monotonic() - self._since > _LONGEST:
            self.flush()

    def flush(self) -> None:
        """Write what there is. Raises: FileError, WeightsChanged."""
        lines, self._lines = self._lines, []
        if lines:
            self.before()
            parts.write(self._folder, parts.table_of(lines, self._schema))
        self._since = time.monotonic()


class _Bar:
    """A progress bar over the texts, drawn by the waiting thread; the working one counts."""

    def __init__(self, method: str, total: int | None) -> None:
        self._label = bar_name(method)
        self._total = total
        self._bar: Any = None
        self._done = self._skipped = self._failed = 0

    def skip(self) -> None:
        """Count a text that has its map already."""
        self._skipped += 1

    def add(self, lines: Sequence[Record]) -> None:
        """Count new lines."""
        self._done += len(lines)
        self._failed += sum(line.get("error_type") is not None for line in lines)

    def draw(self) -> None:
        """Draw the bar; the texts that were there already count for nothing in the time that is left."""
        from tqdm.auto import tqdm

        if self._bar is None:
            self._bar = tqdm(total=self._total, desc=self._label, unit="text")
        bar = self._bar
        bar.initial = self._skipped
        bar.update(self._skipped + self._done - bar.n)
        if self._failed:
            bar.set_postfix_str(f"{self._failed} failed", refresh=False)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()
