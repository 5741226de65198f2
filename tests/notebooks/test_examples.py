"""Every example notebook runs from top to bottom, and shows what its words say."""

from __future__ import annotations

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


def run(name: str) -> Any:
    notebook = nbformat.read(EXAMPLES / name, as_version=4)
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": EXAMPLES}}).execute()
    return notebook


def text_of(cell: Any) -> str:
    return "".join(str(o.get("text", "")) + str(o.get("data", {}).get("text/plain", "")) for o in cell.outputs)


def test_the_first_example_answers_its_question(monkeypatch: Any) -> None:
    """George matters most for Washington; the static map beside the widget is the last one that was asked for."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    cells = [c for c in run("01_quickstart.ipynb").cells if c.cell_type == "code"]
    kinds = [mime for output in cells[0].outputs for mime in output.get("data", {})]
    assert "application/vnd.jupyter.widget-view+json" in kinds
    html = "".join(o.data.get("text/html", "") for o in cells[0].outputs if "data" in o)
    assert "Attention" in html
    assert re.search(r"George · share \.\d+ · rank \d of 9", html)
    assert "text=' George', position=8" in text_of(cells[1])
    assert float(text_of(cells[2])) == pytest.approx(4.65, abs=0.05)


def test_no_example_is_saved_with_outputs() -> None:
    """Outputs would carry somebody's machine and a copy of the map into every diff."""
    for path in EXAMPLES.glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs"), path.name
