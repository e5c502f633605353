"""The JSON Schema of the campaign file: editors use it for completion, tooltips and checks while typing."""

import json
from typing import Any, Final

from runner.campaign.model import Campaign
from runner.campaign.normalize import SHORTHANDS

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema_text() -> str:
    """The schema as the text of `campaigns/campaign.schema.json`."""
    return json.dumps(_schema(), indent=2, ensure_ascii=False) + "\n"


def _schema() -> dict[str, Any]:
    schema = _plain(Campaign.model_json_schema())
    sections = {name.removesuffix("Section"): section for name, section in schema.pop("$defs").items()}
    properties: dict[str, Any] = schema["properties"]
    for short, (section, key) in SHORTHANDS.items():
        long = sections[properties[section]["$ref"].rpartition("/")[2]]["properties"][key]
        properties[short] = {**long, "description": f"{long['description']} Short form of {section}: {{{key}: …}}."}
    recipients = properties["recipients"]
    file = sections["Recipients"]["properties"]["file"]
    short_form = {"type": "string", "minLength": 1, "description": file["description"]}
    recipients["anyOf"] = [short_form, {"$ref": recipients.pop("$ref")}]
    sections["Message"]["oneOf"] = _one_required("template", "text")
    schema["required"] = [key for key in schema["required"] if key not in ("account", "message")]
    schema["allOf"] = [{"oneOf": _one_required(short, section)} for short, (section, _) in SHORTHANDS.items()]
    return {"$schema": _DIALECT, "title": "An SMS campaign", **schema, "$defs": sections}


def _one_required(*keys: str) -> list[dict[str, list[str]]]:
    return [{"required": [key]} for key in keys]


def _plain(node: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Remove what pydantic and our class names add: titles, `Section`, and null for optional keys."""
    if isinstance(node, str) and node.startswith("#/$defs/"):
        return node.removesuffix("Section")
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _plain(value) for key, value in node.items() if not (key == "title" and isinstance(value, str))}
    if isinstance(plain.get("default", ""), list | dict | None):
        del plain["default"]
    choices = [choice for choice in plain.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        del plain["anyOf"]
        plain = {**choices[0], **plain}
    elif choices:
        plain["anyOf"] = choices
    return plain
