# SPDX-License-Identifier: BSD-2-Clause
"""
What is written of the programs is true of them: manual pages, help, completion, OpenMetrics, and the
screens of hactl, which are kept in golden/ (HA_GOLDEN=write makes them anew).
"""

import fcntl
import itertools
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios

import pytest

from fixtures import topology
from fixtures.namespaces import run
from fixtures.wait import DEADLINE_S

GOLDEN = os.path.join(os.path.dirname(__file__), "golden")
OWN_COMMANDS = {"new-key"}


@pytest.fixture
def doc(bindir):
    """The directory of what the build made of the manual."""
    return os.path.join(bindir, "..", "doc")


def page(doc, name):
    with open(os.path.join(doc, name), encoding="utf-8") as f:
        return f.read().replace("\\-", "-")


def terms(text):
    """What stands in bold at the head of each paragraph: keys, commands."""
    return re.findall(r"^\.TP\n\\fB(.*?)\\fR", text, re.MULTILINE)


def part(text, begin, end):
    return text[text.index(begin):text.index(end)]


# --- the manual ---

@pytest.mark.parametrize("name", ["ihad.8", "xhad.8", "hactl.8", "home-agent.yaml.5"])
def test_manual_page_is_well_formed(doc, name):
    path = os.path.join(doc, name)
    done = run(["groff", "-ww", "-man", "-Tutf8", "-z", path], check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if shutil.which("mandoc"):
        done = run(["mandoc", "-T", "lint", "-W", "warning", path], check=False)
        assert done.stdout == ""


def test_manual_has_each_command_and_no_other(doc, site):
    text = page(doc, "hactl.8")
    known = {row["command"] for row in site.agent.hactl("help")}
    assert set(terms(part(text, ".SS Asked of", ".SS Carried out"))) == known
    assert set(terms(part(text, ".SS Carried out", ".SH FILTERS"))) == OWN_COMMANDS


def test_manual_has_each_option_and_no_other(doc, bindir):
    in_help = set(re.findall(r"--[a-z]+", run([os.path.join(bindir, "hactl"), "--help"]).stdout))
    text = part(page(doc, "hactl.8"), ".SH OPTIONS", ".SH COMMANDS")
    assert set(re.findall(r"\\fB(--[a-z]+)\\fR", text)) == in_help


def test_manual_has_each_key_with_its_default(doc, site):
    """The daemon's own account of its configuration is what the page is held to."""
    text = page(doc, "home-agent.yaml.5")
    own = {"ihad": "XHAD", "xhad": "IHAD"}[site.agent.name]
    at = text.index(f".SH KEYS OF {own}")
    text = text[:at] + text[text.index(".SH", at + 1):]
    shown = site.agent.hactl("show", "config")
    keys = {re.sub(r"^.*\]\.", "", row["key"]) for row in shown}
    top = {term for term in terms(text) if "." in term or term in keys}
    assert keys <= set(terms(text))
    assert top - keys == set()
    for row in shown:
        if row["default"] is not None:
            assert f"default {row['default']})" in text, row["key"]


@pytest.mark.parametrize("program", ["ihad", "xhad", "hactl"])
def test_help_fits_a_screen(bindir, program):
    lines = run([os.path.join(bindir, program), "--help"]).stdout.splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80


# --- completion ---

def complete(bindir, doc, *words):
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hactl; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = run(["bash", "--norc", "-c", script, "bash", os.path.join(doc, "hactl.bash"), "hactl",
                *words], env={**os.environ, "PATH": f"{bindir}:{os.environ['PATH']}"})
    assert done.stderr == ""
    return done.stdout.split()


def test_completion_in_bash_knows_commands_options_and_nodes(site, bindir, doc):
    flags = ["-s", site.agent.socket]
    first = {row["command"].split()[0] for row in site.agent.hactl("help")} | OWN_COMMANDS
    assert set(complete(bindir, doc, *flags, "")) == first
    assert complete(bindir, doc, *flags, "show", "b") == ["bindings"]
    assert complete(bindir, doc, "log-level", "d") == ["debug"]
    assert complete(bindir, doc, "drain", "") == ["off"]
    assert "--openmetrics" in complete(bindir, doc, "--o")
    nodes = complete(bindir, doc, *flags, "trace", "")
    assert site.home in nodes and "alice@corp.example" in nodes
    assert complete(bindir, doc, *flags, "show", "bindings", "al") == ["alice@corp.example"]
    assert complete(bindir, doc, *flags, "reload", "") == []


def typed(argv, keys, expect, environment):
    """Types into a program on a terminal of its own; what it shows, once that is in it."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(argv[0], argv, environment)
    seen = b""
    try:
        for key, answer in zip(keys, expect):
            os.write(fd, key)
            while answer not in seen:
                assert select.select([fd], [], [], 15)[0], seen
                seen += os.read(fd, 65536)
        return seen
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)


def test_completion_works_in_an_interactive_bash(bindir, doc):
    environment = {"PATH": f"{bindir}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "> "}
    typed(["bash", "--norc", "--noprofile", "-i"],
          [f"source {doc}/hactl.bash; echo rea\"\"dy\n".encode(), b"hactl show tru\t\t"],
          [b"ready", b"show trusted-networks "], environment)


def test_completion_works_in_an_interactive_zsh(bindir, doc):
    if not shutil.which("zsh"):
        pytest.skip("zsh is not installed")
    environment = {"PATH": f"{bindir}:{os.environ['PATH']}", "TERM": "dumb", "HOME": "/nonexistent"}
    typed(["zsh", "-f", "-i"],
          [f"fpath=({doc} $fpath); autoload -Uz compinit && compinit -u -D; echo rea''dy\n".encode(),
           b"hactl show tru\t"],
          [b"ready", b"show trusted-networks"], environment)


# --- OpenMetrics ---

def test_counters_are_valid_openmetrics(site):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    site.node.register()
    text = site.agent.hactl("--openmetrics", "show", "counters", json_output=False)
    families = {f.name: f for f in parser.text_string_to_metric_families(text)}
    assert text.endswith("# EOF\n")
    counters = site.agent.counters()
    for name in counters:
        family = families["home_agent_" + name.replace("-", "_")]
        assert family.type == "counter"
        (sample,) = family.samples
        assert sample.labels == {"daemon": site.agent.name}
    (accepted,) = families["home_agent_requests_accepted"].samples
    assert accepted.value == counters["requests-accepted"] == 1
    assert families["home_agent_bindings"].samples[0].value == 1
    drops = families["home_agent_interface_drops"]
    assert drops.type == "counter"
    assert {s.labels["interface"]: s.value for s in drops.samples} == {
        k[len("drops-"):]: v for k, v in site.agent.hactl("show", "data-path").items()
        if k.startswith("drops-")} and f"{site.agent.name}0" in {s.labels["interface"] for s in drops.samples}
    done = site.agent.hactl("--openmetrics", "show", "bindings", check=False)
    assert done.returncode == 2 and "show counters" in done.stderr


# --- hactl's own ---

def test_new_key_is_a_line_that_the_daemon_takes(bindir, workdir):
    hactl = os.path.join(bindir, "hactl")
    lines = [run([hactl, "new-key", *words]).stdout for words in
             (["10.50.0.7", "alice@corp.example"], ["10.50.0.8"], ["10.50.0.9", "hmac-md5"])]
    keys = [line.split()[4] for line in lines]
    assert [len(key) for key in keys] == [64, 64, 32] and len(set(keys)) == 3
    conf, nodes = os.path.join(workdir, "conf.yaml"), os.path.join(workdir, "nodes")
    for path, text in ((nodes, "".join(lines)),
                       (conf, "home-agent: {address: 10.0.0.2}\nhome-networks:\n"
                              "  - prefix: 10.50.0.0/16\ntrusted-networks: [10.0.0.0/8]\n"
                              f"mobile-nodes-file: {nodes}\n")):
        with open(path, "w", encoding="utf-8") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(text)
    done = run([os.path.join(bindir, "ihad"), "--check", "-c", conf], check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for words in ([], ["10.50.0.7", "10.50.0.8"], ["keyed-md5", "a@b"], ["1.2.3"],
                  ["10.50.0.7", "hmac-foo"], ["SHA256"], ["10.50.0.8", "md4"], ["fred"]):
        done = run([hactl, "new-key", *words], check=False)
        assert done.returncode == 2 and "usage: hactl new-key" in done.stderr
    nai = "hmac-foo@corp.example"
    assert run([hactl, "new-key", nai]).stdout.split()[1] == nai


def test_rows_are_filtered_and_sorted(site):
    site.node.register()
    site.make(home=f"{site.prefix}.8", sa=topology.OTHER_SA).register(lifetime=300)
    hactl = site.agent.hactl
    assert [b["home-address"] for b in hactl("-f", "home-address=*.8", "show", "bindings")] \
        == [f"{site.prefix}.8"]
    assert [b["lifetime"] for b in hactl("--sort", "-lifetime", "show", "bindings")] == [600, 300]
    assert [b["lifetime"] for b in hactl("--sort=lifetime", "show", "bindings")] == [300, 600]
    assert len(hactl("-f", "lifetime>300", "show", "bindings")) == 1
    assert len(hactl("-f", "nai!=-", "-f", "reverse-tunnel=yes", "show", "bindings")) == 1
    assert hactl("-f", "name=requests-acc*", "show", "counters") == {"requests-accepted": 2}
    done = hactl("-f", "colour=red", "show", "bindings", check=False)
    assert done.returncode == 2 and "there are: home-address," in done.stderr
    assert hactl("-f", "red", "show", "bindings", check=False).returncode == 2


def test_watch_asks_again_until_interrupted(site):
    site.node.register()
    watch = subprocess.Popen([os.path.join(site.agent.bindir, "hactl"), "-s", site.agent.socket,
                              "--watch=1", "show", "bindings"], stdout=subprocess.PIPE)
    seen = b""
    while seen.count(b"HOME-ADDRESS") < 2:
        assert select.select([watch.stdout], [], [], DEADLINE_S)[0]
        seen += os.read(watch.stdout.fileno(), 65536)
    watch.send_signal(signal.SIGINT)
    assert watch.wait(DEADLINE_S) == 0      # it would ask for ever
    assert b"\x1b" not in seen
    watch.stdout.close()


def until(fd, seen, *wanted):
    """Reads on until all of that was seen."""
    while not all(text in seen for text in wanted):
        assert select.select([fd], [], [], 20)[0], seen
        seen += os.read(fd, 65536)
    return seen


def test_watch_waits_for_a_daemon_that_restarts(site):
    site.node.register()
    argv = [os.path.join(site.agent.bindir, "hactl"), "-s", site.agent.socket, "-w1", "show",
            "bindings"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watch:
        until(watch.stdout.fileno(), b"", b"HOME-ADDRESS")
        site.agent.stop()
        until(watch.stderr.fileno(), b"", b"hactl: no answer from " + site.agent.socket.encode())
        site.agent.start()
        until(watch.stdout.fileno(), b"", b"HOME-ADDRESS")
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(DEADLINE_S) == 0
    site.agent.stop()
    done = run(argv, check=False)
    assert done.returncode == 3 and "cannot reach" in done.stderr


def test_watch_on_a_terminal_says_there_that_nobody_answers(site):
    argv = [os.path.join(site.agent.bindir, "hactl"), "-s", site.agent.socket, "-w1", "show",
            "status"]
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 200, 0, 0))
        os.execvpe(argv[0], argv, {"PATH": os.environ["PATH"], "TERM": "xterm"})
    try:
        until(fd, b"", b"version", b"\x1b[J")
        site.agent.stop()
        until(fd, b"", b"hactl: no answer from " + site.agent.socket.encode() + b": ")
        os.write(fd, b"\x03")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        os.close(fd)


def test_watch_on_a_terminal_fits_its_rows_and_wipes_nothing(site):
    argv = [os.path.join(site.agent.bindir, "hactl"), "-s", site.agent.socket, "-w1", "show",
            "counters"]
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 60, 0, 0))
        os.execvpe(argv[0], argv, {"PATH": os.environ["PATH"], "TERM": "xterm"})
    seen = b""
    try:
        while seen.count(b"\x1b[J") < 2:
            assert select.select([fd], [], [], DEADLINE_S)[0], seen
            seen += os.read(fd, 65536)
        os.write(fd, b"\x03")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        os.close(fd)
    assert b"\x1b[2J" not in seen and b"\x1b[3J" not in seen
    above, first, _second = seen.split(b"\x1b[?7l\x1b[H", 2)
    assert above.count(b"\n") == 10              # what was there can be scrolled back to
    lines = first.split(b"\x1b[J")[0].split(b"\x1b[K\r\n")
    assert len(lines) == 10 and lines[9] == b""
    assert re.fullmatch(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}  every 1 s: show counters", lines[0])
    assert re.fullmatch(rb"\.\.\. \d+ more lines; a higher terminal shows them", lines[8])


def test_colours_are_for_terminals_that_want_them(site):
    site.node.register()
    argv = [os.path.join(site.agent.bindir, "hactl"), "-s", site.agent.socket, "show", "bindings"]
    terminal = {"PATH": os.environ["PATH"], "TERM": "xterm"}
    assert b"\x1b[1mHOME-ADDRESS" in typed(argv, [b""], [site.home.encode()], terminal)
    for environment in (terminal | {"NO_COLOR": "1"}, terminal | {"TERM": "dumb"}):
        assert b"\x1b" not in typed(argv, [b""], [site.home.encode()], environment)
    assert "\x1b" not in site.agent.hactl("show", "bindings", json_output=False)


# --- screens ---

SCREENS = {
    "bindings": ["show", "bindings"],
    "mobile-nodes": ["show", "mobile-nodes"],
    "counters": ["-f", "name=requests-*", "show", "counters"],
    "config": ["show", "config", "registration"],
    "trusted-networks": ["show", "trusted-networks"],
    "help": ["help"],
}


@pytest.mark.parametrize("screen, columns", [
    *itertools.product(SCREENS, (80, 200)), ("bindings", 40), ("mobile-nodes", 40)])
def test_screen_is_the_golden_one(campus, ihad, desk, peer, screen, columns):
    desk.register()
    peer(campus.desk, "10.1.0.11", campus.other_home, campus.agent,
         sa=topology.OTHER_SA).register()
    shown = run([os.path.join(ihad.bindir, "hactl"), "-s", ihad.socket, *SCREENS[screen]],
                env={**os.environ, "COLUMNS": str(columns)}).stdout
    for binding in ihad.bindings():            # what no two runs have alike, as long as it is
        shown = shown.replace(str(binding["source-port"]), "#" * len(str(binding["source-port"])))
    if screen == "bindings":
        shown = re.sub(r"\b(600|59\d)\b(?=[ \n])(?! +(?:600|59\d)\b)", "###", shown)
    assert max(map(len, shown.splitlines())) <= columns
    path = os.path.join(GOLDEN, f"{screen}-{columns}.txt")
    if os.environ.get("HA_GOLDEN") == "write":
        with open(path, "w", encoding="utf-8") as f:
            f.write(shown)
    with open(path, encoding="utf-8") as f:
        assert shown == f.read()
