# SPDX-License-Identifier: BSD-2-Clause
"""Starting, ending, dying and starting again; and what the system may refuse."""

import concurrent.futures
import grp
import json
import os
import shutil
import signal
import socket
import stat

import pytest

from fixtures import topology


def footprint(host):
    """All that a daemon could have laid down in the kernel."""
    links = [link["ifname"] for link in json.loads(host.ip_show("-j", "link"))]
    return [links] + [host.ip_show(*what.split()) for what in (
        "-o -4 addr", "route show table all", "rule")]


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_ends_with_0_and_takes_everything_away(campus, run_daemon, desk, sig):
    before = footprint(campus.ha)
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    desk.register()
    assert footprint(campus.ha) != before
    ihad.stop(sig)
    assert footprint(campus.ha) == before
    assert not os.path.exists(ihad.socket)


def test_killed_daemon_leaves_nothing_that_stops_the_next(campus, ihad, desk, correspondent):
    server = correspondent(campus.server, campus.server_address)
    desk.register()
    ihad.kill()
    for _ in range(2):                      # and again, over what the first one left
        ihad.start()
        desk.register()
        desk.listen_ipip()
        server.send(b"still here", (campus.home, 7000))
        assert desk.receive_ipip()[1].data == b"still here"
        ihad.kill()
    ihad.start()


def test_killed_and_restarted_leaves_no_rest_after_a_clean_end(campus, run_daemon, desk):
    before = footprint(campus.ha)
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    desk.register()
    ihad.kill()
    ihad.start()
    ihad.stop()
    assert footprint(campus.ha) == before


def test_no_request_from_before_a_restart_is_accepted_after_it(campus, ihad, desk):
    request = desk.build()
    desk.send(request)
    assert desk.reply(request).code == 0
    desk.deregister()
    ihad.kill()
    ihad.start()
    desk.send(request)
    assert desk.reply(request).code == 133
    assert ihad.bindings() == []


def refused(daemon, *words):
    """It ends with 3 and one line that says what and why."""
    assert daemon.wait_exit() == 3, daemon.log()
    lines = [line for line in daemon.log().splitlines() if ": error: " in line]
    assert len(lines) == 1, daemon.log()
    for word in words:
        assert word in lines[0], lines[0]


def test_second_daemon_on_the_same_address_exits_3(campus, ihad, run_daemon, desk):
    second = run_daemon(campus.ha, "ihad", campus.ihad_conf, wait=False, label="second")
    refused(second, campus.agent, "434", "in use")
    desk.register()                         # the first has not noticed


def test_who_has_the_port_on_every_address_is_told_of(campus, run_daemon):
    with campus.ha.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("0.0.0.0", 434))
        ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf, wait=False)
        refused(ihad, campus.agent, "in use", "on 0.0.0.0")


def test_a_broadcast_address_that_is_taken_stops_nobody(campus, run_daemon, desk):
    with campus.ha.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("255.255.255.255", 434))
        ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
        desk.register()
    assert [e["address"] for e in ihad.events("broadcast-refused")] == ["255.255.255.255"]
    ihad.reload()
    assert len(ihad.events("broadcast-refused")) == 1   # he is gone


def test_xhad_on_the_address_of_ihad_exits_3(campus, ihad, run_daemon, desk):
    second = run_daemon(campus.ha, "xhad", {
        "home-agent": {"address": campus.agent}, "home-networks": [{"prefix": "172.31.0.0/16"}],
    }, wait=False)
    refused(second, campus.agent)
    desk.register()


def test_second_daemon_on_the_same_control_socket_exits_3(campus, ihad, run_daemon, desk):
    campus.ha.ip("addr add 10.0.0.3/24 dev eth0")
    second = run_daemon(campus.ha, "xhad", {
        "home-agent": {"address": "10.0.0.3"}, "home-networks": [{"prefix": "172.31.0.0/16"}],
        "control": {"socket": ihad.socket}}, wait=False)
    refused(second, ihad.socket)
    desk.register()
    assert ihad.bindings()
    assert "xhad0" not in campus.ha.ip_show("link")


def test_what_is_no_socket_at_its_path_is_left_alone_and_exits_3(campus, run_daemon, workdir):
    path = os.path.join(workdir, "a-letter.sock")
    with open(path, "w") as letter:
        letter.write("keep me")
    campus.ihad_conf["control"] = {"socket": path}
    refused(run_daemon(campus.ha, "ihad", campus.ihad_conf, wait=False), path, "move it away")
    with open(path) as letter:
        assert letter.read() == "keep me"


def test_address_that_is_not_ours_exits_3(campus, run_daemon):
    campus.ihad_conf["home-agent"] = {"address": "10.0.0.77"}
    refused(run_daemon(campus.ha, "ihad", campus.ihad_conf, wait=False), "10.0.0.77")


@pytest.mark.parametrize("drop", [
    ["--reuid=nobody", "--regid=nogroup", "--clear-groups"],
    ["--bounding-set=-all", "--inh-caps=-all"],
    ["--bounding-set=-net_admin", "--inh-caps=-net_admin"],
    ["--bounding-set=-net_raw", "--inh-caps=-net_raw"]],
    ids=["nobody", "root-without-capabilities", "no-net-admin", "no-net-raw"])
def test_missing_privilege_exits_3(campus, run_daemon, workdir, bindir, drop):
    os.chmod(workdir, 0o777)
    shutil.copy(os.path.join(bindir, "ihad"), workdir)  # nobody may not reach where it was built
    before = footprint(campus.ha)
    campus.ihad_conf["allow-readable-keys"] = True
    daemon = run_daemon(campus.ha, "ihad", campus.ihad_conf, start=False)
    os.chmod(daemon.config_path, 0o644)
    daemon.argv = ["setpriv", *drop, os.path.join(workdir, "ihad"), "-c", daemon.config_path]
    daemon.start(wait=False)
    refused(daemon)
    assert footprint(campus.ha) == before


def test_socket_directory_is_made_and_the_socket_is_for_the_group_only(campus, run_daemon,
                                                                       workdir):
    path = f"{workdir}/run/home-agent/ihad.sock"
    os.mkdir(f"{workdir}/run")
    campus.ihad_conf["control"] = {"socket": path, "group": "daemon"}
    run_daemon(campus.ha, "ihad", campus.ihad_conf)
    state = os.stat(path)
    assert stat.S_ISSOCK(state.st_mode) and stat.S_IMODE(state.st_mode) == 0o660
    assert state.st_gid == grp.getgrnam("daemon").gr_gid


def test_group_that_does_not_exist_exits_3(campus, run_daemon):
    campus.ihad_conf["control"] = {"socket": "/tmp/none.sock", "group": "no-such-group"}
    refused(run_daemon(campus.ha, "ihad", campus.ihad_conf, wait=False), "no-such-group")


def test_file_in_the_place_of_the_control_socket_is_left_alone(campus, run_daemon, workdir):
    path = f"{workdir}/precious"
    with open(path, "w", encoding="utf-8") as f:
        f.write("data")
    campus.ihad_conf["control"] = {"socket": path}
    refused(run_daemon(campus.ha, "ihad", campus.ihad_conf, wait=False), path)
    with open(path, encoding="utf-8") as f:
        assert f.read() == "data"


def test_reload_adds_and_takes_away_mobile_nodes(campus, ihad, desk, peer):
    desk.register()
    nodes = [n for n in ihad.conf["mobile-nodes"] if n.get("home-address") != campus.home]
    nodes.append(topology.node("10.50.0.99"))
    ihad.write_config(ihad.conf | {"mobile-nodes": nodes})
    ihad.reload()
    peer(campus.desk, campus.desk_address, "10.50.0.99", campus.agent).register()
    desk.send(desk.build())
    ihad.wait_counter("unknown-mobile-nodes", 1)
    assert desk.heard_nothing()


def test_reload_keeps_bindings_and_replay_protection(campus, ihad, desk):
    request = desk.build()
    desk.send(request)
    assert desk.reply(request).code == 0
    before = ihad.binding(campus.home)
    ihad.reload()
    after = ihad.binding(campus.home)
    del before["remaining"], after["remaining"]
    assert before == after
    desk.send(request)
    assert desk.reply(request).code == 133


def test_reload_compares_with_what_runs_not_with_the_last_file(campus, ihad):
    """A change that waits for the next start, and is taken back, waits for nothing."""
    ihad.write_config(ihad.conf | {"home-agent": {"address": "10.0.0.3"},
                                   "tunnel": ihad.conf.get("tunnel", {}) | {"fast-path-nodes": 9}})
    for count in (1, 2):                # it waits still, however often the file is read
        ihad.reload()
        event = ihad.wait_event("restart-needed", count)[-1]
        assert event["keys"] == '"home-agent.address, tunnel.fast-path-nodes"'
    assert ihad.hactl("reload", json_output=False) == (
        "configuration reloaded, and in force; after a restart: home-agent.address, "
        "tunnel.fast-path-nodes\n")
    ihad.write_config(ihad.conf)
    for _ in range(2):                  # each is answered: two signals at once would be one
        ihad.hactl("reload", json_output=False)
    assert len(ihad.wait_event("reloaded", 5)) == 5
    assert len(ihad.events("restart-needed")) == 3
    assert ihad.hactl("reload", json_output=False) == "configuration reloaded\n"


def test_reload_says_that_a_tier_which_could_not_clamp_waits_for_a_restart(campus, run_daemon):
    """It is not opened where it was to lower the MSS, nor by a reload that takes that back."""
    campus.ihad_conf["tunnel"] = {"data-path": "kernel", "mss-clamp": "all"}
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)

    def reload(**tunnel):
        ihad.write_config(ihad.conf | {"tunnel": ihad.conf["tunnel"] | tunnel})
        return ihad.hactl("reload", json_output=False)

    waits = "configuration reloaded, and in force; after a restart: "
    for clamp in ("udp", "off"):
        assert reload(**{"mss-clamp": clamp}) == waits + "tunnel.mss-clamp\n"
    assert reload(**{"data-path": "tun", "mss-clamp": "udp"}) == waits + "tunnel.data-path\n"
    assert reload() == "configuration reloaded\n"



def test_reload_tells_which_bindings_it_ends_and_why(campus, ihad, desk, peer):
    desk.register()
    bob = peer(campus.desk, "10.1.0.11", campus.other_home, campus.agent, sa=topology.OTHER_SA)
    bob.register()
    ihad.write_config(ihad.conf | {"mobile-nodes": [
        n for n in ihad.conf["mobile-nodes"] if n.get("home-address") != campus.home]})
    ihad.reload()
    (ended,) = ihad.wait_event("binding-ended")
    assert (ended["home-address"], ended["care-of"], ended["reason"]) == (
        campus.home, campus.desk_address, "mobile-node-gone")
    ihad.write_config(ihad.conf | {"trusted-networks": ["10.2.0.0/16"]})
    ihad.reload()
    ended = ihad.wait_event("binding-ended", 2)[1]
    assert (ended["home-address"], ended["care-of"], ended["reason"]) == (
        campus.other_home, "10.1.0.11", "source-not-admitted")
    assert [e["ended"] for e in ihad.wait_event("reloaded", 2)] == ["1", "1"]


def many_nodes(conf, directory, cnt):
    """A file that takes some moments to read."""
    path = os.path.join(directory, "mobile-nodes")
    with open(path, "w", encoding="ascii") as f:
        for i in range(cnt):
            f.write(f"10.50.{64 + i // 256}.{i % 256} - 256 hmac-md5 {i:032x}\n")
    os.chmod(path, 0o600)
    return conf | {"mobile-nodes-file": path}


def test_reloads_asked_for_at_once_are_all_answered_and_so_are_nodes(campus, ihad, desk, tmp_path):
    ihad.write_config(many_nodes(ihad.conf, str(tmp_path), 16384))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = [pool.submit(ihad.hactl, "reload", json_output=False) for _ in range(6)]
        desk.register()
        assert all("configuration reloaded" in one.result() for one in asked)
    assert ihad.hactl("show", "status")["mobile-nodes"] == 16384 + len(ihad.conf["mobile-nodes"])
    assert ihad.binding(campus.home)
    # The first was read for one at least; who came meanwhile has had a reading of their own.
    assert 2 <= len(ihad.events("reloaded")) <= 6


def test_reload_of_a_faulty_file_is_refused_to_whoever_asked(campus, ihad, desk):
    desk.register()
    with open(ihad.config_path, "a", encoding="ascii") as f:
        f.write("nonsense: 1\n")
    done = ihad.hactl("reload", check=False)
    assert done.returncode == 1 and "refused" in done.stderr
    assert ihad.binding(campus.home)


def test_ends_in_the_middle_of_a_reload(ihad, tmp_path):
    ihad.write_config(many_nodes(ihad.conf, str(tmp_path), 16384))
    ihad.process.send_signal(signal.SIGHUP)
    ihad.wait_ready("RELOADING=1")
    ihad.process.send_signal(signal.SIGTERM)
    assert ihad.wait_exit() == 0


def test_readiness_comes_when_it_serves(campus, run_daemon, desk):
    """READY=1, and the very next request is answered."""
    run_daemon(campus.ha, "ihad", campus.ihad_conf)
    desk.register()


def test_log_that_nobody_reads_stalls_nobody(campus, run_daemon, desk, peer):
    """stderr is a full pipe, and a stranger makes the daemon write to it."""
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    ihad.stop()
    read_end, ihad.stderr = os.pipe()
    try:
        os.set_blocking(ihad.stderr, False)
        try:
            while True:
                os.write(ihad.stderr, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(ihad.stderr, True)
        ihad.start()
        stranger = peer(campus.stranger, campus.stranger_address, campus.home, campus.agent)
        for _ in range(50):
            stranger.send(b"\1")
        desk.register()
        ihad.stop()
    finally:
        os.close(read_end)
        os.close(ihad.stderr)


def test_shuts_down_under_fire(campus, run_daemon, desk, peer):
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    for _ in range(200):
        desk.send(desk.build())
    ihad.stop()
