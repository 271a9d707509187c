# SPDX-License-Identifier: BSD-2-Clause
"""Registering, as RFC 5944 §3.8 has it, with both home agents unless a rule is of one alone."""

import socket
import time

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.programs import Counting
from fixtures.wait import until


def test_accepts_a_registration_and_shows_the_binding(site):
    reply = site.node.register(lifetime=600)
    assert (reply.lifetime, reply.home, reply.agent) == (600, site.home, site.agent.address)
    binding = site.agent.binding(site.home)
    expected = {
        "home-address": site.home, "home-agent": site.agent.address,
        "care-of-address": site.care_of, "nai": "alice@corp.example",
        "encapsulation": "ip-in-ip", "reverse-tunnel": True,
        "source-address": site.care_of, "source-port": site.node.port,
        "lifetime": 600, "spi": 256,
        "packets-to-node": 0, "bytes-to-node": 0, "packets-from-node": 0, "bytes-from-node": 0,
        "keepalives": 0,
    }
    assert {k: binding[k] for k in expected} == expected
    assert 590 <= binding["remaining"] <= 600


def test_copies_the_identification_of_an_accepted_request(site):
    ident = mip.timestamp()
    assert site.node.register(ident=ident).ident == ident


def test_renews_a_binding_without_another(site):
    site.node.register(lifetime=60)
    site.node.register(lifetime=300)
    assert site.agent.binding(site.home)["lifetime"] == 300


def test_a_move_replaces_the_binding(site):
    site.node.register()
    moved = "10.1.0.11" if site.agent.name == "ihad" else "203.0.114.51"
    site.host.ip(f"addr replace {moved}/24 dev eth0")
    site.make(source=moved).register()
    assert site.agent.binding(site.home)["care-of-address"] == moved


def test_s_bit_keeps_the_binding_before(site):
    site.node.register(flags=mip.S | mip.D | mip.T)
    site.node.register(flags=mip.S | mip.D | mip.T, care_of="10.1.0.11")
    assert {b["care-of-address"] for b in site.agent.bindings()} == {site.care_of, "10.1.0.11"}


def test_deregistering_one_care_of_address_leaves_the_other(site):
    site.node.register(flags=mip.S | mip.D | mip.T)
    site.node.register(flags=mip.S | mip.D | mip.T, care_of="10.1.0.11")
    site.node.deregister()
    assert site.agent.binding(site.home)["care-of-address"] == "10.1.0.11"


def test_deregistering_the_home_address_ends_all(site):
    site.node.register(flags=mip.S | mip.D | mip.T)
    site.node.register(flags=mip.S | mip.D | mip.T, care_of="10.1.0.11")
    reply = site.node.deregister(care_of=site.home)
    assert reply.lifetime == 0
    assert site.agent.bindings() == []


def test_more_bindings_than_allowed_are_denied_135_and_a_renewal_is_not(campus, run_daemon, desk):
    campus.ihad_conf["registration"] = {"max-simultaneous-bindings": 2}
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    flags = mip.S | mip.D | mip.T
    desk.register(flags=flags)
    desk.register(flags=flags, care_of="10.1.0.11")
    assert desk.ask(flags=flags, care_of="10.1.0.12").code == 135
    desk.register(flags=flags, care_of="10.1.0.11")
    assert len(ihad.bindings()) == 2


def test_lifetime_is_cut_to_the_maximum(site):
    assert site.node.register(lifetime=0xfffe).lifetime == 1800
    assert site.node.register(lifetime=0xffff).lifetime == 1800


def test_a_binding_ends_with_its_lifetime(site):
    site.node.register(lifetime=1)
    begun = time.monotonic()
    until(lambda: site.agent.bindings() == [], "the binding has expired")
    assert time.monotonic() - begun > 0.9
    assert site.agent.counter("bindings-expired") == 1
    site.agent.wait_event("expired")
    assert site.node.heard_nothing()        # RFC 5944 §3.8: no reply because of an expiry


@pytest.mark.parametrize("last, sa", [
    (10, topology.KEYED_SA), (11, topology.SHA1_SA), (12, topology.SHA256_SA)],
    ids=["keyed-md5", "hmac-sha1", "hmac-sha256"])
def test_each_algorithm_authenticates_both_ways(site, last, sa):
    site.make(home=f"{site.prefix}.{last}", sa=sa).register()


def test_nonces_begin_with_133_and_go_on(site):
    node = site.make(home=f"{site.prefix}.9", sa=topology.NONCE_SA)
    first = node.ask(ident=0x1111111100000001)
    assert first.code == 133
    second = node.register(ident=first.ident & ~0xffffffff | 2)
    third = node.register(ident=second.ident & ~0xffffffff | 3)
    assert len({r.ident >> 32 for r in (first, second, third)}) == 3
    assert node.ask(ident=second.ident & ~0xffffffff | 4).code == 133


def test_nonces_are_never_the_same_and_no_step_apart(site):
    """RFC 5944 §5.4 wants them random: at the least, neither they nor their distances repeat."""
    node = site.make(f"{site.prefix}.9", sa=topology.NONCE_SA)
    nonces = [node.ask().ident >> 32]
    for low in range(24):
        nonces.append(node.register(ident=nonces[-1] << 32 | low).ident >> 32)
    steps = {(b - a) & 0xffffffff for a, b in zip(nonces, nonces[1:])}
    assert len(set(nonces)) == 25 and len(steps) == 24
    assert all(0 < sum(n >> bit & 1 for n in nonces) < 25 for bit in range(32)), "a constant bit"


@pytest.mark.parametrize("length", [72, 253])
def test_a_nai_of_72_and_of_253_octets_is_served(campus, run_daemon, peer, length):
    """RFC 4282 §2.2: 72 must be handled, 253 is recommended."""
    name = "a" * (length - len("@corp.example")) + "@corp.example"
    campus.ihad_conf["mobile-nodes"].append(topology.node(None, nai=name))
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    node = peer(campus.desk, campus.desk_address, "0.0.0.0", campus.agent)
    reply = node.register(extensions=mip.nai(name))
    assert reply.find(mip.EXT_NAI).body == name.encode()
    assert ihad.bindings(name)[0]["nai"] == name


def test_assigns_a_home_address_by_nai_and_echoes_the_nai(site):
    node = site.make(home="0.0.0.0", sa=topology.OTHER_SA)
    reply = node.register(extensions=mip.nai("bob@corp.example"))
    pool = "10.50.128." if site.agent.name == "ihad" else "172.31.128."
    assert reply.home.startswith(pool)
    assert reply.find(mip.EXT_NAI).body == b"bob@corp.example"
    assert reply.types.index(mip.EXT_NAI) < reply.types.index(mip.EXT_MHAE)
    again = node.register(extensions=mip.nai("bob@corp.example"))
    assert again.home == reply.home
    assert [b["nai"] for b in site.agent.bindings("bob@corp.example")] == ["bob@corp.example"]


def test_unknown_skippable_extension_is_skipped(site):
    site.node.register(extensions=mip.extension(200, b"\1\2\3"))


def test_padding_is_allowed(site):
    site.node.register(extensions=b"\0")


def test_reserved_bits_are_ignored(site):
    site.node.register(flags=mip.D | mip.T | mip.R_RESERVED | mip.X_RESERVED)


def test_broadcasts_asked_for_and_not_offered_are_no_reason_to_refuse(site):
    site.node.register(flags=mip.B | mip.D | mip.T)


@pytest.mark.parametrize("flags, encapsulation", [
    (mip.M, "minimal"), (mip.G, "gre"), (0, "ip-in-ip")])
def test_m_and_g_choose_the_encapsulation(site, flags, encapsulation):
    site.node.register(flags=mip.D | mip.T | flags)
    assert site.agent.binding(site.home)["encapsulation"] == encapsulation


@pytest.mark.parametrize("flags", [mip.M, mip.G])
def test_denies_139_for_an_encapsulation_not_offered(campus, run_daemon, desk, flags):
    campus.ihad_conf["tunnel"] = {"encapsulation": ["ip-in-ip"]}
    run_daemon(campus.ha, "ihad", campus.ihad_conf)
    assert desk.ask(flags=mip.D | mip.T | flags).code == 139


def test_denies_137_where_reverse_tunnels_are_disabled(campus, run_daemon, desk):
    campus.ihad_conf["tunnel"] = {"reverse-tunnel": "disabled"}
    run_daemon(campus.ha, "ihad", campus.ihad_conf)
    assert desk.ask().code == 137
    desk.register(flags=mip.D)


def test_denies_138_where_reverse_tunnels_are_required(campus, run_daemon, desk):
    campus.ihad_conf["tunnel"] = {"reverse-tunnel": "required"}
    run_daemon(campus.ha, "ihad", campus.ihad_conf)
    assert desk.ask(flags=mip.D).code == 138
    desk.register()
    desk.deregister(flags=0)                # leaving is always possible


def test_denies_136_for_another_home_agent_and_names_itself(site):
    request = site.node.build(agent="192.0.2.99")
    site.node.send(request)
    reply = site.node.reply(request)
    assert (reply.code, reply.agent) == (136, site.agent.address)
    assert site.agent.bindings() == []


def test_denies_129_for_a_care_of_address_that_would_loop(site):
    for care_of in (site.agent.address, site.home, "224.0.0.1", "255.255.255.255"):
        assert site.node.ask(care_of=care_of).code == 129, care_of
    assert site.agent.bindings() == []


def test_denies_129_for_a_care_of_address_behind_our_own_tunnels(site):
    """Another node's home address, a lease or what may become one; leaving stays possible."""
    network = site.home.split(".0.")[0]
    for count, care_of in enumerate((f"{network}.0.8", f"{network}.128.5"), 1):
        assert site.node.ask(care_of=care_of).code == 129, care_of
        assert site.agent.wait_event("care-of-behind-tunnel", count)[-1]["care-of"] == care_of
        site.node.deregister(care_of=care_of)
    for count, care_of in enumerate((f"{network}.255.255", f"{network}.0.0"), 1):   # no host's
        assert site.node.ask(care_of=care_of).code == 129, care_of
        assert site.agent.wait_event("care-of-address", count)[-1]["care-of"] == care_of
    assert site.agent.bindings() == []


def test_denies_129_for_a_care_of_address_that_is_this_hosts_own_or_a_broadcast(site):
    host = site.place.ha if site.agent.name == "ihad" else site.place.xha
    host.ip("addr add 203.0.113.77/32 dev lo")
    for count, care_of in enumerate(("203.0.113.77", site.agent.address.rsplit(".", 1)[0] + ".255",
                                     "127.0.0.1"), 1):
        assert site.node.ask(care_of=care_of).code == 129, care_of
        assert site.agent.wait_event("care-of-address", count)[-1]["care-of"] == care_of
    host.ip("addr del 203.0.113.77/32 dev lo")      # elsewhere by now, for all that we know
    site.node.register(care_of="203.0.113.77")


def test_denies_129_for_a_link_local_care_of_address_that_is_not_the_source(site):
    """RFC 3927 §2.7: no router would bring it a packet."""
    assert site.node.ask(care_of="169.254.0.9").code == 129
    assert site.agent.wait_event("care-of-address")[-1]["care-of"] == "169.254.0.9"
    assert site.agent.bindings() == []
    site.node.deregister(care_of="169.254.0.9")


def test_foreign_agent_with_a_key_must_authenticate(campus, ihad, peer):
    """RFC 5944 §3.8.2.1c: 132 without; both authenticators in the reply with."""
    fa = peer(campus.desk, "10.1.0.12", campus.home, campus.agent)
    assert fa.ask(flags=mip.T).code == 132

    request = fa.build(flags=mip.T)
    request += topology.FA_SA.extension(request, mip.EXT_FHAE)
    fa.send(request)
    reply = fa.reply(request)
    assert reply.code == 0
    assert reply.types == [mip.EXT_TNC, mip.EXT_MHAE, mip.EXT_FHAE]
    fhae = reply.find(mip.EXT_FHAE)
    assert fhae.body[4:] == topology.FA_SA.sign(reply.octets[:fhae.offset + 6])


def test_deregistration_through_a_foreign_agent_needs_no_authenticator_of_it(campus, ihad, peer):
    """RFC 5944 §3.8.2.1c: an agent must not add one there, so its absence is no reason."""
    fa = peer(campus.desk, "10.1.0.12", campus.home, campus.agent)
    fa.deregister(flags=0)


def test_foreign_agent_vouching_for_a_bad_authenticator_gets_131(campus, ihad, peer):
    fa = peer(campus.desk, "10.1.0.12", campus.home, campus.agent)
    request = fa.build(flags=mip.T, sa=mip.Association(key=b"wrong"))
    request += topology.FA_SA.extension(request, mip.EXT_FHAE)
    fa.send(request)
    assert fa.reply(request).code == 131
    assert ihad.bindings() == []


def test_answers_from_the_address_and_port_that_were_asked(campus, run_daemon, desk):
    """The home agent has several addresses, and a better route's would be another one."""
    campus.ha.ip("addr add 10.0.0.3/24 dev eth0", "link add name lo1 type veth peer name lo2",
                 "addr add 10.99.0.1/32 dev lo1", "link set lo1 up",
                 "route replace default via 10.0.0.1 src 10.0.0.3")
    run_daemon(campus.ha, "ihad", campus.ihad_conf)
    desk.register()                         # Peer.reply() holds the source to it


def test_home_agent_discovery_by_broadcast_is_denied_136_from_the_unicast_address(campus, net,
                                                                                  run_daemon, peer):
    """RFC 5944 §3.8.2.1: on a physical home link, whichever broadcast address arrives."""
    node_host = net.host("home")
    net.link(campus.ha, "lan0", "10.60.0.1/24", node_host, "eth0", "10.60.0.7/24")
    node_host.route("default", "10.60.0.1")
    campus.ihad_conf["home-networks"].append({"prefix": "10.60.0.0/24", "interface": "lan0"})
    campus.ihad_conf["mobile-nodes"].append(topology.node("10.60.0.7"))
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    node = peer(node_host, "10.60.0.7", "10.60.0.7", campus.agent)
    node.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    for broadcast in ("10.60.0.255", "255.255.255.255"):
        request = node.build(agent="10.60.0.255", care_of="10.1.0.10")
        node.send(request, to=broadcast)
        reply = node.reply(request)
        assert (reply.code, reply.agent) == (136, campus.agent)
    assert ihad.bindings() == []


def test_answers_to_whatever_port_the_request_came_from(campus, ihad, peer):
    for port in (434, 1024, 65535):
        node = peer(campus.desk, campus.desk_address, campus.home, campus.agent, port=port)
        node.register()
        assert ihad.binding(campus.home)["source-port"] == port
        node.close()


def test_ihad_and_xhad_serve_on_one_host(campus, run_daemon, desk, peer):
    campus.ha.ip("addr add 10.0.0.3/24 dev eth0")
    campus.router.route("172.31.0.0/16", "10.0.0.2")
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    xhad = run_daemon(campus.ha, "xhad", {
        "home-agent": {"address": "10.0.0.3"}, "home-networks": [{"prefix": "172.31.0.0/16"}],
        "mobile-nodes": topology.nodes("172.31.0")[:6]})
    desk.register()
    peer(campus.desk, campus.desk_address, "172.31.0.7", "10.0.0.3").register()
    assert [b["home-agent"] for b in ihad.bindings() + xhad.bindings()] == ["10.0.0.2", "10.0.0.3"]


def test_counts_what_became_of_each_request(site):
    with_counting = Counting(site.agent)
    site.node.register()
    site.node.ask(care_of=site.agent.address)
    site.node.deregister()
    changes = with_counting.changes()
    assert changes["requests-received"] == 3
    assert changes["requests-accepted"] == 2
    assert changes["requests-denied"] == 1
    assert changes["replies-sent"] == 3
    assert changes["deregistrations"] == 1
    assert changes.get("replies-with-tnc", 0) == (3 if site.agent.name == "ihad" else 0)
