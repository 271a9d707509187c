# SPDX-License-Identifier: BSD-2-Clause
"""
The packages: looked at, installed, run as their units would, upgraded, taken away. They are in
$HA_PACKAGES, deb/ and rpm/, or are built into it; without it these tests are not collected.
"""

import glob
import os
import re
import shutil
import stat
import subprocess
import threading

import pytest

from fixtures import mobileip as mip
from fixtures.namespaces import run
from fixtures.packages import Root, sandboxed, unit_of
from fixtures.programs import Daemon
from fixtures.wait import until

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.environ.get("HA_PACKAGES", "")
NAMES = ["home-agent-common", "hactl", "ihad", "xhad"]
EXPOSURE_MAX = 20                           # tenths, as systemd-analyze wants it


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"there is no {program} here")


def build(kind):
    out = os.path.join(os.path.abspath(OUT), kind)
    if not os.path.isdir(out):
        with open(f"{OUT}/{kind}.log", "w", encoding="utf-8") as log:
            done = subprocess.run([f"{PROJECT}/packaging/build", kind, f"{out}.new"], stdout=log,
                                  stderr=log, check=False, timeout=600)
        assert done.returncode == 0, f"not built; see {OUT}/{kind}.log"
        os.rename(f"{out}.new", out)
    return out


@pytest.fixture(scope="session")
def debs():
    need("dpkg-buildpackage", "dh")
    return build("deb")


@pytest.fixture(scope="session")
def rpms():
    need("rpmbuild")
    return build("rpm")


def deb(directory, name):
    return glob.glob(f"{directory}/{name}_*.deb")[0]


def rpm(directory, name):
    return [path for path in glob.glob(f"{directory}/{name}-[0-9]*.rpm")
            if not path.endswith(".src.rpm")][0]


@pytest.fixture
def root(things):
    things.append(Root())
    return things[-1]


def installed(root, packages):
    """What is needed of other packages is there, as this host has built them."""
    os.makedirs(root.at("root/packages"))
    for package in packages:
        shutil.copy(package, root.at("root/packages"))
    return [f"/root/packages/{os.path.basename(package)}" for package in packages]


def install_debs(root, directory):
    root.run("dpkg", "-i", *installed(root, [deb(directory, n) for n in NAMES]))


def install_rpms(root, directory):
    run(["rpm", "--root", root.path, "--nodeps", "-i", *[rpm(directory, n) for n in NAMES]])


@pytest.fixture
def install(run_daemon, workdir):
    """install(root, host, name, conf): a daemon of that root, on that host, as its unit would start it."""
    os.chmod(workdir, 0o711)

    def make(root, host, name, conf, **tunnel):
        conf = conf | {
            "control": {"socket": f"/run/home-agent/{name}.sock"},
            "state": {"directory": f"/var/lib/home-agent/{name}"},
            "privileges": {"system-call-filter": True}, "log": {"level": "debug"},
            "tunnel": {"bpffs": f"/sys/fs/bpf/home-agent/{name}"} | tunnel}
        daemon = run_daemon(host, name, conf, start=False)
        daemon.config_path = root.at(f"/etc/home-agent/{name}.yaml")
        daemon.write_config(daemon.conf)    # its group is the directory's
        os.chmod(daemon.config_path, 0o640)
        daemon.socket = root.at(daemon.socket)
        daemon.bindir = root.at("/usr/bin")
        daemon.argv = sandboxed(root, name, workdir)
        return daemon

    return make


@pytest.fixture
def serve(campus, install):
    """serve(root): ihad of that root, on the campus."""
    return lambda root, **tunnel: install(root, campus.ha, "ihad", campus.ihad_conf, **tunnel)


# --- as they are ---

def test_lintian_has_nothing_to_say_of_the_debs(debs):
    need("lintian")
    done = run(["lintian", "--allow-root", "--fail-on", "error,warning",
                glob.glob(f"{debs}/*.changes")[0]], check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rpmlint_has_nothing_to_say_of_the_rpms(rpms):
    need("rpmlint")
    done = run(["rpmlint", "-c", f"{PROJECT}/packaging/rpm/rpmlint.toml", *glob.glob(f"{rpms}/*.rpm"),
                f"{PROJECT}/packaging/rpm/home-agent.spec"], check=False)
    assert done.returncode == 0 and " 0 errors, 0 warnings" in done.stdout, done.stdout


def test_both_formats_have_what_there_is_to_read(debs, rpms):
    pages = {f"/usr/share/doc/home-agent-common/{page}" for page in
             ("README.md", "CHANGELOG.md", "SECURITY.md", "mibs/README.md", "deployment.md")}
    in_deb = run(["dpkg-deb", "-c", deb(debs, "home-agent-common")]).stdout
    in_rpm = run(["rpm", "-qlp", rpm(rpms, "home-agent-common")]).stdout
    # Debian compresses those that are long.
    assert pages <= {line.split()[-1].lstrip(".").removesuffix(".gz") for line in in_deb.splitlines()}
    assert pages <= {line.removesuffix(".gz") for line in in_rpm.splitlines()}


def test_every_package_is_there_and_debug_symbols_beside_the_debs(debs, rpms):
    for name in NAMES:
        assert deb(debs, name) and rpm(rpms, name)
    for name in ("ihad", "xhad", "hactl"):
        assert glob.glob(f"{debs}/{name}-dbgsym_*.deb")


def test_debug_symbols_are_those_of_the_programs(debs, workdir):
    need("readelf")
    for name in ("ihad", "xhad", "hactl"):
        files = files_of_deb(deb(debs, name), f"{workdir}/{name}")
        symbols = files_of_deb(glob.glob(f"{debs}/{name}-dbgsym_*.deb")[0], f"{workdir}/{name}-dbgsym")
        (program,) = [file for path, file in files.items() if re.match(r"^/usr/s?bin/", path)]
        build_id = re.search(r"Build ID: (\w+)", run(["readelf", "-n", program]).stdout).group(1)
        path = f"/usr/lib/debug/.build-id/{build_id[:2]}/{build_id[2:]}.debug"
        assert path in symbols
        assert ".debug_info" in run(["readelf", "-SW", symbols[path]]).stdout


def test_versions_are_the_same_everywhere():
    def first(pattern, path):
        with open(f"{PROJECT}/{path}", encoding="utf-8") as f:
            return re.search(pattern, f.read(), re.M).group(1)

    version = first(r"^project\(home-agent VERSION ([0-9.]+)", "CMakeLists.txt")
    assert first(r"^home-agent \(([0-9.]+)\)", "packaging/deb/changelog") == version
    assert first(r"^Version: +(\S+)", "packaging/rpm/home-agent.spec") == version


def test_build_dependencies_are_those_of_install_deps():
    def listed(*flags):
        return set(run([f"{PROJECT}/packaging/install-deps", *flags, "--list"]).stdout.split())

    debian = listed("--build-only") - {"gcc", "libc6-dev", "make"}      # build-essential
    with open(f"{PROJECT}/packaging/deb/control", encoding="utf-8") as f:
        control = f.read()
    assert {name for name in debian if not re.search(rf"^ {re.escape(name)}\b", control, re.M)} == set()


def owned(path):
    """Paths of packages, the same for both formats."""
    path = re.sub(r"^/lib/", "/usr/lib/", path.rstrip("/"))
    return re.sub(r"(/man/.*|/doc/.*\.md)\.gz$", r"\1", path)


def files_of_deb(package, into):
    os.makedirs(into)
    run(["dpkg-deb", "-x", package, into])
    return {owned("/" + os.path.relpath(os.path.join(d, f), into)): os.path.join(d, f)
            for d, _, files in os.walk(into) for f in files}


def files_of_rpm(package, into):
    os.makedirs(into)
    with subprocess.Popen(["rpm2cpio", package], stdout=subprocess.PIPE) as cpio:
        run(["cpio", "-id", "--quiet", "--no-absolute-filenames"], stdin=cpio.stdout, cwd=into)
    return {owned("/" + os.path.relpath(os.path.join(d, f), into)): os.path.join(d, f)
            for d, _, files in os.walk(into) for f in files}


# What one format has and the other has not, by its family's custom.
ONLY_DEB = re.compile(r"^/usr/share/doc/[^/]+/(changelog(\.Debian)?\.gz|copyright)$|^/etc/apparmor\.d/|"
                      r"^/usr/share/lintian/")
ONLY_RPM = re.compile(r"^/usr/lib/\.build-id/|^/usr/share/licenses/")


@pytest.mark.parametrize("name", NAMES)
def test_both_formats_have_the_same_content(debs, rpms, workdir, name):
    need("cpio", "rpm2cpio")
    d = {path: file for path, file in files_of_deb(deb(debs, name), f"{workdir}/deb").items()
         if not ONLY_DEB.match(path)}
    r = {path: file for path, file in files_of_rpm(rpm(rpms, name), f"{workdir}/rpm").items()
         if not ONLY_RPM.match(path)}
    assert set(d) == set(r) and d
    for path in d:
        a, b = (stat.S_IMODE(os.lstat(file).st_mode) for file in (d[path], r[path]))
        assert a == b, f"{path}: {a:o} in the deb, {b:o} in the rpm"
        if path.endswith((".service", ".conf", ".yaml", ".txt")):
            with open(d[path], "rb") as a, open(r[path], "rb") as b:
                assert a.read() == b.read(), path


def test_programs_of_both_formats_are_hardened(debs, rpms, workdir):
    need("cpio", "rpm2cpio")
    programs = []
    for name in ("ihad", "xhad", "hactl"):
        for files in (files_of_deb(deb(debs, name), f"{workdir}/deb-{name}"),
                      files_of_rpm(rpm(rpms, name), f"{workdir}/rpm-{name}")):
            programs += [file for path, file in files.items()
                         if re.match(r"^/usr/s?bin/", path)]
    assert len(programs) == 6, programs
    done = run([f"{PROJECT}/test/lint/hardening.sh", *programs], check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_scripts_of_both_formats_care_for_the_same_things(debs, rpms, workdir):
    for name in ("ihad", "xhad"):
        run(["dpkg-deb", "-e", deb(debs, name), f"{workdir}/{name}"])
        scripts = run(["rpm", "-qp", "--scripts", rpm(rpms, name)]).stdout
        for ours, theirs in (("postinst", "postinstall"), ("prerm", "preuninstall"),
                             ("postrm", "postuninstall")):
            with open(f"{workdir}/{name}/{ours}", encoding="utf-8") as f:
                assert name in f.read()
            part = re.split(r"^(?=\w+ scriptlet)", scripts, flags=re.M)
            assert any(p.startswith(theirs) and f"{name}.service" in p for p in part), theirs
    run(["dpkg-deb", "-e", deb(debs, "home-agent-common"), f"{workdir}/common"])
    with open(f"{workdir}/common/postinst", encoding="utf-8") as f:
        ours = f.read()
    theirs = run(["rpm", "-qp", "--scripts", rpm(rpms, "home-agent-common")]).stdout
    assert "systemd-sysusers" in ours and "useradd" in theirs
    assert "systemd-tmpfiles" in ours and "systemd-tmpfiles" in theirs


def test_unit_is_sound_and_its_exposure_small(debs, root):
    need("systemd-analyze")
    install_debs(root, debs)
    for name in ("ihad", "xhad"):
        verify = root.run("systemd-analyze", "verify", "--man=no", f"/lib/systemd/system/{name}.service",
                          check=False)
        assert name not in verify.stderr + verify.stdout, verify.stderr
        root.run("systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}",
                 f"/lib/systemd/system/{name}.service")


def test_conffiles_are_the_apparmor_profiles_and_nothing_else(debs, workdir):
    """An operator's configuration is nobody's conffile: no upgrade ever asks about it."""
    for name in NAMES:
        run(["dpkg-deb", "-e", deb(debs, name), f"{workdir}/{name}"])
        path = f"{workdir}/{name}/conffiles"
        listed = open(path, encoding="utf-8").read().split() if os.path.exists(path) else []
        assert listed == ([f"/etc/apparmor.d/usr.sbin.{name}"] if name in ("ihad", "xhad") else [])


def test_apparmor_takes_the_profiles(debs, root):
    need("apparmor_parser")
    install_debs(root, debs)
    for name in ("ihad", "xhad"):
        root.run("apparmor_parser", "--skip-kernel-load", "--skip-cache",
                 f"/etc/apparmor.d/usr.sbin.{name}")


# --- at work ---

@pytest.mark.parametrize("kind", ["deb", "rpm"])
def test_installed_program_serves_in_the_sandbox_of_its_unit(kind, request, root, serve, campus, desk,
                                                             correspondent):
    directory = request.getfixturevalue(kind + "s")
    (install_debs if kind == "deb" else install_rpms)(root, directory)
    etc = os.stat(root.at("/etc/home-agent"))
    assert etc.st_mode & 0o7777 == 0o2750 and etc.st_gid == root.id_of("group", "home-agent")
    ihad = serve(root).start()
    uid = root.id_of("passwd", "home-agent")
    with open(f"/proc/{ihad.process.pid}/status", encoding="utf-8") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    assert set(status["Uid"].split()) == {str(uid)}
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert status["CapAmb"] == status["CapInh"] == "0" * 16

    server = correspondent(campus.server, campus.server_address)
    desk.register()
    desk.listen_ipip()
    server.send(b"hello", (campus.home, 7000))
    assert desk.receive_ipip()[1].data == b"hello"
    ihad.reload()
    assert ihad.events("reloaded") and len(ihad.bindings()) == 1
    ihad.stop()


@pytest.mark.parametrize("kind", ["deb", "rpm"])
def test_external_home_agent_of_the_package_serves_in_the_sandbox_of_its_unit(kind, request, root,
                                                                              install, internet, peer):
    directory = request.getfixturevalue(kind + "s")
    (install_debs if kind == "deb" else install_rpms)(root, directory)
    xhad = install(root, internet.xha, "xhad", internet.xhad_conf
                   | {"inside": {"interfaces": ["dmz1"]}}).start()
    assert not xhad.events("privileges-root")
    roamer = peer(internet.roamer, internet.roamer_address, internet.home, internet.agent)
    roamer.register(extensions=mip.udp_tunnel_request(forced=True))
    assert xhad.binding(internet.home)["encapsulation"] == "udp"
    roamer.send_udp(mip.echo_request(internet.home, internet.agent))
    assert roamer.receive_udp().icmp == (0, 0)
    inside = peer(internet.inside, internet.inside_address, internet.other_home, internet.agent)
    inside.send(inside.build())
    xhad.wait_event("inside-rrq")
    xhad.reload()
    assert len(xhad.bindings()) == 1
    xhad.stop()


def calls_after_exec(trace, program):
    """Names of the system calls that the program and its threads made."""
    begun, calls = set(), set()
    with open(trace, encoding="utf-8", errors="replace") as f:
        for line in f:
            pid, _, rest = line.partition(" ")
            name = re.match(r" *(?:<\.\.\. )?(\w+)(?:\(| resumed)", rest)
            if name and f'execve("{program}"' in rest:
                begun.add(pid)
            elif name and begun:
                calls.add(name.group(1))
    return calls


def calls_of_unit(root, unit):
    """What SystemCallFilter= lets pass, its groups taken apart."""
    passing = set()

    def members(name):
        if not name.startswith("@"):
            return {name}
        found = set()
        for line in root.run("systemd-analyze", "syscall-filter", name).stdout.splitlines():
            word = line.strip()
            if line.startswith("    ") and word and not word.startswith("#"):
                found |= members(word)
        return found

    for value in unit["SystemCallFilter"]:
        names = set().union(*(members(name) for name in value.lstrip("~").split()))
        passing = passing - names if value.startswith("~") else passing | names
    return passing


def test_unit_lets_every_system_call_pass_that_the_daemon_makes(debs, root, serve, desk, workdir, net):
    need("strace", "systemd-analyze")
    net.prepare_for_bpf()
    install_debs(root, debs)
    ihad = serve(root, **{"data-path": "auto"})
    at = ihad.argv.index("chroot")
    trace = f"{workdir}/trace"
    ihad.argv[at:at] = ["strace", "-f", "-qq", "-o", trace]
    ihad.start(wait=False)
    until(lambda: ihad.events("started"), "ihad serves", 30)
    desk.register()
    ihad.hactl("show", "bindings")
    with open(f"/proc/{ihad.process.pid}/task/{ihad.process.pid}/children", encoding="utf-8") as f:
        os.kill(int(f.read().split()[0]), 15)
    ihad.process.wait(20)
    calls = calls_after_exec(trace, "/usr/sbin/ihad")
    assert len(calls) > 30
    assert calls - calls_of_unit(root, unit_of(root, "ihad")) == set()


def newer(package, into):
    """The same with a higher version: what an upgrade is made of."""
    tree = f"{into}/tree"
    shutil.rmtree(tree, ignore_errors=True)
    run(["dpkg-deb", "-R", package, tree])
    with open(f"{tree}/DEBIAN/control", encoding="utf-8") as f:
        control = f.read()
    version = re.search(r"^Version: (.*)$", control, re.M).group(1)
    with open(f"{tree}/DEBIAN/control", "w", encoding="utf-8") as f:
        f.write(control.replace(f"Version: {version}", f"Version: {version}+1")
                .replace(f"(= {version})", f"(= {version}+1)"))
    out = f"{into}/{os.path.basename(package).replace(version, version + '+1')}"
    run(["dpkg-deb", "-b", "--root-owner-group", tree, out])
    return out


class Stream:
    """Numbered packets to the node, all the time: one after the other has come or is late."""

    def __init__(self, server, desk, home):
        self.sent, self.lost, self._ending = 0, [], threading.Event()
        self._server, self._desk, self._to = server, desk, (home, 7000)
        self._thread = threading.Thread(target=self._flow)
        self._thread.start()

    def _flow(self):
        while not self._ending.wait(0.002):
            self._server.send(b"%d" % self.sent, self._to)
            try:
                while int(self._desk.receive_ipip(5)[1].data) != self.sent:
                    pass                    # one that was late, and is counted as lost
            except AssertionError:
                self.lost.append(self.sent)
            self.sent += 1

    def end(self):
        self._ending.set()
        self._thread.join()


def test_upgrade_loses_no_binding_and_no_packet(debs, root, serve, campus, desk, correspondent, net,
                                                workdir):
    net.prepare_for_bpf()
    install_debs(root, debs)
    ihad = serve(root, **{"data-path": "tc", "keep-forwarding": True}).start()
    assert ihad.status()["data-path"] == "tc", ihad.log()
    server = correspondent(campus.server, campus.server_address)
    desk.register()
    desk.listen_ipip()
    server.send(b"first", (campus.home, 7000))          # neighbours are known from here on
    desk.receive_ipip()
    before = ihad.bindings()

    stream = Stream(server, desk, campus.home)
    until(lambda: stream.sent > 20, "packets flow")
    root.run("dpkg", "-i", *installed_newer(root, debs, workdir))
    ihad.stop()                             # what the postinst has the service manager do
    ihad.start()
    at_restart = stream.sent
    until(lambda: stream.sent > at_restart + 20, "packets flow on")
    stream.end()
    assert stream.lost == [], f"of {stream.sent}"
    after = ihad.bindings()
    assert [b["care-of-address"] for b in after] == [b["care-of-address"] for b in before]
    assert after[0]["lifetime"] == before[0]["lifetime"]
    assert after[0]["remaining"] <= before[0]["remaining"]
    assert ihad.counter("requests-received") == 0       # nobody had to register again
    versions = root.run("dpkg-query", "-W", "-f", "${Version}\n", *NAMES).stdout.split()
    assert all(version.endswith("+1") for version in versions)


def installed_newer(root, debs, workdir):
    shutil.rmtree(root.at("root/packages"))
    return installed(root, [newer(deb(debs, name), workdir) for name in NAMES])


def test_purge_leaves_nothing(debs, root, serve, desk):
    before = root.changes()
    install_debs(root, debs)
    ihad = serve(root).start()
    desk.register()
    ihad.stop()
    assert root.changes() - before
    root.run("dpkg", "--purge", *NAMES)
    assert root.changes() - before == set()
    for gone in ("/etc/home-agent", "/var/lib/home-agent", "/run/home-agent", "/sys/fs/bpf/home-agent"):
        assert not os.path.exists(root.at(gone)), gone
    assert root.id_of("passwd", "home-agent")   # a number that nobody else is to get


def test_purge_takes_away_what_was_kept_forwarding(debs, root, serve, net, campus, desk):
    net.prepare_for_bpf()
    campus.ha.sysctl({"net.ipv4.ip_forward": 0})
    install_debs(root, debs)
    ihad = serve(root, **{"data-path": "tc", "keep-forwarding": True}).start()
    desk.register()
    ihad.stop()

    def filters():
        return campus.ha.run(["tc", "filter", "show", "dev", "eth0", "ingress"], check=False).stdout

    assert "434" in filters()
    campus.ha.run(["chroot", root.path, "dpkg", "--purge", *NAMES])
    assert filters() == ""
    assert campus.ha.run(["cat", "/proc/sys/net/ipv4/ip_forward"]).stdout == "0\n"
    assert not os.path.exists(root.at("/sys/fs/bpf/home-agent"))


def test_purge_of_one_takes_its_configuration_with_its_fragments(debs, root):
    install_debs(root, debs)
    for name in ("ihad", "xhad"):
        os.makedirs(root.at(f"/etc/home-agent/{name}.d"))
        for path in (f"{name}.yaml", f"{name}.d/nodes.yaml"):
            with open(root.at(f"/etc/home-agent/{path}"), "w", encoding="utf-8"):
                pass
    root.run("dpkg", "--purge", "ihad")
    assert sorted(os.listdir(root.at("/etc/home-agent"))) == ["xhad.d", "xhad.yaml"]


def test_removed_rpms_leave_no_file(rpms, root):
    before = root.changes()
    install_rpms(root, rpms)
    run(["rpm", "--root", root.path, "--nodeps", "-e", *NAMES])
    left = root.changes() - before
    # What an operator wrote stays; the last two are other packages' on Fedora.
    assert left <= {"/etc/home-agent", "/var/lib/home-agent", "/usr/share/licenses",
                    "/usr/share/zsh/site-functions"}
