"""A text without what its row put into it, for showing it to people who mustn't know the person. Pure."""

from difflib import SequenceMatcher

BLOT = "•••"
"""Of one length, because a name's length tells something too."""

_SHORTEST = 4
"""Fewer characters in common are chance, the letters of a name being in the template somewhere; but for a short word,
such as "Hi ", with which both begin.
"""

_LONGEST = 2_000
"""Ten segments are 1,530 characters; comparing takes time by the square, and a repeated syllable by more."""


def blotted(text: str, own_text: str) -> str:
    """`text` with everything blotted out that isn't in the template's `own_text`, in its order.

    White space that parts two of the template's words stays; what smart encoding replaced is blotted out too.
    """
    if len(own_text) > _LONGEST or len(text) > _LONGEST:
        return BLOT
    matcher = SequenceMatcher(None, own_text, text, autojunk=False)
    shown: list[str] = []
    end = 0
    for block in matcher.get_matching_blocks():
        kept = text[block.b : block.b + block.size]
        if block.size < (2 if block.a == block.b == 0 else _SHORTEST):
            continue
        if block.b > end:
            shown.append(BLOT)
        shown.append(kept)
        end = block.b + block.size
    if end < len(text):
        shown.append(BLOT)
    return "".join(shown)
