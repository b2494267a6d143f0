"""The process that opens hostile model files: what it may not do is written down.

    python -m attacks.model_watch SOUND < PATHS

Each line of standard input is a file to open; each line of standard output tells what
became of it, as JSON. SOUND is opened first, so that all modules are loaded.
"""

import json
import resource
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

from assay.cli.show import make_card
from assay.errors import UserError
from assay.modelfile.load import load_model

_FORBIDDEN = (
    "compile", "ctypes", "exec", "ftplib", "http", "imaplib", "import", "marshal", "mmap",
    "nntplib", "os.", "pickle", "pty", "shutil", "smtplib", "socket", "sqlite3", "subprocess",
    "tempfile", "urllib", "webbrowser",
)  # fmt: skip
_ALLOWED = ("os.listdir", "os.scandir", "os.fwalk")
_LIBRARIES = tuple(
    str(Path(place).resolve())
    for place in (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sys.base_prefix)
)


class Watch:
    """Notes the events of the interpreter that a model file may not cause."""

    def __init__(self) -> None:
        self.is_on, self.path, self.events = False, "", list[str]()
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on:
            return
        if event == "open":
            place = str(arguments[0])
            if place != self.path and not place.startswith(_LIBRARIES):
                self.events.append(f"open {place}"[:200])
        elif event.startswith(_FORBIDDEN) and event not in _ALLOWED:
            self.events.append(f"{event} {arguments}"[:200])


def open_one(watch: Watch, path: str) -> dict[str, Any]:
    """Open a file and return what happened."""
    watch.path, watch.events, message = path, [], ""
    start_s, watch.is_on = time.monotonic(), True
    try:
        load_model(path)
        outcome = "accepted"
    except UserError as error:
        outcome, message = "refused", str(error)
    except BaseException as error:  # whatever else is a fault
        outcome, message = type(error).__name__, str(error)[:500]
    finally:
        watch.is_on = False
    return {
        "path": path,
        "outcome": outcome,
        "message": message,
        "seconds": round(time.monotonic() - start_s, 4),
        "events": watch.events,
        "rss_bytes": most_memory_bytes(),
    }


def most_memory_bytes() -> int:
    """Return the most memory that this process has taken so far.

    Where the system tells: the other figure counts what the parent took before it forked.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    make_card(sys.argv[1])
    watch = Watch()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(open_one(watch, line.rstrip("\n"))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
