"""Options as TOML text, each with its meaning; the standard library only reads TOML."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel


def render_toml(options: BaseModel) -> str:
    """Return all options as TOML.

    Args:
        options: Plain options, mappings, and sections one level deep, whose fields
            have a description.

    Returns:
        Text that reads back as the same options. Sections come last, as TOML demands.
    """
    lines: list[str] = ["# An assay recipe: every option, its meaning, and its value.", ""]
    tables: list[str] = []
    for name, field in type(options).model_fields.items():
        value = getattr(options, name)
        if isinstance(value, BaseModel):
            tables += ["", f"[{name}]  # {_first_line(type(value))}", *_section_lines(name, value)]
        elif isinstance(value, Mapping):
            pairs = [f"{_toml_key(key)} = {_toml_text(item)}" for key, item in value.items()]
            tables += ["", f"[{name}]  # {field.description}", *pairs]
        else:
            lines.append(_option_line(name, value, field.description))
    return "\n".join([*lines, *tables]) + "\n"


def _section_lines(name: str, section: BaseModel) -> list[str]:
    lines: list[str] = []
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if not isinstance(value, dict):
            lines.append(_option_line(key, value, field.description))
            continue
        for column, choices in value.items():
            lines += ["", f"[{name}.{key}.{_toml_key(column)}]"]
            chosen = choices.model_dump(exclude_none=True)
            lines += [f"{option} = {_toml_text(item)}" for option, item in chosen.items()]
    return lines


def _option_line(name: str, value: Any, description: str | None) -> str:
    return f"{name} = {_toml_text(value)}  # {description}"


def _first_line(section: type[BaseModel]) -> str:
    return (section.__doc__ or "").splitlines()[0].rstrip(".").lower()


def _toml_key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").isalnum() else _toml_text(key)


def _toml_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_text(item) for item in value) + "]"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    escaped = escaped.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return f'"{escaped}"'
