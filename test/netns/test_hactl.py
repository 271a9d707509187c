# SPDX-License-Identifier: BSD-2-Clause
"""What an operator sees: tables for people, JSON for programs, and no client that stalls anybody."""

import os
import socket
import time

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.namespaces import run
from fixtures.wait import until

BINDING_KEYS = {
    "home-address", "home-agent", "care-of-address", "nai", "encapsulation", "reverse-tunnel",
    "source-address", "source-port", "lifetime", "remaining", "spi", "packets-to-node",
    "bytes-to-node", "packets-from-node", "bytes-from-node"}

COUNTERS = {
    "requests-received", "requests-accepted", "requests-denied", "requests-dropped-untrusted",
    "requests-dropped-inside", "requests-malformed", "auth-failures", "replay-failures",
    "replies-with-tnc"}


def test_bindings_as_json_are_an_array_of_the_contracts_objects(site):
    assert site.agent.bindings() == []
    site.node.register()
    (binding,) = site.agent.bindings()
    assert BINDING_KEYS <= set(binding)
    numbers = {k for k, v in binding.items() if type(v) is int}
    assert numbers >= {"source-port", "lifetime", "remaining", "spi", "packets-to-node",
                       "bytes-to-node", "packets-from-node", "bytes-from-node"}
    assert binding["reverse-tunnel"] is True
    assert binding["mobile-networks"] == []


def test_binding_without_an_nai_has_null(site):
    site.make(home=f"{site.prefix}.8", sa=topology.OTHER_SA).register()
    assert site.agent.binding(f"{site.prefix}.8")["nai"] is None


def test_bindings_can_be_asked_for_by_address_and_by_nai(site):
    site.node.register()
    site.make(home=f"{site.prefix}.8", sa=topology.OTHER_SA).register()
    assert len(site.agent.bindings()) == 2
    for which in (site.home, "alice@corp.example"):
        assert [b["home-address"] for b in site.agent.bindings(which)] == [site.home]
    assert site.agent.bindings(f"{site.prefix}.9") == []


def test_bindings_as_a_table_are_readable(site):
    site.node.register()
    table = site.agent.hactl("show", "bindings", json_output=False)
    head, row = table.splitlines()[:2]
    assert site.home in row and site.care_of in row and "ip-in-ip" in row
    assert head.lower().startswith("home")
    assert "\t" not in table and "\x1b" not in table
    assert max(len(line) for line in table.splitlines()) < 250


def test_no_bindings_are_told_in_words(site):
    text = site.agent.hactl("show", "bindings", json_output=False)
    assert text.strip() and site.home not in text


def test_no_binding_of_a_node_is_told_in_words(site):
    assert site.agent.hactl("show", "bindings", site.home, json_output=False) \
        == f"no binding: {site.home} is not registered here\n"


def test_rows_that_no_filter_lets_pass_are_not_said_to_be_absent(site):
    site.node.register()
    assert site.agent.hactl("-f", "home-address=192.0.2.*", "show", "bindings", json_output=False) \
        == "none: no row passes the filter\n"


def test_counters_are_one_flat_object_of_numbers(site):
    counters = site.agent.counters()
    assert COUNTERS <= set(counters)
    assert all(type(v) is int for v in counters.values())
    assert "requests-received" in site.agent.hactl("show", "counters", json_output=False)


def test_status_says_who_and_where(site):
    status = site.agent.status()
    assert site.agent.address in status.values() and 434 in status.values(), status
    assert site.agent.address in site.agent.hactl("show", "status", json_output=False)


def test_mobile_nodes_are_listed_without_their_keys(site):
    nodes = site.agent.hactl("show", "mobile-nodes")
    assert {n["home-address"] for n in nodes} >= {site.home, f"{site.prefix}.8"}
    text = site.agent.hactl("show", "mobile-nodes", json_output=False)
    assert "alice@corp.example" in text
    for output in (str(nodes), text):
        assert topology.SA.key.hex() not in output.lower()


@pytest.mark.parametrize("who", ["address", "nai"])
def test_clear_binding_ends_it(site, who):
    site.node.register()
    site.agent.hactl("clear", "binding", site.home if who == "address" else "alice@corp.example",
                     json_output=False)
    assert site.agent.bindings() == []
    site.node.register()


@pytest.mark.parametrize("words, code", [
    (["show", "nonsense"], 2), (["clear", "binding"], 2), (["show", "bindings", "not an address"], 1),
    (["clear", "binding", "192.0.2.1"], 1), (["show", "bindings", "nobody"], 1)])
def test_bad_command_exits_2_refused_one_1_and_says_why(site, words, code):
    done = site.agent.hactl(*words, json_output=False, check=False)
    assert done.returncode == code
    assert done.stderr.strip()


def test_no_daemon_exits_3_and_says_so(bindir, workdir):
    done = run([os.path.join(bindir, "hactl"), "-s", f"{workdir}/none.sock", "show", "status"],
               check=False)
    assert done.returncode == 3
    assert f"{workdir}/none.sock" in done.stderr


def test_many_bindings_are_all_shown_once(campus, run_daemon, peer):
    campus.ihad_conf["mobile-nodes"] = [topology.node(f"10.50.{i // 250}.{i % 250 + 1}")
                                        for i in range(1000)]
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    node = peer(campus.desk, campus.desk_address, campus.home, campus.agent)
    for i in range(1000):
        node.send(node.build(home=f"10.50.{i // 250}.{i % 250 + 1}"))
        if i % 50 == 49:
            ihad.wait_counter("requests-accepted", i + 1)
    homes = [b["home-address"] for b in ihad.bindings()]
    assert len(homes) == len(set(homes)) == 1000


def client(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(5)
    s.connect(path)
    return s


def test_clients_that_say_nothing_or_read_nothing_stall_nobody(site, things):
    """A dozen that connect and wait, half a request, a reader who never reads; all at once."""
    for _ in range(12):
        things.append(client(site.agent.socket))
    things.append(client(site.agent.socket))
    things[-1].sendall(b"ctl/1 show bin")
    deaf = client(site.agent.socket)
    things.append(deaf)
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    deaf.sendall(b"ctl/1 show counters\n")
    begun = time.monotonic()
    site.node.register()
    assert len(site.agent.bindings()) == 1
    assert time.monotonic() - begun < 20    # they are waited for in minutes


def test_garbage_on_the_control_socket_is_refused(site):
    for octets in (b"\0" * 100, b"x" * 100000, b"ctl/9 show bindings\n", b"\n", b"ctl/1\n",
                   b"ctl/1 show bindings \xff\xfe\n"):
        with client(site.agent.socket) as s:
            try:
                s.sendall(octets)
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass
    site.node.register()
    assert site.agent.bindings()


def test_more_clients_than_allowed_do_not_shut_the_operator_out_for_good(site):
    crowd = [client(site.agent.socket) for _ in range(60)]
    site.node.register()
    for s in crowd:
        s.close()
    # The daemon may meet the operator before it has seen all of the crowd leave.
    until(lambda: site.agent.hactl("show", "bindings", check=False).returncode == 0,
          "the operator is served again")
    assert len(site.agent.bindings()) == 1


def test_bindings_of_both_kinds_of_tunnel_are_shown(campus, ihad, desk, peer):
    """The issue's own words: `hactl show bindings --json` shows both."""
    desk.register()
    peer(campus.desk, "10.1.0.11", campus.other_home, campus.agent,
         sa=topology.OTHER_SA).register(extensions=mip.udp_tunnel_request(forced=True))
    shown = {b["home-address"]: b["encapsulation"]
             for b in ihad.hactl("show", "bindings")}
    assert shown == {campus.home: "ip-in-ip", campus.other_home: "udp"}
    after = run([os.path.join(ihad.bindir, "hactl"), "-s", ihad.socket, "show", "bindings",
                 "--json"]).stdout
    assert '"udp"' in after                 # flags may stand behind the words, too
