# SPDX-License-Identifier: BSD-2-Clause
"""Other hands on the host: what the daemon laid down is taken away, and it puts it back."""

import pytest


@pytest.fixture
def server(campus, correspondent):
    return correspondent(campus.server, campus.server_address)


@pytest.fixture
def away(ihad, desk):
    desk.register()
    desk.listen_ipip()
    return desk


def take_route(host):
    host.ip("route del 10.50.0.0/16")


def flush_device(host):
    host.ip("route flush dev ihad0")


def set_device_down(host):
    host.ip("link set ihad0 down")


def set_device_down_and_up(host):
    host.ip("link set ihad0 down", "link set ihad0 up")


def delete_device(host):
    host.ip("link del ihad0")


def take_address_for_a_moment(host):
    host.ip("addr del 10.0.0.2/24 dev eth0", "addr add 10.0.0.2/24 dev eth0",
            "route add default via 10.0.0.1")


@pytest.mark.parametrize("harm", [take_route, flush_device, set_device_down,
                                  set_device_down_and_up, delete_device,
                                  take_address_for_a_moment])
def test_what_is_taken_away_is_put_back_and_said(campus, ihad, away, server, harm):
    harm(campus.ha)
    assert ihad.wait_event("data-path-repaired")
    server.send(b"still here", (campus.home, 7000))
    assert away.receive_ipip()[1].data == b"still here"
    away.register()                        # and a renewal does no harm


def test_what_cannot_be_put_back_yet_is_said_and_comes_back(campus, ihad, away, server):
    campus.ha.ip("addr del 10.0.0.2/24 dev eth0")
    assert ihad.wait_event("data-path-incomplete")
    campus.ha.ip("addr add 10.0.0.2/24 dev eth0", "route add default via 10.0.0.1")
    assert ihad.wait_event("data-path-repaired")
    server.send(b"still here", (campus.home, 7000))
    assert away.receive_ipip()[1].data == b"still here"


@pytest.mark.parametrize("found", ["0", "1"])
def test_forwarding_is_left_as_it_was_found(campus, run_daemon, found):
    def forwards():
        return campus.ha.run(["cat", "/proc/sys/net/ipv4/ip_forward"]).stdout.strip()

    campus.ha.sysctl({"net.ipv4.ip_forward": found})
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    assert forwards() == "1"
    ihad.stop()
    assert forwards() == found


def test_a_reply_that_cannot_leave_is_not_counted_as_sent(campus, ihad, peer):
    node = peer(campus.desk, "10.1.0.11", campus.home, campus.agent)
    campus.ha.ip("route add unreachable 10.1.0.11/32")
    node.send(node.build())
    ihad.wait_counter("reply-send-failures", 1)
    counters = ihad.counters()
    assert (counters["requests-accepted"], counters["replies-sent"],
            counters["replies-with-tnc"]) == (1, 0, 0)
    campus.ha.ip("route del unreachable 10.1.0.11/32")
    node.register()
    assert ihad.counter("replies-sent") == 1
