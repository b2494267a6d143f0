"""Every Python block and every `assay` command of README.md runs, in order."""

import re
import shlex
from pathlib import Path

import pytest

from assay.cli import main

README = Path(__file__).parent.parent / "README.md"


def _blocks(text: str, language: str) -> list[tuple[int, str]]:
    """Return (line before the code, code) of each block fenced as `language`."""
    fenced = rf"^```{language}\n(.*?)^```$"
    found = re.finditer(fenced, text, flags=re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, match.start(1)), match.group(1)) for match in found]


def test_blocks_are_found_with_their_line() -> None:
    assert _blocks("one\n```python\nx = 1\n```\n```sh\nls\n```\n", "python") == [(2, "x = 1\n")]


def test_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = _blocks(README.read_text(encoding="utf-8"), "python")
    assert blocks
    namespace: dict[str, object] = {"__name__": "readme"}
    for line, code in blocks:
        # Blank lines in front make a traceback point at the README's own line.
        exec(compile("\n" * line + code, str(README), "exec"), namespace)


def test_assay_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = _blocks(README.read_text(encoding="utf-8"), "sh")
    lines = [line for _, code in blocks for line in code.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("assay ")]
    assert len(commands) >= 6
    for command in commands:
        assert main(command[1:]) == 0, command
