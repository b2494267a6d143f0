"""Ask the advisory database of PyPI whether a pinned package has a known hole.

    python benchmarks/audit.py                 # fails where nothing could be asked
    python benchmarks/audit.py --if-reachable  # for `make check`, which may run offline

pip-audit by itself ends well when a package index knows no advisories, as mirrors do;
here that counts as not asked, and is said so.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

PINS = Path(__file__).parents[1] / "constraints.txt"
TIMEOUT_S = 15


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--if-reachable", action="store_true", help="do not fail when offline")
    is_lenient = parser.parse_args().if_reachable
    packages = _asked()
    asked = [one for one in packages if "vulns" in one]
    holes = [(one, hole) for one in asked for hole in one["vulns"]]
    for one, hole in holes:
        fixed = ", ".join(hole["fix_versions"]) or "none yet"
        print(f"{one['name']} {one['version']}: {hole['id']}; mended in: {fixed}")
    if not asked:
        print("audit: no advisory database answered; nothing was checked against known holes")
        return 0 if is_lenient else 1
    print(f"audit: {len(asked)} of {len(packages)} pinned packages asked for, {len(holes)} holes")
    return 1 if holes or (len(asked) < len(packages) and not is_lenient) else 0


def _asked() -> list[dict[str, object]]:
    command = [sys.executable, "-m", "pip_audit", "-r", str(PINS), "--no-deps", "--disable-pip"]
    options = ["--format", "json", "--progress-spinner", "off", "--timeout", str(TIMEOUT_S)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    try:
        return list(json.loads(done.stdout)["dependencies"])
    except ValueError:  # it could not connect
        return []


if __name__ == "__main__":
    sys.exit(main())
