"""Prints the licences of every crate that a target's binary is made of, for scripts/release.

usage: python3 scripts/licences.py TARGET FEATURES
"""

import collections
import json
import pathlib
import subprocess
import sys

if len(sys.argv) != 3:
    sys.exit(__doc__)
metadata = json.loads(subprocess.run(
    ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", sys.argv[1],
     "--no-default-features", "--features", sys.argv[2]],
    check=True, capture_output=True).stdout)
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
own = metadata["resolve"]["root"]

# What is compiled for the target: dependencies alone, none of those for tests or for build scripts.
wanted, queue = set(), [own]
while queue:
    for dependency in nodes[queue.pop()]["deps"]:
        if any(kind["kind"] is None for kind in dependency["dep_kinds"]) and dependency["pkg"] not in wanted:
            wanted.add(dependency["pkg"])
            queue.append(dependency["pkg"])

# One text is printed once, with all crates that come with it.
texts, without = collections.defaultdict(list), []
for package in sorted((packages[name] for name in wanted), key=lambda package: (package["name"], package["version"])):
    title = f"{package['name']} {package['version']} ({package['license'] or 'see below'})"
    folder = pathlib.Path(package["manifest_path"]).parent
    found = [path for path in sorted(folder.iterdir())
             if path.is_file() and path.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"))]
    for path in found:
        text = "\n".join(line.rstrip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
        texts[text.strip()].append(title)
    if not found:
        without.append(f"{title}: {package['repository'] or package['homepage'] or 'no address is given'}")

print(f"This binary is made of roundup and of these {len(wanted)} crates. It also holds Rust's standard library "
      "(MIT or Apache-2.0)\nand a C library: musl (MIT) on Linux, the runtime of mingw-w64 (public domain, and ZPL 2.1) "
      "on Windows.\n")
if without:
    print("These come without a text of their licence, which is the one named; their sources are at the address:\n")
    print("\n".join("  " + line for line in without))
for text, titles in sorted(texts.items(), key=lambda item: item[1]):
    print("\n" + "=" * 100 + "\n" + "\n".join(dict.fromkeys(titles)) + "\n" + "-" * 100 + f"\n{text}")
