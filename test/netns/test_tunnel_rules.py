# SPDX-License-Identifier: BSD-2-Clause
"""
What a tunnel does to the packets in it and hears about them: TCP's segment size, congestion marks,
ICMP errors from its inside (RFC 2003 §4, §5), broadcasts (RFC 5944 §4.3), foreign agents'
keepalives (RFC 3519 §4.9).
"""

import socket
import struct

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.wait import until


@pytest.fixture
def raw(things):
    """raw(host).sendto(packet, (destination, 0)): any IPv4 packet at all from a host."""

    def make(host):
        things.append(host.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))
        return things[-1]

    return make


def tunnel(conf, **settings):
    return conf | {"tunnel": settings}


# --- TCP's segment size ---

def tcp_syn(source, destination, mss, flags=2):
    header = struct.pack("!HHIIBBHHHBBH", 4000, 80, 1, 0, 6 << 4, flags, 65535, 0, 0, 2, 4, mss)
    pseudo = mip.address(source) + mip.address(destination) + struct.pack("!BBH", 0, 6, 24)
    header = header[:16] + struct.pack("!H", mip.checksum(pseudo + header)) + header[18:]
    return mip.ipv4(source, destination, 6, header)


def mss_of(packet):
    pseudo = (mip.address(packet.source) + mip.address(packet.destination)
              + struct.pack("!BBH", 0, 6, len(packet.payload)))
    assert mip.checksum(pseudo + packet.payload) == 0, "wrong TCP checksum"
    return struct.unpack("!H", packet.payload[22:24])[0]


def mss_both_ways(campus, node, raw, tcp, send, receive):
    raw(campus.server).sendto(tcp_syn(campus.server_address, campus.home, 1460),
                              (campus.home, 0))
    while not (packet := receive()).payload[13] & 2:    # the server's resets of other tries
        pass
    forth = mss_of(packet)
    send(tcp_syn(campus.home, campus.server_address, 1460, flags=0x12))
    return forth, mss_of(mip.parse_ipv4(tcp.recv(65536)))


@pytest.fixture
def tcp(campus, things):
    """All TCP that comes to the server."""
    things.append(campus.server.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP))
    things[-1].settimeout(5)
    return things[-1]


@pytest.mark.parametrize("clamp, udp, plain", [
    (None, 1428, 1460), ("udp", 1428, 1460), ("all", 1428, 1440), ("off", 1460, 1460)])
def test_tcp_is_told_of_segments_that_fit_the_tunnel(campus, run_daemon, desk, raw, tcp, clamp,
                                                     udp, plain):
    settings = {"mss-clamp": clamp} if clamp else {}
    ihad = run_daemon(campus.ha, "ihad", tunnel(campus.ihad_conf, **settings))
    desk.register()
    desk.listen_ipip()
    assert mss_both_ways(campus, desk, raw, tcp, desk.send_ipip,
                         lambda: desk.receive_ipip()[1]) == (plain, plain)
    desk.register(extensions=mip.udp_tunnel_request(forced=True))
    assert mss_both_ways(campus, desk, raw, tcp, desk.send_udp, desk.receive_udp) == (udp, udp)
    assert ihad.counter("mss-clamped") == (udp < 1460) * 2 + (plain < 1460) * 2


@pytest.mark.parametrize("tier", ["tun", "tc", "xdp"])
def test_settings_of_the_tunnels_follow_a_reload(net, campus, run_daemon, desk, server, raw, tcp,
                                                 tier):
    """They hold for the bindings that are there."""
    if tier != "tun":
        net.prepare_for_bpf()
    ihad = run_daemon(campus.ha, "ihad", tunnel(campus.ihad_conf, **{"data-path": tier}))
    desk.register()
    desk.listen_ipip()
    server.socket.setsockopt(socket.SOL_IP, socket.IP_TOS, 2)

    def told():
        return mss_both_ways(campus, desk, raw, tcp, desk.send_ipip,
                             lambda: desk.receive_ipip()[1])

    def mark():
        server.send(b"marked", (campus.home, 6000))
        while (packets := desk.receive_ipip())[1].protocol != 17:
            pass
        return packets[0].tos

    def reload(**settings):
        ihad.write_config(tunnel(ihad.conf, **ihad.conf["tunnel"], **settings))
        assert ihad.hactl("reload", json_output=False) == "configuration reloaded\n"

    assert told() == (1460, 1460) and {mark() for _ in range(3)} == {0}
    reload(**{"mss-clamp": "all", "mtu": 1400, "ecn": "normal"})
    until(lambda: told() == (1340, 1340), "segments that fit")
    assert {mark() for _ in range(3)} == {2}
    reload()
    until(lambda: told() == (1460, 1460), "segments as they come")
    assert {mark() for _ in range(3)} == {0}
    assert ihad.status()["data-path"] == tier and ihad.events("binding-ended") == []


# --- the outer header ---

def test_no_identification_comes_twice_while_fragments_may_live(campus, registered, server,
                                                                capture):
    """RFC 6864 §4.3: of packets that may be fragmented, to one place, by one protocol."""
    server.socket.setsockopt(0, 10, 0)                      # IP_MTU_DISCOVER: no DF
    wire = capture(campus.ha, "eth0")
    for _ in range(200):
        server.send(b"x", (campus.home, 6000))
        registered.receive_ipip()
    outer = [p for p in wire.packets() if p.source == campus.agent and p.protocol == 4]
    assert len(outer) == 200 and not any(p.df for p in outer)
    assert len({p.octets[4:6] for p in outer}) == 200


# --- congestion marks ---

@pytest.mark.parametrize("mode", ["compatible", "normal"])
def test_congestion_marks_of_the_outer_header_are_as_configured(campus, run_daemon, desk, server,
                                                                mode):
    run_daemon(campus.ha, "ihad", tunnel(campus.ihad_conf, ecn=mode))
    desk.register()
    desk.listen_ipip()
    for ecn in range(4):
        server.socket.setsockopt(socket.SOL_IP, socket.IP_TOS, 0xb8 | ecn)
        server.send(b"marked", (campus.home, 6000))
        outer, inner = desk.receive_ipip()
        assert (outer.tos, inner.tos) == (0xb8 | (ecn if mode == "normal" else 0), 0xb8 | ecn)


def marked(campus, ecn, data):
    """A packet of the node's with this congestion mark."""
    packet = bytearray(mip.udp_packet(campus.home, 6000, campus.server_address, 7000, data))
    packet[1], packet[10:12] = ecn, b"\0\0"
    packet[10:12] = struct.pack("!H", mip.checksum(bytes(packet[:20])))
    return bytes(packet)


@pytest.mark.parametrize("inner, outer", [(0, 2), (0, 1), (1, 2), (3, 1)])
def test_congestion_marks_that_nobody_makes_are_counted_logged_and_pass(campus, ihad, registered,
                                                                        server, inner, outer):
    """RFC 6040 §4.2, the combinations (!) and (!!!)."""
    registered._ipip.setsockopt(socket.SOL_IP, socket.IP_TOS, outer)
    registered.send_ipip(marked(campus, inner, b"marked"))
    assert server.receive()[0] == b"marked"
    assert ihad.counter("tunnel-ecn-unexpected") == 1
    event = ihad.wait_event("tunnel-ecn-unexpected")[0]
    assert (event["outer-source"], event["inner-source"]) == (campus.desk_address, campus.home)


def test_congested_packet_of_a_sender_without_ecn_is_dropped_counted_and_logged(campus, ihad,
                                                                               registered, server):
    registered._ipip.setsockopt(socket.SOL_IP, socket.IP_TOS, 3)
    registered.send_ipip(marked(campus, 0, b"congested"))
    ihad.wait_counter("drops-tunnel-ecn", 1)
    ihad.wait_event("tunnel-ecn")
    registered.send_ipip(marked(campus, 2, b"marked"))       # an ordinary pair: CE comes through
    assert server.receive()[0] == b"marked"
    assert ihad.counter("tunnel-ecn-unexpected") == ihad.counter("drops-tunnel-malformed") == 0


# --- ICMP errors from inside a tunnel ---

ROUTER = "10.0.0.1"     # on the way to every care-of address


def icmp_error(kind, code, quote, mtu=0):
    icmp = struct.pack("!BBHHH", kind, code, 0, 0, mtu) + quote
    icmp = icmp[:2] + struct.pack("!H", mip.checksum(icmp)) + icmp[4:]
    return mip.ipv4(ROUTER, "10.0.0.2", 1, icmp)


class Tunnel:
    """A binding in one encapsulation, its packets as they are on the wire, and errors about them."""

    def __init__(self, campus, ihad, desk, server, raw, capture, things, kind):
        self.campus, self.ihad, self.server = campus, ihad, server
        self.flags = mip.D | mip.T | {"minimal": mip.M, "gre": mip.G}.get(kind, 0)
        self.overhead = {"ip-in-ip": 20, "minimal": 12, "gre": 24, "udp": 32}[kind]
        desk.register(flags=self.flags, extensions=mip.udp_tunnel_request(forced=True)
                      if kind == "udp" else b"")
        self._protocol = {"ip-in-ip": 4, "minimal": 55, "gre": 47, "udp": 17}[kind]
        for protocol in {self._protocol, 4} - {17}:     # or the desk says "protocol unreachable"
            things.append(campus.desk.socket(socket.AF_INET, socket.SOCK_RAW, protocol))
        self._router, self._wire = raw(campus.router), capture(campus.ha, "eth0")
        self._far = capture(campus.server, "eth0")

    def outer(self):
        """Tunnel packets that have left the home agent so far."""
        return [p for p in self._wire.packets() if p.source == self.campus.agent
                and p.protocol in (self._protocol, 4) and p.destination == self.campus.desk_address
                and not (p.protocol == 17 and p.data[0] != mip.TUNNEL_DATA)]

    def send(self, size=100, df=True):
        """The server sends; the tunnel packet that comes of it."""
        self.server.socket.setsockopt(0, 10, 3 if df else 0)
        before = len(self.outer())
        self.server.send(b"x" * (size - 28), (self.campus.home, 6000))
        return until(lambda: self.outer()[before:], "a tunnel packet")[0]

    def error(self, kind, code, quote, mtu=0):
        """A router says so of a tunnel packet; waits until the home agent has looked at it."""
        before = self.seen()
        self._router.sendto(icmp_error(kind, code, quote, mtu), (self.campus.agent, 0))
        until(lambda: self.seen() == before + 1, "the error is looked at")

    def seen(self):
        counters = self.ihad.counters()
        return counters["tunnel-errors"] + counters["tunnel-errors-unknown"]

    def told(self):
        """What the server was told: (type, code), the MTU, and of which packet it was."""
        return [(p.icmp, struct.unpack("!H", p.payload[6:8])[0], p.payload[8:])
                for p in self._far.packets() if p.protocol == 1]


@pytest.fixture(params=["ip-in-ip", "minimal", "gre", "udp"])
def each_tunnel(request, campus, ihad, desk, server, raw, capture, things):
    return Tunnel(campus, ihad, desk, server, raw, capture, things, request.param)


@pytest.fixture
def ipip_tunnel(campus, ihad, desk, server, raw, capture, things):
    return Tunnel(campus, ihad, desk, server, raw, capture, things, "ip-in-ip")


@pytest.fixture
def udp_tunnel(campus, ihad, desk, server, raw, capture, things):
    return Tunnel(campus, ihad, desk, server, raw, capture, things, "udp")


def test_too_big_inside_is_relayed_with_the_tunnels_share_taken_off(campus, each_tunnel):
    t = each_tunnel
    sent = t.send(1400)
    t.error(3, 4, sent.octets[:80], 1400)
    ((icmp, mtu, quote),) = until(t.told, "the error is relayed")
    assert (icmp, mtu) == ((3, 4), 1400 - t.overhead)
    inner = mip.parse_ipv4(quote + bytes(1500))
    assert (inner.source, inner.destination, inner.protocol, inner.length, inner.df) == (
        campus.server_address, campus.home, 17, 1400, True)
    assert inner.ports == (7000, 6000)


def test_too_big_inside_limits_what_follows(each_tunnel):
    """A quote of eight octets names the tunnel and no more: soft state does the rest (§5)."""
    t = each_tunnel
    sent = t.send(1400)
    t.error(3, 4, sent.octets[:28], 1400)
    assert t.told() == [] and t.ihad.counter("tunnel-mtu-lowered") == 1
    before = len(t.outer())
    t.send(1500, df=False)                                  # this one is cut to fit
    until(lambda: len(t.outer()) == before + 2, "two pieces")
    assert all(p.length <= 1400 for p in t.outer()[before:])
    t.send(1400 - t.overhead)                               # this one fits
    t.server.send(b"x" * (1401 - t.overhead - 28), (t.campus.home, 6000))
    ((icmp, mtu, _),) = until(t.told, "the next one is told")
    assert (icmp, mtu) == ((3, 4), 1400 - t.overhead)


def test_path_mtu_never_rises_and_never_falls_below_576(ipip_tunnel):
    t = ipip_tunnel
    sent = t.send(1400)
    t.error(3, 4, sent.octets[:80], 1000)
    t.error(3, 4, sent.octets[:80], 1300)
    t.error(3, 4, sent.octets[:80], 68)
    until(lambda: len(t.told()) == 3, "three are relayed")
    assert [mtu for _, mtu, _ in t.told()] == [980, 980, 556]


def test_a_router_that_tells_no_mtu_is_answered_with_a_plateau(ipip_tunnel):
    t = ipip_tunnel
    sent = t.send(1480)
    t.error(3, 4, sent.octets[:80])
    assert [mtu for _, mtu, _ in until(t.told, "an error")] == [1492 - 20]


@pytest.mark.parametrize("kind, code, told", [
    (3, 0, (3, 0)), (3, 1, (3, 1)), (3, 2, (3, 1)), (3, 3, None), (3, 5, None), (3, 13, (3, 1)),
    (11, 0, (3, 1))])
def test_errors_inside_are_told_as_rfc_2003_has_it(campus, ipip_tunnel, kind, code, told):
    t = ipip_tunnel
    sent = t.send()
    t.error(kind, code, sent.octets[:60])
    if told:
        ((icmp, _, quote),) = until(t.told, "the error is relayed")
        assert icmp == told
        assert mip.parse_ipv4(quote + bytes(100)).destination == campus.home
        return
    t.error(3, 4, sent.octets[:60], 1000)                   # a fence: this one is relayed
    assert [icmp for icmp, _, _ in until(t.told, "the fence")] == [(3, 4)]
    assert t.ihad.counter("tunnel-errors-relayed") == 1


def test_parameter_problem_and_source_quench_are_nobodys_business(ipip_tunnel):
    t = ipip_tunnel
    sent = t.send()
    for kind in (4, 5, 12):
        t._router.sendto(icmp_error(kind, 0, sent.octets[:60]), (t.campus.agent, 0))
    t.error(3, 1, sent.octets[:60])
    assert [icmp for icmp, _, _ in until(t.told, "the fence")] == [(3, 1)]


def test_senders_to_a_care_of_address_out_of_reach_are_told_and_their_packets_go(campus,
                                                                                each_tunnel):
    t = each_tunnel
    sent = t.send()
    t.error(3, 1, sent.octets[:28])
    assert t.told() == []
    t.send()
    ((icmp, _, quote),) = until(t.told, "the sender is told")
    assert icmp == (3, 1) and mip.text(quote[16:20]) == campus.home


def test_what_comes_from_the_node_says_that_it_can_be_reached(campus, desk, ipip_tunnel):
    t = ipip_tunnel
    desk.listen_ipip()
    t.error(3, 1, t.send().octets[:28])
    desk.send_ipip(mip.udp_packet(campus.home, 6000, campus.server_address, 7000, b"here"))
    assert t.server.receive()[0] == b"here"
    t.send()
    t.error(3, 1, t.send().octets[:60])                     # a fence
    assert len(until(t.told, "the fence")) == 1


def test_port_unreachable_of_a_udp_tunnel_is_counted_and_changes_nothing(campus, udp_tunnel):
    t = udp_tunnel
    binding = t.ihad.binding(campus.home)
    t.error(3, 3, t.send().octets[:28])
    t.error(3, 3, t.send().octets[:80])
    assert t.ihad.counter("tunnel-errors-port-unreachable") == 2
    event = t.ihad.wait_event("tunnel-port-unreachable", 2)[0]
    assert (event["peer"], event["peer-port"]) == (campus.desk_address,
                                                   str(binding["source-port"]))
    assert t.told() == []
    t.send()
    assert t.told() == [] and t.ihad.binding(campus.home)["source-port"] == binding["source-port"]


def test_errors_about_no_live_tunnel_of_ours_do_nothing(campus, each_tunnel):
    t = each_tunnel
    good = t.send(1400).octets
    at = 28 if t.overhead == 32 else None                   # of the ports
    forged = [good[:16] + mip.address("10.1.0.77") + good[20:80],       # another end
              good[:16] + mip.address("10.1.0.77") + good[20:28]]
    if at:
        forged.append(good[:22] + b"\0\7" + good[24:28])               # another port
    for quote in forged:
        t.error(3, 4, quote, 1000)
        t.error(3, 1, quote)
    assert t.ihad.counter("tunnel-errors-unknown") == 2 * len(forged)
    assert t.ihad.counter("tunnel-errors") == 0
    t.send(1400)
    assert t.told() == []


def test_a_real_router_with_a_narrow_link(campus, ihad, desk, server, capture):
    campus.router.ip("link set desk0 mtu 1400")
    desk.register()
    desk.listen_ipip()
    wire = capture(campus.server, "eth0")
    server.socket.setsockopt(0, 10, 3)
    server.send(b"x" * (1400 - 28), (campus.home, 6000))
    error = until(lambda: [p for p in wire.packets() if p.protocol == 1], "an ICMP error")[0]
    assert (error.icmp, error.source) == ((3, 4), campus.agent)
    assert struct.unpack("!H", error.payload[6:8])[0] == 1380
    server.send(b"y" * (1380 - 28), (campus.home, 6000))
    assert desk.receive_ipip()[1].length == 1380


# --- keepalives of a foreign agent ---

@pytest.fixture
def agents_tunnel(campus, run_daemon, peer):
    """A node's UDP tunnel that its foreign agent asked for, from behind a NAT (RFC 3519 §4.5)."""
    conf = campus.ihad_conf
    conf["foreign-agents"].append({"address": "192.168.7.1", "spi": topology.FA_SA.spi,
                                   "key": topology.FA_SA.key})
    ihad = run_daemon(campus.ha, "ihad", conf)
    fa = peer(campus.desk, "192.168.7.1", campus.home, campus.agent, source="10.1.0.12")
    request = fa.build(flags=mip.T) + mip.udp_tunnel_request()
    request += topology.FA_SA.extension(request, mip.EXT_FHAE)
    fa.send(request)
    assert fa.reply(request).udp == (0, False, 110)
    assert ihad.binding(campus.home)["encapsulation"] == "udp"
    fa.ihad = ihad
    return fa


def test_foreign_agents_keepalive_is_answered_through_its_tunnel(campus, agents_tunnel):
    """Vectors T16 and T17: from its care-of address, which no route of ours leads to."""
    agents_tunnel.send_udp(mip.echo_request("192.168.7.1", campus.agent, 77, 5, b"agent"))
    answer = agents_tunnel.receive_udp()
    assert (answer.source, answer.destination) == (campus.agent, "192.168.7.1")
    assert answer.icmp == (0, 0) and answer.payload[4:] == b"\0\x4d\0\x05agent"
    assert agents_tunnel.ihad.counter("keepalives") == 1
    assert agents_tunnel.ihad.binding(campus.home)["keepalives"] == 1


def test_nothing_but_keepalives_may_come_from_a_foreign_agents_address(campus, agents_tunnel, peer,
                                                                       server):
    fa = agents_tunnel
    fa.send_udp(mip.udp_packet("192.168.7.1", 1, campus.server_address, 7000, b"data"))
    fa.send_udp(mip.echo_request("192.168.7.1", campus.server_address))
    fa.send_udp(mip.echo_request("192.168.7.2", campus.agent))          # not its address
    elsewhere = peer(campus.desk, "192.168.7.1", campus.home, campus.agent, source="10.1.0.11")
    elsewhere.send_udp(mip.echo_request("192.168.7.1", campus.agent))   # not from there
    fa.ihad.wait_counter("drops-tunnel-no-binding", 4)
    assert server.heard_nothing() and fa.heard_nothing() and elsewhere.heard_nothing()


def test_co_located_node_may_not_keep_alive_from_its_care_of_address(campus, ihad, desk):
    desk.register(extensions=mip.udp_tunnel_request(forced=True))
    desk.send_udp(mip.echo_request(campus.desk_address, campus.agent))
    ihad.wait_counter("drops-tunnel-no-binding", 1)
    assert desk.heard_nothing()


# --- broadcasts ---

@pytest.fixture
def office(net, campus):
    """A physical home link, 10.60.0.0/24, with a host on it; its mobile node is 10.60.0.10."""
    host = net.host("office")
    net.link(campus.ha, "lan0", "10.60.0.1/24", host, "eth0", "10.60.0.50/24")
    host.route("default", "10.60.0.1")
    campus.ihad_conf["home-networks"].append({"prefix": "10.60.0.0/24", "interface": "lan0"})
    campus.ihad_conf["mobile-nodes"] += [topology.node("10.60.0.10"), topology.node("10.60.0.11")]
    return host


def shout(host, source, destination, payload=b"all", port=9999):
    with host.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        s.setsockopt(socket.SOL_IP, 10, 0)      # IP_MTU_DISCOVER: no DF
        s.bind((source, 0))
        s.sendto(payload, (destination, port))


def udp_is_sound(packet):
    pseudo = (mip.address(packet.source) + mip.address(packet.destination)
              + struct.pack("!BBH", 0, 17, len(packet.payload)))
    return mip.checksum(pseudo + packet.payload) == 0


@pytest.mark.parametrize("destination", ["10.60.0.255", "255.255.255.255"])
def test_broadcast_of_the_home_link_reaches_a_node_that_asked(campus, office, run_daemon, peer,
                                                              destination):
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    node = peer(campus.desk, campus.desk_address, "10.60.0.10", campus.agent).listen_ipip()
    node.register(flags=mip.B | mip.D | mip.T)
    shout(office, "10.60.0.50", destination)
    outer, inner = node.receive_ipip()
    assert (outer.source, outer.destination) == (campus.agent, campus.desk_address)
    assert (inner.source, inner.destination, inner.data, inner.ttl) == (
        "10.60.0.50", destination, b"all", 64)
    assert udp_is_sound(inner)
    assert ihad.counter("broadcasts-to-nodes") == 1


def test_broadcast_through_a_foreign_agent_is_wrapped_for_the_node(campus, office, run_daemon,
                                                                   peer):
    """Vector P7: by the D bit, HA -> home address inside HA -> care-of address."""
    run_daemon(campus.ha, "ihad", campus.ihad_conf)
    node = peer(campus.desk, campus.desk_address, "10.60.0.10", campus.agent).listen_ipip()
    node.register(flags=mip.B | mip.T)
    shout(office, "10.60.0.50", "10.60.0.255")
    outer, middle = node.receive_ipip()
    assert (outer.source, outer.destination) == (campus.agent, campus.desk_address)
    assert (middle.source, middle.destination, middle.protocol) == (
        campus.agent, "10.60.0.10", 4)
    inner = mip.parse_ipv4(middle.payload)
    assert (inner.source, inner.destination, inner.data) == ("10.60.0.50", "10.60.0.255", b"all")
    assert udp_is_sound(inner)


def test_large_broadcast_is_cut_before_it_is_wrapped(campus, office, run_daemon, peer, capture):
    run_daemon(campus.ha, "ihad", campus.ihad_conf)
    node = peer(campus.desk, campus.desk_address, "10.60.0.10", campus.agent).listen_ipip()
    node.register(flags=mip.B | mip.T)
    wire = capture(campus.ha, "eth0")
    shout(office, "10.60.0.50", "10.60.0.255", b"x" * (1500 - 28))
    assert [node.receive_ipip()[0].length for _ in range(2)] == [1500, 100]
    assert all(p.length <= 1500 and not p.more for p in wire.packets() if p.protocol == 4)


def test_broadcast_reaches_nobody_who_did_not_ask(campus, office, run_daemon, peer):
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    node = peer(campus.desk, "10.1.0.10", "10.60.0.10", campus.agent).listen_ipip()
    other = peer(campus.desk, "10.1.0.11", "10.60.0.11", campus.agent).listen_ipip()
    campus.desk.ip("addr add 10.1.0.13/24 dev eth0")
    foreign = peer(campus.desk, "10.1.0.13", campus.home, campus.agent).listen_ipip()
    node.register()
    other.register(flags=mip.B | mip.D | mip.T)
    foreign.register(flags=mip.B | mip.D | mip.T)           # of another home network
    shout(office, "10.60.0.50", "10.60.0.255")
    assert other.receive_ipip()[1].data == b"all"
    assert node.no_ipip() and foreign.no_ipip()
    other.register(flags=mip.D | mip.T)                     # the same binding, without B now
    node.register(flags=mip.B | mip.D | mip.T)
    shout(office, "10.60.0.50", "10.60.0.255", b"again")
    assert node.receive_ipip()[1].data == b"again"
    assert other.no_ipip() and ihad.counter("broadcasts-to-nodes") == 2


def test_of_two_bindings_the_one_that_asked_gets_broadcasts(campus, office, run_daemon, peer):
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    asked, silent = (peer(campus.desk, care_of, "10.60.0.10", campus.agent).listen_ipip()
                     for care_of in ("10.1.0.10", "10.1.0.11"))
    asked.register(flags=mip.S | mip.B | mip.D | mip.T)
    silent.register(flags=mip.S | mip.D | mip.T)
    shout(office, "10.60.0.50", "10.60.0.255")
    assert asked.receive_ipip()[1].data == b"all"
    assert silent.no_ipip() and ihad.counter("broadcasts-to-nodes") == 1


@pytest.mark.parametrize("category, forwarded", [("all", 2), ("subnet", 1), ("off", 0)])
def test_broadcasts_by_category(campus, office, run_daemon, peer, category, forwarded):
    ihad = run_daemon(campus.ha, "ihad", tunnel(campus.ihad_conf, broadcasts=category))
    node = peer(campus.desk, campus.desk_address, "10.60.0.10", campus.agent).listen_ipip()
    node.register(flags=mip.B | mip.D | mip.T)
    shout(office, "10.60.0.50", "255.255.255.255")
    shout(office, "10.60.0.50", "10.60.0.255")
    shout(office, "10.60.0.50", "10.60.0.10", b"fence")
    heard = []
    while not heard or heard[-1].data != b"fence":
        heard.append(node.receive_ipip()[1])
    until(lambda: ihad.counter("broadcasts-to-nodes") == forwarded, "all are carried")


def test_broadcasts_follow_a_reload(campus, office, run_daemon, peer):
    ihad = run_daemon(campus.ha, "ihad", tunnel(campus.ihad_conf, broadcasts="off"))
    node = peer(campus.desk, campus.desk_address, "10.60.0.10", campus.agent).listen_ipip()
    node.register(flags=mip.B | mip.D | mip.T)
    carried = 0
    for category, forwarded in (("all", 2), ("subnet", 1), ("off", 0), ("subnet", 1)):
        ihad.write_config(tunnel(ihad.conf, **ihad.conf["tunnel"] | {"broadcasts": category}))
        assert ihad.hactl("reload", json_output=False) == "configuration reloaded\n"
        shout(office, "10.60.0.50", "255.255.255.255")
        shout(office, "10.60.0.50", "10.60.0.255")
        shout(office, "10.60.0.50", "10.60.0.10", b"fence")
        while node.receive_ipip()[1].data != b"fence":
            pass
        carried += forwarded
        ihad.wait_counter("broadcasts-to-nodes", carried)
    assert ihad.counter("broadcasts-to-nodes") == carried


def test_what_belongs_to_the_link_stays_there(campus, office, run_daemon, peer, raw):
    """Registrations and router discovery are no business of a node that is away."""
    run_daemon(campus.ha, "ihad", campus.ihad_conf)
    node = peer(campus.desk, campus.desk_address, "10.60.0.10", campus.agent).listen_ipip()
    node.register(flags=mip.B | mip.D | mip.T)
    shout(office, "10.60.0.50", "10.60.0.255", port=434)
    advertisement = struct.pack("!BBHBBH", 9, 0, 0xf4fd, 0, 2, 1800)
    link = raw(office)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    link.sendto(mip.ipv4("10.60.0.50", "10.60.0.255", 1, advertisement), ("10.60.0.255", 0))
    shout(office, "10.60.0.50", "10.60.0.255", b"fence")
    assert node.receive_ipip()[1].data == b"fence"


def test_broadcast_of_a_virtual_home_network_goes_to_its_nodes(campus, ihad, peer, server):
    node = peer(campus.desk, "10.1.0.10", campus.home, campus.agent).listen_ipip()
    other = peer(campus.desk, "10.1.0.11", campus.other_home, campus.agent,
                 sa=topology.OTHER_SA).listen_ipip()
    node.register(flags=mip.B | mip.D | mip.T)
    other.register(flags=mip.B | mip.T)
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    server.send(b"all", ("10.50.255.255", 9999))
    assert node.receive_ipip()[1].data == b"all"
    assert mip.parse_ipv4(other.receive_ipip()[1].payload).data == b"all"
    # From one of them, through its tunnel: to the others, not back.
    node.send_ipip(mip.udp_packet(campus.home, 1, "10.50.255.255", 9999, b"mine"))
    assert mip.parse_ipv4(other.receive_ipip()[1].payload).data == b"mine"
    assert node.no_ipip() and ihad.counter("broadcasts-to-nodes") == 3
    # About a broadcast there is no ICMP error, and a node that has left hears none.
    other.deregister(flags=mip.B | mip.T)
    server.socket.setsockopt(0, 10, 3)
    server.send(b"x" * 1472, ("10.50.255.255", 9999))
    ihad.wait_counter("drops-tunnel-too-big", 1)
    assert ihad.counter("icmp-errors-sent") == 0 and node.no_ipip() and other.no_ipip()


# --- multicast: we are no multicast router (RFC 5944 §4.4) ---

GROUP = "239.1.2.3"
IGMP_JOIN = bytes([0x16, 0, 0, 0]) + mip.address(GROUP)    # version 2, a report


def test_multicast_of_the_home_link_goes_to_no_node(campus, office, run_daemon, peer):
    """The B bit asks for broadcasts; a group is joined where its node is."""
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    node = peer(campus.desk, campus.desk_address, "10.60.0.10", campus.agent).listen_ipip()
    node.register(flags=mip.B | mip.D | mip.T)
    for group in ("224.0.0.251", GROUP):
        shout(office, "10.60.0.50", group, b"to a group")
    shout(office, "10.60.0.50", "10.60.0.255", b"fence")
    assert node.receive_ipip()[1].data == b"fence"
    assert node.no_ipip() and ihad.counter("broadcasts-to-nodes") == 1


@pytest.mark.parametrize("outer", ["10.1.0.10", "10.60.0.10"], ids=["care-of", "home-address"])
def test_multicast_of_a_node_is_dropped_counted_and_logged(campus, office, run_daemon, peer, raw,
                                                           capture, outer):
    """Groups that it joins and what it sends them, from either address that §4.4 may mean."""
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    node = peer(campus.desk, campus.desk_address, "10.60.0.10", campus.agent).listen_ipip()
    node.register()
    wire = capture(office, "eth0")
    igmp = IGMP_JOIN[:2] + struct.pack("!H", mip.checksum(IGMP_JOIN)) + IGMP_JOIN[4:]
    kind = "destination" if outer == campus.desk_address else "wrong-source"
    for inner in (mip.ipv4("10.60.0.10", GROUP, 2, igmp, ttl=1),
                  mip.udp_packet("10.60.0.10", 6000, GROUP, 7000, b"to a group")):
        raw(campus.desk).sendto(mip.ipv4(outer, campus.agent, 4, inner), (campus.agent, 0))
    ihad.wait_counter(f"drops-tunnel-{kind}", 2)
    event = ihad.wait_event(f"tunnel-{kind}")[0]
    assert (event["inner-source"], event["inner-destination"]) == ("10.60.0.10", GROUP)
    node.send_ipip(mip.udp_packet("10.60.0.10", 6000, "10.60.0.50", 7000, b"fence"))
    until(lambda: [p for p in wire.packets() if p.protocol == 17 and p.data == b"fence"], "a fence")
    assert not [p for p in wire.packets() if p.destination == GROUP]


def test_ipsec_only_holds_for_broadcasts_too(internet, run_daemon, peer, correspondent):
    conf = internet.xhad_conf | {"forwarding": {"policy": "ipsec-only",
                                                "vpn-gateways": ["192.0.2.10"]}}
    xhad = run_daemon(internet.xha, "xhad", conf)
    node = peer(internet.roamer, internet.roamer_address, internet.home, internet.agent)
    node.listen_ipip().register(flags=mip.B | mip.D | mip.T)
    vpn = correspondent(internet.vpn, internet.vpn_address)
    vpn.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    vpn.send(b"all", ("172.31.255.255", 9999))
    xhad.wait_counter("drops-filter", 1)
    assert node.no_ipip()
