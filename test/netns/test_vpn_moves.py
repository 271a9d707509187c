# SPDX-License-Identifier: BSD-2-Clause
"""
One session from the desk to the hotel and back (RFC 5265 §3): a TCP transfer and a ping that go on,
an IPsec that never notices, and not one octet of it in the clear. Run with -s to see the gaps.
"""

import pytest

from fixtures import layers, strongswan
from fixtures import mobileip as mip
from fixtures.deployment import recipe
from fixtures.traffic import MARK, Gap, Pings, Transfer
from fixtures.wait import until

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not strongswan.available(), reason="no strongSwan (charon) here"),
]


@pytest.fixture
def session(request, workdir, things):
    """session(): what the user does from now on, over i-HoA."""

    def make(place=None):
        office = place or request.getfixturevalue("office")
        things.append(Pings(office, workdir))
        until(lambda: len(things[-1].answers()) > 20, "pings are answered")
        pings = things[-1]
        things.append(Transfer(office))
        transfer = things[-1].start()
        transfer.progresses()
        return pings, transfer

    return make


class Untrusted:
    """Captures of every link that is not the company's own, and of the laptop's cable."""

    LINKS = {"hotel": "wan0", "cafe": "wan0", "fw": "wan0", "xha": "eth0"}

    def __init__(self, office, capture):
        self._ends = [mip.address(office.home), mip.address(office.server_address)]
        self._captures = {host: capture(getattr(office, host), interface)
                          for host, interface in self.LINKS.items()}
        self.cable = capture(office.wires, "laptop0")

    def _has_user_data(self, frame):
        a, b = self._ends
        return MARK[:16] in frame or a + b in frame or b + a in frame

    def user_data(self):
        """{where: frames}, of those where there are any."""
        found = {name: c.such(self._has_user_data) for name, c in self._captures.items()}
        return {name: frames for name, frames in found.items() if frames}

    def on_the_cable(self):
        return self.cable.such(self._has_user_data)

    def packets(self, name):
        return self._captures[name].packets()


@pytest.fixture
def untrusted(office, capture):
    return Untrusted(office, capture)


def registration_ms(office, agent):
    """The latest round trip with that agent, by the mobile node's clock."""
    return [e["rtt-ms"] for e in office.mn.history()
            if e["event"] == "reply" and e["agent"] == agent][-1]


def carry(office, pings, transfer, place, agent):
    """The cable comes out, and goes in there; user data has to arrive again."""
    gap = Gap(pings)
    origin = office.laptop.address
    office.laptop.move(place)
    office.wait_working()
    gap.measure()
    transfer.progresses()
    rtt = registration_ms(office, agent)
    print(f"\n  {origin:>15} -> {office.laptop.address:15} gap {gap.ms:7.1f} ms, "
          f"{gap.lost:3} pings lost; registration with the {agent} agent {rtt:.1f} ms", end="")
    return gap


def test_a_session_survives_every_kind_of_move(office, session, untrusted):
    office.power_on("desk")
    pings, transfer = session()
    carry(office, pings, transfer, "floor2", "internal")
    assert office.mn.status()["state"] == "inside"

    carry(office, pings, transfer, "hotel", "external")
    assert office.mn.status()["state"] == "outside"
    assert office.ihad.binding(office.home)["care-of-address"] == "10.8.0.1"
    spis = office.client.spis()

    carry(office, pings, transfer, "cafe", "external")      # another NAT
    carry(office, pings, transfer, "street", "external")    # none
    carry(office, pings, transfer, "hotel", "external")
    assert office.client.spis() == spis

    carry(office, pings, transfer, "desk", "internal")
    assert office.mn.status()["state"] == "inside"
    assert office.ihad.binding(office.home)["care-of-address"] == office.laptop.address
    until(lambda: office.client.sas() == [], "IPsec is down")
    transfer.finish()
    assert untrusted.user_data() == {}


def test_a_move_outside_leaves_the_security_associations_as_they_were(office, session, untrusted):
    """RFC 4093 guideline 5.6: same SPIs, and not one IKE message."""
    office.power_on("hotel", detection_ms=15000)
    pings, transfer = session()
    client, gateway = office.client.spis(), office.vpn.spis()
    established = office.client.sa()["established"]
    binding = office.ihad.binding(office.home)
    seen = len(untrusted.packets("xha"))
    carry(office, pings, transfer, "cafe", "external")
    # User data flows as soon as xhad has answered; it does not wait for the detection period.
    assert office.mn.status()["state"] == "tentative-outside"
    assert office.client.spis() == client and office.vpn.spis() == gateway
    assert int(office.client.sa()["established"]) >= int(established)
    after = [layers.stack(p, {}) for p in untrusted.packets("xha")[seen:]]
    assert after and not [s for s in after if "ike" in s]
    # ihad has not noticed either: the same care-of address, and the binding that was there.
    now = office.ihad.binding(office.home)
    assert {k: now[k] for k in ("care-of-address", "source-address", "source-port")} == \
        {k: binding[k] for k in ("care-of-address", "source-address", "source-port")}
    transfer.finish()


def test_nothing_in_the_clear_outside_and_the_search_does_find(office, session, untrusted):
    office.power_on("desk")
    pings, transfer = session()
    assert untrusted.on_the_cable()         # inside it may, and the search does find it
    for place in ("hotel", "cafe", "street"):
        office.laptop.unplug()
        untrusted.cable.clear()
        office.laptop.plug(place)
        office.wait_working()
        pings.wait()
        transfer.progresses()
        assert untrusted.cable.frames() and untrusted.on_the_cable() == []
    office.laptop.unplug()
    assert untrusted.on_the_cable() == []
    office.laptop.plug("desk")
    office.wait_working()
    transfer.progresses()
    assert untrusted.user_data() == {}
    assert all(untrusted.packets(name) for name in untrusted.LINKS)
    transfer.finish()


def test_mobike_carries_the_session_without_an_external_home_agent(office, session, untrusted):
    """
    RFC 5266 §3.4: the gateway is told of each move outside; ihad notices none of them. The IKE SA
    stays. strongSwan's user-space ESP replaces its SA on such a move, so ESP's SPIs do not.
    """
    office.power_on_mobike("desk")
    pings, transfer = session()
    assert office.mn.status()["state"] == "inside"
    carry(office, pings, transfer, "hotel", "vpn")
    assert office.mn.status()["state"] == "outside"
    spis, binding = office.client.ike_spis(), office.ihad.binding(office.home)
    for place, outer in (("cafe", office.nats["cafe"]), ("street", "203.0.115.10")):
        carry(office, pings, transfer, place, "vpn")
        assert office.client.ike_spis() == spis
        assert office.vpn.sa()["remote-host"] == outer
        now = office.ihad.binding(office.home)
        assert now["care-of-address"] == binding["care-of-address"]
    carry(office, pings, transfer, "desk", "internal")
    assert office.mn.status()["state"] == "inside"
    transfer.finish()
    assert untrusted.user_data() == {}


def home_conf(workdir):
    """The recipe's ihad with a physical home link."""
    with open(recipe("ihad.yaml"), encoding="utf-8") as f:
        text = f.read()
    path = f"{workdir}/home.yaml"
    with open(path, "w", encoding="utf-8") as out:
        out.write(text.replace("  - prefix: 10.50.0.0/16", "  - interface: lan0\n"
                               "    prefix: 10.50.0.0/16")
                  .replace("trusted-networks:", "trusted-networks:\n  - 10.50.0.0/16", 1))
    return path


def test_mode_h_from_the_home_link_to_the_hotel_and_back(deploy, workdir, capture, session):
    """RFC 5266, draft -02 §3.1.1: at home deregistered and untunnelled; away by MOBIKE."""
    office = deploy()
    office.home_link()
    office.start_agents(ihad_conf=home_conf(workdir))
    office.start_gateway()
    air = capture(office.wires, "laptop0")
    office.power_on_mobike("home", home_router="10.50.0.1")
    pings, transfer = session(office)
    status = office.mn.status()
    assert status["at-home"] and status["state"] == "inside"
    assert mip.parse_reply(office.mn.last_reply("internal")).find(mip.EXT_TNC)
    assert office.ihad.bindings() == [] and office.client.sa() is None
    names = {office.home: "i-HoA", office.server_address: "CN", office.internal_agent: "i-HA"}
    assert {s for s in layers.stacks(air.packets(), names) if "i-HoA" in s} == set().union(*map(
        layers.both_ways, ("i-HoA>CN ping", "i-HoA>CN tcp", "i-HoA>i-HA udp any>434 rrq")))

    office.laptop.unplug()
    air.clear()
    office.laptop.plug("hotel")
    office.wait_working()
    pings.wait()
    transfer.progresses()
    assert office.mn.status()["state"] == "outside"
    assert office.ihad.binding(office.home)["care-of-address"] == "10.8.0.1"
    assert air.such(lambda f: MARK[:16] in f) == []

    carry(office, pings, transfer, "home", "internal")
    assert office.mn.status()["at-home"] and office.ihad.bindings() == []
    transfer.finish()
