"""TOML that is nested or long without measure is refused in one line."""

import pytest

from assay.errors import UserError
from assay.recipe import Recipe
from assay.toml_text import MAX_LETTERS, read_toml, read_value

BOMBS = {
    "lists": "a = " + "[" * 100_000,
    "closed lists": "a = " + "[" * 5000 + "]" * 5000,
    "inline tables": "a = " + "{b = " * 100_000,
    "a dotted section": "[" + ".".join(["a"] * 100_000) + "]",
    "a dotted key": "read." + ".".join(["a"] * 20_000) + " = 1",
    "a quoted dotted key": ".".join(['"a"'] * 20_000) + " = 1",
    "spaced dots": " . ".join(["a"] * 20_000) + " = 1",
    "length": "a = 1 # " + "x" * MAX_LETTERS,
}


@pytest.mark.attack
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_one_line(name):
    with pytest.raises(UserError, match=r"more than 64 deep|letters, more than") as caught:
        Recipe.from_toml(BOMBS[name], where="x.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.attack
def test_an_endless_file_is_no_recipe():
    with pytest.raises(UserError, match=r"letters, more than|not valid TOML"):
        Recipe.from_file("/dev/zero")


@pytest.mark.attack
def test_a_value_of_the_command_line_does_not_recurse():
    assert read_value("[" * 5000) == "[" * 5000


@pytest.mark.parametrize(
    "text",
    [
        'a = "' + "[" * 500 + '"',
        "a = '" + "." * 500 + "'",
        "# " + "[" * 500 + "\na = 1",
        'a = """\n' + '"x" [.' * 300 + '"""',
        "a = [" + "1.5, " * 5000 + "1.5]",
        "\n".join(f"[a.b{at}]\nc = [1, [2, 3]]" for at in range(3000)),
        'a = "\\"' + "[" * 500 + '"',
    ],
)
def test_brackets_in_texts_and_many_shallow_values_are_read(text):
    assert "a" in read_toml(text, where="x.toml")
