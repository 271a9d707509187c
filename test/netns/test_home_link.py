# SPDX-License-Identifier: BSD-2-Clause
"""
A physical home link: what its hosts hear while a node is away, when it comes home, and by and by
(RFC 5944 §4.6, §3.8.3.1, §2; RFC 1256).

The campus, and a bridge that is the home network:

    ha lan0 10.60.0.1 ── home ── neighbour 10.60.0.50
                            └─── node      10.60.0.7, when it is at home
"""

import socket
import struct
from types import SimpleNamespace

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.namespaces import run
from fixtures.wait import until

AGENT, HOME, NEIGHBOUR = "10.60.0.1", "10.60.0.7", "10.60.0.50"
ETH_P_IP, ETH_P_ARP = 0x0800, 0x0806
ALL = b"\xff" * 6
SOLICITATION = bytes.fromhex("0a00f5ff00000000")        # vector A2
AGENT_MAC, NEIGHBOUR_MAC, NODE_MAC = (bytes.fromhex(f"0200000000{n}") for n in ("01", "50", "10"))
REQUEST, REPLY = 1, 2


def ether(to, source, kind, payload):
    return to + source + struct.pack("!H", kind) + payload


def arp(op, sender_mac, sender, target_mac, target, to=ALL, source=None):
    return ether(to, source or sender_mac, ETH_P_ARP,
                 struct.pack("!HHBBH6s4s6s4s", 1, ETH_P_IP, 6, 4, op, sender_mac,
                             mip.address(sender), target_mac, mip.address(target)))


def who_has(target, mac, sender):
    return arp(REQUEST, mac, sender, bytes(6), target)


G1 = arp(REQUEST, AGENT_MAC, HOME, bytes(6), HOME)
G5 = arp(REQUEST, NODE_MAC, HOME, bytes(6), HOME, source=AGENT_MAC)


def proxy_reply(mac, asker):
    return arp(REPLY, AGENT_MAC, HOME, mac, asker, to=mac)


class Wire:
    """One host's interface: what it hears there, and a way to say anything at all."""

    def __init__(self, host, mac, capture):
        self.mac, self._capture = mac, capture(host, "eth0")
        self._socket = host.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.bind(("eth0", 0))

    def send(self, frame):
        self._socket.send(frame)

    def solicit(self, source, to="224.0.0.11", checksum_off_by=0):
        icmp = bytearray(SOLICITATION)
        icmp[3] ^= checksum_off_by
        to_mac = b"\x01\x00\x5e" + mip.address(to)[1:] if to.startswith("224.") else ALL
        self.send(ether(to_mac, self.mac, ETH_P_IP,
                        mip.ipv4(source, to, 1, bytes(icmp), ttl=1)))

    def heard(self, kind=ETH_P_ARP):
        """What the home agent has said, of one kind."""
        return [f for f in self._capture.frames()
                if f[6:12] == AGENT_MAC and struct.unpack("!H", f[12:14])[0] == kind]

    def arps_about(self, home=HOME):
        """The ARP frames whose sender is the home address."""
        return [f[:42] for f in self.heard() if f[28:32] == mip.address(home)]

    def adverts(self):
        """[(frame, IPv4 packet, Advert)]"""
        packets = [(f, mip.parse_ipv4(f[14:])) for f in self.heard(ETH_P_IP)]
        return [(f, p, parse_advert(p.payload)) for f, p in packets
                if p.protocol == 1 and p.payload[0] == 9]

    def clear(self):
        self._capture.clear()

    def tshark(self, path, *args):
        return self._capture.tshark(path, *args)


def parse_advert(icmp):
    assert mip.checksum(icmp) == 0 and len(icmp) % 2 == 0
    code, _, cnt, words, lifetime = struct.unpack("!BHBBH", icmp[1:8])
    assert words == 2
    routers = [(mip.text(icmp[8 + 8 * i:12 + 8 * i]),
                struct.unpack("!I", icmp[12 + 8 * i:16 + 8 * i])[0]) for i in range(cnt)]
    rest, extensions = icmp[8 + 8 * cnt:], {}
    while rest:
        if rest[0] == 0:
            assert len(rest) == 1, "padding is last"
            break
        extensions[rest[0]] = rest[2:2 + rest[1]]
        rest = rest[2 + rest[1]:]
    assert len(extensions[16]) == 6, "no care-of address"
    sequence, registration_lifetime, flags = struct.unpack("!HHH", extensions[16])
    return SimpleNamespace(code=code, lifetime=lifetime, routers=routers, sequence=sequence,
                           registration_lifetime=registration_lifetime, flags=flags,
                           prefix_lengths=extensions.get(19))


@pytest.fixture
def home(campus, net, capture, run_daemon, peer):
    """The home link; .serve(**settings of the home network) starts ihad on it."""
    lan, neighbour, node = net.host("lan"), net.host("neighbour"), net.host("node")
    lan.ip("link add br0 type bridge forward_delay 0 mcast_snooping 0", "link set br0 up")
    for host, interface, address, port, mac in (
            (campus.ha, "lan0", f"{AGENT}/24", "port0", AGENT_MAC),
            (neighbour, "eth0", f"{NEIGHBOUR}/24", "port1", NEIGHBOUR_MAC),
            (node, "eth0", None, "port2", NODE_MAC)):
        net.link(host, interface, address, lan, port, None)
        lan.ip(f"link set {port} master br0")
        host.ip(f"link set {interface} address {mac.hex(':')}")
    neighbour.route("default", AGENT)
    campus.ha.sysctl({"net.ipv4.conf.lan0.rp_filter": 1})       # the harder case
    h = SimpleNamespace(lan=lan, neighbour=neighbour, node=node, campus=campus,
                        wire=Wire(neighbour, NEIGHBOUR_MAC, capture),
                        node_wire=Wire(node, NODE_MAC, capture),
                        sa=topology.SA, agent=campus.agent)
    campus.ihad_conf["mobile-nodes"] += [topology.node(HOME), topology.node("10.60.0.8")]

    def serve(wait=True, agent=campus.agent, **settings):
        network = {"prefix": "10.60.0.0/24", "interface": "lan0"}
        network |= {k.replace("_", "-"): v for k, v in settings.items()}
        campus.ihad_conf["home-networks"].append(network)
        campus.ihad_conf["home-agent"]["address"] = h.agent = agent
        h.ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf, wait=wait)
        return h.ihad

    def away(home_address=HOME, care_of=campus.desk_address):
        return peer(campus.desk, care_of, home_address, h.agent)

    def come_home():
        """The node is on the link again, and says so as its kernel does."""
        node.ip(f"addr add {HOME}/24 dev eth0", f"route add default via {AGENT}")
        h.node_wire.send(arp(REQUEST, NODE_MAC, HOME, bytes(6), HOME))
        return peer(node, HOME, HOME, h.agent)

    h.serve, h.away, h.come_home = serve, away, come_home
    return h


def test_first_binding_is_announced_and_a_renewal_is_not(home):
    ihad = home.serve()
    node = home.away()
    node.register()
    assert home.wire.arps_about()[:1] == [G1], "before the reply"
    until(lambda: home.wire.arps_about() == [G1] * 3, "two retransmissions")
    node.register()
    home.away(care_of="10.1.0.11").register(flags=mip.S | mip.D | mip.T)
    home.away("10.60.0.8").register()
    until(lambda: len(home.wire.arps_about("10.60.0.8")) == 3, "another node's announcements")
    assert home.wire.arps_about() == [G1] * 3
    assert ihad.counter("gratuitous-arps-sent") == 6


def test_number_of_announcements_is_configured(home):
    ihad = home.serve(gratuitous_arps=1)
    home.away().register()
    home.away("10.60.0.8").register()
    assert ihad.counter("gratuitous-arps-sent") == 2


def test_a_refused_request_changes_no_arp(home):
    ihad = home.serve()
    assert home.away().ask(care_of=HOME).code == 129
    home.wire.send(who_has(HOME, NEIGHBOUR_MAC, NEIGHBOUR))
    home.away("10.60.0.8").register()
    home.wire.send(who_has("10.60.0.8", NEIGHBOUR_MAC, NEIGHBOUR))
    ihad.wait_counter("proxy-arps-sent", 1)
    assert home.wire.arps_about() == []


def test_answers_arp_for_a_node_that_is_away_once_and_at_once(home):
    ihad = home.serve()
    home.away().register()
    home.wire.send(who_has(HOME, NEIGHBOUR_MAC, NEIGHBOUR))
    reply = proxy_reply(NEIGHBOUR_MAC, NEIGHBOUR)
    until(lambda: reply in home.wire.arps_about(), "the answer")
    # The kernel's would come within proxy_delay, 0.8 s, as the next retransmission does not.
    until(lambda: home.wire.arps_about().count(G1) == 3, "two retransmissions")
    assert home.wire.arps_about().count(reply) == 1
    assert ihad.counter("proxy-arps-sent") == 1
    assert home.campus.ha.ip_show("neigh", "show", "proxy") == ""


def test_answers_probes_and_not_the_owner_of_the_address(home):
    home.serve()
    home.away().register()
    home.wire.send(arp(REQUEST, NODE_MAC, HOME, bytes(6), HOME, source=NEIGHBOUR_MAC))
    home.wire.send(who_has(HOME, NEIGHBOUR_MAC, "0.0.0.0"))
    probe = proxy_reply(NEIGHBOUR_MAC, "0.0.0.0")
    until(lambda: probe in home.wire.arps_about(), "the answer to the probe")
    assert set(home.wire.arps_about()) == {G1, probe}


def test_another_vlan_of_the_same_wire_is_another_link(home):
    home.serve()
    home.away().register()
    question = who_has(HOME, NEIGHBOUR_MAC, NEIGHBOUR)
    home.wire.send(question[:12] + bytes.fromhex("81000005") + question[12:])
    home.wire.send(who_has(HOME, NEIGHBOUR_MAC, "0.0.0.0"))
    probe = proxy_reply(NEIGHBOUR_MAC, "0.0.0.0")
    until(lambda: probe in home.wire.arps_about(), "the answer to the probe")
    assert set(home.wire.arps_about()) == {G1, probe}


def test_neighbours_reach_a_node_that_is_away(home, correspondent):
    home.serve()
    node = home.away().listen_ipip()
    node.register()
    host = correspondent(home.neighbour, NEIGHBOUR)
    host.send(b"hello", (HOME, 7000))
    outer, inner = node.receive_ipip()
    assert (inner.source, inner.destination, inner.data) == (NEIGHBOUR, HOME, b"hello")
    assert outer.source == home.agent
    node.send_ipip(mip.udp_packet(HOME, 7000, NEIGHBOUR, 7000, b"hello back"))
    assert host.receive() == (b"hello back", (HOME, 7000))


@pytest.mark.parametrize("end", ["deregistration-abroad", "expiry", "operator"])
def test_proxy_arp_ends_with_the_last_binding(home, end):
    ihad = home.serve(gratuitous_arps=1)
    other = home.away("10.60.0.8")
    other.register()
    node = home.away()
    node.register(lifetime=1 if end == "expiry" else 600)
    if end == "deregistration-abroad":
        node.deregister()
    elif end == "operator":
        ihad.hactl("clear", "binding", HOME, json_output=False)
    until(lambda: len(ihad.bindings()) == 1, "no binding of the node")
    home.wire.clear()
    home.wire.send(who_has(HOME, NEIGHBOUR_MAC, NEIGHBOUR))
    home.wire.send(who_has("10.60.0.8", NEIGHBOUR_MAC, NEIGHBOUR))
    until(lambda: home.wire.arps_about("10.60.0.8"), "the answer for another node")
    assert home.wire.arps_about() == []


def test_a_node_that_comes_home_gets_its_address_back(home):
    """Strict reverse path filtering was on, and the route led into the tunnel."""
    ihad = home.serve()
    home.away().register()
    home.wire.send(who_has(HOME, NEIGHBOUR_MAC, NEIGHBOUR))
    until(lambda: len(home.wire.arps_about()) == 4, "the answer and all announcements")
    home.wire.clear()
    node = home.come_home()
    home.node_wire.clear()
    assert node.deregister(care_of=HOME).lifetime == 0
    assert ihad.bindings() == []
    until(lambda: home.wire.arps_about() == [G5] * 3, "three announcements for the node")
    # On the link, the reply came between the first and the second of them.
    frames = [f for f in home.node_wire.heard() + home.node_wire.heard(ETH_P_IP)]
    replies = [f for f in frames if f[12:14] == b"\x08\x00" and f[23] == 17]
    assert [f[:6] for f in replies] == [NODE_MAC]
    home.wire.clear()
    home.wire.send(who_has(HOME, NEIGHBOUR_MAC, NEIGHBOUR))
    home.neighbour.run(["ping", "-c1", "-W5", HOME])
    assert home.wire.arps_about() == [], "the node answers for itself"
    home.campus.ha.run(["ping", "-c1", "-W5", HOME])


def test_a_return_stops_the_announcements_of_the_departure(home):
    home.serve()
    home.away().register()
    home.come_home().deregister(care_of=HOME)
    home.away("10.60.0.8").register()
    until(lambda: len(home.wire.arps_about("10.60.0.8")) == 3, "another node's announcements")
    assert home.wire.arps_about() == [G1] + [G5] * 3


def test_a_departure_stops_the_announcements_of_the_return(home):
    home.serve()
    home.away().register()
    node = home.come_home()
    node.deregister(care_of=HOME)
    node.deregister(care_of=HOME)
    home.away().register()
    home.away("10.60.0.8").register()
    until(lambda: len(home.wire.arps_about("10.60.0.8")) == 3, "another node's announcements")
    assert home.wire.arps_about() == [G1, G5, G5] + [G1] * 3


def test_a_refusal_reaches_a_node_at_home_while_its_binding_stays(home):
    ihad = home.serve()
    home.away().register()
    node = home.come_home()
    assert node.ask(care_of=HOME, lifetime=0, ident=mip.timestamp(-3600)).code == 133
    assert ihad.binding(HOME)["care-of-address"] == home.campus.desk_address
    assert "dev ihad0" in home.campus.ha.ip_show("route", "get", HOME)
    home.wire.clear()
    home.wire.send(who_has(HOME, NEIGHBOUR_MAC, NEIGHBOUR))
    until(lambda: proxy_reply(NEIGHBOUR_MAC, NEIGHBOUR) in home.wire.arps_about(), "proxy ARP")
    assert G5 not in home.wire.arps_about()


def test_one_of_two_bindings_ended_at_home_leaves_the_node_away(home):
    home.serve(gratuitous_arps=1)
    home.away().register()
    home.away(care_of="10.1.0.11").register(flags=mip.S | mip.D | mip.T)
    home.come_home().deregister(care_of="10.1.0.11")
    home.wire.send(who_has(HOME, NEIGHBOUR_MAC, NEIGHBOUR))
    reply = proxy_reply(NEIGHBOUR_MAC, NEIGHBOUR)
    until(lambda: reply in home.wire.arps_about(), "proxy ARP")
    assert home.wire.arps_about() == [G1, reply]


def test_a_home_link_that_was_taken_away_is_served_again(home, net):
    """Who is away is announced there once more: the link may have new neighbours, or forgotten."""
    ihad = home.serve(gratuitous_arps=2)
    home.away().register()
    until(lambda: home.wire.arps_about().count(G1) == 2, "announcements")
    home.campus.ha.ip("link del lan0")
    ihad.wait_event("home-link-lost")
    net.link(home.campus.ha, "lan0", f"{AGENT}/24", home.lan, "port9", None)
    home.campus.ha.ip(f"link set lan0 address {AGENT_MAC.hex(':')}")
    home.lan.ip("link set port9 master br0")
    ihad.wait_event("home-link-back")
    until(lambda: home.wire.arps_about().count(G1) == 4, "announcements")
    until(lambda: ihad.counter("gratuitous-arps-sent") == 4, "no more of them")


def test_a_home_link_is_not_lost_with_the_last_descriptor(home):
    ihad = home.serve()
    with ihad.without_descriptors():
        home.away().register(lifetime=1)
        ihad.wait_event("expired")
        home.away().register(lifetime=1)
        ihad.wait_event("expired", 2)       # so there was a tick between them
    assert not ihad.events("home-link-lost")


def test_advertises_itself_as_configured(home):
    """Vector A1, but for the address of the home agent, which is on another link here."""
    home.campus.ihad_conf["registration"] = {"max-lifetime": 900}
    home.campus.ihad_conf["tunnel"] = {"encapsulation": ["ip-in-ip", "gre"]}
    ihad = home.serve()
    frame, packet, advert = until(home.wire.adverts, "an advertisement")[0]
    assert frame[:6] == bytes.fromhex("01005e000001")
    assert (packet.source, packet.destination, packet.ttl) == (AGENT, "224.0.0.1", 1)
    assert advert == SimpleNamespace(
        code=16, lifetime=1800, sequence=0, registration_lifetime=900, flags=0x2000 | 0x0400 | 0x0100,
        routers=[(AGENT, 0), (home.agent, 0x80000000)], prefix_lengths=b"\x18\x18")
    assert ihad.counter("advertisements-sent") == 1
    ihad.stop()
    assert [a.sequence for *_, a in home.wire.adverts()] == [0, 1]
    assert [a.lifetime for *_, a in home.wire.adverts()] == [1800, 0], "the last says goodbye"


def test_advertises_as_a_default_router_if_told_to(home):
    home.campus.ihad_conf["tunnel"] = {"reverse-tunnel": "disabled"}
    home.serve(agent=AGENT, advertise_default_router=True, advertise_prefix_length=False,
               advertisement_interval=20, advertisement_lifetime=100)
    _, _, advert = until(home.wire.adverts, "an advertisement")[0]
    assert (advert.code, advert.lifetime, advert.routers) == (0, 100, [(AGENT, 0)])
    assert (advert.flags, advert.prefix_lengths) == (0x2000 | 0x0800 | 0x0400, None)


def test_advertises_again_and_again_not_quite_regularly(home):
    home.serve(advertisement_interval=1)
    until(lambda: len(home.wire.adverts()) == 4, "four advertisements")
    assert [a.sequence for *_, a in home.wire.adverts()] == [0, 1, 2, 3]


def test_advertises_what_a_reload_has_changed(home):
    home.serve(advertisement_interval=1)
    until(home.wire.adverts, "an advertisement")
    home.campus.ihad_conf["registration"] = {"max-lifetime": 60}
    home.campus.ihad_conf["tunnel"] = {"encapsulation": ["ip-in-ip"]}
    home.ihad.write_config(home.campus.ihad_conf)
    home.ihad.reload()
    home.wire.clear()
    _, _, advert = until(home.wire.adverts, "the next")[0]
    assert (advert.registration_lifetime, advert.flags) == (60, 0x2000 | 0x0100)


@pytest.mark.parametrize("group", ["224.0.0.2", "224.0.0.11", "255.255.255.255"])
def test_answers_a_solicitation_to_whoever_sent_it(home, group):
    """RFC 5944 §2.3: whatever network its source is of."""
    ihad = home.serve(advertisement_interval=0)
    home.node_wire.solicit("192.0.2.10", group, checksum_off_by=1)
    home.node_wire.solicit("192.0.2.10", group)
    frame, packet, advert = until(home.node_wire.adverts, "an answer")[0]
    assert frame[:6] == NODE_MAC
    assert (packet.source, packet.destination, packet.ttl) == (AGENT, "192.0.2.10", 1)
    assert (advert.sequence, advert.lifetime) == (0, 1800)
    counters = ihad.counters()
    assert (counters["solicitations-received"], counters["solicitations-answered"],
            counters["advertisements-sent"]) == (1, 1, 1)


def test_a_flood_of_solicitations_earns_few_answers(home):
    ihad = home.serve(advertisement_interval=0)
    for n in range(1, 201):
        home.node_wire.solicit(f"10.60.0.{n}")
    ihad.wait_counter("solicitations-received", 200)
    until(lambda: ihad.counter("solicitations-answered") > 0, "an answer")
    assert ihad.counter("advertisements-sent") <= 18, "eight and one to all, twice at most"


def test_settings_of_the_host_that_contradict_a_home_link_are_told(home):
    home.campus.ha.sysctl({"net.ipv4.conf.lan0.proxy_arp": 1})
    ihad = home.serve()
    assert len(ihad.events("rp-filter-loosened")) == 1
    assert ihad.events("kernel-proxy-arp")[0]["interface"] == "lan0"


def test_groups_of_agents_are_joined_on_the_home_link(home):
    home.serve()
    groups = home.campus.ha.ip_show("maddress", "show", "dev", "lan0")
    assert "224.0.0.2" in groups and "224.0.0.11" in groups


def test_neither_advertises_nor_answers_if_told_not_to(home):
    ihad = home.serve(advertise=False)
    home.node_wire.solicit("10.60.0.9")
    home.away().register()
    home.node_wire.send(who_has(HOME, NODE_MAC, "10.60.0.9"))
    ihad.wait_counter("proxy-arps-sent", 1)
    ihad.stop()
    assert home.node_wire.adverts() == []


# --- by a reload ---

LINK = {"prefix": "10.60.0.0/24", "interface": "lan0"}
SERVED = "configuration reloaded\n"


def having(conf, *networks, **settings):
    """With these home networks beside the virtual one, and the nodes that are at home in them."""
    prefixes = ("10.50.", *(n["prefix"][:6] for n in networks))
    return conf | settings | {
        "home-networks": [conf["home-networks"][0], *networks],
        "mobile-nodes": [n for n in conf["mobile-nodes"]
                         if n.get("home-address", "10.50.").startswith(prefixes)]}


@pytest.fixture
def reload(home, run_daemon):
    """reload(network, ...): has ihad serve these from now on; the first time, starts it."""
    conf = home.campus.ihad_conf

    def run_with(*networks, answer=SERVED, **settings):
        if not hasattr(home, "ihad"):
            home.ihad = run_daemon(home.campus.ha, "ihad", having(conf, *networks, **settings))
            return home.ihad
        home.ihad.write_config(having(home.ihad.conf | {"mobile-nodes": conf["mobile-nodes"]},
                                      *networks))
        done = home.ihad.hactl("reload", check=False, json_output=False)
        assert done.stdout == answer, done.stderr
        return home.ihad

    return run_with


def is_answered(home, wire=None, who=HOME):
    """Does anybody answer ARP for it by the time that he answers for another node?"""
    wire = wire or home.wire
    wire.clear()
    wire.send(who_has(who, wire.mac, NEIGHBOUR))
    wire.send(who_has("10.60.0.8", wire.mac, NEIGHBOUR))
    until(lambda: wire.arps_about("10.60.0.8"), "the answer for another node")
    return any(f[20:22] == b"\0\2" for f in wire.arps_about(who))


@pytest.mark.parametrize("tier", ["tun", "tc", "xdp", "kernel"])
def test_a_link_that_a_reload_brings_is_served(home, reload, net, desk, correspondent, tier):
    if tier in ("tc", "xdp"):
        net.prepare_for_bpf()
    if tier == "kernel" and not home.campus.ha.has_kernel_tunnels():
        pytest.skip("this kernel has no ipip and gre devices; test/vm/run has one that does")
    ihad = reload(tunnel={"data-path": tier})
    desk.register()
    reload(LINK)
    assert ihad.wait_event("home-network-added")[0]["interface"] == "lan0"
    assert len(ihad.events("rp-filter-loosened")) == 1
    _, _, advert = until(home.wire.adverts, "an advertisement")[0]
    assert (advert.sequence, advert.lifetime) == (0, 1800)
    node = home.away().listen_ipip()
    node.register()
    home.away("10.60.0.8").register()
    until(lambda: home.wire.arps_about() == [G1] * 3, "announcements")
    assert is_answered(home)
    host = correspondent(home.neighbour, NEIGHBOUR)
    for _ in range(3):
        host.send(b"hello", (HOME, 7000))
        assert node.receive_ipip()[1].data == b"hello"
        node.send_ipip(mip.udp_packet(HOME, 7000, NEIGHBOUR, 7000, b"hello back"))
        assert host.receive() == (b"hello back", (HOME, 7000))
    assert ihad.status()["data-path"] == tier, ihad.log()
    assert ihad.binding(home.campus.home), "that of before goes on"


def test_a_link_that_is_gone_is_left(home, reload, desk, peer):
    """Its nodes are told where that was agreed; the link is, by the last advertisement."""
    ihad = reload(LINK)
    desk.register()
    told = peer(home.campus.desk, home.campus.desk_address, HOME, "0.0.0.0", port=mip.PORT)
    node = home.away()
    request = node.build(extensions=mip.revocation_support())
    node.send(request)
    assert node.reply(request).code in (0, 1)
    until(lambda: len(home.wire.arps_about()) == 3, "all announcements")
    assert HOME in home.campus.ha.ip_show("route", "show", "dev", "ihad0")
    home.wire.clear()
    reload()
    (ended,) = ihad.wait_event("binding-ended")
    assert (ended["home-address"], ended["reason"]) == (HOME, "mobile-node-gone")
    assert ihad.wait_event("home-network-removed")[0]["interface"] == "lan0"
    message = mip.parse_revocation(told.receive(mip.REVOCATION)[0])
    assert message.home == HOME and message.is_authentic(topology.SA)
    until(lambda: home.wire.adverts(), "a farewell")
    assert [a.lifetime for *_, a in home.wire.adverts()] == [0]
    assert HOME not in home.campus.ha.ip_show("route", "show", "dev", "ihad0")
    assert [b["home-address"] for b in ihad.bindings()] == [home.campus.home]
    home.wire.send(who_has(HOME, NEIGHBOUR_MAC, NEIGHBOUR))
    home.wire.solicit("192.0.2.10")

    # It comes back, and the agent has not been away (RFC 5944 §2.3.2).
    last = home.wire.adverts()[-1][2].sequence
    reload(LINK)
    until(lambda: len(home.wire.adverts()) == 2, "an advertisement")
    assert home.wire.adverts()[-1][2].sequence == last + 1
    assert home.wire.arps_about() == [], "neither announced nor answered"
    home.away("10.60.0.8").register()
    assert not is_answered(home), "its binding is gone"


@pytest.fixture
def other_wire(home, net, capture):
    """A second link of the agent's: lan1, and a neighbour there."""
    host = net.host("elsewhere")
    net.link(home.campus.ha, "lan1", "10.60.0.2/24", host, "eth0", None)
    for h, interface, mac in ((home.campus.ha, "lan1", AGENT_MAC), (host, "eth0", NEIGHBOUR_MAC)):
        h.ip(f"link set {interface} address {mac.hex(':')}")
    return Wire(host, NEIGHBOUR_MAC, capture)


def test_a_network_that_moves_to_another_interface_takes_its_bindings_along(home, reload, desk,
                                                                            other_wire):
    ihad = reload(LINK)
    desk.register()
    home.away().register()
    home.away("10.60.0.8").register()
    until(lambda: len(home.wire.arps_about()) == 3, "all announcements")
    home.wire.clear()
    reload(LINK | {"interface": "lan1"})
    (moved,) = ihad.wait_event("home-network-moved")
    assert (moved["network"], moved["interface"], moved["before"]) == (
        LINK["prefix"], "lan1", "lan0")
    until(lambda: other_wire.arps_about() == [G1] * 3, "announcements on the other link")
    until(home.wire.adverts, "a farewell")
    assert [a.lifetime for *_, a in home.wire.adverts()] == [0]
    assert [a.lifetime for *_, a in other_wire.adverts()] == [1800]
    assert is_answered(home, other_wire)
    home.wire.send(who_has(HOME, NEIGHBOUR_MAC, NEIGHBOUR))
    assert is_answered(home, other_wire)
    assert home.wire.arps_about() == [], "no more on the link of before"
    assert len(ihad.bindings()) == 3 and ihad.events("binding-ended") == []
    assert "dev ihad0" in home.campus.ha.ip_show("route", "get", HOME)
    home.away().deregister()
    assert not is_answered(home, other_wire)


def test_a_virtual_network_becomes_a_link_and_a_virtual_one_again(home, reload, correspondent):
    """Its bindings stay."""
    virtual = {"prefix": LINK["prefix"]}
    home.campus.ha.ip(f"addr del {AGENT}/24 dev lan0")
    ihad = reload(virtual)
    node = home.away().listen_ipip()
    node.register()
    home.away("10.60.0.8").register()
    home.campus.ha.ip(f"addr add {AGENT}/24 dev lan0")
    reload(LINK)
    until(lambda: home.wire.arps_about() == [G1] * 3, "announcements")
    assert is_answered(home)
    host = correspondent(home.neighbour, NEIGHBOUR)
    host.send(b"hello", (HOME, 7000))
    assert node.receive_ipip()[1].data == b"hello"

    home.campus.ha.ip(f"addr del {AGENT}/24 dev lan0")
    reload(virtual)
    home.campus.ha.ip(f"addr add {AGENT}/32 dev lan0")
    routes = home.campus.ha.ip_show("route", "show", "dev", "ihad0")
    assert LINK["prefix"] in routes and HOME not in routes
    home.wire.clear()
    home.wire.send(who_has(HOME, NEIGHBOUR_MAC, NEIGHBOUR))
    reply = until(lambda: ihad.counters()["gratuitous-arps-sent"] == 6, "no more of them")
    assert reply and home.wire.arps_about() == []
    assert len(ihad.bindings()) == 2


def test_settings_of_a_link_change_and_nothing_else_of_it(home, reload):
    ihad = reload(LINK)
    home.away().register()
    home.away("10.60.0.8").register()
    until(lambda: len(home.wire.arps_about("10.60.0.8")) == 3, "all announcements")
    home.wire.clear()
    reload(LINK | {"advertise": False, "gratuitous-arps": 1})
    until(home.wire.adverts, "a farewell")
    home.node_wire.solicit("192.0.2.10")
    assert is_answered(home)
    reload(LINK | {"advertisement-interval": 1, "gratuitous-arps": 1})
    until(lambda: len(home.node_wire.adverts()) >= 5, "advertisements")
    lifetimes = [a.lifetime for *_, a in home.node_wire.adverts()][:5]
    assert lifetimes == [1800, 0, 3, 3, 3]
    assert [a.sequence for *_, a in home.node_wire.adverts()][:5] == [0, 1, 2, 3, 4]
    assert ihad.counter("solicitations-received") == 0
    reload(LINK | {"advertise-prefix-length": False, "gratuitous-arps": 1})
    until(lambda: home.node_wire.adverts()[-1][2].prefix_lengths is None, "said at once")
    assert is_answered(home)
    assert ihad.counter("gratuitous-arps-sent") == 6
    home.away().deregister()
    home.away().register()
    assert ihad.counter("gratuitous-arps-sent") == 7


def test_a_link_that_is_not_there_refuses_the_file(home, reload, desk, other_wire):
    ihad = reload(LINK)
    desk.register()
    home.away().register()
    home.away("10.60.0.8").register()
    until(home.wire.adverts, "an advertisement")
    others = ({"prefix": "10.61.0.0/24", "interface": "lan1"},
              {"prefix": "10.62.0.0/24", "interface": "nobody"}, {"prefix": "10.63.0.0/16"})
    reload(*others, answer="")
    assert ihad.wait_event("home-link-refused")[0]["interface"] == "nobody"
    assert ihad.wait_event("reload-failed")
    assert is_answered(home)
    assert [a.lifetime for *_, a in home.wire.adverts()] == [], "nobody goes"
    assert other_wire.adverts() == [] and len(ihad.bindings()) == 3
    home.campus.ha.ip("route add 10.63.0.0/16 via 10.0.0.1")
    reload(others[0], others[2], answer="")
    assert ihad.wait_event("data-path-refused")
    assert is_answered(home) and other_wire.adverts() == []
    groups = home.campus.ha.ip_show("maddress", "show", "dev", "lan1")
    assert "224.0.0.11" not in groups
    reload(LINK, others[0])
    until(other_wire.adverts, "an advertisement")


def test_broadcasts_of_a_link_that_a_reload_brings(home, reload, correspondent):
    """For nodes that are away and ask for them, and to the home agent from nodes that look for one."""
    reload()
    reload(LINK)
    node = home.away().listen_ipip()
    node.register(flags=mip.B | mip.D | mip.T)
    host = correspondent(home.neighbour, NEIGHBOUR)
    host.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    host.send(b"to all", ("10.60.0.255", 7000))
    assert node.receive_ipip()[1].data == b"to all"
    sockets = home.campus.ha.run(["ss", "-Hlnu"]).stdout
    assert "10.60.0.255:434" in sockets
    reload()
    sockets = home.campus.ha.run(["ss", "-Hlnu"]).stdout
    assert "10.60.0.255:434" not in sockets and f"{home.agent}:434" in sockets
    assert "255.255.255.255:434" in sockets


def test_tshark_reads_every_frame_the_same_way(home, workdir):
    home.serve()
    home.away().register()
    node = home.come_home()
    node.deregister(care_of=HOME)
    until(lambda: len(home.wire.arps_about()) == 4, "all announcements")
    lines = home.wire.tshark(f"{workdir}/home.pcap", "-Y", "icmp.type == 9", "-T", "fields",
                             "-E", "separator=,", "-e", "icmp.checksum.status", "-e",
                             "icmp.mip.type", "-e", "icmp.mip.seq", "-e", "icmp.mip.life")
    assert lines == ["1,16,19,0,1800"] or lines == ["1,16,0,1800"], lines
    lines = home.wire.tshark(f"{workdir}/home.pcap", "-Y", "arp.isgratuitous == 1", "-T",
                             "fields", "-E", "separator=,", "-e", "eth.src", "-e",
                             "arp.src.hw_mac", "-e", "arp.src.proto_ipv4")
    agent, node_mac = AGENT_MAC.hex(":"), NODE_MAC.hex(":")
    assert [line for line in lines if line.startswith(agent)] == [
        f"{agent},{agent},{HOME}"] + [f"{agent},{node_mac},{HOME}"] * 3
    path = f"{workdir}/node.pcap"
    lines = home.node_wire.tshark(path, "-o", "udp.check_checksum:TRUE", "-o",
                                  "ip.check_checksum:TRUE", "-Y", "mip.type == 3", "-T", "fields",
                                  "-E", "separator=,", "-e", "udp.checksum.status", "-e",
                                  "ip.checksum.status", "-e", "mip.code", "-e", "eth.dst")
    assert lines == [f"1,1,0,{node_mac}"]
    assert run(["test", "-s", path]).returncode == 0
