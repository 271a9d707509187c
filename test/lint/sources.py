#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The C files that static analysis looks at: sources.py BUILD_DIR [FILE...]. Those of the programs and
of the instruments that a build directory compiles, each once; or of them the FILEs only. Prints one
a line: its path from the root of the tree, a tab, and the compiler's arguments (quoted for a
shell), which make no output. Sanitizers are left out: what they weave in is nothing of ours.
"""

import json
import os
import shlex
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LOOKED_AT = ("common/", "ha-core/", "ihad/", "xhad/", "test/mn/", "test/fa/", "test/instrument/")


def main():
    with open(os.path.join(sys.argv[1], "compile_commands.json"), encoding="utf-8") as f:
        database = json.load(f)
    wanted, seen = sys.argv[2:], set()
    for entry in database:
        name = os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT)
        if name in seen or not name.startswith(LOOKED_AT) or wanted and name not in wanted:
            continue
        seen.add(name)
        args = [arg for arg in shlex.split(entry["command"])
                if not arg.startswith(("-fsanitize", "-fno-sanitize"))]
        args[args.index("-o") + 1] = "/dev/null"
        print(name, shlex.join(args), sep="\t")


main()
