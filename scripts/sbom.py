"""Writes the bill of materials of a target's binary (CycloneDX, JSON), for scripts/release.

usage: python3 scripts/sbom.py FOLDER TARGET FEATURES BINARY >FILE

FOLDER has the sources of roundup. cargo-cyclonedx tells what there is;
what the binary has nothing of (macros, build scripts) is left out, and so are paths and the time of day: the same
binary has the same bill. Its time is SOURCE_DATE_EPOCH.
"""

import datetime
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import uuid

from licences import crates


def bill(folder, target, features, binary):
    folder = pathlib.Path(folder).resolve()
    # It writes beside Cargo.toml and has no other place for it.
    subprocess.run(
        ["cargo", "cyclonedx", "--quiet", "--format", "json", "--spec-version", "1.5", "--target", target,
         "--no-build-deps", "--no-default-features", "--features", features, "--override-filename", "bill"],
        cwd=folder, check=True, stdout=sys.stderr)
    bill = json.loads((folder / "bill.json").read_text())
    (folder / "bill.json").unlink()

    wanted = crates(folder, target, features, with_own=True)
    kept = [part for part in bill["components"] if (part["name"], part["version"]) in wanted]
    missing = wanted - {(part["name"], part["version"]) for part in kept}
    assert not missing, f"cargo-cyclonedx does not tell of {sorted(missing)}"
    for part in kept:
        assert part.get("licenses"), f"{part['name']} states no licence"
        # Of a member of the workspace it would tell the folder.
        if "purl" in part:
            part["purl"] = part["purl"].split("?")[0]

    digest = hashlib.sha256(pathlib.Path(binary).read_bytes()).hexdigest()
    own = bill["metadata"]["component"]
    references = {own["bom-ref"], *(part["bom-ref"] for part in kept)}
    bill["components"] = sorted(kept, key=lambda part: (part["name"], part["version"]))
    bill["dependencies"] = sorted(
        ({"ref": entry["ref"], "dependsOn": sorted(set(entry.get("dependsOn", [])) & references)}
         for entry in bill["dependencies"] if entry["ref"] in references), key=lambda entry: entry["ref"])
    # The package is in it once, as what the binary is of; its parts (library, command) say nothing more.
    own.pop("components", None)
    own["purl"] = own["purl"].split("?")[0]
    own["hashes"] = [{"alg": "SHA-256", "content": digest}]
    moment = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    bill["metadata"]["timestamp"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    bill["metadata"]["properties"] = [{"name": "cdx:rustc:sbom:target:triple", "value": target},
                                      {"name": "roundup:features", "value": features}]
    bill["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_OID, f"roundup {target} {digest}").urn
    # The folder of the sources must not be told, and would make another bill.
    text = json.dumps(bill, indent=2, ensure_ascii=False, sort_keys=True)
    text = text.replace(f"path+file://{folder}#", "path+file:///roundup#").replace(f"file://{folder}", "file:///roundup")
    assert str(folder) not in text, "the bill names the folder of the sources"
    return text


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    print(bill(*sys.argv[1:]))
