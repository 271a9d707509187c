# SPDX-License-Identifier: BSD-2-Clause
"""
The line between inside and outside (RFC 5265 §3.4, §3.7, §4.3). A mistake here lets a laptop stop
encrypting in a hotel, so each rule is tried from every side.
"""

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.programs import Counting
from fixtures.wait import until

TNC = b"\x95\x02\0\0"


def assert_tnc(reply):
    """Exactly one, ahead of the authenticator, and under it."""
    assert reply.types.count(mip.EXT_TNC) == 1
    assert reply.types.index(mip.EXT_TNC) < reply.types.index(mip.EXT_MHAE)
    tnc = reply.find(mip.EXT_TNC)
    assert reply.octets[tnc.offset:tnc.offset + 4] == TNC
    flipped = bytearray(reply.octets)
    flipped[tnc.offset + 3] ^= 1
    assert not mip.parse_reply(bytes(flipped)).is_authentic(topology.SA)


def test_every_ihad_reply_carries_tnc_denials_included(campus, ihad, peer):
    node = peer(campus.desk, campus.desk_address, campus.home, campus.agent)
    fa = peer(campus.desk, "10.1.0.12", campus.home, campus.agent)
    vouched = fa.build(flags=mip.T, sa=mip.Association(key=b"wrong"))
    fa.send(vouched + topology.FA_SA.extension(vouched, mip.EXT_FHAE))
    replies = {
        0: node.ask(),
        129: node.ask(care_of=campus.agent),
        131: fa.reply(vouched),
        132: fa.ask(flags=mip.T),
        133: node.ask(ident=mip.timestamp(3600)),
        134: node.ask(flags=mip.T, extensions=mip.udp_tunnel_request()),
        142: node.ask(extensions=mip.udp_tunnel_request(forced=True, encapsulation=99)),
    }
    request = node.build(agent="192.0.2.99")
    node.send(request)
    replies[136] = node.reply(request)
    deregistered = node.deregister()
    for code, reply in replies.items():
        assert reply.code == code
        assert_tnc(reply)
    assert_tnc(deregistered)
    assert ihad.counter("replies-with-tnc") == len(replies) + 1


def test_no_xhad_reply_carries_tnc(internet, xhad, peer):
    node = peer(internet.roamer, internet.roamer_address, internet.home, internet.agent)
    for reply in (node.ask(), node.ask(care_of=internet.agent), node.ask(lifetime=0),
                  node.ask(ident=mip.timestamp(3600))):
        assert mip.EXT_TNC not in reply.types
    assert xhad.counter("replies-with-tnc") == 0


def untrusted_requests(node):
    """Valid, badly authenticated, not authenticated, for nobody, replayed, broken."""
    valid = node.build()
    bare = mip.request(node.home, node.agent, node.care_of)
    return [valid, valid, node.build(sa=mip.Association(key=b"wrong")), bare, bare[:20], b"\1",
            node.build(home="10.50.0.99"), node.build(lifetime=0, care_of=node.home),
            node.build(ident=mip.timestamp(3600))]


def test_untrusted_source_gets_silence_changes_nothing_and_is_counted(campus, ihad, desk, peer,
                                                                      capture):
    desk.register()
    before = ihad.bindings()
    stranger = peer(campus.stranger, campus.stranger_address, campus.home, campus.agent)
    wire = capture(campus.stranger, "eth0")
    counting = Counting(ihad)
    requests = untrusted_requests(stranger)
    for request in requests:
        stranger.send(request)
    ihad.wait_counter("requests-dropped-untrusted", len(requests))

    assert counting.changes() == {"requests-received": len(requests),
                                  "requests-dropped-untrusted": len(requests),
                                  "requests-discarded": len(requests),
                                  "deregistration-requests": 1}         # received, and no more
    assert stranger.heard_nothing()
    assert {p.source for p in wire.packets()} == {campus.stranger_address}   # and no ICMP
    after = ihad.bindings()
    for binding in before + after:
        del binding["remaining"]
    assert before == after


def test_untrusted_request_does_not_spend_the_identification(campus, ihad, desk, peer):
    """It is dropped before authentication: the same request is good from a trusted source."""
    stranger = peer(campus.stranger, campus.stranger_address, campus.home, campus.agent)
    request = desk.build()
    stranger.send(request)
    ihad.wait_counter("requests-dropped-untrusted", 1)
    desk.send(request)
    assert desk.reply(request).code == 0


def test_untrusted_request_is_logged_with_all_keys(campus, ihad, peer):
    stranger = peer(campus.stranger, campus.stranger_address, campus.home, campus.agent)
    stranger.send(stranger.build())
    (event,) = ihad.wait_event("untrusted-rrq")
    assert {k: event[k] for k in ("src", "port", "interface", "home-address", "care-of")} == {
        "src": campus.stranger_address, "port": str(stranger.port), "interface": "eth0",
        "home-address": campus.home, "care-of": campus.stranger_address}


def test_no_trusted_networks_means_no_answer_to_anyone(campus, run_daemon, desk):
    del campus.ihad_conf["trusted-networks"]
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    assert ihad.events("no-trusted-networks")
    desk.send(desk.build())
    ihad.wait_counter("requests-dropped-untrusted", 1)
    assert desk.heard_nothing()
    assert ihad.bindings() == []


@pytest.mark.parametrize("networks, trusted, untrusted", [
    (["10.1.0.64/26"], ["10.1.0.64", "10.1.0.127"], ["10.1.0.63", "10.1.0.128"]),
    (["10.1.0.10/32"], ["10.1.0.10"], ["10.1.0.9", "10.1.0.11"]),
    (["10.1.0.4/30", "10.1.0.6/31"], ["10.1.0.4", "10.1.0.7"], ["10.1.0.3", "10.1.0.8"]),
], ids=["prefix", "host", "overlapping"])
def test_trust_ends_exactly_at_the_prefix(campus, run_daemon, peer, networks, trusted, untrusted):
    campus.ihad_conf["trusted-networks"] = networks
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)

    def outcome(source):
        """By the counters: the reply to a made-up source finds nobody."""
        counting = Counting(ihad)
        node = peer(campus.desk, campus.desk_address, campus.home, campus.agent, source=source)
        node.send(node.build())
        until(lambda: counting["requests-received"] == 1, f"the request of {source}")
        return "trusted" if counting["requests-accepted"] else "untrusted"

    assert {s: outcome(s) for s in trusted} == dict.fromkeys(trusted, "trusted")
    assert {s: outcome(s) for s in untrusted} == dict.fromkeys(untrusted, "untrusted")
    assert ihad.counter("requests-dropped-untrusted") == len(untrusted)


def test_ten_thousand_untrusted_requests_are_counted_exactly_and_logged_in_bounds(campus, ihad,
                                                                                  desk, peer):
    stranger = peer(campus.stranger, campus.stranger_address, campus.home, campus.agent)
    request = stranger.build()
    lines_before = len(ihad.log().splitlines())
    for sent in range(1, 10001):
        stranger.send(request)
        if sent % 500 == 0:                 # no faster than it is read: the count must be exact
            ihad.wait_counter("requests-dropped-untrusted", sent)
    assert ihad.counter("requests-dropped-untrusted") == 10000
    desk.register()                         # and it still serves
    assert len(ihad.log().splitlines()) - lines_before < 100

    def told():
        events = ihad.events("untrusted-rrq")
        return len([e for e in events if "src" in e]) \
            + sum(int(e.get("suppressed", 0)) for e in events)

    until(lambda: told() == 10000, "the log accounts for all 10,000")


def test_trusted_list_can_be_reloaded(campus, ihad, desk):
    desk.register()
    ihad.write_config(ihad.conf | {"trusted-networks": ["10.77.0.0/16"]})
    ihad.reload()
    desk.send(desk.build())
    ihad.wait_counter("requests-dropped-untrusted", 1)
    assert desk.heard_nothing()
    assert ihad.bindings() == []            # what was granted there has ended


@pytest.mark.parametrize("inside", [{"interfaces": ["dmz1"]}, {"networks": ["10.0.0.0/8"]}],
                         ids=["interface", "network"])
def test_xhad_drops_and_logs_requests_from_inside(internet, run_daemon, peer, capture, inside):
    xhad = run_daemon(internet.xha, "xhad", internet.xhad_conf | {"inside": inside})
    outside = peer(internet.roamer, internet.roamer_address, internet.home, internet.agent)
    outside.register()
    node = peer(internet.inside, internet.inside_address, internet.home, internet.agent)
    wire = capture(internet.inside, "eth0")
    node.send(node.build())
    xhad.wait_counter("requests-dropped-inside", 1)
    assert node.heard_nothing()
    assert {p.source for p in wire.packets()} == {internet.inside_address}
    assert xhad.binding(internet.home)["care-of-address"] == internet.roamer_address
    (event,) = xhad.wait_event("inside-rrq")
    assert {k: event[k] for k in ("src", "port", "interface", "home-address", "care-of")} == {
        "src": internet.inside_address, "port": str(node.port), "interface": "dmz1",
        "home-address": internet.home, "care-of": internet.inside_address}


def test_an_inside_interface_ends_no_binding_at_a_reload_or_a_restart(internet, run_daemon, peer):
    """By which interface its request came in is nothing that a binding remembers."""
    xhad = run_daemon(internet.xha, "xhad",
                      internet.xhad_conf | {"inside": {"interfaces": ["dmz1"]}})
    peer(internet.roamer, internet.roamer_address, internet.home, internet.agent).register()
    xhad.reload()
    assert xhad.binding(internet.home)["care-of-address"] == internet.roamer_address
    xhad.kill()
    xhad.start()
    assert xhad.binding(internet.home)["care-of-address"] == internet.roamer_address


def test_xhad_answers_everyone_where_no_inside_is_configured(internet, xhad, peer):
    peer(internet.inside, internet.inside_address, internet.home, internet.agent).register()


def test_signalling_inside_a_tunnel_is_not_answered(campus, ihad, desk, peer):
    """
    Decapsulated, its source would be the home address, inside a trusted network (RFC 3519 §4.7).
    The stranger has a node's key here, and is still told nothing.
    """
    campus.ha.ip("addr add 10.0.0.3/24 dev eth0")
    desk.register()
    desk.listen_ipip()
    counting = Counting(ihad)
    request = desk.build(care_of=campus.stranger_address)
    for destination in (campus.agent, "10.0.0.3", "255.255.255.255", "10.0.0.255",
                        "10.50.255.255"):
        desk.send_ipip(mip.udp_packet(campus.home, 5000, destination, mip.PORT, request))
    desk.send_ipip(mip.echo_request(campus.home, campus.agent, data=b"fence"))
    while not desk.receive_ipip()[1].payload.endswith(b"fence"):
        pass
    assert ihad.counter("drops-tunnel-signalling") >= 2
    assert counting["requests-received"] == 0
    assert ihad.binding(campus.home)["care-of-address"] == campus.desk_address
    assert desk.heard_nothing()


def test_no_key_is_in_the_log(campus, run_daemon, desk):
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf | {"log": {"level": "debug"}})
    desk.register()
    desk.send(desk.build(sa=mip.Association(key=b"wrong")))
    ihad.wait_event("auth-failure")
    ihad.stop()
    assert topology.SA.key.hex() not in ihad.log().lower()
