# SPDX-License-Identifier: BSD-2-Clause
"""
What an external home address may exchange, with a real IPsec in its tunnel: `ipsec-only` lets
nothing but that pass, and the ICMP errors that belong to it; `any` is warned of.
"""

import contextlib
import socket

import pytest

from fixtures import layers, strongswan
from fixtures.deployment import recipe
from fixtures.wait import until

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not strongswan.available(), reason="no strongSwan (charon) here"),
]

FLOOD = 1000


def from_external_home(office, protocol=socket.SOCK_DGRAM):
    s = office.laptop.host.socket(socket.AF_INET, protocol)
    s.bind((office.external_home, 0))
    s.setblocking(False)
    return s


def ping(host, source, destination):
    return host.run(["ping", "-c1", "-W1", "-I", source, destination], check=False).returncode == 0


def test_nothing_but_ipsec_leaves_or_enters_the_tunnel(office, capture):
    office.power_on("hotel")
    dmz = capture(office.xha, "eth0")
    names = {office.external_home: "x-HoA", office.gateway_address: "VPN-GW"}
    before = office.xhad.counter("drops-filter")

    with from_external_home(office) as user, from_external_home(office, socket.SOCK_STREAM) as tcp:
        user.sendto(b"clear", (office.gateway_address, 53))         # not IPsec
        user.sendto(b"clear", ("203.0.115.1", 500))                 # not a VPN gateway
        user.sendto(b"clear", ("203.0.115.1", 4500))
        with contextlib.suppress(BlockingIOError):
            tcp.connect((office.gateway_address, 22))
        assert not ping(office.laptop.host, office.external_home, office.gateway_address)
        office.xhad.wait_counter("drops-filter", before + 5)

    assert not ping(office.gateway, office.gateway_address, office.external_home)
    with office.fw.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        office.fw.route("172.31.0.0/16", office.external_agent)
        stranger.sendto(b"clear", (office.external_home, 4500))     # IPsec's port, not the gateway
    office.xhad.wait_counter("drops-filter", before + 7)

    (event, *_) = office.xhad.events("tunnel-filter")
    assert office.external_home in event.values()
    assert ping(office.laptop.host, office.home, office.server_address)     # IPsec goes on
    passed = {s for s in layers.stacks(dmz.packets(), names)
              if s.startswith(("x-HoA>", "VPN-GW>x-HoA"))}
    assert "x-HoA>VPN-GW udp 4500>4500 esp" in passed
    refused = {"VPN-GW>x-HoA ping"}                                 # seen before xhad only
    assert passed - refused <= {"x-HoA>VPN-GW udp 4500>4500 esp", "VPN-GW>x-HoA udp 4500>4500 esp",
                                "x-HoA>VPN-GW udp 4500>4500 ike", "VPN-GW>x-HoA udp 4500>4500 ike"}


def test_a_flood_of_what_may_not_pass_is_counted_and_not_logged_line_by_line(office):
    office.power_on("hotel")
    before = office.xhad.counter("drops-filter")
    with from_external_home(office) as user:
        def flooded():
            for _ in range(FLOOD // 10):
                with contextlib.suppress(BlockingIOError):
                    user.sendto(b"clear", (office.gateway_address, 53))
            return office.xhad.counter("drops-filter") >= before + FLOOD
        until(flooded, "drops")
    assert 1 <= len(office.xhad.events("tunnel-filter")) <= 20


def test_port_unreachable_from_the_gateway_reaches_the_laptop(office, capture):
    """ICMP errors that belong to the flow pass: the gateway's charon is gone."""
    office.power_on("hotel")
    inside = capture(office.laptop.host, "mnx0")
    office.vpn.kill()
    names = {office.external_home: "x-HoA", office.gateway_address: "VPN-GW"}
    ping(office.laptop.host, office.home, office.server_address)
    until(lambda: "VPN-GW>x-HoA icmp 3" in layers.stacks(inside.packets(), names),
          "the error, out of the tunnel")


def test_path_mtu_discovery_works_between_laptop_and_gateway(office, capture):
    """A narrow link behind xhad: the errors for it pass, and large packets then do."""
    nat = office.nat_before_the_gateway()
    nat.ip("link set in0 mtu 1280")
    office.xha.ip("link set vpn0 mtu 1280")
    office.power_on("hotel")
    inside = capture(office.laptop.host, "mnx0")
    done = office.laptop.host.run(["ping", "-c5", "-i.2", "-W1", "-s", "1250", "-I", office.home,
                                   office.server_address], check=False)
    assert [s for s in layers.stacks(inside.packets(), {}) if s.endswith(">172.31.0.7 icmp 3")]
    assert " 0 received" not in done.stdout, done.stdout


def test_policy_any_is_warned_of_and_lets_clear_text_pass(deploy, workdir):
    conf = f"{workdir}/any.yaml"
    with open(recipe("xhad.yaml"), encoding="utf-8") as f, \
            open(conf, "w", encoding="utf-8") as out:
        out.write(f.read().replace("policy: ipsec-only", "policy: any"))
    office = deploy()
    office.start_agents(xhad_conf=conf)
    assert office.xhad.events("policy-any")
    assert any("warning" in line for line in office.xhad.log().splitlines()
               if "event=policy-any" in line)
    office.laptop.plug("hotel")
    office.switch_on().wait_state("outside")
    assert ping(office.laptop.host, office.external_home, office.gateway_address)
