"""The SBOM of the image: the Debian packages and the Python beside the Python packages."""

import json
import subprocess
import sys
from pathlib import Path

from tests.docs.samples import ROOT

ROWS = """debian-13
3.13.15
zlib1g\t1:1.3.dfsg+really1.3.1-1\tamd64\tzlib\t1:1.3.dfsg+really1.3.1-1
libgcc-s1\t14.2.0-19\tamd64\tgcc-14\t14.2.0-19
"""


def test_every_package_has_the_address_that_advisories_know(tmp_path: Path) -> None:
    file = tmp_path / "sbom.json"
    of_python = {"name": "msgspec", "purl": "pkg:pypi/msgspec@0.23.0"}
    file.write_text(json.dumps({"bomFormat": "CycloneDX", "components": [of_python]}))
    script = ROOT / "gateway" / "deploy" / "debian_packages.py"
    subprocess.run([sys.executable, script, file], input=ROWS, text=True, check=True)
    first, *added = json.loads(file.read_text())["components"]
    assert first == of_python
    assert [each["purl"] for each in added] == [
        "pkg:deb/debian/libgcc-s1@14.2.0-19?arch=amd64&distro=debian-13",
        "pkg:deb/debian/zlib1g@1%3A1.3.dfsg%2Breally1.3.1-1?arch=amd64&distro=debian-13",
        "pkg:generic/python@3.13.15",
    ]
    assert added[0]["properties"] == [{"name": "debian:source", "value": "gcc-14 14.2.0-19"}]


def test_the_script_asks_the_image_for_the_columns_that_are_read() -> None:
    script = (ROOT / "gateway" / "deploy" / "image.sh").read_text()
    asked = ("Package", "Version", "Architecture", "source:Package", "source:Version")
    assert "\\t".join(f"\\${{{name}}}" for name in asked) in script
