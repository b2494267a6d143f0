"""Every Python block of README.md runs, in order, in one namespace."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


def _blocks(text: str) -> list[tuple[int, str]]:
    """Return (line before the code, code) of each block fenced as python."""
    found = re.finditer(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, match.start(1)), match.group(1)) for match in found]


def test_blocks_are_found_with_their_line() -> None:
    assert _blocks("one\n```python\nx = 1\n```\n```sh\nls\n```\n") == [(2, "x = 1\n")]


def test_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = _blocks(README.read_text(encoding="utf-8"))
    assert blocks
    namespace: dict[str, object] = {"__name__": "readme"}
    for line, code in blocks:
        # Blank lines in front make a traceback point at the README's own line.
        exec(compile("\n" * line + code, str(README), "exec"), namespace)
