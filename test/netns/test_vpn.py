# SPDX-License-Identifier: BSD-2-Clause
"""
One session from the desk to the hotel (RFC 5265, RFC 5266): both home agents, a strongSwan gateway
and the laptop's full stack, on the deployment that etc/deployment describes.
"""

import pytest

from fixtures import layers, strongswan

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not strongswan.available(), reason="no strongSwan (charon) here"),
]


def test_ipsec_runs_from_the_external_home_address(office):
    """By hand, layer by layer: x-MIP, IPsec, and the inner address reaches ihad."""
    office.laptop.plug("hotel")
    office.switch_on().wait_state("outside")
    office.start_client()
    office.client.initiate()
    sa = office.client.sa()
    assert (sa["local-host"], sa["remote-host"]) == (office.external_home, office.gateway_address)
    (inner,) = sa["local-vips"]
    assert inner.startswith(office.inner_network)
    office.laptop.host.run(["ping", "-c1", "-W5", "-I", inner, office.internal_agent])


# --- every header on every wire (RFC 5265 appendix A) ---

class Wires:
    """All that crosses them from now on."""

    def __init__(self, office, capture, care_of, **places):
        self.names = {
            care_of: "co-CoA", office.external_agent: "x-HA", office.internal_agent: "i-HA",
            office.external_home: "x-HoA", office.home: "i-HoA", office.gateway_address: "VPN-GW",
            office.server_address: "CN", "10.8.0.1": "VPN-TIA", "10.20.0.1": "i-FA",
            "203.0.120.1": "x-FA"}
        self._captures = {name: capture(host, interface)
                          for name, (host, interface) in places.items()}

    def packets(self, name):
        return self._captures[name].packets()

    def check(self, name, *lines, one_way=()):
        """Exactly these stacks were there, each both ways, and those that have no answer."""
        expected = set(one_way).union(*(layers.both_ways(line) for line in lines))
        seen = layers.stacks(self.packets(name), self.names)
        assert seen == expected, f"on {name}: {sorted(seen ^ expected)}"


def talk(office, correspondent):
    """User data both ways, begun by either side."""
    office.laptop.host.run(["ping", "-c3", "-i.01", "-W5", "-I", office.home,
                            office.server_address])
    office.server.run(["ping", "-c3", "-i.01", "-W5", office.home])
    server = correspondent(office.server, office.server_address)
    user = correspondent(office.laptop.host, office.home)
    server.send(b"from the server", (office.home, user.port))
    assert user.receive() == (b"from the server", (office.server_address, server.port))
    user.send(b"from the laptop", (office.server_address, server.port))
    assert server.receive() == (b"from the laptop", (office.home, user.port))


USER_DATA = ("i-HoA>CN ping", "i-HoA>CN udp any>any")


def under(tunnel, inner=USER_DATA):
    return [f"{tunnel} | {i}" for i in inner]


def test_the_page_has_a_mobile_node_that_works(office):
    """etc/deployment/mobile-node.sh as it stands, from the desk to the hotel."""
    office.start_client()
    office.laptop.plug("desk")
    office.switch_on_by_the_recipe().wait_state("inside")
    ping = ["ping", "-c2", "-i.2", "-W10", "-I", office.home, office.server_address]
    assert " 2 received" in office.laptop.host.run(ping).stdout
    office.laptop.move("hotel")
    office.wait_working()
    assert office.mn.status()["vpn-state"] == "ready"
    assert " 2 received" in office.laptop.host.run(ping).stdout


@pytest.fixture
def wires(office, capture):
    def make(care_of):
        return Wires(office, capture, care_of, air=(office.wires, "laptop0"),
                     dmz=(office.xha, "eth0"), inner=(office.gateway, "in0"),
                     beneath=(office.gateway, strongswan.TUN),
                     agent=(office.ha, "eth0"), server=(office.server, "eth0"),
                     intranet=(office.router, "fw0"), branch=(office.branch, "up0"),
                     airport=(office.airport, "up0"))
    return make


def test_mode_c(office, wires, correspondent):
    on = wires("10.1.0.10")
    office.power_on("desk")
    talk(office, correspondent)
    on.check("air", "co-CoA>i-HA udp any>434 rrq", *under("co-CoA>i-HA"),
             one_way=["co-CoA>x-HA udp any>434 rrq"])
    on.check("agent", "co-CoA>i-HA udp any>434 rrq", *under("co-CoA>i-HA"), *USER_DATA)
    on.check("server", *USER_DATA)
    # RFC 5265 §3.7: the external home agent is asked, from inside, and stays silent.
    on.check("dmz", one_way=["co-CoA>x-HA udp any>434 rrq"])
    on.check("inner")


def test_mode_f(office, wires, correspondent):
    on = wires("10.20.0.10")
    office.start_foreign_agent("branch")
    office.power_on("branch")
    talk(office, correspondent)
    on.check("air", "i-HoA>i-FA udp any>434 rrq", *USER_DATA,
             one_way=["x-HoA>i-FA udp any>434 rrq"])
    on.check("branch", "i-FA>i-HA udp any>434 rrq", *under("i-FA>i-HA"),
             one_way=["i-FA>x-HA udp any>434 rrq"])
    on.check("agent", "i-FA>i-HA udp any>434 rrq", *under("i-FA>i-HA"), *USER_DATA)
    on.check("server", *USER_DATA)
    on.check("inner")


IPSEC = ("x-HoA>VPN-GW udp 500>500 ike", "x-HoA>VPN-GW udp 4500>4500 ike",
         "x-HoA>VPN-GW udp 4500>4500 esp")


def check_inside_the_gateway(on):
    """2a, 3b beneath ESP, as the gateway decrypts it; 2c, 3d, 3e: the same for cvc and fvc."""
    inner = ["VPN-TIA>i-HA udp any>434 rrq", *under("VPN-TIA>i-HA")]
    on.check("beneath", *inner)
    on.check("inner", *inner)
    on.check("agent", *inner, *USER_DATA)
    on.check("server", *USER_DATA)
    on.check("intranet")    # the firewall lets no plain request in


def check_xhad_forwards_and_never_looks_inside(on, tunnelled):
    """Each ESP packet leaves xhad as it came, with a TTL one lower (1a, 2a, 3b to 3c)."""
    esp = [p for p in on.packets("dmz") if "esp" in layers.stack(p, on.names)]
    outer = [layers.innermost(p) for p in esp if layers.stack(p, on.names).startswith(tunnelled)]
    plain = {p.payload: p for p in esp if p.source == "172.31.0.7"}
    assert outer and len(outer) == len(plain)
    for packet in outer:
        assert plain[packet.payload].ttl == packet.ttl - 1


def test_mode_cvc(office, wires, correspondent):
    """No NAT on the way: 3b as the RFC draws it, with strongSwan's UDP encapsulation of ESP."""
    on = wires("203.0.115.10")
    office.power_on("street")
    talk(office, correspondent)
    x_mip = ["co-CoA>x-HA udp any>434 rrq", *under("co-CoA>x-HA", IPSEC)]
    on.check("air", *x_mip, one_way=["co-CoA>i-HA udp any>434 rrq"])
    on.check("dmz", *x_mip, *IPSEC)
    check_inside_the_gateway(on)
    check_xhad_forwards_and_never_looks_inside(on, "co-CoA>x-HA |")


def test_mode_fvc(office, wires, correspondent):
    on = wires("203.0.120.10")
    office.start_foreign_agent("airport")
    office.power_on("airport")
    talk(office, correspondent)
    on.check("air", "x-HoA>x-FA udp any>434 rrq", *IPSEC,
             one_way=["i-HoA>x-FA udp any>434 rrq"])
    x_mip = ["x-FA>x-HA udp any>434 rrq", *under("x-FA>x-HA", IPSEC)]
    on.check("airport", *x_mip, one_way=["x-FA>i-HA udp any>434 rrq"])
    on.check("dmz", *x_mip, *IPSEC)
    check_inside_the_gateway(on)
    check_xhad_forwards_and_never_looks_inside(on, "x-FA>x-HA |")


def test_mode_mc(office, wires, correspondent):
    """RFC 5266: MOBIKE, no external home agent."""
    on = wires("203.0.115.10")
    office.power_on_mobike("street")
    talk(office, correspondent)
    on.check("air", *(line.replace("x-HoA", "co-CoA") for line in IPSEC),
             one_way=["co-CoA>i-HA udp any>434 rrq"])
    check_inside_the_gateway(on)
    on.check("dmz")


# --- NATs, in each place that RFC 5265 §2 names ---

def test_nat_before_the_external_home_agent(office, wires, correspondent):
    on = wires("192.168.44.10")
    office.power_on("hotel")
    talk(office, correspondent)
    x_mip = ["co-CoA>x-HA udp any>434 rrq", *under("co-CoA>x-HA udp any>434 data", IPSEC)]
    on.check("air", *x_mip, one_way=["co-CoA>i-HA udp any>434 rrq"])
    check_inside_the_gateway(on)
    assert office.xhad.binding(office.external_home)["source-address"] == office.nats["hotel"]
    check_xhad_forwards_and_never_looks_inside(on, f"{office.nats['hotel']}>x-HA udp any>434 data")


def test_nat_between_the_external_home_agent_and_the_gateway(office, wires, correspondent, capture):
    office.nat_before_the_gateway()
    on = wires("203.0.115.10")
    gateway = capture(office.gateway, "eth0")
    office.power_on("street")
    talk(office, correspondent)
    on.check("air", "co-CoA>x-HA udp any>434 rrq", *under("co-CoA>x-HA", IPSEC),
             one_way=["co-CoA>i-HA udp any>434 rrq"])
    seen = layers.stacks(gateway.packets(), on.names | {"198.51.100.30": "NAT"})
    assert seen == set().union(*(layers.both_ways(line.replace("x-HoA", "NAT"))
                                 for line in IPSEC))
    check_inside_the_gateway(on)


NATTED = [line.replace("VPN-TIA", "GW-NAT") for line in
          ("VPN-TIA>i-HA udp any>434 rrq", *under("VPN-TIA>i-HA udp any>434 data"))]


def check_a_gateway_that_masquerades(on, office):
    on.names["10.9.1.2"] = "GW-NAT"
    on.check("beneath", *(line.replace("GW-NAT", "VPN-TIA") for line in NATTED))
    on.check("inner", *NATTED)
    on.check("agent", *NATTED, *USER_DATA)
    on.check("server", *USER_DATA)
    binding = office.ihad.binding(office.home)
    assert (binding["care-of-address"], binding["source-address"], binding["encapsulation"]) == \
        ("10.8.0.1", "10.9.1.2", "udp")


def test_nat_inside_the_vpn(office, wires, correspondent):
    """The gateway masquerades its clients' inner addresses (RFC 5265 §2.3: VPN-TIA behind a NAT)."""
    office.nat_in_the_gateway()
    on = wires("203.0.115.10")
    office.power_on("street")
    talk(office, correspondent)
    on.check("air", "co-CoA>x-HA udp any>434 rrq", *under("co-CoA>x-HA", IPSEC),
             one_way=["co-CoA>i-HA udp any>434 rrq"])
    check_a_gateway_that_masquerades(on, office)


def test_nat_between_an_inside_node_and_the_internal_home_agent(office, wires, correspondent):
    office.nat_inside()
    on = wires("192.168.9.10")
    on.names["10.4.1.2"] = "NAT"
    office.power_on("lab")
    talk(office, correspondent)
    assert office.mn.status()["state"] == "inside"
    c = ["co-CoA>i-HA udp any>434 rrq", *under("co-CoA>i-HA udp any>434 data")]
    on.check("air", *c, one_way=["co-CoA>x-HA udp any>434 rrq"])
    on.check("agent", *(line.replace("co-CoA", "NAT") for line in c), *USER_DATA)
    on.check("inner")


def test_all_three_nat_traversals_at_once(office, wires, correspondent, capture):
    """3b with every NAT traversal; moreover a NAT between x-HA and gateway."""
    office.nat_before_the_gateway()
    office.nat_in_the_gateway()
    on = wires("192.168.44.10")
    gateway = capture(office.gateway, "eth0")
    office.power_on("hotel")
    talk(office, correspondent)
    on.check("air", "co-CoA>x-HA udp any>434 rrq",
             *under("co-CoA>x-HA udp any>434 data", IPSEC),
             one_way=["co-CoA>i-HA udp any>434 rrq"])
    seen = layers.stacks(gateway.packets(), on.names | {"198.51.100.30": "NAT"})
    assert seen == set().union(*(layers.both_ways(line.replace("x-HoA", "NAT"))
                                 for line in IPSEC))
    check_a_gateway_that_masquerades(on, office)
