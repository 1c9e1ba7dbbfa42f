"""Write the list of what users install, with versions, licences and checksums, as CycloneDX 1.6.

Of envs/requirements.txt; the licences are those of the packages installed here. Ends with status 1
if one is under the GPL alone, or says nothing of its licence: `python .ci/sbom.py dist/sbom.json`.
"""

import importlib.metadata
import json
import re
import sys
import uuid
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKED = re.compile(r"^([\w.-]+)==([^\s;\\]+)([^\n]*)((?:\n    --hash=sha256:\w+[ \\]*)*)", re.M)
# Packages that say it elsewhere than in their metadata.
KNOWN = {"cuda-toolkit": "LicenseRef-NVIDIA-Proprietary"}
# Only for Windows or a browser: in the lock, and not installed here.
ELSEWHERE = {"colorama", "httpx2-jsfetch", "pyreadline3"}


def licence(name: str) -> str:
    """A package's licence: its expression, its classifiers, or the head of its licence file."""
    if name in KNOWN:
        return KNOWN[name]
    about = importlib.metadata.metadata(name)
    if found := about.get("License-Expression"):
        return found
    classes = [each.split(" :: ") for each in about.get_all("Classifier") or []]
    if found := [c[-1] for c in classes if c[0] == "License" and c[-1] != "OSI Approved"]:
        return " OR ".join(found)
    found = (about.get("License") or "").strip()
    if found and found != "UNKNOWN":
        return found.splitlines()[0]
    for file in importlib.metadata.files(name) or []:
        if file.name.upper().startswith(("LICENSE", "LICENCE", "COPYING")):
            return file.read_text().strip().splitlines()[0].strip()
    return ""


def gpl_alone(text: str) -> bool:
    """True for the GNU GPL or AGPL without another licence to choose; the LGPL is none of them."""
    choices = re.split(r" OR ", text)
    strong = [re.search(r"(?<![Ll])\bA?GPL|(?<!Lesser )General Public License", c) for c in choices]
    return all(strong) and not any("Lesser" in choice for choice in choices)


def component(name: str, version: str, hashes: list[str]) -> dict:
    """One package, as CycloneDX has it."""
    found = {"type": "library", "name": name, "version": version}
    found |= {"purl": f"pkg:pypi/{name}@{version}", "bom-ref": f"{name}@{version}"}
    if name not in ELSEWHERE:
        found["licenses"] = [{"license": {"name": licence(name)}}]
    files = [{"alg": "SHA-256", "content": digest} for digest in hashes]
    url = f"https://pypi.org/project/{name}/{version}/"
    return found | {"externalReferences": [{"type": "distribution", "url": url, "hashes": files}]}


def sbom(lock: str) -> dict:
    """The list; the same lock gives the same bytes, so that it has no time of its own."""
    locked = [
        component(name, version, re.findall(r"sha256:(\w+)", hashes))
        for name, version, _, hashes in LOCKED.findall(lock)
    ]
    project = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)
    own = {"type": "application", "name": "cxrgrid", "version": project[1], "bom-ref": "cxrgrid"}
    own |= {"licenses": [{"license": {"id": "MIT"}}]}
    head = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1}
    head |= {"serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, lock)}"}
    return head | {"metadata": {"component": own}, "components": locked}


def faults(components: list[dict]) -> list[str]:
    """One line for each licence that users could not accept without a thought."""
    found = []
    for one in components:
        [name] = [each["license"]["name"] for each in one.get("licenses", [])] or ["elsewhere"]
        if not name:
            found.append(f"{one['name']}: says nothing of its licence; look, and add it to KNOWN")
        elif gpl_alone(name):
            found.append(f"{one['name']}: {name}, without another choice")
    return found


def main(path: str) -> None:
    """Write the file and tell what is wrong."""
    made = sbom((ROOT / "envs/requirements.txt").read_text("utf-8"))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(made, indent=1) + "\n", "utf-8")
    wrong = faults(made["components"])
    print(*wrong, f"{path}: {len(made['components'])} packages", sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(*sys.argv[1:])
