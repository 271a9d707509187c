# SPDX-License-Identifier: BSD-2-Clause
"""
Networks behind mobile routers (RFC 5177): registered with the router, routed through its binding,
gone with it. The router is a peer that says what it likes, or test/mn with a host behind it.
"""

import os
import socket
import struct

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.programs import Counting
from fixtures.wait import until

EXT_MOBILE_NETWORK = 148
NETWORK, OTHER_NETWORK, BEHIND = "10.60.1.0/24", "10.60.2.0/24", "10.60.1.5"
SERVER = ("10.3.0.100", 7000)


def ask_for(*networks):
    """Mobile Network Requests."""
    octets = b""
    for network in networks:
        address, length = network.split("/")
        octets += mip.extension(EXT_MOBILE_NETWORK,
                                bytes([0, int(length)]) + mip.address(address))
    return octets


def acks(reply):
    """What the reply says of each: (sub-type, code, network)."""
    bodies = [e.body for e in reply.extensions if e.type == EXT_MOBILE_NETWORK]
    assert all(len(b) == 8 and b[3] == 0 for b in bodies)
    return [(b[0], b[1], f"{mip.text(b[4:])}/{b[2]}") for b in bodies]


def with_networks(conf, home, *networks, **more):
    nodes = [node | {"mobile-networks": list(networks)} | more
             if node.get("home-address") == home else node for node in conf["mobile-nodes"]]
    return conf | {"mobile-nodes": nodes}


def routes(host, network):
    return host.ip_show("route", "show", network).split()


@pytest.fixture
def router(campus, run_daemon, desk):
    """alice, who may register two networks; the campus routes them to ihad."""
    campus.router.route("10.60.0.0/16", campus.agent)
    desk.ihad = run_daemon(campus.ha, "ihad",
                           with_networks(campus.ihad_conf, campus.home, NETWORK, OTHER_NETWORK))
    return desk.listen_ipip()


def from_behind(source=BEHIND, payload=b"out"):
    return mip.udp_packet(source, 6000, *SERVER, payload)


def test_a_network_is_registered_routed_and_shown(campus, router, capture, workdir):
    wire = capture(campus.ha, "eth0")
    reply = router.register(extensions=ask_for(NETWORK))
    assert acks(reply) == [(1, 0, NETWORK)]
    assert reply.types == [EXT_MOBILE_NETWORK, mip.EXT_TNC, mip.EXT_MHAE]
    assert router.ihad.binding(campus.home)["mobile-networks"] == [NETWORK]
    assert "ihad0" in routes(campus.ha, NETWORK) and routes(campus.ha, OTHER_NETWORK) == []
    assert router.ihad.wait_event("mobile-network-registered")[0]["network"] == NETWORK

    # A renewal that names another: the first is gone (§6.3).
    router.register(extensions=ask_for(OTHER_NETWORK))
    assert routes(campus.ha, NETWORK) == [] and "ihad0" in routes(campus.ha, OTHER_NETWORK)
    assert acks(router.deregister(extensions=ask_for(NETWORK))) == []
    assert routes(campus.ha, OTHER_NETWORK) == []
    assert len(router.ihad.wait_event("mobile-network-gone", 2)) == 2
    path = os.path.join(workdir, "wire.pcap")
    assert wire.tshark(path, "-Y", "_ws.malformed") == []
    assert wire.tshark(path, "-Y", "mip.type == 3", "-T", "fields", "-e", "mip.ext.type")[0] == \
        "148,149,32"


def test_refusals_are_told_apart(campus, router, peer):
    reply = router.ask(extensions=ask_for("10.99.0.0/24", "10.60.1.0/0"))
    assert (reply.code, acks(reply)) == (147, [(1, 2, "10.99.0.0/24"), (1, 1, "10.60.1.0/0")])
    other = peer(campus.desk, "10.1.0.11", campus.other_home, campus.agent,
                 sa=topology.OTHER_SA)
    reply = other.ask(extensions=ask_for(NETWORK))
    assert (reply.code, acks(reply)) == (148, [])
    assert router.ihad.bindings() == []
    assert router.ihad.counter("denied-147-mobile-network-error") == 1
    assert router.ihad.counter("denied-148-mobile-router-disallowed") == 1


def test_packets_go_to_a_network_behind_a_router_and_come_from_it(campus, router, server):
    router.register(extensions=ask_for(NETWORK))
    server.send(b"hello", (BEHIND, 6000))
    outer, inner = router.receive_ipip()
    assert (outer.source, outer.destination) == (campus.agent, campus.desk_address)
    assert (inner.source, inner.destination, inner.data) == (SERVER[0], BEHIND, b"hello")
    router.send_ipip(from_behind())
    assert server.receive() == (b"out", (BEHIND, 6000))
    # The router itself is a node as before.
    server.send(b"home", (campus.home, 6000))
    assert router.receive_ipip()[1].destination == campus.home
    binding = router.ihad.binding(campus.home)
    assert (binding["packets-to-node"], binding["packets-from-node"]) == (2, 1)


def test_what_a_router_tunnels_itself_comes_out_of_both_tunnels(campus, router, server):
    router.register(extensions=ask_for(NETWORK))
    router.send_ipip(mip.ipv4(campus.home, campus.agent, mip.IPIP, from_behind()))
    assert server.receive() == (b"out", (BEHIND, 6000))
    router.send_ipip(mip.ipv4(campus.home, campus.agent, mip.IPIP, from_behind(campus.home)))
    assert server.receive() == (b"out", (campus.home, 6000))


def test_nobody_sends_for_a_network_that_is_not_registered_with_him(campus, router, server, peer):
    """§6.5, §7: outer source the care-of address, inner source home address or network; or drop."""
    other = peer(campus.desk, "10.1.0.11", campus.other_home, campus.agent,
                 sa=topology.OTHER_SA)
    other.register()
    router.register(extensions=ask_for(NETWORK))
    counting = Counting(router.ihad)

    other.send_ipip(from_behind())                          # another's
    router.ihad.wait_counter("drops-tunnel-wrong-source", 1)
    router.send_ipip(from_behind("10.60.2.5"))              # its own, and not registered
    wrapped = mip.ipv4(campus.home, campus.agent, mip.IPIP, from_behind("10.60.2.5"))
    router.send_ipip(wrapped)
    router.ihad.wait_counter("drops-tunnel-no-binding", 2)
    twice = mip.ipv4(campus.home, campus.agent, mip.IPIP,
                     mip.ipv4(campus.home, campus.agent, mip.IPIP, from_behind()))
    router.send_ipip(twice)                                 # one header more than there may be
    mere_host = mip.ipv4(campus.other_home, campus.agent, mip.IPIP,
                         from_behind(campus.other_home))
    other.send_ipip(mere_host)
    router.ihad.wait_counter("drops-tunnel-loop", 2)
    assert counting["packets-from-nodes"] == 0 and server.heard_nothing()


def test_a_foreign_agent_gets_them_in_a_tunnel_to_the_home_address(campus, router, server):
    """§7: the agent knows the router by its home address only."""
    router.register(flags=mip.T, extensions=ask_for(NETWORK))
    server.send(b"hello", (BEHIND, 6000))
    outer, middle = router.receive_ipip()
    assert (outer.source, outer.destination) == (campus.agent, campus.desk_address)
    assert (middle.source, middle.destination, middle.protocol) == (
        campus.agent, campus.home, mip.IPIP)
    inner = mip.parse_ipv4(middle.payload)
    assert (inner.destination, inner.data) == (BEHIND, b"hello")
    server.send(b"home", (campus.home, 6000))
    assert router.receive_ipip()[1].data == b"home"

    # What does not fit both headers is told so.
    server.socket.setsockopt(0, 10, 2)      # IP_MTU_DISCOVER: DF
    server.send(bytes(1500 - 28 - 20), (BEHIND, 6000))
    server.send(bytes(1500 - 28 - 40), (BEHIND, 6000))
    outer, middle = router.receive_ipip()
    assert outer.length == 1500 and mip.parse_ipv4(middle.payload).length == 1460
    assert router.ihad.counter("drops-tunnel-too-big") == 1


def test_an_error_inside_is_told_to_the_sender_beyond_both_tunnels(campus, router, server,
                                                                    capture, things):
    far = capture(campus.server, "eth0")
    icmp = campus.desk.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    things.append(icmp)
    router.register(flags=mip.T, extensions=ask_for(NETWORK))
    server.socket.setsockopt(0, 10, 3)      # IP_MTU_DISCOVER: DF, and no size is too big
    server.send(bytes(1400 - 28), (BEHIND, 6000))
    outer, _ = router.receive_ipip()
    for kept in (20 + 20 + 19, 20 + 20 + 20 + 8):   # not enough of it to tell anybody; enough
        quote = outer.octets[:kept]
        body = struct.pack("!BBHHH", 3, 4, 0, 0, 1300) + quote
        icmp.sendto(body[:2] + struct.pack("!H", mip.checksum(body)) + body[4:],
                    (campus.agent, 0))
    told = until(lambda: [p for p in far.packets() if p.protocol == 1], "the sender is told")
    assert [(p.icmp, struct.unpack("!H", p.payload[6:8])[0]) for p in told] == [((3, 4), 1260)]
    quoted = mip.parse_ipv4(told[0].payload[8:] + bytes(1500))
    assert (quoted.source, quoted.destination) == (SERVER[0], BEHIND)
    assert router.ihad.counter("tunnel-errors-relayed") == 1


def test_a_network_ends_with_its_binding(campus, router, server):
    router.register(lifetime=2, extensions=ask_for(NETWORK))
    router.ihad.wait_event("expired")
    until(lambda: routes(campus.ha, NETWORK) == [], "what it logs first, it then does")
    router.register(extensions=ask_for(NETWORK))
    router.ihad.hactl("clear", "binding", campus.home, json_output=False)
    assert routes(campus.ha, NETWORK) == []
    server.send(b"hello", (BEHIND, 6000))
    router.register()
    assert router.no_ipip()


def test_a_route_of_somebody_else_is_left_alone(campus, router):
    campus.ha.route(NETWORK, "10.0.0.1")
    reply = router.ask(extensions=ask_for(NETWORK))
    assert (reply.code, acks(reply)) == (147, [(1, 3, NETWORK)])
    assert "10.0.0.1" in routes(campus.ha, NETWORK)
    assert router.ihad.events("mobile-network-failed")[0]["network"] == NETWORK
    reply = router.register(extensions=ask_for(NETWORK, OTHER_NETWORK))
    assert acks(reply) == [(1, 3, NETWORK), (1, 0, OTHER_NETWORK)]
    router.deregister()
    assert "10.0.0.1" in routes(campus.ha, NETWORK)


def test_a_route_that_was_taken_away_is_put_back(campus, router):
    router.register(extensions=ask_for(NETWORK))
    campus.ha.ip(f"route del {NETWORK}")
    until(lambda: "ihad0" in routes(campus.ha, NETWORK), "the route is back")


def test_a_reload_ends_what_is_no_longer_configured(campus, router):
    router.register(extensions=ask_for(NETWORK, OTHER_NETWORK))
    router.ihad.write_config(with_networks(router.ihad.conf, campus.home, OTHER_NETWORK))
    router.ihad.reload()
    assert router.ihad.binding(campus.home)["mobile-networks"] == [OTHER_NETWORK]
    assert routes(campus.ha, NETWORK) == [] and "ihad0" in routes(campus.ha, OTHER_NETWORK)
    assert router.ask(extensions=ask_for(NETWORK)).code == 147


def test_a_network_survives_a_kill(campus, router):
    router.register(extensions=ask_for(NETWORK, OTHER_NETWORK))
    router.ihad.kill()
    router.ihad.start()
    assert routes(campus.ha, NETWORK) and routes(campus.ha, OTHER_NETWORK)
    router.ihad.hactl("clear", "binding", campus.home)
    assert not routes(campus.ha, NETWORK) and not routes(campus.ha, OTHER_NETWORK)


def test_implicit_mode_gives_all_of_them(campus, run_daemon, desk):
    conf = with_networks(campus.ihad_conf, campus.home, NETWORK, OTHER_NETWORK,
                         **{"mobile-network-mode": "implicit"})
    ihad = run_daemon(campus.ha, "ihad", conf)
    assert acks(desk.register()) == [(2, 0, NETWORK), (2, 0, OTHER_NETWORK)]
    assert ihad.binding(campus.home)["mobile-networks"] == [NETWORK, OTHER_NETWORK]


def test_ipsec_only_holds_for_networks_too(internet, run_daemon, peer, correspondent):
    conf = with_networks(internet.xhad_conf, internet.home, NETWORK) | {
        "forwarding": {"policy": "ipsec-only", "vpn-gateways": [internet.vpn_address]}}
    internet.internet.route("10.60.0.0/16", internet.agent)
    xhad = run_daemon(internet.xha, "xhad", conf)
    node = peer(internet.roamer, internet.roamer_address, internet.home, internet.agent)
    node.register(extensions=ask_for(NETWORK))
    ike = correspondent(internet.vpn, internet.vpn_address, 500)
    web = correspondent(internet.vpn, internet.vpn_address, 8080)

    def out(port, payload):
        return mip.udp_packet(BEHIND, 500, internet.vpn_address, port, payload)

    node.send_ipip(out(8080, b"in the clear"))
    xhad.wait_counter("drops-filter", 1)
    node.send_ipip(out(500, b"ike"))
    assert ike.receive() == (b"ike", (BEHIND, 500))
    assert web.heard_nothing()
    web.send(b"in the clear", (BEHIND, 6000))
    xhad.wait_counter("drops-filter", 2)
    ike.send(b"answer", (BEHIND, 500))
    assert node.receive_ipip()[1].data == b"answer"
    assert node.no_ipip()


def test_a_host_behind_the_router_is_reached_wherever_the_router_is(net, company, correspondent):
    """test/mn with a host behind it: it answers from one address while the laptop moves."""
    company.ihad.write_config(with_networks(company.ihad.conf, company.home, NETWORK))
    company.ihad.reload()
    company.router.route(NETWORK, company.internal_agent)
    laptop, behind = company.laptop, net.host("behind")
    net.link(laptop.host, "lan0", "10.60.1.1/24", behind, "eth0", f"{BEHIND}/24")
    behind.route("default", "10.60.1.1")
    laptop.host.forward()
    laptop.plug("desk")
    mn = company.switch_on(mobile_network=NETWORK)
    assert mn.wait_state("inside")["internal"]["mobile-networks"] == 1
    server = correspondent(company.server, company.server_address)
    host = correspondent(behind, BEHIND, 6000)

    def talk():
        host.send(b"out", (server.address, server.port))
        assert server.receive() == (b"out", (BEHIND, 6000))
        server.send(b"back", (BEHIND, 6000))
        assert host.receive() == (b"back", (server.address, server.port))

    talk()
    laptop.move("floor2")
    mn.wait_state("inside", laptop.address)
    talk()
    assert company.ihad.binding(company.home)["mobile-networks"] == [NETWORK]
