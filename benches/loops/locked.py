"""How many locked instructions a piece of work takes: those that no other core may come between.

They are what atomics become, and what differs most from one processor to the next. callgrind counts how often each
instruction of the binary was executed, and objdump says which of them are locked: those with the prefix, and `xchg` with
memory, which is locked without it. A work is done twice, once with more of it; what the two differ by is in the figures,
so start and end are not. On other processors than x86-64 there is no such prefix to look for.
"""

import collections
import pathlib
import platform
import re
import shutil
import subprocess
import tempfile

FEW, MANY = 1_000, 3_000


def missing():
    """What keeps them from being counted; None if nothing does."""
    if platform.machine() != "x86_64":
        return "it is not x86-64"
    absent = [program for program in ("valgrind", "objdump") if shutil.which(program) is None]
    return f"{' and '.join(absent)} is not installed" if absent else None


class Counter:
    def __init__(self, binary):
        self.binary = str(binary)
        self.places = locked_places(self.binary)

    def per_piece(self, runtime, work):
        """How many for one piece of the work, and how many of them by the function that has them."""
        few, many = (self.count(runtime, work, size) for size in (FEW, MANY))
        by_function = {name: (many[name] - few[name]) / (MANY - FEW) for name in many}
        by_function = {name: count for name, count in by_function.items() if count >= 0.01}
        return sum(by_function.values()), by_function

    def count(self, runtime, work, size):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "counts"
            subprocess.run(
                ["valgrind", "--tool=callgrind", "--dump-instr=yes", "--compress-strings=no", "--compress-pos=no",
                 f"--callgrind-out-file={out}", self.binary, runtime, work, str(size)],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=300,
            )
            return self.counted(out.read_text(errors="replace").splitlines())

    def counted(self, lines):
        counts = collections.Counter()
        of_binary, function, is_call = False, "", False
        for line in lines:
            if line.startswith("ob="):
                of_binary = line[3:] == self.binary
            elif line.startswith("fn="):
                function = line[3:]
            elif line.startswith("calls="):
                is_call = True
            elif line.startswith("0x"):
                # The line behind a call has what the callee took.
                if not is_call and of_binary:
                    address, _, times = line.split()
                    if int(address, 16) in self.places:
                        counts[function] += int(times)
                is_call = False
        return counts


def short(name):
    """A function's name without the types that it is generic over, and without the modules before the last one."""
    while True:
        shorter = re.sub(r"<[^<>]*>", "", name)
        if shorter == name:
            break
        name = shorter
    name = name.replace("::{{closure}}", "")
    return "::".join(part for part in name.split("::")[-2:] if part) or "?"


def locked_places(binary):
    """The addresses of all locked instructions."""
    code = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", binary], stdout=subprocess.PIPE, text=True, check=True,
    ).stdout
    locked = re.compile(r"^\s*([0-9a-f]+):\s+(?:lock\b|xchg\b.*\()", re.MULTILINE)
    return {int(address, 16) for address in locked.findall(code)}
