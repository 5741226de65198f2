"""Every example notebook runs from top to bottom, and its outputs agree with its text: the first one in the browser."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "example_notebooks"

pytestmark = [
    pytest.mark.demo,
    # zmq's sockets and pytest's idea of an unclosed loop; nothing of ours.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def run(name: str, **constants: int | str) -> Any:
    """Return the notebook with its outputs; `constants`: other values for those that a cell sets on a line."""
    notebook = nbformat.read(EXAMPLES / name, as_version=4)
    for constant, value in constants.items():
        line = re.compile(rf"^{constant} = (?:\d+|\".*\")", re.MULTILINE)
        (cell,) = [cell for cell in notebook.cells if line.search(cell.source)]
        cell.source = line.sub(f"{constant} = {json.dumps(value)}", cell.source)
    NotebookClient(notebook, timeout=800, kernel_name="python3", resources={"metadata": {"path": EXAMPLES}}).execute()
    return notebook


def with_a_short_review(review: str) -> pytest.MarkDecorator:
    """Run with this review, and in the long form with the one that stands in the notebook."""
    return pytest.mark.parametrize("constants", [{"review": review}, pytest.param({}, marks=pytest.mark.long)])


def text_of(cell: Any) -> str:
    """Return what it says; a bar that moved while it ran is no part of that."""
    said = [o for o in cell.outputs if o.output_type == "execute_result" or o.get("name") == "stdout"]
    return "".join(str(o.get("text", "")) + str(o.get("data", {}).get("text/plain", "")) for o in said)


@with_a_short_review("This film is a compelling drama.")
def test_the_homework_is_answered_question_by_question(monkeypatch: Any, constants: dict[str, str]) -> None:
    """It finds where machine comes from, what Washington rests on, and what a model says of a review and computes."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    cells = [c for c in run("02_homework7.ipynb", **constants).cells if c.cell_type == "code"]
    said = {cell.source: text_of(cell) for cell in cells}
    found = [text for source, text in said.items() if 'top("machine", k=1)' in source]
    assert len(found) == 2
    assert all("機器" in text for text in found)
    (translation,) = [cell for cell in cells if cell.source.startswith("translation = ")]
    shown = "".join(o.data.get("text/html", "") for o in translation.outputs if "data" in o).partition("<script")[0]
    assert "Occlusion" in shown, "the method that the words above it name"
    (washington,) = [text for source, text in said.items() if 'top("Washington"' in source]
    assert " George 0.342, p = 0.796" in washington
    (prose,) = [text for source, text in said.items() if source.endswith("answer")]
    assert prose.startswith("SmolLM2-135M-Instruct: positive")
    (scores,) = [text for source, text in said.items() if source == "scores"]
    assert "positive (constrained)" in scores
    assert re.search(r"\b(17 of 17|7 of 7) words scored", scores)
    (compared,) = [text for source, text in said.items() if source.endswith("result")]
    assert "It answered positive" in compared
    assert "Spearman" in compared
    (picture,) = [cell for cell in cells if cell.source == "result.plot()"]
    assert "image/png" in picture.outputs[0].data


@with_a_short_review("A dull mess.")
def test_models_and_servers_are_asked_for_their_reasons(monkeypatch: Any, constants: dict[str, str]) -> None:
    """The model on show, a real server, the parser, the map of what was said, and a table over reviews."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    cells = [c for c in run("03_llm_explanations.ipynb", **constants).cells if c.cell_type == "code"]
    said = {cell.source: text_of(cell) for cell in cells}
    (served,) = [text for source, text in said.items() if source == "sw.explain(client, review)"]
    assert served.startswith("demo: ")
    (topic,) = [text for source, text in said.items() if source.startswith("recipe = ")]
    assert any(f": {label} (constrained)" in topic for label in ("sport", "cooking", "science"))
    (own,) = [text for source, text in said.items() if source.startswith("own = ")]
    assert re.match("7 requests" if constants else "21 requests", own)
    (compared,) = [text for source, text in said.items() if source.startswith("sw.say_versus_do(client")]
    assert "It answered" in compared
    (parsed,) = [text for source, text in said.items() if source.startswith("sw.parse_scores")]
    assert "('dull', -0.8), ('predictable', -0.6)" in parsed
    assert "label=-1" in parsed
    (top,) = [text for source, text in said.items() if 'w.ask("llm")' in source]
    assert top.count("Top(") == 3
    assert "a-key" not in "".join(said.values())


def test_what_finds_the_words_that_decide_is_measured(monkeypatch: Any) -> None:
    """The known word moves the model more than a neutral one; maps, evaluation, sanity and removal have their tables.

    One review is enough for that. Exchanging its known word moves the model most, so taking it away should, too: it is
    first by occlusion and by Shapley values.
    """
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    cells = [c for c in run("04_trust.ipynb", N_REVIEWS=1).cells if c.cell_type == "code"]
    said = {cell.source: text_of(cell) for cell in cells}
    (swings,) = [text for source, text in said.items() if source.startswith("def prompt")]
    opposite, neutral = (float(number) for number in re.findall(r"by (\d+\.\d+)", swings))
    assert opposite > 5 * neutral
    (table,) = [text for source, text in said.items() if source.startswith("def wilson")]
    for name in ("Occlusion", "Shapley"):
        assert re.search(rf"{name} +top 1 +1 +1\.0 +0\.21 +1\.0", table), "Wilson's interval of one hit in one"
    assert "LLM, constrained" in table
    (judged,) = [text for source, text in said.items() if "sw.evaluate(model, maps)\nfor" in source]
    assert judged.count("Without its 3 top words the probability falls from .80") == 12, "six maps, two operators"
    (checked,) = [text for source, text in said.items() if source.startswith("from saliency_widget.evaluation.sanity")]
    assert checked.count("with all weights shuffled") == 2
    (removed,) = [text for source, text in said.items() if source.startswith("TEXTS = ")]
    assert re.search(r"fridge: p = 0\.\d+ with all \d+ words", removed)
    assert "20 %" in removed
    (picture,) = [cell for cell in cells if cell.source == "found.plot()"]
    assert any("image/png" in output.get("data", {}) for output in picture.outputs)


def test_a_model_of_ones_own_is_explained(monkeypatch: Any) -> None:
    """The adapter teaches its lesson; tools that a template drops are refused; the note with the answer is needed."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    cells = [c for c in run("05_your_model.ipynb", STEPS=6).cells if c.cell_type == "code"]
    said = {cell.source: text_of(cell) for cell in cells}
    (taught,) = [text for source, text in said.items() if source.startswith("after = ")]
    before, after = (float(number) for number in re.findall(r"p = (\d\.\d+)", taught))
    assert before < 0.05
    assert after > 2 * before
    (refused,) = [text for source, text in said.items() if source.startswith("def weather")]
    assert "leaves out" in refused
    (answer,) = [text for source, text in said.items() if source.startswith("answer = ")]
    places = {turn: answer.index(rf"<|im_start|>{turn}\n") for turn in ("tool", "user", "system")}
    assert min(places, key=lambda turn: places[turn]) == "tool", "its result, of all turns before the answer"
    (notes,) = [text for source, text in said.items() if source.startswith("notes = ")]
    falls = dict(re.findall(r"without (\w+), p of “twenty” falls by (-?\d\.\d+)", notes))
    assert max(falls, key=lambda name: float(falls[name])) == "fees"
    assert len(falls) == 3


def test_a_data_set_is_explained_and_goes_on(monkeypatch: Any) -> None:
    """Each review has a map, friendly words speak for "positive", and a second call computes only what is new."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    cells = [c for c in run("06_data_set.ipynb", N_REVIEWS=6).cells if c.cell_type == "code"]
    said = {cell.source: text_of(cell) for cell in cells}
    (made,) = [text for source, text in said.items() if source.startswith("run = ")]
    assert "6 texts, 0 without a map" in made
    for start in ('frame.groupby("kind")["ahead"]', "def of_the_adjective"):
        (table,) = [text for source, text in said.items() if source.startswith(start)]
        means = {kind: float(line.split()[2]) for kind in ("positive", "negative") for line in table.splitlines()
                 if line.startswith(kind)}  # fmt: skip
        assert means["positive"] > means["negative"], start
    (more,) = [text for source, text in said.items() if source.startswith("more = ")]
    assert "7 texts" in more
    assert "id='empty'" in more
    (folder,) = [text for source, text in said.items() if source.startswith("print(*sorted(")]
    assert "run.json" in folder
    assert re.search(r"positive-wonderful +\[0\.\d+\] +attnlrp", folder)
    assert "application/vnd.jupyter.widget-view+json" in cells[-1].outputs[0].data


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.name)
def test_an_example_says_how_long_it_takes_and_what_to_try(path: Path) -> None:
    """The first words that a reader sees name the time that it takes; one of the last two cells says what to try."""
    cells = nbformat.read(path, as_version=4).cells
    told = [cell.source for cell in cells]
    begin = next(cell.source for cell in cells if cell.cell_type == "markdown")
    assert re.search(r"\b(minute|minutes)\b", begin), path.name
    assert any("**What to try" in text for text in told[-2:]), path.name


def test_no_example_is_saved_with_outputs() -> None:
    """No notebook is saved with outputs, which would be part of every diff."""
    for path in EXAMPLES.glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs"), path.name
