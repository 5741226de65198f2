"""The directives of the pages: `{map}`, `{method-card}` and tables that the code has; and formulas as MathML.

MathML needs no script and no network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from code_of_maps import MapCode
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.errors import SphinxError
from sphinx.util.docutils import SphinxDirective

from saliency_widget.attribution.cards import LLM, OF_INSEQ, OURS, Card
from saliency_widget.attribution.inseq.methods import REFUSED
from saliency_widget.attribution.result import Attribution
from saliency_widget.evaluation.faithfulness.figures import METRICS

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class Map(SphinxDirective):
    """The code of a map, and the map. `:col:` is the target shown first, its text or number; `:hide-code:`: no code."""

    has_content = True
    option_spec = {"col": directives.unchanged, "hide-code": directives.flag}  # noqa: RUF012 # docutils' own way

    def run(self) -> list[nodes.Node]:
        """Return both."""
        page = self.env.docname
        code = "\n".join(self.content).strip()
        block = MapCode(page, code)
        self.env.note_dependency(str(block.file))
        if not block.file.exists():
            raise SphinxError(f"{page}: no map was made by this code; run `make maps`:\n{code}")
        map_ = Attribution.load(block.file)
        shown = self.options.get("col")
        if shown is not None:
            shown = map_.col(int(shown) if shown.lstrip("-").isdigit() else shown)
        html = map_.to_html(col=shown)
        figure = nodes.raw("", f'<div class="live-map">{html}</div>', format="html")
        if "hide-code" in self.options:
            return [figure]
        return [nodes.literal_block(code, code, language="python"), figure]


class CardOf(SphinxDirective):
    """The card of a method as the page and `methods()` show it, from the one table that has it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return its lines as a field list, with the caveats as a bullet list."""
        card = {**OURS, LLM.id: LLM}[self.arguments[0]]
        lines = [
            f"**How to read it.** {card.reads}",
            "",
            "**What it does not prove**",
            "",
            *(f"- {caveat}" for caveat in card.caveats),
            "",
            *_facts(card),
        ]
        return self.parse_text_to_nodes("\n".join(lines))


def _facts(card: Card) -> list[str]:
    """Return the lines of facts: sign, what is explained, cost, reference."""
    sign = "signed: purple is for, orange against" if card.signed else "no sign"
    told = "the target's probability" if card.objective is None else f"the {card.objective.replace('_', '-')}"
    unless = f"{told}, unless `objective=` says otherwise"
    explained = unless if card.uses_objective else "nothing but where the model predicts"
    facts = {
        "a score is": f"{card.unit}, {sign}",
        "what is explained": explained,
        "cost": card.cost,
        "source": _linked(card.reference),
    }
    return ["```{list-table}", *(f"* - {name}\n  - {fact}" for name, fact in facts.items()), "```"]


Rows: TypeAlias = Iterator[tuple[str, ...]]


def _trust_figures() -> Rows:
    for each in METRICS.values():
        yield f"**{each.label}** (`{each.id}`)", each.reads, _linked(each.reference)


def _inseq_methods() -> Rows:
    for card in OF_INSEQ.values():
        yield f"`{card.id}`", card.reads, card.cost


def _inseq_refused() -> Rows:
    for name, refused in REFUSED.items():
        yield f"`{name}`", refused.reason, ", ".join(f"`{each}`" for each in refused.instead)


# By the name of the directive: the head of a table, and the cells of each row, as Markdown.
TABLES: dict[str, tuple[tuple[str, ...], Callable[[], Rows]]] = {
    "trust-figures": (("figure", "how to read it", "source"), _trust_figures),
    "inseq-methods": (("method", "how to read it", "cost"), _inseq_methods),
    "inseq-refused": (("method", "why not", "use instead"), _inseq_refused),
}


class Table(SphinxDirective):
    """A table that is made from one of the package's own, so that it is never out of date."""

    def run(self) -> list[nodes.Node]:
        """Return the table of this directive's name."""
        head, rows = TABLES[self.name]
        lines = [head, ("---",) * len(head), *rows()]
        return self.parse_text_to_nodes("\n".join("| " + " | ".join(line) + " |" for line in lines))


def _linked(reference: str) -> str:
    return re.sub(r"arXiv:(\d+\.\d+)", r"[arXiv:\1](https://arxiv.org/abs/\1)", reference) or "–"


def _inline(self: Any, node: nodes.math) -> None:
    self.body.append(tex2mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def _block(self: Any, node: nodes.math_block) -> None:
    self.body.append(f'<div class="formula">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def _code_as_code(_app: Sphinx, _what: str, _name: str, _thing: Any, _options: Any, lines: list[str]) -> None:
    """Let values such as "answer" in a docstring be code, with straight quotes.

    And `.attribution`, which as a reference would stand for any attribute of that name.
    """
    for at, line in enumerate(lines):
        parts = re.split(r"(`[^`]*`)", line)  # every other one is code already
        parts[::2] = [re.sub(r'(?<![^\s([{/])("[\w.:-]+")(?![\w"])', r"``\1``", part) for part in parts[::2]]
        parts[1::2] = [f"`{part}`" if part.startswith("`.") else part for part in parts[1::2]]
        lines[at] = "".join(parts)


def _readable_by_all(_app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """Mend what a screen reader stumbles over: headings without a level, lists of parameters that define nothing."""
    context["furo_navigation_tree"] = context.get("furo_navigation_tree", "").replace(
        'role="heading"', 'role="heading" aria-level="2"'
    )

    def in_boxes(found: re.Match[str]) -> str:
        boxes = re.sub("(</?)dd>", r"\1div>", found[1])
        return f'<div class="sig-params">{boxes}</div>'

    context["body"] = re.sub(r"<dl>\s*(<dd>.*?)</dl>", in_boxes, context.get("body", ""), flags=re.DOTALL)


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx of them."""
    app.add_directive("map", Map)
    app.add_directive("method-card", CardOf)
    for name in TABLES:
        app.add_directive(name, Table)
    app.connect("autodoc-process-docstring", _code_as_code)
    app.connect("html-page-context", _readable_by_all, priority=900)  # after the theme
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": False, "parallel_write_safe": True}
