"""Write requirements.lock: every version with the hashes of its files, for every platform.

Run by `make lock`. Resolves the dependencies, the extras (but those of NOT_LOCKED) and the build
requirements of pyproject.toml with uv, which is installed into a throw-away environment, so that
nothing of the environment in use goes into the lock. The lock names no host.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

RESOLVER = "uv==0.13.9"
#: torch: several gigabytes, which nothing but the comparison networks needs; verilog-a: the extra
#: `test` has its package, for the machines for which there is a wheel
NOT_LOCKED = {"torch", "verilog-a"}
ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"


def resolve(folder: Path) -> str:
    """Text of a new lock; `folder` takes the throw-away environment."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    builders = folder / "build-requirements.in"
    builders.write_text("\n".join(project["build-system"]["requires"]) + "\n", encoding="utf-8")
    environment = folder / "resolver"
    venv.create(environment, with_pip=True)
    subprocess.run(
        [environment / "bin" / "python", "-m", "pip", "install", "--quiet", RESOLVER], check=True
    )
    extras = project["project"]["optional-dependencies"]
    lowest = project["project"]["requires-python"].removeprefix(">=")
    command = [
        environment / "bin" / "uv",
        "pip",
        "compile",
        "pyproject.toml",
        builders,
        *(f"--extra={extra}" for extra in extras if extra not in NOT_LOCKED),
        "--universal",
        "--python-version",
        lowest,
        "--generate-hashes",
        "--no-emit-index-url",
        "--no-annotate",
        "--no-header",
        "--no-config",
        "--quiet",
    ]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return "# Made by `make lock` from pyproject.toml; do not edit.\n" + done.stdout


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        try:
            text = resolve(Path(folder))
        except subprocess.CalledProcessError as error:
            print(f"make_lock: {error}\n{error.stderr or ''}", file=sys.stderr)
            return 1
    if "://" in text:
        print("make_lock: the resolver put an address into the lock; not written", file=sys.stderr)
        return 1
    LOCK.write_text(text, encoding="utf-8")
    packages = sum(1 for line in text.splitlines() if line[:1].isalnum())
    print(f"{LOCK.name}: {packages} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
