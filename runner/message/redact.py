"""Remove personal data from a text, for readers who must not see it. Pure."""

from difflib import SequenceMatcher

# Always the same length, because even the length of a name is information.
REDACTED = "•••"

# Shorter matches are accidental: the letters of a name also occur in the template. Except for a short word at the start
# of both, such as "Hi ".
_SHORTEST = 4

# Ten segments are 1,530 characters; the comparison takes quadratic time, or more with repeated syllables.
_LONGEST = 2_000


def redact(text: str, own_text: str) -> str:
    """`text` with REDACTED in place of everything that isn't in the template's `own_text`, in the same order.

    White space between two words of the template stays. Characters replaced by smart encoding are redacted too.
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
