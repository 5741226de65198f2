"""The same lines by workers of Ray Data: one for each GPU, or for a share of the cores, on this machine or a cluster.

Workers send lines back, and the process that asked writes them: the folder need not be seen by all machines. A worker
that dies is started again by Ray, with the rows that it had.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..checks import whole_number
from ..errors import InputError
from ..models.loading.load import load_model
from .asked import Asked, model_described
from .parts import table_of
from .record import schema
from .rows import Row
from .work import Worker

if TYPE_CHECKING:
    from pyarrow import Table

    from .record import Record

_CORES = 2  # of a worker without a GPU
_AT_A_TIME = 100_000  # rows that are given to Ray together: more need not be held in memory


def check_ray(model: Any, workers: int | None) -> None:
    """Raise InputError unless Ray is installed and the model has a name, by which each worker loads it."""
    try:
        import ray.data  # noqa: F401
    except ImportError as error:
        raise InputError(
            'engine="ray" needs Ray, which is not installed.',
            cure='Install it: pip install "saliency-widget[data,ray]"; or take engine="local".',
        ) from error
    if not isinstance(model, str | os.PathLike):
        raise InputError(
            'With engine="ray" each worker loads the model itself, and this one has no name.',
            cure="Give a hub id, or a folder that all machines see; save_pretrained() writes one.",
        )
    if workers is not None:
        whole_number("workers", workers, least=1, cure="Leave it out for one a GPU, or one for each two cores.")


def start_ray() -> None:
    """Connect to Ray, or start it on this machine, unless that was done.

    Call it in the thread that the user's code runs in: what Ray starts ends with the thread that started it, and
    without it the whole process.
    """
    import ray

    if not ray.is_initialized():
        # A cluster is found by RAY_ADDRESS, which Ray reads itself.
        ray.init(**({} if os.environ.get("RAY_ADDRESS") else {"include_dashboard": False}), log_to_driver=False)


class RowsToLines:
    """The callable that a Ray worker runs: a table of rows in, a table of lines out. One loads the model once."""

    def __init__(self, model: str, asked: Asked, settings: str) -> None:
        self._worker = Worker(load_model(model), asked, settings)
        self._schema = schema(asked.described())

    def __call__(self, batch: Table) -> Table:
        """Compute the lines of the rows, whose column "row" holds each as JSON. Raises: WeightsChanged."""
        rows = [row_read(text) for text in batch["row"].to_pylist()]
        lines = [line for some in self._worker.lines(rows) for line in some]
        self._worker.check_weights()
        return table_of(lines, self._schema)


def row_written(row: Row) -> str:
    """Return a row as JSON."""
    return json.dumps(asdict(row))


def row_read(text: str) -> Row:
    """Return the row of a JSON text that `row_written` made: JSON has lists where a row has pairs."""
    given = json.loads(text)
    fields, problem = given["fields"], given["problem"]
    if isinstance(fields.get("text"), list):
        fields["text"] = tuple(fields["text"])
    if "segments" in fields:
        fields["segments"] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields["segments"].items()}
    return Row(place=given["place"], id=given["id"], fields=fields, problem=None if problem is None else tuple(problem))


def model_by_ray(model: Any, asked: Asked, workers: int | None) -> dict[str, Any]:
    """Return what `model_described` says, found by a worker: the machine that asks may have no room for the model."""
    import ray

    share = _share(workers)

    def described(name: str) -> dict[str, Any]:
        loaded = load_model(name)
        Worker(loaded, asked, "")  # raises if the model cannot do what is asked
        return model_described(loaded, name)

    found: dict[str, Any] = ray.get(
        ray.remote(num_cpus=share["num_cpus"], num_gpus=share["num_gpus"])(described).remote(os.fspath(model))
    )
    return found


def lines_by_ray(
    model: Any, asked: Asked, settings: str, todo: Iterator[Row], workers: int | None, batch_size: int
) -> Iterator[list[Record]]:
    """Yield the lines of the rows in the order in which workers finish them."""
    import ray.data

    share = _share(workers)
    while ahead := [{"row": row_written(row)} for row in islice(todo, _AT_A_TIME)]:
        n = min(share["workers"], -(-len(ahead) // batch_size))
        found = (
            ray.data.from_items(ahead, override_num_blocks=max(n, -(-len(ahead) // batch_size)))
            .map_batches(
                RowsToLines,
                fn_constructor_args=(os.fspath(model), asked, settings),
                batch_size=batch_size,
                batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(size=n),
                num_cpus=share["num_cpus"] or None,
                num_gpus=share["num_gpus"] or None,
            )
            .iter_batches(batch_size=None, batch_format="pyarrow")
        )
        for table in found:
            yield table.to_pylist()


def _share(workers: int | None) -> dict[str, Any]:
    """Return the number of workers, and the GPUs and cores of each."""
    import ray

    there = ray.cluster_resources()
    gpus, cores = int(there.get("GPU", 0)), int(there.get("CPU", 1))
    if gpus:
        n = workers or gpus
        return {"workers": n, "num_gpus": min(1.0, gpus / n), "num_cpus": 1 if cores >= n else 0}
    n = workers or max(1, cores // _CORES)
    return {"workers": n, "num_gpus": 0, "num_cpus": max(1, cores // n)}
