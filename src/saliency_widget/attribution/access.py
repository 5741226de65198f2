"""The members of a network that the engine calls beside its logits. A toy network need define few of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch

    from ..models.inside.attention import Recorder
    from ..models.inside.removal import Tree, Without

# (embeddings [batch, m, d], positions [k] < m) → logits and head at these positions. m may be less than the whole.
Network = Callable[["torch.Tensor", "torch.Tensor"], "Output"]
# ((start, embeddings [s, d] of the rows from start on) a changed text, positions [k]) → logits and head [1, p, …]: of
# each text in turn at those of the positions that are not before its start.
Ends = Callable[[Sequence[tuple[int, "torch.Tensor"]], "torch.Tensor"], "Output"]
_OFFERED = "a method is offered only where it can run"


class Output(Protocol):
    """The output of a network; `models.inside.ways.Forward` is one."""

    @property
    def logits(self) -> torch.Tensor:
        """Return the logits [batch, k, vocabulary]."""

    @property
    def head(self) -> torch.Tensor | None:
        """Return the vocabulary projection's input [batch, k, hidden], or None. Logits at k depend on row k alone."""

    @property
    def pull(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """Return the function from gradients [c, batch, k, hidden] at the head to those [c, batch, m, d] at the input.

        None: autograd has the graph between the two.
        """


class Reader(Protocol):
    """The attention of a network on one text. Rows count source and text as one; queries the text alone."""

    def queries(self, n: int, at: torch.Tensor) -> torch.Tensor:
        """Return the queries [a, p] from which the logits at rows `at` [a] are read; with p > 1, their mean."""

    def run(self, n: int, at: torch.Tensor, record: Recorder, *, once: bool = False, first: int = 0) -> torch.Tensor:
        """Run one pass over the first n rows and hand its weights to `record`.

        `first`: the first query whose weights are wanted; those of earlier ones may be left out.
        Return the logits [a, vocabulary] at `at`.
        """

    @property
    def n_layers(self) -> int:
        """Return the number of layers, with attention or without."""


class Access(Protocol):
    """A network from within, on one text of n rows; `models.inside.access.ModelAccess` is one.

    A subclass defines only the members that its network has: the bodies here are those of a network that can only be
    called. A method is offered only where the members that it needs are defined.
    """

    @property
    def reads_ids(self) -> bool:
        """Return whether the network reads token ids besides embeddings, so that `replaced` must replace both."""
        return False

    @property
    def baselines(self) -> Mapping[str, Callable[[], torch.Tensor]]:
        """Return the baselines by name: embeddings [d] or [1, n, d] in place of a missing token."""
        return {}

    def plain(self, n: int) -> Network | None:
        """Return the network over the first n rows, one text at a time and without our hooks; None: no spot check."""
        return None

    def read_once(self, x: torch.Tensor, at: torch.Tensor) -> tuple[Output, Ends | None] | None:
        """Read the first rows `x` [1, m, d] of a causal network.

        Return its output, and the network as a function of other ends.

        The latter is None where it keeps nothing of what it has read; the whole, where it is a plain call.
        """
        return None

    def shortened(self, rows: Sequence[int]) -> tuple[torch.Tensor, Network]:
        """Return the embeddings and the network of the text that has these rows alone."""
        raise AssertionError(_OFFERED)

    def masked(self, rows: Sequence[int]) -> Network:
        """Return the network over the whole text in which nobody can attend to rows other than these."""
        raise AssertionError(_OFFERED)

    def without(self, operator: str) -> Without | None:
        """Return the network over several texts without some of their rows, or None: each is read by itself.

        `operator`: "delete", so that the text closes up; "mask", so that the positions of the kept rows stay.
        """
        return None

    def tree(self, operator: str) -> Tree | None:
        """Return the network over a tree of kept rows, each branch a text without some rows; None: it reads no trees.

        `operator`: as for `without`.
        """
        return None

    def why_not(self, operator: str) -> str | None:
        """Return the reason why an operator of `operators.OPERATORS` is not possible, as a sentence, or None."""
        return "This network can only be called, so no token can be hidden from it." if operator == "mask" else None

    def replaced(self, rows: Sequence[int], baseline: str | None) -> tuple[torch.Tensor, Network]:
        """Return the embeddings and the network of the text with the baseline's token at these rows."""
        raise AssertionError(_OFFERED)

    @property
    def attention(self) -> Reader:
        """Return the attention of the network, on this text."""
        raise AssertionError(_OFFERED)

    def zeroed(
        self,
        n: int,
        at: torch.Tensor,
        queries: torch.Tensor,
        rows: torch.Tensor,
        layer: int | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the cosine distances [p] of the layers' outputs at queries[i] without the value of rows[i]; logits."""
        raise AssertionError(_OFFERED)

    def relevance(self, rule: Any) -> AbstractContextManager[None]:
        """Return a context in which the backward pass follows this rule: of relevance propagation, or GIM's."""
        raise AssertionError(_OFFERED)

    # ── what methods of inseq need ────────────────────────────────────────────────────────────────────────────────

    @property
    def module(self) -> torch.nn.Module:
        """Return the network as a torch module."""
        raise AssertionError(_OFFERED)

    @property
    def ids(self) -> tuple[int, ...]:
        """Return the token ids [n]."""
        raise AssertionError(_OFFERED)

    def run(self, n: int, **options: Any) -> Any:
        """Run one plain pass over the first n rows. Return transformers' own output."""
        raise AssertionError(_OFFERED)

    def unknown(self) -> torch.Tensor:
        """Return inseq's baseline [1, n, d]: unknown tokens, except at ends of text and a decoder's first token."""
        raise AssertionError(_OFFERED)


class Outside(Access):
    """A network that can only be called."""
