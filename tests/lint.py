"""Fails on lit tests that do not test what they seem to.

usage: lint.py TESTS_DIRECTORY LIT_SUFFIX...

- Check lines whose prefix no FileCheck of the file reads.
- A file without a RUN line.
- Operations in generic form, which bypasses the syntax that people write, unless a
  comment above, in the same part of the file, begins with "Generic: " and says why.
"""

import pathlib
import re
import sys

CHECK = re.compile(
    r"(?:^|\s)(?://|#|;)\s*([A-Z][A-Z0-9_-]*?)"
    r"(?:-(?:NEXT|SAME|NOT|DAG|LABEL|EMPTY|COUNT-\d+))?(?:\{LITERAL\})?:"
)
# Directories whose files are data of tests, not tests.
DATA = {"Inputs", "golden", "unit"}
# Words that stand before a colon at the start of a comment and are no checks.
NOT_CHECKS = {"RUN", "DEFINE", "REQUIRES", "UNSUPPORTED", "XFAIL", "TODO", "NOTE", "END"}
GENERIC_FORM = re.compile(r'^\s*(?:%[\w:#, %]+ = )?"[a-z_]\w*\.[\w.]+"\(')


def run_commands(lines):
    """The commands of the RUN lines, continued lines joined."""
    text = ""
    for line in lines:
        match = re.search(r"\bRUN:(.*)", line)
        if match:
            text += match.group(1).rstrip()
            text = text[:-1] + " " if text.endswith("\\") else text + "\n"
    return text


def prefixes_of(commands):
    """The prefixes that the FileChecks of these commands read."""
    prefixes = set()
    for command in re.split(r"[\n|;]|&&", commands):
        if "FileCheck" not in command:
            continue
        given = re.findall(r"--?check-prefix(?:es)?[= ]([\w,-]+)", command)
        prefixes.update(",".join(given or ["CHECK"]).split(","))
    return prefixes


def problems_of(path):
    lines = path.read_text().splitlines()
    commands = run_commands(lines)
    if not commands.strip():
        yield 1, "no RUN line"
        return
    prefixes = prefixes_of(commands)
    reason = False
    for number, line in enumerate(lines, 1):
        check = CHECK.search(line)
        if check and check.group(1) not in NOT_CHECKS | prefixes:
            yield number, f"no FileCheck reads the prefix {check.group(1)}"
        if line.startswith("// -----"):
            reason = False
        reason = reason or line.startswith("// Generic: ")
        if GENERIC_FORM.match(line) and not reason:
            yield number, "an operation in generic form"


def main():
    directory, suffixes = pathlib.Path(sys.argv[1]), tuple(sys.argv[2:])
    failed = False
    for path in sorted(directory.rglob("*")):
        if not path.name.endswith(suffixes) or DATA & set(path.parts):
            continue
        for number, problem in problems_of(path):
            print(f"{path}:{number}: {problem}")
            failed = True
    return failed


if __name__ == "__main__":
    sys.exit(main())
