# SPDX-License-Identifier: BSD-2-Clause
"""What outlives a daemon, and what happens when the disk does not play along."""

import glob
import json
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.namespaces import run
from fixtures.programs import Counting
from fixtures.wait import until

KILLS = int(os.environ.get("HA_KILLS", "20"))


def state_dir(daemon):
    return daemon.conf["state"]["directory"]


def restart(daemon):
    daemon.kill()
    daemon.start()


# --- a restart ---

def test_a_killed_daemon_knows_its_bindings_again(site, correspondent):
    site.node.register(lifetime=600)
    before = site.agent.binding(site.home)
    restart(site.agent)
    after = site.agent.binding(site.home)
    assert after["remaining"] <= before["remaining"]
    del before["remaining"], after["remaining"]
    assert after == before


def test_packets_flow_after_a_kill_without_another_registration(campus, ihad, desk, correspondent):
    server = correspondent(campus.server, campus.server_address)
    desk.register()
    restart(ihad)
    desk.listen_ipip()
    server.send(b"still here", (campus.home, 7000))
    assert desk.receive_ipip()[1].data == b"still here"
    desk.send_ipip(mip.udp_packet(campus.home, 7000, campus.server_address, 7000, b"and back"))
    assert server.receive()[0] == b"and back"


def test_a_request_from_before_the_kill_is_a_replay(site):
    requests = []
    for _ in range(3):
        requests.append(site.node.build())
        site.node.send(requests[-1])
        assert site.node.reply(requests[-1]).code == 0
    restart(site.agent)
    for request in requests:
        site.node.send(request)
        assert site.node.reply(request).code == 133
    site.node.register()


def test_a_timestamp_newer_than_the_last_is_fresh_although_older_than_the_start(campus, ihad, desk):
    """Without a store it would be a replay: nothing tells it from one."""
    ident = mip.timestamp()
    desk.register(ident=ident)
    restart(ihad)
    desk.register(ident=ident + 1)


def test_a_node_never_seen_may_be_behind_the_start(campus, ihad, peer):
    ident = mip.timestamp()
    restart(ihad)
    other = peer(campus.desk, campus.desk_address, campus.other_home, campus.agent,
                 sa=topology.OTHER_SA)
    other.register(ident=ident)


def test_a_nonce_outlives_the_kill(campus, ihad, peer):
    node = peer(campus.desk, campus.desk_address, "10.50.0.9", campus.agent, sa=topology.NONCE_SA)
    reply = node.ask()
    assert reply.code == 133
    reply = node.register(ident=reply.ident & ~0xffffffff | 1)
    restart(ihad)
    again = node.ask(ident=reply.ident & ~0xffffffff | 2)
    assert again.code == 0
    assert node.ask(ident=reply.ident & ~0xffffffff | 3).code == 133    # that nonce is used up


def test_a_dynamic_address_is_the_nodes_own_after_a_kill(campus, ihad, peer):
    node = peer(campus.desk, campus.desk_address, "0.0.0.0", campus.agent, sa=topology.OTHER_SA)
    nai = mip.nai("bob@corp.example")
    first = node.register(extensions=nai)
    restart(ihad)
    assert ihad.binding(first.home)["nai"] == "bob@corp.example"
    assert node.register(extensions=nai).home == first.home


def test_simultaneous_bindings_all_come_back_in_their_order(campus, ihad, desk):
    flags = mip.S | mip.D | mip.T
    for care_of in ("10.1.0.10", "10.1.0.11", "10.1.0.12"):
        desk.register(flags=flags, care_of=care_of)
    before = [b["care-of-address"] for b in ihad.bindings()]
    restart(ihad)
    assert [b["care-of-address"] for b in ihad.bindings()] == before
    assert len(before) == 3


def test_a_udp_tunnel_behind_a_nat_goes_on_after_a_kill(internet, xhad, peer):
    node = peer(internet.laptop, internet.laptop_address, internet.home, internet.agent)
    node.register(extensions=mip.udp_tunnel_request())
    before = xhad.binding(internet.home)
    assert before["encapsulation"] == "udp"
    restart(xhad)
    after = xhad.binding(internet.home)
    assert (after["encapsulation"], after["source-port"]) == ("udp", before["source-port"])


def test_what_ended_stays_ended(campus, ihad, desk, peer):
    desk.register()
    desk.deregister()
    other = peer(campus.desk, campus.desk_address, campus.other_home, campus.agent,
                 sa=topology.OTHER_SA)
    other.register()
    ihad.hactl("clear", "binding", campus.other_home)
    restart(ihad)
    assert ihad.bindings() == []


def test_what_expired_meanwhile_is_not_brought_back(campus, ihad, desk):
    desk.register(lifetime=1)
    began = time.monotonic()
    ihad.kill()
    until(lambda: time.monotonic() - began > 1.2, "its lifetime is over")
    ihad.start()
    assert ihad.bindings() == []
    assert "expired=1" in ihad.log()


def test_a_node_removed_while_the_daemon_was_down_has_no_binding(campus, ihad, desk):
    desk.register()
    ihad.kill()
    nodes = campus.ihad_conf["mobile-nodes"]
    ihad.conf["mobile-nodes"] = nodes[1:]
    ihad.write_config(ihad.conf)
    ihad.start()
    assert ihad.bindings() == []
    ihad.kill()
    ihad.conf["mobile-nodes"] = nodes       # nor when it comes back
    ihad.write_config(ihad.conf)
    ihad.start()
    assert ihad.bindings() == []


def test_a_network_untrusted_while_the_daemon_was_down_has_no_binding(campus, ihad, desk):
    desk.register()
    ihad.kill()
    ihad.conf["trusted-networks"] = ["10.2.0.0/16"]
    ihad.write_config(ihad.conf)
    ihad.start()
    assert ihad.bindings() == []
    assert "refused=1" in ihad.log()


def test_without_a_directory_nothing_is_remembered(campus, run_daemon, desk):
    campus.ihad_conf["state"] = {"directory": "none"}
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    assert ihad.status()["state"] == "none"
    ident = mip.timestamp()
    desk.register()
    restart(ihad)
    assert ihad.bindings() == []
    assert desk.ask(ident=ident).code == 133


# --- who may not use it ---

def refused(daemon, *words):
    daemon.start(wait=False)
    assert daemon.wait_exit() == 3, daemon.log()
    line = [line for line in daemon.log().splitlines() if ": error: " in line][-1]
    for word in words:
        assert word in line, line


def test_state_of_another_daemon_is_refused(campus, ihad, run_daemon):
    ihad.stop()
    conf = dict(campus.ihad_conf)
    del conf["trusted-networks"]
    conf["state"] = {"directory": state_dir(ihad)}
    refused(run_daemon(campus.ha, "xhad", conf, start=False), "that of ihad", "state.directory")


def test_a_home_agent_that_has_moved_keeps_replay_protection_and_no_binding(campus, ihad, desk):
    """Its bindings were tunnels from the old address; they are over, and stay so when it is back."""
    ident = desk.register().ident
    ihad.stop()
    campus.ha.ip("addr add 10.0.0.3/24 dev eth0")
    for address in ("10.0.0.3", "10.0.0.2"):
        ihad.conf["home-agent"] = {"address": address}
        ihad.write_config(ihad.conf)
        ihad.start()
        assert ihad.bindings() == []
        assert ihad.wait_event("state-moved")
        assert address == "10.0.0.3" or desk.ask(ident=ident).code == 133
        ihad.stop()


def test_two_daemons_do_not_share_a_directory(campus, ihad, run_daemon):
    campus.ha.ip("addr add 10.0.0.3/24 dev eth0")
    conf = {"home-agent": {"address": "10.0.0.3"}, "home-networks": [{"prefix": "172.31.0.0/16"}],
            "state": {"directory": state_dir(ihad)}}
    refused(run_daemon(campus.ha, "xhad", conf, start=False), "another daemon has it open")


@pytest.mark.parametrize("cut", [0, 4096, 10000])
def test_a_database_cut_short_is_refused_and_left_alone(campus, ihad, desk, cut):
    desk.register()
    ihad.stop()
    path = os.path.join(state_dir(ihad), "state.mdb")
    with open(path, "rb") as f:
        whole = f.read()
    os.truncate(path, min(cut, len(whole) - 1))
    for _ in range(2):
        refused(ihad, "state.mdb", "backup")
    with open(path, "wb") as f:
        f.write(whole)
    ihad.start()
    assert ihad.binding(campus.home)


def last_segment(ihad):
    return sorted(glob.glob(os.path.join(state_dir(ihad), "journal.0*")))[-1]


@pytest.mark.parametrize("end", ["kill", "stop"])
@pytest.mark.parametrize("rest", [0.5, 0, None])
def test_a_journal_cut_short_is_refused_and_no_request_is_accepted_twice(ihad, desk, end, rest):
    request = desk.build()
    desk.send(request)
    assert desk.reply(request).code == 0
    getattr(ihad, end)()
    path = last_segment(ihad)
    with open(path, "rb") as f:
        whole = f.read()
    if rest is None:
        os.unlink(path)
    else:
        os.truncate(path, int(len(whole) * rest))
    for _ in range(2):
        refused(ihad, "journal", "backup")
    with open(path, "wb") as f:
        f.write(whole)
    ihad.start()
    desk.send(request)
    assert desk.reply(request).code == 133


def test_nobody_is_answered_once_the_directory_is_gone(ihad, desk):
    desk.register()
    shutil.rmtree(state_dir(ihad))

    def withheld():
        desk.send(desk.build(lifetime=60))
        return ihad.counter("replies-withheld") > 0

    until(withheld, "a sync has failed")
    assert ihad.status()["state"] == "failing"
    assert ihad.log().count("event=state-failed") == 1


@pytest.mark.parametrize("name", ["", "state.mdb"])
def test_nobody_is_answered_once_other_hands_have_moved_what_is_written_to(ihad, desk, name):
    desk.register()
    path = os.path.join(state_dir(ihad), name).rstrip("/")
    os.rename(path, path + ".aside")
    assert "taken away" in ihad.wait_event("state-failing")[-1]["error"]
    desk.send(desk.build(lifetime=60))
    ihad.wait_counter("replies-withheld", 1)
    os.rename(path + ".aside", path)
    ihad.wait_event("state-kept")
    desk.register()


def test_a_database_that_is_damaged_while_it_is_in_use_is_told(ihad, desk):
    """By the first merge, although nobody is kept waiting by it."""
    ihad.conf["state"] = {"directory": state_dir(ihad), "journal-size": 1}
    ihad.write_config(ihad.conf)
    ihad.stop()
    ihad.start()
    path = os.path.join(state_dir(ihad), "state.mdb")
    with open(path, "rb+") as f:
        f.write(b"\x5a" * os.path.getsize(path))
    segment = last_segment(ihad)
    while last_segment(ihad) == segment:    # until there is one to merge
        for _ in range(200):
            desk.register()
    assert "damaged" in ihad.wait_event("state-failing")[-1]["error"]
    assert ihad.status()["state"] == "failing"


def test_a_database_cut_short_while_it_is_in_use_ends_the_daemon_with_a_reason(ihad, desk):
    desk.register()
    os.truncate(os.path.join(state_dir(ihad), "state.mdb"), 0)
    ihad.hactl("state", "check", check=False)
    assert ihad.process.wait(30) == -signal.SIGBUS
    assert "event=state-lost" in ihad.log()
    refused(ihad, "state.mdb is empty", "backup")


def test_a_damaged_journal_is_refused_and_left_alone(campus, ihad, desk):
    desk.register()
    until(lambda: ihad.status()["state-unsynced-octets"] == 0, "the disk has it")
    desk.register()
    ihad.kill()
    path = last_segment(ihad)
    with open(path, "rb+") as f:
        f.seek(80)
        octet = f.read(1)
        f.seek(80)
        f.write(bytes([octet[0] ^ 1]))
    refused(ihad, os.path.basename(path), "damaged", "backup")
    with open(path, "rb+") as f:
        f.seek(80)
        f.write(octet)
    ihad.start()
    assert ihad.binding(campus.home)


def test_a_directory_on_a_read_only_disk_exits_3(campus, run_daemon, workdir, things):
    mount = Mount(os.path.join(workdir, "disk"), "size=1m,ro")
    things.append(mount)
    campus.ihad_conf["state"] = {"directory": os.path.join(mount.path, "ihad")}
    refused(run_daemon(campus.ha, "ihad", campus.ihad_conf, start=False), "state.directory",
            "Read-only")


class Mount:
    """A small disk of its own."""

    def __init__(self, path, options):
        self.path = path
        os.mkdir(path)
        run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path])

    def close(self):
        run(["umount", self.path])


def test_on_a_full_disk_nobody_is_answered_and_it_goes_on_when_there_is_room(
        campus, run_daemon, desk, workdir, things):
    mount = Mount(os.path.join(workdir, "disk"), "size=1m")
    things.append(mount)
    campus.ihad_conf["state"] = {"directory": os.path.join(mount.path, "ihad")}
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    desk.register(lifetime=600)
    fd = os.open(os.path.join(mount.path, "ballast"), os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(fd, bytes(4096)) > 0:
            pass
    except OSError:
        os.close(fd)

    # What the last block has room for is still answered.
    def withheld():
        desk.send(desk.build(lifetime=60))
        return ihad.counter("replies-withheld") > 0

    until(withheld, "the disk is full")
    assert ihad.status()["state"] == "failing"
    assert "No space left" in ihad.status()["state-error"]
    assert ihad.log().count("event=state-failed") == 1
    os.unlink(os.path.join(mount.path, "ballast"))
    until(lambda: ihad.status()["state"] == "ok", "it is tried again")
    while not desk.heard_nothing():         # replies from when there was room
        desk.socket.recv(65536)
    desk.register(lifetime=300)
    restart(ihad)
    assert ihad.binding(campus.home)["lifetime"] == 300


# --- killed, again and again ---

class Load:
    """Many nodes that register and deregister in bursts; what they were told last."""

    def __init__(self, campus, cnt):
        self.sa = topology.OTHER_SA
        self.agent = campus.agent
        self.sock = campus.desk.socket(2, 2)
        self.sock.bind((campus.desk_address, 0))
        self.sock.setsockopt(1, 8, 4 << 20)         # SO_RCVBUF
        self.homes = [f"10.50.{1 + i // 250}.{1 + i % 250}" for i in range(cnt)]
        self.sent = {}                              # home: [(ident, lifetime)] not answered
        self.told = {home: 0 for home in self.homes}  # home: lifetime of the last answer
        self.ident = {}                             # home: of the last answer

    def conf(self):
        return [topology.node(home, self.sa) for home in self.homes]

    def burst(self, cnt):
        for home in random.sample(self.homes, cnt):
            lifetime = random.choice((0, 500, 600, 700))
            ident = mip.timestamp()
            fixed = mip.request(home, self.agent, "10.1.0.10", lifetime, mip.D | mip.T, ident)
            self.sock.sendto(fixed + self.sa.extension(fixed), (self.agent, mip.PORT))
            self.sent.setdefault(home, []).append((ident, lifetime))

    def hear(self, seconds=0.0):
        """Takes in what was answered."""
        self.sock.settimeout(seconds or 0.0001)
        heard = 0
        while True:
            try:
                reply = mip.parse_reply(self.sock.recv(4096))
            except OSError:
                return heard
            assert reply.code == 0, reply
            for ident, lifetime in self.sent[reply.home]:
                if ident == reply.ident and ident > self.ident.get(reply.home, 0):
                    self.told[reply.home], self.ident[reply.home] = lifetime, ident
                    heard += 1

    def check(self, bindings):
        """Every answer is there; beyond it only what was asked for later, and whole."""
        there = {b["home-address"]: b for b in bindings}
        for home in self.homes:
            possible = {self.told[home]} | {
                lifetime for ident, lifetime in self.sent.get(home, [])
                if ident > self.ident.get(home, 0)}
            lifetime = there[home]["lifetime"] if home in there else 0
            assert lifetime in possible, (home, lifetime, possible)
            if home in there:
                assert there[home]["care-of-address"] == "10.1.0.10"
                assert there[home]["encapsulation"] == "ip-in-ip"

    def settle(self, bindings):
        there = {b["home-address"]: b["lifetime"] for b in bindings}
        self.told = {home: there.get(home, 0) for home in self.homes}
        self.sent = {}


def test_killed_at_random_moments_under_load_it_keeps_what_it_answered(campus, run_daemon, things):
    """HA_KILLS=1000 for the long form."""
    load = Load(campus, 500)
    things.append(load.sock)
    campus.ihad_conf["mobile-nodes"] = load.conf()
    campus.ihad_conf["state"] = {"directory": "/tmp", "journal-size": 1}
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf, start=False)
    ihad.conf["state"] = {"directory": os.path.join(os.path.dirname(ihad.config_path), "st"),
                          "journal-size": 1}
    ihad.write_config(ihad.conf)
    ihad.start()
    heard = 0
    for _ in range(KILLS):
        until_s = time.monotonic() + random.uniform(0.0, 0.25)
        while time.monotonic() < until_s:
            load.burst(25)
            heard += load.hear()
        ihad.kill()
        heard += load.hear(0.05)
        ihad.start()
        bindings = ihad.bindings()
        load.check(bindings)
        load.settle(bindings)
    assert heard > KILLS * 20


# --- house moving ---

def test_an_export_brings_everything_to_another_host(campus, ihad, desk, workdir, bindir):
    desk.register(lifetime=600)
    request = desk.build()
    desk.send(request)
    assert desk.reply(request).code == 0
    lines = ihad.hactl("state", "export", json_output=False)
    assert len(lines.splitlines()) == len(campus.ihad_conf["mobile-nodes"])
    one = [json.loads(line) for line in lines.splitlines()]
    assert [o["bindings"] for o in one if o["home-address"] == campus.home] == [1]
    assert topology.SA.key.hex() not in lines
    ihad.stop()
    ihad.conf["state"] = {"directory": os.path.join(workdir, "elsewhere")}
    ihad.write_config(ihad.conf)
    ihad.start()
    assert ihad.bindings() == []
    done = subprocess.run([os.path.join(bindir, "hactl"), "-s", ihad.socket, "state", "import",
                           "-"], input=lines, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:8] == ["bindings", "1", "unchanged", "0", "expired", "0",
                                       "refused", "0"]
    assert "event=state-imported " in ihad.log() and " bindings=1 unchanged=0 " in ihad.log()
    line = [x for x in lines.splitlines() if json.loads(x)["home-address"] == campus.home][0]
    assert ihad.hactl("state", "import", line) \
        == {"bindings": 0, "unchanged": 1, "expired": 0, "refused": 0}
    assert ihad.binding(campus.home)["lifetime"] == 600
    desk.send(request)
    assert desk.reply(request).code == 133
    restart(ihad)
    assert ihad.binding(campus.home)["lifetime"] == 600


def test_an_import_never_overwrites_what_is_newer(campus, ihad, desk, bindir):
    desk.register(lifetime=600)
    lines = ihad.hactl("state", "export", json_output=False)
    desk.register(lifetime=300)
    request = desk.build(lifetime=300)
    desk.send(request)
    desk.reply(request)
    results = [ihad.hactl("state", "import", line) for line in lines.splitlines()]
    assert sum(r["refused"] for r in results) == 1 and not any(r["unchanged"] for r in results)
    assert ihad.binding(campus.home)["lifetime"] == 300
    desk.send(request)
    assert desk.reply(request).code == 133


def test_an_import_refuses_what_is_no_export(campus, ihad, desk):
    desk.register()
    line = [x for x in ihad.hactl("state", "export", json_output=False).splitlines()
            if json.loads(x)["home-address"] == campus.home][0]
    for bad in ("x", "{}", line[:-20], line.replace('"record":"01', '"record":"02'),
                line.replace("10.0.0.2", "10.0.0.3")):
        done = ihad.hactl("state", "import", bad, check=False)
        assert done.returncode == 1, done


def niceness(task):
    with open(f"{task}/stat", encoding="ascii") as f:
        return int(f.read().rpartition(")")[2].split()[16])


def test_what_merges_gives_way_and_what_answers_does_not(ihad):
    tasks = f"/proc/{ihad.process.pid}/task"
    answers = niceness(f"{tasks}/{ihad.process.pid}")
    if answers == 19:
        pytest.skip("nothing gives way to a daemon of nice 19")

    def others():
        return sorted(niceness(f"{tasks}/{name}") for name in os.listdir(tasks)
                      if name != str(ihad.process.pid))

    # What syncs, what merges: which says so itself, once it gets a processor.
    until(lambda: others() == [answers, min(answers + 19, 19)], "one of them gives way")


def test_check_counts_what_is_in_the_journal_too(campus, ihad, desk):
    desk.register()
    report = ihad.hactl("state", "check")
    assert report[0]["state"] == "sound"
    assert (report[0]["records"], report[0]["journal-segments"]) == (1, 1)    # not merged yet
    restart(ihad)
    report = ihad.hactl("state", "check")
    assert (report[0]["state"], report[0]["records"]) == ("sound", 1)


# --- reload ---

def test_a_network_no_longer_trusted_loses_its_bindings_at_reload(campus, ihad, desk, peer):
    desk.register()
    ihad.conf["trusted-networks"] = ["10.2.0.0/16"]
    ihad.write_config(ihad.conf)
    ihad.reload()
    assert ihad.bindings() == []
    restart(ihad)
    assert ihad.bindings() == []


def test_a_node_removed_at_reload_has_no_binding_after_a_kill_either(campus, ihad, desk):
    desk.register()
    nodes = campus.ihad_conf["mobile-nodes"]
    ihad.conf["mobile-nodes"] = nodes[1:]
    ihad.write_config(ihad.conf)
    ihad.reload()
    ihad.conf["mobile-nodes"] = nodes
    ihad.write_config(ihad.conf)
    restart(ihad)
    assert ihad.bindings() == []


# --- keys that change ---

def rotate(ihad, seconds):
    until_s = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    ihad.conf["mobile-nodes"][0] |= {"key": NEW_SA.key, "previous-key": topology.SA.key,
                                     "previous-key-until": until_s}
    ihad.write_config(ihad.conf)
    ihad.reload()


NEW_SA = mip.Association(key=bytes(range(40, 56)))


def test_while_a_key_is_rotated_each_node_is_answered_with_the_key_it_has(campus, ihad, desk):
    desk.register()
    rotate(ihad, 3600)
    assert ihad.binding(campus.home)
    request = desk.build(lifetime=200)
    desk.send(request)
    assert desk.reply(request).code == 0                      # signed with the old one
    desk.register(sa=NEW_SA, lifetime=300)
    desk.send(request)                                        # one window for both keys
    assert desk.reply(request).code == 133
    assert ihad.binding(campus.home)["lifetime"] == 300


def test_a_previous_key_is_nobodys_after_its_time(campus, ihad, desk):
    rotate(ihad, -1)
    counting = Counting(ihad)
    desk.send(desk.build())
    ihad.wait_counter("auth-failures", counting.before("auth-failures") + 1)
    assert desk.heard_nothing()
    desk.register(sa=NEW_SA)
