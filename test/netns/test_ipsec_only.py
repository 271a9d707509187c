# SPDX-License-Identifier: BSD-2-Clause
"""
`forwarding: ipsec-only`, packet by packet: what a node may send, that only answers come back, and
that every drop has a reason with a counter of its own, and a line that names it. Run with
HA_DATA_PATH=tc and =xdp, too: the tiers have to agree.
"""

import socket
import struct

import pytest

from fixtures import mobileip as mip
from fixtures.programs import DATA_PATH, Counting
from fixtures.wait import until

GATEWAY, SECOND = "192.0.2.10", "192.0.2.11"
STRANGER = "192.0.2.99"
ESP, UDP, TCP, ICMP = 50, 17, 6, 1


def raw_ip(packet, more=False, offset=0, ident=7):
    """The same packet as a fragment, `offset` octets into another."""
    field = (0x2000 if more else 0) | offset // 8
    header = packet[:4] + struct.pack("!HH", ident, field) + packet[8:10] + b"\0\0" + packet[12:20]
    return header[:10] + struct.pack("!H", mip.checksum(header)) + header[12:] + packet[20:]


def with_options(packet):
    """With eight of No Operation, which routers in between let pass."""
    header = bytes([0x47]) + packet[1:2] + struct.pack("!H", len(packet) + 8) + packet[4:10] + \
        b"\0\0" + packet[12:20] + bytes([1] * 8)
    return header[:10] + struct.pack("!H", mip.checksum(header)) + header[12:] + packet[20:]


def port_unreachable(source, destination, about):
    icmp = struct.pack("!BBHI", 3, 3, 0, 0) + about[:28]
    return mip.ipv4(source, destination, ICMP,
                    icmp[:2] + struct.pack("!H", mip.checksum(icmp)) + icmp[4:])


class Ends:
    """The node in its tunnel, and whoever is on the wire behind xhad."""

    def __init__(self, internet, run_daemon, peer, capture, gateways=(GATEWAY, SECOND)):
        self.net, self.home = internet, internet.home
        internet.vpn.ip(f"addr add {SECOND}/24 dev eth0", f"addr add {STRANGER}/24 dev eth0")
        # Its kernel knows nothing of our raw packets, and would say so.
        internet.vpn.nft("""
            table ip quiet {
                chain in { type filter hook input priority 0; ip saddr 172.31.0.0/16 drop; }
            }""")
        conf = internet.xhad_conf | {"forwarding": {"policy": "ipsec-only",
                                                    "vpn-gateways": list(gateways)}}
        self.xhad = run_daemon(internet.xha, "xhad", conf)
        self.node = peer(internet.roamer, internet.roamer_address, self.home, internet.agent)
        self.node.listen_ipip().register()
        self._wire = capture(internet.vpn, "eth0")
        self._raw = internet.vpn.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._marks = 0

    def out(self, packet):
        self.node.send_ipip(packet)

    def back(self, packet):
        self._raw.sendto(packet, (self.home, 0))

    def esp_out(self, to=GATEWAY, payload=None):
        """ESP by the tunnel, and there: what was before it has been judged."""
        payload = payload or self._mark()
        self.out(mip.ipv4(self.home, to, ESP, payload))
        until(lambda: [p for p in self._wire.packets()
                       if (p.source, p.destination, p.payload) == (self.home, to, payload)],
              f"ESP at {to}:\n{self.xhad.log()}")

    def esp_back(self, source=GATEWAY):
        """An answer, and there."""
        payload = self._mark()
        self.back(mip.ipv4(source, self.home, ESP, payload))
        assert self.node.receive_ipip()[1].payload == payload

    def _mark(self):
        self._marks += 1
        return struct.pack("!II", 0x1234, self._marks) + bytes(40)

    def seen_out(self):
        return [p for p in self._wire.packets() if p.source == self.home]

    def close(self):
        self._raw.close()


@pytest.fixture
def ends(internet, run_daemon, peer, capture, things):
    things.append(Ends(internet, run_daemon, peer, capture))
    return things[-1]


def udp(source, source_port, destination, destination_port, said=None, payload=b"clear" * 8):
    packet = mip.udp_packet(source, source_port, destination, destination_port, payload)
    if said is not None:
        packet = packet[:24] + struct.pack("!H", said) + packet[26:]
    return packet


REASONS = {     # the far end's packets are these with source and destination exchanged
    "not-a-gateway": lambda a, b: mip.ipv4(a, STRANGER if b == GATEWAY else b, ESP, bytes(40)),
    "protocol": lambda a, b: mip.ipv4(a, b, TCP, bytes(40)),
    "port": lambda a, b: udp(a, 7000, b, 7000),
    "length": lambda a, b: udp(a, 500, b, 500, said=47),
    "ip-options": lambda a, b: with_options(mip.ipv4(a, b, ESP, bytes(40))),
    "fragment": lambda a, b: raw_ip(mip.ipv4(a, b, UDP, bytes(40)), offset=80),
    "icmp-error": lambda a, b: port_unreachable(a, b, udp(b, 7000, a, 7000)),
}


@pytest.mark.parametrize("reason", REASONS)
def test_what_a_node_may_not_send_is_counted_by_reason(ends, reason):
    count = Counting(ends.xhad)
    ends.out(REASONS[reason](ends.home, GATEWAY))
    ends.xhad.wait_counter("drops-filter", count.before("drops-filter") + 1)
    assert {k: v for k, v in count.changes().items() if k.startswith("drops-")} == \
        {"drops-filter": 1, f"drops-filter-{reason}": 1}
    (event,) = ends.xhad.wait_event("tunnel-filter")
    assert (event["reason"], event["inner-source"]) == (reason, ends.home)
    assert event["port"] == {"port": "7000", "length": "500"}.get(reason, "0")
    ends.esp_out()
    assert {p.protocol for p in ends.seen_out()} == {ESP} and len(ends.seen_out()) == 1


@pytest.mark.parametrize("reason", REASONS)
def test_what_may_not_come_back_is_counted_by_reason(ends, reason):
    ends.esp_out()
    ends.esp_back()
    count = Counting(ends.xhad)
    if reason == "not-a-gateway":
        packet = mip.ipv4(STRANGER, ends.home, ESP, bytes(40))
    else:
        packet = REASONS[reason](GATEWAY, ends.home)
    ends.back(packet)
    ends.xhad.wait_counter("drops-filter", count.before("drops-filter") + 1)
    assert {k: v for k, v in count.changes().items() if k.startswith("drops-")} == \
        {"drops-filter": 1, f"drops-filter-{reason}": 1}
    (event,) = ends.xhad.wait_event("tunnel-filter")
    assert (event["reason"], event["home-address"]) == (reason, ends.home)
    ends.esp_back()
    assert ends.node.no_ipip()


def test_the_sum_of_the_reasons_is_the_whole_on_the_fast_path_too(ends):
    """A flood: the fast path drops most of it by itself, and counts as the other tier does."""
    count = Counting(ends.xhad)
    for _ in range(30):
        for reason in ("not-a-gateway", "protocol", "port", "length"):
            ends.out(REASONS[reason](ends.home, GATEWAY))
        ends.back(mip.ipv4(GATEWAY, ends.home, ESP, bytes(40)))
    ends.xhad.wait_counter("drops-filter", count.before("drops-filter") + 150)
    changes = count.changes()
    for reason in ("not-a-gateway", "protocol", "port", "length", "unsolicited"):
        assert changes[f"drops-filter-{reason}"] == 30
    assert changes["drops-filter"] == 150
    assert (changes.get("fast-path-drops", 0) > 0) == (DATA_PATH != "tun")
    metrics = ends.xhad.hactl("-o", "show", "counters", json_output=False)
    assert "drops_filter_unsolicited" in metrics and "drops_filter_port" in metrics


# --- only answers come back ---

def unsolicited(ends, packet):
    before = ends.xhad.counter("drops-filter-unsolicited")
    ends.back(packet)
    ends.xhad.wait_counter("drops-filter-unsolicited", before + 1)
    assert ends.node.no_ipip()


@pytest.mark.parametrize("protocol", ["esp", "500", "4500"])
def test_a_gateway_does_not_begin(ends, protocol):
    if protocol == "esp":
        packet = mip.ipv4(GATEWAY, ends.home, ESP, bytes(40))
    else:
        packet = udp(GATEWAY, int(protocol), ends.home, int(protocol))
    unsolicited(ends, packet)
    (event,) = ends.xhad.events("tunnel-filter")
    assert (event["reason"], event["source"]) == ("unsolicited", GATEWAY)
    ends.esp_out()
    ends.back(packet)
    assert ends.node.receive_ipip()[1].source == GATEWAY


def test_each_gateway_answers_for_itself(ends):
    ends.esp_out(GATEWAY)
    unsolicited(ends, mip.ipv4(SECOND, ends.home, ESP, bytes(40)))
    ends.esp_out(SECOND)
    ends.esp_back(SECOND)
    ends.esp_back(GATEWAY)


def test_an_error_about_what_was_never_sent_is_none(ends):
    made_up = port_unreachable(STRANGER, ends.home, udp(ends.home, 500, GATEWAY, 500))
    before = ends.xhad.counter("drops-filter-icmp-error")
    ends.back(made_up)
    ends.xhad.wait_counter("drops-filter-icmp-error", before + 1)
    ends.esp_out()
    ends.back(made_up)
    assert ends.node.receive_ipip()[1].icmp == (3, 3)


def test_what_a_node_has_begun_lasts_through_moves_and_renewals(ends, peer):
    ends.esp_out()
    ends.node.register()
    ends.esp_back()
    other = "203.0.114.51"
    ends.net.roamer.ip(f"addr add {other}/24 dev eth0")
    moved = peer(ends.net.roamer, other, ends.home, ends.net.agent)
    moved.listen_ipip().register()
    ends.node = moved
    ends.esp_back()             # the node has said nothing from there yet
    unsolicited(ends, mip.ipv4(SECOND, ends.home, ESP, bytes(40)))


def test_what_a_node_has_begun_ends_with_its_binding(ends):
    ends.esp_out()
    ends.esp_back()
    ends.node.deregister()
    ends.node.register()
    unsolicited(ends, mip.ipv4(GATEWAY, ends.home, ESP, bytes(40)))


def remembered(ends):
    """The note is on its way to the store from the first packet on; then it is there."""
    commits = ends.xhad.counter("state-commits")
    ends.esp_out()
    ends.xhad.wait_counter("state-commits", commits + 1)


def restart_with(ends, **tunnel):
    ends.xhad.write_config(ends.xhad.conf | {"tunnel": ends.xhad.conf["tunnel"] | tunnel})
    ends.xhad.stop()
    ends.xhad.start()


@pytest.mark.parametrize("end", ["killed", "stopped", "kept-forwarding"])
def test_what_a_node_has_begun_outlives_the_daemon(ends, end):
    """Maps that are adopted, or made anew from what was stored: neither forgets nor lets in."""
    remembered(ends)
    ends.esp_back()
    if end == "kept-forwarding":
        restart_with(ends, **{"keep-forwarding": True})
    if end == "killed":
        ends.xhad.kill()
    else:
        ends.xhad.stop()
    ends.xhad.start()
    ends.esp_back()
    unsolicited(ends, mip.ipv4(SECOND, ends.home, ESP, bytes(40)))
    if DATA_PATH != "tun":
        assert ends.xhad.counter("fast-path-packets") > 0
        adopted = str(end != "stopped").lower()
        assert ends.xhad.events("data-path-opened")[-1]["adopted"] == adopted
    if end == "kept-forwarding":
        restart_with(ends)      # to leave nothing behind


def forward_only_to(ends, *gateways):
    ends.xhad.write_config(ends.xhad.conf | {"forwarding": {"policy": "ipsec-only",
                                                            "vpn-gateways": list(gateways)}})


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_a_gateway_more_or_less_is_nobody_elses_affair(ends, how):
    """The notes go by address, not by a place in the list."""
    remembered(ends)
    forward_only_to(ends, STRANGER, SECOND, GATEWAY)
    if how == "reload":
        ends.xhad.reload()
    else:
        ends.xhad.kill()
        ends.xhad.start()
    for source in (STRANGER, SECOND):
        unsolicited(ends, mip.ipv4(source, ends.home, ESP, bytes(40)))
    ends.esp_back(GATEWAY)
    forward_only_to(ends, SECOND)
    ends.xhad.reload()
    count = ends.xhad.counter("drops-filter-not-a-gateway")
    ends.back(mip.ipv4(GATEWAY, ends.home, ESP, bytes(40)))
    ends.xhad.wait_counter("drops-filter-not-a-gateway", count + 1)
    assert ends.node.no_ipip()


def test_the_fast_path_carries_what_is_permitted(ends):
    if DATA_PATH == "tun":
        pytest.skip("there is none in this run")
    ends.esp_out()              # the first goes by tun, which takes the note
    count = Counting(ends.xhad)
    for _ in range(10):
        ends.esp_out()
        ends.esp_back()
    assert count["fast-path-packets"] == 20


# --- fragments ---

def pieces(source, destination, ident=9):
    """IKE as an old peer may send it, in three: with the length of the whole."""
    whole = udp(source, 500, destination, 500, payload=bytes(range(200)))[20:]
    assert len(whole) == 208
    return [raw_ip(mip.ipv4(source, destination, UDP, whole[at:at + 80]), at < 160, at, ident)
            for at in (0, 80, 160)]


def test_fragments_pass_behind_their_first_both_ways(ends):
    for packet in pieces(ends.home, GATEWAY):
        ends.out(packet)
    until(lambda: len([p for p in ends.seen_out() if p.protocol == UDP]) == 3, "all three")
    for packet in pieces(GATEWAY, ends.home):
        ends.back(packet)
    got = [ends.node.receive_ipip()[1] for _ in range(3)]
    assert [p.fragment for p in got] == [0, 80, 160]
    assert ends.xhad.counter("drops-filter") == 0


def test_fragments_that_go_beyond_what_udp_says_do_not_pass(ends):
    first, second, _ = pieces(ends.home, GATEWAY)
    ends.out(first)
    ends.out(second)
    ends.out(raw_ip(mip.ipv4(ends.home, GATEWAY, UDP, bytes(80)), False, 160, 9))
    ends.xhad.wait_counter("drops-filter-length", 1)
    ends.esp_out()
    assert len([p for p in ends.seen_out() if p.protocol == UDP]) == 2


def test_nobody_rides_on_anothers_first_fragment(ends):
    for packet in pieces(ends.home, GATEWAY):
        ends.out(packet)
    _, second, _ = pieces(ends.home, GATEWAY, ident=10)
    ends.out(second)
    ends.back(pieces(GATEWAY, ends.home)[1])
    ends.xhad.wait_counter("drops-filter-fragment", 2)
    ends.esp_out()
    assert len([p for p in ends.seen_out() if p.protocol == UDP]) == 3
