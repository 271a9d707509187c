# SPDX-License-Identifier: BSD-2-Clause
"""
Faults of the system under a daemon that serves. Each: it serves on, or ends with a reason; when the
fault is over it recovers by itself; nothing that it answered is lost. test/faults.md lists them, with
those that are tried elsewhere. HA_WHOLE=1 for the long form.
"""

import json
import os
import re
import resource
import signal
import socket
import subprocess

import pytest

from fixtures import topology
from fixtures.load import Load
from fixtures.programs import Counting
from fixtures.wait import until

WHOLE = os.environ.get("HA_WHOLE") == "1"
STOPPED_S = 60 if WHOLE else 3
INTERFACES = 1000 if WHOLE else 200
MEMORY = "/sys/fs/cgroup/memory"                # version 1
UNIFIED = "/sys/fs/cgroup"                      # version 2


@pytest.fixture
def away(ihad, desk):   # pylint: disable=unused-argument
    desk.register()
    desk.listen_ipip()
    return desk


def carries(campus, node, server, text=b"through the tunnel"):
    server.send(text, (campus.home, 7000))
    assert node.receive_ipip()[1].data == text


def is_sanitized(daemon):
    with open(f"/proc/{daemon.process.pid}/maps", encoding="utf-8") as f:
        return "libasan" in f.read()


# --- descriptors and memory ---

def test_a_start_that_gets_no_descriptor_says_so(campus, run_daemon):
    """Wherever it runs out of them; with enough it serves."""
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf, start=False)
    for limit in range(10, 100):
        with campus.ha.popen(["prlimit", f"--nofile={limit}", *ihad.argv], text=True,
                             stderr=subprocess.PIPE) as process:
            said = []
            for line in process.stderr:
                said.append(line)
                if "event=started" in line:
                    process.terminate()
        if process.returncode == 0:
            break
        assert process.returncode == 3, said
        assert [line for line in said if "error: " in line], said
    assert 15 < limit < 99 and process.returncode == 0


def test_out_of_descriptors_what_is_inside_stays_so(internet, run_daemon, peer):
    inside = {"interfaces": ["dmz1"]}
    xhad = run_daemon(internet.xha, "xhad", internet.xhad_conf | {"inside": inside})
    outside = peer(internet.roamer, internet.roamer_address, internet.home, internet.agent)
    node = peer(internet.inside, internet.inside_address, internet.home, internet.agent)
    with xhad.without_descriptors():
        outside.register()
        node.send(node.build())
        assert node.heard_nothing()
        outside.register()
    assert xhad.counter("requests-dropped-inside") == 1
    (event,) = xhad.wait_event("inside-rrq")
    assert event["interface"] == "dmz1"


def test_out_of_descriptors_it_serves_on_and_refuses_what_needs_one(campus, ihad, away, server):
    held = ihad.binding(campus.home)
    with socket.socket(socket.AF_UNIX) as client:
        with ihad.without_descriptors():
            away.register(lifetime=500)
            carries(campus, away, server)
            ihad.process.send_signal(signal.SIGHUP)             # a reload is refused, and says why
            failed = ihad.wait_event("reload-failed")[0]
            assert "error" in failed or "Too many open files" in ihad.log(), failed
            client.connect(ihad.socket)                         # who asks now waits
            client.sendall(b"show status\n")
            away.register(lifetime=400)
        client.settimeout(10)
        assert client.recv(65536)
    assert ihad.binding(campus.home)["lifetime"] == 400
    assert held["home-address"] == campus.home
    ihad.reload()
    carries(campus, away, server, b"and after it")


@pytest.fixture
def many(campus, run_daemon, workdir, bindir, things):
    """ihad with many nodes, none of which has registered; and who registers them."""

    def make(cnt):
        load = Load(bindir, campus.desk, campus.agent, cnt)
        if not load.is_built:
            pytest.skip("the load generator is not built")
        things.append(load)
        campus.router.route("20.0.0.0/8", campus.desk_address)
        campus.ihad_conf |= {
            "home-networks": [*campus.ihad_conf["home-networks"], {"prefix": "10.64.0.0/10"}],
            "trusted-networks": ["10.0.0.0/8", "20.0.0.0/8"],
            "registration": {"max-denials": 0, "max-denials-per-node": 0},
            "mobile-nodes-file": load.write_nodes(os.path.join(workdir, "nodes"))}
        return run_daemon(campus.ha, "ihad", campus.ihad_conf), load

    return make


def test_without_memory_it_refuses_and_goes_on_when_there_is_some(campus, many, desk):
    """RLIMIT_AS, as ulimit -v or LimitAS= set it: each allocation fails, none is killed for."""
    ihad, load = many(9000)
    if is_sanitized(ihad):
        pytest.skip("AddressSanitizer takes all of the address space, and ends where it gets none")
    desk.register()
    pid = ihad.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_AS)
    with open(f"/proc/{pid}/statm", encoding="ascii") as f:
        pages = int(f.read().split()[0])
    resource.prlimit(pid, resource.RLIMIT_AS, (pages * resource.getpagesize(), before[1]))
    load.start()
    load.run("fill")
    assert ihad.counter("denied-130-insufficient-resources") > 0
    desk.register()                                     # what has a binding needs no more memory
    resource.prlimit(pid, resource.RLIMIT_AS, before)
    load.run("fill")
    assert len(ihad.bindings()) == load.nodes + 1


def memory_cgroup(name):
    """(directory, file of the limit), or a skip that says why."""
    for base, limit in ((MEMORY, "memory.limit_in_bytes"), (UNIFIED, "memory.max")):
        path = os.path.join(base, name)
        try:
            os.mkdir(path)
        except OSError:
            continue
        if os.path.exists(os.path.join(path, limit)):
            return path, os.path.join(path, limit)
        os.rmdir(path)
    pytest.skip("no control group with a memory limit can be made here")


class Cgroup:
    """Whoever is in it has no more memory than that."""

    def __init__(self, name):
        self.path, self._limit = memory_cgroup(name)

    def limit(self, octets):
        with open(self._limit, "w", encoding="ascii") as f:
            f.write(str(octets))

    def take(self, pid):
        with open(os.path.join(self.path, "cgroup.procs"), "w", encoding="ascii") as f:
            f.write(str(pid))

    def close(self):
        until(self._gone, "the control group is empty")

    def _gone(self):
        try:
            os.rmdir(self.path)
        except OSError:
            return not os.path.exists(self.path)
        return True


def test_killed_for_memory_in_a_cgroup_it_has_lost_nothing(campus, many, desk, net, things):
    """The kernel gives no warning: what a service manager then starts again knows all."""
    ihad, load = many(2000)
    if is_sanitized(ihad):
        pytest.skip("AddressSanitizer's shadow is not what is to be measured")
    things.insert(0, group := Cgroup(f"{net.prefix}-memory"))
    desk.register(lifetime=500)
    load.start()
    load.run("fill")
    known = {b["home-address"] for b in ihad.bindings()}
    assert len(known) == load.nodes + 1
    group.take(ihad.process.pid)
    group.limit(256 << 10)                              # charged from now on
    ihad.process.send_signal(signal.SIGHUP)
    for _ in range(20):                                 # until it wants a page more
        if ihad.process.poll() is not None:
            break
        load.run("fill")
    code = ihad.process.wait(30) if ihad.process.poll() is None else ihad.process.returncode
    assert code == -signal.SIGKILL, f"ended with {code}:\n{ihad.log()[-2000:]}"
    ihad.start()
    assert {b["home-address"] for b in ihad.bindings()} == known
    desk.register()


# --- the network under it ---

def test_an_interface_that_is_renamed_goes_on_under_its_new_name(campus, ihad, away, server):
    for name in ("lan7", "eth0"):
        old = "eth0" if name == "lan7" else "lan7"
        campus.ha.ip(f"link set {old} down", f"link set {old} name {name}", f"link set {name} up",
                     "route replace default via 10.0.0.1")
        away.register()
        carries(campus, away, server, name.encode())
    stranger = Counting(ihad)
    assert stranger["requests-denied"] == 0


def test_a_tunnel_device_that_is_renamed_is_put_back(campus, ihad, away, server):
    campus.ha.ip("link set ihad0 down", "link set ihad0 name other0")
    ihad.wait_event("data-path-repaired")
    away.register()
    carries(campus, away, server)


def test_a_control_socket_that_was_removed_comes_back(ihad):
    before = os.stat(ihad.socket)
    os.unlink(ihad.socket)
    ihad.wait_event("control-socket-restored")
    after = os.stat(ihad.socket)
    assert (after.st_mode, after.st_uid, after.st_gid) == \
        (before.st_mode, before.st_uid, before.st_gid)
    assert ihad.hactl("show", "status")


def test_changes_that_the_kernel_could_not_tell_are_looked_for(campus, ihad, away, server):
    """ENOBUFS on the netlink socket: the one that mattered was among those that were lost."""
    pid = ihad.process.pid

    def dropped():
        # The sockets of the namespace; its own port identifier is the process's.
        with open(f"/proc/{pid}/net/netlink", encoding="ascii") as f:
            rows = [line.split() for line in f.read().splitlines()[1:]]
        return sum(int(row[8]) for row in rows)

    before = dropped()
    ihad.process.send_signal(signal.SIGSTOP)
    campus.ha.ip(*(f"addr add 127.1.{i // 250}.{i % 250 + 1}/32 dev lo" for i in range(3000)))
    campus.ha.ip("route del 10.50.0.0/16")                      # by now nobody can be told
    assert dropped() > before, "the queue of changes was not full"
    ihad.process.send_signal(signal.SIGCONT)
    ihad.wait_event("data-path-repaired")
    carries(campus, away, server)
    away.register()


def test_a_thousand_interfaces_are_no_burden(campus, run_daemon, desk, server):
    """Half of them there before it starts, half of them made and taken away while it serves."""

    def lines(first, word):
        return [f"link {word} v{i} type veth peer name w{i}" if word == "add" else f"link del v{i}"
                for i in range(first, first + INTERFACES // 4)]

    campus.ha.ip(*lines(0, "add"))
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    desk.register()
    desk.listen_ipip()
    campus.ha.ip(*lines(5000, "add"))
    links = json.loads(campus.ha.ip_show("-j", "link"))
    assert len(links) >= INTERFACES
    desk.register()
    carries(campus, desk, server)
    campus.ha.ip(*lines(5000, "del"))
    desk.register()
    carries(campus, desk, server, b"and fewer again")
    assert ihad.status()["state"] == "ok"


# --- time, and those it talks to ---

def test_stopped_for_a_time_it_answers_what_waited_and_ends_what_expired(campus, ihad, desk, peer,
                                                                        server):
    short = peer(campus.desk, campus.desk_address, campus.other_home, campus.agent,
                 sa=topology.OTHER_SA)
    desk.register()
    desk.listen_ipip()
    short.register(lifetime=2)
    ihad.process.send_signal(signal.SIGSTOP)
    request = desk.build()
    desk.send(request)
    with pytest.raises(subprocess.TimeoutExpired):      # its time stands still, that of others goes on
        ihad.process.wait(STOPPED_S)
    ihad.process.send_signal(signal.SIGCONT)
    reply = desk.reply(request)
    # A request that has waited for longer than the tolerance is as late as any: our clock is told.
    assert reply.code == (133 if WHOLE else 0)
    until(lambda: ihad.binding(campus.other_home) is None, "it has expired")
    desk.register()
    short.register()
    carries(campus, desk, server)


class Journal:
    """systemd's end of the native protocol, in a directory that is mounted where the real one is."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "socket")
        self.socket = None
        self.begin()

    def begin(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o777)
        self.socket.settimeout(10)

    def end(self):
        self.socket.close()
        os.unlink(self.path)

    def close(self):
        self.socket.close()

    def hears(self, event):
        """Reads on until then."""
        while f"HA_EVENT={event}\n".encode() not in self.socket.recv(65536):
            pass
        return True


def test_a_journal_that_stops_stalls_nobody_and_is_written_to_again(campus, run_daemon, desk, peer,
                                                                   workdir, things):
    directory = os.path.join(workdir, "journal")
    os.mkdir(directory)
    things.append(journal := Journal(directory))
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf, start=False)
    # As a unit has it: stderr is the stream that JOURNAL_STREAM names.
    ihad.argv = ["unshare", "--mount", "sh", "-c",
                 "mkdir -p /run/systemd/journal && mount --bind \"$0\" /run/systemd/journal && "
                 "JOURNAL_STREAM=$(stat -Lc %d:%i /dev/stderr) && export JOURNAL_STREAM && "
                 "exec \"$@\"", directory, *ihad.argv]
    ihad.start()
    assert journal.hears("started")
    desk.register()
    assert journal.hears("registered")

    stranger = peer(campus.stranger, campus.stranger_address, campus.home, campus.agent)
    for _ in range(50):                         # nobody reads: its queue is full soon
        stranger.send(b"\1")
        desk.register()
    journal.end()                               # and gone
    desk.deregister()
    desk.register()
    assert ihad.events("registered"), "what the journal does not take, stderr has"
    journal.begin()
    desk.deregister()
    assert journal.hears("deregistered")


def test_the_table_of_faults_and_the_threat_model_name_tests_that_exist():
    """test/faults.md and SECURITY.md; and each test above is in the table."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    named = {}
    for page in ("faults.md", "../SECURITY.md"):
        with open(os.path.join(root, page), encoding="utf-8") as f:
            named[page] = set(re.findall(r"`([\w-]+\.scn|\w+_\w+_\w+)`", f.read()))
    found = subprocess.run(
        ["grep", "-rhoE", r"^def test_\w+|^static void \w+\(void \*\*state\)", root,
         "--include=test_*.py", "--include=test_*.c"], capture_output=True, text=True, check=True)
    there = {re.sub(r"\(.*|^def |^static void ", "", line) for line in found.stdout.splitlines()}
    there |= {f for f in os.listdir(os.path.join(root, "scenario")) if f.endswith(".scn")}
    for page, names in named.items():
        assert len(names) > 15 and names - there == set(), page
    with open(__file__, encoding="utf-8") as f:
        ours = set(re.findall(r"^def (test_\w+)", f.read(), re.MULTILINE))
    assert ours <= named["faults.md"]
