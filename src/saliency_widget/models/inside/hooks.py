"""Hooks on a shadow that replace its embeddings and collect the input of its vocabulary projection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import UnsupportedMethod

if TYPE_CHECKING:
    import torch

_CURE = "Use a model that reads its text through its embedding module."


class Answer(NamedTuple):
    """The output that an embedding module shall have: `rows` [b, m, d] in place of those of `ids` [b, m]."""

    module: torch.nn.Module
    ids: torch.Tensor
    rows: torch.Tensor


@contextmanager
def answering(answers: Sequence[Answer]) -> Iterator[None]:
    """Enter a context in which each embedding module returns the rows of its answer.

    A module named twice returns them in order.

    They are a copy: some families scale their embeddings in place.
    Raises: UnsupportedMethod if a module was not called, or was asked for other ids.
    """
    left = list(answers)

    def give(module: torch.nn.Module, args: Any, kwargs: dict[str, Any], output: Any) -> Any:
        at = next((i for i, answer in enumerate(left) if answer.module is module), None)
        if at is None:
            return output
        asked = next((given for given in (*args, *kwargs.values()) if hasattr(given, "shape")), None)
        return written_into(output, asked, left.pop(at))

    with ExitStack() as stack:
        for module in {id(answer.module): answer.module for answer in answers}.values():
            stack.callback(module.register_forward_hook(give, with_kwargs=True).remove)
        yield
    if left:
        raise UnsupportedMethod(
            f"{type(left[0].module).__name__} was not called: the model reads its token ids elsewhere.", cure=_CURE
        )


def written_into(output: Any, asked: Any, answer: Answer) -> Any:
    """Return the `output` of an embedding module for the ids `asked`, with the rows of an answer in their places.

    Families pad the text to a window, put tokens of their own before it, or texts on the second axis; they return all
    rows one after another, or a tuple. Raises: UnsupportedMethod if `asked` does not contain the ids.
    """
    import torch

    if isinstance(output, tuple):
        return (written_into(output[0], asked, answer), *output[1:])
    _, ids, rows = answer
    batch, m, d = rows.shape
    strange = UnsupportedMethod("The embedding module was asked for other tokens than the text has.", cure=_CURE)
    if not isinstance(output, torch.Tensor) or asked is None or output.shape != (*asked.shape, d):
        raise strange
    rows = rows.to(output.device).clone()
    if asked.shape == ids.shape and (batch != m or torch.equal(asked, ids.to(asked.device))):
        return rows
    if asked.numel() == ids.numel() and asked.ndim == 1:
        return rows.reshape(output.shape)
    turned = asked.ndim == 2 and asked.shape[1] == batch and len(asked) >= m and len(asked) != batch
    turned = turned or (asked.shape == (m, batch) and torch.equal(asked.T, ids.to(asked.device)))
    if asked.ndim != 2 or not (turned or (len(asked) == batch and asked.shape[1] >= m)):
        raise strange
    along = asked.T if turned else asked  # [b, more]
    wanted = ids.to(asked.device)
    starts = range(along.shape[1] - m + 1)
    start = next((at for at in starts if torch.equal(along[:, at : at + m], wanted)), None)
    if start is None:
        raise strange
    whole = output.transpose(0, 1) if turned else output
    whole = torch.cat([whole[:, :start], rows, whole[:, start + m :]], dim=1)
    return whole.transpose(0, 1) if turned else whole


@contextmanager
def head_inputs(head: torch.nn.Module | None, positions: torch.Tensor | None) -> Iterator[list[torch.Tensor]]:
    """Enter a context that collects the input of the vocabulary projection, [batch, k, hidden] for each call.

    With `positions`, the projection gets these alone: it is the most expensive layer of a small model.
    """
    heard: list[torch.Tensor] = []
    if head is None:
        yield heard
        return

    def listen(_module: torch.nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
        import torch

        name = None if args else next((k for k, v in kwargs.items() if isinstance(v, torch.Tensor)), None)
        hidden = args[0] if args else kwargs[name] if name else None
        if not isinstance(hidden, torch.Tensor) or hidden.ndim != 3:  # flat, or with an axis more
            return None
        if positions is not None:
            hidden = hidden[:, positions.to(hidden.device)]
        heard.append(hidden)
        return ((hidden, *args[1:]), kwargs) if name is None else (args, {**kwargs, name: hidden})

    handle = head.register_forward_pre_hook(listen, with_kwargs=True)
    try:
        yield heard
    finally:
        handle.remove()


@contextmanager
def head_rows(head: torch.nn.Module, texts: torch.Tensor, places: torch.Tensor) -> Iterator[None]:
    """Enter a context in which the vocabulary projection gets one text, [1, p, hidden]: of texts[i] its row places[i].

    Raises: UnsupportedMethod if the projection is given something else than hidden states [batch, n, hidden].
    """

    def pick(_module: torch.nn.Module, args: Any) -> tuple[Any, ...]:
        hidden = args[0] if args else None
        if hidden is None or hidden.ndim != 3:
            raise UnsupportedMethod("The vocabulary projection reads no rows of hidden states.", cure=_CURE)
        return (hidden[texts.to(hidden.device), places.to(hidden.device)][None], *args[1:])

    handle = head.register_forward_pre_hook(pick)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def last_logits(model: torch.nn.Module) -> Iterator[list[torch.Tensor]]:
    """Enter a context with the logits [1, vocabulary] of the last pass and position, before `generate` changes them."""
    latest: list[torch.Tensor] = []

    def listen(_module: torch.nn.Module, _args: Any, output: Any) -> None:
        latest[:] = [logits_of(output)[:, -1]]

    handle = model.register_forward_hook(listen)
    try:
        yield latest
    finally:
        handle.remove()


def logits_of(output: Any) -> torch.Tensor:
    """Return the logits in a model's output: a named output of transformers, a dict, a tuple, or the tensor itself."""
    found: Any = output
    if isinstance(output, dict) or hasattr(output, "logits"):
        found = output["logits"] if isinstance(output, dict) else output.logits
    elif isinstance(output, tuple | list):
        found = output[0]
    tensor: torch.Tensor = found
    return tensor
