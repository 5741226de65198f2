"""`attribute_many`: the folder that it writes, against `attribute` of each text; interrupts, and bad input."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

import saliency_widget as sw
from saliency_widget import files
from saliency_widget.attribution import together
from saliency_widget.batch import many, parts, work
from saliency_widget.batch.asked import check, hash_of, model_described
from saliency_widget.batch.cluster import RowsToLines, row_read, row_written
from saliency_widget.batch.rows import rows_of
from saliency_widget.errors import DamagedFile, FileError, InputError, NoSuchFile, UnknownName, UnsupportedMethod
from saliency_widget.models.text.prompting import check_prompt

from ..families import made

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXTS = ["the cab and", "a dog ran b", "one two cab", "the", "the cat saw the dog and", "two men and a dog b"]
ASK = {"max_new_tokens": 6, "progress": False}


def run_of(rows: Any, out: Path, family: str = "gpt2", **asked: Any) -> sw.Run:
    return sw.attribute_many(made(family), rows, out=out, **{**ASK, **asked})


def assert_same(found: sw.Attribution, own: sw.Attribution) -> None:
    """Everything but the time and the diagnostics is equal, scores and probabilities to 1e-5 of the largest."""
    for name in ("rows", "cols", "segments", "method", "objective", "foil", "signed", "unit", "model_name"):
        assert getattr(found, name) == getattr(own, name), name
    assert dict(found.settings) == dict(own.settings)
    np.testing.assert_allclose(found.scores, own.scores, rtol=1e-5, atol=1e-5 * np.nanmax(np.abs(own.scores)))
    assert (found.errors is None) == (own.errors is None)
    assert set(found.step_scores) == set(own.step_scores)
    for name, values in own.step_scores.items():
        np.testing.assert_allclose(found.step_scores[name], values, rtol=1e-5, equal_nan=True)
    assert [[each.id for each in column] for column in found.alternatives] == [
        [each.id for each in column] for column in own.alternatives
    ]


def contents(folder: Path) -> list[dict[str, Any]]:
    """All lines of a run, in the order of the data set, without what depends on the clock."""
    lines = [line for part in parts.part_names(folder) for line in pq.read_table(folder / part).to_pylist()]
    left = [{name: value for name, value in line.items() if name != "seconds"} for line in lines]
    return sorted(left, key=lambda line: line["place"])


# ── the same maps ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("family", ["gpt2", "llama", "mamba", "bert", "t5"])
def test_each_map_is_the_one_that_attribute_makes(tmp_path, family):
    """Written texts of models of every kind, of unequal lengths, come out as `attribute` gives them one by one."""
    run = run_of(TEXTS, tmp_path, family)
    assert len(run) == len(TEXTS)
    assert run.errors == ()
    for found, text in zip(run, TEXTS, strict=True):
        assert_same(found, sw.attribute(made(family), text, **ASK))


@pytest.mark.parametrize(
    "asked",
    [
        {"method": "input_x_gradient"},
        {"method": "input_x_gradient", "reduction": "l2", "objective": "logit"},
        {"method": "saliency", "foil": " b", "objective": "log_probability"},
        {"method": "attention"},
        {"method": "occlusion", "operator": "delete"},
        {"method": "saliency", "span": (0, 2)},
        {"method": "shapley", "unit": "token", "calls": 120},
    ],
)
def test_every_setting_gives_the_maps_of_attribute(tmp_path, asked):
    """Objectives, foils, spans, settings and standard errors arrive in the folder, also from common passes."""
    texts = [text for text in TEXTS if len(text) > 12] if asked["method"] == "shapley" else TEXTS
    rows = [{"text": text, "target": target} for text in texts for target in (" the dog", " and a")]
    run = run_of(rows, tmp_path, **asked)
    for found, row in zip(run, rows, strict=True):
        own = sw.attribute(made("gpt2"), row["text"], target=row["target"], progress=False, **asked)
        assert_same(found, own)
        if own.errors is not None:
            np.testing.assert_allclose(found.errors, own.errors, rtol=1e-5, equal_nan=True)


def test_texts_of_equal_length_share_their_passes(tmp_path, monkeypatch):
    """Four prompts of eight tokens and one of another length: one common batch of four, and one map alone."""
    sizes = []
    joined = together.joined

    def counted(model: Any, question: Any, documents: Any, budget: Any) -> Any:
        sizes.append(len(documents))
        return joined(model, question, documents, budget)

    monkeypatch.setattr(together, "joined", counted)
    alone = []
    columns = work.columns

    def counted_alone(inside: Any, question: Any, document: Any, *given: Any) -> Any:
        alone.append(len(document.rows))
        return columns(inside, question, document, *given)

    monkeypatch.setattr(work, "columns", counted_alone)
    texts = ["one two ", "six owls", "my hippo", "fox ears", "odd"]
    run = run_of([{"text": text, "target": "y"} for text in texts], tmp_path)
    assert [len(a.rows) for a in run] == [8, 8, 8, 8, 3]
    assert sizes == [4]
    assert alone == [3]


def test_groups_are_as_large_as_fills_a_processor_and_memory_holds():
    """Each text is in one group. Short ones go 32 at a time, longer ones by four; a small budget makes groups small.

    With a budget for the gradients of eight texts there are eight, and with none each is alone.
    """
    model = made("gpt2").shadow()

    def documents(n: int, prompt: int) -> Any:
        encoded = [model.encode(check_prompt(None, input_ids=[40] * prompt)) for _ in range(n)]
        return [model.document(each, [41] * 8) for each in encoded]

    def sizes(n: int, prompt: int, budget: int = 10**9) -> list[int]:
        found = list(together.groups(model, documents(n, prompt), budget))
        assert sorted(at for group in found for at in group) == list(range(n))
        return [len(group) for group in found]

    assert sizes(40, 8) == [32, 8]
    assert sizes(9, 100) == [4, 4, 1]
    d = model.embed(model.encode(check_prompt("a")).inputs).shape[-1]
    # 48 arrays of float64 for four columns of 15 rows a text; half of a budget is theirs.
    assert sizes(20, 8, 2 * 8 * 48 * 4 * 15 * d * 8) == [8, 8, 4]
    assert sizes(3, 8, 1) == [1, 1, 1]


def test_a_text_whose_choice_is_a_near_tie_is_written_alone(monkeypatch):
    """Two equal logits are no clear choice; a batch then has no text, and one whose tie comes after its end has."""
    from saliency_widget.models import writing

    model = made("gpt2").shadow()
    ids = torch.tensor([[5, 6, 7], [7, 8, 9]])
    whole = writing.write_several(model.model, model.tokenizer, ids, 4, 1e-6)
    assert all(written is not None for written in whole)
    nothing = writing.write_several(model.model, model.tokenizer, ids, 4, 10.0)
    assert nothing == [None, None]
    process = writing.Clear(1e-3)
    process(ids, torch.tensor([[1.0, 2.0, 2.001], [1.0, 2.0, 3.0]]))
    assert process.steps[0].tolist() == [False, True]


# ── what rows may be ─────────────────────────────────────────────────────────────────────────────────────────────


class Split:
    """A split of `datasets`, as far as it is used: it has a length, and gives dicts, missing values as None."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._rows)


class Polars:
    """A data frame of polars, as far as it is used: it has columns, and gives its rows as dicts."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows, self.columns = rows, list(rows[0])

    def __len__(self) -> int:
        return len(self._rows)

    def iter_rows(self, *, named: bool) -> Iterator[dict[str, Any]]:
        assert named
        return iter(self._rows)


def test_frames_a_file_dicts_and_a_split_are_the_same_rows(tmp_path):
    """Texts with targets in data frames, a JSONL file, dicts and a split of `datasets` have the same keys."""
    rows = [{"id": "a", "text": "the cab", "target": " dog", "label": 1}, {"id": "b", "text": "a dog", "target": None}]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n\n".join(json.dumps(row) for row in rows))
    forms = [rows, pd.DataFrame(rows), path, str(path), Split(rows), Polars(rows), (row for row in rows)]
    found = [[(row.id, row.key("x"), row.prompt()) for row in rows_of(form)] for form in forms]
    assert all(each == found[0] for each in found)
    assert found[0][1][2].target is None


def test_texts_pairs_chats_and_ids_are_rows():
    chat = [{"role": "user", "content": "hi"}]
    rows = list(rows_of(["one", ("one", "two"), chat, {"input_ids": np.array([1, 2])}, {"text": ["one", "two"]}]))
    assert [row.id for row in rows] == ["0", "1", "2", "3", "4"]
    prompts = [row.prompt() for row in rows]
    assert (prompts[1].text, prompts[1].second) == ("one", "two") == (prompts[4].text, prompts[4].second)
    assert prompts[2].chat is not None
    assert prompts[3].input_ids == (1, 2)
    assert [row_read(row_written(row)) for row in rows] == rows


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"body": "a"}, "no text: its columns are body"),
        ({"text": "a", "targets": "b"}, "Did you mean target"),
        ({"text": "a", "target": object()}, "holds a object"),
        (7, "The row is a int"),
        ({"text": ""}, "empty"),
        ({"text": "a", "input_ids": [1]}, "2 kinds of text"),
        ({"input_ids": [10_000_000]}, "not in the vocabulary"),
        ({"text": "a" * 500}, "reads at most 128"),
        ({"messages": [{"role": "user"}]}, "content"),
    ],
)
def test_a_broken_row_is_a_line_with_its_error(tmp_path, row, message):
    """The text before and the text after it have maps, and what is wrong with it is told."""
    run = run_of(["the cab", row, "a dog"], tmp_path)
    (failed,) = run.errors
    assert (failed.id, failed.place) == ("1", 1)
    assert message in failed.error
    assert [len(a.cols) for a in run] == [6, 6]
    with pytest.raises(InputError, match="Text '1' has no map"):
        run[1]
    assert "1 failed" in repr(run)
    assert run.to_dataframe()["error"].notna().tolist() == [False, True, False]


def test_a_broken_line_of_a_file_is_a_line_with_its_number(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "the cab"}\n{"text": "the\n"a dog"\n')
    run = run_of(path, tmp_path / "out")
    assert [each.error.partition(":")[0] for each in run.errors] == [f"Line 2 of {path} is no JSON"]
    assert len(run) == 3


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([{"id": 1, "text": "a"}, {"id": "1", "text": "b"}], InputError, "Rows 0 and 1 have the same id, '1'"),
        ([{"id": 1, "text": "a"}, "b"], InputError, "Rows 0 and 1 have the same id"),
        ("the cab", NoSuchFile, "There is no file 'the cab'. .*\\[text\\]"),
        ({"text": ["a", "b"]}, InputError, "a mapping with the names text"),
        (7, InputError, "The rows are a int"),
    ],
)
def test_rows_that_are_none_are_refused_before_anything_is_written(tmp_path, rows, error, message):
    with pytest.raises(error, match=message):
        run_of(rows, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# ── going on ─────────────────────────────────────────────────────────────────────────────────────────────────────

KILLED = """
import os, sys
from pathlib import Path
from saliency_widget.batch import many, work
import saliency_widget as sw, torch
from tests.families import made
torch.set_num_threads(1)
folder, log, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
record_of = work.record_of
def logged(row, *about):
    with open(log, "a") as file:
        file.write(row.id + "\\n")
    if row.place >= last:
        os.kill(os.getpid(), 9)
    return record_of(row, *about)
work.record_of = logged
many.AHEAD = 4
rows = [{"text": f"the cab {i}", "target": " dog"} for i in range(20)]
sw.attribute_many(made("gpt2"), rows, out=folder, batch_size=4, progress=False)
"""


def test_what_is_killed_in_the_middle_goes_on_and_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    """After kill -9 at row 10 of 20, the second run computes at most one batch (of 4) twice, and all rows are equal."""
    log = tmp_path / "log"
    here = Path(__file__).parents[2]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(here), *sys.path])}

    def start(last: int) -> int:
        command = [sys.executable, "-c", KILLED, str(tmp_path / "out"), str(log), str(last)]
        return subprocess.run(command, env=env, check=False).returncode

    assert start(10) == -signal.SIGKILL
    there = sw.open_run(tmp_path / "out")
    assert len(there) == 8  # two batches
    draft = tmp_path / "out" / ".saliency-0123456789abcdef.part"  # what is left when it is killed while it writes
    draft.write_bytes(b"PAR1")
    assert start(1000) == 0
    assert not draft.exists()
    computed = log.read_text().split()
    assert len(set(computed)) == 20
    assert len(computed) - 20 <= 4
    rows = [{"text": f"the cab {i}", "target": " dog"} for i in range(20)]
    monkeypatch.setattr(many, "AHEAD", 4)
    sw.attribute_many(made("gpt2"), rows, out=tmp_path / "other", batch_size=4, progress=False)
    assert repr(contents(tmp_path / "out")) == repr(contents(tmp_path / "other"))  # NaN is not equal to NaN


def test_a_run_that_is_done_computes_nothing_and_new_texts_are_added(tmp_path, monkeypatch):
    run_of(TEXTS[:3], tmp_path)
    before = parts.part_names(tmp_path)
    run_of(TEXTS[:3], tmp_path)
    assert parts.part_names(tmp_path) == before
    run = run_of(TEXTS, tmp_path)
    assert len(run) == len(TEXTS)
    assert sum(pq.read_metadata(tmp_path / part).num_rows for part in parts.part_names(tmp_path)) == len(TEXTS)


def test_a_text_that_failed_is_tried_again_and_may_be_mended(tmp_path):
    run = run_of(["the cab", {"text": ""}], tmp_path)
    assert len(run.errors) == 1
    run = run_of(["the cab", {"text": ""}], tmp_path)  # fails again
    assert (len(run), len(run.errors)) == (2, 1)
    run = run_of(["the cab", {"text": "a dog"}], tmp_path)
    assert (len(run), run.errors) == (2, ())
    assert run[1].rows[0].text == "a"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"method": "attention"}, "holds maps with method='saliency', and now method is 'attention'"),
        ({"objective": "logit"}, "objective=None, and now objective is 'logit'"),
        ({"max_new_tokens": 7}, "max_new_tokens=6"),
        ({"evaluate": True}, "evaluate=None"),
    ],
)
def test_another_question_is_not_mixed_with_an_old_folder(tmp_path, other, message):
    run_of(TEXTS[:1], tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=message):
        run_of(TEXTS[:1], tmp_path, **other)
    assert sorted(tmp_path.iterdir()) == before


def test_another_model_other_weights_and_another_text_are_not_mixed_with_an_old_folder(tmp_path):
    from .. import conftest

    run_of(TEXTS[:1], tmp_path)
    with pytest.raises(InputError, match="holds maps of a model, and this is tiny-llama, not tiny-gpt2"):
        run_of(TEXTS[:1], tmp_path, "llama")
    other = conftest.tiny("gpt2")
    with torch.no_grad():
        other.model.transformer.h[0].mlp.c_fc.weight.mul_(1.01)
    with pytest.raises(InputError, match="another tiny-gpt2: other weights"):
        sw.attribute_many(other, TEXTS[:1], out=tmp_path, **ASK)
    with pytest.raises(InputError, match=r"Row '0' is another text than in .* a column id"):
        run_of(["another text"], tmp_path)
    assert len(sw.open_run(tmp_path)) == 1


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="holds other files, and no run"):
        run_of(TEXTS[:1], tmp_path)
    with pytest.raises(InputError, match="is a file, and no run"):
        run_of(TEXTS[:1], tmp_path / "thesis.tex")
    with pytest.raises(NoSuchFile, match=r"it has no run\.json"):
        sw.open_run(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.tex"]


def test_two_processes_do_not_write_to_one_folder(tmp_path):
    with parts.alone_in(tmp_path / "out"), pytest.raises(InputError, match="Another process is at work"):
        run_of(TEXTS[:1], tmp_path / "out")
    assert len(run_of(TEXTS[:1], tmp_path / "out")) == 1


def test_a_full_disk_is_told_and_costs_no_part_that_was_there(tmp_path, monkeypatch):
    """The third part finds no room: two are there, whole, and the next run writes the rest."""
    replace_ = files.replace_file
    left = [3]  # run.json and two parts

    def full(target: Path, content: bytes) -> None:
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= 1
        replace_(target, content)

    monkeypatch.setattr(files, "replace_file", full)
    monkeypatch.setattr(many, "AHEAD", 2)
    with pytest.raises(FileError, match="the disk is full"):
        run_of(TEXTS, tmp_path, batch_size=2)
    assert len(sw.open_run(tmp_path)) == 4
    monkeypatch.setattr(files, "replace_file", replace_)
    run = run_of(TEXTS, tmp_path, batch_size=2)
    assert (len(run), run.errors) == (6, ())
    assert len(contents(tmp_path)) == 6


def test_a_text_that_does_not_fit_into_memory_is_a_line_and_the_next_one_is_computed(tmp_path, monkeypatch):
    columns, asked = work.columns, itertools.count()

    def hungry(*given: Any) -> Any:
        if next(asked) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return columns(*given)

    monkeypatch.setattr(work, "columns", hungry)
    run = run_of(TEXTS[:3], tmp_path, method="attention")
    assert [each.id for each in run.errors] == ["1"]
    assert "not enough memory" in run.errors[0].error
    own = [sw.attribute(made("gpt2"), text, method="attention", **ASK) for text in (TEXTS[0], TEXTS[2])]
    for found, expected in zip(run, own, strict=True):
        assert_same(found, expected)


@pytest.mark.usefixtures("heard")
def test_an_interrupt_keeps_what_is_done(tmp_path, monkeypatch):
    """Ctrl-C after the third text ends the call with KeyboardInterrupt; three maps are in the folder."""
    import _thread

    record_of = work.record_of
    made_so_far = []

    def interrupting(row: Any, *about: Any) -> Any:
        made_so_far.append(row.id)
        found = record_of(row, *about)
        if len(made_so_far) % 40 == 3:  # again, where Python lost the first one in a finaliser
            _thread.interrupt_main()
        return found

    monkeypatch.setattr(work, "record_of", interrupting)
    monkeypatch.setattr(many, "AHEAD", 1)
    with pytest.raises(KeyboardInterrupt):
        run_of(TEXTS * 40, tmp_path, batch_size=1000)
    done = sw.open_run(tmp_path)
    assert 3 <= len(done) < 240
    assert done.ids[:3] == ("0", "1", "2")


def test_changed_weights_end_the_run_and_what_was_computed_with_others_is_not_written(tmp_path, monkeypatch):
    from saliency_widget.errors import WeightsChanged

    from .. import conftest

    model = conftest.tiny("gpt2")
    record_of = work.record_of

    def training(row: Any, *about: Any) -> Any:
        if row.place == 3:
            with torch.no_grad():
                model.model.transformer.h[0].mlp.c_fc.weight.mul_(1.01)
        return record_of(row, *about)

    monkeypatch.setattr(work, "record_of", training)
    monkeypatch.setattr(many, "AHEAD", 2)
    with pytest.raises(WeightsChanged):
        sw.attribute_many(model, TEXTS, out=tmp_path, batch_size=2, **ASK)
    assert sw.open_run(tmp_path).ids == ("0", "1")


# ── the folder ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_part_has_plain_columns_and_numbers_that_anybody_reads(tmp_path):
    """Without our code, a part gives the ids, tokens and scores of a map."""
    run = run_of(TEXTS, tmp_path)
    table = pq.ParquetDataset(sorted(map(str, tmp_path.glob("*.parquet")))).read()
    assert table.num_rows == len(TEXTS)
    assert not any("extension" in str(field.type) for field in table.schema)
    line = next(each for each in table.to_pylist() if each["id"] == "2")
    own = run["2"]
    np.testing.assert_array_equal(np.array(line["scores"], np.float32), own.scores)
    assert "".join(line["tokens"]) == TEXTS[2] + "".join(t.text for t in own.cols[:-1])
    assert line["target_ids"] == [t.id for t in own.cols]
    assert [tuple(span) for span in line["offsets"]] == [t.span for t in own.rows]
    assert line["error"] is None
    assert json.loads((tmp_path / "run.json").read_text())["asked"]["method"] == "saliency"


def test_every_kind_of_token_comes_back(tmp_path):
    """Half characters, chats with special tokens, classes, spans and segments of one's own are read as written."""
    rows = [
        {"text": "日本語 🙂 é", "target": "🙂"},
        {"messages": [{"role": "user", "content": "hi \ud83d there"[:3]}], "target": " a"},
        {"text": "the contract says no", "segments": {"contract": (4, 12)}, "target": " b"},
    ]
    run = run_of(rows, tmp_path)
    assert run.errors == ()
    for found, row in zip(run, rows, strict=True):
        assert_same(found, sw.attribute(made("gpt2"), **row, progress=False))


def test_the_figures_of_an_evaluation_are_columns(tmp_path):
    """Each figure is what `evaluate` says of the same map; a text that cannot be evaluated keeps its map."""
    options = {"operators": "delete", "random": 20}
    text = "one two three four five six"
    rows = [{"text": text, "target": "."}, {"text": "a", "target": " b"}]
    run = run_of(rows, tmp_path, evaluate=options)
    own = sw.evaluate(made("gpt2"), run[0], progress=False, **options)
    frame = run.to_dataframe()
    for figure in own.judgements[0].figures:
        for name, value in ((f"delete_{figure.metric}", figure.value), (f"delete_{figure.metric}_p", figure.p)):
            found = frame[name][0]
            assert np.isnan(found) if value is None else found == pytest.approx(value)
    assert run.errors == ()
    lines = contents(tmp_path)
    assert lines[0]["not_evaluated"] is None
    assert lines[1]["not_evaluated"]
    assert lines[1]["scores"] is not None


def test_a_data_frame_has_a_line_for_each_text(tmp_path):
    run = run_of(TEXTS, tmp_path)
    frame = run.to_dataframe()
    assert frame["prompt"].tolist() == TEXTS
    a = run[0]
    assert frame["written"][0].startswith(a.cols[0].text[:1])
    expected = float(np.prod(a.step_scores["probability"].astype(float)) ** (1 / len(a.cols)))
    assert frame["probability"][0] == pytest.approx(expected, rel=1e-6)
    classes = run_of(TEXTS[:2], tmp_path / "classes", "bert").to_dataframe()
    assert (classes["written"] == "").all()
    assert (classes["probability"] >= 1 / 3).all()


def test_a_damaged_part_is_told_by_name(tmp_path):
    run_of(TEXTS[:2], tmp_path)
    (name,) = parts.part_names(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DamagedFile, match=name):
        sw.open_run(tmp_path)


def test_a_folder_of_a_newer_version_and_a_garbled_one_are_told(tmp_path):
    run_of(TEXTS[:1], tmp_path)
    path = tmp_path / "run.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps(about | {"format": 99}))
    with pytest.raises(DamagedFile, match="newer version"):
        sw.open_run(tmp_path)
    path.write_text("{")
    with pytest.raises(DamagedFile, match="garbled"):
        sw.open_run(tmp_path)


# ── bad arguments ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"method": "salency"}, UnknownName, "Did you mean saliency"),
        ({"engine": "spark"}, UnknownName, "Known: local, ray"),
        ({"batch_size": 0}, InputError, "batch_size"),
        ({"laier": 3}, UnknownName, "laier"),
        ({"evaluate": "yes"}, InputError, "evaluate is 'yes'"),
        ({"evaluate": {"budgt": 1}}, UnknownName, "Did you mean budget"),
        ({"max_new_tokens": 0}, InputError, "max_new_tokens"),
        ({"span": 3}, InputError, "not a range"),
    ],
)
def test_a_bad_argument_is_an_error_before_anything_is_written(tmp_path, asked, error, message):
    with pytest.raises(error, match=message):
        run_of(TEXTS, tmp_path / "out", **asked)
    assert not (tmp_path / "out").exists()


def test_a_method_that_the_model_cannot_do_is_one_error_and_not_one_a_text(tmp_path):
    with pytest.raises(UnsupportedMethod, match="cannot run here"):
        run_of(TEXTS, tmp_path, "mamba", method="attention")
    assert not (tmp_path / "run.json").exists()


@pytest.mark.parametrize(("package", "engine"), [("pyarrow", "local"), ("ray", "ray")])
def test_a_missing_package_is_told_with_its_cure(tmp_path, monkeypatch, package, engine):
    for name in (package, f"{package}.parquet", f"{package}.data"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r'pip install "saliency-widget\[data'):
        run_of(TEXTS, tmp_path, engine=engine)


# ── workers and a shell ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_worker_of_ray_makes_the_lines_of_a_run(tmp_path, monkeypatch):
    """The callable that Ray runs, called as Ray calls it, gives the lines that one process writes."""
    import pyarrow as pa

    from saliency_widget.batch import cluster

    run_of(TEXTS, tmp_path)
    model = made("gpt2")
    monkeypatch.setattr(cluster, "load_model", lambda name: {"tiny": model}[name])
    asked = check(
        "saliency", objective=None, foil=None, span=None, through=None, max_new_tokens=6, settings={}, evaluate=False,
        say_versus_do=False, memory_budget=None,
    )  # fmt: skip
    settings = hash_of(asked.described(), model_described(model, "tiny")["fingerprint"])
    worker = RowsToLines("tiny", asked, settings)
    rows = [row_written(row) for row in rows_of(TEXTS)]
    tables = [worker(pa.table({"row": some})) for some in (rows[:2], rows[2:])]
    (tmp_path / "other").mkdir()
    for table in tables:
        parts.write(tmp_path / "other", table)
    found, expected = contents(tmp_path / "other"), contents(tmp_path)
    assert [line["key"] for line in found] == [line["key"] for line in expected]
    for one, other in zip(found, expected, strict=True):
        assert one["tokens"] == other["tokens"]
        np.testing.assert_allclose(one["scores"], other["scores"], rtol=1e-5, atol=1e-6)


def test_ray_is_started_by_the_thread_of_the_user(tmp_path, monkeypatch):
    """Ray's processes end with the thread that started them, and the next run would end the whole process."""
    threads = []

    def start() -> None:
        threads.append(threading.current_thread())

    def work(*_: Any) -> Any:
        threads.append(threading.current_thread())
        raise InputError("So far.", cure="None.")

    for name, by in (("check_ray", lambda *_: None), ("start_ray", start), ("model_by_ray", work)):
        monkeypatch.setattr(many, name, by)
    with pytest.raises(InputError, match="So far"):
        run_of(TEXTS, tmp_path, engine="ray")
    first, second = threads
    assert first is threading.current_thread()
    assert second is not first


def test_the_fingerprint_is_that_of_the_weights_in_every_process(tmp_path):
    """Two models of equal weights have one fingerprint; one changed weight matrix, and another."""
    from saliency_widget.models.inside.digest import digest

    from .. import conftest

    one, other = conftest.tiny("llama"), conftest.tiny("llama")
    assert digest(one.model, one.tokenizer) == digest(other.model, other.tokenizer)
    with torch.no_grad():
        other.model.model.layers[1].mlp.up_proj.weight.add_(1e-3)
    assert digest(one.model, one.tokenizer) != digest(other.model, other.tokenizer)


def test_the_command_writes_a_run_and_says_what_failed(tmp_path, monkeypatch, capsys):
    from saliency_widget import __main__ as command

    asked = {}

    def attribute_many(model: Any, rows: Any, **given: Any) -> Any:
        asked.update(given, model=model, rows=rows)
        return run_of(["the cab", ""], tmp_path / "out")

    monkeypatch.setattr(command, "attribute_many", attribute_many)
    line = ["run", "p.jsonl", "--model", "demo", "--out", "o", "--span", "0", "2", "--set", "layer=3", "--set", "a=b"]
    assert command.main(line) == 1
    assert asked["model"] == "demo"
    assert (asked["layer"], asked["a"], asked["span"], asked["out"]) == (3, "b", [0, 2], "o")
    assert "1 failed" in capsys.readouterr().out
    monkeypatch.undo()
    assert command.main(["run", str(tmp_path / "no.jsonl"), "--model", "demo", "--out", str(tmp_path / "new")]) == 2
    assert "There is no file" in capsys.readouterr().err
