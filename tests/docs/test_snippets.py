"""Every snippet of the README and of the documentation runs as it stands there, each page from its top to its end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from ipywidgets import Widget

import saliency_widget as sw
from tests.families import make
from tests.servers import KEY

from .pages import name_of, pages, snippets

pytestmark = [
    pytest.mark.demo,
    # Other packages warn of themselves, though they are used as their own pages say.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

WITH_CODE = [page for page in pages() if snippets(page)]
QUICK = ("README.md", "docs/how_to/own_model.md", "docs/how_to/classifiers.md",
         "docs/how_to/translation.md")  # fmt: skip
OF_A_SERVER = "docs/how_to/servers.md"
ADDRESS = "http://127.0.0.1:8080/v1"  # in the snippets


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny models of the names that the pages use."""
    from peft import LoraConfig, get_peft_model

    folder = tmp_path_factory.mktemp("models")
    named = {"gpt2": "gpt2", "my-model": "llama", "my-classifier": "bert", "my-pairs": "bert"}
    for name, family in named.items():
        made = make(family, torch.float32)
        made.model.save_pretrained(folder / name)
        made.tokenizer.save_pretrained(folder / name)
    base = make("llama", torch.float32).model
    base.config._name_or_path = base.name_or_path = str(folder / "my-model")
    adapted = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj", "v_proj"]))
    adapted.save_pretrained(folder / "my-adapter")
    return folder


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let widgets be shown without a kernel, and close them all afterwards."""
    assert callable(sw.show), "asked for before its module, whose import would take the function's place"
    for module in ("show", "comparison.compare", "batch.browse"):
        monkeypatch.setattr(import_module(f"saliency_widget.{module}"), "check_notebook", lambda: None)
    made: list[Any] = []
    Widget.on_widget_constructed(made.append)
    yield
    Widget.on_widget_constructed(None)
    for widget in made:
        widget.close()


def run(page: Path, address: str = ADDRESS) -> dict[str, Any]:
    """Run the snippets of a page and return the names that they leave. A traceback has the page's lines."""
    names: dict[str, Any] = {}
    for line, code in snippets(page):
        exec(compile("\n" * (line - 1) + code.replace(ADDRESS, address), str(page), "exec"), names)
    return names


@pytest.mark.usefixtures("notebook", "demo_session")
@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=() if name_of(p) in QUICK else pytest.mark.long, id=name_of(p)) for p in WITH_CODE],
)
def test_the_snippets_of_a_page_run(
    page: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The snippets of a page run in their order; those about a server ask a real one."""
    shutil.copytree(models, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    address = request.getfixturevalue("llama").url if name_of(page) == OF_A_SERVER else ADDRESS
    assert run(page, address)


def test_a_snippet_that_fails_is_heard(tmp_path: Path) -> None:
    """An exception of a snippet reaches the test, with the line of the page."""
    page = tmp_path / "page.md"
    page.write_text("text\n\n```python\nx = 1\n1 / 0\n```\n")
    with pytest.raises(ZeroDivisionError) as found:
        run(page)
    assert found.traceback[-1].lineno == 4, "counted from 0"
