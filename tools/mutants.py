"""Put listed faults into a copy of the code, one at a time, and see whether the tests notice.

    python tools/mutants.py            all faults of tools/mutants.yaml
    python tools/mutants.py WORD ...   those whose file or note contains a word

Each fault replaces one piece of text by another. The tests named beside it have to pass without the
fault and to fail with it; a fault that no test notices has survived. The exit code is 1 if any has.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
_LIMIT = 600.0  # s for the tests of one fault; what hangs is noticed too


def copied(folder: Path) -> None:
    """Copy what is under version control, and the interpreter's folder as a link."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, names):
        source, target = ROOT / name, folder / name
        if source.is_file() and not source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def passes(folder: Path, tests: str) -> bool:
    """Whether the tests pass in a copy."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "CI": "1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(
            [*command, *shlex.split(tests)],
            cwd=folder,
            env=environment,
            timeout=_LIMIT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    if done.returncode not in (0, 1):  # 0: passed, 1: failed; else pytest did not get to the tests
        raise SystemExit(f"pytest ended with {done.returncode}: {tests}")
    return done.returncode == 0


def main() -> int:
    """Try the faults that were asked for; print a line for each and the score."""
    faults: list[dict[str, Any]] = yaml.safe_load((ROOT / "tools" / "mutants.yaml").read_text())
    words = sys.argv[1:]
    if words:
        faults = [f for f in faults if any(w in f["file"] + f["note"] for w in words)]
    caught = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        folder = Path(temporary)
        copied(folder)
        for tests in dict.fromkeys(fault["tests"] for fault in faults):
            if not passes(folder, tests):
                raise SystemExit(f"these tests fail without any fault: {tests}")
        for fault in faults:
            path = folder / fault["file"]
            whole = path.read_text(encoding="utf-8")
            if whole.count(fault["old"]) != 1:
                raise SystemExit(f"{fault['file']}: not there once: {fault['old']!r}")
            path.write_text(whole.replace(fault["old"], fault["new"]), encoding="utf-8")
            try:
                noticed = not passes(folder, fault["tests"])
            finally:
                path.write_text(whole, encoding="utf-8")
            caught += noticed
            word = "caught  " if noticed else "SURVIVED"
            print(f"{word}  {fault['file']}: {fault['note']}", flush=True)
    print(f"{caught} of {len(faults)} caught")
    return int(caught < len(faults))


if __name__ == "__main__":
    sys.exit(main())
