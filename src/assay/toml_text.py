"""Options as TOML text: read, written each with its meaning, and faults in TOML's words."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any, get_args

import numpy as np
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from assay.errors import UserError

MAX_LETTERS = 16_000_000
"""Longest TOML text that is read: costs of 1,000 classes have a million numbers."""

MAX_NESTING = 64
"""Lists and sections that may stand inside each other."""

# Possessive, so that a text of megabytes is gone through once.
_QUOTED_OR_COMMENT = re.compile(
    r"\"\"\".*?\"\"\"|'''.*?'''|\"(?:[^\"\\\n]|\\.)*+\"|'[^'\n]*+'|#[^\n]*+", re.DOTALL
)
_BETWEEN_DOTS = re.compile(r"[^.\n=\[\]{},]+")
_BRACKET = re.compile(r"[\[\]{}]")

_LEAF = "the value of a key"

# What pydantic says about a type, in the words of a TOML file.
_WORDS = {
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "bool_type": "should be true or false",
    "string_type": "should be text",
    "string_too_short": "should be one character",
    "string_too_long": "should be one character",
    "tuple_type": "should be a list",
    "dict_type": "should be a section of options",
    "model_type": "should be a section of options",
    "invalid_key": "should have a name that is text",
}


def read_toml(text: str, *, where: str) -> dict[str, Any]:
    """Read TOML text as plain data.

    Raises:
        UserError: It is not TOML (line and column are told), longer than `MAX_LETTERS`
            or nested deeper than `MAX_NESTING`.
    """
    if len(text) > MAX_LETTERS:
        what = f"the TOML has {len(text):,} letters, more than {MAX_LETTERS:,}"
        raise UserError(what, where=where, fix="Leave out what is not needed")
    if _is_too_deep(text):
        what = f"lists and sections stand inside each other more than {MAX_NESTING} deep"
        raise UserError(what, where=where, fix="Write it flat")
    try:
        return tomllib.loads(text)
    except ValueError as error:  # a number of thousands of digits raises no TOMLDecodeError
        raise UserError(f"not valid TOML: {error}", where=where) from None


def read_value(text: str) -> Any:
    """Read text as one TOML value, or return it as it is where it is none.

    Example:
        >>> read_value("[8, 4]"), read_value("robust")
        ([8, 4], 'robust')
    """
    if _is_too_deep(text):
        return text
    try:
        data = tomllib.loads(f"value = {text}")
    except ValueError:  # a number of thousands of digits raises no TOMLDecodeError
        return text
    return data["value"] if len(data) == 1 else text


def _is_too_deep(text: str) -> bool:
    """Whether brackets or dotted names go deeper than the parser, which recurses, may."""
    bare = _QUOTED_OR_COMMENT.sub("", text)
    if "." * MAX_NESTING in _BETWEEN_DOTS.sub("", bare):
        return True
    depth = 0
    for mark in _BRACKET.findall(bare):
        depth = max(depth + (1 if mark in "[{" else -1), 0)
        if depth > MAX_NESTING:
            return True
    return False


def split_key(dotted: str) -> list[str]:
    """Split a dotted key at its dots, but not at those inside quotes.

    What is no key of TOML, such as one with a space, is split at every dot.

    Example:
        >>> split_key('kinds."sepal.length"'), split_key("kinds.my col")
        (['kinds', 'sepal.length'], ['kinds', 'my col'])
    """
    path: list[str] = []
    try:
        level: Any = tomllib.loads(f"{dotted} = {json.dumps(_LEAF)}")
    except tomllib.TOMLDecodeError:
        return dotted.split(".")
    while isinstance(level, dict) and len(level) == 1:
        ((name, level),) = level.items()
        path.append(name)
    return path if level == _LEAF else dotted.split(".")


def join_key(path: list[str]) -> str:
    """Write a dotted key, with quotes around names that need them.

    Example:
        >>> join_key(["encode", "columns", "my col", "bins"])
        'encode.columns."my col".bins'
    """
    return ".".join(_toml_key(name) for name in path)


def plain_value(data: Any) -> Any:
    """Turn NumPy's values into Python's and lists into tuples, at any depth.

    Example:
        >>> plain_value({"hidden": [np.int64(8)], "seed": np.int32(1)})
        {'hidden': (8,), 'seed': 1}
    """
    if isinstance(data, np.generic | np.ndarray):
        data = data.tolist()
    if isinstance(data, Mapping):
        return {key: plain_value(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return tuple(plain_value(value) for value in data)
    return data


def describe_fault(name: str, details: Sequence[ErrorDetails]) -> str:
    """Say in one line what is wrong with an option.

    Args:
        name: The option or section, as a dotted key.
        details: What pydantic says about it, at least one; several where the
            option may be of several types.
    """
    texts = list(dict.fromkeys(_fault(detail) for detail in details))
    said = ", or ".join([texts[0], *(text.removeprefix("should be ") for text in texts[1:])])
    first = details[0]
    if first["type"] == "value_error":  # two options exclude each other
        return f"{name}: {said}" if name else said
    place = first["loc"][-1] if first["loc"] else ""
    index = f"[{place}]" if isinstance(place, int) and name else ""
    return f"{name}{index} = {_shown(first['input'])} {said}".removeprefix(" = ")


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
        if not _holds_sections(field):
            lines.append(_option_line(key, value, field.description))
            continue
        for column, choices in value.items():
            lines += ["", f"[{name}.{key}.{_toml_key(column)}]"]
            chosen = choices.model_dump(exclude_none=True)
            lines += [f"{option} = {_toml_text(item)}" for option, item in chosen.items()]
    return lines


def _holds_sections(field: FieldInfo) -> bool:
    """Whether an option maps names to options, such as those of single columns."""
    kinds = get_args(field.annotation)
    return bool(kinds) and isinstance(kinds[-1], type) and issubclass(kinds[-1], BaseModel)


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
    if isinstance(value, Mapping):
        pairs = [f"{_toml_key(key)} = {_toml_text(item)}" for key, item in value.items()]
        return "{" + ", ".join(pairs) + "}"
    # A TOML string is a JSON string, but for one control character.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _fault(detail: ErrorDetails) -> str:
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return _WORDS.get(detail["type"], message)


def _shown(value: Any) -> str:
    if isinstance(value, date | time):
        return str(value)
    text = " ".join(repr(list(value) if isinstance(value, tuple) else value).split())
    return text if len(text) <= 80 else f"{text[:80]}…"
