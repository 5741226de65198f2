"""`attribute_many` answers more than a map: steps back, documents, and what the model says of each word."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import saliency_widget as sw
from saliency_widget.batch import cluster, parts
from saliency_widget.batch.asked import check, hash_of, model_described
from saliency_widget.batch.cluster import RowsToLines, row_read, row_written
from saliency_widget.batch.rows import rows_of
from saliency_widget.errors import InputError, UnknownName, UnsupportedMethod
from saliency_widget.evaluation.measures import MEASURES

from ..families import CHAT, made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

THOUGHT = "<think>the dad had a cab</think> a bat"
THINKING: list[dict[str, Any]] = [{"text": "a cab?", "target": THOUGHT}, {"text": "the dad?", "target": THOUGHT}]
REVIEW = "a bad cab, the dad's bat"
PLAIN: dict[str, Any] = {
    "objective": None, "foil": None, "span": None, "through": None, "max_new_tokens": 4, "settings": {},
    "evaluate": False, "say_versus_do": False, "memory_budget": None,
}  # fmt: skip


def run_of(rows: Any, out: Path, family: str = "gpt2", **asked: Any) -> sw.Run:
    return sw.attribute_many(made(family), rows, out=out, max_new_tokens=4, progress=False, **asked)


def lines_of(folder: Path) -> list[dict[str, Any]]:
    lines = [line for part in parts.part_names(folder) for line in pq.read_table(folder / part).to_pylist()]
    return sorted(lines, key=lambda line: line["place"])


@pytest.fixture(scope="module")
def talker() -> Iterator[Any]:
    """Its positions are angles, so any number of them will do."""
    found = made("llama")
    found.model.config.max_position_embeddings, before = 8192, found.model.config.max_position_embeddings
    yield found
    found.model.config.max_position_embeddings = before


# ── steps back ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_steps_back_of_each_text_are_those_of_attribute(tmp_path: Path) -> None:
    """Both hops and their shares come back from the folder; a text without thinking is a line with its error."""
    run = run_of([*THINKING, "no thinking"], tmp_path, through="thinking")
    assert [each.id for each in run.errors] == ["2"]
    assert "no thinking in this text" in run.errors[0].error
    for found, row in zip(run, THINKING, strict=True):
        own = sw.attribute(made("gpt2"), **row, through="thinking", progress=False)
        assert found.cols == own.cols
        np.testing.assert_allclose(found.scores, own.scores, rtol=1e-5)
        assert len(found.hops) == len(own.hops) == 2
        for mine, other in zip(found.hops, own.hops, strict=True):
            assert mine.through == "thinking"
            np.testing.assert_array_equal(mine.scores, other.scores)
            np.testing.assert_array_equal(mine.share, other.share)
        assert found.hop(2).settings["hop"] == 2
    assert run.to_dataframe()["written"].tolist()[:2] == [" a bat", " a bat"]


def test_maps_with_steps_back_are_evaluated_too(tmp_path: Path) -> None:
    """The figures are those of the direct map."""
    options: dict[str, Any] = {"operators": "delete", "random": 20, "budget": 1}  # in seconds it would tell the clock
    run = run_of(THINKING[:1], tmp_path, through="thinking", evaluate=options)
    own = sw.evaluate(made("gpt2"), run[0], progress=False, **options)
    (line,) = lines_of(tmp_path)
    assert line["not_evaluated"] is None
    for figure in own.judgements[0].figures:
        assert line[f"delete_{figure.metric}"] == pytest.approx(figure.value)


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_documents_are_a_column_of_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They go into the model's template, each a segment, as `attribute` puts them there; also through Ray's JSON."""
    template = "{% for d in documents or [] %}{{ d.title }}: {{ d.text }}\n{% endfor %}" + CHAT
    monkeypatch.setattr(made("gpt2").tokenizer, "chat_template", template)
    chat = [{"role": "user", "content": "which cab?"}]
    row: dict[str, Any] = {"messages": chat, "documents": [{"title": "cabs", "text": "the bad one"}], "target": " a"}
    assert [row_read(row_written(each)) for each in rows_of([row])] == list(rows_of([row]))
    run = run_of([row, {"text": "a cab", "documents": ["b"]}], tmp_path, method="occlusion", unit="segment")
    own = sw.attribute(made("gpt2"), **row, method="occlusion", unit="segment", progress=False)
    assert "cabs" in [segment.name for segment in run[0].segments]
    assert run[0].segments == own.segments
    np.testing.assert_allclose(run[0].scores, own.scores, rtol=1e-5)
    assert "documents= are for a chat" in run.errors[0].error


def test_a_column_document_of_a_plain_text_is_left_alone() -> None:
    """Many data sets have one. Beside a chat it is a slip, which is told."""
    plain, chat = rows_of(
        [{"text": "a", "document": "7"}, {"messages": [{"role": "user", "content": "a"}], "document": 1}]
    )
    assert plain.problem is None
    assert chat.problem == ("The row has a column 'document'.", "Did you mean documents?")


# ── what the model says ──────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_model_says_stands_beside_its_map(tmp_path: Path, talker: Any) -> None:
    """Words, scores, label and every figure with the ends of its random interval are those of `say_versus_do`."""
    rows = [REVIEW, {"input_ids": [40, 41, 42]}, "a"]
    asked: dict[str, Any] = {"method": "input_x_gradient", "max_new_tokens": 1, "progress": False}
    run = sw.attribute_many(talker, rows, out=tmp_path, say_versus_do={"askings": 2}, **asked)
    own: Any = sw.say_versus_do(talker, REVIEW, methods=["input_x_gradient"], askings=2, progress=False)
    line, no_text, one_word = lines_of(tmp_path)
    assert line["said_words"] == own.explanation.words
    np.testing.assert_allclose(line["said_scores"], own.explanation.scores)
    np.testing.assert_allclose(line["computed_scores"], own.sides[0].map.scores[:, 0], rtol=1e-5, atol=1e-7)
    assert line["said_label"] == own.explanation.class_name
    assert line["said_probability"] == pytest.approx(own.explanation.label_probability)
    assert (line["said_stability"], line["said_levels"]) == (pytest.approx(own.stability), own.levels)
    for measure in MEASURES:
        figure = own.figure("input_x_gradient", measure)
        known = [line[f"said_{measure}{end}"] for end in ("", "_low", "_high")]
        assert known == pytest.approx([figure.value, figure.random_low, figure.random_high])
    assert line["not_said"] is None
    assert "this row has none" in no_text["not_said"]
    assert no_text["scores"] is not None
    assert one_word["said_spearman"] is None, "one word has no order"
    frame = run.to_dataframe()
    assert frame["said_label"][0] == own.explanation.class_name
    assert frame["said_spearman"][0] == pytest.approx(own.figure("input_x_gradient", "spearman").value)
    assert run.errors == ()


def test_labels_of_ones_own_are_asked_for(tmp_path: Path, talker: Any) -> None:
    """The label is one of them, and another choice is another question, which is not mixed with an old folder."""
    asked: dict[str, Any] = {"method": "saliency", "out": tmp_path, "max_new_tokens": 1, "progress": False}
    labels = ["sport", "cooking"]
    run = sw.attribute_many(talker, [REVIEW], say_versus_do={"labels": labels, "askings": 1}, **asked)
    assert run.to_dataframe()["said_label"][0] in labels
    assert lines_of(tmp_path)[0]["said_stability"] is None, "it was asked once"
    assert [label for label, *_ in run.about["asked"]["say_versus_do"]["labels"]] == labels
    with pytest.raises(InputError, match="holds maps with say_versus_do="):
        sw.attribute_many(talker, [REVIEW], say_versus_do=True, **asked)


def test_a_model_that_writes_no_text_is_not_asked(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMethod, match="cannot answer a question in words"):
        run_of([REVIEW], tmp_path, "bert", say_versus_do=True)
    assert not (tmp_path / "run.json").exists()


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"say_versus_do": "yes"}, InputError, "say_versus_do is 'yes'"),
        ({"say_versus_do": {"lables": ["a", "b"]}}, UnknownName, "Did you mean labels"),
        ({"say_versus_do": {"labels": ["a"]}}, InputError, "one label"),
        ({"say_versus_do": {"askings": 9}}, InputError, "There are 3 wordings"),
        ({"through": " "}, InputError, "no name of a segment"),
        ({"through": "thinking", "method": "occlusion"}, UnsupportedMethod, "scores for and against"),
    ],
)
def test_a_bad_argument_is_an_error_before_anything_is_written(
    tmp_path: Path, asked: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run_of([REVIEW], tmp_path / "out", **asked)
    assert not (tmp_path / "out").exists()


# ── folders, workers and a shell ─────────────────────────────────────────────────────────────────────────────────


def test_a_folder_of_an_earlier_version_goes_on() -> None:
    """A run that asks for no more than it could before has the same names in its key, and the same columns."""
    from saliency_widget.batch.record import schema

    before = check("saliency", **PLAIN).described()
    assert set(before) == {
        "method", "objective", "foil", "span", "max_new_tokens", "settings", "evaluate",
    }  # fmt: skip
    names = schema(before).names
    assert not [name for name in names if "said" in name or name in ("hops", "computed_scores")]
    more = check("saliency", **{**PLAIN, "through": "thinking", "say_versus_do": True}).described()
    assert {"hops", "said_words", "computed_scores", "said_cosine_high"} <= set(schema(more).names) - set(names)


def test_every_column_is_of_plain_types() -> None:
    """Lists and structs of texts and numbers, whatever is asked: what polars, DuckDB and `datasets` read as it is."""
    from saliency_widget.batch.record import schema

    options = {"through": "thinking", "say_versus_do": True, "evaluate": True}
    every = schema(check("saliency", **{**PLAIN, **options}).described())

    def leaves(kind: pa.DataType) -> list[pa.DataType]:
        inner = (
            [kind.value_type] if pa.types.is_list(kind) else [f.type for f in kind] if pa.types.is_struct(kind) else []
        )
        return [leaf for each in inner for leaf in leaves(each)] if inner else [kind]

    plain = {pa.string(), pa.bool_(), pa.int32(), pa.int64(), pa.float32(), pa.float64()}
    assert {leaf for field in every for leaf in leaves(field.type)} == plain
    assert len(set(every.names)) == len(every.names)


def test_a_worker_of_ray_asks_the_same(tmp_path: Path, talker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The callable that Ray runs gives the lines of one process: hops, and what the model says."""
    rows = [{"text": REVIEW, "target": THOUGHT}]
    options: dict[str, Any] = {"through": "thinking", "say_versus_do": {"askings": 1}, "max_new_tokens": 4}
    sw.attribute_many(talker, rows, out=tmp_path, progress=False, **options)
    monkeypatch.setattr(cluster, "load_model", lambda name: {"tiny": talker}[name])
    asked = pickle.loads(pickle.dumps(check("saliency", **{**PLAIN, **options})))  # as it reaches a worker
    settings = hash_of(asked.described(), model_described(talker, "tiny")["fingerprint"])
    table = RowsToLines("tiny", asked, settings)(pa.table({"row": [row_written(row) for row in rows_of(rows)]}))
    (found,), (expected,) = table.to_pylist(), lines_of(tmp_path)
    assert expected["hops"] is not None
    assert expected["said_words"] is not None
    found["seconds"] = expected["seconds"]
    assert repr(found) == repr(expected)  # NaN is not equal to NaN


def test_the_command_asks_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps back by a name, what the model says by a switch, or by the labels that it is to choose between."""
    from saliency_widget import __main__ as command

    asked: list[dict[str, Any]] = []

    def attribute_many(_model: Any, _rows: Any, **given: Any) -> Any:
        asked.append(given)
        return run_of(["the cab"], tmp_path / "out")

    monkeypatch.setattr(command, "attribute_many", attribute_many)
    line = ["run", "p.jsonl", "--model", "demo", "--out", "o"]
    for more in ([], ["--through", "thinking", "--say-versus-do"], ["--labels", "sport", "cooking"]):
        assert command.main([*line, *more]) == 0
    assert [(given["through"], given["say_versus_do"]) for given in asked] == [
        (None, False), ("thinking", True), (None, {"labels": ["sport", "cooking"]}),
    ]  # fmt: skip
    assert not any("labels" in given for given in asked)
