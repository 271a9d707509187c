# SPDX-License-Identifier: BSD-2-Clause
"""What is tried with Redis holds good with Valkey: the same tests, its server and its Sentinel."""

import shutil

import pytest

from fixtures import cluster as servers
from test_cluster import (
    cluster, node,
    test_a_host_that_comes_back_reads_on_where_it_was,
    test_a_host_that_fell_too_far_behind_compares_everything,
    test_a_host_that_joins_learns_what_there_is,
    test_a_key_of_another_type_is_mended,
    test_a_request_that_was_never_shared_is_a_replay_after_a_fail_over,
    test_a_server_that_hangs_is_one_that_is_away,
    test_a_server_that_is_killed_costs_no_answer_and_no_change,
    test_a_server_that_sentinel_replaces,
    test_a_server_without_memory_refuses_and_changes_wait,
    test_a_wrong_password_is_said_and_the_host_serves,
    test_an_answer_that_is_confirmed_is_shared_before_it_leaves,
    test_too_few_replicas_confirm_nothing,
    test_what_a_server_forgets_the_hosts_tell_it_again,
    test_what_others_write_into_the_stream_is_gone_over,
)
from test_cluster_leases import (
    make, site,
    test_each_host_gives_addresses_of_its_own,
    test_what_a_host_has_it_has_after_a_restart_but_not_without_the_server,
    test_what_the_server_forgets_is_claimed_anew_by_those_whose_it_is,
)
from test_cluster_tls import (
    test_a_master_that_sentinels_replace_by_tls_is_told_what_it_lacks, watched,
)

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def valkey(monkeypatch):
    for role in ("server", "sentinel"):
        if not shutil.which(f"valkey-{role}"):
            pytest.skip(f"valkey-{role} is not installed (Debian 12 has it in bookworm-backports)")
        monkeypatch.setitem(servers.PROGRAMS, role, f"valkey-{role}")


def test_the_server_is_valkey(cluster):
    assert b"server_name:valkey" in cluster.server.ask("INFO", "server")
