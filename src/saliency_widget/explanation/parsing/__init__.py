"""What a language model wrote when it was asked for (word, importance) pairs and a class: made into both.

Models write lists of tuples, JSON, dictionaries, Markdown tables, bullet points; with any quotes, with none, with the
brackets of other scripts; they stop in the middle, repeat the prompt's example, think aloud before they answer. Here
each way of writing has a reader, every reader goes over the whole text, and the longest list that any of them finds
is the answer's. What is left of the text says the class.

The rules:

list      The one with the most pairs; of several as long, the last. No list: one whose words are all numbers, or all
          names of classes ("Positive: 1" again and again), a lone unquoted pair in prose.
number    As written, never clipped. A percentage is a fraction. NaN and infinity are none, and a number that the text's
          end may have cut is none.
word      As written between its quotes, backslashes resolved.
class     What is explicitly stated (a line of its own, "Class: -1"), and of several that differ the last; else what
          prose decides on.
thinking  <think>…</think> is no part of the answer, but where nothing follows it is all there is.

Nothing raises, and everything takes time linear in the text: each repetition in the patterns is possessive, bounded,
or ends at the character that begins the next attempt.

From the text to the answer, each module importing only from those before it:

literals  What numbers, words and brackets look like.
entries   What every reader gives, and the keys that models name it by.
objects, tuples, tables, lines: the readers, one for each way of writing.
classes   Where a class is stated. prose: what free prose decides on.
lists     Which readers there are, and what of what they find is a list.
answer    The whole.
"""

from __future__ import annotations

from .answer import MOST_PROBLEMS, Parsed, decided_class, parse_scores

__all__ = ["MOST_PROBLEMS", "Parsed", "decided_class", "parse_scores"]
