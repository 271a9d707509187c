# SPDX-License-Identifier: BSD-2-Clause
"""
A dynamic pool that several hosts share: each gives from blocks that it has claimed on the server
ahead, so that no address is ever given twice, whoever can reach whom.
"""

import time

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.cluster import Cluster, own, wait_answers
from fixtures.wait import until

BLOCKS = "home-agent:ihad:blocks"
POOL = "10.50.128.0/27"         # an eighth of it is less than a block: one for each host ahead


class Site:
    """Hosts that all answer; .lease(host, n) has the n-th node ask at a host."""

    def __init__(self, cluster, peer, hosts, pool):
        self.cluster, self.place, self._peer = cluster, cluster.place, peer
        self.confs = [cluster.conf(i, role="active") for i in range(hosts)]
        for conf in self.confs:
            conf["home-networks"][0]["dynamic-pool"] = pool
            conf["registration"] = {"max-denials-per-node": 1000}
            conf["mobile-nodes"] += [topology.node(None, topology.OTHER_SA, nai=self.nai(n))
                                     for n in range(40)]

    @staticmethod
    def nai(n):
        return f"n{n}@corp.example"

    def start(self, *hosts):
        for i in hosts:
            self.cluster.start(i, self.confs[i])
            wait_answers(self.cluster.daemons[i])

    def daemon(self, i):
        return self.cluster.daemons[i]

    def wait_addresses(self, *hosts):
        for i in hosts:
            until(lambda: self.daemon(i).status()["cluster-addresses-to-give"] > 0,
                  f"host {i} has addresses to give:\n{self.daemon(i).log()}")

    def ask(self, i, n, lifetime=600):
        """The answer of host i to node n."""
        self.cluster.move_address(i)
        node = self._peer(self.place.desk, self.place.desk_address, "0.0.0.0", self.place.agent,
                          sa=topology.OTHER_SA)
        home = "0.0.0.0" if lifetime else next(a for a, nai in self.leases(i).items()
                                               if nai == self.nai(n))
        request = node.build(home=home, lifetime=lifetime, extensions=mip.nai(self.nai(n)))
        node.send(request)
        return node.reply(request)

    def lease(self, i, n):
        reply = self.ask(i, n)
        assert reply.code == 0, reply
        return str(reply.home)

    def leases(self, i):
        """{address: NAI} as host i knows it."""
        return {n["home-address"]: n["nai"] for n in self.daemon(i).hactl("show", "mobile-nodes")
                if n["nai"] and n["nai"].startswith("n") and n["home-address"]}

    def claims(self):
        flat = [octets.decode() for octets in self.cluster.server.ask("HGETALL", BLOCKS)]
        return dict(zip(flat[::2], flat[1::2]))


@pytest.fixture
def make(net, workdir, things, run_daemon, peer):
    def make_site(hosts=2, pool=POOL):
        return Site(Cluster(net, workdir, things, run_daemon, hosts=hosts), peer, hosts, pool)

    return make_site


@pytest.fixture
def site(make):
    site = make()
    site.start(0, 1)
    site.wait_addresses(0, 1)
    return site


def test_each_host_gives_addresses_of_its_own(site):
    claims = site.claims()
    assert set(claims.values()) == {"ha1", "ha2"}
    given = [site.lease(i, 2 * n + i) for n in range(5) for i in (0, 1)]
    assert len(set(given)) == len(given)
    for n, address in enumerate(given):
        block = address.rsplit(".", 1)[0] + f".{int(address.rsplit('.', 1)[1]) & ~7}/29"
        assert site.claims()[block] == ("ha1", "ha2")[n % 2]
    until(lambda: site.leases(0) == site.leases(1), "both know all")
    assert site.lease(1, 0) == given[0]                 # a node keeps its own, wherever it asks


def test_without_the_server_a_host_gives_what_it_has_and_then_none(site):
    site.cluster.cut(0, 1)
    given, refused = [], [0, 0]
    for n in range(24):
        reply = site.ask(n % 2, n)
        assert reply.code in (0, 130)
        if reply.code == 0:
            given.append(str(reply.home))
        else:
            refused[n % 2] += 1
    assert len(set(given)) == len(given) and min(refused) > 0
    assert 12 <= len(given) <= 16                       # a block each, but for the edges of the pool
    assert site.daemon(0).counter("denied-130-insufficient-resources") == refused[0]
    site.cluster.heal(0, 1)
    until(lambda: site.leases(0) == site.leases(1) and len(site.leases(0)) == len(given),
          "both know all")
    site.wait_addresses(0)
    assert site.lease(0, 30) not in given               # a block more is to be had again


def test_what_a_host_has_it_has_after_a_restart_but_not_without_the_server(site):
    before = site.claims()
    address = site.lease(0, 0)
    site.daemon(0).kill()
    site.cluster.server.kill()
    site.daemon(0).start()
    wait_answers(site.daemon(0))
    assert site.ask(0, 1).code == 130                   # it cannot know what is its own
    assert site.lease(0, 0) == address                  # but knows who has what
    site.cluster.server.start()
    site.wait_addresses(0)
    assert site.lease(0, 1) != address
    assert {b: h for b, h in site.claims().items() if b in before} == before
    assert len(site.claims()) <= len(before) + 1        # what rests is counted on


def test_what_the_server_forgets_is_claimed_anew_by_those_whose_it_is(site):
    before = site.claims()
    site.cluster.server.ask("FLUSHALL")
    until(lambda: site.claims() == before, "claimed anew")
    given = [site.lease(n % 2, n) for n in range(8)]
    assert len(set(given)) == 8


def test_an_address_that_a_node_remembers_is_given_by_its_owner_alone(site):
    address = site.lease(0, 0)
    until(lambda: address in site.leases(1), "both know it")
    site.cluster.cut(0, 1)
    site.lease(0, 1)
    mine = next(a for a, nai in site.leases(0).items() if nai == site.nai(1))
    site.cluster.move_address(1)
    node = site._peer(site.place.desk, site.place.desk_address, mine, site.place.agent,
                      sa=topology.OTHER_SA)
    request = node.build(lifetime=600, extensions=mip.nai(site.nai(1)))
    node.send(request)
    assert node.reply(request).code == 129
    assert site.lease(1, 0) == address                  # one that it has heard of, it goes on with
    site.cluster.heal(0, 1)


def test_a_reload_keeps_what_is_ours_and_looks_for_what_is_new(site):
    conf = site.confs[0]
    conf["home-networks"].append({"prefix": "10.51.0.0/16", "dynamic-pool": "10.51.128.0/28"})
    site.lease(0, 0)
    before = site.daemon(0).status()["cluster-addresses-to-give"]
    site.daemon(0).write_config(conf)
    site.daemon(0).reload()
    until(lambda: site.daemon(0).status()["cluster-addresses-to-give"] >= before, "still ours")
    given = [site.lease(0, n) for n in range(1, 30)]
    assert any(a.startswith("10.51.128.") for a in given) and len(set(given)) == len(given)


@pytest.fixture
def full(make):
    """A pool of two blocks, one for each host; .given are what the first one had, all of it."""
    site = make(pool="10.50.128.0/28")
    site.start(0, 1)
    site.wait_addresses(0, 1)
    site.given = [site.lease(0, n) for n in range(7)]
    assert site.ask(0, 20).code == 130
    until(lambda: site.leases(0) == site.leases(1), "both know all")
    return site


def resting(site, i):
    return site.daemon(i).status()["cluster-addresses-resting"]


def test_the_address_of_who_is_away_goes_to_who_comes_once_all_hosts_know(full):
    full.ask(0, 3, lifetime=0)
    reply = until(lambda: r if (r := full.ask(0, 20)).code == 0 else None, "there is one again")
    assert reply.home == full.given[3]
    until(lambda: full.leases(0) == full.leases(1), "both know all")
    assert full.leases(1)[full.given[3]] == full.nai(20)
    assert full.daemon(0).counter("leases-taken-over") == 1
    assert full.ask(0, 3).code == 130                   # it came too late


def test_a_host_that_may_not_have_heard_is_waited_for(full):
    full.cluster.cut(1)
    full.ask(0, 3, lifetime=0)
    until(lambda: resting(full, 0) == 1, "its lease has ended")
    assert full.lease(1, 3) == full.given[3]            # the other host cannot know
    time.sleep(6)                                       # longer than it takes when all hear
    assert full.ask(0, 20).code == 130 and resting(full, 0) == 1
    full.cluster.heal(1)
    until(lambda: full.leases(0).get(full.given[3]) == full.nai(3), "it is leased after all")
    assert full.leases(0) == full.leases(1)


def test_what_rested_when_a_host_ended_rests_when_it_is_back(full):
    """A host that may not have heard is waited for, by one that was restarted meanwhile, too."""
    full.cluster.cut(1)
    full.ask(0, 3, lifetime=0)
    until(lambda: resting(full, 0) == 1, "its lease has ended")
    assert full.lease(1, 3) == full.given[3]            # the other host cannot know
    full.daemon(0).kill()
    full.daemon(0).start()
    wait_answers(full.daemon(0))
    until(lambda: resting(full, 0) == 1, "it rests again")
    time.sleep(6)
    assert full.ask(0, 20).code == 130 and resting(full, 0) == 1
    full.cluster.heal(1)
    until(lambda: full.leases(0).get(full.given[3]) == full.nai(3), "it is leased after all")
    assert full.leases(0) == full.leases(1)


def test_a_lease_of_a_pool_that_one_host_has_is_not_taken_away_by_another(make):
    site = make()
    site.confs[1]["home-networks"][0]["dynamic-pool"] = "10.50.129.0/27"
    site.start(0, 1)
    site.wait_addresses(0, 1)
    address = site.lease(0, 0)
    told = site.daemon(1).wait_event("cluster-differs")[0]
    assert (told["nai"], told["reason"]) == (site.nai(0), "no-such-pool")
    until(lambda: own(site.daemon(0))["lag-entries"] == 0, "it has read what the other one says")
    assert site.leases(0) == {address: site.nai(0)} and site.daemon(0).bindings()
    assert not site.leases(1)
    site.confs[1]["home-networks"][0]["dynamic-pool"] = POOL
    site.daemon(1).write_config(site.confs[1])
    site.daemon(1).reload()
    until(lambda: site.leases(1) == {address: site.nai(0)}, "with the pool it knows the lease")


def test_an_address_that_two_hosts_leased_all_the_same_stays_with_one_node(make):
    """Somebody wrote on the server that a block is another's: what was given is settled."""
    site = make(pool="10.50.128.1/32")
    site.start(0)
    site.wait_addresses(0)
    site.cluster.cut(0)
    first = site.lease(0, 0)
    site.cluster.server.ask("HSET", BLOCKS, "10.50.128.0/29", "ha2")
    site.start(1)
    site.wait_addresses(1)
    assert site.lease(1, 1) == first
    site.cluster.heal(0)
    until(lambda: site.leases(0) == site.leases(1) == {first: site.nai(1)},
          "the later one has it, everywhere")
    site.daemon(0).wait_event("cluster-block-lost")
    for daemon in site.cluster.daemons.values():
        assert [b["nai"] for b in daemon.bindings()] == [site.nai(1)]
