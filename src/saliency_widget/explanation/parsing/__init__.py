"""A parser for a language model's answer: it returns (word, importance) pairs and a class.

Models write lists of tuples, JSON, dictionaries, parallel lists, tables, XML, bullet points or annotated text; with any
quotes, with none, with the brackets of other scripts, in any language. They stop in the middle, repeat the prompt's
example, think before they answer, correct themselves, sum up. Each form has a reader in the table of `readers`. Every
reader reads the whole answer, and `choosing` chooses among the lists that they find. The class is read from the rest of
the answer.

The rules:

list      Of several lists, the one that names most words of the text counts; of nearly equal ones, the last. Without
          the text it is the longest, or the last of nearly equal length. Parts of a list are joined. No list: one whose
          words are all positions or all names of classes ("Positive: 1" repeated), or a single unquoted pair in prose.
number    Numbers are never clipped. Percentages and fractions are converted; "0,8" is 0.8. NaN, infinity and a number
          that the answer's end may have cut are no numbers.
word      A word is the text between its quotes, with escapes resolved.
class     An explicit statement counts (a line "Class: -1"), the last of several that differ; otherwise what the prose
          decides. A user's own labels are recognised by their names and numbers.
thinking  Thinking, in whatever tags, is no part of the answer; if nothing follows it, it is read as the answer.

Nothing raises, and the time is linear in the answer: each repetition in the patterns is possessive, bounded, or ends at
the character that begins the next attempt.

The modules, each of which imports only from those before it:

literals  The patterns of numbers, words and brackets.
entries   The type that every reader yields, and the keys that name its parts.
markup, objects, tuples, tables, lines, running: one or several readers for each form. readers: their table.
labels    The classes, and how they are written. classes: explicit statements of one. prose: the class in free prose.
lists     The rules for what is a list of words. choosing: the choice among lists.
thinking  The end of the thinking.
answer    The whole parser.
"""

from __future__ import annotations

from .answer import MOST_PROBLEMS, Parsed, decided_class, parse_scores
from .labels import Label

__all__ = ["MOST_PROBLEMS", "Label", "Parsed", "decided_class", "parse_scores"]
