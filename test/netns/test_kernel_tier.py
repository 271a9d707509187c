# SPDX-License-Identifier: BSD-2-Clause
"""
tunnel.data-path: kernel. The kernel's own ipip and gre devices put packets into tunnels, and nothing
else: what comes out of one, and what a route cannot say, is tun's. test/vm runs it on Debian's
kernel; where the kernel has no such devices there is one test, that tun carries all and says so.
"""

import socket
import struct

import pytest

from fixtures import mobileip as mip
from fixtures.programs import Counting
from fixtures.wait import DEADLINE_S, until

GRE = b"\0\0\x08\0"
KEYED_GRE = b"\x20\0\x08\0" + b"\0\0\0\x05"


@pytest.fixture
def conf(campus):
    return campus.ihad_conf | {"tunnel": {"data-path": "kernel"}}


@pytest.fixture
def kernel(net):
    if not net.host("probe").has_kernel_tunnels():
        pytest.skip("this kernel has no ipip and gre devices; test/vm/run has one that does")


@pytest.fixture
def ihad(campus, conf, run_daemon, kernel):  # pylint: disable=unused-argument
    ihad = run_daemon(campus.ha, "ihad", conf)
    assert ihad.status()["data-path"] == "kernel", ihad.log()
    return ihad


def fill_in_checksums(host):
    """Or a veth carries them empty, as an interface that fills them in, and so does a tunnel."""
    host.run(["ethtool", "-K", "eth0", "tx", "off"])


@pytest.fixture
def server(campus, correspondent):
    fill_in_checksums(campus.server)
    return correspondent(campus.server, campus.server_address)


@pytest.fixture
def fast(ihad, campus, desk, server):
    """fast(): is the next packet to the node carried by the kernel? It comes to it in any case."""
    desk.register()
    desk.listen_ipip()

    def look():
        before = ihad.counter("fast-path-packets")
        server.send(b"to the node", (campus.home, 6000))
        assert desk.receive_ipip()[1].data == b"to the node"
        return ihad.counter("fast-path-packets") - before == 1

    until(look, "the kernel carries")
    return look


def raw(campus, things, protocol):
    things.append(campus.desk.socket(socket.AF_INET, socket.SOCK_RAW, protocol))
    things[-1].bind((campus.desk_address, 0))
    things[-1].settimeout(DEADLINE_S)
    return things[-1]


def to_server(campus, data=b"out", source=None, **ip):
    return mip.udp_packet(source or campus.home, 6000, campus.server_address, 7000, data, **ip)


def ours(host):
    """What of the tier's is on this host, TUN device, sinks and all."""
    return [line for what in ("link", "rule") for line in host.ip_show(what).splitlines()
            if "ihad0" in line or "not from all iif lo" in line]


# --- without such devices ---

def test_tun_carries_all_and_says_so_where_the_kernel_has_no_such_devices(campus, conf, run_daemon,
                                                                          desk, server):
    if campus.ha.has_kernel_tunnels():
        pytest.skip("this kernel has ipip and gre devices")
    ihad = run_daemon(campus.ha, "ihad", conf)
    events = ihad.events("data-path-degraded")
    assert len(events) == 1 and "modules ipip" in events[0]["remedy"]
    assert ihad.status()["data-path"] == "tun"
    assert len(ours(campus.ha)) == 1, "the TUN device"
    desk.register()
    desk.listen_ipip()
    server.send(b"to the node", (campus.home, 6000))
    assert desk.receive_ipip()[1].data == b"to the node"
    assert ihad.binding(campus.home)["packets-to-node"] == 1


# --- what it carries ---

def test_packets_to_a_node_are_the_kernels_and_those_from_it_tuns(campus, ihad, fast, desk, server):
    counting = Counting(ihad)
    for _ in range(5):
        assert fast()
        desk.send_ipip(to_server(campus))
        assert server.receive()[0] == b"out"
    assert counting["packets-to-nodes"] == counting["fast-path-packets"] == 5
    assert counting["bytes-to-nodes"] == 5 * (28 + len(b"to the node"))
    assert counting["packets-from-nodes"] == 5
    binding = ihad.binding(campus.home)
    assert (binding["packets-to-node"], binding["bytes-to-node"]) == (None, None)
    assert binding["packets-from-node"] == 5
    status = ihad.status()
    assert status["data-path-ihad0-xipip"] == "kernel: ip-in-ip to nodes; from them by tun"
    assert status["data-path-ihad0-xgre"].startswith("kernel: gre")
    assert not ihad.events("data-path-degraded")


def test_outer_header_is_the_home_agents(campus, fast, desk, server):
    server.socket.setsockopt(socket.SOL_IP, socket.IP_TOS, 0xb8)
    server.socket.setsockopt(socket.SOL_IP, socket.IP_TTL, 33)
    server.socket.setsockopt(socket.SOL_IP, 10, 0)      # IP_MTU_DISCOVER: no DF
    server.send(b"x", (campus.home, 6000))
    outer, inner = desk.receive_ipip()
    assert (outer.source, outer.destination, outer.ttl + 1) == (campus.agent, desk.care_of, 64)
    assert (outer.tos, outer.df) == (0xb8, True)
    assert (inner.tos, inner.df, inner.ttl) == (0xb8, False, 31)


def test_gre_is_plain_and_both_ways(campus, ihad, fast, desk, server, things):
    wire = raw(campus, things, 47)
    desk.register(flags=mip.D | mip.T | mip.G)
    counting = Counting(ihad)
    wire.sendto(GRE + to_server(campus), (campus.agent, 0))
    assert server.receive()[0] == b"out"
    server.send(b"back", (campus.home, 6000))
    outer = mip.parse_ipv4(wire.recv(65536))
    assert outer.source == campus.agent and outer.payload[:4] == GRE
    assert mip.parse_ipv4(outer.payload[4:]).data == b"back"
    assert counting["fast-path-packets"] == counting["packets-to-nodes"] == 1
    assert desk.no_ipip()


def test_what_a_route_cannot_say_is_tuns(campus, ihad, fast, desk, peer, server, things):
    counting = Counting(ihad)
    minimal = raw(campus, things, 55)
    desk.register(flags=mip.D | mip.T | mip.M)
    server.send(b"minimal", (campus.home, 6000))
    assert mip.parse_ipv4(minimal.recv(65536)).payload.endswith(b"minimal")
    desk.register(extensions=mip.udp_tunnel_request(forced=True))
    server.send(b"in UDP", (campus.home, 6000))
    assert desk.receive_udp().data == b"in UDP"
    desk.register()
    other = peer(campus.desk, "10.1.0.11", campus.home, campus.agent).listen_ipip()
    other.register(flags=mip.D | mip.T | mip.S)
    server.send(b"twice", (campus.home, 6000))
    assert desk.receive_ipip()[1].data == other.receive_ipip()[1].data == b"twice"
    assert counting["fast-path-packets"] == 0 and counting["packets-to-nodes"] == 4
    other.deregister(flags=mip.D | mip.T | mip.S)
    assert fast()


def test_a_move_and_the_end_hold_for_the_next_packet(campus, ihad, fast, desk, peer, server):
    other = peer(campus.desk, "10.1.0.11", campus.home, campus.agent).listen_ipip()
    other.register()
    counting = Counting(ihad)
    server.send(b"moved", (campus.home, 6000))
    assert other.receive_ipip()[1].data == b"moved" and counting["fast-path-packets"] == 1
    other.deregister()
    server.send(b"nobody", (campus.home, 6000))
    ihad.wait_counter("drops-no-binding", 1)
    assert other.no_ipip() and desk.no_ipip()


def test_what_begins_on_this_host_is_tuns(campus, ihad, fast, desk, correspondent):
    counting = Counting(ihad)
    local = correspondent(campus.ha, campus.agent, 7001)
    local.send(b"from the agent's host", (campus.home, 6000))
    assert desk.receive_ipip()[1].source == campus.agent
    assert counting["fast-path-packets"] == 0 and counting["packets-to-nodes"] == 1


# --- sizes ---

def test_packets_are_fragmented_before_they_are_encapsulated(campus, fast, desk, server):
    server.socket.setsockopt(socket.SOL_IP, 10, 0)
    data = bytes(range(256)) * 7
    server.send(data, (campus.home, 6000))
    parts = {}
    while sum(map(len, parts.values())) < 8 + len(data):
        outer, inner = desk.receive_ipip()
        assert outer.fragment == 0 and not outer.more and outer.length <= 1500
        parts[inner.fragment] = inner.payload
    assert b"".join(parts[k] for k in sorted(parts))[8:] == data


def test_packet_too_big_with_df_is_told_by_the_kernel(campus, fast, desk, server, capture):
    server.socket.setsockopt(socket.SOL_IP, 10, 3)      # IP_PMTUDISC_PROBE: DF, whatever it hears
    wire = capture(campus.server, "eth0")
    server.send(bytes(1480 - 28), (campus.home, 6000))
    assert desk.receive_ipip()[1].length == 1480
    server.send(bytes(1481 - 28), (campus.home, 6000))
    error = until(lambda: [p for p in wire.packets() if p.protocol == 1], "an ICMP error")[0]
    assert error.icmp == (3, 4) and struct.unpack("!H", error.payload[6:8])[0] == 1480
    assert desk.no_ipip()


def test_a_smaller_path_mtu_is_learnt_and_told(campus, ihad, fast, desk, server, capture):
    campus.router.ip("link set desk0 mtu 1300")
    server.socket.setsockopt(socket.SOL_IP, 10, 3)
    wire = capture(campus.server, "eth0")
    server.send(bytes(1400 - 28), (campus.home, 6000))
    error = until(lambda: [p for p in wire.packets() if p.protocol == 1], "an ICMP error")[0]
    assert error.icmp == (3, 4) and struct.unpack("!H", error.payload[6:8])[0] == 1280
    until(lambda: ihad.counter("tunnel-mtu-lowered") == 1, "tun has heard of it, too")
    server.send(bytes(1280 - 28), (campus.home, 6000))
    assert desk.receive_ipip()[1].length == 1280


# --- what must not come out of a tunnel ---

def test_only_the_registered_source_comes_out_of_a_tunnel_whatever_the_kernel_has(
        campus, ihad, fast, desk, peer, server, things, correspondent, capture):
    inside = correspondent(campus.ha, campus.agent, 7002)
    thief = peer(campus.desk, "10.1.0.11", campus.home, campus.agent)
    wire = capture(campus.desk, "eth0")
    gre = raw(campus, things, 47)
    to_agent = mip.udp_packet(campus.home, 6000, campus.agent, 7002, b"to the host itself")
    request = mip.udp_packet(campus.home, 6000, campus.agent, 434, desk.build())
    before = ihad.counters()
    for packet in (to_server(campus), to_agent, request):
        thief.send_ipip(packet)                             # another's outer source
        gre.sendto(GRE + packet, (campus.agent, 0))         # another encapsulation
        gre.sendto(KEYED_GRE + packet, (campus.agent, 0))   # past the sink
    thief.send_ipip(to_server(campus, source=campus.other_home))    # no binding
    gre.sendto(KEYED_GRE + to_server(campus, source=campus.desk_address), (campus.agent, 0))
    desk.send_ipip(request)                                 # a registration in a tunnel
    ihad.wait_counter("drops-tunnel-signalling", before["drops-tunnel-signalling"] + 1)
    desk.send_ipip(to_server(campus, b"a fence"))
    assert server.receive()[0] == b"a fence" and server.heard_nothing()
    assert inside.heard_nothing()
    after = ihad.counters()
    assert after["requests-received"] == before["requests-received"]
    assert after["drops-tunnel-wrong-source"] - before["drops-tunnel-wrong-source"] == 3
    assert after["packets-from-nodes"] - before["packets-from-nodes"] == 1
    assert not [p for p in wire.packets() if p.protocol == 1 and p.source == campus.agent]


def test_it_is_not_chosen_under_a_filter_and_a_reload_that_brings_one_ends_it(
        internet, kernel, run_daemon, peer, correspondent):  # pylint: disable=unused-argument
    ipsec_only = {"policy": "ipsec-only", "vpn-gateways": [internet.vpn_address]}
    base = internet.xhad_conf | {"tunnel": {"data-path": "kernel"}}
    xhad = run_daemon(internet.xha, "xhad", base | {"forwarding": ipsec_only})
    event = xhad.events("data-path-degraded")[0]
    assert "forwarding policy" in xhad.log() and event["asked"] == "kernel"
    assert xhad.status()["data-path"] == "tun"
    xhad.stop()

    xhad.write_config(xhad.conf | {"forwarding": {"policy": "any"}})
    xhad.start()
    assert xhad.status()["data-path"] == "kernel", xhad.log()
    node = peer(internet.roamer, internet.roamer_address, internet.home, internet.agent)
    node.register()
    node.listen_ipip()
    fill_in_checksums(internet.inside)
    other = correspondent(internet.inside, internet.inside_address)

    def carried():
        before = xhad.counter("fast-path-packets")
        other.send(b"x", (internet.home, 6000))
        node.receive_ipip()
        return xhad.counter("fast-path-packets") > before

    until(carried, "the kernel carries")
    xhad.write_config(xhad.conf | {"forwarding": ipsec_only})
    xhad.reload()
    until(lambda: xhad.status()["data-path"] == "tun", "the filter ends it")
    other.send(b"x", (internet.home, 6000))
    xhad.wait_counter("drops-filter", 1)
    assert node.no_ipip()
    xhad.write_config(xhad.conf | {"forwarding": {"policy": "any"}})
    xhad.reload()
    assert xhad.wait_event("data-path-restored")
    until(carried, "the kernel carries again")


# --- coming and going ---

def flush_table(host):
    host.ip("route flush table 167772162")      # 10.0.0.2


def delete(name):
    return lambda host: host.ip(f"link del {name}")


def set_down(host):
    host.ip("link set ihad0-xipip down")


def take_rule(host):
    host.ip("rule del table 167772162")


@pytest.mark.parametrize("harm", [
    pytest.param(flush_table, id="routes"), pytest.param(take_rule, id="rule"),
    pytest.param(set_down, id="down"), pytest.param(delete("ihad0-xipip"), id="device"),
    pytest.param(delete("ihad0-alive"), id="lifeline"), pytest.param(delete("ihad0-ipip"), id="sink")])
def test_what_is_taken_away_is_put_back(campus, ihad, fast, harm):
    before = ours(campus.ha)
    harm(campus.ha)
    until(fast, "the kernel carries again")
    until(lambda: len(ours(campus.ha)) == len(before), "all is back")
    assert ihad.status()["data-path"] == "kernel"


def test_a_killed_daemon_leaves_no_way_and_a_start_clears_the_rest(campus, ihad, fast, desk, server,
                                                                   capture):
    ihad.kill()
    assert not campus.ha.ip_show("route", "show", "table", "167772162").strip()
    server.send(b"nobody", (campus.home, 6000))
    assert desk.no_ipip()
    ihad.start()
    until(fast, "the kernel carries what the store gives back")
    ihad.kill()
    ihad.write_config(ihad.conf | {"tunnel": ihad.conf["tunnel"] | {"data-path": "tun"}})
    ihad.start()
    assert ihad.events("data-path-cleaned")
    assert ihad.status()["data-path"] == "tun" and not fast()
    assert [line for line in ours(campus.ha) if "xipip" in line or "iif" in line] == []


def test_a_stop_leaves_nothing(campus, ihad, fast):
    assert fast() and ours(campus.ha)
    ihad.stop()
    assert ours(campus.ha) == []


def test_one_device_of_a_kind_is_all_that_a_host_has_and_it_is_said(campus, conf, kernel,
                                                                    run_daemon):
    # pylint: disable=unused-argument
    campus.ha.ip("link add other type ipip external")
    ihad = run_daemon(campus.ha, "ihad", conf)
    assert "metadata mode" in ihad.events("data-path-degraded")[0]["remedy"]
    assert ihad.status()["data-path"] == "tun"
    assert "other" in campus.ha.ip_show("link")
