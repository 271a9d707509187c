#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Holds test/conformance.md to the two things that its text alone cannot show.

    test/conformance.py ran FILE.xml...     each test that a row names ran, and passed, in this run
    test/conformance.py pages [DIRECTORY]   each MUST of the specification's pages has its row

`ran` reads the JUnit files that ctest and pytest wrote. A test that did not run, was skipped or
failed, in any of them, is an error. `pages` reads the pages beside the project (../shared/spec) or
in DIRECTORY: test/conformance-pages.txt names every line there that has a MUST in it, by some of its
words, and the row that answers it, or why it is not a home agent's. A page that changes is noticed
from both sides. That every row names a test that exists is test/lint/conformance.sh's to say.

Exit codes: 0 it is so, 1 it is not, 2 bad command line, 77 there are no pages to look at.
"""

import glob
import os
import re
import sys
import xml.etree.ElementTree as ET

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLE = os.path.join(ROOT, "test/conformance.md")
PAGES = os.path.join(ROOT, "test/conformance-pages.txt")
SPEC = os.path.join(ROOT, "../shared/spec")
CMOCKA = re.compile(r"^\[\s*(OK|FAILED|SKIPPED)\s*\] (.+?)$", re.MULTILINE)


def rows():
    """(line number, standard, tests) of each row; no tests if it says "none yet"."""
    with open(TABLE, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            cells = [c.strip() for c in line.split("|")]
            if len(cells) == 6 and cells[1] not in ("Standard", "---"):
                yield number, cells[1], re.findall(r"`([^`]+)`", cells[4])


# --- ran ---

def results(path):
    """(name, whether it passed) of all that a JUnit file tells of."""
    for case in ET.parse(path).iter("testcase"):
        name = case.get("name")
        passed = not {child.tag for child in case} & {"failure", "error", "skipped"} and \
            case.get("status") not in ("disabled", "notrun", "fail")
        if name.startswith("scenario_"):
            yield name.removeprefix("scenario_") + ".scn", passed
        elif case.get("classname") != name:                         # pytest's: test_x[parameters]
            yield name.split("[")[0], passed
        else:                                                       # ctest's: a cmocka program
            for verdict, test in CMOCKA.findall(case.findtext("system-out") or ""):
                yield test, verdict == "OK"
                # A golden packet: "FILE.hex: PACKET conditions".
                if match := re.match(r"(\S+\.hex): ", test):
                    yield match[1], verdict == "OK"


def ran(paths):
    passed, failed = set(), set()
    for path in paths:
        for name, good in results(path):
            (passed if good else failed).add(name)
    wrong = named = 0
    for number, _, tests in rows():
        for test in tests:
            named += 1
            if test in failed:
                print(f"{TABLE}:{number}: {test} failed, or was skipped")
            elif test not in passed:
                print(f"{TABLE}:{number}: {test} did not run")
            else:
                continue
            wrong += 1
    print(f"{named} tests named, {named - wrong} of them ran and passed")
    return 1 if wrong or not named else 0


# --- pages ---

def pages(directory):
    if not glob.glob(os.path.join(directory, "*.md")):
        print(f"not looked at: there are no pages of the specification in {directory}")
        return 77
    standards = {standard for _, standard, _ in rows()}
    wrong, duties = [], {}
    with open(PAGES, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if not line.strip() or line.startswith("#"):
                continue
            where = f"{PAGES}:{number}"
            page, words, answer = line.strip().split(" | ")
            duties.setdefault(page, []).append((words, where))
            if not answer.startswith("- "):
                wrong += [f"{where}: no row is {s}" for s in answer.split(", ")
                          if s not in standards]
    musts = 0
    for path in sorted(glob.glob(os.path.join(directory, "*.md"))):
        page = os.path.basename(path)
        with open(path, encoding="utf-8") as f:
            lines = [(n, line) for n, line in enumerate(f, 1) if re.search(r"\bMUST\b", line)]
        musts += len(lines)
        for number, line in lines:
            if not any(words in line for words, _ in duties.get(page, [])):
                wrong.append(f"{path}:{number}: a MUST that {os.path.basename(PAGES)} does not name")
        for words, where in duties.get(page, []):
            count = sum(words in line for _, line in lines)
            if count != 1:
                wrong.append(f'{where}: "{words}" is in {count} lines with a MUST')
    print("\n".join(wrong + [f"{musts} lines with a MUST, {len(wrong)} faults"]))
    return 1 if wrong else 0


def main(argv):
    if argv[:1] == ["ran"] and len(argv) > 1:
        return ran(argv[1:])
    if argv[:1] == ["pages"] and len(argv) <= 2:
        return pages(argv[1] if len(argv) == 2 else SPEC)
    print(__doc__.strip(), file=sys.stdout if argv in (["-h"], ["--help"]) else sys.stderr)
    return 0 if argv in (["-h"], ["--help"]) else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
