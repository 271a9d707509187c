# SPDX-License-Identifier: BSD-2-Clause
"""Other hands on the host: what the daemon laid down is taken away, and it puts it back."""

import os

import pytest


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
    assert ihad.hactl("show", "data-path")["repairs"] == 0
    harm(campus.ha)
    assert ihad.wait_event("data-path-repaired")
    assert ihad.hactl("show", "data-path")["repairs"] >= 1
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


def forwards(host):
    return host.run(["cat", "/proc/sys/net/ipv4/ip_forward"]).stdout.strip()


@pytest.mark.parametrize("kills", [0, 2])
@pytest.mark.parametrize("found", ["0", "1"])
def test_forwarding_is_left_as_it_was_found(campus, run_daemon, found, kills):
    campus.ha.sysctl({"net.ipv4.ip_forward": found})
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    for _ in range(kills):
        ihad.kill()
        ihad.start()
    assert forwards(campus.ha) == "1"
    ihad.stop()
    assert forwards(campus.ha) == found
    assert not os.path.exists(note_of(ihad))


def note_of(daemon):
    return os.path.join(os.path.dirname(daemon.socket), daemon.name + "0.forwarding")


def test_note_of_another_boot_does_not_switch_forwarding_off(campus, run_daemon):
    campus.ha.sysctl({"net.ipv4.ip_forward": "0"})
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    ihad.kill()
    with open(note_of(ihad), "w", encoding="ascii") as note:
        note.write("00000000-0000-4000-8000-000000000000 1\n")
    ihad.start()
    ihad.stop()
    assert forwards(campus.ha) == "1"


def test_forwarding_is_not_kept_where_nothing_forwards(campus, run_daemon):
    campus.ha.sysctl({"net.ipv4.ip_forward": "0"})
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf | {
        "tunnel": {"data-path": "tun", "keep-forwarding": True}})
    ihad.stop()
    assert forwards(campus.ha) == "0"


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
