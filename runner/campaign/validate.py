"""From the spelled-out tree to the model, in our words instead of pydantic's.

Pydantic checks a rule over two keys only when both are right. So a wrong part is repaired, with what was meant or with
a harmless stand-in, and everything is validated again: all problems of a file are reported at once, and the caller can
go on to the template and the recipients.
"""

from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from runner.base.errors import Problem
from runner.campaign.model import Campaign
from runner.campaign.normalize import SourceMap, section_of
from runner.campaign.recipients_section import FORM_TAGS
from runner.campaign.validation_errors import Mistake, mistake
from runner.campaign.yaml_document import KeyPath

# A repaired value may be wrong again, and so may the rules between keys that pydantic checks after it.
_ROUNDS: Final = 8

_STAND_INS: Final[dict[KeyPath, Any]] = {
    ("name",): "unnamed",
    ("rate",): "1/s",
    ("account",): {"subAccountId": "unknown"},
    ("account", "subAccountId"): "unknown",
    ("recipients", "country", "column"): "unknown",
    ("recipients", "suppress", "file"): "unknown",
    ("recipients", "cooldown", "messages"): 1,
    ("recipients", "cooldown", "per"): "1d",
    ("window", "from"): "00:00",
    ("window", "to"): "24:00",
}
# Without these there is nothing to go on with: the caller gets no campaign.
_NEEDED: Final[dict[KeyPath, Any]] = {
    ("recipients",): {"file": "unknown"},
    ("recipients", "file"): "unknown",
    ("message",): {"text": "unknown"},
    ("message", "template"): "unknown",
    ("message", "text"): "unknown",
}


def validate(
    tree: dict[str, Any], source_map: SourceMap, folder: Path, broken: set[KeyPath]
) -> tuple[Campaign | None, dict[KeyPath, Problem]]:
    """The campaign, if its recipients and message can be understood, and each wrong path with its problem.

    `tree` is changed. `broken` are paths in the file that have been reported before; they are not reported again.
    """
    problems: dict[KeyPath, Problem] = {}
    is_understood = True
    for _ in range(_ROUNDS):
        try:
            campaign = Campaign.model_validate(tree, context=folder)
        except ValidationError as refusal:
            errors = [
                (error, tuple(part for part in error["loc"] if part not in FORM_TAGS))
                for error in refusal.errors(include_url=False)
            ]
            mistakes = [mistake(error, path, source_map.location(path)) for error, path in errors]
        else:
            return campaign if is_understood else None, problems
        for wrong in mistakes:
            if source_map.path(wrong.path) not in broken:
                problems[wrong.path] = wrong.problem(source_map)
        # What was meant comes first: it may be wrong again, and then its place must still be known, but removing items
        # of a list moves the others. From the back for the same reason.
        clear = [wrong for wrong in mistakes if wrong.meant is not None]
        for wrong in clear or sorted(mistakes, key=lambda wrong: wrong.path, reverse=True):
            is_understood &= _repair(tree, wrong)
    return None, problems


def _repair(tree: dict[str, Any], wrong: Mistake) -> bool:
    """Repair the part for the next round. False when the campaign cannot be understood without it."""
    if wrong.meant is not None:
        _put(tree, wrong.path, wrong.meant)
    elif wrong.is_surplus:
        _drop(tree, wrong.path)
    elif section_of(wrong.path) in _STAND_INS:
        _put(tree, wrong.path, _STAND_INS[section_of(wrong.path)])
    elif wrong.path in _NEEDED:
        _put(tree, wrong.path, _NEEDED[wrong.path])
        return False
    else:
        _drop(tree, wrong.path)
    return True


def _put(tree: Any, path: KeyPath, value: object) -> None:  # noqa: ANN401 - a tree of any data
    *parents, last = path
    for part in parents:
        tree = tree.setdefault(part, {}) if isinstance(part, str) else tree[part]
    tree[last] = value.copy() if isinstance(value, dict) else value


def _drop(tree: Any, path: KeyPath) -> None:  # noqa: ANN401
    *parents, last = path
    part = tree
    for name in parents:
        part = part[name]
    del part[last]
    if part == []:  # the empty list would be reported too
        _drop(tree, tuple(parents))
