# SPDX-License-Identifier: BSD-2-Clause
"""Who broke a rule of security: hactl show violations (RFC 5944 §3.8.2.1, RFC 5265 §4.3)."""

import pytest

from fixtures import mobileip as mip
from fixtures import topology

WRONG = mip.Association(key=b"not the key at all")


def violation(agent, source):
    found = [v for v in agent.hactl("show", "violations") if v["source-address"] == source]
    assert len(found) <= 1, found
    return found[0] if found else None


def test_nobody_broke_a_rule_at_first(site):
    site.node.register()
    assert site.agent.hactl("show", "violations") == []


@pytest.mark.parametrize("reason, fields, spi", [
    ("auth-failure", {"sa": WRONG}, 256),
    ("unknown-spi", {"spi": 999}, 999),
    ("unknown-mobile-node", {"home": "10.50.77.77"}, 256),
])
def test_a_request_that_is_not_authentic_is_noted(site, reason, fields, spi):
    request = site.node.build(ident=0xabcdef0012345678, **fields)
    for count in (1, 2):
        site.node.send(request)
        site.agent.wait_counter("requests-discarded", count)
    v = violation(site.agent, site.care_of)
    assert (v["count"], v["reason"], v["spi"]) == (2, reason, spi)
    assert v["identification"] == 0xabcdef0012345678
    assert (v["source-port"], v["care-of-address"]) == (site.node.port, site.care_of)
    assert v["home-address"] == fields.get("home", site.home)
    assert v["last-ago"] <= 5


def test_a_replay_is_noted_under_the_spi_of_the_node(site):
    ident = mip.timestamp()
    site.node.register(ident=ident)
    assert site.node.ask(ident=ident).code == 133
    v = violation(site.agent, site.care_of)
    assert (v["count"], v["reason"], v["spi"], v["identification"]) == (1, "replay", 256, ident)


def test_an_untrusted_source_is_noted_with_what_it_asked_for(campus, ihad, peer):
    stranger = peer(campus.stranger, campus.stranger_address, campus.home, campus.agent)
    stranger.send(stranger.build())
    ihad.wait_counter("requests-dropped-untrusted", 1)
    v = violation(ihad, campus.stranger_address)
    assert (v["count"], v["reason"], v["home-address"]) == (1, "untrusted-rrq", campus.home)


def test_clearing_forgets_them_and_no_counter(campus, ihad, desk):
    request = desk.build(sa=WRONG)
    desk.send(request)
    ihad.wait_counter("auth-failures", 1)
    said = ihad.hactl("clear", "violations", json_output=False)
    assert "1 source" in said
    assert ihad.hactl("show", "violations") == []
    assert ihad.counter("auth-failures") == 1


def test_a_foreign_agent_is_noted_by_its_own_extension(campus, ihad, peer):
    fa = peer(campus.desk, "10.1.0.12", campus.home, campus.agent)
    request = fa.build(flags=mip.T)
    bad = mip.Association(spi=topology.FA_SA.spi, key=b"wrong")
    request += bad.extension(request, mip.EXT_FHAE)
    fa.send(request)
    fa.reply(request)
    assert violation(ihad, "10.1.0.12")["spi"] == topology.FA_SA.spi
