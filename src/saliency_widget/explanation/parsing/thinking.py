"""The split of a model's output into its thinking, in any of the usual tags, and its answer."""

from __future__ import annotations

import re

_SURE = r"(?:\w{1,12}[:_-])?(?:think|thinking|thought|thoughts|reasoning|reasoning_content)"
_UNSURE_NAMES = ("analysis", "scratchpad", "reflection", "inner_monologue", "monologue", "draft", "details")
_UNSURE = "|".join(_UNSURE_NAMES)
# An opening tag must begin a line and a closing one must not be quoted: both can be words of a review. A tokenizer's
# own marks can be anywhere.
_MARK = re.compile(
    rf"""(?P<open>(?:^|\n)[^\S\n]{{0,8}}(?:<{_SURE}>|\[THINK\])
        | ◁think▷ | <\|(?:begin_of_thought|START_THINKING)\|> | <\|channel>thought\n? | <unused94>thought\n?
        | \AThinking\.\.\.\n)
    | (?P<close>(?:</{_SURE}>|\[/THINK\])(?!["'”’])
        | ◁/think▷ | <\|(?:end_of_thought|END_THINKING)\|> | <channel\|> | <unused95> | \n\.\.\.done[ ]thinking\.)
    | (?:^|\n)[^\S\n]{{0,8}}<(?P<begin>{_UNSURE})>
        (?:\s{{0,8}}<summary>(?P<summary>[^<\n]{{0,80}})</summary>)?
    | </(?P<end>{_UNSURE})>(?!["'”’])
    | <\|channel\|>(?P<channel>\w{{1,20}})
    | (?P<frame><\|(?:message|end|return|call)\|> | <\|start\|>\w{{0,20}} | <\|constrain\|>\w{{0,20}}
        | <\|(?:begin|end)_of_solution\|> | <\|(?:START|END)_RESPONSE\|>)""",
    re.IGNORECASE | re.VERBOSE,
)
_OF_THINKING = re.compile(r"think|thought|reason|analy|draft|思考|推理|思路", re.IGNORECASE)
# The rest of gpt-oss's marks after a server has removed special tokens: "analysisWe need …assistantfinal[(…".
_BARE_CHANNELS = re.compile(r"\A\s{0,8}analysis(?=\S)")
_BARE_FINAL = "assistantfinal"


def without_thinking(text: str) -> tuple[str, str]:
    """Return the answer, and the thinking before it.

    A closing mark without an opening one ends thinking that the prompt began. A tag such as <analysis> must be closed.
    """
    final = text.rfind(_BARE_FINAL)
    if final >= 0 and _BARE_CHANNELS.match(text):
        return text[final + len(_BARE_FINAL) :], text[:final]
    answer: list[str] = []
    thoughts: list[str] = []
    last_end = {name: text.rfind(f"</{name}>") for name in _UNSURE_NAMES}
    at, inside = 0, ""
    for mark in _MARK.finditer(text):
        begins, ends = (mark["begin"] or "").lower(), (mark["end"] or "").lower()
        if begins and (inside or last_end[begins] < mark.end() or not _is_thinking(mark)):
            continue
        if ends and inside != ends:
            continue
        part, at = text[at : mark.start()], mark.end()
        if mark["close"] and not inside:  # everything before it is thinking
            thoughts += [*answer, part]
            answer = []
        else:
            (thoughts if inside else answer).append(part)
        if not mark["frame"]:
            inside = _inside_after(mark)
    (thoughts if inside else answer).append(text[at:])
    return "\n".join(answer), "\n".join(thoughts)


def _is_thinking(mark: re.Match[str]) -> bool:
    """Return whether a tag holds thinking: a <details> may also hold the answer."""
    return mark["begin"].lower() != "details" or bool(_OF_THINKING.search(mark["summary"] or ""))


def _inside_after(mark: re.Match[str]) -> str:
    """Return the kind of thinking that a mark begins; "" if the answer continues after it."""
    if mark["channel"]:
        return "" if mark["channel"].lower() == "final" else "channel"
    return mark["begin"].lower() if mark["begin"] else "thinking" if mark["open"] else ""
