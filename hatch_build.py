"""Builds the front end before hatchling packs a wheel, an sdist or an editable install.

What is packed is `src/saliency_widget/static/`, which git does not track. It is built with npm where it is missing or
older than the sources, and taken as it is in an unpacked sdist, so that a user who installs one needs no Node.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = ("widget.js", "widget.css", "browse.js", "browse.css", "static.js")
SOURCES = ("js/src", "js/scripts", "package.json", "tsconfig.json")


def static_dir(root: Path) -> Path:
    """Where the built front end lies."""
    return root / "src" / "saliency_widget" / "static"


def is_built(root: Path) -> bool:
    """Whether every file of the front end is there."""
    return all((static_dir(root) / name).is_file() for name in BUILT)


def is_current(root: Path) -> bool:
    """Whether every file of the front end is there, and none is older than what it is made from."""
    if not is_built(root):
        return False
    built = min((static_dir(root) / name).stat().st_mtime for name in BUILT)
    starts = [root / name for name in SOURCES]
    sources = [path for start in starts for path in (start, *start.rglob("*")) if path.is_file()]
    return all(path.stat().st_mtime <= built for path in sources)


def build_front_end(root: Path) -> None:
    """Make the front end current, or stop with a sentence that says why that cannot be done."""
    unpacked_sdist = (root / "PKG-INFO").is_file()
    if is_current(root) or (unpacked_sdist and is_built(root)):
        return
    npm = shutil.which("npm")
    if npm is None:
        if is_built(root):
            print("npm is not there: taking the front end as it was last built.", file=sys.stderr)
            return
        sys.exit(
            "The front end is not built and npm is not there to build it: install Node 20 or newer, and try again."
        )
    # `install`, not `ci`: a lock file made on one platform may lack the optional packages of another.
    for command in ("install", "--no-audit", "--no-fund"), ("run", "build"):
        if subprocess.run([npm, *command], cwd=root, check=False).returncode:  # noqa: S603
            sys.exit(f"`npm {' '.join(command)}` failed, so the front end is not built: its own words are above.")
    if not is_built(root):
        missing = ", ".join(name for name in BUILT if not (static_dir(root) / name).is_file())
        sys.exit(f"`npm run build` ended well, but did not write {missing} into {static_dir(root)}.")


class FrontEndHook(BuildHookInterface[Any]):
    """The hook hatchling finds in this file."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Before anything is packed."""
        build_front_end(Path(self.root))
