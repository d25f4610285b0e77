# ruff: noqa: INP001 - a script beside the one that runs it, in a folder without modules
"""Adds the Debian packages and the Python of an image to its SBOM.

`python debian_packages.py SBOM.json <ROWS`: the first row is the release (`debian-13`), the second
the version of Python, each other one a package: name, version, architecture, source, its version.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote


def components(rows: Iterable[str]) -> list[dict[str, Any]]:
    """Components of CycloneDX, in the order of their purl."""
    release, python, *packages = rows
    found = [_component("python", python, f"pkg:generic/python@{quote(python, safe='')}")]
    found += [_package(release, row) for row in packages]
    return sorted(found, key=lambda each: str(each["purl"]))


def _package(release: str, row: str) -> dict[str, Any]:
    name, version, architecture, source, of_source = row.split("\t")
    system = release.partition("-")[0]
    purl = (
        f"pkg:deb/{system}/{quote(name, safe='')}@{quote(version, safe='')}"
        f"?arch={architecture}&distro={release}"
    )
    made = _component(name, version, purl)
    # Debian's advisories name the source package.
    made["properties"] = [{"name": "debian:source", "value": f"{source} {of_source}"}]
    return made


def _component(name: str, version: str, purl: str) -> dict[str, Any]:
    return {"bom-ref": purl, "name": name, "purl": purl, "type": "library", "version": version}


def main(file: Path, rows: Iterable[str]) -> None:
    document = json.loads(file.read_text("utf-8"))
    document["components"] += components(rows)
    file.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.stdin.read().splitlines())
