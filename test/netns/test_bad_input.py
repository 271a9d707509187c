# SPDX-License-Identifier: BSD-2-Clause
"""
Datagrams from careless and hostile senders. Each gets the answer that the standard names, a
counter and a log line, and takes nothing from anybody else.
"""

import random
import socket
import struct

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.programs import Counting

WRONG = mip.Association(key=bytes(16))


@pytest.fixture
def served(site):
    """A site whose node is registered: whatever comes must leave the binding alone."""
    site.node.register()
    yield site
    binding = site.agent.binding(site.home)
    assert binding["care-of-address"] == site.care_of
    site.node.register()                    # and the daemon serves on


def discarded(site, octets, counter, event=None, count=1):
    """Sends it; it is discarded in silence, counted under `counter`, and logged."""
    counting = Counting(site.agent)
    before = site.agent.counter(counter)
    site.node.send(octets)
    site.agent.wait_counter(counter, before + count)
    assert counting["requests-accepted"] == counting["requests-denied"] == 0
    assert site.node.heard_nothing()
    if event:
        assert site.agent.wait_event(event)[-1]["src"] == site.care_of


@pytest.mark.parametrize("length", [1, 2, 23])
def test_truncated_fixed_part_is_malformed(served, length):
    discarded(served, served.node.build()[:length], "requests-malformed", "malformed")


def test_empty_datagram_is_malformed(served):
    discarded(served, b"", "requests-malformed")


def test_request_without_extensions_lacks_authentication(served):
    discarded(served, served.node.build()[:24], "missing-authentication",
              "missing-authentication")


@pytest.mark.parametrize("cut", [1, 2, 3, 15, 16, 20, 21])
def test_extension_that_runs_past_the_end_is_malformed(served, cut):
    octets = served.node.build()
    discarded(served, octets[:-cut], "requests-malformed")


@pytest.mark.parametrize("extension", [
    bytes([200, 255]), bytes([200]), bytes([mip.EXT_NAI, 255]) + b"x" * 10,
    bytes([mip.EXT_MHAE, 3, 0, 0, 1]), bytes([mip.EXT_MHAE, 4, 0, 0, 1, 0]),
    bytes([mip.EXT_MHAE, 0]), bytes([mip.EXT_FHAE, 2, 0, 0])])
def test_extension_with_a_lying_length_leads_nowhere(served, extension):
    counting = Counting(served.agent)
    fixed = mip.request(served.home, served.agent.address, served.care_of)
    served.node.send(fixed + extension)
    served.agent.wait_counter("requests-discarded", counting.before("requests-discarded") + 1)
    assert served.node.heard_nothing()


@pytest.mark.parametrize("after", [False, True], ids=["before-mhae", "after-mhae"])
def test_unknown_extension_below_128_discards_the_message(served, after):
    unknown = mip.extension(60, b"\xff\xff")
    octets = served.node.build(after=unknown) if after else served.node.build(extensions=unknown)
    discarded(served, octets, "unknown-extensions", "unknown-extension")


def test_oversized_datagram_is_survived(served):
    skipped = mip.extension(200, b"x" * 255) * 5
    huge = served.node.build(extensions=mip.extension(200, b"x" * 255) * 200)
    counting = Counting(served.agent)
    served.node.send(huge)
    served.agent.wait_counter("requests-received", counting.before("requests-received") + 1)
    assert served.node.heard_nothing()
    assert served.node.ask(extensions=skipped).code in (0, 134)


def test_thousands_of_tiny_extensions_are_survived(served):
    octets = served.node.build(extensions=b"\0" * 1400)
    counting = Counting(served.agent)
    served.node.send(octets)
    served.agent.wait_counter("requests-received", counting.before("requests-received") + 1)


@pytest.mark.parametrize("kind", [0, 2, 3, 5, 22, 255])
def test_other_message_types_are_discarded(served, kind):
    discarded(served, bytes([kind]) + served.node.build()[1:], "messages-unknown-type")


@pytest.mark.parametrize("kind", [mip.REVOCATION, mip.REVOCATION_ACK])
def test_requests_in_the_guise_of_revocations_are_ignored(served, kind):
    served.node.send(bytes([kind]) + served.node.build()[1:])
    served.agent.wait_counter("revocations-ignored", 1)
    assert served.node.heard_nothing() and len(served.agent.bindings()) == 1


def test_two_mobile_home_authentications_are_poorly_formed(served):
    octets = served.node.build()
    octets += topology.SA.extension(octets)
    served.node.send(octets)
    assert served.node.reply(octets).code == 134


def test_second_authentication_that_is_wrong_is_never_accepted(served):
    octets = served.node.build()
    octets += WRONG.extension(octets)
    counting = Counting(served.agent)
    served.node.send(octets)
    served.agent.wait_counter("requests-received", counting.before("requests-received") + 1)
    assert counting["requests-accepted"] == 0


def test_two_foreign_home_authentications_are_refused_132(campus, ihad, peer):
    fa = peer(campus.desk, "10.1.0.12", campus.home, campus.agent)
    octets = fa.build(flags=mip.T)
    octets += topology.FA_SA.extension(octets, mip.EXT_FHAE)
    octets += topology.FA_SA.extension(octets, mip.EXT_FHAE)
    fa.send(octets)
    assert fa.reply(octets).code == 132


def test_foreign_home_authentication_without_an_association_is_discarded(served):
    octets = served.node.build()
    octets += topology.FA_SA.extension(octets, mip.EXT_FHAE)
    discarded(served, octets, "foreign-agent-auth-failures", "unexpected-foreign-home-auth")


def test_wrong_key_is_discarded_counted_and_logged(served):
    discarded(served, served.node.build(sa=WRONG), "auth-failures", "auth-failure")


def test_one_flipped_bit_anywhere_is_never_accepted(served):
    octets = served.node.build()
    counting = Counting(served.agent)
    for at in range(len(octets) * 8):
        flipped = bytearray(octets)
        flipped[at // 8] ^= 0x80 >> at % 8
        served.node.send(bytes(flipped))
    # Flags r and x, too, are covered by the authenticator. A first octet of 4 is tunnel data.
    fence = served.node.ask(care_of=served.agent.address)
    assert fence.code == 129
    assert counting["requests-accepted"] == 0


def test_unknown_spi_is_discarded_counted_and_logged(served):
    discarded(served, served.node.build(spi=999), "unknown-spis", "unknown-spi")


@pytest.mark.parametrize("home", ["10.50.0.99", "172.31.0.99", "192.0.2.1", "255.255.255.255",
                                  "0.0.0.0"])
def test_home_address_that_nobody_serves_is_discarded_counted_and_logged(served, home):
    discarded(served, served.node.build(home=home), "unknown-mobile-nodes", "unknown-mobile-node")


def test_key_of_another_node_is_no_key(served):
    """Bob's request for Alice's home address, under Bob's own association."""
    discarded(served, served.node.build(sa=topology.OTHER_SA), "unknown-spis")


def test_nai_of_one_node_with_the_address_of_another_is_refused(served):
    octets = served.node.build(home=f"{served.prefix}.8", extensions=mip.nai("alice@corp.example"))
    served.node.send(octets)
    assert served.node.reply(octets).code == 129


def test_replayed_request_is_denied_133_and_changes_nothing(served):
    octets = served.node.build(lifetime=300)
    served.node.send(octets)
    assert served.node.reply(octets).code == 0
    first = served.agent.binding(served.home)
    counting = Counting(served.agent)
    served.node.send(octets)
    assert served.node.reply(octets).code == 133
    assert counting["replay-failures"] == 1
    assert served.agent.binding(served.home)["remaining"] <= first["remaining"]
    served.agent.wait_event("replay")


def test_replay_after_deregistration_is_denied_133(served):
    octets = served.node.build()
    served.node.send(octets)
    assert served.node.reply(octets).code == 0
    served.node.deregister()
    served.node.send(octets)
    assert served.node.reply(octets).code == 133
    assert served.agent.bindings() == []
    served.node.register()


def test_older_request_within_the_tolerance_is_denied_133(served):
    assert served.node.ask(ident=mip.timestamp(-0.5)).code == 133


@pytest.mark.parametrize("offset", [8, 3600, 10 ** 8])
def test_request_from_the_future_is_denied_133_with_our_time(served, offset):
    counting = Counting(served.agent)
    ident = mip.timestamp(offset)
    asked = mip.timestamp()
    reply = served.node.ask(ident=ident)
    assert reply.code == 133
    assert asked >> 32 <= reply.ident >> 32 <= mip.timestamp() >> 32
    assert reply.ident & 0xffffffff == ident & 0xffffffff
    assert counting["replay-failures"] == 1
    served.agent.wait_event("clock-skew")
    served.node.register()                  # the window has not moved


def test_request_some_seconds_ahead_is_accepted(site):
    site.node.register(ident=mip.timestamp(6))


def test_mn_learns_our_time_from_133(site):
    """RFC 5944 §5.7.1: the high half of the denial sets the clock of a node that is late."""
    site.node.register()
    reply = site.node.ask(ident=mip.timestamp(-3600))
    assert reply.code == 133
    site.node.register(ident=((reply.ident >> 32) + 2) << 32)


def test_udp_tunnel_request_of_a_wrong_length_is_poorly_formed(served):
    assert served.node.ask(extensions=mip.extension(mip.EXT_UDP_REQUEST, b"\0" * 5)).code == 134


def test_udp_tunnel_request_with_reserved_bits_is_not_understood_or_poorly_formed(served):
    """RFC 3519 contradicts itself: §3.1.3 skips it, §4.6.1 answers 134."""
    reply = served.node.ask(extensions=mip.udp_tunnel_request(reserved3=1))
    assert reply.code == 134 or reply.code == 0 and reply.udp is None


def test_udp_tunnel_reply_in_a_request_is_discarded(served):
    discarded(served, served.node.build(extensions=mip.extension(mip.EXT_UDP_REPLY, b"\0" * 6)),
              "unknown-extensions")


def test_garbage_is_survived_and_never_answered(served):
    rng = random.Random(5265)
    counting = Counting(served.agent)
    base = served.node.build()
    sent = 0
    for i in range(2000):
        if i % 2:
            octets = rng.randbytes(rng.randrange(1, 200))
        else:
            at = rng.randrange(len(base))
            octets = base[:at] + rng.randbytes(rng.randrange(1, 60)) + base[at + rng.randrange(8):]
        if octets[0] in (mip.TUNNEL_DATA, mip.REVOCATION, mip.REVOCATION_ACK):
            octets = b"\1" + octets[1:]     # counted otherwise
        served.node.send(octets)
        sent += 1
        if sent % 250 == 0:
            served.agent.wait_counter("requests-received",
                                      counting.before("requests-received") + sent)
    assert counting["requests-accepted"] == 0


def test_wrong_udp_checksum_is_dropped_before_anything_looks_at_it(site, things):
    """RFC 5944 §3.8.2.1. A zero checksum is none at all, and is accepted."""
    raw = site.host.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    things.append(raw)

    def send(octets, checksum):
        datagram = bytearray(mip.udp(site.care_of, site.agent.address, site.node.port, mip.PORT,
                                     octets))
        value = struct.unpack("!H", datagram[6:8])[0]
        struct.pack_into("!H", datagram, 6, checksum(value))
        raw.sendto(mip.ipv4(site.care_of, site.agent.address, 17, bytes(datagram)),
                   (site.agent.address, 0))

    counting = Counting(site.agent)
    send(site.node.build(), lambda right: right ^ 1)
    request = site.node.build()
    send(request, lambda right: 0)
    assert site.node.reply(request).code == 0
    assert counting["requests-received"] == 1


def test_log_line_cannot_be_forged(site):
    name = b"eve\nihad: notice: event=forged src=1.2.3.4 \x1b[2J@corp.example"
    discarded(site, site.node.build(home="0.0.0.0", extensions=mip.extension(mip.EXT_NAI, name)),
              "unknown-mobile-nodes")
    site.agent.wait_event("unknown-mobile-node")
    assert site.agent.events("forged") == []
    assert "\x1b" not in site.agent.log()
