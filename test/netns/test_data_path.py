# SPDX-License-Identifier: BSD-2-Clause
"""Packets in the tunnels: encapsulation both ways, who may send, and what nobody may."""

import signal
import socket
import struct

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.programs import Counting
from fixtures.wait import until


def to_server(campus, payload=b"out", home=None, **ip):
    return mip.udp_packet(home or campus.home, 6000, campus.server_address, 7000, payload, **ip)


def test_ip_in_ip_to_the_node(campus, registered, server):
    server.send(b"hello", (campus.home, 6000))
    outer, inner = registered.receive_ipip()
    assert (outer.source, outer.destination, outer.protocol) == (
        campus.agent, campus.desk_address, 4)
    assert (inner.source, inner.destination, inner.data) == (
        campus.server_address, campus.home, b"hello")


def test_reverse_tunnel_from_the_node(campus, registered, server):
    registered.send_ipip(to_server(campus))
    data, source = server.receive()
    assert (data, source) == (b"out", (campus.home, 6000))


def gre(packet):
    return b"\0\0\x08\0" + packet.octets


def minimal(packet):
    """RFC 2004 §3.1, with the original source present."""
    header = struct.pack("!BBH4s4s", packet.protocol, 0x80, 0, mip.address(packet.destination),
                         mip.address(packet.source))
    return header[:2] + struct.pack("!H", mip.checksum(header)) + header[4:] + packet.payload


@pytest.mark.parametrize("protocol, flag, encapsulate", [(47, mip.G, gre), (55, mip.M, minimal)],
                         ids=["gre", "minimal"])
def test_other_encapsulations_both_ways(campus, ihad, desk, server, things, protocol, flag,
                                        encapsulate):
    raw = campus.desk.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
    things.append(raw)
    raw.bind((campus.desk_address, 0))
    raw.settimeout(5)
    desk.register(flags=mip.D | mip.T | flag)
    raw.sendto(encapsulate(mip.parse_ipv4(to_server(campus))), (campus.agent, 0))
    data, source = server.receive()
    assert (data, source) == (b"out", (campus.home, 6000))
    server.send(b"back", source)
    outer = mip.parse_ipv4(raw.recv(65536))
    assert (outer.source, outer.protocol) == (campus.agent, protocol)
    if protocol == 47:
        assert outer.payload[:4] == b"\0\0\x08\0"
        assert mip.parse_ipv4(outer.payload[4:]).data == b"back"
    else:
        assert outer.payload[0] == 17 and mip.checksum(outer.payload[:12]) == 0
        assert mip.text(outer.payload[4:8]) == campus.home
        assert mip.text(outer.payload[8:12]) == campus.server_address
        assert outer.payload[12 + 8:] == b"back"


def test_inner_ttl_is_one_less_on_each_way(campus, ihad, registered, server, capture):
    wire = capture(campus.server, "eth0")
    server.socket.setsockopt(0, 2, 33)      # IP_TTL
    server.send(b"hello", (campus.home, 6000))
    # The campus router and the home agent forward it.
    assert registered.receive_ipip()[1].ttl == 31
    registered.send_ipip(to_server(campus, ttl=33))
    server.receive()
    assert [p.ttl for p in wire.packets() if p.source == campus.home] == [31]


def test_time_exceeded_for_an_inner_ttl_of_1(campus, ihad, registered, server, capture):
    wire = capture(campus.server, "eth0")
    server.socket.setsockopt(0, 2, 2)       # 1 when it reaches the home agent
    server.send(b"hello", (campus.home, 6000))
    error = until(lambda: [p for p in wire.packets() if p.protocol == 1], "an ICMP error")[0]
    assert error.icmp == (11, 0) and error.source == campus.agent
    assert registered.no_ipip()


def test_tos_is_copied_to_the_outer_header(campus, registered, server):
    server.socket.setsockopt(0, 1, 0xb8)    # IP_TOS: expedited forwarding
    server.send(b"hello", (campus.home, 6000))
    outer, inner = registered.receive_ipip()
    assert (outer.tos, inner.tos) == (0xb8, 0xb8)


def test_what_the_device_has_no_room_for_is_counted(campus, run_daemon, desk, server):
    """A daemon that does not read: its queue is 4,096 packets long, and the kernel drops the rest."""
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf | {"tunnel": {"data-path": "tun"}})
    desk.register()
    sent, queue = 6000, 4096

    def drops():
        return ihad.hactl("show", "data-path")["drops-ihad0"]
    assert drops() == 0
    ihad.process.send_signal(signal.SIGSTOP)
    for _ in range(sent):
        server.send(b"much", (campus.home, 6000))
    ihad.process.send_signal(signal.SIGCONT)
    until(lambda: ihad.counter("packets-to-nodes") + drops() == sent, "each is accounted for")
    assert sent - queue - 8 <= drops() <= sent - queue


def test_host_unreachable_for_a_home_address_without_a_binding(campus, ihad, server, capture):
    wire = capture(campus.server, "eth0")
    server.send(b"anyone?", (campus.home, 6000))
    error = until(lambda: [p for p in wire.packets() if p.protocol == 1], "an ICMP error")[0]
    assert error.icmp == (3, 1)
    assert (error.source, error.destination) == (campus.agent, campus.server_address)
    quoted = mip.parse_ipv4(error.payload[8:36] + bytes(200))
    assert quoted.destination == campus.home
    assert ihad.counter("drops-no-binding") == 1


def test_counters_of_a_binding_are_exact(campus, ihad, registered, server):
    for i in range(7):
        server.send(b"x" * 100, (campus.home, 6000))
        registered.receive_ipip()
    for i in range(5):
        registered.send_ipip(to_server(campus, b"y" * 50))
        server.receive()
    binding = ihad.binding(campus.home)
    assert {k: binding[k] for k in ("packets-to-node", "bytes-to-node", "packets-from-node",
                                    "bytes-from-node")} == {
        "packets-to-node": 7, "bytes-to-node": 7 * 128,
        "packets-from-node": 5, "bytes-from-node": 5 * 78}
    registered.register()                   # a renewal keeps them
    assert ihad.binding(campus.home)["packets-to-node"] == 7


def test_s_bit_sends_a_copy_to_each_care_of_address(campus, ihad, peer, server):
    flags = mip.S | mip.D | mip.T
    nodes = [peer(campus.desk, care_of, campus.home, campus.agent).listen_ipip()
             for care_of in ("10.1.0.10", "10.1.0.11")]
    for node in nodes:
        node.register(flags=flags)
    server.send(b"both", (campus.home, 6000))
    for node in nodes:
        outer, inner = node.receive_ipip()
        assert outer.destination == node.care_of and inner.data == b"both"
    for node in nodes:                      # and both may send
        node.send_ipip(to_server(campus))
        assert server.receive()[0] == b"out"


def test_data_follows_a_move_at_once(campus, ihad, registered, peer, server):
    """When the node hears yes, its packets already come."""
    moved = peer(campus.desk, "10.1.0.11", campus.home, campus.agent).listen_ipip()
    moved.register()
    server.send(b"new", (campus.home, 6000))
    assert moved.receive_ipip()[1].data == b"new"
    assert registered.no_ipip()
    registered.send_ipip(to_server(campus))     # the old place may not send any more
    ihad.wait_counter("drops-tunnel-wrong-source", 1)
    assert server.heard_nothing()


def test_data_ends_with_the_binding(campus, ihad, registered, server, capture):
    registered.deregister()
    registered.send_ipip(to_server(campus))
    ihad.wait_counter("drops-tunnel-no-binding", 1)
    wire = capture(campus.server, "eth0")
    server.send(b"gone?", (campus.home, 6000))
    until(lambda: [p for p in wire.packets() if p.icmp == (3, 1)], "host unreachable")
    assert server.heard_nothing() and registered.no_ipip()


def test_packet_of_nobody_is_dropped_counted_and_logged(campus, ihad, registered, server):
    registered.send_ipip(to_server(campus, home="10.50.0.99"))
    registered.send_ipip(to_server(campus, home="8.8.8.8"))
    ihad.wait_counter("drops-tunnel-no-binding", 2)
    assert server.heard_nothing()
    events = ihad.wait_event("tunnel-no-binding", 2)
    assert [e["inner-source"] for e in events] == ["10.50.0.99", "8.8.8.8"]
    assert {e["outer-source"] for e in events} == {campus.desk_address}


def test_packet_in_anothers_name_is_dropped_counted_and_logged(campus, ihad, registered, peer,
                                                               server):
    other = peer(campus.desk, "10.1.0.11", campus.other_home, campus.agent, sa=topology.OTHER_SA)
    other.register()
    other.send_ipip(to_server(campus))      # Alice's home address in Bob's tunnel
    ihad.wait_counter("drops-tunnel-wrong-source", 1)
    assert server.heard_nothing()
    assert ihad.binding(campus.home)["packets-from-node"] == 0
    (event,) = ihad.wait_event("tunnel-wrong-source")
    assert (event["outer-source"], event["inner-source"]) == ("10.1.0.11", campus.home)


def test_stranger_with_the_right_inner_source_is_dropped(campus, ihad, registered, peer, server):
    stranger = peer(campus.stranger, campus.stranger_address, campus.home, campus.agent)
    stranger.send_ipip(to_server(campus))
    ihad.wait_counter("drops-tunnel-wrong-source", 1)
    assert server.heard_nothing() and stranger.no_ipip()


def test_flood_of_bad_tunnel_packets_is_counted_exactly_and_logged_in_bounds(campus, ihad, desk,
                                                                             registered):
    before = len(ihad.log().splitlines())
    inner = to_server(campus, home="10.50.0.99")
    for sent in range(1, 2001):
        registered.send_ipip(inner)
        if sent % 100 == 0:
            ihad.wait_counter("drops-tunnel-no-binding", sent)
    assert ihad.counter("drops-tunnel-no-binding") == 2000
    assert len(ihad.log().splitlines()) - before < 50


def test_without_t_udp_data_reaches_only_the_home_agent_itself(campus, ihad, desk, server):
    desk.register(flags=mip.D, extensions=mip.udp_tunnel_request(forced=True))
    assert ihad.binding(campus.home)["reverse-tunnel"] is False
    desk.send_udp(to_server(campus))
    ihad.wait_counter("drops-tunnel-no-reverse", 1)
    assert server.heard_nothing()
    desk.send_udp(mip.echo_request(campus.home, campus.agent))
    assert desk.receive_udp().icmp == (0, 0)
    server.send(b"hello", (campus.home, 6000))
    assert desk.receive_udp().data == b"hello"


def test_without_t_the_node_is_still_served(campus, ihad, desk, server):
    """Triangular: packets come by the tunnel. RFC 5944 §4.2.3 has us decapsulate, too."""
    desk.register(flags=mip.D)
    desk.listen_ipip()
    assert ihad.binding(campus.home)["reverse-tunnel"] is False
    server.send(b"hello", (campus.home, 6000))
    assert desk.receive_ipip()[1].data == b"hello"


@pytest.mark.parametrize("inner", [
    b"", b"\x45", bytes(20), b"\x45" + bytes(19), b"\x4f" + bytes(25), b"\x65" + bytes(60)],
    ids=["empty", "one", "zeros", "length-0", "ihl-past-the-end", "version-6"])
def test_malformed_inner_packet_is_dropped_and_counted(campus, ihad, registered, server, inner):
    registered.send_ipip(inner)
    ihad.wait_counter("drops-tunnel-malformed", 1)
    assert server.heard_nothing()


def test_inner_packet_longer_than_it_says_is_cut_or_dropped(campus, ihad, registered, server,
                                                            capture):
    wire = capture(campus.server, "eth0")
    counting = Counting(ihad)
    registered.send_ipip(to_server(campus) + b"trailing rubbish")
    registered.send_ipip(to_server(campus, b"next"))
    while server.receive()[0] != b"next":
        pass
    assert all(b"rubbish" not in p.octets for p in wire.packets())
    assert counting["drops-tunnel-malformed"] in (0, 1)


def test_loop_to_the_node_itself_is_dropped(campus, ihad, registered):
    """Tunnelled by the node to its own care-of address's home: RFC 5944 §4.2.3."""
    registered.send_ipip(mip.udp_packet(campus.home, 6000, campus.home, 7000, b"round"))
    registered.send_ipip(mip.echo_request(campus.home, campus.agent, 9, 9))
    outer, inner = registered.receive_ipip()
    assert inner.icmp == (0, 0) or inner.data == b"round"


def test_node_reaches_a_node_through_both_tunnels(campus, ihad, registered, peer):
    other = peer(campus.desk, "10.1.0.11", campus.other_home, campus.agent, sa=topology.OTHER_SA)
    other.register()
    other.listen_ipip()
    registered.send_ipip(mip.udp_packet(campus.home, 1, campus.other_home, 2, b"psst"))
    outer, inner = other.receive_ipip()
    assert (outer.source, outer.destination) == (campus.agent, "10.1.0.11")
    assert (inner.source, inner.data) == (campus.home, b"psst")


def test_home_agent_host_itself_reaches_a_node(campus, registered, correspondent):
    """What begins on this host is tunnelled too: a VPN gateway may run here."""
    local = correspondent(campus.ha, campus.agent, 7001)
    local.send(b"from the host", (campus.home, 6000))
    assert registered.receive_ipip()[1].data == b"from the host"
    registered.send_ipip(mip.udp_packet(campus.home, 6000, campus.agent, 7001, b"to the host"))
    assert local.receive() == (b"to the host", (campus.home, 6000))


@pytest.mark.parametrize("size", [1480, 1481, 4000])
def test_large_packets_without_df_arrive_whole(campus, registered, server, capture, size):
    wire = capture(campus.ha, "eth0")
    payload = bytes(i & 0xff for i in range(size - 28))
    server.socket.setsockopt(0, 10, 0)
    server.send(payload, (campus.home, 6000))
    parts = {}
    while sum(map(len, parts.values())) < size - 20:
        _, inner = registered.receive_ipip()
        parts[inner.fragment] = inner.payload
    assert b"".join(parts[at] for at in sorted(parts))[8:] == payload
    assert all(p.length <= 1500 for p in wire.packets())


def test_packet_too_big_with_df_is_told_the_tunnels_mtu(campus, ihad, registered, server,
                                                        capture):
    wire = capture(campus.server, "eth0")
    server.socket.setsockopt(0, 10, 3)      # IP_PMTUDISC_PROBE: DF set
    server.send(b"x" * (1480 - 28), (campus.home, 6000))
    outer, inner = registered.receive_ipip()
    assert inner.length == 1480 and outer.df
    server.send(b"x" * (1481 - 28), (campus.home, 6000))
    error = until(lambda: [p for p in wire.packets() if p.protocol == 1], "an ICMP error")[0]
    assert error.icmp == (3, 4)
    assert int.from_bytes(error.payload[6:8], "big") == 1480
    assert registered.no_ipip()


def test_fragmented_tunnel_packets_are_reassembled_first(campus, registered, server):
    """The outer packet is fragmented on the way: the kernel puts it together for us."""
    payload = bytes(i & 0xff for i in range(1460))
    registered._ipip.setsockopt(0, 10, 0)
    registered.send_ipip(to_server(campus, payload))
    assert server.receive()[0] == payload


def test_strict_reverse_path_filter_does_not_stop_the_tunnel(campus, run_daemon, desk, server):
    """net.ipv4.conf.*.rp_filter = 1 is a distribution's default, and a hardening guide's rule."""
    campus.ha.sysctl({"net.ipv4.conf.all.rp_filter": 1, "net.ipv4.conf.default.rp_filter": 1,
                      "net.ipv4.conf.eth0.rp_filter": 1})
    run_daemon(campus.ha, "ihad", campus.ihad_conf)
    desk.register()
    desk.listen_ipip()
    desk.send_ipip(to_server(campus))
    data, source = server.receive()
    server.send(data, source)
    assert desk.receive_ipip()[1].data == b"out"


# --- ipsec-only (xhad) ---

def ipsec_only(internet, gateways=("192.0.2.10",)):
    return internet.xhad_conf | {"forwarding": {"policy": "ipsec-only",
                                                "vpn-gateways": list(gateways)}}


@pytest.fixture
def roamer(internet, peer):
    return peer(internet.roamer, internet.roamer_address, internet.home, internet.agent)


@pytest.mark.parametrize("port", [500, 4500])
def test_ipsec_only_lets_ike_to_the_gateway_pass(internet, run_daemon, roamer, correspondent, port):
    run_daemon(internet.xha, "xhad", ipsec_only(internet))
    gateway = correspondent(internet.vpn, internet.vpn_address, port)
    roamer.register()
    roamer.listen_ipip()
    roamer.send_ipip(mip.udp_packet(internet.home, port, internet.vpn_address, port, b"ike"))
    data, source = gateway.receive()
    assert source == (internet.home, port)
    gateway.send(b"answer", source)
    assert roamer.receive_ipip()[1].data == b"answer"


def test_ipsec_only_lets_esp_pass_and_never_looks_inside(internet, run_daemon, roamer, capture):
    run_daemon(internet.xha, "xhad", ipsec_only(internet))
    wire = capture(internet.vpn, "eth0")
    roamer.register()
    esp = bytes(range(100))
    roamer.send_ipip(mip.ipv4(internet.home, internet.vpn_address, 50, esp))
    seen = until(lambda: [p for p in wire.packets() if p.protocol == 50], "ESP at the gateway")
    assert seen[0].payload == esp and seen[0].source == internet.home


def test_ipsec_only_drops_everything_else_both_ways(internet, run_daemon, roamer, correspondent,
                                                    capture):
    xhad = run_daemon(internet.xha, "xhad", ipsec_only(internet))
    gateway = correspondent(internet.vpn, internet.vpn_address, 7000)
    wire = capture(internet.vpn, "eth0")
    roamer.register()
    roamer.listen_ipip()
    blocked = [
        mip.udp_packet(internet.home, 6000, internet.vpn_address, 7000, b"clear"),
        mip.udp_packet(internet.home, 500, internet.vpn_address, 7000, b"clear"),
        mip.echo_request(internet.home, internet.vpn_address),
        mip.ipv4(internet.home, internet.vpn_address, 6, bytes(20)),
        mip.udp_packet(internet.home, 500, "203.0.113.1", 500, b"not a gateway"),
        mip.udp_packet(internet.home, 500, internet.other_home, 500, b"not a gateway"),
    ]
    for packet in blocked:
        roamer.send_ipip(packet)
    xhad.wait_counter("drops-filter", len(blocked))
    gateway.send(b"clear", (internet.home, 6000))
    xhad.wait_counter("drops-filter", len(blocked) + 1)
    assert any((e.get("source"), e.get("home-address")) == (internet.vpn_address, internet.home)
               for e in xhad.events("tunnel-filter"))
    assert gateway.heard_nothing() and roamer.no_ipip()
    assert [p for p in wire.packets() if p.source == internet.home] == []
    # The home agent itself is spoken to: keepalives.
    roamer.register(extensions=mip.udp_tunnel_request(forced=True))
    roamer.send_udp(mip.echo_request(internet.home, internet.agent))
    assert roamer.receive_udp().icmp == (0, 0)


def test_ipsec_only_without_a_gateway_lets_nothing_pass(internet, run_daemon, roamer,
                                                        correspondent):
    conf = {k: v for k, v in internet.xhad_conf.items() if k != "forwarding"}
    xhad = run_daemon(internet.xha, "xhad", conf)           # it is the default
    gateway = correspondent(internet.vpn, internet.vpn_address, 500)
    assert xhad.events("no-vpn-gateways")
    roamer.register()
    roamer.send_ipip(mip.udp_packet(internet.home, 500, internet.vpn_address, 500, b"ike"))
    xhad.wait_counter("drops-filter", 1)
    assert gateway.heard_nothing()
