"""Fails if the documentation does not fit the repository.

usage: docs.py REPOSITORY

- The README's numbers of ONNX's cases are those of docs/onnx-support.md.
- Links between pages lead to files that exist, and to headings in them.
"""

import pathlib
import re
import sys


def anchors_of(text):
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


def broken_links(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        file, _, anchor = target.partition("#")
        path = page.parent / file if file else page
        if not path.exists():
            yield f"{page}: the link {target} leads nowhere"
        elif anchor and anchor not in anchors_of(path.read_text()):
            yield f"{page}: {path} has no heading #{anchor}"


def main():
    root = pathlib.Path(sys.argv[1])
    problems = []
    readme = (root / "README.md").read_text()
    table = (root / "docs/onnx-support.md").read_text()
    passed, cases = re.search(r"^\| all \| (\d+) \| (\d+) \|$", table, re.M).groups()
    if f"{passed} of {cases} pass" not in readme.replace("\n", " "):
        problems.append(f"README.md: of ONNX's cases {passed} of {cases} pass")
    pages = sorted(root.glob("*.md")) + sorted(root.glob("[a-z]*/README.md"))
    pages += sorted((root / "docs").rglob("*.md"))
    for page in pages:
        problems += broken_links(page)
    print("\n".join(problems))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
