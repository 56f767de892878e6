"""Prints the licences of all that a target's binary is made of, for scripts/release.

usage: python3 scripts/licences.py FOLDER TARGET FEATURES

FOLDER has the sources of roundup.
"""

import collections
import glob
import json
import pathlib
import subprocess
import sys


def crates(folder, target, features, with_own=False):
    """(name, version) of each crate whose code is in the binary: none of those for tests, build scripts or macros, and
    those of the workspace only if they are asked for.

    By cargo's tree and not its metadata, which has the features that tests alone ask for."""
    said = subprocess.run(
        ["cargo", "tree", "--locked", "--target", target, "--no-default-features", "--features", features,
         "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"],
        cwd=folder, check=True, capture_output=True, text=True).stdout
    # The folder of a member of the workspace follows its version.
    lines = [line.split() for line in said.splitlines() if line.strip() and (with_own or " (/" not in line)]
    found = {(name, version.removeprefix("v")) for name, version, *_ in lines}
    return {crate for crate in found if crate[0] != "roundup"}


def packages(folder, target, features):
    """The same, as cargo describes them; sorted."""
    metadata = json.loads(subprocess.run(
        ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target,
         "--no-default-features", "--features", features],
        cwd=folder, check=True, capture_output=True).stdout)
    wanted = crates(folder, target, features)
    found = [package for package in metadata["packages"] if (package["name"], package["version"]) in wanted]
    assert len(found) == len(wanted), "cargo tree and cargo metadata tell of different crates"
    return sorted(found, key=lambda package: (package["name"], package["version"]))


def texts_in(folder):
    names = ("LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name.upper().startswith(names):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            yield "\n".join(line.rstrip() for line in lines).strip()


def c_library(target):
    """Its name, and its licence if that is on this machine: zig brings musl's, Debian mingw's."""
    if "windows" in target:
        name, paths = "the runtime of mingw-w64", ["/usr/share/doc/mingw-w64-common/copyright"]
    else:
        said = subprocess.run(
            [sys.executable, "-c", "import ziglang; print(ziglang.__path__[0])"], capture_output=True, text=True).stdout
        name, paths = "the C library musl (MIT)", [f"{said.strip()}/lib/libc/musl/COPYRIGHT"]
    found = [path for pattern in paths for path in glob.glob(pattern)]
    return name, pathlib.Path(found[0]).read_text(encoding="utf-8", errors="replace").strip() if found else None


def main(folder, target, features):
    # One text is printed once, with all crates that come with it.
    texts, without = collections.defaultdict(list), []
    chosen = packages(folder, target, features)
    for package in chosen:
        title = f"{package['name']} {package['version']} ({package['license'] or 'see below'})"
        found = list(texts_in(pathlib.Path(package["manifest_path"]).parent))
        for text in found:
            texts[text].append(title)
        if not found:
            without.append(f"{title}: {package['repository'] or package['homepage'] or 'no address is given'}")
    library, text = c_library(target)
    if text:
        texts[text].append(library)
    print(f"This binary is made of roundup and of these {len(chosen)} crates, Rust's standard library (MIT or "
          f"Apache-2.0;\nhttps://github.com/rust-lang/rust) and {library}.\n")
    if without:
        print("These come without a text of their licence, which is the one named; their sources are at the address:\n")
        print("\n".join("  " + line for line in without))
    for text, titles in sorted(texts.items(), key=lambda item: item[1]):
        print("\n" + "=" * 100 + "\n" + "\n".join(dict.fromkeys(titles)) + "\n" + "-" * 100 + f"\n{text}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
