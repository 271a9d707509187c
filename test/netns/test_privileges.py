# SPDX-License-Identifier: BSD-2-Clause
"""What a daemon that was started as root may still do, as the kernel sees it; and that it suffices."""

import grp
import json
import os
import pwd
import stat

import pytest

from fixtures.namespaces import run
from fixtures.wait import until

NETWORK = {10, 12, 13}                      # CAP_NET_BIND_SERVICE, _NET_ADMIN, _NET_RAW
BPF = {38, 39}                              # CAP_PERFMON, CAP_BPF


def threads(pid):
    """The status of each thread: a thread has capabilities and a filter of its own."""
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/status", encoding="utf-8") as f:
            yield dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def caps(status, kind):
    value = int(status[f"Cap{kind}"], 16)
    return {bit for bit in range(64) if value >> bit & 1}


def interfaces(host):
    return [link["ifname"] for link in json.loads(host.ip_show("-j", "link"))]


def remains(daemon, allowed, uid=0):
    for status in threads(daemon.process.pid):
        assert caps(status, "Eff") == caps(status, "Prm") == allowed, status["Name"]
        for kind in ("Inh", "Bnd", "Amb"):
            assert caps(status, kind) == set(), kind
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"
        assert set(status["Uid"].split()) == {str(uid)}


def with_tun_for_all(argv, workdir):
    """udev gives /dev/net/tun mode 0666; where there is none, as in containers, it may be root's."""
    device = f"{workdir}/tun"
    os.mknod(device, 0o600 | stat.S_IFCHR, os.makedev(10, 200))
    os.chmod(device, 0o666)
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /dev/net/tun && exec "$@"',
            device, *argv]


@pytest.fixture
def as_nobody(campus, run_daemon, workdir):
    """ihad, started as root, told to become nobody, with a configuration that nobody may read."""
    os.chmod(workdir, 0o711)
    campus.ihad_conf["privileges"] = {"user": "nobody"}
    campus.ihad_conf["control"] = {"socket": f"{workdir}/run/ihad.sock", "group": "daemon"}
    campus.ihad_conf["state"] = {"directory": f"{workdir}/lib/ihad"}
    daemon = run_daemon(campus.ha, "ihad", campus.ihad_conf, start=False)
    os.chown(daemon.config_path, 0, pwd.getpwnam("nobody").pw_gid)
    os.chmod(daemon.config_path, 0o640)
    daemon.argv = with_tun_for_all(daemon.argv, workdir)
    return daemon


def test_of_root_three_capabilities_and_the_listed_calls_remain(campus, run_daemon):
    campus.ihad_conf.setdefault("tunnel", {})["data-path"] = "tun"
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    remains(ihad, NETWORK)
    kept = ihad.events("privileges")[0]
    assert kept["capabilities"] == "net_bind_service,net_admin,net_raw"
    assert kept["user"] == "root" and kept["no-new-privileges"] == "yes"
    assert ihad.events("system-calls-filtered")[0]["bpf"] == "no"
    assert len(ihad.events("privileges-root")) == 1


def test_filter_can_be_left_out(campus, run_daemon):
    campus.ihad_conf["privileges"] = {"user": "root", "system-call-filter": False}
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    assert {status["Seccomp"] for status in threads(ihad.process.pid)} == {"0"}
    assert not ihad.events("system-calls-filtered")


def test_user_that_it_becomes_suffices_from_start_to_end(campus, as_nobody, desk, correspondent):
    links = interfaces(campus.ha)
    as_nobody.start()
    remains(as_nobody, NETWORK | (BPF if "perfmon" in as_nobody.events("privileges")[0][
        "capabilities"] else set()), pwd.getpwnam("nobody").pw_uid)
    assert not as_nobody.events("reload-unreadable") and not as_nobody.events("privileges-root")
    socket = os.stat(as_nobody.socket)
    assert stat.S_IMODE(socket.st_mode) == 0o660
    assert socket.st_uid == pwd.getpwnam("nobody").pw_uid
    assert socket.st_gid == grp.getgrnam("daemon").gr_gid
    assert stat.S_IMODE(os.stat(as_nobody.conf["state"]["directory"]).st_mode) == 0o700

    server = correspondent(campus.server, campus.server_address)
    desk.register()
    desk.listen_ipip()
    server.send(b"to the node", (campus.home, 7000))
    assert desk.receive_ipip()[1].data == b"to the node"

    campus.ihad_conf["log"] = {"level": "debug"}
    as_nobody.write_config(campus.ihad_conf | {"snmp": {"enabled": False}})
    os.chmod(as_nobody.config_path, 0o640)
    as_nobody.reload()
    assert as_nobody.events("reloaded") and len(as_nobody.bindings()) == 1

    campus.ha.ip("link del ihad0")          # it can lay down again what it laid down
    until(lambda: as_nobody.events("data-path-repaired"), "the device is back")
    server.send(b"again", (campus.home, 7000))
    assert desk.receive_ipip()[1].data == b"again"
    as_nobody.stop()
    assert interfaces(campus.ha) == links
    assert not os.path.exists(as_nobody.socket)


def test_state_of_a_life_as_root_is_refused_with_the_line_that_gives_it_away(as_nobody, workdir):
    state = as_nobody.conf["state"]["directory"]
    os.makedirs(state, mode=0o700)
    os.chmod(f"{workdir}/lib", 0o755)
    as_nobody.start(wait=False)
    assert as_nobody.wait_exit() == 3, as_nobody.log()
    (refused,) = as_nobody.events("start-failed")
    assert refused["directory"] == state and refused["remedy"] == f'"chown -R nobody: {state}"'
    run(refused["remedy"].strip('"').split())
    as_nobody.start()


def test_tun_device_that_is_roots_is_refused_with_its_remedy(as_nobody, workdir):
    os.chmod(f"{workdir}/tun", 0o600)
    as_nobody.start(wait=False)
    assert as_nobody.wait_exit() == 3, as_nobody.log()
    assert as_nobody.events("data-path-refused")[0]["remedy"].startswith(
        '"chmod 0666 /dev/net/tun')


@pytest.mark.parametrize("tier", ["tc", "xdp"])
def test_bpf_file_system_that_only_root_may_enter_does_for_the_fast_path(
        net, campus, as_nobody, desk, correspondent, workdir, tier):
    """As systemd mounts /sys/fs/bpf; a daemon after it takes over what it left there."""
    net.prepare_for_bpf()
    bpffs = os.path.join(workdir, "bpf")
    os.chmod(bpffs, 0o700)
    as_nobody.conf["tunnel"] |= {"data-path": tier, "bpffs": f"{bpffs}/ihad"}
    as_nobody.write_config(as_nobody.conf)
    os.chmod(as_nobody.config_path, 0o640)
    as_nobody.start()
    remains(as_nobody, NETWORK | BPF, pwd.getpwnam("nobody").pw_uid)
    assert as_nobody.status()["data-path"] == tier, as_nobody.log()
    server = correspondent(campus.server, campus.server_address)
    desk.register()
    desk.listen_ipip()

    def reached(text):
        server.send(text, (campus.home, 7000))
        assert desk.receive_ipip()[1].data == text

    reached(b"neighbours are known from here on")
    before = as_nobody.counter("fast-path-packets")
    reached(b"to the node")
    assert as_nobody.counter("fast-path-packets") > before
    as_nobody.kill()
    reached(b"with nobody there")
    as_nobody.start()
    assert as_nobody.status()["data-path"] == tier
    assert not as_nobody.events("data-path-laid-anew")
    reached(b"of the next one")
    as_nobody.stop()
    os.rmdir(f"{bpffs}/ihad")               # empty; the directory above it is root's


def test_configuration_that_the_user_cannot_read_again_is_told_at_the_start(campus, as_nobody):
    os.chmod(as_nobody.config_path, 0o600)
    as_nobody.start()
    assert as_nobody.events("reload-unreadable")[0]["user"] == "nobody"
    as_nobody.reload()
    assert as_nobody.events("reload-failed")


def test_user_that_does_not_exist_exits_3(campus, run_daemon):
    campus.ihad_conf["privileges"] = {"user": "no-such-user"}
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf, wait=False)
    assert ihad.wait_exit() == 3
    assert "no-such-user" in ihad.log() and "remedy=" in ihad.log()


def test_home_link_works_with_what_remains(campus, as_nobody):
    """ARP and advertisements: raw sockets, opened by whom was dropped to."""
    campus.ihad_conf["home-networks"] = [{"prefix": "10.0.0.0/24", "interface": "eth0"}]
    campus.ihad_conf["mobile-nodes"] = []
    as_nobody.write_config(campus.ihad_conf | {"snmp": {"enabled": False}})
    os.chmod(as_nobody.config_path, 0o640)
    as_nobody.start()
    assert not as_nobody.events("home-link-failed")


def test_a_home_link_that_a_reload_brings_works_with_what_remains(campus, as_nobody):
    """Packet sockets and the settings of a link, once privileges are dropped and calls filtered."""
    campus.ha.ip("link add lan0 type veth peer name lan1", "addr add 10.60.0.1/24 dev lan0",
                 "link set lan0 up", "link set lan1 up")
    campus.ha.sysctl({"net.ipv4.conf.lan0.rp_filter": 1})
    ihad = as_nobody.start()
    ihad.write_config(ihad.conf | {"home-networks": ihad.conf["home-networks"] + [
        {"prefix": "10.60.0.0/24", "interface": "lan0", "advertisement-interval": 1}]})
    os.chmod(ihad.config_path, 0o640)
    assert ihad.hactl("reload", json_output=False) == "configuration reloaded\n"
    ihad.wait_counter("advertisements-sent", 2)
    assert ihad.events("rp-filter-loosened")


def test_snmp_child_keeps_no_capability(campus, run_daemon, workdir):
    campus.ihad_conf["snmp"] = {"enabled": True, "agentx": f"{workdir}/none"}
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    with open(f"/proc/{ihad.process.pid}/task/{ihad.process.pid}/children", encoding="utf-8") as f:
        children = f.read().split()
    if not children:
        pytest.skip("built without SNMP: there is no child")
    for child in children:
        until(lambda pid=child: all(caps(s, "Prm") == set() for s in threads(pid)), "it has dropped all")
        for status in threads(child):
            for kind in ("Eff", "Inh", "Bnd", "Amb"):
                assert caps(status, kind) == set(), kind
            assert status["NoNewPrivs"] == "1"
