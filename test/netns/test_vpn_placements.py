# SPDX-License-Identifier: BSD-2-Clause
"""
Where home agents and VPN gateway may stand (RFC 4093 section 2): in each of the five placements one
session goes from the desk to the hotel and on, and comes back, and IPsec outlives the move outside.
"""

import pytest

from fixtures import strongswan
from fixtures.traffic import MARK, Transfer

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not strongswan.available(), reason="no strongSwan (charon) here"),
]


def ping(host, *arguments):
    host.run(["ping", "-c3", "-i.05", "-W10", *arguments])


@pytest.fixture
def journey(things, capture):
    """journey(office, everywhere): the session; `everywhere()` is called at each stop."""

    def make(office, everywhere=lambda: None):
        things.append(Transfer(office))
        transfer = things[-1].start()

        def stop(state):
            office.wait_working()
            assert office.mn.status()["state"] in state
            transfer.progresses()
            ping(office.server, office.home)
            everywhere()

        stop(["inside"])
        office.laptop.unplug()
        air = capture(office.wires, "laptop0")
        office.laptop.plug("hotel")
        stop(["outside"])
        assert office.ihad.binding(office.home)["care-of-address"].startswith(office.inner_network)
        (sa, spis) = office.client.sa(), office.client.spis()
        assert (sa["local-host"], sa["remote-host"]) == (office.external_home,
                                                         office.gateway_address)
        office.laptop.move("street")
        stop(["tentative-outside", "outside"])
        assert office.client.spis() == spis
        office.laptop.unplug()
        assert air.frames() and air.such(lambda f: MARK[:16] in f) == []
        assert not [p for p in air.packets() if office.home in (p.source, p.destination)]
        office.laptop.plug("desk")
        stop(["inside"])
        transfer.finish()

    return make


def test_2_1_home_agents_behind_the_gateway(office, journey):
    """ihad is unreachable from outside; xhad is what RFC 5265 adds."""
    office.power_on("desk")
    journey(office)


def test_2_2_a_home_agent_on_the_border(deploy, journey):
    """Reached from both sides: xhad answers inside, too, and a node that is inside leaves it."""
    office = deploy()
    inside = "inside:                             # a node in the intranet gets no answer, and so " \
        "need not wait\n  networks: [10.0.0.0/8]\n"
    office.start_agents(xhad_conf=office.variant("xhad.yaml", (inside, "")))
    office.start_gateway()
    office.power_on("desk")
    assert office.xhad.counter("requests-dropped-inside") == 0
    journey(office)
    office.xhad.wait_counter("deregistrations", 1)


def test_2_3_gateway_and_home_agent_on_one_host(deploy, journey):
    """What comes out of xhad's tunnel is for a local address."""
    office = deploy()
    office.external_agent_on_the_gateway()
    office.start_agents()
    office.start_gateway()
    office.power_on("desk")
    journey(office)
    assert office.xhad.counter("drops-filter") == 0


def test_2_4_home_agents_of_an_operator(deploy, journey):
    office = deploy()
    (agent, network, home) = office.operators_external_agent()
    office.start_agents(xhad_conf=office.variant("xhad.yaml", agent, network, home))
    office.start_gateway()
    office.laptop.plug("desk")
    office.start_client(office.variant("laptop.swanctl.conf", home))
    office.switch_on(vici=office.client.socket)
    office.wait_working()
    journey(office)


def test_2_5_all_on_one_host(deploy, journey):
    """xhad, the gateway and ihad side by side; its own processes reach the laptop everywhere."""
    office = deploy()
    office.external_agent_on_the_gateway()
    office.internal_agent_on_the_gateway()
    office.start_agents()
    office.start_gateway()
    office.power_on("desk", route=["10.0.0.0/8"])

    def local_processes():
        ping(office.gateway, office.home)
        ping(office.gateway, "-I", office.internal_agent, office.home)
        ping(office.laptop.host, "-I", office.home, office.internal_agent)

    journey(office, local_processes)
    assert {d.status()["device"] for d in (office.ihad, office.xhad)} == {"ihad0", "xhad0"}
