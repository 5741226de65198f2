"""One text's map as one line of a table of plain types, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..attribution.hops import Hop
from ..attribution.result import Attribution
from ..errors import DamagedFile, InputError, SaliencyError
from ..evaluation.faithfulness.figures import METRICS
from ..evaluation.measures import MEASURES
from ..types import Alternative, Segment, Token

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyarrow import Schema

    from ..evaluation.faithfulness.evaluation import Evaluation
    from ..evaluation.say_versus_do.result import SayVersusDo
    from .rows import Row

    Record = dict[str, Any]

# Of inputs and, with "target_" before their names, of targets: a list of one value a token.
_OF_TOKENS = ("offsets", "roles", "words", "sentences", "segments", "parts")


def schema(asked: Mapping[str, Any]) -> Schema:
    """Return the columns of a part. `asked`: the question as `run.json` has it; steps back and figures add columns.

    Plain types alone, which polars, duckdb and `datasets` read. Matrices are lists of rows, [n_inputs][n_targets].
    """
    import pyarrow as pa

    whole, text, real = pa.int32(), pa.string(), pa.float32()
    of_tokens = {
        "offsets": pa.list_(pa.list_(whole)),
        "roles": pa.list_(text),
        **dict.fromkeys(("words", "sentences", "segments"), pa.list_(whole)),
        "parts": pa.list_(pa.list_(whole)),
    }
    stretch = pa.struct({"kind": text, "name": text, "start": whole, "end": whole})
    other = pa.struct({"id": whole, "text": text, "probability": real})
    hop = pa.struct({"through": text, "scores": pa.list_(pa.list_(real)), "share": pa.list_(real)})
    hops = {} if asked.get("through") is None else {"hops": pa.list_(hop)}
    said = {
        "said_label": text, "said_words": pa.list_(text), "said_scores": pa.list_(pa.float64()),
        "computed_scores": pa.list_(pa.float64()), "not_said": text,
    }  # fmt: skip
    figures = {name: pa.float64() for name in figure_names(asked)}
    return pa.schema(
        {
            "id": text, "place": pa.int64(), "key": text,
            "input_ids": pa.list_(whole), "tokens": pa.list_(text), **of_tokens,
            "target_ids": pa.list_(whole), "target_tokens": pa.list_(text), "target_positions": pa.list_(whole),
            "target_lengths": pa.list_(whole), **{f"target_{name}": of_tokens[name] for name in _OF_TOKENS},
            "text_segments": pa.list_(stretch),
            "scores": pa.list_(pa.list_(real)), "errors": pa.list_(pa.list_(real)),
            **hops, "probability": pa.list_(real), "value": pa.list_(real), "alternatives": pa.list_(pa.list_(other)),
            "method": text, "objective": text, "foil": text, "signed": pa.bool_(), "unit": text, "model": text,
            "settings": text, "diagnostics": text,
            **figures, "evaluated": text, "not_evaluated": text, **(said if _is_compared(asked) else {}),
            "seconds": pa.float64(),
            "error": text, "cure": text, "error_type": text,
        }
    )  # fmt: skip


def figure_names(asked: Mapping[str, Any]) -> list[str]:
    """Return the columns of figures. `asked`: the question as `run.json` has it.

    Of an evaluation: each metric under each operator, and its p. Of what the model says: how sure, how varied and how
    stable it is; each measure of agreement with the map, and the ends of the middle 95 % of what shuffled words reach.
    """
    operators = (asked["evaluate"] or {}).get("operators", ())
    found = [f"{operator}_{metric}{end}" for operator in operators for metric in METRICS for end in ("", "_p")]
    if _is_compared(asked):
        found += ["said_probability", "said_levels", "said_zeros", "said_stability"]
        found += [f"said_{measure}{end}" for measure in MEASURES for end in ("", "_low", "_high")]
    return found


def _is_compared(asked: Mapping[str, Any]) -> bool:
    """Return whether what the model says is set beside each map; older folders do not know the question."""
    return asked.get("say_versus_do") is not None


# ── written ──────────────────────────────────────────────────────────────────────────────────────────────────────


def record_of(
    row: Row,
    key: str,
    found: Attribution,
    evaluation: Evaluation | None = None,
    compared: SayVersusDo | None = None,
) -> Record:
    """Return the line of a row and its map. `compared`: what the model says of the row's words beside one map."""
    n = len(found.rows)
    assert [token.position for token in found.rows] == list(range(n)), "a map of tokens has them all, in order"
    inputs, targets = _tokens(found.rows), _tokens(found.cols)
    steps = found.step_scores
    return {
        "id": row.id,
        "place": row.place,
        "key": key,
        "input_ids": [token.id for token in found.rows],
        "tokens": [_text(token.text) for token in found.rows],
        **inputs,
        "target_ids": [token.id for token in found.cols],
        "target_tokens": [_text(token.text) for token in found.cols],
        "target_positions": [token.position for token in found.cols],
        "target_lengths": [token.length for token in found.cols],
        **{f"target_{name}": values for name, values in targets.items()},
        "text_segments": [
            {"kind": each.kind, "name": _text(each.name), "start": each.start, "end": each.end}
            for each in found.segments
        ],
        "scores": list(found.scores),
        "errors": None if found.errors is None else list(found.errors),
        "hops": [{"through": hop.through, "scores": list(hop.scores), "share": hop.share} for hop in found.hops],
        **{name: steps.get(name) for name in ("probability", "value")},
        "alternatives": [
            [{"id": each.id, "text": _text(each.text), "probability": each.probability} for each in column]
            for column in found.alternatives
        ],
        **{name: getattr(found, name) for name in ("method", "objective", "foil", "signed", "unit", "seconds")},
        "model": _text(found.model_name),
        "settings": json.dumps(dict(found.settings)),
        "diagnostics": json.dumps(dict(found.diagnostics)),
        **({} if evaluation is None else _figures(evaluation)),
        **({} if compared is None else _said(compared)),
    }


def failure_of(row: Row, key: str, error: BaseException, seconds: float) -> Record:
    """Return the line of a row whose map failed."""
    said, cure = str(error) or type(error).__name__, None
    if isinstance(error, SaliencyError):
        said, cure = error.message, error.cure
    names = {"error": _text(said), "cure": cure and _text(cure), "error_type": type(error).__name__}
    return {"id": row.id, "place": row.place, "key": key, "seconds": seconds, **names}


def _tokens(tokens: Sequence[Token]) -> Record:
    return {
        "offsets": [None if token.span is None else list(token.span) for token in tokens],
        "roles": [token.role for token in tokens],
        "words": [token.word for token in tokens],
        "sentences": [token.sentence for token in tokens],
        "segments": [token.segment for token in tokens],
        "parts": None
        if all(token.part is None for token in tokens)
        else [token.part and list(token.part) for token in tokens],
    }


def _figures(evaluation: Evaluation) -> Record:
    """Return the figures of the one map and target of an evaluation; those that are undefined are left out."""
    found: Record = {"evaluated": _text(evaluation.targets[0])}
    for judgement in evaluation.judgements:
        for figure in judgement.figures:
            name = f"{judgement.operator}_{figure.metric}"
            found |= {name: figure.value, f"{name}_p": figure.p}
    return found


def _said(compared: SayVersusDo) -> Record:
    """Return what the model says of each word, what its one map computes, and how far they agree."""
    said, (side,) = compared.explanation, compared.sides
    found: Record = {
        "said_label": _text(said.class_name),
        "said_words": [_text(word) for word in said.words],
        "said_scores": [float(score) for score in said.scores],
        "computed_scores": [float(score) for score in side.map.scores[:, 0]],
        "said_probability": said.label_probability,
        "said_levels": compared.levels,
        "said_zeros": compared.zeros,
        "said_stability": compared.stability,
    }
    for figure in side.figures:
        name = f"said_{figure.measure}"
        found |= {name: figure.value, f"{name}_low": figure.random_low, f"{name}_high": figure.random_high}
    return found


def _text(text: str) -> str:
    """Return a text as UTF-8 has it: half a character, of which a file has none, becomes a sign."""
    return text.encode("utf-8", "replace").decode()


# ── read ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def attribution_of(record: Mapping[str, Any]) -> Attribution:
    """Return the map of a line. Raises: InputError if it has none; DamagedFile."""
    if record["error_type"] is not None:
        raise InputError(
            f"Text {record['id']!r} has no map: {record['error']}",
            cure=record["cure"] or "Run it again: texts that failed are tried again.",
        )
    try:
        return _attribution(record)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFile(
            f"The line of text {record.get('id')!r} is not a whole map: {error}.",
            cure="Copy the folder again, or run it again into another one.",
        ) from error


def _attribution(record: Mapping[str, Any]) -> Attribution:
    rows, cols = _read_tokens(record, ""), _read_tokens(record, "target_")
    shape = (len(rows), len(cols))
    steps = {name: np.array(record[name], np.float32) for name in ("probability", "value") if record[name] is not None}
    return Attribution(
        scores=_matrix(record["scores"], shape),
        errors=None if record["errors"] is None else _matrix(record["errors"], shape),
        rows=rows,
        cols=cols,
        segments=tuple(Segment(**each) for each in record["text_segments"]),
        hops=tuple(
            Hop(scores=_matrix(each["scores"], shape), share=np.array(each["share"]), through=each["through"])
            for each in record.get("hops") or ()
        ),
        step_scores=steps,
        alternatives=tuple(tuple(Alternative(**each) for each in column) for column in record["alternatives"]),
        model_name=record["model"],
        settings=json.loads(record["settings"]),
        diagnostics=json.loads(record["diagnostics"]),
        **{name: record[name] for name in ("method", "objective", "foil", "signed", "unit", "seconds")},
    )


def _matrix(rows: Sequence[Sequence[float]], shape: tuple[int, int]) -> NDArray[np.float32]:
    return np.array(rows, np.float32).reshape(shape)


def _read_tokens(record: Mapping[str, Any], of: str) -> tuple[Token, ...]:
    ids, texts = record["target_ids" if of else "input_ids"], record[f"{of}tokens"]
    n = len(ids)
    parts = record[f"{of}parts"] or [None] * n
    columns = [record[f"{of}{name}"] for name in ("offsets", "roles", "words", "sentences", "segments")]
    places, lengths = (record["target_positions"], record["target_lengths"]) if of else (range(n), [1] * n)
    return tuple(
        Token(
            id=each_id, position=position, text=text, role=role, span=None if span is None else (span[0], span[1]),
            word=word, sentence=sentence, segment=segment, part=None if part is None else (part[0], part[1]),
            length=length,
        )
        for each_id, position, text, span, role, word, sentence, segment, part, length in zip(
            ids, places, texts, *columns, parts, lengths, strict=True
        )
    )  # fmt: skip
