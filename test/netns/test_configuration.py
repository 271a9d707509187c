# SPDX-License-Identifier: BSD-2-Clause
"""Configuration files and command lines: every fault is told, with its place and exit code."""

import os
import re

import pytest

from fixtures.namespaces import run
from fixtures.programs import to_yaml

GOOD = """\
home-agent:
  address: 10.0.0.2
home-networks:
  - prefix: 10.50.0.0/16
mobile-nodes:
  - home-address: 10.50.0.7
    spi: 256
    key: 00112233445566778899aabbccddeeff
"""

FAULT = re.compile(r"^(?P<file>/[^:]+):(?P<line>\d+):(?P<column>\d+): "
                   r"(?P<kind>error|warning): (?P<text>.+)$")


@pytest.fixture
def check(workdir, bindir):
    """check(text, program="ihad"): exit code and faults as (line, column, text)."""

    def read(text, program="ihad", mode=0o600, flags=("--check",), host=None):
        path = os.path.join(workdir, "conf.yaml")
        with open(path, "w", encoding="utf-8") as f:
            os.fchmod(f.fileno(), mode)
            f.write(text)
        argv = [os.path.join(bindir, program), "-c", path, *flags]
        done = host.run(argv, check=False) if host else run(argv, check=False)
        faults = []
        for line in done.stderr.splitlines():
            match = FAULT.match(line)
            assert match and match["file"] == path, f"not FILE:LINE:COLUMN: error: ...: {line}"
            if match["kind"] == "error":
                faults.append((int(match["line"]), int(match["column"]), match["text"]))
        return done.returncode, faults

    return read


@pytest.mark.parametrize("program", ["ihad", "xhad"])
def test_good_file_has_no_fault(check, program):
    assert check(GOOD, program) == (0, [])


def test_check_warns_of_what_is_legal_and_unwise(workdir, bindir):
    path = os.path.join(workdir, "conf.yaml")
    with open(path, "w", encoding="utf-8") as f:
        os.fchmod(f.fileno(), 0o600)
        f.write(GOOD + "trusted-networks: [0.0.0.0/0]\n")
    done = run([os.path.join(bindir, "ihad"), "-c", path, "--check"], check=False)
    assert done.returncode == 0
    assert done.stderr.startswith(f"{path}:9:20: warning: trusted-networks: everywhere")


FAULTS = {
    "unknown-key": (GOOD + "registratoin:\n  max-lifetime: 5\n", 9, "registratoin"),
    "unknown-key-in-a-section": (GOOD + "registration:\n  max-lifetme: 5\n", 10, "max-lifetme"),
    "unknown-key-in-a-list": (GOOD + "    home-adress: 10.50.0.8\n", 9, "home-adress"),
    "duplicate-key": (GOOD + "home-agent:\n  address: 10.0.0.3\n", 9, "home-agent"),
    "duplicate-node": (GOOD + "  - home-address: 10.50.0.7\n    spi: 256\n    key: 00ff\n", 9, ""),
    "out-of-range": (GOOD + "registration:\n  max-lifetime: 65536\n", 10, "65535"),
    "zero": (GOOD + "registration:\n  max-lifetime: 0\n", 10, ""),
    "not-a-number": (GOOD + "registration:\n  max-lifetime: soon\n", 10, "soon"),
    "negative": (GOOD + "home-agent-port: -1\n", 9, ""),
    "not-an-address": (GOOD.replace("10.0.0.2", "10.0.0.256"), 2, "10.0.0.256"),
    "not-a-unicast-address": (GOOD.replace("10.0.0.2", "224.0.0.1"), 2, "unicast"),
    "not-a-prefix": (GOOD.replace("10.50.0.0/16", "10.50.0.0/33"), 4, "10.50.0.0/33"),
    "host-bits-in-a-prefix": (GOOD.replace("10.50.0.0/16", "10.50.0.1/16"), 4, ""),
    "not-a-bool": (GOOD + "nat-traversal:\n  enabled: perhaps\n", 10, "perhaps"),
    "not-a-choice": (GOOD.replace("spi: 256", "spi: 256\n    algorithm: md4"), 8, "md4"),
    "not-hex": (GOOD.replace("0011", "00xx"), 8, ""),
    "odd-hex": (GOOD.replace("00112233", "0112233"), 8, ""),
    "reserved-spi": (GOOD.replace("spi: 256", "spi: 255"), 7, "255"),
    "home-outside-home-networks": (GOOD.replace("10.50.0.7", "10.51.0.7"), 6, "10.51.0.7"),
    "pool-outside-network": (
        GOOD.replace("prefix: 10.50.0.0/16", "prefix: 10.50.0.0/16\n    dynamic-pool: 10.51.0.0/24"),
        5, "10.51.0.0/24"),
    "overlapping-home-networks": (
        GOOD.replace("mobile-nodes:", "  - prefix: 10.50.3.0/24\nmobile-nodes:"), 5, "overlap"),
    "missing-ip-in-ip": (GOOD + "tunnel:\n  encapsulation: [gre]\n", 10, "ip-in-ip"),
    "mapping-for-a-scalar": (GOOD + "log:\n  level:\n    deep: true\n", 11, ""),
    "scalar-for-a-section": (GOOD + "registration: 5\n", 9, ""),
    "scalar-for-a-list": (GOOD + "trusted-networks: 10.0.0.0/8\n", 9, ""),
    "bad-yaml": (GOOD + "log: [info\n", 9, ""),
    "tab-indentation": (GOOD + "log:\n\tlevel: info\n", 10, ""),
    "no-key": (GOOD.replace("    key: 00112233445566778899aabbccddeeff\n", ""), 6, "key"),
    "xhads-key-in-ihads-file": (GOOD + "forwarding:\n  policy: any\n", 9, "forwarding"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_told_with_line_and_column(check, name):
    text, line, words = FAULTS[name]
    code, faults = check(text)
    assert code == 1
    assert any(words in fault for at, _, fault in faults), faults
    assert any(abs(at - line) <= 1 for at, _, _ in faults), faults
    assert all(column >= 1 for _, column, _ in faults)


@pytest.mark.parametrize("name", ["home-agent", "home-networks"])
def test_required_key_that_is_missing_is_told(check, name):
    text = re.sub(rf"^{name}:\n(  .*\n)+", "", GOOD, flags=re.M)
    code, faults = check(text)
    assert code == 1 and any(name in fault for _, _, fault in faults), faults


def test_every_fault_is_told_not_only_the_first(check):
    text = GOOD.replace("10.0.0.2", "10.0.0.256").replace("spi: 256", "spi: 1") \
        + "registration:\n  max-lifetime: 70000\n  unknown: 1\nlog:\n  level: loud\n"
    code, faults = check(text)
    assert code == 1
    assert {2, 7, 10, 11, 13} <= {line for line, _, _ in faults}, faults


def test_faults_across_keys_are_told_beside_those_of_single_values(check):
    text = GOOD.replace("mobile-nodes:", "    dynamic-pool: 10.51.0.0/24\nmobile-nodes:") + \
        "  - home-address: 10.50.0.7\n    spi: 256\n    key: 0011\n" \
        "  - home-address: 10.60.0.7\n    spi: 256\n    key: 0011\n" \
        "registration:\n  max-lifetime: 70000\n  unknown: 1\n"
    code, faults = check(text)
    assert code == 1
    for words in ("10.51.0.0/24 is not within", "has SPI 256 already",
                  "10.60.0.7 is in none of the home-networks", "70000", "unknown"):
        assert any(words in fault for _, _, fault in faults), (words, faults)


def test_columns_point_at_the_value(check):
    _, faults = check(GOOD + "registration:\n  max-lifetime: 70000\n")
    assert (10, 17) in [(line, column) for line, column, _ in faults], faults


@pytest.mark.parametrize("text", ["", "\n", "[]\n", "a\n", "\0", "\xff\xfe", "&a [*a]\n"])
def test_file_that_is_no_configuration_is_a_fault(check, text):
    code, faults = check(text)
    assert code == 1 and faults


def test_key_material_is_in_no_fault(check):
    secret = "deadbeefdeadbeefdeadbeefdeadbeef"
    for text in (GOOD.replace("00112233445566778899aabbccddeeff", secret + "0"),
                 GOOD.replace("key: 0011", f"key: {secret} xx")):
        code, faults = check(text)
        assert code == 1
        assert "deadbeef" not in str(faults)


def test_readable_keys_are_refused_unless_allowed(check):
    code, faults = check(GOOD, mode=0o644)
    assert code == 1 and faults
    assert check("allow-readable-keys: true\n" + GOOD, mode=0o644) == (0, [])


@pytest.mark.parametrize("line, fault", [
    ("10.50.0.8 - 257 hmac-md5 00112233445566778899aabbccddeeff nonce", False),
    ("- carol@corp.example 258 hmac-sha256 00112233445566778899aabbccddeeff", True),
    ("10.50.0.8 - 257 hmac-md4 00112233445566778899aabbccddeeff", True),
    ("10.50.0.8 - 257 hmac-md5", True),
    ("10.50.0.8 - 257 hmac-md5 00112233445566778899aabbccddeeff never", True),
    ("10.50.0.8 - 257 hmac-md5 00112233445566778899aabbccddeeff nonce extra", True),
    ("10.50.0.7 - 256 hmac-md5 00112233445566778899aabbccddeeff", True),
    ("10.60.0.8 - 257 hmac-md5 00112233445566778899aabbccddeeff", True),
], ids=["good", "nai-without-pool", "algorithm", "no-key", "replay", "extra", "duplicate", "home"])
def test_mobile_nodes_file_is_held_to_the_same_rules(workdir, bindir, line, fault):
    nodes, conf = os.path.join(workdir, "nodes"), os.path.join(workdir, "conf.yaml")
    with open(nodes, "w", encoding="utf-8") as f:
        f.write(f"# comment\n\n{line}\n")
    with open(conf, "w", encoding="utf-8") as f:
        f.write(GOOD + f"mobile-nodes-file: {nodes}\n")
    os.chmod(nodes, 0o600)
    os.chmod(conf, 0o600)
    done = run([os.path.join(bindir, "ihad"), "-c", conf, "--check"], check=False)
    assert done.returncode == (1 if fault else 0), done.stderr
    if fault:
        assert re.match(rf"{re.escape(nodes)}:3:\d+: error: ", done.stderr) \
            or re.match(rf"{re.escape(conf)}:\d+:\d+: error: ", done.stderr), done.stderr


def test_nodes_of_the_file_can_register(campus, run_daemon, workdir, peer):
    path = os.path.join(workdir, "nodes")
    with open(path, "w", encoding="utf-8") as f:
        os.fchmod(f.fileno(), 0o600)
        f.write("10.50.1.1 - 256 hmac-md5 00112233445566778899aabbccddeeff # Dora\n")
    run_daemon(campus.ha, "ihad", campus.ihad_conf | {"mobile-nodes-file": path})
    peer(campus.desk, campus.desk_address, "10.50.1.1", campus.agent).register()


@pytest.mark.parametrize("program", ["ihad", "xhad"])
def test_daemon_with_a_faulty_file_tells_the_same_and_exits_1(check, net, program):
    text = GOOD + "registration:\n  max-lifetime: 70000\n"
    assert check(text, program, flags=(), host=net.host("ha")) == check(text, program)


def test_check_touches_nothing(net, bindir, workdir):
    host = net.host("ha")
    path = os.path.join(workdir, "conf.yaml")
    with open(path, "w", encoding="utf-8") as f:
        os.fchmod(f.fileno(), 0o600)
        f.write(GOOD + f"control:\n  socket: {workdir}/x/ihad.sock\n"
                       f"state:\n  directory: {workdir}/state\n")
    before = host.ip_show("link"), host.ip_show("route", "show", "table", "all"), \
        os.listdir(workdir)
    host.run([os.path.join(bindir, "ihad"), "-c", path, "--check"])
    assert before == (host.ip_show("link"), host.ip_show("route", "show", "table", "all"),
                      os.listdir(workdir))


def test_faulty_reload_keeps_the_running_configuration_and_says_so(campus, ihad, desk):
    ihad.write_config(to_yaml(ihad.conf).replace("10.0.0.0/8", "10.0.0.0/99"))
    ihad.reload()
    assert ihad.wait_event("reload-failed")
    assert re.search(r"\.yaml:\d+:\d+: error: ", ihad.log())
    desk.register()


@pytest.mark.parametrize("program", ["ihad", "xhad", "hactl"])
def test_help_and_version(bindir, program):
    path = os.path.join(bindir, program)
    for flag in ("--help", "-h"):
        assert "Usage:" in run([path, flag]).stdout
    for flag in ("--version", "-V"):
        assert re.match(rf"{program} \d+\.\d+", run([path, flag]).stdout)


@pytest.mark.parametrize("program", ["ihad", "xhad", "hactl"])
@pytest.mark.parametrize("flags", [["--nonsense"], ["-c"], ["nonsense"]],
                         ids=["unknown-flag", "no-argument", "unknown-word"])
def test_bad_command_line_exits_2_with_a_hint(bindir, program, flags):
    if program == "hactl" and flags != ["--nonsense"]:
        flags = ["-s"] if flags == ["-c"] else []
    done = run([os.path.join(bindir, program), *flags], check=False)
    assert done.returncode == 2
    assert done.stderr and done.stdout == ""
