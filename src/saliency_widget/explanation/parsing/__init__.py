"""What a language model wrote when it was asked for (word, importance) pairs and a class: made into both.

Models write lists of tuples, JSON, dictionaries, parallel lists, tables, XML, bullet points, annotated text; with any
quotes, with none, with the brackets of other scripts, in any language; they stop in the middle, repeat the prompt's
example, think aloud before they answer, correct themselves, sum up. Each way of writing has a reader in the table of
`readers`. Every reader goes over the whole answer, and `choosing` decides which of the lists they find is the answer's.
What is left of the answer says the class.

The rules:

list      Of several, the one that speaks of the text, where that is given; of those that speak of nearly as much of
          it, the last. Without the text, the longest, or the last of those nearly as long. Parts are put together.
          No list: one whose words are all places, or all names of classes ("Positive: 1" again and again), a lone
          unquoted pair in prose.
number    As written, never clipped. A percentage and a fraction are worth what they say; "0,8" is 0.8. NaN and infinity
          are none, and a number that the answer's end may have cut is none.
word      As written between its quotes, backslashes resolved.
class     What is explicitly stated (a line of its own, "Class: -1"), and of several that differ the last; else what
          prose decides on. Labels of one's own are known by their names and numbers.
thinking  Whatever its marks, it is no part of the answer, but where nothing follows it is all there is.

Nothing raises, and everything takes time linear in the answer: each repetition in the patterns is possessive, bounded,
or ends at the character that begins the next attempt.

From the answer to its reading, each module importing only from those before it:

literals  What numbers, words and brackets look like.
entries   What every reader gives, and the keys that models name it by.
markup, objects, tuples, tables, lines, running: a reader, or several, for each way of writing. readers: their table.
labels    The classes, and how they are written. classes: where one is stated. prose: what free prose decides on.
lists     What of what readers find is a list. choosing: which list counts.
thinking  Where the thinking ends.
answer    The whole.
"""

from __future__ import annotations

from .answer import MOST_PROBLEMS, Parsed, decided_class, parse_scores
from .labels import Label

__all__ = ["MOST_PROBLEMS", "Label", "Parsed", "decided_class", "parse_scores"]
