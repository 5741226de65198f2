"""Every message between the kernel and the page.

js/src/protocol.ts says the same in TypeScript; no other file on either side knows the wire format. For each message
tests/protocol/ has one golden file that both sides must read and write.

A conversation: the page says `hello` (once per page, and again after a reload); the kernel answers with `hello` and
then everything it has: `document`, `tokens`, `menu`, `steps`, `map`, its columns, `status`, `failed`. After that it
sends what is new. Every message is idempotent: a page that hears one twice is not changed by the second.

Column messages carry a running `seq`; the page acknowledges the highest it has, and the kernel keeps at most `WINDOW`
unacknowledged ones in flight.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict, cast

from .types import Phase, Role, SegmentKind

PROTOCOL = 1
WINDOW = 12


class WireToken(TypedDict):
    """`types.Token` without its position, which is its place in the list."""

    id: int
    text: str
    role: Role
    span: tuple[int, int] | None
    word: int
    sentence: int
    segment: int
    part: tuple[int, int] | None


class WireSegment(TypedDict):
    """`types.Segment`: tokens [start, end)."""

    kind: SegmentKind
    name: str
    start: int
    end: int


class WireAlternative(TypedDict):
    """`types.Alternative`."""

    id: int
    text: str
    probability: float


class WireStep(TypedDict):
    """How probable one target was, and what else the model could have written."""

    probability: float
    alternatives: list[WireAlternative]


class WireMethod(TypedDict):
    """The card of a method, as the menu and the (i) show it. `reason` says why it cannot be used here, or is None."""

    id: str
    label: str
    family: str
    signed: bool
    uses_objective: bool
    unit: str
    cost: str
    reads: str
    caveats: list[str]
    reference: str
    reason: str | None


class WireObjective(TypedDict):
    """One choice of what to explain."""

    id: str
    label: str


# ── kernel → page ────────────────────────────────────────────────────────────────────────────────────────────────


class ToPageHello(TypedDict):
    """Answer to the page's hello. A `session` the page does not know means: forget what you have."""

    type: Literal["hello"]
    protocol: int
    session: str


class Document(TypedDict):
    """A text begins. Its tokens follow. `doc` counts up; older documents of the session are gone.

    The target of column c is token `first_target + c`; the rows of a map are the tokens 0 … n_rows - 1.
    """

    type: Literal["document"]
    doc: int
    model: str
    device: str
    dtype: str
    first_target: int


class Tokens(TypedDict):
    """Tokens from `start` to the end, replacing what the page had from there on; `segments`: all of them."""

    type: Literal["tokens"]
    doc: int
    start: int
    tokens: list[WireToken]
    segments: list[WireSegment]


class Steps(TypedDict):
    """Step scores of the columns `start` … `start + len(steps) - 1`."""

    type: Literal["steps"]
    doc: int
    start: int
    steps: list[WireStep]


class Menu(TypedDict):
    """What can be asked of this model."""

    type: Literal["menu"]
    methods: list[WireMethod]
    objectives: list[WireObjective]


class Map(TypedDict):
    """A matrix begins, or becomes the one on show. Its columns follow, in any order; those already sent stay."""

    type: Literal["map"]
    map: str
    doc: int
    method: str
    objective: str
    n_rows: int
    n_cols: int


class Column(TypedDict):
    """One column. Buffer 0: float32, little-endian, [n_rows]; NaN = the target cannot see this row."""

    type: Literal["column"]
    map: str
    seq: int
    col: int
    n_rows: int


class Status(TypedDict):
    """What is going on. `total` is None where it is not known; `seconds_left` likewise. `unit`: what is counted."""

    type: Literal["status"]
    phase: Phase
    what: str
    done: int
    total: int | None
    seconds_left: float | None
    unit: str


class Failed(TypedDict):
    """An error, in the same two sentences that `wait()` raises. It stays until something new is asked."""

    type: Literal["failed"]
    kind: str
    message: str
    cure: str


ToPage: TypeAlias = ToPageHello | Document | Tokens | Steps | Menu | Map | Column | Status | Failed

# ── page → kernel ────────────────────────────────────────────────────────────────────────────────────────────────


class ToKernelHello(TypedDict):
    """A page is there: it wants everything."""

    type: Literal["hello"]
    protocol: int


class Ack(TypedDict):
    """The page has drawn, or at least stored, every column message up to `seq`."""

    type: Literal["ack"]
    seq: int


class Focus(TypedDict):
    """The user looks at this column: compute it next."""

    type: Literal["focus"]
    col: int


class Ask(TypedDict):
    """Show this map; compute it if it is not there yet."""

    type: Literal["ask"]
    method: str
    objective: str
    settings: NotRequired[dict[str, Any]]


class Cancel(TypedDict):
    """Stop what is running; keep what is done."""

    type: Literal["cancel"]


ToKernel: TypeAlias = ToKernelHello | Ack | Focus | Ask | Cancel

_TO_KERNEL_FIELDS: dict[str, dict[str, type]] = {
    "hello": {"protocol": int},
    "ack": {"seq": int},
    "focus": {"col": int},
    "ask": {"method": str, "objective": str},
    "cancel": {},
}


def read(content: object) -> ToKernel | None:
    """The message in `content`, checked field by field, or None where it is not one of ours."""
    if not isinstance(content, dict):
        return None
    fields = _TO_KERNEL_FIELDS.get(str(content.get("type")))
    if fields is None or not all(isinstance(content.get(name), kind) for name, kind in fields.items()):
        return None
    return cast("ToKernel", content)
