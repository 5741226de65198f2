"""Names from outside (of models, servers, methods, units, classes, files) are text wherever they are shown.

In HTML they are no markup; in a terminal nothing in them acts: escape characters and turns of direction are signs.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import io
import pickle
import unicodedata
from functools import partial
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from tqdm import tqdm

import saliency_widget as sw
from saliency_widget import errors
from saliency_widget.attribution import attribute as attribute_module
from saliency_widget.characters import bar_name, plain, plain_lines
from saliency_widget.evaluation.say_versus_do.compare import Survey
from saliency_widget.explanation.asking import Inquiry, ask
from saliency_widget.explanation.black_box import NextTokens, server_map
from saliency_widget.explanation.choice import choice_of
from saliency_widget.explanation.clients import Reply
from saliency_widget.explanation.local import LocalClient
from saliency_widget.models.classifier import ClassifierModel

from ..families import made, make
from ..servers import refuses, scripted, writes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MARKUP = "<img src=x onerror=alert(1)>"
ACTS = "\x1b[31m\x9b31m\x07\u202eesrever\u2066\u200b\u2028\r\n\x00"
EVIL = f"{MARKUP}</style></script><script>alert(2)</script>'\" onclick=alert(3) $x^$ &lt;b&gt; {{0}} %s {ACTS}"
ON_DISK = EVIL.replace("/", "∕").replace("\x00", "")  # what a file may be called


class Client:
    """A model that says what it is told to."""

    name = where = EVIL

    def __init__(self, text: str) -> None:
        self.text = text

    def answer(self, _messages: Any, **_: Any) -> Reply:
        return Reply(self.text, True, None, None, 0.0)


def acting(text: str) -> set[str]:
    """The characters that act: all that Unicode calls controls, formats or separators of lines; ours are left out."""
    ours = "\n\t\u2068\u2069"  # lines, cells, and what isolates a name that runs from right to left
    return {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in ours}


def harmless(text: str) -> None:
    """Assert that a text holds no character that controls a terminal, but signs for them."""
    assert acting(text) == set()
    assert "ESC[31m" in text
    assert "RLO" in text


class _Read(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def inert(html: str) -> None:
    """No tag and no attribute of a name's is in it, as a browser reads it; the name is, and nothing in it acts."""
    read = _Read()
    read.feed(html)
    assert "img" not in read.tags
    assert not {name for name in read.attributes if name.startswith("on")}
    assert "<script>alert" not in html
    assert acting(html) == set()
    assert MARKUP in read.text
    assert "ESC[31m" in read.text


# ── what shows itself ────────────────────────────────────────────────────────────────────────────────────────────


def scored(**how: Any) -> sw.Attribution:
    about = {"method": EVIL, "unit": EVIL, "model_name": EVIL, **how}
    return sw.Attribution.from_scores([[0.2, 0.1], [0.5, -1.0]], ["good", EVIL], [EVIL, "film"], **about)


@pytest.mark.parametrize("named", ["method", "unit", "model_name", "rows"])
def test_a_map_from_elsewhere(named: str) -> None:
    """`from_scores` takes any method, unit, model and words."""
    usual = {"method": "mine", "unit": "score", "model_name": "m"}
    words = (["good", EVIL], [EVIL, "film"]) if named == "rows" else (["good", "bad"], ["a", "film"])
    how = usual if named == "rows" else usual | {named: EVIL}
    a = sw.Attribution.from_scores([[0.2, 0.1], [0.5, -1.0]], *words, **how)
    assert acting(repr(a)) == set()
    inert(a.to_html())
    inert(a._repr_html_())


def test_two_maps_beside_each_other() -> None:
    """Figures of agreement, in text and in HTML."""
    found = sw.agreement([scored(), scored()])
    harmless(repr(found))
    inert(found._repr_html_())


def test_a_table_is_escaped_where_it_is_html() -> None:
    """pandas makes it: it holds texts as they are, and shows them as text."""
    html = scored().to_dataframe()._repr_html_()
    assert "<img" not in html
    assert "&lt;img" in html


@pytest.mark.parametrize("kind", ["answer", "scores"])
def test_an_explanation(kind: Any) -> None:
    """An explanation shows the model's name, its answer and its problems as plain text."""
    review = f"a good film {MARKUP}"
    said = ask(
        Client(f'[("good", 0.5), ("{EVIL}", 0.1), ("a", )]\n{EVIL}'), Inquiry(review=review, kind=kind), print_no
    )
    harmless(repr(said))
    harmless(str(said))
    inert(said._repr_html_())


def print_no(_: Any) -> None:
    """Ignore the progress."""


def test_the_list_of_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the model, and says why a method cannot be used on it."""
    model = copy.copy(made("mamba"))
    model.name = EVIL
    found = sw.methods(model)
    harmless(repr(found))
    inert(found._repr_html_())


def test_models_and_clients() -> None:
    """Each is named as Python writes text."""
    model = copy.copy(made("llama"))
    model.name = EVIL
    client = sw.OpenAIClient(EVIL, base_url="http://127.0.0.1:1/v1")
    for shown in (repr(model), repr(LocalClient(model)), repr(client), str(client)):
        assert shown.isprintable()


def test_said_and_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words of the review, in text, in tables, and as labels of a picture, where $x^$ is no mathematics."""
    model = make("llama")
    monkeypatch.setattr(model.model.config, "max_position_embeddings", 8192)
    monkeypatch.setattr(model, "name", EVIL)
    review = "a $x^$ cab\x1b[31m\u202e <img src=x onerror=alert(1)>"
    done = sw.say_versus_do(model, review, methods=["saliency"], askings=1, progress=False)
    assert acting(repr(done)) == set()
    assert "<img" not in done._repr_html_()
    assert "\x1b" not in done._repr_html_()
    survey = Survey((done,))
    for table in (done.words(), done.to_dataframe(), survey.reviews(), survey.to_dataframe()):
        assert acting(table.to_string()) == set()
    assert acting(repr(survey)) == set()
    assert "<img" not in survey._repr_html_()
    canvas = done.plot()
    picture = io.BytesIO()
    canvas.savefig(picture, format="svg")
    labels = [label.get_text() for label in canvas.axes[0].get_yticklabels()]
    assert [label.replace(r"\$", "$") for label in labels] == [plain(word) for word in done.explanation.words]
    assert b"<img" not in picture.getvalue()


def test_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A classifier's labels come from its checkpoint."""
    model = make("llama_classifier")
    assert isinstance(model, ClassifierModel)
    network = model.model
    network.config.id2label = {0: MARKUP, 1: ACTS, 2: EVIL}  # the last is too long to be shown whole
    a = sw.attribute((network, model.tokenizer), "a cab", progress=False)
    assert [token.text.strip() for token in a.cols] == [MARKUP, ACTS.strip(), EVIL.strip()]
    assert acting(repr(a)) == set()
    inert(a.to_html())


def test_labels() -> None:
    """Labels of a user's own, in what a model said of them and in the map of a server's model."""
    choice = choice_of([MARKUP, ACTS, "film"])
    client = Client('[("good", 0.5), ("cab", 1)]\nfilm')
    said = sw.explain(client, "a good cab", kind="scores", labels=[MARKUP, ACTS, "film"], progress=False)
    assert said.label == "film"
    for option in choice.options:  # whichever it had chosen
        told = dataclasses.replace(said, label=option.label)
        assert acting(repr(told)) == set()
        assert "<img" not in told._repr_html_()
        assert acting(told._repr_html_()) == set()
    with pytest.raises(errors.InputError) as caught:
        sw.explain(client, "a cab", labels=[EVIL, EVIL.upper()], progress=False)
    assert str(caught.value).isprintable()


def test_a_servers_map() -> None:
    """The labels are columns of a map like any other's."""
    found = tuple((label[:9], -1.0 - i) for i, label in enumerate((MARKUP, "x film")))

    class Server:
        name = EVIL

        def next_tokens(self, _messages: Any, _repeat: int = 0) -> NextTokens:
            return NextTokens(found, 3)

    a = server_map(Server(), f"a {ACTS} cab", labels={MARKUP: MARKUP, ACTS: "x film"}, progress=False)
    assert acting(repr(a)) == set()
    inert(a.to_html())


def test_tables() -> None:
    """A data frame that a terminal prints: of a map, of maps compared, of what a model said."""
    a = scored()
    said = sw.explain(Client('{"scores": {"a": 5}}'), f"a {EVIL} film", kind="scores", progress=False)
    maps = (a.to_dataframe(), sw.agreement([a, scored(method="b")]).to_dataframe())
    assert [acting(table.to_string()) for table in (*maps, said.to_dataframe())] == [set()] * 3
    assert all("ESC[31m" in table.to_string() for table in maps)
    lines = sw.Attribution.from_scores([[1.0]], ["a\tb\n"], ["c"], method="mine", unit="score", model_name="m")
    assert lines.to_dataframe().row_token.tolist() == ["a\tb\n"]


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_errors_say_it_on_one_line() -> None:
    """Errors of any class with any name in them; pickled and copied, too."""
    made_up = [
        errors.SaliencyError(EVIL, cure=EVIL),
        errors.UnknownName(EVIL, EVIL, [EVIL, EVIL[:-1]]),
        errors.AmbiguousToken(EVIL, cure=EVIL, positions=[1]),
        errors.BadScores(EVIL, cure=EVIL, col=1),
        errors.ServerError(EVIL, cure=EVIL, status=500),
    ]
    for error in made_up:
        harmless(str(error))
        assert all(part.isprintable() for part in (str(error), error.message, error.cure, repr(error)))


def test_folders_and_files(tmp_path: Path) -> None:
    """A model from a folder is called as the folder is; what is broken, or not there, is told by its name."""
    model = made("llama")
    folder = tmp_path / ON_DISK
    model.model.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    a = sw.attribute(str(folder), "a cab", max_new_tokens=2, progress=False)
    assert a.model_name == ON_DISK
    assert acting(repr(a)) == set()
    inert(a.to_html())
    broken = tmp_path / f"broken{ON_DISK}"
    broken.mkdir()
    (broken / "config.json").write_text("{")
    (tmp_path / f"{ON_DISK}.gguf").write_bytes(b"GGUF")
    for path in (broken, tmp_path / f"{ON_DISK}.gguf", tmp_path / f"none{ON_DISK}.gguf", f"none/{ON_DISK}"):
        with pytest.raises(errors.SaliencyError) as caught:
            sw.load_model(str(path))
        assert str(caught.value).isprintable()


def test_what_a_server_says() -> None:
    """Its refusal, the models it lists, and its answer."""
    with (
        scripted(refuses(EVIL, 404), models=[EVIL, "b" * 10_000]) as server,
        pytest.raises(errors.ServerError) as caught,
    ):
        sw.explain(sw.OpenAIClient(EVIL, base_url=server.url, max_retries=0), "a film", progress=False)
    assert str(caught.value).isprintable()
    assert "ESC[31m" in str(caught.value)
    assert len(caught.value.cure) < 1_000
    with scripted(writes(EVIL)) as server:
        said = sw.explain(sw.OpenAIClient(EVIL, base_url=server.url, max_retries=0), "a film", progress=False)
    harmless(repr(said))
    inert(said._repr_html_())


# ── progress bars ────────────────────────────────────────────────────────────────────────────────────────────────


def bars(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The widgets of every progress bar that a notebook would show from now on, with all that they ever say."""
    from tqdm import notebook

    shown: list[Any] = []
    printer = notebook.tqdm_notebook.status_printer

    def listening(*args: Any, **how: Any) -> Any:
        container = printer(*args, **how)
        for child in (container.children[0], container.children[2]):
            shown.append(child.value)
            child.observe(lambda change: shown.append(change["new"]), "value")
        return container

    monkeypatch.setattr(notebook.tqdm_notebook, "status_printer", staticmethod(listening))
    monkeypatch.setattr("tqdm.auto.tqdm", partial(notebook.tqdm_notebook, mininterval=0))  # each step is drawn
    return shown


def explained() -> None:
    sw.explain(Client("good"), "a film")


def attributed() -> None:
    said = attribute_module.Bars(EVIL)
    for done in (1, 2):
        said.at = ("attributing", done, 2)
        said.draw()
    said.close()


def compared() -> None:
    from saliency_widget.evaluation.say_versus_do import compare as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "compare", lambda _client, _text, tell, **_: tell(EVIL, 1, 2))
        sw.say_versus_do(made("llama"), ["a", "b"])


@pytest.mark.parametrize("work", [explained, attributed, compared])
def test_progress_bars(
    work: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a notebook a name is no markup, neither when a bar begins nor later; in a terminal nothing in it acts."""
    with monkeypatch.context() as patch:
        said = bars(patch)
        with contextlib.redirect_stdout(io.StringIO()):  # where widgets print themselves outside of a notebook
            work()
    told = " ".join(said)
    assert "img" in told
    assert not set("<>") & set(told)
    assert acting(told) == set()
    capsys.readouterr()
    monkeypatch.setattr("tqdm.auto.tqdm", partial(tqdm, mininterval=0))
    work()
    printed = capsys.readouterr().err
    assert "img" in printed
    assert acting(printed.replace("\r", "")) == set()  # by which a bar begins its line anew


def test_what_is_a_sign_and_what_stays() -> None:
    """Letters of any script, emoji with their joiners, Persian and no-break spaces stay; what acts is a sign."""
    for stays in (
        "naïve",
        "می\u200cخواهم",
        "👩\u200d👩\u200d👧",
        "❤\ufe0f",
        "5\xa0km",
        "日本\u3000語",
        "\u0661\u0600",
        "",
    ):
        assert plain(stays) == plain_lines(stays) == bar_name(stays) == stays
    assert plain("a\x1b\x9b\u202e\u200b\ud800\u2061\n\t") == "aESCU+009BRLOZWSPU+D800U+2061⏎⇥"
    assert plain_lines("a\r\nb\n\tc\rd") == "a\nb\n\tcCRd"
    assert bar_name("<b>&amp;" + "x" * 100) == "‹b›＆amp;" + "x" * 51 + "…"
    error = pickle.loads(pickle.dumps(LookupError(plain("a\n"))))
    assert str(error) == "a⏎"
