# SPDX-License-Identifier: BSD-2-Clause
"""NAT traversal (RFC 3519), across a real NAT and without one."""

import socket
import struct

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.wait import until


@pytest.fixture
def laptop(internet, peer):
    """Behind the hotel's NAT."""
    return peer(internet.laptop, internet.laptop_address, internet.home, internet.agent)


@pytest.fixture
def roamer(internet, peer):
    """With a public address of its own."""
    return peer(internet.roamer, internet.roamer_address, internet.home, internet.agent)


@pytest.fixture
def neighbour(internet, peer):
    """Another node behind the same NAT."""
    return peer(internet.neighbour, internet.neighbour_address, internet.other_home,
                internet.agent, sa=topology.OTHER_SA)


def ask_udp(node, **more):
    return node.ask(extensions=mip.udp_tunnel_request(**more))


# --- detection and decision: rows D0 to D8 of RFC 3519 §4.6 ---

def test_d0_behind_a_nat_without_asking_gets_no_udp_reply(internet, xhad, laptop):
    assert laptop.register().udp is None
    assert xhad.binding(internet.home)["encapsulation"] == "ip-in-ip"


def test_d1_behind_a_nat_gets_a_udp_tunnel_to_the_source(internet, xhad, laptop):
    reply = ask_udp(laptop)
    assert (reply.code, reply.udp) == (0, (0, False, 110))
    assert reply.types.index(mip.EXT_UDP_REPLY) < reply.types.index(mip.EXT_MHAE)
    binding = xhad.binding(internet.home)
    assert binding["encapsulation"] == "udp"
    assert binding["care-of-address"] == internet.laptop_address
    assert binding["source-address"] == internet.hotel_address


def test_d2_behind_a_nat_with_traversal_disabled_is_denied_129(internet, run_daemon, laptop):
    run_daemon(internet.xha, "xhad", internet.xhad_conf | {"nat-traversal": {"enabled": False}})
    reply = ask_udp(laptop)
    assert (reply.code, reply.udp) == (129, None)


def test_d3_without_a_nat_udp_is_declined_with_64(internet, xhad, roamer):
    reply = ask_udp(roamer)
    assert (reply.code, reply.udp[:2]) == (0, (64, False))
    assert xhad.binding(internet.home)["encapsulation"] == "ip-in-ip"


def test_d4_forced_udp_is_granted_without_a_nat(internet, xhad, roamer):
    reply = ask_udp(roamer, forced=True)
    assert (reply.code, reply.udp) == (0, (0, True, 110))
    assert xhad.binding(internet.home)["encapsulation"] == "udp"


def test_d5_forcing_that_is_disallowed_is_denied_129(internet, run_daemon, roamer):
    run_daemon(internet.xha, "xhad", internet.xhad_conf | {"nat-traversal": {"forced": False}})
    assert ask_udp(roamer, forced=True).code == 129
    assert ask_udp(roamer).udp[0] == 64


def test_d7_encapsulation_in_udp_that_is_not_offered_is_denied_142(internet, xhad, laptop):
    assert ask_udp(laptop, encapsulation=99).code == 142


def test_d8_udp_without_the_d_bit_is_poorly_formed(internet, xhad, laptop):
    assert laptop.ask(flags=mip.T, extensions=mip.udp_tunnel_request()).code == 134


def test_keepalive_interval_is_the_configured_one(internet, run_daemon, laptop):
    run_daemon(internet.xha, "xhad", internet.xhad_conf | {"nat-traversal": {"keepalive": 45}})
    assert ask_udp(laptop).udp == (0, False, 45)


def test_deregistration_by_the_private_care_of_address(internet, xhad, laptop):
    ask_udp(laptop)
    assert laptop.deregister(extensions=mip.udp_tunnel_request()).udp[0] == 64
    assert xhad.bindings() == []


def test_ihad_traverses_nats_too(campus, ihad, peer):
    """RFC 5265 §4.3: the VPN gateway may translate the inner address."""
    campus.desk.ip("addr add 10.1.0.99/24 dev eth0")
    node = peer(campus.desk, "192.168.7.7", campus.home, campus.agent, source="10.1.0.99")
    reply = ask_udp(node)
    assert (reply.code, reply.udp[0]) == (0, 0)
    assert reply.types == [mip.EXT_UDP_REPLY, mip.EXT_TNC, mip.EXT_MHAE]


# --- data ---

@pytest.fixture
def server(internet, correspondent):
    return correspondent(internet.vpn, internet.vpn_address)


def to_server(internet, payload=b"out", home=None, **ip):
    return mip.udp_packet(home or internet.home, 6000, internet.vpn_address, 7000, payload, **ip)


def test_data_goes_both_ways_across_the_nat(internet, xhad, laptop, server):
    ask_udp(laptop)
    laptop.send_udp(to_server(internet, ttl=64))
    data, source = server.receive()
    assert (data, source) == (b"out", (internet.home, 6000))
    server.send(b"back", source)
    inner = laptop.receive_udp()
    assert (inner.source, inner.destination, inner.data) == (
        internet.vpn_address, internet.home, b"back")
    assert inner.ports == (7000, 6000)


def test_keepalive_is_answered_through_the_tunnel(internet, xhad, laptop):
    ask_udp(laptop)
    laptop.send_udp(mip.echo_request(internet.home, internet.agent, 77, 5, b"alive"))
    answer = laptop.receive_udp()
    assert (answer.source, answer.destination) == (internet.agent, internet.home)
    assert answer.icmp == (0, 0)
    assert answer.payload[4:] == b"\0\x4d\0\x05alive"
    assert xhad.counter("keepalives") == xhad.binding(internet.home)["keepalives"] == 1


def test_keepalive_does_not_extend_the_binding(internet, xhad, laptop):
    laptop.ask(lifetime=2, extensions=mip.udp_tunnel_request())
    laptop.send_udp(mip.echo_request(internet.home, internet.agent))
    laptop.receive_udp()
    until(lambda: xhad.bindings() == [], "it ends all the same")


def test_data_from_a_wrong_port_is_dropped_and_moves_nothing(internet, xhad, laptop, peer, server):
    ask_udp(laptop)
    before = xhad.binding(internet.home)["source-port"]
    other = peer(internet.laptop, internet.laptop_address, internet.home, internet.agent)
    other.send_udp(to_server(internet))
    other.send_udp(mip.echo_request(internet.home, internet.agent))
    xhad.wait_counter("drops-tunnel-wrong-source", 2)
    assert server.heard_nothing() and other.heard_nothing() and laptop.heard_nothing()
    assert xhad.binding(internet.home)["source-port"] == before


def test_tunnel_moves_with_the_next_registration(internet, xhad, laptop, peer, server):
    ask_udp(laptop)
    moved = peer(internet.laptop, internet.laptop_address, internet.home, internet.agent)
    ask_udp(moved)
    server.send(b"where are you", (internet.home, 6000))
    assert moved.receive_udp().data == b"where are you"
    assert laptop.heard_nothing()


def test_two_nodes_behind_one_nat_are_kept_apart(internet, xhad, laptop, neighbour, server):
    ask_udp(laptop)
    ask_udp(neighbour)
    server.send(b"one", (internet.home, 6000))
    server.send(b"two", (internet.other_home, 6000))
    assert laptop.receive_udp().data == b"one"
    assert neighbour.receive_udp().data == b"two"
    # Neither may speak for the other, though both come from one address.
    neighbour.send_udp(to_server(internet))
    xhad.wait_counter("drops-tunnel-wrong-source", 1)
    assert server.heard_nothing()


def test_next_header_that_was_not_agreed_is_dropped(internet, xhad, laptop, server):
    ask_udp(laptop)
    laptop.send_udp(b"\0\0\x08\0" + to_server(internet), next_header=mip.GRE)
    xhad.wait_counter("drops-tunnel-wrong-encapsulation", 1)
    laptop.send_udp(to_server(internet), next_header=99)
    xhad.wait_counter("drops-tunnel-malformed", 1)
    assert server.heard_nothing()


def test_plain_ip_in_ip_of_a_udp_binding_is_dropped(internet, xhad, roamer, server):
    ask_udp(roamer, forced=True)
    roamer.send_ipip(to_server(internet))
    xhad.wait_counter("drops-tunnel-wrong-encapsulation", 1)
    assert server.heard_nothing()


def test_udp_data_of_an_ip_in_ip_binding_is_dropped(internet, xhad, roamer, server):
    roamer.register()
    roamer.send_udp(to_server(internet))
    xhad.wait_counter("drops-tunnel-wrong-encapsulation", 1)
    assert server.heard_nothing()


@pytest.mark.parametrize("octets", [
    b"\4", b"\4\4", b"\4\4\0", b"\4\4\0\0", b"\4\4\0\0\x45", b"\4\4\0\0" + b"\xff" * 40,
    b"\4\4\0\0\x45" + bytes(19), b"\4\4\0\0\x4f" + bytes(30)])
def test_malformed_tunnel_data_is_dropped_and_counted(internet, xhad, laptop, octets):
    ask_udp(laptop)
    laptop.send(octets)
    xhad.wait_counter("drops-tunnel-malformed", 1)
    assert laptop.heard_nothing()


def test_data_from_a_stranger_is_dropped(internet, xhad, laptop, roamer, server):
    ask_udp(laptop)
    roamer.send_udp(to_server(internet))
    xhad.wait_counter("drops-tunnel-wrong-source", 1)
    roamer.send_udp(to_server(internet, home="172.31.0.99"))
    xhad.wait_counter("drops-tunnel-no-binding", 1)
    assert server.heard_nothing() and roamer.heard_nothing()


def test_reserved_octets_of_tunnel_data_are_ignored(internet, xhad, laptop, server):
    ask_udp(laptop)
    laptop.send(b"\4\4\xff\xff" + to_server(internet))
    assert server.receive()[0] == b"out"


def test_tunnel_data_with_a_wrong_checksum_is_dropped_and_without_one_taken(internet, xhad, roamer,
                                                                           server, things):
    """RFC 1122 §4.1.3.4, RFC 768."""
    ask_udp(roamer, forced=True)
    raw = internet.roamer.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    things.append(raw)

    def send(inner, checksum):
        datagram = bytearray(mip.udp(internet.roamer_address, internet.agent, roamer.port, mip.PORT,
                                     mip.tunnel_data(inner)))
        right = struct.unpack("!H", datagram[6:8])[0]
        struct.pack_into("!H", datagram, 6, checksum(right))
        raw.sendto(mip.ipv4(internet.roamer_address, internet.agent, 17, bytes(datagram)),
                   (internet.agent, 0))

    send(to_server(internet, b"wrong"), lambda right: right ^ 1)
    send(to_server(internet, b"none"), lambda right: 0)
    assert server.receive()[0] == b"none"
    assert xhad.binding(internet.home)["packets-from-node"] == 1


@pytest.mark.parametrize("size", [1468, 1469, 3000])
def test_large_packets_are_fragmented_before_they_are_encapsulated(internet, xhad, laptop, server,
                                                                   capture, size):
    """Only the first fragment of a UDP datagram has ports: a NAT loses the others (§4.8)."""
    ask_udp(laptop)
    wire = capture(internet.xha, "eth0")
    payload = bytes(i & 0xff for i in range(size - 28))
    server.socket.setsockopt(0, 10, 0)      # IP_MTU_DISCOVER: IP_PMTUDISC_DONT, DF clear
    server.send(payload, (internet.home, 6000))
    parts, more = {}, True
    while more or sum(map(len, parts.values())) < size - 20:
        inner = laptop.receive_udp()
        parts[inner.fragment] = inner.payload
        more = more and inner.more
    whole = b"".join(parts[at] for at in sorted(parts))
    assert whole[8:] == payload
    outer = [p for p in wire.packets() if p.source == internet.agent]
    assert outer and all(p.length <= 1500 and not p.more and p.fragment == 0 for p in outer)


def test_packet_too_big_with_df_is_told_the_tunnels_mtu(internet, xhad, laptop, server, capture):
    ask_udp(laptop)
    wire = capture(internet.vpn, "eth0")
    server.socket.setsockopt(0, 10, 3)      # IP_PMTUDISC_PROBE: DF set, whatever was learnt
    server.send(b"x" * (1468 - 28), (internet.home, 6000))
    assert laptop.receive_udp().length == 1468
    server.send(b"x" * (1469 - 28), (internet.home, 6000))
    error = until(lambda: [p for p in wire.packets() if p.protocol == 1], "an ICMP error")[0]
    assert error.icmp == (3, 4)
    assert int.from_bytes(error.payload[6:8], "big") == 1468
    assert xhad.counter("drops-tunnel-too-big") == 1


def test_r_flag_holds_data_until_the_first_keepalive_shows_the_port(internet, xhad, peer, roamer,
                                                                    server):
    """Registered through a foreign agent: the port of the request is the agent's (§4.6, §4.11)."""
    reply = ask_udp(roamer, registered_fa=True)
    assert (reply.code, reply.udp[0]) == (0, 0)
    server.send(b"early", (internet.home, 6000))
    xhad.wait_counter("drops-tunnel-half-bound", 1)
    data = peer(internet.roamer, internet.roamer_address, internet.home, internet.agent)
    data.send_udp(mip.echo_request(internet.home, internet.agent))
    assert data.receive_udp().icmp == (0, 0)
    server.send(b"now", (internet.home, 6000))
    assert data.receive_udp().data == b"now"
    late = peer(internet.roamer, internet.roamer_address, internet.home, internet.agent)
    late.send_udp(mip.echo_request(internet.home, internet.agent))
    xhad.wait_counter("drops-tunnel-wrong-source", 1)
    assert late.heard_nothing() and roamer.no_udp_data()
