# SPDX-License-Identifier: BSD-2-Clause
"""
One host on each of the data path's tiers in turn, as when an operator changes tunnel.data-path and
restarts: a node registers, packets go both ways and are counted, and all of it once more after a
restart. It is what test/vm looks at on Debian's kernel.
"""

import socket

import pytest

from fixtures import mobileip as mip
from fixtures.capture import Capture
from fixtures.programs import Counting
from fixtures.wait import until


@pytest.fixture
def trip(campus, desk, server):
    """trip(text): a packet to the node, and one from it."""

    def both_ways(text):
        server.send(text, (campus.home, 6000))
        assert desk.receive_ipip()[1].data == text
        desk.send_ipip(mip.udp_packet(campus.home, 6000, campus.server_address, 7000, text))
        assert server.receive() == (text, (campus.home, 6000))

    return both_ways


def takes(ihad, trip):
    """Did the fast path carry of this packet there and back?"""
    counting = Counting(ihad)
    trip(b"is it fast?")
    return counting["fast-path-packets"] > 0


def carries(ihad, desk, trip, tier):
    desk.register()
    desk.listen_ipip()
    assert ihad.status()["data-path"] == tier, ihad.log()
    trip(b"neighbours are known from here on")
    if tier == "kernel":        # it is given the bindings of an earlier run a moment later
        until(lambda: takes(ihad, trip), "the kernel carries")
    binding, counting = ihad.binding(desk.home), Counting(ihad)
    for i in range(8):
        trip(b"%d" % i)
    assert counting["packets-to-nodes"] == counting["packets-from-nodes"] == 8
    after = ihad.binding(desk.home)
    if tier == "kernel":        # it counts by device
        assert after["packets-to-node"] is None
    else:
        assert after["packets-to-node"] - binding["packets-to-node"] == 8
    assert after["packets-from-node"] - binding["packets-from-node"] == 8
    return counting["fast-path-packets"]


def test_each_tier_carries_and_counts_and_does_so_after_a_restart(net, campus, run_daemon, desk,
                                                                  trip):
    net.prepare_for_bpf()
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf, start=False)

    def use(tier):
        ihad.write_config(ihad.conf | {"tunnel": ihad.conf["tunnel"] | {"data-path": tier}})
        ihad.start()
        fast = carries(ihad, desk, trip, tier)
        assert fast == 0 if tier == "tun" else fast > 0
        ihad.kill()
        ihad.start()
        carries(ihad, desk, trip, tier)
        desk.deregister()
        ihad.stop()

    for tier in ("tun", "tc", "xdp"):
        use(tier)
    # The modules of GRE, once loaded, make devices of their own in every name space.
    assert not [e for e in ihad.events("data-path-degraded")
                if e.get("interface") not in ("gretap0", "erspan0")]
    if campus.ha.has_kernel_tunnels():      # Debian's kernel has, and test/vm looks at it there
        use("kernel")


def mac_of(host, interface):
    words = host.ip_show("link", "show", interface).split()
    return bytes.fromhex(words[words.index("link/ether") + 1].replace(":", ""))


@pytest.mark.parametrize("tier", ["tun", "tc", "xdp"])
def test_what_trails_behind_a_packet_does_not_go_on(net, campus, run_daemon, desk, server, trip,
                                                    things, tier):
    net.prepare_for_bpf()
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf | {"tunnel": {"data-path": tier}})
    carries(ihad, desk, trip, tier)
    ours, theirs = mac_of(campus.ha, "eth0"), mac_of(campus.router, "core0")
    wire, counting = Capture(campus.router, "core0"), Counting(ihad)
    things.append(wire)
    to_node = mip.udp_packet(campus.server_address, 7000, campus.home, 6000, b"in")
    from_node = mip.udp_packet(campus.home, 6000, campus.server_address, 7000, b"out")
    with campus.router.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as link:
        link.bind(("core0", 0))
        for trailer in (b"\xaa" * 4, b"\xaa" * 100):
            link.send(ours + theirs + b"\x08\x00" + to_node + trailer)
            assert desk.receive_ipip()[1].data == b"in"
            # Behind the packet that is within, too.
            outer = mip.ipv4(campus.desk_address, campus.agent, 4, from_node + trailer)
            link.send(ours + theirs + b"\x08\x00" + outer + trailer)
            assert server.receive() == (b"out", (campus.home, 6000))
    sent = [frame for frame in wire.frames() if frame[6:12] == ours and frame[12:14] == b"\x08\x00"]
    assert sorted(len(frame) for frame in sent) == sorted(
        2 * [14 + len(from_node), 14 + 20 + len(to_node)])
    assert (counting["fast-path-packets"] > 0) == (tier != "tun")


@pytest.fixture
def with_modules(campus):
    """The campus, its home agent's kernel with ipip and ip_gre."""
    for kind in ("ipip", "gre"):
        if campus.ha.run(["ip", "link", "add", f"{kind}9", "type", kind, "external"],
                         check=False).returncode != 0:
            pytest.skip(f"this kernel has no {kind} devices; test/vm/run has one that does")
    return campus


@pytest.mark.parametrize("up", [False, True], ids=["devices-down", "devices-for-anyone"])
def test_modules_of_the_kernel_neither_answer_tunnels_nor_unpack_them(
        with_modules, run_daemon, desk, server, trip, capture, up):
    campus = with_modules
    if up:
        campus.ha.ip("link set ipip9 up", "link set gre9 up")
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf | {"tunnel": {"data-path": "tun"}})
    wire = capture(campus.desk, "eth0")
    carries(ihad, desk, trip, "tun")
    stray = mip.udp_packet(campus.other_home, 6000, campus.server_address, 7000, b"nobody's")
    desk.send_ipip(stray)
    ihad.wait_counter("drops-tunnel-no-binding", 1)
    with campus.desk.socket(socket.AF_INET, socket.SOCK_RAW, 47) as gre:
        gre.bind((campus.desk_address, 0))
        gre.sendto(b"\0\0\x08\0" + stray, (campus.agent, 0))
    ihad.wait_counter("drops-tunnel-no-binding", 2)
    trip(b"a fence")
    assert server.heard_nothing()
    # A node whose own kernel has the modules answers with errors: those are its affair.
    assert not [p for p in wire.packets() if p.protocol == 1 and p.source == campus.agent]
    ihad.kill()
    ihad.start()
    ihad.stop()
    assert "ihad0" not in campus.ha.ip_show("link")


def test_a_sink_that_is_taken_away_is_put_back(with_modules, run_daemon, desk, trip):
    campus = with_modules
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf | {"tunnel": {"data-path": "tun"}})
    assert ihad.hactl("show", "data-path")["sinks"] == 2
    for sink in ("ihad0-ipip", "ihad0-gre"):
        assert sink in campus.ha.ip_show("link")
        campus.ha.ip(f"link del {sink}")
        until(lambda: sink in campus.ha.ip_show("link", "show", "up"), f"{sink} is back")
    assert ihad.wait_event("data-path-repaired", 2)
    assert ihad.hactl("show", "data-path")["repairs"] == 2
    carries(ihad, desk, trip, "tun")


@pytest.mark.parametrize("tier", ["tc", "xdp"])
def test_ipsec_policies_of_the_host_switch_the_fast_path_off(net, campus, run_daemon, desk, trip,
                                                             tier):
    """A packet that BPF carries would never meet them, and leave in the clear."""
    if campus.ha.run(["ip", "xfrm", "policy"], check=False).returncode != 0:
        pytest.skip("this kernel has no IPsec; test/vm/run has one that does")
    net.prepare_for_bpf()
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf | {"tunnel": {"data-path": tier}})
    carries(ihad, desk, trip, tier)
    campus.ha.ip("xfrm policy add src 10.98.0.0/16 dst 10.99.0.0/16 dir out "
                 "tmpl src 10.0.0.2 dst 10.0.0.1 proto esp mode tunnel")
    until(lambda: ihad.status()["data-path"] == "tun", "it is off")
    assert "IPsec" in ihad.status()["data-path-eth0"]
    assert not takes(ihad, trip)
    campus.ha.ip("xfrm policy flush")
    until(lambda: ihad.status()["data-path"] == tier, "it is on again")
    assert ihad.events("data-path-restored") and takes(ihad, trip)
