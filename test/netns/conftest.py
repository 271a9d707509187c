# SPDX-License-Identifier: BSD-2-Clause
"""
Real daemons on real (virtual) wires. Each test builds the network it needs and takes it away.

    HA_BIN=build-release/bin /usr/bin/python3 -m pytest test/netns      (as root)

or --bin DIR; several at a time with -n (pytest-xdist): each process has namespaces and directories
of its own. HA_DATA_PATH=tc or =xdp runs them on that tier in place of tun; HA_SLOWNESS=4 gives all of
it four times as long. A test is named after the rule it holds the programs to. Whatever the daemons
have sent in a run is read back by tshark when it ends (fixtures/dissection.py).
"""

import os
import shutil
import signal
import sys
import tempfile
from types import SimpleNamespace

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from fixtures import topology                       # noqa: E402
from fixtures.capture import Capture                # noqa: E402
from fixtures.deployment import Deployment          # noqa: E402
from fixtures.dissection import Frames, Tap, read_back  # noqa: E402
from fixtures.namespaces import Network, run        # noqa: E402
from fixtures.peer import EchoServer, Peer          # noqa: E402
from fixtures.programs import DATA_PATH, Daemon, MobileNode    # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# The packages are built first: test/check says where.
collect_ignore = [] if os.environ.get("HA_PACKAGES") else ["test_packages.py"]


def pytest_addoption(parser):
    parser.addoption("--bin", default=os.environ.get("HA_BIN", f"{ROOT}/build-release/bin"),
                     help="where ihad, xhad and hactl are (default: $HA_BIN)")


def _interrupt(*_):
    """Ends the run; the cleaning up that every fixture then does is not to be interrupted."""
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, signal.SIG_IGN)
    raise KeyboardInterrupt


def pytest_configure(config):
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, _interrupt)
    if os.geteuid() != 0:
        raise pytest.UsageError("network namespaces need root")
    directory = config.getoption("--bin")
    if not os.access(os.path.join(directory, "ihad"), os.X_OK):
        raise pytest.UsageError(f"no programs in {directory}: build first, or give --bin")


    if not hasattr(config, "workerinput"):      # not one of pytest-xdist's processes
        config.frames = tempfile.mkdtemp(prefix="ha-frames-")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    """pytest-xdist starts a process: its frames go where the others' go."""
    node.workerinput["frames"] = node.config.frames


def pytest_collection_modifyitems(config, items):
    """
    pytest-xdist hands tests out in runs. Those marked `once` wait for long: each run has some, and
    the last ones have none that everybody else would wait for.
    """
    if not hasattr(config, "workerinput"):
        return
    slow = [item for item in items if item.get_closest_marker("once")]
    quick = [item for item in items if item not in slow]
    step = max(len(quick) * 3 // 4 // (len(slow) or 1), 1)
    items.clear()
    for at, item in enumerate(quick):
        items += [slow.pop(0)] if slow and at % step == 0 else []
        items.append(item)
    items += slow


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    """What the daemons have sent is dissected, and a fault fails the run."""
    config = session.config
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    config.dissected, config.faults = read_back(config.frames)
    if config.faults:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def tell_of_unsteady(terminalreporter):
    """What a test said at first that test/check tried again: a fault, and not forgotten."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.write_sep("_", f"first try of {report.nodeid}")
        terminalreporter.write_line(str(report.longrepr))


def pytest_terminal_summary(terminalreporter, config):
    tell_of_unsteady(terminalreporter)
    if not getattr(config, "dissected", None):
        return
    terminalreporter.write_line(config.dissected)
    for fault in config.faults[:40]:
        terminalreporter.write_line(f"FAILED dissection: {fault}", red=True)
    if config.faults:
        terminalreporter.write_line(f"the frames are in {config.frames}/all.pcap")


def pytest_unconfigure(config):
    if hasattr(config, "frames") and not getattr(config, "faults", None):
        shutil.rmtree(config.frames, ignore_errors=True)


def pytest_report_header(config):
    return f"programs: {config.getoption('--bin')}, data path: {DATA_PATH}"


@pytest.fixture
def bindir(pytestconfig):
    return os.path.abspath(pytestconfig.getoption("--bin"))


@pytest.fixture
def workdir():
    """A short path: sockets live in it, and in bpf/, a BPF file system, what daemons pin."""
    path = tempfile.mkdtemp(prefix="ha-")
    bpf = os.path.join(path, "bpf")
    os.mkdir(bpf)
    run(["mount", "-t", "bpf", "bpf", bpf])
    yield path
    left = [n for _, dirs, files in os.walk(bpf) for n in dirs + files
            if n not in ("maps.debug", "progs.debug")]
    run(["umount", bpf])
    shutil.rmtree(path)
    assert not left, f"left pinned: {left}"


@pytest.fixture
def net():
    network = Network(os.environ.get("HA_NETNS_PREFIX", "t"), for_bpf=DATA_PATH != "tun")
    yield network
    network.close()


@pytest.fixture
def things(workdir, net):  # pylint: disable=unused-argument
    """
    Closed at the end of the test, the last opened first, and before what they lived in; the first
    failure is told.
    """
    opened = []
    yield opened
    failures = []
    for thing in reversed(opened):
        try:
            thing.close()
        except Exception as failure:  # pylint: disable=broad-except
            failures.append(failure)
    if failures:
        raise failures[0]


@pytest.fixture
def frames(request):
    """frames(tap, port): keeps what a daemon has sent, for the dissection at the end of the run."""
    config = request.config
    kept = Frames(getattr(config, "workerinput", {}).get("frames") or config.frames)
    return lambda tap, port: kept.add(request.node.nodeid, tap, port)


class Tapped:
    """Ends with the test, behind its daemon: what that said last is heard, too."""

    def __init__(self, daemon, frames):
        self._tap, self._frames = Tap(daemon.host, daemon.address), frames
        self._port = daemon.conf["home-agent"].get("port", 434)

    def close(self):
        self._frames(self._tap, self._port)
        self._tap.close()


@pytest.fixture
def run_daemon(net, workdir, bindir, things, frames):
    """run_daemon(host, "ihad", conf): a daemon that serves, unless start or wait are False."""

    def make(host, name, conf, wait=True, start=True, label=None):
        daemon = Daemon(host, name, conf, workdir, bindir, label)
        things.append(Tapped(daemon, frames))
        things.append(daemon)
        return daemon.start(wait) if start else daemon

    return make


@pytest.fixture
def peer(things):
    """peer(host, care_of, home, agent, sa=..., port=..., source=...): a mobile node."""

    def make(*args, **more):
        things.append(Peer(*args, **more))
        return things[-1]

    return make


@pytest.fixture
def correspondent(things):
    """correspondent(host, address, port): a UDP socket to talk to."""

    def make(host, address, port=7000):
        things.append(EchoServer(host, address, port))
        return things[-1]

    return make


@pytest.fixture
def capture(net, things):
    """
    capture(host, interface): everything on that wire from now on. What XDP sends is not seen by
    packet sockets on its own interface, so there it is watched at the cable's other end.
    """

    def make(host, interface):
        if DATA_PATH == "xdp":
            host, interface = net.other_end(host, interface)
        things.append(Capture(host, interface))
        return things[-1]

    return make


@pytest.fixture
def campus(net):
    return topology.campus(net)


@pytest.fixture
def internet(net):
    return topology.internet(net)


@pytest.fixture
def ihad(campus, run_daemon):
    """ihad serving the campus."""
    return run_daemon(campus.ha, "ihad", campus.ihad_conf)


@pytest.fixture
def xhad(internet, run_daemon):
    """xhad serving the Internet."""
    return run_daemon(internet.xha, "xhad", internet.xhad_conf)


@pytest.fixture
def desk(campus, peer):
    """The employee's laptop at its desk, not yet registered; ihad need not run."""
    return peer(campus.desk, campus.desk_address, campus.home, campus.agent)


@pytest.fixture
def server(campus, correspondent):
    """Who sits on the intranet and answers what the node sends."""
    return correspondent(campus.server, campus.server_address)


@pytest.fixture
def registered(ihad, desk):
    """The node has a binding; what the home agent tunnels to it is received here."""
    desk.register()
    return desk.listen_ipip()


@pytest.fixture
def company(net, run_daemon, workdir, bindir, things):
    """
    The company with both home agents running (.ihad, .xhad) and the laptop's cable out.
    .switch_on(**options) starts the mobile node on it.
    """
    place = topology.company(net)
    place.ihad = run_daemon(place.ha, "ihad", place.ihad_conf)
    place.xhad = run_daemon(place.xha, "xhad", place.xhad_conf)

    def switch_on(**options):
        conf = place.mn_conf | {k.replace("_", "-"): v for k, v in options.items()}
        place.laptop.node = MobileNode(place.laptop.host, conf, workdir, bindir)
        things.append(place.laptop.node)
        return things[-1].start()

    place.switch_on = switch_on
    return place


@pytest.fixture
def deploy(net, workdir, bindir, things, frames):
    """deploy(): the network of etc/deployment, with nothing started on it yet."""
    return lambda: Deployment(net, workdir, bindir, things,
                              lambda daemon: things.append(Tapped(daemon, frames)))


@pytest.fixture
def office(deploy):
    """The deployment of etc/deployment, its home agents and VPN gateway running."""
    place = deploy()
    place.start_agents()
    place.start_gateway()
    return place


@pytest.fixture(params=["ihad", "xhad"])
def site(request, peer):
    """
    What both home agents do the same way, tried with each: .agent (the daemon), .make(...) a peer
    of the site whose source is its care-of address, .node a ready one.
    """
    if request.param == "ihad":
        place = request.getfixturevalue("campus")
        agent = request.getfixturevalue("ihad")
        host, care_of = place.desk, place.desk_address
    else:
        place = request.getfixturevalue("internet")
        agent = request.getfixturevalue("xhad")
        host, care_of = place.roamer, place.roamer_address

    def make(home=place.home, source=care_of, **more):
        return peer(host, source, home, place.agent, **more)

    return SimpleNamespace(agent=agent, make=make, node=make(), host=host, place=place,
                           home=place.home, care_of=care_of,
                           prefix=place.home.rsplit(".", 1)[0])
