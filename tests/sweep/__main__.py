"""`python -m tests.sweep`: run the sweep, print its progress, write the table.

Ends with 1 where something is wrong or crashes.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from saliency_widget.attribution.methods import METHODS

from . import table, workers
from .building import TASKS, Architecture, architectures


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the requested architectures. Return the exit status."""
    options = _options(arguments)
    methods = _chosen("method", options.methods, list(METHODS))
    wanted = _wanted(options)
    before = {row.architecture: row for row in table.read(_json(options.out))} if options.resume else {}
    done = [row for row in before.values() if row.architecture in wanted and _is_whole(row, methods)]
    todo = [a for a in wanted if a not in {row.architecture for row in done}]
    rows = workers.rows(todo, methods, limit=options.limit, jobs=options.jobs)
    started = time.monotonic()
    for number, row in enumerate(rows, start=1):
        done.append(row)
        minutes = (time.monotonic() - started) / 60
        print(f"{number:>4}/{len(todo)}  {minutes:5.1f} min  {table.line(row, methods)}", flush=True)
        if options.out:
            _write(options.out, sorted(done, key=lambda row: wanted.index(row.architecture)), methods)
    print(table.summary(done))
    found = table.counts(done)
    return int(found["wrong"] + found["crash"] > 0)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sweep", description=__doc__)
    parser.add_argument("--task", choices=TASKS, action="append", help="these alone (may be given several times)")
    parser.add_argument("--only", help="model types, separated by commas")
    parser.add_argument("--methods", help="methods, separated by commas")
    parser.add_argument("--out", type=Path, help="where the table goes (.md, and .json beside it)")
    parser.add_argument("--resume", action="store_true", help="keep the rows that --out already has")
    parser.add_argument("--limit", type=float, default=60, help="seconds for one method on one model (60)")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="processes (one a core, up to 4)")
    return parser.parse_args(arguments)


def _wanted(options: argparse.Namespace) -> list[Architecture]:
    found = [a for a in architectures() if a.task in (options.task or TASKS)]
    names = set(_chosen("model type", options.only, [a.model_type for a in found]))
    return [a for a in found if a.model_type in names]


def _chosen(kind: str, named: str | None, known: list[str]) -> list[str]:
    if named is None:
        return known
    chosen = named.split(",")
    unknown = [name for name in chosen if name not in known]
    if unknown:
        sys.exit(f"There is no {kind} {', '.join(unknown)}.")
    return chosen


def _is_whole(row: workers.Row, methods: Sequence[str]) -> bool:
    return bool(row.cannot) or row.cells.keys() >= set(methods)


def _json(out: Path | None) -> Path:
    if out is None:
        sys.exit("--resume needs --out: the rows that are there come from the .json beside it.")
    return out.with_suffix(".json")


def _write(out: Path, rows: Sequence[workers.Row], methods: Sequence[str]) -> None:
    import torch
    import transformers

    versions = {"transformers": transformers.__version__, "torch": torch.__version__}
    out.write_text(table.markdown(rows, methods, versions), encoding="utf-8")
    _json(out).write_text(table.as_json(rows, methods, versions), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
