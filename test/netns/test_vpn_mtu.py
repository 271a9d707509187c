# SPDX-License-Identifier: BSD-2-Clause
"""
What the layers cost (RFC 5265 §5.2; run with -s to see the table), and that full-size packets pass
the deepest stack of them, whether or not somebody on the way drops ICMP.
"""

import os
import re
import signal
import socket
import threading

import pytest

from fixtures import layers, strongswan
from fixtures.deployment import recipe
from fixtures.wait import until

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not strongswan.available(), reason="no strongSwan (charon) here"),
]

LINK_MTU = 1500
FULL_PING = LINK_MTU - 28
BULK = os.urandom(400000)
PATIENCE_S = 30


# --- overhead ---

# ESP here: an IP header, SPI, sequence number, the IV and at most a block but one of padding for AES,
# pad length and next header, and the ICV of HMAC-SHA-256. User-space ESP is in UDP always.
IPIP, UDP = 20, 8
TUNNEL_DATA = 12                                # UDP and the tunnel data header, RFC 3519
ESP = 20 + 4 + 4 + 16 + 15 + 2 + 16
RFC_ESP = 20 + 4 + 4 + 8 + 7 + 2 + 12           # RFC 5265 §5.2: 57
CIPHER = ESP - RFC_ESP                          # IV +8, padding +8, ICV +4

MODES = {   # place, foreign agent's place, NATs, mobike; the RFC's figure; what it has to be here
    "f": ("branch", "branch", False, False, 0, 0),
    "c": ("desk", None, False, False, 20, IPIP),
    "c-nat": ("lab", None, True, False, 32, IPIP + TUNNEL_DATA),
    "mc": ("street", None, False, True, 77, IPIP + ESP + UDP),
    "fvc": ("airport", "airport", False, False, 77, IPIP + ESP + UDP),
    "cvc": ("street", None, False, False, 97, IPIP + ESP + IPIP + UDP),
    "cvc-nats": ("hotel", None, True, False, 129,
                 IPIP + TUNNEL_DATA + ESP + UDP + IPIP + TUNNEL_DATA),
}


def octets_added(office, air, user_len):
    """One ping of that length (IP header and all): by how much longer it is on the cable."""
    def sent():
        return [p.length for p in air.packets() if p.source in (office.laptop.address, office.home,
                office.external_home) and p.length >= user_len]

    air.clear()
    office.laptop.host.run(["ping", "-c1", "-W10", "-s", str(user_len - 28), "-I", office.home,
                            office.server_address])
    (length,) = sent()
    return length - user_len


@pytest.mark.parametrize("mode", MODES)
def test_the_overhead_of_each_mode(office, capture, mode):
    place, foreign_agent, nats, mobike, rfc, here = MODES[mode]
    if nats:
        office.nat_before_the_gateway()
        office.nat_in_the_gateway()
        office.nat_inside()
    if foreign_agent:
        office.start_foreign_agent(foreign_agent)
    (office.power_on_mobike if mobike else office.power_on)(place)
    air = capture(office.wires, "laptop0")
    added = [octets_added(office, air, user_len) for user_len in range(900, 916)]
    cipher = CIPHER if here > 60 else 0
    # The RFC counts UDP around ESP among the NAT traversals; this charon has it without a NAT.
    udp = UDP if cipher and mode != "cvc-nats" else 0
    print(f"\n  {mode:9} {min(added):3} to {max(added):3} octets; RFC 5265 §5.2: at most {rfc:3}",
          end="")
    if cipher:
        print(f", and {cipher} for AES-CBC and HMAC-SHA-256 (IV 8, padding 8, ICV 4)", end="")
    if udp:
        print(f", and {udp} for ESP that is in UDP without a NAT", end="")
    assert max(added) == here == rfc + cipher + udp


# --- full-size packets through the deepest stack ---

def filter_icmp_errors(office):
    """Nobody on the way says, or passes on, that a packet was too long."""
    for host in office.net.hosts.values():
        if host not in (office.laptop.host, office.server, office.wires):
            host.nft("""
                table ip silent {
                    chain out { type filter hook output priority 0; icmp type { 3, 11 } drop; }
                    chain through { type filter hook forward priority 0; icmp type { 3, 11 } drop; }
                }""")


def exchange(a, a_address, b, b_address):
    """One TCP connection carries BULK both ways; what each end got."""
    listener = b.socket(socket.AF_INET, socket.SOCK_STREAM)
    client = a.socket(socket.AF_INET, socket.SOCK_STREAM)
    got = {}

    def end(name, s):
        sender = threading.Thread(target=s.sendall, args=(BULK,), daemon=True)
        sender.start()
        octets = b""
        while len(octets) < len(BULK) and (more := s.recv(65536)):
            octets += more
        sender.join(PATIENCE_S)
        got[name] = octets

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(PATIENCE_S)
            end("server", connection)

    with listener, client:
        listener.bind((b_address, 8080))
        listener.listen(1)
        listener.settimeout(PATIENCE_S)
        client.bind((a_address, 0))
        client.settimeout(PATIENCE_S)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        client.connect(listener.getsockname())
        end("client", client)
        thread.join(PATIENCE_S)
    return got


def pinged(host, source, destination, *options):
    """How many of five full-size ones were answered, and the number of the last that was."""
    done = host.run(["ping", "-c5", "-i.2", "-W10", "-s", str(FULL_PING), *options, "-I", source,
                     destination], check=False)
    numbers = re.findall(r"icmp_seq=(\d+) ttl", done.stdout)
    return len(numbers), int(numbers[-1]) if numbers else 0


@pytest.mark.parametrize("icmp", ["allowed", "filtered"])
def test_full_size_packets_pass_the_deepest_stack(office, capture, icmp):
    """Never a black hole; filtered, without one lost packet to learn from."""
    office.nat_before_the_gateway()
    office.nat_in_the_gateway()
    office.power_on("hotel")
    if icmp == "filtered":
        filter_icmp_errors(office)
    on_server = capture(office.server, "eth0")
    laptop, server = office.laptop.host, office.server

    for host, source, destination in ((laptop, office.home, office.server_address),
                                      (server, office.server_address, office.home)):
        assert pinged(host, source, destination, "-M", "dont") == (5, 5)
        if icmp == "allowed":   # with Don't Fragment, until it is told
            answered, last = pinged(host, source, destination)
            assert answered >= 4 and last == 5

    for begins, a, accepts, b in ((laptop, office.home, server, office.server_address),
                                  (server, office.server_address, laptop, office.home)):
        assert exchange(begins, a, accepts, b) == {"client": BULK, "server": BULK}
    segments = [p.length for p in on_server.packets()
                if p.source == office.home and p.protocol == 6]
    assert max(segments) >= LINK_MTU - 152      # as long as the layers let them be
    if icmp == "filtered":
        errors = [s for s in layers.stacks(on_server.packets(), {}) if s.endswith(" icmp 3")]
        assert errors == []


def test_the_layers_fit_as_the_recipe_says():
    """tunnel.mtu of etc/deployment/ihad.yaml: with ESP and a tunnel in UDP around it, a whole link."""
    longest = LINK_MTU - IPIP - TUNNEL_DATA - (20 + UDP + 4 + 4 + 16 + 16)
    longest = longest // 16 * 16 - 2            # whole blocks, with pad length and next header
    with open(recipe("ihad.yaml"), encoding="utf-8") as f:
        (mtu,) = map(int, re.findall(r"^  mtu: (\d+)", f.read(), re.MULTILINE))
    assert 1280 < mtu <= longest


# --- a narrower way ---

NARROW = 1280


def events(office, name):
    return [e for e in office.mn.history() if e["event"] == name]


def test_a_mobile_node_tells_of_a_narrow_place_behind_its_link(office):
    """RFC 1191 through the node's own tunnel: one packet is lost, and the next sender is told."""
    office.branch.ip(f"link set up0 mtu {NARROW}")
    office.router.ip(f"link set branch0 mtu {NARROW}")
    office.laptop.plug("branch")
    office.switch_on(foreign_agent=None).wait_state("inside")
    laptop = office.laptop.host
    done = laptop.run(["ping", "-c4", "-i.3", "-W2", "-M", "do", "-s", "1400", "-I", office.home,
                       office.server_address], check=False)
    assert f"From {office.internal_agent} icmp_seq=2 Frag needed and DF set (mtu = {NARROW - 20})" \
        in done.stdout, done.stdout
    assert office.mn.status()["internal"]["packets-too-big"] == 1   # then its device is as narrow
    (event,) = events(office, "path-mtu-lowered")
    assert (event["agent"], event["mtu"]) == ("internal", NARROW)
    assert office.mn.log().count("event=path-mtu-lowered") == 1
    done = laptop.run(["ping", "-c3", "-i.2", "-W2", "-M", "dont", "-s", "1400", "-I", office.home,
                       office.server_address])
    assert " 3 received" in done.stdout, done.stdout


IP_MTU_DISCOVER, PMTUDISC_DONT, PMTUDISC_DO = 10, 0, 2


@pytest.mark.parametrize("df", [False, True])
def test_a_packet_that_the_link_does_not_take_any_more_is_cut_or_answered(
        office, correspondent, capture, df):
    """It was on its way through the node when the link became narrower."""
    office.laptop.plug("desk")
    office.switch_on().wait_state("inside")
    server = correspondent(office.server, office.server_address)
    on_server = capture(office.server, "eth0")
    laptop = office.laptop.host
    with laptop.socket(socket.AF_INET, socket.SOCK_DGRAM) as user:
        user.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, PMTUDISC_DO if df else PMTUDISC_DONT)
        user.bind((office.home, 0))
        user.connect((office.server_address, server.port))
        office.mn.process.send_signal(signal.SIGSTOP)
        laptop.ip(f"link set eth0 mtu {NARROW}")
        user.send(bytes(1300))                      # it lies in the device from here on
        office.mn.process.send_signal(signal.SIGCONT)
        if df:
            until(lambda: office.mn.status()["internal"]["packets-too-big"] == 1, "an answer")
            assert server.heard_nothing()
            with pytest.raises(OSError, match="Message too long"):
                user.send(b"it is told now")
            user.send(b"fence")
            assert server.receive()[0] == b"fence"
        else:
            assert server.receive()[0] == bytes(1300)
            sizes = [p.length for p in on_server.packets() if p.source == office.home]
            assert len(sizes) == 2 and max(sizes) <= NARROW - 20
            assert sum(sizes) == 1300 + 28 + 20


@pytest.mark.parametrize("where", ["the link", "behind the link"])
def test_a_narrower_way_under_the_whole_stack_is_no_black_hole(deploy, where):
    """The way narrows under a running session: ESP that no longer fits is not lost in silence."""
    office = deploy()
    office.start_agents(ihad_conf=office.variant("ihad.yaml", ("mtu: 1380", "mtu: 1160")))
    office.start_gateway()
    office.power_on("street")
    laptop, server = office.laptop.host, office.server
    assert pinged(laptop, office.home, office.server_address, "-M", "dont") == (5, 5)
    if where == "the link":
        laptop.ip(f"link set eth0 mtu {NARROW}")
        until(lambda: events(office, "mtu-change"), "mn notices")
    else:
        office.internet.ip(f"link set corp0 mtu {NARROW}")
        office.fw.ip(f"link set wan0 mtu {NARROW}")
    answered, last = pinged(laptop, office.home, office.server_address, "-M", "dont")
    assert answered >= (5 if where == "the link" else 3) and last == 5
    for begins, a, accepts, b in ((laptop, office.home, server, office.server_address),
                                  (server, office.server_address, laptop, office.home)):
        assert exchange(begins, a, accepts, b) == {"client": BULK, "server": BULK}
