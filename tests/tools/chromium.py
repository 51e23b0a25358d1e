"""Find a Chromium for the browser tests; run as a script, install one where the system can.

Nothing is downloaded but by the system's own package manager.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
MANAGERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "apt-get": (("apt-get", "update"), ("apt-get", "install", "--yes", "chromium")),
    "dnf": (("dnf", "install", "--assumeyes", "chromium"),),
    "pacman": (("pacman", "--sync", "--noconfirm", "chromium"),),
    "zypper": (("zypper", "--non-interactive", "install", "chromium"),),
    "apk": (("apk", "add", "chromium"),),
    "brew": (("brew", "install", "--cask", "chromium"),),
}
"""Package managers, and what each is to be told. All but brew need root."""

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""How the tests start it: also as root in a container, and without calling home."""


def find() -> str | None:
    """The path of an installed Chromium, Chrome or Edge; `CHROMIUM` in the environment decides."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    found = [path for name in NAMES if (path := shutil.which(name))]
    found += [path for path in PLACES if Path(path).is_file()]
    return found[0] if found else None


def install() -> str:
    """Install Chromium with the first package manager there is. Returns "" or what went wrong."""
    manager = next((name for name in MANAGERS if shutil.which(name)), None)
    if manager is None:
        return "no package manager was found that could install it"
    before: tuple[str, ...] = ()
    if manager != "brew" and sys.platform != "win32" and os.geteuid() != 0:
        if not shutil.which("sudo") or subprocess.run(["sudo", "-n", "true"]).returncode:
            return f"{manager} needs root, and sudo asks for a password"
        before = ("sudo", "-n")
    for command in MANAGERS[manager]:
        print("+", *before, *command, flush=True)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([*before, *command], stdin=subprocess.DEVNULL, env=environment)
    return "" if find() else f"{manager} could not install it"


def main() -> int:
    path = find()
    if path is None:
        problem = install()
        path = find()
        if path is None:
            print(
                f"The browser tests need Chromium, and {problem}.\n"
                "Install Chromium or Chrome, or name one: CHROMIUM=/path/to/chrome make test\n"
                "Everything but the browser: python -m pytest -m 'not browser'",
                file=sys.stderr,
            )
            return 1
    print("Chromium:", path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
