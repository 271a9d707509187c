# SPDX-License-Identifier: BSD-2-Clause
"""
Extensions beyond the base protocol on a wire, with the real daemon, and read by tshark: vendors'
(RFC 3115), challenges (RFC 4721), dynamic home agent assignment (RFC 4433), message strings
(RFC 4917), service selection (RFC 5446). And how much of what is refused is answered, and logged.
"""

import os

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.programs import Counting
from fixtures.wait import until

EXT_CHALLENGE, EXT_DYNAMIC_HA, EXT_MESSAGE_STRING, EXT_SERVICE = 132, 139, 145, 151
CVSE = bytes.fromhex("2600000900007ed90007616263")      # vendor 32473, type 7, "abc"
NVSE = bytes.fromhex("860b000000007ed90007616263")


def conf_with(base, **sections):
    """A configuration with settings added to some of its sections."""
    added = {name.replace("_", "-"): values for name, values in sections.items()}
    return base | {name: base.get(name, {}) | values for name, values in added.items()}


def limit_services(conf, home, **settings):
    nodes = [node | settings if node.get("home-address") == home else node
             for node in conf["mobile-nodes"]]
    return conf | {"mobile-nodes": nodes}


def dissected(wire, workdir, *names):
    """Of each reply, in tshark's words; nothing of it may be malformed."""
    path = os.path.join(workdir, "wire.pcap")
    assert wire.tshark(path, "-Y", "_ws.malformed") == []
    options = [o for name in names for o in ("-e", name)]
    return [line.split("\t") for line in
            wire.tshark(path, "-Y", "mip.type == 3", "-T", "fields", *options)]


def test_critical_vendor_extension_is_denied_140_and_141_and_a_normal_one_skipped(site):
    assert site.node.ask(extensions=CVSE).code == 140
    assert site.node.ask(after=CVSE).code == 141
    assert site.agent.bindings() == []
    site.node.register(extensions=NVSE, after=NVSE)


def test_challenge_comes_back_behind_the_authenticator(campus, ihad, peer, capture, workdir):
    wire = capture(campus.ha, "eth0")
    challenge = mip.extension(EXT_CHALLENGE, bytes(range(1, 9)))
    fa = peer(campus.desk, "10.1.0.12", campus.home, campus.agent)
    request = fa.build(flags=mip.T, after=challenge)
    request += topology.FA_SA.extension(request, mip.EXT_FHAE)
    fa.send(request)
    reply = fa.reply(request)
    assert (reply.code, reply.types) == (0, [mip.EXT_TNC, mip.EXT_MHAE, EXT_CHALLENGE,
                                             mip.EXT_FHAE])
    assert reply.find(EXT_CHALLENGE).body == bytes(range(1, 9))
    fhae = reply.find(mip.EXT_FHAE)
    assert fhae.body[4:] == topology.FA_SA.sign(reply.octets[:fhae.offset + 6])
    assert dissected(wire, workdir, "mip.code", "mip.ext.type") == [["0", "149,32,132,34"]]


@pytest.mark.parametrize("field", ["0.0.0.0", "255.255.255.255"])
def test_any_home_agent_is_us(site, field):
    requested = mip.extension(EXT_DYNAMIC_HA, b"\x01" + mip.address(site.agent.address))
    request = site.node.build(agent=field, extensions=requested)
    site.node.send(request)
    reply = site.node.reply(request)
    assert (reply.code, reply.agent) == (0, site.agent.address)
    other = mip.extension(EXT_DYNAMIC_HA, b"\x01" + mip.address("192.0.2.99"))
    request = site.node.build(agent=field, extensions=other)
    site.node.send(request)
    assert site.node.reply(request).code == 136


def test_redirects_by_143_and_serves_who_asks_for_us(campus, run_daemon, desk, capture, workdir):
    wire = capture(campus.ha, "eth0")
    ihad = run_daemon(campus.ha, "ihad",
                      conf_with(campus.ihad_conf, home_agent={"redirect": "10.0.0.3"}))
    request = desk.build(agent="255.255.255.255")
    desk.send(request)
    reply = desk.reply(request)
    assert (reply.code, reply.agent) == (143, campus.agent)
    assert reply.find(EXT_DYNAMIC_HA).body == b"\x02" + mip.address("10.0.0.3")
    assert ihad.bindings() == []
    desk.register()
    assert dissected(wire, workdir, "mip.code", "mip.ext.type") == [
        ["143", "139,149,32"], ["0", "149,32"]]

    # By a reload it ends.
    ihad.write_config(campus.ihad_conf)
    ihad.reload()
    request = desk.build(agent="255.255.255.255")
    desk.send(request)
    assert desk.reply(request).code == 0


def test_tells_in_words_why_a_request_is_denied(campus, run_daemon, desk, capture, workdir):
    wire = capture(campus.ha, "eth0")
    run_daemon(campus.ha, "ihad",
               conf_with(campus.ihad_conf, registration={"message-strings": True}))
    room = mip.extension(200, bytes(60))     # no reply is larger than 1.5 times its request
    reply = desk.ask(ident=mip.timestamp(3600), extensions=room)
    assert reply.code == 133
    assert reply.find(EXT_MESSAGE_STRING).body == \
        b"\x01Identification is too far from our clock"
    assert reply.types == [EXT_MESSAGE_STRING, mip.EXT_TNC, mip.EXT_MHAE]
    assert dissected(wire, workdir, "mip.code", "mip.ext.type") == [["133", "145,149,32"]]
    for extensions, text in (
            (2 * mip.udp_tunnel_request(), b"an extension is there twice that there is one of"),
            (mip.extension(144, b""), b"an extension has a length that it cannot have")):
        reply = desk.ask(extensions=room + extensions)
        assert (reply.code, reply.find(EXT_MESSAGE_STRING).body[1:]) == (134, text)


def test_a_service_that_is_not_allowed_ends_the_bindings(campus, run_daemon, desk):
    ihad = run_daemon(campus.ha, "ihad",
                      limit_services(campus.ihad_conf, campus.home, services=["voip", "data"]))
    voip = mip.extension(EXT_SERVICE, b"voip")
    assert desk.register(extensions=voip).find(EXT_SERVICE).body == b"voip"
    assert ihad.binding(campus.home)
    assert desk.ask(extensions=mip.extension(EXT_SERVICE, b"games")).code == 151
    assert ihad.bindings() == []
    desk.register()                 # the default service


def test_denials_beyond_the_limit_meet_silence_and_success_does_not(campus, ihad, desk):
    stale = desk.build(ident=mip.timestamp(3600))
    counting = Counting(ihad)
    for _ in range(200):
        desk.send(stale)
    until(lambda: counting["denied-133-identification-mismatch"] == 200, "200 denials")
    unanswered = counting["denials-unanswered"]
    assert 150 < unanswered <= 170
    for _ in range(200 - unanswered):
        assert desk.reply(stale).code == 133
    assert ihad.events("clock-skew")[0].get("code") == "133"
    desk.register()
    assert desk.heard_nothing()


def test_a_flood_from_one_source_does_not_hide_the_line_of_another(campus, ihad, desk, peer):
    flood = peer(campus.stranger, campus.stranger_address, campus.home, campus.agent)
    other = peer(campus.stranger, campus.stranger_address, campus.home, campus.agent,
                 source="198.51.100.67")
    request = flood.build()
    for sent in range(1, 3001):
        flood.send(request)
        if sent % 500 == 0:                 # no faster than it is read
            ihad.wait_counter("requests-dropped-untrusted", sent)
    other.send(request)
    ihad.wait_counter("requests-dropped-untrusted", 3001)
    until(lambda: [e for e in ihad.events("untrusted-rrq") if e.get("src") == "198.51.100.67"],
          "the line of the other source")
    lines = [e for e in ihad.events("untrusted-rrq") if e.get("src") == campus.stranger_address]
    assert len(lines) < 50
