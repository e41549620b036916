"""Compares what the runtime exports with what it promises.

usage: symbols.py LIBRARY HEADER MAP

- The functions that HEADER declares are those that MAP lists under a version,
  and LIBRARY exports each of them under that version.
- LIBRARY exports nothing else but the C++ interface and what compiled code
  calls.
"""

import re
import subprocess
import sys

# The nodes of MAP without a list of names.
CODE, CXX = "DANN_CODE", "DANN_CXX"


def declared(header):
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    return set(re.findall(r"\b(dann_\w+)\(", text))


def listed(version_map):
    """Version of each name."""
    text = re.sub(r"#.*", "", version_map)
    names = {}
    for version, body in re.findall(r"^(\w[\w.]*) \{(.*?)^\};", text, re.M | re.S):
        if version not in (CODE, CXX):
            names.update((n, version) for n in re.findall(r"\b(dann_\w+);", body))
    return names


def exported(library):
    """Version of each symbol."""
    output = subprocess.run(
        ["nm", "-D", "--defined-only", "--with-symbol-versions", library],
        check=True, capture_output=True, text=True,
    ).stdout
    symbols = {}
    for line in output.splitlines():
        _, kind, name = line.split()
        if kind != "A":
            name, _, version = name.partition("@@")
            symbols[name] = version
    return symbols


def main():
    library, header, version_map = sys.argv[1:]
    with open(header) as file:
        functions = declared(file.read())
    with open(version_map) as file:
        promised = listed(file.read())
    symbols = exported(library)
    problems = [f"{n} is declared, but has no version" for n in functions - set(promised)]
    problems += [f"{n} has a version, but is not declared" for n in set(promised) - functions]
    for name, version in promised.items():
        if symbols.get(name) != version:
            problems.append(f"{name} is {symbols.get(name)}, not {version}")
    for name, version in symbols.items():
        if name in promised:
            continue
        is_cxx = version == CXX and re.match(r"_Z(T[ISV])?N?K?4dann|_ZNK?4dann", name)
        is_code = version == CODE and re.match(r"dann_|_mlir_ciface_dann_", name)
        if not is_cxx and not is_code:
            problems.append(f"{name}, version {version or 'none'}, is exported")
    print("\n".join(sorted(problems)) or f"{len(functions)} functions")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
