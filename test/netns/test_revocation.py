# SPDX-License-Identifier: BSD-2-Clause
"""Registration revocation (RFC 3543): a cleared binding's peer is told, and may tell us."""

import os
import time

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.wait import DEADLINE_S

FA = "10.1.0.12"


def listener(site_or_peer, host, address):
    """Where message 7 goes: port 434 of the address that the request came from (§3.3)."""
    return site_or_peer(host, address, "0.0.0.0", "0.0.0.0", port=mip.PORT)


def next_revocation(peer, agent, seconds=DEADLINE_S):
    octets, source = peer.receive(mip.REVOCATION, seconds)
    assert source == (agent, mip.PORT)
    return mip.parse_revocation(octets)


def register_through_agent(fa, inform=False, sa=topology.FA_SA):
    """As a foreign agent relays it: its Support and its authenticator behind the node's."""
    request = fa.build(flags=mip.T)
    request += mip.revocation_support(inform)
    request += sa.extension(request, mip.EXT_FHAE)
    fa.send(request)
    reply = fa.reply(request)
    assert reply.code == 0
    return reply


def test_support_comes_back_only_to_who_has_it(site):
    assert mip.EXT_REVOCATION not in site.node.register().types
    reply = site.node.register(extensions=mip.revocation_support(inform=True))
    assert reply.types[-2:] == [mip.EXT_REVOCATION, mip.EXT_MHAE]
    body = reply.find(mip.EXT_REVOCATION).body
    assert body[:2] == b"\x80\0" and abs(int.from_bytes(body[2:], "big") - mip.ntp_seconds()) < 3


def test_cleared_binding_is_revoked_until_the_node_acknowledges(site, peer):
    node434 = listener(peer, site.host, site.care_of)
    site.node.register(extensions=mip.revocation_support())
    begun = time.monotonic()    # before the first: when that is read here tells nothing
    site.agent.hactl("clear", "binding", site.home, json_output=False)
    assert site.agent.bindings() == []
    first = next_revocation(node434, site.agent.address)
    assert first.home_agent and not first.inform
    assert (first.home, first.agent, first.foreign) == (site.home, site.agent.address,
                                                        site.care_of)
    assert first.is_authentic(topology.SA)
    again = next_revocation(node434, site.agent.address)
    assert time.monotonic() - begun > 0.9       # §3.3: at most one a second
    assert again.ident > first.ident and again.is_authentic(topology.SA)

    node434.send(again.acknowledgement(mip.Association(key=b"wrong")), site.agent.address)
    site.agent.wait_counter("revocations-ignored", 1)
    assert site.agent.counter("revocations-acknowledged") == 0
    third = next_revocation(node434, site.agent.address)
    node434.send(third.acknowledgement(topology.SA), site.agent.address)
    site.agent.wait_counter("revocations-acknowledged", 1)
    assert site.agent.counter("revocations-sent") == 3
    assert len(site.agent.wait_event("revocation-sent", 3)) == 3
    (event,) = site.agent.wait_event("revocation-acknowledged")
    assert event["home-address"] == site.home
    site.node.register()


def test_an_agent_is_told_that_its_visitor_has_left(campus, ihad, desk, peer):
    fa = peer(campus.desk, FA, campus.home, campus.agent)
    fa434 = listener(peer, campus.desk, FA)
    register_through_agent(fa, inform=True)
    desk.register()                         # at a co-located address
    revocation = next_revocation(fa434, campus.agent)
    assert (revocation.home, revocation.foreign) == (campus.home, FA)
    assert not revocation.inform and revocation.is_authentic(topology.FA_SA, mip.EXT_FHAE)
    fa434.send(revocation.acknowledgement(topology.FA_SA, mip.EXT_FHAE), campus.agent)
    ihad.wait_counter("revocations-acknowledged", 1)
    assert ihad.binding(campus.home)["care-of-address"] == campus.desk_address


def test_node_without_support_is_not_told(site):
    site.node.register()
    site.agent.hactl("clear", "binding", site.home, json_output=False)
    assert site.agent.bindings() == []
    assert site.agent.counter("revocations-sent") == 0


def test_node_behind_a_nat_hears_it_through_its_mapping(internet, xhad, peer):
    laptop = peer(internet.laptop, internet.laptop_address, internet.home, internet.agent)
    laptop.register(extensions=mip.udp_tunnel_request() + mip.revocation_support(inform=True))
    xhad.hactl("clear", "binding", internet.home, json_output=False)
    message = next_revocation(laptop, internet.agent)
    assert message.inform and message.foreign == internet.laptop_address
    assert message.is_authentic(topology.SA)
    laptop.send(message.acknowledgement(topology.SA))
    xhad.wait_counter("revocations-acknowledged", 1)


def test_reload_without_the_node_revokes_its_binding(site, peer):
    node434 = listener(peer, site.host, site.care_of)
    site.node.register(extensions=mip.revocation_support())
    conf = dict(site.agent.conf)
    conf["mobile-nodes"] = conf["mobile-nodes"][1:]
    site.agent.write_config(conf)
    site.agent.reload()
    message = next_revocation(node434, site.agent.address)
    assert message.is_authentic(topology.SA)    # under a key that is configured no longer
    node434.send(message.acknowledgement(topology.SA), site.agent.address)
    site.agent.wait_counter("revocations-acknowledged", 1)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_revocation_without_an_answer_is_sent_again_after_a_restart(site, peer, end):
    node434 = listener(peer, site.host, site.care_of)
    site.node.register(extensions=mip.revocation_support())
    site.agent.hactl("clear", "binding", site.home, json_output=False)
    before = next_revocation(node434, site.agent.address)
    getattr(site.agent, end)()
    site.agent.start()
    assert site.agent.wait_event("restored", 2)[-1]["revocations"] == "1"
    after = next_revocation(node434, site.agent.address)
    while after.ident == before.ident:      # one more that was on its way
        after = next_revocation(node434, site.agent.address)
    assert after.ident > before.ident and after.is_authentic(topology.SA)
    assert (after.home, after.foreign) == (before.home, before.foreign)
    node434.send(after.acknowledgement(topology.SA), site.agent.address)
    site.agent.wait_counter("revocations-acknowledged", 1)

    getattr(site.agent, end)()
    site.agent.start()
    assert site.agent.wait_event("restored", 3)[-1]["revocations"] == "0"
    assert site.agent.counter("revocations-sent") == 0


def test_a_revocation_whose_key_is_gone_is_not_sent_after_a_restart(site, peer):
    node434 = listener(peer, site.host, site.care_of)
    site.node.register(extensions=mip.revocation_support())
    site.agent.hactl("clear", "binding", site.home, json_output=False)
    next_revocation(node434, site.agent.address)
    site.agent.stop()
    conf = dict(site.agent.conf)
    conf["mobile-nodes"] = conf["mobile-nodes"][1:]
    site.agent.write_config(conf)
    site.agent.start()
    assert site.agent.wait_event("restored", 2)[-1]["revocations"] == "0"
    assert site.agent.counter("revocations-abandoned") == 1


def test_drain_revokes_and_refuses_and_can_be_taken_back(site, peer):
    node434 = listener(peer, site.host, site.care_of)
    site.node.register(extensions=mip.revocation_support())
    site.agent.hactl("drain", json_output=False)
    message = next_revocation(node434, site.agent.address)
    node434.send(message.acknowledgement(topology.SA), site.agent.address)
    site.agent.wait_counter("revocations-acknowledged", 1)
    assert site.agent.bindings() == [] and site.agent.status()["draining"] is True
    assert site.node.ask().code == 129
    site.agent.hactl("drain", "off", json_output=False)
    assert site.node.ask().code == 0


def test_required_support_is_required(campus, run_daemon, desk):
    campus.ihad_conf["revocation"] = {"required": True}
    run_daemon(campus.ha, "ihad", campus.ihad_conf)
    assert desk.ask().code == 129
    desk.register(extensions=mip.revocation_support())


@pytest.mark.parametrize("inform", [False, True])
def test_foreign_agent_is_told_and_acknowledges(campus, ihad, peer, inform):
    fa = peer(campus.desk, FA, campus.home, campus.agent, port=mip.PORT)
    reply = register_through_agent(fa, inform)
    assert reply.types == [mip.EXT_TNC, mip.EXT_MHAE, mip.EXT_REVOCATION, mip.EXT_FHAE]
    assert reply.find(mip.EXT_REVOCATION).body[0] == (0x80 if inform else 0)
    ihad.hactl("clear", "binding", campus.home, json_output=False)
    message = next_revocation(fa, campus.agent)
    assert message.home_agent and message.inform is inform and message.foreign == FA
    assert message.is_authentic(topology.FA_SA, mip.EXT_FHAE)
    fa.send(message.acknowledgement(topology.FA_SA, mip.EXT_FHAE, inform))
    ihad.wait_counter("revocations-acknowledged", 1)


def test_foreign_agent_revokes(campus, ihad, peer):
    fa = peer(campus.desk, FA, campus.home, campus.agent)
    register_through_agent(fa, inform=True)
    ident = mip.ntp_seconds(1)
    bad = mip.revocation(mip.Association(spi=512, key=b"wrong"), campus.home, campus.agent, FA,
                         ident)
    reflected = mip.revocation(topology.FA_SA, campus.home, campus.agent, FA, ident,
                               home_agent=True)
    old = mip.revocation(topology.FA_SA, campus.home, campus.agent, FA, ident - 60)
    for i, octets in enumerate((bad, reflected, old), 1):
        fa.send(octets)
        ihad.wait_counter("revocations-ignored", i)
    assert fa.heard_nothing() and ihad.binding(campus.home)

    good = mip.revocation(topology.FA_SA, campus.home, campus.agent, FA, ident, inform=True)
    fa.send(good)
    octets, source = fa.receive(mip.REVOCATION_ACK)
    ack = mip.parse_revocation(octets)
    assert source == (campus.agent, mip.PORT)
    assert ack.is_authentic(topology.FA_SA, mip.EXT_FHAE)
    assert (ack.home, ack.ident, ack.inform) == (campus.home, ident, True)
    assert ihad.bindings() == []
    fa.send(good)
    ihad.wait_counter("revocations-ignored", 4)
    assert fa.heard_nothing()
    (event,) = ihad.wait_event("revoked")
    assert event["home-address"] == campus.home and event["care-of"] == FA
    assert ihad.counter("replies-with-tnc") == ihad.counter("replies-sent") == 1


def test_revocation_from_outside_the_trusted_networks_never_was(campus, ihad, peer):
    """RFC 5265 §4.3 for every kind of signalling: a good key does not help."""
    fa = peer(campus.desk, FA, campus.home, campus.agent)
    register_through_agent(fa)
    outside = peer(campus.stranger, campus.stranger_address, campus.home, campus.agent)
    outside.send(mip.revocation(topology.FA_SA, campus.home, campus.agent, FA,
                                mip.ntp_seconds(1)))
    ihad.wait_counter("requests-dropped-untrusted", 1)
    assert outside.heard_nothing() and ihad.binding(campus.home)
    assert ihad.counter("revocations-received") == 0


def test_tshark_reads_both_messages(campus, ihad, peer, capture, workdir):
    wire = capture(campus.ha, "eth0")
    fa = peer(campus.desk, FA, campus.home, campus.agent, port=mip.PORT)
    register_through_agent(fa, inform=True)
    ihad.hactl("clear", "binding", campus.home, json_output=False)
    message = next_revocation(fa, campus.agent)
    fa.send(message.acknowledgement(topology.FA_SA, mip.EXT_FHAE))
    ihad.wait_counter("revocations-acknowledged", 1)
    register_through_agent(fa)
    fa.send(mip.revocation(topology.FA_SA, campus.home, campus.agent, FA, mip.ntp_seconds(1)))
    fa.receive(mip.REVOCATION_ACK)

    path = os.path.join(workdir, "wire.pcap")
    assert wire.tshark(path, "-Y", "_ws.malformed") == []
    sent = [line.split("\t") for line in wire.tshark(
        path, "-Y", f"ip.src == {campus.agent} && (mip.type == 7 || mip.type == 15)",
        "-T", "fields", "-e", "mip.type", "-e", "mip.homeaddr", "-e", "mip.ext.type")]
    assert sent == [["7", campus.home, "34"], ["15", campus.home, "34"]]
