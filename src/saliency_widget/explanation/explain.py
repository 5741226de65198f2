"""`explain`: a user asks an LLM to explain itself, without a widget."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..aside import aside
from ..characters import bar_name
from ..models.loading.load import load_model
from ..types import ExplanationKind
from .asking import Inquiry, ask
from .choice import choice_of
from .local import LocalClient

if TYPE_CHECKING:
    from .asking import News
    from .choice import Label
    from .clients import Client
    from .result import Explanation


def client_of(model_or_client: Any) -> Client:
    """Return a client as it is, and what `load_model` takes as one. Raises: UnsupportedMethod (it writes no words)."""
    if callable(getattr(model_or_client, "answer", None)):
        client: Client = model_or_client
        return client
    return LocalClient(load_model(model_or_client))


def explain(
    model_or_client: Any,
    text: str,
    kind: ExplanationKind = "answer",
    prompt: str | None = None,
    *,
    labels: Iterable[Label] | Mapping[Label, float | str] | None = None,
    system: str | None = None,
    guided: bool | None = None,
    max_tokens: int | None = None,
    temperature: float = 0.0,
    seed: int | None = None,
    progress: bool = True,
    **fields: str,
) -> Explanation:
    """Let an LLM explain in words what it decides ("answer") or wrote ("why"), or give each word a number ("scores").

    Args:
        model_or_client: whatever `load_model` takes, or a client: `OpenAIClient(...)` asks a server.
        text: what it is about: without `labels` and `prompt`, a film review; for "why" the text before the word.
        kind: "answer" asks for the label and the reasons; "scores" for a number a word, and the label; "why" why it
            wrote `target=`, in words and with a number for each word before it.
        prompt: another template; `{review}` in it stands for the text, `{labels}` for the labels, and the names of
            `fields` for theirs. One that mentions no label gets a line with them. Without `labels=`, nothing is read as
            a label from the answer to a prompt of yours.
        labels: what to choose between, as names (["sport", "cooking"]) or with how each is to be written ({"good": 1,
            "bad": 0}). None: positive = 1 and negative = -1 for the built-in prompts. Scores run from -1 (the word
            speaks against the label that was chosen) to 1; of the built-in prompts from negative to positive.
        system: a message before it, where the model's chat template, or the server, knows one.
        guided: of scores, whether the list is forced into shape. None: where what is written freely scores too few of
            the words; for a server, where it offers that. The numbers are the model's own.
        max_tokens: how long the answer may be.
        temperature: 0 takes the most probable token each time.
        seed: of a temperature above 0.
        progress: show a progress bar.
        **fields: what stands for `{name}` in a template: `target=" Washington"` of kind "why", or your own names.

    Raises:
        InputError: there is no text, a template without a place for it, or a model that cannot answer.
        ServerError: a server is down, slow, or refuses.
        TextTooLong: more tokens than the model has positions for.
    """
    from tqdm.auto import tqdm

    request = Inquiry(
        review=text,
        kind=kind,
        prompt=prompt,
        fields=fields,
        choice=None if labels is None else choice_of(labels),
        system=system,
        guided=guided,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
    )
    client = client_of(model_or_client)
    written = 0  # characters; set by the thread that works, drawn by this one

    def work(check: Callable[[], None]) -> Explanation:
        def on_news(news: News) -> None:
            nonlocal written
            check()
            written = len(news.text) + len(news.free or "")

        return ask(client, request, on_news)

    with tqdm(desc=f"{bar_name(client.name)} explains", unit=" characters", disable=not progress, leave=False) as bar:

        def draw() -> None:
            bar.update(max(0, written - bar.n))

        return aside(work, draw)
