# SPDX-License-Identifier: BSD-2-Clause
"""
One session from the desk to the hotel (RFC 5265, RFC 5266): both home agents, a strongSwan gateway
and the laptop's full stack, on the deployment that etc/deployment describes.
"""

import pytest

from fixtures import strongswan

pytestmark = pytest.mark.skipif(not strongswan.available(), reason="no strongSwan (charon) here")


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
