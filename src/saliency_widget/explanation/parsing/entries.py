"""The pairs that every reader yields, with their place in the answer, and the names that models give to their parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

from .literals import words

# What models call the word, its number and the class: in objects, at the head of tables, in attributes.
WORD_KEYS = words("""
    word words token tokens tok toks text term feature element item w t unit segment symbol phrase piece subword
    punctuation character char name key string surface mot mots palabra palabras término termino wort wörter parola
    parole palavra palavras słowo slovo woord ord kelime kata từ слово слова токен 词 詞 词语 詞語 单词 單詞 字 字词
    字詞 词汇 詞彙 文字 单字 單字 词或标点 单词或标点 単語 言葉 語 トークン 形態素 단어 토큰 어절 كلمة الكلمة शब्द
""")
VALUE_KEYS = words("""
    importance importances score scores value values weight weights attribution attributions s v val vals imp saliency
    salience contribution relevance influence impact strength rating wert werte wichtigkeit gewicht gewichtung
    bedeutung relevanz importancia puntuación puntuacion puntaje peso pesos valor valores relevancia poids valeur note
    importanza punteggio valore importância pontuação pontuacao ważność waga önem puan belang vikt skor важность
    оценка вес значимость значение 重要性 重要度 重要程度 分数 分數 得分 评分 評分 权重 權重 值 数值 數值 スコア 数値
    点数 重み 중요도 점수 값 가중치 أهمية الأهمية درجة महत्व bobot важливість σημασία
""")
CLASS_KEYS = words("""
    class classification label labels sentiment polarity prediction predicted verdict category result answer decision
    conclusion outcome clase clasificación clasificacion sentimiento polaridad etiqueta veredicto resultado klasse
    klassifikation klassifizierung stimmung ergebnis bewertung gesamtbewertung urteil gesamturteil cls classe
    classement étiquette catégorie categoría categoria kategorie категория вердикт вывод résultat classificazione
    sentimento risultato classificação classificacao класс классификация тональность итог 分类 分類 类别 類別 情感
    情绪 情緒 结果 結果 结论 結論 判定 判断 判斷 感情 极性 極性 분류 감정 감성 결과 레이블 تصنيف التصنيف वर्गीकरण
    classificatie klassificering klassifisering klasyfikacja klasifikace klasifikasi clasificare
    sınıf sınıflandırma luokitus osztályozás класифікація висновок סיווג ταξινόμηση 标签 標籤
""") | {"phân loại"}
_OTHER_KEYS = words("""
    confidence probability prob certainty index idx id position pos rank start end count total sum reason explanation
    rationale comment summary statistics stats counts totals metrics distribution probabilities meta metadata legend
    scale range
""")

KeyKind: TypeAlias = Literal["word", "value", "class"]

_KEY_PART = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_IN_BRACKETS = re.compile(r"[(（\[][^()（）\[\]]{0,80}[)）\]]")


class Entry(NamedTuple):
    """A pair at [start, end) of the answer. `value` is None if its number cannot be read.

    `name`: whether it is written "name: value", so that it may also be the class.
    """

    word: str
    value: float | None
    start: int
    end: int
    quoted: bool
    note: str | None = None
    name: bool = False


def kind_of_key(key: str) -> KeyKind | None:
    """Return what a key or the head of a column names: "importance_score" a value, "Word (or mark)" a word.

    If it has several parts, the last known one decides: "word score" is a score.
    """
    if key in _KINDS or (key.isalpha() and key.islower()):
        return _KINDS.get(key)
    key = _CAMEL.sub(" ", _IN_BRACKETS.sub("", key[:100])).casefold().strip(" *_:：`\"'")
    if key in _KINDS:
        return _KINDS[key]
    known = (_KINDS[part] for part in reversed(_KEY_PART.findall(key)) if part in _KINDS and part not in _SHORT)
    return next(known, None)


_KINDS: dict[str, KeyKind | None] = {
    **dict.fromkeys(CLASS_KEYS, "class"),
    **dict.fromkeys(VALUE_KEYS, "value"),
    **dict.fromkeys(WORD_KEYS, "word"),
    **dict.fromkeys(_OTHER_KEYS),
}
_SHORT = frozenset("wtsv")  # whole names only, never parts of one


def is_other_key(key: str) -> bool:
    """Return whether a key names something other than a word, its number or the class: a confidence, a reason."""
    return any(part in _OTHER_KEYS for part in _KEY_PART.findall(_CAMEL.sub(" ", key[:100]).casefold()))


_FIELDS = re.compile(
    r"[\s\-*•]*+(?P<first>[^\W\d_]{1,20})\s?[:=]\s?[^,;=\n]{1,60}[,;]\s?(?P<second>[^\W\d_]{1,20})\s?[:=]"
)


def has_fields(line: str) -> bool:
    """Return whether a line names the parts of a pair: "word=film, score=0.5"."""
    found = _FIELDS.match(line)
    return found is not None and [kind_of_key(found["first"]), kind_of_key(found["second"])] == ["word", "value"]


def noted(word: str, value: float | None) -> str | None:
    """Return the note on a pair that has nothing but a number."""
    return None if word or value is None else "An entry has no word."


def shown(word: str) -> str:
    """Return a word as it is quoted in problems and notes."""
    return f'"{word}"' if len(word) <= 40 else f'"{word[:39]}…"'


def grouped(text: str, entries: Iterable[Entry], parted: Callable[[str], bool]) -> Iterator[list[Entry]]:
    """Yield the entries in lists; a new list begins where `parted` is true of the text between two entries."""
    group: list[Entry] = []
    for entry in entries:
        gap = text[group[-1].end : entry.start] if group else ""
        if not entry.quoted and entry.value is None and (not group or gap.strip(" ,，\n")):
            continue  # (with care, of course) is prose
        if group and parted(gap):
            yield group
            group = []
        group.append(entry)
    if group:
        yield group
