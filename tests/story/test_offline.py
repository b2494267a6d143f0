"""Nothing calls home: training, prediction and report need no network and ask for none."""

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"

# Runs commands in a process that has no network where Linux lets it give that up, and
# that ends at once where Python asks for one.
GUARDED = """
import ctypes, os, sys

NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000
if sys.platform == "linux":
    ctypes.CDLL(None).unshare(NEW_USER | NEW_NETWORK)

def refuse(event, arguments):
    if event.startswith("socket.") and event != "socket.__new__" or event == "urllib.Request":
        os.write(2, f"NETWORK {event} {arguments}".encode())
        os._exit(77)

sys.addaudithook(refuse)
sys.path.insert(0, sys.argv.pop(1))
from assay.cli import main

for line in sys.stdin.read().splitlines():
    status = main(line.split("|"))
    if status:
        sys.exit(status)
"""


def guarded(commands: list[list[object]]) -> subprocess.CompletedProcess[str]:
    lines = "\n".join("|".join(str(one) for one in command) for command in commands)
    return subprocess.run(
        [sys.executable, "-c", GUARDED, str(SOURCE)],
        input=lines,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.attack
def test_a_whole_work_runs_without_a_network(tmp_path):
    table, model = tmp_path / "rows.csv", tmp_path / "m.assay"
    rows = [f"{at % 17},{'ab'[at % 2]},{'yes' if at % 17 > 8 else 'no'}" for at in range(120)]
    table.write_text("\n".join(["n,c,y", *rows]) + "\n", encoding="utf-8")
    quick = ["--set", "train.epochs=2", "--set", "model.hidden=[4]", "--set", "split.folds=2"]
    done = guarded(
        [
            ["train", table, "--target", "y", "-o", model, *quick],
            ["predict", model, table, "-o", tmp_path / "out.csv", "--flags"],
            ["report", model, "-o", tmp_path / "report.html"],
        ]
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.csv").exists()
    assert (tmp_path / "report.html").exists()


@pytest.mark.attack
def test_the_guard_sees_a_call():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            GUARDED + "\nimport socket; socket.getaddrinfo('a', 1)",
            str(SOURCE),
        ],
        input="--version",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "NETWORK socket.getaddrinfo" in done.stderr) == (77, True)
