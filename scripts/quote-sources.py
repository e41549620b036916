#!/usr/bin/env python3
"""Copies parts of sources into the pages that quote them.

usage: scripts/quote-sources.py [--check]

A block of code behind a comment `<!-- FILE -->` or `<!-- FILE [NAME] -->` in the
README or in docs/ is that file, or the lines of it between two comments `[NAME]`.
With --check nothing is changed, and pages that quote otherwise are an error.
"""

import pathlib
import re
import sys

BLOCK = re.compile(r"(<!-- (\S+?)(?: \[(\w+)\])? -->\n```\w+\n)(.*?)^```$", re.M | re.S)


def quoted(root, page, file, name):
    """The file, or the lines between the two comments with that name in it."""
    path = root / file
    if not path.is_file():
        sys.exit(f"error: {page}: quotes {file}, which does not exist")
    lines = path.read_text().splitlines(keepends=True)
    if not name:
        return "".join(lines)
    marks = [i for i, line in enumerate(lines) if re.fullmatch(rf"\s*(//|#) \[{name}\]\n", line)]
    if len(marks) != 2:
        sys.exit(f"error: {page}: {file} must have two comments [{name}], but has {len(marks)}")
    return "".join(lines[marks[0] + 1 : marks[1]])


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(f"error: unknown arguments {sys.argv[1:]}; usage: scripts/quote-sources.py [--check]")
    root = pathlib.Path(__file__).resolve().parent.parent
    stale = False
    for page in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        text = page.read_text()
        fresh = BLOCK.sub(
            lambda match: match[1] + quoted(root, page, match[2], match[3]) + "```", text
        )
        if fresh == text:
            continue
        if sys.argv[1:]:
            print(f"error: {page} quotes what a source says no longer: run scripts/quote-sources.py")
            stale = True
        else:
            page.write_text(fresh)
    return stale


if __name__ == "__main__":
    sys.exit(main())
