# SPDX-License-Identifier: BSD-2-Clause
"""
Requests whose bits contradict each other, all at once, or for what there is one of; tunnels within
tunnels and fragments that overlap. Each gets the answer of its standard, a counter and a log line,
and nothing else changes.
"""

import random
import socket
import struct

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.programs import Counting
from fixtures.wait import until


@pytest.fixture
def raw(campus, things):
    """Any IPv4 packet at all from the desk: raw.sendto(packet, (destination, 0))."""
    things.append(campus.desk.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))
    return things[-1]


def to_server(campus, data=b"out", port=7000, **ip):
    return mip.udp_packet(campus.home, 6000, campus.server_address, port, data, **ip)


# --- requests ---

def test_a_thousand_requests_for_one_address_at_once(campus, ihad, peer):
    """From two places in any order: each is judged, and the newest is the binding (§5.7.1)."""
    nodes = [peer(campus.desk, care_of, campus.home, campus.agent)
             for care_of in ("10.1.0.10", "10.1.0.11")]
    rng, counting = random.Random(5944), Counting(ihad)
    requests = [(node, node.build()) for _ in range(500) for node in nodes]
    newest = max(requests, key=lambda r: r[1][16:24])
    rng.shuffle(requests)
    for node, octets in requests:
        node.send(octets)
    until(lambda: counting["requests-received"] == 1000, "all are looked at", 30)
    assert ihad.binding(campus.home)["care-of-address"] == newest[0].care_of
    changes = counting.changes()
    assert changes["requests-accepted"] + changes["requests-denied"] == 1000
    assert changes["replay-failures"] == changes["requests-denied"]
    assert len(ihad.bindings()) == 1
    peer(campus.desk, "10.1.0.10", campus.home, campus.agent).register()


def test_a_pool_of_one_address_and_two_nodes(campus, run_daemon, peer):
    conf = campus.ihad_conf
    conf["home-networks"] = [{"prefix": "10.50.0.0/16", "dynamic-pool": "10.50.128.1/32"}]
    conf["mobile-nodes"].append(topology.node(None, nai="carol@corp.example"))
    ihad = run_daemon(campus.ha, "ihad", conf)
    bob = peer(campus.desk, "10.1.0.10", "0.0.0.0", campus.agent, sa=topology.OTHER_SA)
    carol = peer(campus.desk, "10.1.0.11", "0.0.0.0", campus.agent)
    names = {node: mip.nai(f"{name}@corp.example") for node, name in
             ((bob, "bob"), (carol, "carol"))}
    assert bob.register(extensions=names[bob]).home == "10.50.128.1"
    assert carol.ask(extensions=names[carol]).code == 130
    (binding,) = ihad.bindings()
    assert (binding["nai"], binding["care-of-address"]) == ("bob@corp.example", "10.1.0.10")
    assert ihad.counter("denied-130-insufficient-resources") == 1
    bob.deregister(extensions=names[bob], home="10.50.128.1")
    assert ihad.bindings() == []


def test_d_clear_with_a_co_located_address_behind_a_nat(internet, xhad, peer):
    """RFC 3519 §4.6.1: a node that asks for UDP has a co-located address, or is poorly formed."""
    laptop = peer(internet.laptop, internet.laptop_address, internet.home, internet.agent)
    reply = laptop.ask(flags=mip.T, extensions=mip.udp_tunnel_request())
    assert (reply.code, reply.udp) == (134, None)
    assert xhad.bindings() == [] and xhad.counter("denied-134-poorly-formed") == 1


def test_t_with_minimal_is_granted_and_a_fragment_comes_back_in_ip_in_ip(campus, ihad, desk, server,
                                                                        raw):
    """RFC 3024 §3.4: the tunnel is symmetric; RFC 2004 §3: minimal cannot carry a fragment."""
    desk.register(flags=mip.D | mip.T | mip.M)
    binding = ihad.binding(campus.home)
    assert (binding["encapsulation"], binding["reverse-tunnel"]) == ("minimal", True)
    packet = mip.parse_ipv4(to_server(campus, bytes(64)))
    for offset, more in ((0, 1), (40, 0)):
        piece = packet.payload[offset:offset + 40] if more else packet.payload[offset:]
        header = bytearray(mip.ipv4(campus.home, campus.server_address, 17, piece, ident=9))
        header[6:8] = struct.pack("!H", more << 13 | offset // 8)
        header[10:12] = b"\0\0"
        header[10:12] = struct.pack("!H", mip.checksum(bytes(header[:20])))
        raw.sendto(mip.ipv4(campus.desk_address, campus.agent, 4, bytes(header)),
                   (campus.agent, 0))
    assert server.receive()[0] == bytes(64)
    assert ihad.counter("drops-tunnel-wrong-encapsulation") == 0


def test_t_with_minimal_that_is_not_offered_is_denied_139(campus, run_daemon, desk):
    conf = campus.ihad_conf | {"tunnel": {"encapsulation": ["ip-in-ip", "gre"]}}
    ihad = run_daemon(campus.ha, "ihad", conf)
    assert desk.ask(flags=mip.D | mip.T | mip.M).code == 139
    assert ihad.bindings() == []


@pytest.mark.parametrize("behind_nat", [False, True], ids=["direct", "behind-a-nat"])
def test_f_and_r_together_are_half_bound(internet, xhad, peer, behind_nat):
    """RFC 3519 §4.6: with R the port is still to be learnt, whatever F says."""
    host, care_of = (internet.laptop, internet.laptop_address) if behind_nat else (
        internet.roamer, internet.roamer_address)
    node = peer(host, care_of, internet.home, internet.agent)
    reply = node.register(extensions=mip.udp_tunnel_request(forced=True, registered_fa=True))
    assert reply.udp[:2] == (0, False)
    with internet.vpn.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"early", (internet.home, 6000))
        xhad.wait_counter("drops-tunnel-half-bound", 1)
        node.send_udp(mip.echo_request(internet.home, internet.agent))
        assert node.receive_udp().icmp == (0, 0)
        s.sendto(b"now", (internet.home, 6000))
        assert node.receive_udp().data == b"now"


# --- tunnels within tunnels ---

@pytest.mark.parametrize("protocol", [4, 47, 55])
def test_an_inner_packet_that_is_a_tunnel_to_us_is_dropped(campus, ihad, registered, server,
                                                           protocol):
    innermost = to_server(campus)
    payload = {4: innermost, 47: b"\0\0\x08\0" + innermost, 55: b"\x11\0\0\0" + innermost}[protocol]
    registered.send_ipip(mip.ipv4(campus.home, campus.agent, protocol, payload))
    ihad.wait_counter("drops-tunnel-loop", 1)
    event = ihad.wait_event("tunnel-loop")[0]
    assert (event["inner-source"], event["inner-destination"]) == (campus.home, campus.agent)
    registered.send_ipip(to_server(campus, b"fence"))
    assert server.receive()[0] == b"fence" and server.heard_nothing()


def test_an_inner_packet_that_is_udp_tunnel_data_to_us_is_dropped(campus, ihad, registered, server):
    registered.send_ipip(mip.udp_packet(campus.home, 434, campus.agent, 434,
                                        mip.tunnel_data(to_server(campus))))
    ihad.wait_counter("drops-tunnel-signalling", 1)
    registered.send_ipip(to_server(campus, b"fence"))
    assert server.receive()[0] == b"fence" and server.heard_nothing()


def test_gre_that_leads_back_to_its_own_tunnel_end_is_dropped(campus, ihad, desk, things):
    """RFC 2784 §3.1."""
    gre = campus.desk.socket(socket.AF_INET, socket.SOCK_RAW, 47)
    things.append(gre)
    gre.bind((campus.desk_address, 0))
    desk.register(flags=mip.D | mip.T | mip.G)
    back = mip.udp_packet(campus.home, 6000, campus.desk_address, 7000, b"back")
    gre.sendto(b"\0\0\x08\0" + back, (campus.agent, 0))
    ihad.wait_counter("drops-tunnel-loop", 1)
    assert ihad.wait_event("tunnel-loop")[0]["inner-destination"] == campus.desk_address


def test_an_inner_ttl_of_0_is_dropped_and_counted(campus, ihad, registered):
    """RFC 2003 §3.1."""
    registered.send_ipip(to_server(campus, ttl=0))
    ihad.wait_counter("drops-tunnel-ttl", 1)
    ihad.wait_event("tunnel-ttl")


@pytest.mark.parametrize("source", ["10.0.0.2", "10.1.0.10"], ids=["ourselves", "care-of-address"])
def test_what_claims_to_come_from_a_tunnels_end_is_not_put_into_it(campus, ihad, registered, server,
                                                                   things, source):
    """RFC 2003 §3.2: inner source one of our own addresses, or the tunnel's other end."""
    forger = campus.server.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    things.append(forger)
    forger.sendto(mip.udp_packet(source, 7000, campus.home, 6000, b"forged"), (campus.home, 0))
    server.send(b"fence", (campus.home, 6000))
    assert registered.receive_ipip()[1].data == b"fence"
    assert registered.no_ipip() and ihad.counter("packets-to-nodes") == 1


# --- fragments that overlap ---

def fragment(packet, offset, payload, more):
    """A piece of an IPv4 packet (a header is all that is read of it) at this octet."""
    header = bytearray(packet[:20])
    header[2:4] = struct.pack("!H", 20 + len(payload))
    header[6:8] = struct.pack("!H", (0x2000 if more else 0) | offset // 8)
    header[10:12] = b"\0\0"
    header[10:12] = struct.pack("!H", mip.checksum(bytes(header)))
    return bytes(header) + payload


def test_outer_fragments_that_overlap_are_never_a_packet(campus, ihad, registered, server, raw):
    outer = mip.ipv4(campus.desk_address, campus.agent, 4, to_server(campus, b"x" * 200), ident=77)
    body = outer[20:]
    for offset, end, more in ((0, 120, True), (80, 160, True), (160, len(body), False)):
        raw.sendto(fragment(outer, offset, body[offset:end], more), (campus.agent, 0))
    registered.send_ipip(to_server(campus, b"fence"))
    assert server.receive()[0] == b"fence" and server.heard_nothing()
    assert ihad.counter("packets-from-nodes") == 1


def test_inner_fragments_that_overlap_are_no_way_to_register(campus, ihad, registered, server):
    """
    The first piece has a harmless port, a later one would write 434 over it; or the ports are not
    in the first piece at all. The kernel refuses to put together what overlaps, and what claims to
    be a first piece is looked at each time (RFC 5265 §4.3).
    """
    counting = Counting(ihad)
    request = registered.build(care_of="10.1.0.11")
    whole = mip.udp_packet(campus.home, 6000, campus.agent, 434, request, ident=5)
    harmless = mip.udp_packet(campus.home, 6000, campus.agent, 7000, request, ident=5)
    registered.send_ipip(fragment(harmless, 0, harmless[20:28], True))
    registered.send_ipip(fragment(whole, 0, whole[20:36], True))        # dropped: port 434
    registered.send_ipip(fragment(whole, 8, whole[28:], False))
    ihad.wait_counter("drops-tunnel-signalling", 1)
    registered.send_ipip(to_server(campus, b"fence"))
    assert server.receive()[0] == b"fence"
    assert counting["requests-received"] == 0
    assert ihad.binding(campus.home)["care-of-address"] == campus.desk_address
