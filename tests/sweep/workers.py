"""The cells of the sweep, judged in a process of their own: one that hangs or dies stops nothing but itself."""

from __future__ import annotations

import logging
import multiprocessing
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from queue import Queue
from typing import Any

from .building import Architecture, CannotBuild
from .judging import Cell, judge, subject_of


@dataclass(frozen=True, kw_only=True)
class Row:
    """All that was found about an architecture. `cannot`: why no tiny model of it could be made, if so."""

    architecture: Architecture
    network: str = ""  # the class of the model
    dtype: str = ""
    n_parameters: int = 0
    note: str = ""
    cannot: str = ""
    cells: dict[str, Cell] = field(default_factory=dict)  # by method


def rows(architectures: Iterable[Architecture], methods: Sequence[str], *, limit: float, jobs: int) -> Iterator[Row]:
    """The row of each architecture, in order, by so many processes. A cell gets `limit` seconds."""
    idle: Queue[_Worker] = Queue()
    workers = [_Worker(limit) for _ in range(jobs)]
    for worker in workers:
        idle.put(worker)

    def row(architecture: Architecture) -> Row:
        worker = idle.get()
        try:
            return _row(worker, architecture, methods)
        finally:
            idle.put(worker)

    pool = ThreadPoolExecutor(jobs)
    try:
        yield from pool.map(row, architectures)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.stop(patience=10)


def _row(worker: _Worker, architecture: Architecture, methods: Sequence[str]) -> Row:
    cells: dict[str, Cell] = {}
    facts: dict[str, Any] = {}
    while len(cells) < len(methods) and not facts.get("cannot"):
        left = methods[len(cells) :]
        worker.send((architecture, left))
        try:
            facts = worker.heard()
            if facts.get("cannot"):
                break
            for method in left:
                cells[method] = worker.heard()
        except _Gone as gone:
            if not facts:
                facts = {"cannot": str(gone)}
            else:
                method = methods[len(cells)]
                cells[method] = Cell(method=method, outcome=gone.outcome, detail=str(gone))
    return Row(architecture=architecture, cells=cells, **facts)


# ── the other process ────────────────────────────────────────────────────────────────────────────────────────────


class _Gone(Exception):
    """The process was too slow, and was ended, or ended by itself."""

    def __init__(self, message: str, outcome: Any) -> None:
        super().__init__(message)
        self.outcome = outcome


class _Worker:
    """A process that judges; a new one after the last is gone."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._process: Any = None
        self._pipe: Connection | None = None

    def send(self, work: tuple[Architecture, Sequence[str]]) -> None:
        if self._process is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_work, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
            self._pipe.recv()  # it is awake: importing everything is no part of a cell
        assert self._pipe is not None
        self._pipe.send(work)

    def heard(self) -> Any:
        """The next message. Raises: _Gone."""
        assert self._pipe is not None
        try:
            if self._pipe.poll(self._limit):
                return self._pipe.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            code = self._process.exitcode
            self.stop()
            raise _Gone(f"The process died (exit code {code}).", "crash") from None
        self.stop()
        raise _Gone(f"It took more than {self._limit:.0f} seconds.", "slow")

    def stop(self, patience: float = 0) -> None:
        """End the process; with `patience`, seconds, it may end by itself first, and tidy up."""
        if self._process is not None:
            assert self._pipe is not None
            self._pipe.close()
            self._process.join(patience)
            self._process.kill()
            self._process.join()
            self._process = None


def _work(pipe: Connection) -> None:
    """The other process: for each architecture first what it is, then its cells one by one."""
    _be_quiet()
    pipe.send("awake")
    while True:
        try:
            architecture, methods = pipe.recv()
        except EOFError:
            return
        try:
            subject = subject_of(architecture)
        except CannotBuild as reason:
            pipe.send({"cannot": " ".join(str(reason).split())})
            continue
        pipe.send(subject.facts)
        for method in methods:
            pipe.send(judge(subject, method))


def _be_quiet() -> None:
    """Hundreds of models have thousands of things to say."""
    import torch
    from transformers.utils import logging as of_transformers

    os.environ["HF_HUB_OFFLINE"] = "1"
    torch.set_num_threads(1)
    of_transformers.set_verbosity_error()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
