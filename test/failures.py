#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
What failed, and what it said last: the end of test/check's output, which may be all that somebody
sees of it. Each stage has a log, and beside it a JUnit file if it has several tests.

    test/failures.py build-check unit-dev netns-release layers
"""

import os
import re
import sys
import xml.etree.ElementTree as ET

ALL, EACH, WIDTH = 200, 60, 200     # lines of all together and of each; columns

# cmocka's tests that passed, colours, and what AddressSanitizer shows of the memory around.
NOISE = re.compile(r"\[ RUN      \]|\[       OK \]|\s*(=>)?0x[0-9a-f]+: |Shadow byte|"
                   r"  [A-Z][A-Za-z -]+: +[0-9a-f]{2} ")
CONTROL = re.compile(r"\x1b\[[0-9;]*m|[\x00-\x08\x0b-\x1f\x7f]")


def lines_of(text):
    lines = (CONTROL.sub("", line).rstrip() for line in text.splitlines())
    return [line if len(line) <= WIDTH else line[:WIDTH - 4] + " ..."
            for line in lines if line and not NOISE.match(line)]


def failed_tests(path):
    """(name, what it said) of each test in a JUnit file that did not pass."""
    for case in ET.parse(path).iter("testcase"):
        verdicts = [child for child in case if child.tag in ("failure", "error")]
        if verdicts:
            said = [case.findtext("system-out") or ""] + [v.text or v.get("message", "")
                                                          for v in verdicts]
            yield case.get("name"), "\n".join(said)


def failures(directory, stage):
    """(title, lines) of each failed test of a stage; of the stage itself if it is one."""
    base = os.path.join(directory, stage)
    try:
        found = [(f"{stage}: {name}", lines_of(said)) for name, said in failed_tests(base + ".xml")]
    except (OSError, ET.ParseError):    # it has none, or did not come to its end
        found = []
    if found:
        return found
    try:
        with open(base + ".log", encoding="utf-8", errors="replace") as f:
            return [(stage, lines_of(f.read()))]
    except OSError as error:
        return [(stage, [str(error)])]


def shares(lengths, together=ALL):
    """How many lines each may have: what the short ones leave is the long ones'."""
    given = [0] * len(lengths)
    for nth, (length, i) in enumerate(sorted((n, i) for i, n in enumerate(lengths))):
        given[i] = min(length, EACH, together // (len(lengths) - nth))
        together -= given[i]
    return given


def main(directory, *stages):
    found = [failure for stage in dict.fromkeys(stages) for failure in failures(directory, stage)]
    # A line for its name, of each.
    for (title, lines), cnt in zip(found, shares([len(lines) for _, lines in found],
                                                 max(ALL - len(found), 0))):
        print(f"--- {title}" + (f", the last {cnt} of {len(lines)} lines" if cnt < len(lines) else ""))
        print("".join(f"{line}\n" for line in lines[len(lines) - cnt:]), end="")


if __name__ == "__main__":
    main(*sys.argv[1:])
