# SPDX-License-Identifier: BSD-2-Clause
"""
Modes with a foreign agent (RFC 5944 §3.7, RFC 3519 §4.5): test/fa between a mobile node and the
home agents, with an association and without one, before a NAT and behind it.
"""

import os
import struct

import pytest

from fixtures import foreign
from fixtures import mobileip as mip
from fixtures import topology
from fixtures.foreign import Nameless
from fixtures.programs import ForeignAgent
from fixtures.topology import FA_SA, OTHER_SA, SA
from fixtures.wait import until


@pytest.fixture
def start_fa(workdir, bindir, things):
    """start_fa(network, **options)"""

    def start(network, **options):
        conf = {"care-of": network.address, "interface": "lan0"}
        conf |= {k.replace("_", "-"): v for k, v in options.items()}
        things.append(ForeignAgent(network.fa, conf, workdir, bindir))
        return things[-1].start()

    return start


def shares(agent, sa=FA_SA):
    """The options of an association with this home agent."""
    return {"home_agent": agent, "spi": sa.spi, "key": sa.key.hex()}


def knows(address, sa=FA_SA):
    """The same in a home agent's configuration."""
    return {"foreign-agents": [{"address": address, "spi": sa.spi, "key": sa.key}]}


@pytest.fixture
def branch(net, campus):
    """A branch office of the campus: a trusted network with a foreign agent."""
    place = foreign.network(net, campus.router, "10.4.0", "10.20.0")
    foreign.arrive(place, place.visitor, campus.home)
    foreign.arrive(place, place.guest, campus.other_home)
    return place


@pytest.fixture
def visitor(campus, branch, peer):
    """alice, with no address but her home address."""
    return peer(branch.visitor, branch.address, campus.home, campus.agent, source=campus.home,
                via=branch.address)


@pytest.fixture
def guest(campus, branch, peer):
    """bob, beside her."""
    return peer(branch.guest, branch.address, campus.other_home, campus.agent, sa=OTHER_SA,
                source=campus.other_home, via=branch.address)


def talk(server, node, home):
    """A datagram from the visited link to the server, and one back."""
    node.send(b"out", (server.address, server.port))
    data, source = server.receive()
    assert (data, source) == (b"out", (home, node.port))
    server.send(b"back", source)
    assert node.receive() == (b"back", (server.address, server.port))


def requests(wire):
    """The Registration Requests among the packets: (packet, types of the extensions)."""
    found = []
    for packet in wire.packets():
        if packet.protocol == 17 and packet.ports[1] == mip.PORT and packet.data[0] == mip.REQUEST:
            octets, at, types = packet.data, 24, []
            while at < len(octets):
                types.append(octets[at])
                at += 2 + octets[at + 1]
            found.append((packet, types))
    return found


def replies(wire):
    return [mip.parse_reply(p.data) for p in wire.packets()
            if p.protocol == 17 and p.ports[0] == mip.PORT and p.data[0] == mip.REPLY]


# --- registration by a foreign agent's care-of address ---

def test_registers_through_a_foreign_agent(campus, ihad, branch, visitor, start_fa):
    fa = start_fa(branch)
    reply = visitor.register(flags=mip.T)
    assert reply.types == [mip.EXT_TNC, mip.EXT_MHAE]
    binding = ihad.binding(campus.home)
    assert binding["care-of-address"] == binding["source-address"] == branch.address
    assert binding["encapsulation"] == "ip-in-ip"
    assert fa.visitor(campus.home)["reverse-tunnel"]


def test_data_goes_both_ways_through_the_foreign_agent(campus, ihad, branch, visitor, start_fa,
                                                       server, correspondent, capture):
    start_fa(branch)
    wire = capture(campus.ha, "eth0")
    visitor.register(flags=mip.T)
    talk(server, correspondent(branch.visitor, campus.home, 6000), campus.home)
    tunnelled = [p for p in wire.packets() if p.protocol == mip.IPIP]
    assert [(p.source, p.destination) for p in tunnelled] == [
        (branch.address, campus.agent), (campus.agent, branch.address)]
    binding = ihad.binding(campus.home)
    assert (binding["packets-from-node"], binding["packets-to-node"]) == (1, 1)


def test_without_the_t_bit_only_data_to_the_node_is_tunnelled(campus, ihad, branch, visitor,
                                                              start_fa, server, correspondent,
                                                              capture):
    start_fa(branch)
    wire = capture(campus.ha, "eth0")
    visitor.register(flags=0)
    talk(server, correspondent(branch.visitor, campus.home, 6000), campus.home)
    assert [p.destination for p in wire.packets() if p.protocol == mip.IPIP] == [branch.address]


def test_binding_ends_with_its_lifetime_at_both_agents(campus, ihad, branch, visitor, start_fa):
    fa = start_fa(branch)
    assert visitor.register(flags=mip.T, lifetime=1).lifetime == 1
    until(lambda: not fa.visitor(campus.home), "the visitor is gone")
    until(lambda: ihad.bindings() == [], "the binding too")


def test_two_nodes_behind_one_foreign_agent(campus, ihad, branch, visitor, guest, start_fa, server,
                                            correspondent):
    fa = start_fa(branch)
    visitor.register(flags=mip.T)
    guest.register(flags=mip.T)
    here = correspondent(branch.visitor, campus.home, 6000)
    there = correspondent(branch.guest, campus.other_home, 6000)
    talk(server, here, campus.home)
    talk(server, there, campus.other_home)
    here.send(b"neighbour", (campus.other_home, 6000))      # by way of the home agent
    assert there.receive() == (b"neighbour", (campus.home, 6000))
    guest.deregister(flags=0, care_of=campus.other_home)
    assert fa.visitor(campus.home) and not fa.visitor(campus.other_home)
    talk(server, here, campus.home)


def test_code_131_of_the_home_agent_is_passed_on(campus, run_daemon, branch, visitor, start_fa):
    """§3.8.2.1a: a foreign agent whose authenticator is good vouches for the sender."""
    run_daemon(campus.ha, "ihad", campus.ihad_conf | knows(branch.address))
    start_fa(branch, **shares(campus.agent))
    request = visitor.build(flags=mip.T, sa=mip.Association(SA.spi, bytes(16)))
    visitor.send(request)
    assert visitor.reply(request).code == 131


# --- Foreign-Home authentication (§3.5.4, §3.8.2.1c, d) ---

@pytest.fixture
def associated(campus, run_daemon, branch):
    """ihad, sharing an association with the branch office's foreign agent."""
    return run_daemon(campus.ha, "ihad", campus.ihad_conf | knows(branch.address))


def test_foreign_agents_authenticator_is_verified_and_answered(campus, associated, branch, visitor,
                                                               start_fa, capture):
    start_fa(branch, **shares(campus.agent))
    wire = capture(campus.ha, "eth0")
    reply = visitor.register(flags=mip.T)
    assert reply.types == [mip.EXT_TNC, mip.EXT_MHAE]       # what was for the agent stays there
    assert requests(wire)[0][1] == [mip.EXT_MHAE, mip.EXT_FHAE]
    sent = replies(wire)[0]
    assert sent.types == [mip.EXT_TNC, mip.EXT_MHAE, mip.EXT_FHAE]
    fhae = sent.extensions[-1]
    assert fhae.body[4:] == FA_SA.sign(sent.octets[:fhae.offset + 6])


@pytest.mark.parametrize("vouch", ["absent", "bad"])
def test_authenticator_that_is_missing_or_bad_is_denied_132(campus, associated, branch, visitor,
                                                            start_fa, vouch):
    fa = start_fa(branch, vouch=vouch, **shares(campus.agent))
    assert visitor.ask(flags=mip.T).code == 132
    assert associated.counter("foreign-agent-auth-failures") == 1
    assert associated.bindings() == [] and not fa.visitor(campus.home)


def test_foreign_agent_denies_68_when_the_reply_is_not_vouched_for(campus, associated, branch,
                                                                   visitor, start_fa):
    start_fa(branch, **shares(campus.agent, mip.Association(FA_SA.spi, bytes(16))))
    code = denied_by_fa(visitor, visitor.build(flags=mip.T))
    assert code == 68 and associated.counter("foreign-agent-auth-failures") == 1


def test_authenticator_of_an_unknown_foreign_agent_is_met_with_silence(campus, ihad, branch,
                                                                       visitor, start_fa):
    start_fa(branch, pending_time=0.5, **shares(campus.agent))
    assert denied_by_fa(visitor, visitor.build(flags=mip.T)) == 78
    assert ihad.counter("foreign-agent-auth-failures") == 1
    assert ihad.counter("replies-sent") == 0 and ihad.bindings() == []


def test_deregistration_needs_no_foreign_home_authentication(campus, associated, branch, visitor,
                                                             start_fa, capture):
    fa = start_fa(branch, **shares(campus.agent))
    visitor.register(flags=mip.T)
    wire = capture(campus.ha, "eth0")
    visitor.deregister(flags=0)
    assert requests(wire)[0][1] == [mip.EXT_MHAE]
    assert replies(wire)[0].types == [mip.EXT_TNC, mip.EXT_MHAE]
    assert associated.bindings() == [] and not fa.visitor(campus.home)


# --- what the foreign agent refuses never reaches the home agent (§3.7.2.1) ---

def denied_by_fa(node, request):
    """The code of a denial that bears no authenticator of the home agent's."""
    node.send(request)
    octets, source = node.receive(mip.REPLY)
    reply = mip.parse_reply(octets)
    assert source == (node.via, mip.PORT) and reply.types == []
    assert struct.pack("!Q", reply.ident) == request[16:24]
    return reply.code


DELIVERY_STYLE = bytes([130, 0])


@pytest.mark.parametrize("options, fields, code", [
    ({"prohibited": True}, {}, 65),
    ({"lifetime": 300}, {}, 69),
    ({}, {"flags": mip.T | mip.M}, 72),
    ({}, {"flags": mip.T | mip.G}, 72),
    ({"reverse_tunnel": "disabled"}, {}, 74),
    ({"reverse_tunnel": "required"}, {"flags": 0}, 75),
    ({}, {"care_of": "10.20.0.99"}, 77),
    ({}, {"after": DELIVERY_STYLE}, 79),
    ({}, {"agent": "0.0.0.0"}, 90),
    ({}, {"agent": "10.20.0.1"}, 116),
    ({"pending": 0}, {}, 66),
])
def test_foreign_agent_denies(campus, ihad, branch, visitor, start_fa, options, fields, code):
    fa = start_fa(branch, **options)
    assert denied_by_fa(visitor, visitor.build(**{"flags": mip.T} | fields)) == code
    assert fa.status()["relayed"] == 0 and ihad.counter("requests-received") == 0


def test_foreign_agent_denies_70_without_authentication(campus, ihad, branch, visitor, start_fa):
    start_fa(branch)
    request = mip.request(campus.home, campus.agent, branch.address, flags=mip.T)
    assert denied_by_fa(visitor, request) == 70
    assert denied_by_fa(visitor, visitor.build(flags=mip.T)[:-1]) == 70
    assert ihad.counter("requests-received") == 0


def test_foreign_agent_denies_76_to_who_is_too_distant(campus, branch, visitor, start_fa):
    start_fa(branch)
    visitor.socket.setsockopt(0, 2, 64)     # IP_TTL
    assert denied_by_fa(visitor, visitor.build(flags=mip.T)) == 76


def test_foreign_agent_denies_82_when_no_home_agent_serves(campus, branch, visitor, start_fa):
    fa = start_fa(branch)
    assert denied_by_fa(visitor, visitor.build(flags=mip.T)) == 82
    assert fa.status()["pending"] == 0


def test_foreign_agent_limits_requests_without_a_reply(campus, run_daemon, branch, visitor, guest,
                                                       start_fa):
    untrusting = campus.ihad_conf | {"trusted-networks": ["10.1.0.0/16"]}   # silence, no ICMP
    run_daemon(campus.ha, "ihad", untrusting)
    fa = start_fa(branch, pending=1)
    visitor.send(visitor.build(flags=mip.T))
    until(lambda: fa.status()["pending"] == 1, "it waits")
    assert denied_by_fa(guest, guest.build(flags=mip.T)) == 66


# --- moves ---

def test_moves_from_a_foreign_agent_to_a_co_located_address_and_back(campus, ihad, branch, visitor,
                                                                     start_fa, desk, server,
                                                                     correspondent):
    fa = start_fa(branch)
    socket = correspondent(branch.visitor, campus.home, 6000)
    visitor.register(flags=mip.T)
    talk(server, socket, campus.home)

    desk.register()
    assert ihad.binding(campus.home)["care-of-address"] == campus.desk_address
    desk.listen_ipip()
    server.send(b"at the desk", (campus.home, 6000))
    assert desk.receive_ipip()[1].data == b"at the desk"
    socket.send(b"from where I was", (campus.server_address, 7000))
    ihad.wait_counter("drops-tunnel-wrong-source", 1)
    assert socket.heard_nothing() and server.heard_nothing()

    visitor.register(flags=mip.T)
    assert ihad.binding(campus.home)["care-of-address"] == branch.address
    talk(server, socket, campus.home)
    assert desk.no_ipip() and fa.visitor(campus.home)


def test_simultaneous_bindings_have_a_copy_each(campus, ihad, branch, visitor, start_fa, desk,
                                                server, correspondent):
    start_fa(branch)
    socket = correspondent(branch.visitor, campus.home, 6000)
    visitor.register(flags=mip.T)
    desk.listen_ipip()
    desk.register(flags=mip.S | mip.D | mip.T)
    server.send(b"twice", (campus.home, 6000))
    assert socket.receive()[0] == b"twice"
    assert desk.receive_ipip()[1].data == b"twice"
    desk.deregister(care_of=branch.address)
    assert ihad.binding(campus.home)["care-of-address"] == campus.desk_address


# --- without an address (RFC 2794) ---

@pytest.mark.parametrize("to", ["224.0.0.11", "255.255.255.255"])
def test_home_address_is_assigned_by_nai_through_the_foreign_agent(campus, ihad, branch, start_fa,
                                                                   things, server, correspondent,
                                                                   to):
    fa = start_fa(branch)
    branch.guest.ip("addr flush dev eth0")
    node = Nameless(branch.guest)
    things.append(node)
    fixed = mip.request("0.0.0.0", campus.agent, branch.address, flags=mip.T)
    fixed += mip.nai("bob@corp.example")
    node.send_request(fixed + OTHER_SA.extension(fixed), to)
    packet, reply = node.receive_reply()
    assert reply.code == 0 and reply.is_authentic(OTHER_SA)
    assert mip.EXT_NAI in reply.types
    assert packet.source == branch.address and packet.destination == reply.home != "0.0.0.0"
    assert fa.visitor(reply.home) and ihad.binding(reply.home)["nai"] == "bob@corp.example"
    foreign.arrive(branch, branch.guest, reply.home)
    talk(server, correspondent(branch.guest, reply.home, 6000), reply.home)


# --- a co-located address, registered through the foreign agent ---

@pytest.fixture
def settled(campus, branch, peer):
    """alice with an address of the branch office, registering by its foreign agent."""
    branch.visitor.ip("addr flush dev eth0")
    foreign.settle(branch, branch.visitor, branch.visitor_address)
    branch.visitor.ip(f"addr add {campus.home}/32 dev lo")
    return peer(branch.visitor, branch.visitor_address, campus.home, campus.agent,
                source=campus.home, via=branch.address)


@pytest.mark.parametrize("vouch", [False, True])
def test_co_located_node_registers_through_an_agent_with_an_association(
        campus, associated, branch, settled, start_fa, server, capture, vouch):
    """§3.5.4 forbids the agent's authenticator here, §3.7.2.2 demands it: we take both."""
    more = {"vouch_co_located": True} if vouch else {}
    fa = start_fa(branch, **shares(campus.agent), **more)
    wire = capture(campus.ha, "eth0")
    settled.listen_ipip()
    assert settled.register().types == [mip.EXT_TNC, mip.EXT_MHAE]
    assert (mip.EXT_FHAE in requests(wire)[0][1]) == vouch
    assert (mip.EXT_FHAE in replies(wire)[0].types) == vouch
    binding = associated.binding(campus.home)
    assert binding["care-of-address"] == branch.visitor_address
    assert binding["source-address"] == branch.address
    assert not fa.visitor(campus.home)      # its tunnel ends at the node
    server.send(b"to the node itself", (campus.home, 6000))
    outer, inner = settled.receive_ipip()
    assert (outer.destination, inner.data) == (branch.visitor_address, b"to the node itself")


# --- behind a NAT (RFC 3519 §4.5, vectors X17 and X18) ---

@pytest.fixture
def lodge(net, internet):
    """A foreign agent's network behind the hotel's NAT."""
    place = foreign.network(net, internet.hotel, "192.168.60", "192.168.50")
    foreign.arrive(place, place.visitor, internet.home)
    foreign.arrive(place, place.guest, internet.other_home)
    return place


@pytest.fixture
def lodger(internet, lodge, peer):
    return peer(lodge.visitor, lodge.address, internet.home, internet.agent, source=internet.home,
                via=lodge.address)


@pytest.fixture
def vpn(internet, correspondent):
    return correspondent(internet.vpn, internet.vpn_address)


@pytest.fixture
def knowing_xhad(internet, run_daemon, lodge):
    """xhad, sharing an association with the lodge's foreign agent: known by care-of address."""
    return run_daemon(internet.xha, "xhad", internet.xhad_conf | knows(lodge.address))


def test_foreign_agent_behind_a_nat_gets_a_udp_tunnel(internet, knowing_xhad, lodge, lodger,
                                                      start_fa, vpn, correspondent, capture):
    fa = start_fa(lodge, udp="nat", **shares(internet.agent))
    wire = capture(internet.xha, "eth0")
    reply = lodger.register(flags=mip.T)
    assert reply.types == [mip.EXT_MHAE]
    packet, types = requests(wire)[0]
    assert types == [mip.EXT_MHAE, mip.EXT_UDP_REQUEST, mip.EXT_FHAE]       # X17
    assert packet.source == internet.hotel_address
    sent = replies(wire)[0]
    assert sent.types == [mip.EXT_MHAE, mip.EXT_UDP_REPLY, mip.EXT_FHAE]    # X18
    assert sent.udp == (0, False, 110)
    binding = knowing_xhad.binding(internet.home)
    assert binding["encapsulation"] == "udp"
    assert binding["care-of-address"] == lodge.address
    assert binding["source-address"] == internet.hotel_address
    assert fa.visitor(internet.home)["udp"]
    talk(vpn, correspondent(lodge.visitor, internet.home, 6000), internet.home)
    data = [p for p in wire.packets() if p.protocol == 17 and p.data[:1] == b"\4"]
    assert len(data) == 2 and not [p for p in wire.packets() if p.protocol == mip.IPIP]


def test_missing_authenticator_behind_a_nat_is_judged_by_the_care_of_address(
        internet, knowing_xhad, lodge, lodger, start_fa, peer):
    start_fa(lodge, udp="nat", vouch="absent", **shares(internet.agent))
    assert lodger.ask(flags=mip.T).code == 132
    # A node behind the same NAT with an address of its own is not asked for one.
    laptop = peer(internet.laptop, internet.laptop_address, internet.home, internet.agent)
    assert laptop.register(extensions=mip.udp_tunnel_request()).udp[0] == 0


def test_agents_request_without_its_authenticator_does_not_count(internet, xhad, lodge, lodger,
                                                                 start_fa, capture):
    """Case D0 of nat-traversal.md §4.1: anybody on the path could have added it."""
    fa = start_fa(lodge, udp="nat")
    wire = capture(internet.xha, "eth0")
    lodger.register(flags=mip.T)
    assert requests(wire)[0][1] == [mip.EXT_MHAE, mip.EXT_UDP_REQUEST]
    assert replies(wire)[0].types == [mip.EXT_MHAE]
    assert xhad.binding(internet.home)["encapsulation"] == "ip-in-ip"
    assert not fa.visitor(internet.home)["udp"]


def test_foreign_agent_forces_a_udp_tunnel_where_no_nat_is(campus, associated, branch, visitor,
                                                           start_fa, server, correspondent,
                                                           capture):
    start_fa(branch, udp="forced", **shares(campus.agent))
    wire = capture(campus.ha, "eth0")
    visitor.register(flags=mip.T)
    assert replies(wire)[0].udp == (0, True, 110)
    assert associated.binding(campus.home)["encapsulation"] == "udp"
    talk(server, correspondent(branch.visitor, campus.home, 6000), campus.home)


def test_agents_request_is_declined_without_a_nat(campus, associated, branch, visitor, start_fa,
                                                  server, correspondent, capture):
    fa = start_fa(branch, udp="nat", **shares(campus.agent))
    wire = capture(campus.ha, "eth0")
    visitor.register(flags=mip.T)
    assert replies(wire)[0].udp[:2] == (64, False)
    assert not fa.visitor(campus.home)["udp"]
    talk(server, correspondent(branch.visitor, campus.home, 6000), campus.home)


def test_agents_request_with_the_d_bit_is_poorly_formed(campus, associated, branch, peer):
    """Case D9: test/fa never sends it, so a peer does."""
    branch.fa.ip("addr add 10.20.0.1/32 dev lo")
    node = peer(branch.fa, branch.address, campus.home, campus.agent)
    request = node.build(after=mip.udp_tunnel_request())
    node.send(request + FA_SA.extension(request, mip.EXT_FHAE))
    assert node.reply(request).code == 134


def test_deregistration_by_the_agent_ends_the_udp_tunnel(internet, knowing_xhad, lodge, lodger,
                                                         start_fa, vpn):
    fa = start_fa(lodge, udp="nat", **shares(internet.agent))
    lodger.register(flags=mip.T)
    lodger.deregister(flags=0)
    assert knowing_xhad.bindings() == [] and not fa.visitor(internet.home)
    vpn.send(b"gone", (internet.home, 6000))
    knowing_xhad.wait_counter("drops-no-binding", 1)


def test_two_nodes_behind_one_agent_behind_a_nat(internet, knowing_xhad, lodge, lodger, start_fa,
                                                 vpn, correspondent, peer):
    """One address and port for both: the inner addresses tell them apart."""
    start_fa(lodge, udp="nat", **shares(internet.agent))
    second = peer(lodge.guest, lodge.address, internet.other_home, internet.agent, sa=OTHER_SA,
                  source=internet.other_home, via=lodge.address)
    lodger.register(flags=mip.T)
    second.register(flags=mip.T)
    ports = {b["source-port"] for b in knowing_xhad.bindings()}
    assert len(knowing_xhad.bindings()) == 2 and len(ports) == 1
    talk(vpn, correspondent(lodge.visitor, internet.home, 6000), internet.home)
    talk(vpn, correspondent(lodge.guest, internet.other_home, 6000), internet.other_home)


def test_agent_and_a_co_located_node_behind_one_nat_are_kept_apart(internet, knowing_xhad, lodge,
                                                                   lodger, start_fa, vpn,
                                                                   correspondent, peer):
    start_fa(lodge, udp="nat", **shares(internet.agent))
    neighbour = peer(internet.neighbour, internet.neighbour_address, internet.other_home,
                     internet.agent, sa=OTHER_SA)
    lodger.register(flags=mip.T)
    neighbour.register(extensions=mip.udp_tunnel_request())
    sources = {b["source-address"] for b in knowing_xhad.bindings()}
    assert sources == {internet.hotel_address}
    socket = correspondent(lodge.visitor, internet.home, 6000)
    talk(vpn, socket, internet.home)
    vpn.send(b"next door", (internet.other_home, 6000))
    assert neighbour.receive_udp().data == b"next door"
    # Nor may it speak for the agent's visitor, though both come from one address.
    neighbour.send_udp(mip.udp_packet(internet.home, 6000, internet.vpn_address, 7000, b"forged"))
    knowing_xhad.wait_counter("drops-tunnel-wrong-source", 1)
    assert vpn.heard_nothing() and socket.heard_nothing()


def test_agent_sends_keepalives_from_its_care_of_address(internet, knowing_xhad, lodge, lodger,
                                                         start_fa, capture):
    fa = start_fa(lodge, udp="nat", keepalive=0.2, **shares(internet.agent))
    wire = capture(internet.xha, "eth0")
    lodger.register(flags=mip.T)

    def keepalive():
        return [mip.parse_ipv4(p.data[4:]) for p in wire.packets()
                if p.protocol == 17 and p.data[:1] == b"\4" and p.destination == internet.agent]

    inner = until(keepalive, "a keepalive")[0]
    assert (inner.source, inner.destination) == (lodge.address, internet.agent)
    assert inner.icmp == (8, 0)
    until(lambda: fa.status()["keepalives-answered"] > 0, "an answer through the tunnel")


# --- a co-located address behind the agent's NAT: the R flag (RFC 3519 §4.6, §4.11) ---

@pytest.fixture
def walker(internet, lodge, peer):
    """A node with an address of the lodge, registering by the lodge's foreign agent."""
    lodge.visitor.ip("addr flush dev eth0")
    foreign.settle(lodge, lodge.visitor, lodge.visitor_address)
    lodge.visitor.ip(f"addr add {internet.home}/32 dev lo")
    return peer(lodge.visitor, lodge.visitor_address, internet.home, internet.agent,
                source=internet.home, via=lodge.address)


def direct(internet, lodge, peer):
    """The node's own socket to the home agent, past the foreign agent."""
    return peer(lodge.visitor, lodge.visitor_address, internet.home, internet.agent)


def keepalive(internet, node):
    node.send_udp(mip.echo_request(internet.home, internet.agent))


def test_r_flag_through_an_agent_holds_data_until_the_keepalive(internet, xhad, lodge, walker,
                                                                start_fa, vpn, peer):
    start_fa(lodge, udp="nat", require_registration=True)
    reply = walker.register(extensions=mip.udp_tunnel_request(registered_fa=True))
    assert reply.udp == (0, False, 110)
    binding = xhad.binding(internet.home)
    assert binding["source-address"] == internet.hotel_address
    vpn.send(b"early", (internet.home, 6000))
    xhad.wait_counter("drops-tunnel-half-bound", 1)
    node = direct(internet, lodge, peer)
    keepalive(internet, node)
    assert node.receive_udp().icmp == (0, 0)
    vpn.send(b"now", (internet.home, 6000))
    assert node.receive_udp().data == b"now"
    node.send_udp(mip.udp_packet(internet.home, 6000, internet.vpn_address, 7000, b"out"))
    assert vpn.receive()[0] == b"out"


def test_r_flag_renewal_learns_the_port_anew(internet, xhad, lodge, walker, start_fa, vpn, peer):
    start_fa(lodge, udp="nat")
    ask = {"extensions": mip.udp_tunnel_request(registered_fa=True)}
    walker.register(**ask)
    old = direct(internet, lodge, peer)
    keepalive(internet, old)
    old.receive_udp()
    walker.register(**ask)
    vpn.send(b"to the old port still", (internet.home, 6000))
    assert old.receive_udp().data == b"to the old port still"
    new = direct(internet, lodge, peer)
    keepalive(internet, new)
    assert new.receive_udp().icmp == (0, 0)
    vpn.send(b"to the new one", (internet.home, 6000))
    assert new.receive_udp().data == b"to the new one"
    keepalive(internet, old)
    xhad.wait_counter("drops-tunnel-wrong-source", 1)
    assert old.heard_nothing()


def test_r_flag_refuses_a_keepalive_from_another_address(internet, xhad, lodge, walker, start_fa,
                                                         vpn, peer):
    start_fa(lodge, udp="nat")
    walker.register(extensions=mip.udp_tunnel_request(registered_fa=True))
    thief = peer(internet.roamer, internet.roamer_address, internet.home, internet.agent)
    keepalive(internet, thief)
    xhad.wait_counter("drops-tunnel-wrong-source", 1)
    vpn.send(b"to whom", (internet.home, 6000))
    xhad.wait_counter("drops-tunnel-half-bound", 1)
    assert thief.heard_nothing()


# --- what the instrument says of itself ---

def test_solicitation_is_answered_with_an_agent_advertisement(lodge, start_fa, things):
    start_fa(lodge, udp="nat", lifetime=900, require_registration=True)
    lodge.visitor.ip("addr flush dev eth0")
    node = Nameless(lodge.visitor)
    things.append(node)
    for sequence, group in enumerate(["224.0.0.11", "224.0.0.2", "255.255.255.255"]):
        node.solicit(group)
        packet = node.receive(lambda p: p.protocol == 1 and p.icmp[0] == 9)
        assert (packet.source, packet.destination, packet.ttl) == (lodge.address, "224.0.0.1", 1)
        assert mip.checksum(packet.payload) == 0
        kind, length, number, lifetime, flags, care_of = struct.unpack("!BBHHH4s",
                                                                       packet.payload[8:])
        assert (kind, length, number, lifetime) == (16, 10, sequence, 900)
        assert flags == 0x8000 | 0x1000 | 0x0100 | 0x0080           # R, F, T, U
        assert mip.text(care_of) == lodge.address


def test_foreign_agent_advertises_by_itself(branch, start_fa, things):
    node = Nameless(branch.visitor)
    things.append(node)
    start_fa(branch, advertise=0.2)
    seen = [node.receive(lambda p: p.protocol == 1 and p.icmp[0] == 9) for _ in range(3)]
    assert [struct.unpack("!H", p.payload[10:12])[0] for p in seen] == [0, 1, 2]
    assert struct.unpack("!H", seen[0].payload[14:16])[0] == 0x1000 | 0x0100        # F, T


def test_tshark_dissects_what_ihad_says_to_a_foreign_agent(campus, associated, branch, visitor,
                                                           start_fa, things, capture, workdir):
    start_fa(branch, **shares(campus.agent))
    wires = [capture(branch.fa, "lan0"), capture(campus.ha, "eth0")]
    visitor.register(flags=mip.T)
    request = visitor.build(flags=mip.T, sa=mip.Association(SA.spi, bytes(16)))
    visitor.send(request)
    assert visitor.reply(request).code == 131
    assert visitor.ask(flags=mip.T, ident=mip.timestamp(3600)).code == 133
    visitor.deregister(flags=0)
    node = Nameless(branch.guest)
    things.append(node)
    fixed = mip.request("0.0.0.0", campus.agent, branch.address, flags=mip.T)
    fixed += mip.nai("bob@corp.example")
    node.send_request(fixed + OTHER_SA.extension(fixed))
    assert node.receive_reply()[1].code == 0
    path = os.path.join(workdir, "wire.pcap")
    for wire in wires:
        assert wire.tshark(path, "-Y", "_ws.malformed") == []
        assert wire.tshark(path, "-Y", "mip.type == 3", "-T", "fields", "-e", "mip.code") == [
            "0", "131", "133", "0", "0"]


def test_tshark_dissects_every_message_with_a_foreign_agent(
        internet, knowing_xhad, lodge, lodger, start_fa, vpn, correspondent, capture, workdir,
        things):
    """On the visited link and behind the NAT; no message here has a padding extension (0)."""
    fa = start_fa(lodge, udp="nat", keepalive=0.2, **shares(internet.agent))
    wires = [capture(lodge.fa, "lan0"), capture(internet.xha, "eth0")]
    node = Nameless(lodge.guest)
    things.append(node)
    node.solicit()
    node.receive(lambda p: p.protocol == 1 and p.icmp[0] == 9)
    lodger.register(flags=mip.T)
    talk(vpn, correspondent(lodge.visitor, internet.home, 6000), internet.home)
    assert denied_by_fa(lodger, lodger.build(flags=mip.T | mip.G)) == 72
    until(lambda: fa.status()["keepalives"] > 0, "a keepalive")
    lodger.ask(flags=mip.T, ident=mip.timestamp(3600))
    lodger.deregister(flags=0)
    path = os.path.join(workdir, "wire.pcap")
    for wire in wires:
        assert wire.tshark(path, "-Y", "_ws.malformed") == []
    assert {line for line in wires[0].tshark(path, "-Y", "mip.type == 3", "-T", "fields",
                                             "-e", "mip.code")} == {"0", "72", "133"}
    assert len(wires[0].tshark(path, "-Y", "icmp.type == 9")) == 1
    seen = wires[1].tshark(path, "-Y", "mip", "-T", "fields", "-e", "mip.type")
    assert {line.split(",")[0] for line in seen} == {"1", "3", "4"}
