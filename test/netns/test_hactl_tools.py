# SPDX-License-Identifier: BSD-2-Clause
"""hactl for those who look for a fault: traces, the configuration in force, what carries traffic."""

import json
import os
import select
import signal
import subprocess

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.wait import DEADLINE_S


class Trace:
    """A running `hactl trace`, read line by line."""

    def __init__(self, agent, *words, flags=()):
        self.process = subprocess.Popen(
            [os.path.join(agent.bindir, "hactl"), "-s", agent.socket, *flags, "trace", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.seen = b""

    def read_until(self, *words):
        """What it printed, once all of these words are in it."""
        while not all(word.encode() in self.seen for word in words):
            ready, _, _ = select.select([self.process.stdout], [], [], DEADLINE_S)
            assert ready, f"waited for {words} in {self.seen.decode()}"
            octets = os.read(self.process.stdout.fileno(), 65536)
            assert octets, f"ended before {words}: {self.process.stderr.read().decode()}"
            self.seen += octets
        return self.seen.decode()

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        rest, errors = self.process.communicate(timeout=DEADLINE_S)
        assert errors == b""
        self.seen += rest
        return self.process.returncode


@pytest.fixture
def trace(site):
    """trace(WORDS...): one that the daemon has begun."""
    begun = []

    def begin(*words, flags=()):
        t = Trace(site.agent, *words, flags=flags)
        begun.append(t)
        site.agent.wait_event("trace", len(begun))
        return t

    yield begin
    for t in begun:
        if t.process.poll() is None:
            t.process.kill()
            t.process.communicate()


@pytest.mark.parametrize("who", ["address", "nai"])
def test_trace_decodes_request_and_reply_with_the_decision(site, trace, who):
    t = trace(site.home if who == "address" else "alice@corp.example")
    site.make(home=f"{site.prefix}.8", sa=topology.OTHER_SA).register()   # not the one traced
    site.node.register()
    text = t.read_until("Registration Reply", "Code: 0", "Mobile-Home Authentication")
    assert "note  " not in text
    assert "received  Registration Request" in text
    assert f"    Care-of Address: {site.care_of}\n" in text
    assert f"    Home Address: {site.home}\n" in text
    assert "    Decision: accepted, Code 0 (registration accepted): registered\n" in text
    assert "Mobile-Home Authentication Extension (32): SPI 256, authenticator of 16 octets" in text
    assert f"{site.prefix}.8" not in text
    assert t.interrupt() == 0


def test_trace_says_why_a_request_is_denied_or_dropped(site, trace):
    t = trace(site.home, flags=["--json"])
    site.node.send(site.node.build(ident=1 << 32))            # a clock of 1900
    t.read_until('"direction": "sent"')
    wrong = site.make(sa=mip.Association(key=b"\0" * 16))
    wrong.send(wrong.build())
    t.read_until('"verdict": "discarded"')
    rows = [json.loads(line) for line in t.seen.decode().splitlines()]
    assert (rows[0]["verdict"], rows[0]["code"]) == ("denied", 133)
    assert rows[0]["fields"].splitlines()[-1].startswith("Decision: denied, Code 133 (")
    assert rows[1]["message"] == "Registration Reply" and rows[1]["verdict"] is None
    assert rows[1]["fields"].startswith("Code: 133 (")
    assert (rows[2]["verdict"], rows[2]["code"]) == ("discarded", None)
    assert rows[2]["reason"] == "authenticator does not verify"
    assert t.interrupt() == 0


@pytest.mark.parametrize("who", ["address", "nai"])
def test_trace_shows_the_revocation_of_a_binding(site, trace, who):
    """A message that names the node by its address alone is the node's by its NAI as well."""
    site.node.register(extensions=mip.revocation_support())
    t = trace(site.home if who == "address" else "alice@corp.example")
    site.agent.hactl("clear", "binding", site.home, json_output=False)
    text = t.read_until("Registration Revocation", "Mobile-Home Authentication")
    assert "sent  Registration Revocation" in text
    assert f"    Home Address: {site.home}\n" in text
    assert t.interrupt() == 0


@pytest.mark.parametrize("who", ["10.50.0.99", "nobody@corp.example"])
def test_trace_of_an_unknown_node_says_so_at_once_and_goes_on(site, trace, who):
    t = trace(who, flags=["--json"])
    t.read_until('"direction": "note"')
    (row,) = (json.loads(line) for line in t.seen.decode().splitlines())
    assert row["message"].startswith("no mobile node of this home agent") and row["peer"] is None
    if who[0] == "1":
        site.node.send(site.node.build(home=who))
        t.read_until('"verdict": "discarded"')
    assert t.interrupt() == 0


def test_trace_shows_keepalives_in_the_tunnel(site, trace):
    site.node.register(extensions=mip.udp_tunnel_request(forced=True))
    t = trace("alice@corp.example", flags=["--json"])
    site.node.send_udp(mip.echo_request(site.home, site.agent.address))
    t.read_until('"message": "Keepalive"')
    (row,) = (json.loads(line) for line in t.seen.decode().splitlines())
    assert (row["direction"], row["verdict"], row["code"]) == ("received", "answered", None)
    assert row["peer"] == f"{site.care_of}:{site.node.port}"
    assert f"Home Address: {site.home}" in row["fields"].splitlines()
    assert t.interrupt() == 0


def test_a_trace_that_ends_leaves_the_daemon_alone(site, trace):
    for _ in range(3):
        trace(site.home).process.kill()
    site.node.register()
    assert len(site.agent.bindings()) == 1


def test_config_is_the_one_in_force_and_hides_keys(site):
    shown = {row["key"]: row for row in site.agent.hactl("show", "config")}
    assert shown["registration.max-lifetime"]["unit"] == "seconds"
    assert shown["home-networks[0].prefix"]["value"].startswith(site.prefix)
    keys = [row["value"] for key, row in shown.items() if key.endswith("].key")]
    assert all(value.startswith("(hidden, ") for value in keys)
    secrets = [entry["key"] for entry in site.agent.conf["mobile-nodes"]]
    text = json.dumps(shown)
    assert secrets and not any(secret.hex() in text for secret in secrets)
    section = site.agent.hactl("show", "config", "tunnel")
    assert section and all(row["key"].startswith("tunnel.") for row in section)
    for word in ("nonsense", "tunn", "nonsense[0]"):
        done = site.agent.hactl("show", "config", word, check=False)
        assert done.returncode == 1 and "no such key: " + word in done.stderr
    assert site.agent.hactl("show", "config", "home-networks[0].prefix")
    assert site.agent.hactl("show", "config", "home-networks[99]") == []


def test_trusted_networks_are_those_of_ihad_only(site):
    done = site.agent.hactl("show", "trusted-networks", check=False)
    if site.agent.name == "ihad":
        assert done.returncode == 0
        assert all(set(row) == {"network", "addresses"} for row in json.loads(done.stdout))
    else:
        assert done.returncode == 1 and "trusts no network" in done.stderr


def test_data_path_tells_what_carries_the_traffic(site):
    site.node.register()
    shown = site.agent.hactl("show", "data-path")
    assert shown["data-path"] and shown["bindings"] == 1
