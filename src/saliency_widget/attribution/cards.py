"""The cards of all maps: each says what its map is, how to read it, and what it does not prove."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from ..types import Objective

Family = Literal["gradient", "attention", "perturbation", "relevance", "explanation", "baseline", "difference"]
READY = "none: it is there already"  # the cost of a map that came from elsewhere


@dataclass(frozen=True, slots=True)
class Work:
    """The work of one map, in forward passes of the whole text; a backward pass counts as two more.

    It is a rule of thumb to tell a second from a minute by. Most maps have a few of their numbers checked.
    """

    once: int = 10
    per_target: int = 0
    per_input: int = 0

    def passes(self, n_rows: int, n_cols: int) -> int:
        """Return the number of passes for a map of n_rows inputs and n_cols targets."""
        return self.once + self.per_target * n_cols + self.per_input * n_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The description of a map for its reader.

    `unit` is the name of a score, as in "share of the {unit}"; `pool` says how the scores of tokens make the score of a
    word.
    `uses_objective`: whether another objective gives another map. `objective`: the one that is explained unless another
    is asked for; None for the model's first. `cost` says in words what one map costs, `work` in
    passes; None where it cannot be told. `says` tells a reader what the colour of an input means: in it `{target}`
    stands for the target, and `{word}` for the kind of unit that is read.
    """

    id: str
    label: str
    family: Family
    signed: bool = False
    uses_objective: bool = True
    objective: Objective | None = None
    unit: str
    pool: Literal["sum", "mean", "max"] = "sum"
    cost: str
    work: Work | None = None
    says: str = ""
    reads: str
    caveats: tuple[str, ...] = ()
    reference: str = ""


# Sentences that two cards share.
_SPEAKS = "Purple: this {word} speaks for {target}; orange: against it."
_NO_TARGET = "It does not know which word is asked about: only from where the model looked."
_NOT_USED = "Looking is not using: high weight proves no influence (Jain & Wallace 2019)."
_RULES = "The rules are choices; other rules give other maps."
_FEW_STEPS = "With too few steps the sum misses the change; the diagnostics say by how much."


OURS: dict[str, Card] = {
    card.id: card
    for card in (
        Card(
            id="saliency",
            label="Gradient",
            family="gradient",
            unit="gradient norm",
            cost="one backward pass per target",
            work=Work(per_target=3),
            says="Darker: changing this {word} would change {target} more.",
            reads="How much the objective moves when this token's embedding moves a little, in whichever direction "
            "moves it most.",
            caveats=(
                "It has no sign: a token that speaks against the word scores as high as one that speaks for it.",
                "Nearly 0 everywhere when the model is almost certain; compare shares, or explain the logit instead.",
                "A small step is not a removed word: occlusion answers that.",
            ),
            reference="Simonyan et al. 2014, arXiv:1312.6034",
        ),
        Card(
            id="attention",
            label="Attention",
            family="attention",
            uses_objective=False,
            unit="attention",
            cost="one forward pass for all targets",
            work=Work(once=6),
            says="Darker: the model looked at this {word} more when it came to {target}.",
            reads="How much the position that predicts the word looks at this token, averaged over all heads and "
            "layers unless one is chosen.",
            caveats=(
                _NO_TARGET,
                "The first token is often a resting place for attention that is not needed.",
                _NOT_USED,
            ),
            reference="Bahdanau et al. 2015, arXiv:1409.0473; Jain & Wallace 2019, arXiv:1902.10186",
        ),
        Card(
            id="occlusion",
            label="Occlusion",
            family="perturbation",
            signed=True,
            unit="drop",
            cost="one forward pass per input token, for all targets",
            work=Work(per_input=1),
            says="Purple: without this {word} {target} would fall; orange: it would rise.",
            reads="How far the objective falls when this token is taken away: replaced by an unknown one, or as "
            "operator= says. Purple: the word needs it; orange: the word would be likelier without it.",
            caveats=(
                "A text with a hole is none the model was trained on.",
                "Where two tokens say the same, taking either away changes nothing.",
                "It depends on how tokens are taken away: replaced, hidden, deleted or drawn anew.",
            ),
            reference="Zeiler & Fergus 2014, arXiv:1311.2901; Li et al. 2016, arXiv:1612.08220",
        ),
        Card(
            id="input_x_gradient",
            label="Input × gradient",
            family="gradient",
            signed=True,
            unit="contribution",
            cost="one backward pass per target",
            work=Work(per_target=3),
            says=_SPEAKS,
            reads="What this token's embedding would have contributed if the model were linear: its gradient times "
            "itself. Purple speaks for the word, orange against it.",
            caveats=(
                "The model is not linear: where the gradient is flat, a token that mattered can score nothing.",
                "The zero embedding it compares with is no token of any language.",
            ),
            reference="Shrikumar et al. 2016, arXiv:1605.01713",
        ),
        Card(
            id="integrated_gradients",
            label="Integrated gradients",
            family="gradient",
            signed=True,
            unit="contribution",
            cost="one backward pass per target and step (50 steps)",
            work=Work(per_target=150),
            says="Purple: as this {word} fades in, {target} rises; orange: it falls.",
            reads="The gradient added up while the text fades in from a baseline of unknown tokens. The scores sum to "
            "the change of the objective between the two.",
            caveats=(
                "It depends on the baseline: against another one the map is another.",
                "The texts on the way, half faded, are none the model was trained on.",
                _FEW_STEPS,
            ),
            reference="Sundararajan et al. 2017, arXiv:1703.01365",
        ),
        Card(
            id="shapley",
            label="Shapley",
            family="perturbation",
            signed=True,
            objective="log_probability",
            unit="contribution",
            cost="8 changed texts per input token for all targets, and on until the errors are small; 2ⁿ up to n = 10",
            work=Work(per_input=8),
            says="Purple: with this {word}, whatever else is there, {target} rises; orange: it falls.",
            reads="How much the objective rises when this token joins others, averaged over every order in which the "
            "text can be put together. The scores add up to what the text without them lacks; ± is a standard error.",
            caveats=(
                "Most of the texts that it averages over are full of holes: none the model was trained on.",
                "It depends on how a token is taken away: hidden where the model can, else deleted.",
                "What was written, the first token and the template always stay: they score 0.",
                "By words, sentences or segments each token has an equal part of its unit's score and error.",
                "Banzhaf values (estimand) are mean effects too, but add up to nothing: never sum them.",
            ),
            reference="Shapley 1953; Lundberg & Lee 2017, arXiv:1705.07874; Musco & Witter 2024, arXiv:2410.01917",
        ),
        Card(
            id="attnlrp",
            label="AttnLRP",
            family="relevance",
            signed=True,
            unit="relevance",
            cost="one backward pass per target",
            work=Work(per_target=4),
            says="Purple: this {word} helped to make {target}; orange: it worked against it.",
            reads="The objective is handed back, layer by layer, to what made it, by rules for each kind of layer.",
            caveats=(
                "The sum is not the objective: the softmax rule keeps a part of it, by design.",
                _RULES,
                "Layer-wise relevance propagation is covered by patents, as its authors say of their own code (LXT).",
            ),
            reference="Achtibat et al. 2024, arXiv:2402.05602",
        ),
        Card(
            id="gim",
            label="GIM",
            family="relevance",
            signed=True,
            objective="logit",
            unit="contribution",
            cost="one backward pass per target",
            work=Work(per_target=4),
            says=_SPEAKS,
            reads="The gradient times what makes this token differ from a space; its backward pass does not let "
            "attention hide a token where another says the same. It explains the logit, unless another objective is "
            "asked for.",
            caveats=(
                _RULES,
                "The scores do not sum to anything, and a space itself scores 0.",
                "A logit means nothing alone: all logits may rise together, so that no probability changes.",
            ),
            reference="Edin et al. 2025, arXiv:2505.17630",
        ),
        Card(
            id="attention_rollout",
            label="Attention rollout",
            family="attention",
            uses_objective=False,
            unit="attention flow",
            cost="one forward pass for all targets",
            work=Work(once=8),
            says="Darker: more of this {word} arrived, by looking alone, where the model came to {target}.",
            reads="How much of this token arrives where the word is predicted, if in every layer half of what a "
            "position has stays there, and half is handed over as attention says.",
            caveats=(
                _NO_TARGET,
                "What a layer computes besides is left out, and so is how large a value it passes on.",
                "The deeper the model, the more of it ends at the first token, and the more alike the maps are.",
            ),
            reference="Abnar & Zuidema 2020, arXiv:2005.00928",
        ),
        Card(
            id="value_zeroing",
            label="Value zeroing",
            family="attention",
            uses_objective=False,
            unit="change",
            cost="a column adds one text to a batched forward pass",
            work=Work(per_target=4),
            says="Darker: if this {word} gave nothing, more would change where the model came to {target}.",
            reads="How far a layer's result, where the word is predicted, turns when this token gives it nothing; "
            "averaged over all layers unless one is chosen.",
            caveats=(
                "It does not know which word is asked about: only what moves where the model predicts it.",
                "Each layer is changed by itself: what a token did in earlier layers stays.",
                "A result that turns need not change the word.",
            ),
            reference="Mohebbi et al. 2023, arXiv:2301.12971",
        ),
        Card(
            id="random",
            label="Random",
            family="baseline",
            uses_objective=False,
            unit="noise",
            pool="mean",
            cost="one forward pass, for the probabilities alone",
            work=Work(once=8),
            says="Darker means nothing here: these numbers are drawn by lot.",
            reads="Seeded noise. It explains nothing: it is the floor that every other map has to beat.",
            caveats=("If another map looks no better than this one, believe neither.",),
        ),
    )
}

# No engine fills this map: its scores come from an explanation. It is shown and compared like the others.
LLM = Card(
    id="llm",
    label="LLM says",
    family="explanation",
    signed=True,
    uses_objective=False,
    unit="importance said",
    pool="mean",
    cost="one answer of a language model",
    says="Purple: a language model says that this {word} speaks for positive; orange: for negative.",
    reads="How much each word speaks for positive (purple) or negative (orange), as a language model says when asked.",
    caveats=(
        "It is text like any other: nothing makes the numbers follow what was computed.",
        "It speaks of the whole answer: each column is the same.",
        "What has no colour was not scored.",
    ),
    reference="Huang et al. 2023, arXiv:2310.11207; Parcalabescu & Frank 2024, arXiv:2311.07466",
)


# ── methods of inseq ─────────────────────────────────────────────────────────────────────────────────────────────────

_SAME = "Ours of the same name is the same and faster; this one is here to compare with."


def _inseq(name: str, **about: Any) -> Card:
    """Return the card of an inseq method: ours of that name (else that of input × gradient) with the given fields."""
    ours = OURS.get(name, OURS["input_x_gradient"])
    label = about.pop("label", ours.label)
    return replace(ours, id=f"inseq:{name}", label=f"{label} (inseq)", **{"work": None, **about})


OF_INSEQ: dict[str, Card] = {
    card.id: card
    for card in (
        _inseq(
            "saliency",
            cost="two forward passes and one backward pass per target",
            reads="How much the objective moves when this token's embedding moves a little: the L2 norm over the "
            "hidden axis, as inseq shows it.",
            caveats=(_SAME, "It has no sign, and is nearly 0 when the model is almost certain."),
        ),
        _inseq(
            "input_x_gradient",
            cost="two forward passes and one backward pass per target",
            reads="What this token's embedding would have contributed if the model were linear; summed over the hidden "
            'axis, or as inseq shows it with reduction="l2".',
            caveats=(_SAME, "The model is not linear."),
        ),
        _inseq(
            "integrated_gradients",
            cost="50 backward passes per target (n_steps)",
            reads="The gradient added up while the text fades in from unknown tokens; the scores sum to the change of "
            "the objective between the two.",
            caveats=(
                _SAME,
                "End-of-text tokens, and what a decoder begins with, are their own baseline here: they score 0.",
                _FEW_STEPS,
            ),
        ),
        _inseq(
            "sequential_integrated_gradients",
            label="Sequential integrated gradients",
            cost="50 backward passes per target and token (n_steps)",
            reads="For each token a path of its own: it fades in from the unknown token while all others stay. With "
            "enough steps its score is the drop of the objective when it alone becomes unknown.",
            caveats=(
                "Occlusion by the unknown token has the same sums, in one forward pass a token.",
                "The scores of all tokens together do not sum to anything.",
            ),
            reference="Enguehard 2023, arXiv:2305.15853",
        ),
        _inseq(
            "gradient_shap",
            label="GradientSHAP",
            cost="5 backward passes per target (n_samples)",
            reads="The gradient at a few random points between unknown tokens and the text, times the way between: "
            "integrated gradients by drawing lots.",
            caveats=(
                "Another seed gives another map; with many samples all of them come to integrated gradients.",
                "The sum misses the change of the objective by chance; the diagnostics say by how much.",
                "While a column is computed, numpy's and torch's global random numbers are those of its seed.",
            ),
            reference="Lundberg & Lee 2017, arXiv:1705.07874; Erion et al. 2021, arXiv:1906.10670",
        ),
        _inseq(
            "deeplift",
            label="DeepLIFT",
            cost="one backward pass of two texts per target",
            reads="The gradient times the way from unknown tokens, with DeepLIFT's rule for differences where the "
            "model has a ReLU, ELU, tanh, sigmoid or softplus module.",
            caveats=(
                "It has no rule for SiLU, GELU, attention or layer norm.",
                "GPT-2, Llama and their like have nothing else: there it is gradient × (input - baseline), no more.",
                "So its sum misses the change of the objective, by what the diagnostics say; attnlrp has those rules.",
            ),
            reference="Shrikumar et al. 2017, arXiv:1704.02685",
        ),
        _inseq(
            "layer_gradient_x_activation",
            label="Layer gradient × activation",
            cost="two forward passes and one backward pass per target",
            reads="What a layer's output at this token's place would have contributed if all after it were linear; the "
            "embedding's unless target_layer names another.",
            caveats=(
                "In higher layers a place holds more than its own token: it is no longer the token that is judged.",
                "At the embedding it is input × gradient.",
            ),
            reference="Kokhlikyan et al. 2020, arXiv:2009.07896",
        ),
        _inseq(
            "occlusion",
            signed=False,
            unit="change",
            cost="one forward pass per target and token",
            says="Darker: without this {word} {target} would move more, up or down.",
            reads="How far the objective moves, up or down, when this token becomes the unknown token.",
            caveats=(
                _SAME,
                "inseq drops the sign: a token that speaks against the word scores as high as one that speaks for it.",
            ),
            reference="Zeiler & Fergus 2014, arXiv:1311.2901",
        ),
        _inseq(
            "attention",
            cost="one forward pass per target",
            reads="How much the position that predicts the word looks at this token, averaged over heads and layers.",
            caveats=(
                _SAME,
                "Of a translation model, source and text each sum to 1: by two kinds of attention.",
                _NOT_USED,
            ),
        ),
    )
}

# ── by name ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_KNOWN = {**OURS, LLM.id: LLM, **OF_INSEQ}


def card_of(method: str, *, signed: bool, unit: str) -> Card:
    """Return the card of a map's method. Scores from elsewhere get one that says only what the map says."""
    return _KNOWN.get(method) or Card(
        id=method,
        label=method,
        family="baseline",
        signed=signed,
        uses_objective=False,
        unit=unit,
        pool="sum" if signed else "mean",
        cost=READY,
        reads="Scores that were not computed here.",
    )
