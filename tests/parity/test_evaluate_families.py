"""`evaluate` on every family: what it reads without words is what plain calls of transformers read."""

from __future__ import annotations

import numpy as np
import pytest

import saliency_widget as sw
from saliency_widget.attribution.masking import by_plain_passes, operators_of
from saliency_widget.attribution.pipeline import check_question, problem_of

from ..families import CLASSIFIERS, FAMILIES, columns_of, made, plain_logits

TEXT = "one two three four five"


def found(family: str) -> sw.Attribution:
    target = None if family in CLASSIFIERS else "."
    return sw.attribute(made(family), TEXT, target=target, method="random", progress=False)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_whole_text_and_the_text_without_words_are_those_of_plain_calls(family: str) -> None:
    """Under "delete": the log-probability of a plain call with the ids that are left, for the whole and each step."""
    a = found(family)
    v = sw.evaluate(made(family), a, operators="delete", targets=[0], progress=False)
    column = columns_of(family, TEXT, "." if family not in CLASSIFIERS else "")[0]

    def log_p(gone: list[int]) -> float:
        changed = column.changed(dict.fromkeys(gone))
        return float(plain_logits(family, changed).log_softmax(-1)[column.target])

    words = a.aggregate("word")
    at = {}
    for row in words.rows:
        at.setdefault(row.text.strip(), range(row.position, row.position + row.length))
    judged = v.judgements[0]
    order = [v.units[place] for place in judged.top]
    tolerance = 1e-4 if FAMILIES[family].dtype.itemsize < 8 else 1e-6
    assert v.floors[0].whole == pytest.approx(log_p([]), abs=tolerance)
    gone = [[row for word in order[:k] for row in at[word]] for k in v.steps]
    assert judged.without == pytest.approx([log_p(rows) for rows in gone], abs=tolerance)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_operator_that_a_family_allows_gives_the_values_of_plain_passes(family: str) -> None:
    """Masked, replaced and resampled texts too: each step is that of the model's own pass over one text."""
    a, model = found(family), made(family).shadow()
    document = model.document(*_encoded(model, family))
    question = check_question("random", None, {}, col=0)
    problem = problem_of(model, question.request(model, document), document, None)
    problem = type(problem)(**{**vars(problem), "objective": "log_probability"})
    names = operators_of(problem)
    v = sw.evaluate(made(family), a, operators=names, targets=[0], progress=False)
    words = a.aggregate("word")
    at = {}
    for row in words.rows:
        at.setdefault(row.text.strip(), range(row.position, row.position + row.length))
    for judged in v.judgements:
        order = [v.units[place] for place in judged.top]
        keep = np.ones((len(v.steps), problem.n_rows), dtype=bool)
        for line, k in zip(keep, v.steps, strict=True):
            line[[row for word in order[:k] for row in at[word]]] = False
        expected = by_plain_passes(problem, 0, None, keep, judged.operator)
        tolerance = 1e-4 if FAMILIES[family].dtype.itemsize < 8 else 1e-6
        assert judged.without == pytest.approx(expected, abs=tolerance), judged.operator


def _encoded(model, family: str):
    from saliency_widget.models.text.prompting import check_prompt

    encoded = model.encode(check_prompt(TEXT, target=None if family in CLASSIFIERS else "."))
    return encoded, encoded.target
