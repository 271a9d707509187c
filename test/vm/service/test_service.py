# SPDX-License-Identifier: BSD-2-Clause
"""
The packages on a host of their own, under a systemd that is in charge of it: test/vm/systemd boots it
and runs this there. One step follows on the other, from the first installation to the purge: they
are one story, in the order of the file.

The host is the home agents'. A laptop, a server and somebody outside are network namespaces on it.
"""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

CHECK = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, CHECK)

from fixtures import mobileip as mip                # noqa: E402
from fixtures.namespaces import Iproute, Namespace, run  # noqa: E402
from fixtures.peer import EchoServer, Peer          # noqa: E402
from fixtures.programs import MobileNode, to_yaml   # noqa: E402
from fixtures.wait import SLOWNESS, until           # noqa: E402

DAEMONS = ["ihad", "xhad"]
NAMES = ["home-agent-common", "hactl", *DAEMONS]
KEY = "00112233445566778899aabbccddeeff"
OUTER_KEY = "102132435465768798a9bacbdcedfe0f"
EXPOSURE_MAX = 2.0
KEPT = {"net_bind_service": 10, "net_admin": 12, "net_raw": 13, "perfmon": 38, "bpf": 39}

CONF = {
    "ihad": {
        "home-agent": {"address": "10.1.0.2"},
        "home-networks": [{"prefix": "10.50.0.0/16"}],
        "trusted-networks": ["10.0.0.0/8"],
        "mobile-nodes": [{"home-address": "10.50.0.7", "nai": "alice@corp.example", "spi": 256,
                          "key": KEY}],
        "tunnel": {"data-path": "auto", "keep-forwarding": True},
        "snmp": {"enabled": False},
    },
    "xhad": {
        "home-agent": {"address": "203.0.114.2"},
        "home-networks": [{"prefix": "172.31.0.0/16"}],
        "forwarding": {"policy": "ipsec-only", "vpn-gateways": ["10.3.0.100"]},
        "inside": {"networks": ["10.0.0.0/8"]},
        "mobile-nodes": [{"home-address": "172.31.0.7", "spi": 300, "key": OUTER_KEY}],
        "snmp": {"enabled": False},
    },
}


# --- the host ---

def systemctl(*words, check=True):
    return run(["systemctl", *words], check=check, timeout=120)


def unit(name, *properties):
    """{"MainPID": "17", ...}"""
    shown = systemctl("show", f"{name}.service", "-p", ",".join(properties)).stdout
    return dict(line.split("=", 1) for line in shown.splitlines())


def pid_of(name):
    return int(unit(name, "MainPID")["MainPID"])


def journal(name, *matches):
    """Entries of a unit as the journal has them."""
    lines = run(["journalctl", "-o", "json", "-u", name, *matches]).stdout.splitlines()
    return [json.loads(line) for line in lines]


def has_event(name, event):
    return until(lambda: journal(name, f"HA_EVENT={event}"), f"the journal has {event} of {name}")


def hactl(name, *words):
    return json.loads(run(["hactl", "-s", f"/run/home-agent/{name}.sock", "-j", *words]).stdout)


def configure(name, conf):
    """As an operator would: the directory gives it its group, chmod o-rwx is all there is to do."""
    path = f"/etc/home-agent/{name}.yaml"
    with open(path, "w", encoding="utf-8") as f:
        f.write(conf if isinstance(conf, str) else to_yaml(conf))
    run(["chmod", "o-rwx", path])


def running():
    """Names of all processes."""
    names = set()
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path, encoding="utf-8") as f:
                names.add(f.read().strip())
        except OSError:
            pass                            # it has ended
    return names


# Where to look for what a package leaves; the directory that lies under it; what others write there.
PLACES = [
    ("/media/upper", "/media/lower",        # the root, of which the machine keeps changes in memory
     r"/(check|dev|media|mnt|proc|root|run|sys|tmp)$|/var/(cache|log|tmp|lib/(dpkg|systemd|apt))$"),
    ("/run", None, r"/(systemd|udev|log|netns|mount|lock|needrestart)$"),
    ("/sys/fs/bpf", None, r"$^"),
]


def files():
    """Each path that is not as the host came."""
    found = set()
    for top, lower, hidden in PLACES:
        for directory, subdirs, names in os.walk(top):
            here = directory[len(top):]
            subdirs[:] = [d for d in subdirs if not re.match(hidden, f"{here}/{d}")]
            new = [d for d in subdirs if not (lower and os.path.isdir(f"{lower}{here}/{d}"))]
            found |= {f"{'' if lower else top}{here}/{name}" for name in names + new}
    return found


@pytest.fixture(scope="session")
def host(tmp_path_factory):
    """Cables to a laptop at its desk, a server, and somebody outside."""
    h = SimpleNamespace(work=str(tmp_path_factory.mktemp("work")), before=files(), touched=set())
    for name, interface, ours, theirs in (
            ("desk", "desk0", "10.1.0.2/24", "10.1.0.10/24"),
            ("server", "srv0", "10.3.0.2/24", "10.3.0.100/24"),
            ("roamer", "out0", "203.0.114.2/24", "203.0.114.50/24")):
        there = Namespace(name, name, Iproute())
        run(["ip", "link", "add", interface, "type", "veth",
             "peer", "name", "eth0", "netns", name])
        run(["ip", "addr", "add", ours, "dev", interface])
        run(["ip", "link", "set", interface, "up"])
        there.ip(f"addr add {theirs} dev eth0", "link set eth0 up",
                 f"route add default via {ours.split('/')[0]}")
        there.prepare_for_bpf("eth0")
        run(["ethtool", "-K", interface, "gro", "on", "tx", "off"])
        setattr(h, name, there)
    h.node = MobileNode(h.desk, {
        "home-address": "10.50.0.7", "internal-agent": "10.1.0.2", "internal-spi": 256,
        "internal-key": KEY, "interface": "eth0", "route": ["10.3.0.0/24"], "t-monitor": 900,
        "log-level": "info"}, h.work, f"{CHECK}/bin")
    yield h
    h.node.close()


def answers(host, seconds=30):
    """The home address answers the server, through the tunnel."""
    until(lambda: host.server.run(["ping", "-c1", "-W2", "10.50.0.7"], check=False).returncode == 0,
          "a ping to the home address is answered", seconds)


def places():
    return [(b["home-address"], b["care-of-address"], b["lifetime"])
            for b in hactl("ihad", "show", "bindings")]


def brought_back(name):
    """Bindings that the process had when it began: none of a node that registered anew since."""
    matches = ("HA_EVENT=restored", f"_PID={pid_of(name)}")
    return int(until(lambda: journal(name, *matches), f"{name} is back")[0]["HA_BINDINGS"])


class Pinging:
    """Pings to the home address, ten a second (they cost an emulated host); .lost() ends them."""

    def __init__(self, host):
        self._log = f"{host.work}/pings"
        with open(self._log, "w", encoding="ascii") as log:
            self._process = host.server.popen(["ping", "-n", "-i", "0.1", "10.50.0.7"], stdout=log)

    def end(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30 * SLOWNESS)

    def lost(self):
        """(answered, lost), up to the last that was answered: what is on its way is not lost."""
        self.end()
        with open(self._log, encoding="ascii") as log:
            came = {int(n) for n in re.findall(r"icmp_seq=(\d+) ttl", log.read())}
        return len(came), max(came) - len(came)


@pytest.fixture
def ping(host):
    """ping() begins to; it ends with the test at the latest."""
    begun = []

    def begin():
        begun.append(Pinging(host))
        return begun[-1]

    yield begin
    for pinging in begun:
        pinging.end()


# --- the story ---

def test_systemd_is_in_charge():
    with open("/proc/1/comm", encoding="ascii") as f:
        assert f.read() == "systemd\n"
    assert systemctl("is-system-running", check=False).stdout.strip() in ("running", "starting")


def test_dependencies_that_are_told_suffice(host):  # pylint: disable=unused-argument
    run(["dpkg", "-i", *glob.glob(f"{CHECK}/debs/*.deb")], timeout=600)
    for name in DAEMONS:
        assert systemctl("is-enabled", name).stdout == "enabled\n"
        assert unit(name, "ActiveState", "ConditionResult") == {"ActiveState": "inactive",
                                                               "ConditionResult": "no"}
    assert systemctl("list-units", "--failed", "--no-legend").stdout == ""


def test_faulty_configuration_is_not_tried_twice():
    configure("ihad", "home-agent: {address: nowhere}\n")
    assert systemctl("start", "ihad", check=False).returncode != 0
    until(lambda: unit("ihad", "ActiveState")["ActiveState"] == "failed", "it has failed")
    assert unit("ihad", "NRestarts", "ExecMainStatus") == {"NRestarts": "0", "ExecMainStatus": "1"}
    assert any("ihad.yaml:1:" in e["MESSAGE"] for e in journal("ihad"))


@pytest.mark.parametrize("name", DAEMONS)
def test_start_returns_when_it_serves(name):
    configure(name, CONF[name])
    systemctl("reset-failed", name, check=False)
    systemctl("start", name)                # Type=notify: not before READY=1
    assert unit(name, "ActiveState", "SubState", "Type", "StatusText") == {
        "ActiveState": "active", "SubState": "running", "Type": "notify", "StatusText": "serving"}
    assert hactl(name, "show", "status")["name"] == name


@pytest.mark.parametrize("name", DAEMONS)
def test_it_has_what_the_unit_gives_and_no_more(name):
    with open(f"/proc/{pid_of(name)}/status", encoding="utf-8") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    uid = run(["id", "-u", "home-agent"]).stdout.strip()
    assert set(status["Uid"].split()) == {uid} and uid != "0"
    kept = sum(1 << bit for bit in KEPT.values())
    assert [int(status[f"Cap{kind}"], 16) for kind in ("Eff", "Prm", "Bnd")] == [kept] * 3
    assert [int(status[f"Cap{kind}"], 16) for kind in ("Inh", "Amb")] == [0, 0]
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert not has_event(name, "started")[0]["HA_DATA_PATH"] == "tun"


@pytest.mark.parametrize("name", DAEMONS)
def test_live_exposure_is_small(name):
    said = run(["systemd-analyze", "security", "--no-pager", f"{name}.service"], timeout=120).stdout
    overall = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said).group(1)
    print(f"exposure of {name}: {overall}")
    assert float(overall) <= EXPOSURE_MAX, said


@pytest.mark.parametrize("name", DAEMONS)
def test_apparmor_confines_it(name):
    if not os.path.exists("/sys/kernel/security/apparmor"):
        pytest.skip("this kernel runs without AppArmor")
    with open(f"/proc/{pid_of(name)}/attr/current", encoding="ascii") as f:
        assert f.read().strip("\0\n") == f"{name} (enforce)"


def test_node_registers_and_is_reached(host):
    host.node.start()
    assert host.node.wait_state("inside")["internal"]["tnc"] is True
    (binding,) = hactl("ihad", "show", "bindings")
    assert (binding["home-address"], binding["care-of-address"]) == ("10.50.0.7", "10.1.0.10")
    answers(host)
    assert hactl("ihad", "show", "data-path")["data-path"] in ("xdp", "tc")

    def carried():                          # once neighbours are known
        answers(host)
        return hactl("ihad", "show", "counters")["fast-path-packets"] > 0

    until(carried, "the fast path carries")


def test_event_is_fields_of_the_journal():
    (entry,) = has_event("ihad", "registered")
    assert (entry["HA_HOME_ADDRESS"], entry["HA_CARE_OF"]) == ("10.50.0.7", "10.1.0.10")
    assert (entry["_SYSTEMD_UNIT"], entry["SYSLOG_IDENTIFIER"]) == ("ihad.service", "ihad")
    assert entry["PRIORITY"] == "6" and entry["_COMM"] == "ihad"
    assert "event=registered" in entry["MESSAGE"]


def test_somebody_outside_is_told_nothing_and_the_journal_knows(host):
    stranger = Peer(host.roamer, "203.0.114.50", "10.50.0.7", "10.1.0.2")
    stranger.send(stranger.build())
    (entry,) = has_event("ihad", "untrusted-rrq")
    assert (entry["HA_SRC"], entry["HA_INTERFACE"]) == ("203.0.114.50", "out0")
    assert stranger.heard_nothing()
    stranger.close()


def test_external_home_agent_serves_outside_and_not_inside(host):
    sa = mip.Association(spi=300, key=bytes.fromhex(OUTER_KEY))
    node = Peer(host.roamer, "203.0.114.50", "172.31.0.7", "203.0.114.2", sa=sa)
    node.register(lifetime=1800)
    assert hactl("xhad", "show", "bindings")[0]["care-of-address"] == "203.0.114.50"
    node.listen_ipip()
    servers = [EchoServer(host.server, "10.3.0.100", port) for port in (7, 500)]
    for port in (7, 500):                   # ipsec-only: the first does not pass
        node.send_ipip(mip.udp_packet("172.31.0.7", port, "10.3.0.100", port, b"question"))
    assert servers[1].receive() == (b"question", ("172.31.0.7", 500))
    for server, port in zip(servers, (7, 500)):  # nor does its answer
        server.send(b"%d" % port, ("172.31.0.7", port))
    assert node.receive_ipip()[1].data == b"500"
    assert servers[0].heard_nothing()
    inside = Peer(host.desk, "10.1.0.10", "172.31.0.7", "203.0.114.2", sa=sa)
    inside.send(inside.build())
    assert has_event("xhad", "inside-rrq")[0]["HA_SRC"] == "10.1.0.10"
    for end in (node, inside, *servers):
        end.close()


def test_reload_keeps_process_and_bindings(host):
    pid = pid_of("ihad")
    configure("ihad", CONF["ihad"] | {"log": {"level": "debug"}})
    systemctl("reload", "ihad")
    has_event("ihad", "reloaded")
    configure("ihad", "home-agent: {address: nowhere}\n")
    systemctl("reload", "ihad", check=False)
    has_event("ihad", "reload-failed")
    configure("ihad", CONF["ihad"])
    systemctl("reload", "ihad")
    until(lambda: len(journal("ihad", "HA_EVENT=reloaded")) == 2, "it is reloaded once more")
    assert pid_of("ihad") == pid and len(hactl("ihad", "show", "bindings")) == 1
    assert unit("ihad", "ActiveState", "StatusText")["ActiveState"] == "active"
    answers(host)


def test_watchdog_replaces_a_daemon_that_hangs_and_packets_go_on(host, ping):
    pid, before = pid_of("ihad"), places()
    pinging = ping()
    os.kill(pid, signal.SIGSTOP)
    until(lambda: pid_of("ihad") not in (0, pid)
          and unit("ihad", "ActiveState")["ActiveState"] == "active", "another one serves", 60)
    answered, lost = pinging.lost()
    assert unit("ihad", "NRestarts")["NRestarts"] == "1"
    assert brought_back("ihad") == 1 and places() == before
    assert answered > 50 and lost == 0, f"{lost} packets lost, {answered} not"
    answers(host)


def test_killed_daemon_comes_back_by_itself(host):
    pid = pid_of("ihad")
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid_of("ihad") not in (0, pid)
          and unit("ihad", "ActiveState")["ActiveState"] == "active", "another one serves", 60)
    assert brought_back("ihad") == 1
    answers(host)


def test_upgrade_in_place_loses_no_binding_and_no_packet(host, ping):
    before, pids = places(), [pid_of(name) for name in DAEMONS]
    held = [len(hactl(name, "show", "bindings")) for name in DAEMONS]
    pinging = ping()
    run(["dpkg", "-i", *glob.glob(f"{CHECK}/newer/*.deb")], timeout=600)
    for name, pid, cnt in zip(DAEMONS, pids, held):
        until(lambda n=name, p=pid: pid_of(n) not in (0, p), f"{name} was restarted")
        assert unit(name, "ActiveState")["ActiveState"] == "active"
        assert brought_back(name) == cnt
    answered, lost = pinging.lost()
    assert places() == before
    assert answered > 50 and lost == 0, f"{lost} packets lost, {answered} not"
    versions = run(["dpkg-query", "-W", "-f", "${Version}\n", *NAMES]).stdout.split()
    assert all(version.endswith("+1") for version in versions)
    answers(host)


def mapped(name, library):
    """Where the daemon has that library from."""
    with open(f"/proc/{pid_of(name)}/maps", encoding="ascii") as f:
        return re.search(rf"\S*/{library}\.so\S*", f.read()).group()


def test_needrestart_finds_and_restarts_it_and_nothing_is_lost(host, ping):
    """A library of another package is upgraded: the daemon has the one that is no more."""
    def stale():
        said = run(["needrestart", "-b", "-l", "-r", "l"], stdin=subprocess.DEVNULL).stdout
        return set(re.findall(r"^NEEDRESTART-SVC: ([ix]had)\.service$", said, re.M))

    assert stale() == set()
    path = os.path.realpath(mapped("ihad", "libev"))
    shutil.copy2(path, f"{path}.new")
    os.rename(f"{path}.new", path)
    host.touched.add(path)
    assert stale() == set(DAEMONS)
    before, pids = places(), [pid_of(name) for name in DAEMONS]
    pinging = ping()
    run(["needrestart", "-l", "-r", "a"], stdin=subprocess.DEVNULL, timeout=120)
    for name, pid in zip(DAEMONS, pids):
        assert pid_of(name) not in (0, pid) and unit(name, "SubState")["SubState"] == "running"
    answers(host)
    answered, lost = pinging.lost()
    assert brought_back("ihad") == 1 and places() == before
    assert answered > 50 and lost == 0, f"{lost} packets lost, {answered} not"
    assert stale() == set()


def test_nobody_was_refused_anything():
    """Neither AppArmor nor the unit's filter of system calls had to step in."""
    kernel = run(["journalctl", "-o", "cat", "--no-pager", "_TRANSPORT=kernel", "+",
                  "_TRANSPORT=audit"]).stdout
    refused = [line for line in kernel.splitlines()
               if re.search(r'apparmor="DENIED".*profile="[ix]had|type=1326|SECCOMP.*[ix]had', line)]
    assert refused == []
    for name in DAEMONS:
        assert not journal(name, "HA_EVENT=data-path-degraded")


def test_stop_ends_well(host):
    host.node.stop()
    for name in DAEMONS:
        systemctl("stop", name)
        assert unit(name, "ActiveState", "Result") == {"ActiveState": "inactive",
                                                       "Result": "success"}


def test_purge_leaves_nothing(host):
    systemctl("start", *DAEMONS)
    run(["dpkg", "--purge", *NAMES], timeout=600)
    systemctl("daemon-reload")
    for name in DAEMONS:
        assert unit(name, "LoadState", "ActiveState") == {"LoadState": "not-found",
                                                          "ActiveState": "inactive"}
    assert not {name for name in DAEMONS if name in running()}
    left = {path for path in files() - host.before - host.touched
            if not re.match(r"/etc/((passwd|group|shadow|gshadow)-?|\.pwd\.lock|"
                            r"apparmor\.d/disable)$", path)}   # the last is AppArmor's own
    assert left == set()
    links = run(["ip", "-o", "link"]).stdout
    assert "ihad0" not in links and "xhad0" not in links
    assert "home-agent" not in run(["ls", "-R", "/sys/fs/bpf"]).stdout
