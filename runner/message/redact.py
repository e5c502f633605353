"""A text without what its row put into it, for people who mustn't know the person. Pure."""

from difflib import SequenceMatcher

# Always the same length, because the length of a name says something too.
REDACTED = "•••"

# Fewer characters in common are chance, the letters of a name being in the template somewhere; but for a short word,
# such as "Hi ", with which both begin.
_SHORTEST = 4

# Ten segments are 1,530 characters; comparing takes time by the square, and a repeated syllable by more.
_LONGEST = 2_000


def redact(text: str, own_text: str) -> str:
    """`text` with REDACTED for everything that isn't in the template's `own_text`, in its order.

    White space between two of the template's words stays; what smart encoding replaced is redacted too.
    """
    if len(own_text) > _LONGEST or len(text) > _LONGEST:
        return REDACTED
    matcher = SequenceMatcher(None, own_text, text, autojunk=False)
    shown: list[str] = []
    end = 0
    for block in matcher.get_matching_blocks():
        if block.size < (2 if block.a == block.b == 0 else _SHORTEST):
            continue
        if block.b > end:
            shown.append(REDACTED)
        end = block.b + block.size
        shown.append(text[block.b : end])
    if end < len(text):
        shown.append(REDACTED)
    return "".join(shown)
