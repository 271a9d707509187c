/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GET and GETNEXT over both MIBs with no SNMP agent: rows come straight from the pages of an
 * engine, as the child gets them. The walk is compared with what GET says of each OID.
 */
#include "common/addr.h"
#include "ha-core/snmp/mip_mib.h"
#include "ha-core/snmp/snmp_source.h"
#include "ha-core/tunnel/encap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/common/addr_of.h"
#include "test/unit/ha-core/engine/idle_hooks.h"

#define NOW_MS 5000000

struct fixture {
	struct engine engine;
	struct snmp_source source;
	struct snmp_page page;
	struct mib mib;
	const struct mib_group *groups[32];
	unsigned int pages; /* made */
};

static uint64_t row_key(const struct snmp_page *p, size_t i)
{
	uint64_t key;

	memcpy(&key, p->rows + i * snmp_row_size((enum snmp_table)p->table), sizeof(key));
	return key;
}

/* As the child does, without a socket: the page it has, or another. */
static int seek(void *ctx, unsigned int table, uint64_t from, uint64_t *ret_key,
		const void **ret_row)
{
	struct fixture *f = ctx;
	struct snmp_page *p = &f->page;
	size_t i;

	if (f->pages == 0 || p->table != table || p->from > from ||
	    (p->more && (p->cnt == 0 || row_key(p, p->cnt - 1) < from))) {
		(void)snmp_source_page(&f->source, (enum snmp_table)table, from, NOW_MS, p);
		f->pages++;
	}
	for (i = 0; i < p->cnt && row_key(p, i) < from; i++)
		;
	if (i == p->cnt)
		return 0;
	*ret_key = row_key(p, i);
	*ret_row = p->rows + i * snmp_row_size((enum snmp_table)table);
	return 1;
}

static int setup(void **state)
{
	static struct fixture f;
	static const struct ha_policy policy;
	const struct engine_conf conf = { .home_agent = addr("10.0.0.2"), .max_bindings = 4 };
	const struct clock now = { .mono_ms = NOW_MS };
	size_t i, cnt = 0;

	memset(&f, 0, sizeof(f));
	assert_int_equal(
		engine_init(&f.engine, &conf, 64, &policy, NULL,
			    &(struct engine_hooks){ idle_changed, idle_random, NULL, NULL, NULL },
			    &now),
		0);
	f.source = (struct snmp_source){
		.engine = &f.engine, .name = "ihad", .device = "ihad0", .port = 434
	};
	for (i = 0; i < mip_mib_group_cnt; i++)
		f.groups[cnt++] = mip_mib_groups[i];
	for (i = 0; i < home_agent_mib_group_cnt; i++)
		f.groups[cnt++] = home_agent_mib_groups[i];
	f.mib = (struct mib){ f.groups, cnt, seek, &f };
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	snmp_source_done(&f->source);
	engine_done(&f->engine);
	return 0;
}

static void add_node(struct fixture *f, uint32_t home_addr, uint32_t spi, enum mac_algorithm alg)
{
	assert_int_equal(engine_add_node(&f->engine, addr_from_host(home_addr), NULL, spi, alg,
					 "0123456789abcdef", 16, REPLAY_TIMESTAMP,
					 REPLAY_SECONDS(7)),
			 0);
}

static void bind_node(struct fixture *f, uint32_t home_addr, uint32_t care_of)
{
	const struct binding_key key = { addr_from_host(home_addr), f->engine.conf.home_agent };
	struct binding *b = binding_put(&f->engine.cache, key, addr_from_host(care_of));

	assert_non_null(b);
	b->expires_ms = NOW_MS + 60000;
	b->lifetime_s = 60;
	b->ident = 0xee123456789abcde;
	b->flags = REG_FLAG_D | REG_FLAG_G;
	b->node = sa_peer_find(&f->engine.nodes, key.home_addr);
}

static struct agentx_oid oid(size_t len, const uint32_t *ids)
{
	struct agentx_oid o = { .len = len };

	memcpy(o.ids, ids, len * sizeof(ids[0]));
	return o;
}

#define IDS(...)       ((const uint32_t[]){ __VA_ARGS__ })
#define OID(...)       oid(sizeof(IDS(__VA_ARGS__)) / sizeof(uint32_t), IDS(__VA_ARGS__))
#define MIP_OID(...)   OID(1, 3, 6, 1, 2, 1, 44, 1, __VA_ARGS__)
#define BINDING_COLUMN 6, 3, 1, 1

/* Walks everything; each OID is above the one before, and GET has the same value. */
static size_t walk(struct fixture *f, const struct agentx_oid *root)
{
	struct agentx_oid at = *root, next;
	struct agentx_value value, again;
	size_t cnt = 0;

	memset(&value, 0, sizeof(value));
	memset(&again, 0, sizeof(again));
	while (mib_next(&f->mib, &at, &next, &value) == 1 && next.len > root->len &&
	       memcmp(next.ids, root->ids, root->len * sizeof(root->ids[0])) == 0) {
		assert_true(mib_compare(&next, &at) > 0);
		assert_int_equal(mib_get(&f->mib, &next, &again), 1);
		assert_int_equal(value.type, again.type);
		assert_int_equal(value.number, again.number);
		at = next;
		cnt++;
	}
	return cnt;
}

static void groups_are_in_the_order_of_their_oids(void **state)
{
	struct fixture *f = *state;
	struct agentx_oid last = { .len = 0 }, column;
	size_t g, c;

	for (g = 0; g < f->mib.group_cnt; g++)
		for (c = 0; c < f->groups[g]->column_cnt; c++) {
			column = f->groups[g]->entry;
			column.ids[column.len++] = f->groups[g]->columns[c].arc;
			assert_true(mib_compare(&column, &last) > 0);
			last = column;
		}
}

static void tables_without_rows_are_walked_over(void **state)
{
	struct fixture *f = *state;
	const struct agentx_oid bindings = MIP_OID(6, 3, 1), registration = MIP_OID(6, 3);

	assert_int_equal(walk(f, &bindings), 0);
	assert_int_equal(walk(f, &registration), 17);
}

static void a_walk_finds_every_row_of_each_column_in_order(void **state)
{
	struct fixture *f = *state;
	const struct agentx_oid bindings = MIP_OID(6, 3, 1), everything = OID(1, 3, 6, 1);
	const struct agentx_oid associations = MIP_OID(2, 1), nodes = MIP_OID(6, 3, 2);
	uint32_t i;

	for (i = 0; i < 1000; i++) { /* downwards, so that the order is not that of coming */
		add_node(f, 0x0a320400 - i, 256 + i % 3, MAC_HMAC_MD5);
		bind_node(f, 0x0a320400 - i, 0x0a010001 + i % 7);
		if (i % 10 == 0)
			bind_node(f, 0x0a320400 - i, 0xc0a80001);
	}
	assert_int_equal(walk(f, &bindings), 8 * 1100);
	assert_int_equal(walk(f, &associations), 4 * 1000);
	assert_int_equal(walk(f, &nodes), 6 * 1000);
	assert_true(walk(f, &everything) > 8 * 1100 + 23 * 1100);
}

static void a_walk_asks_for_a_page_of_rows_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct agentx_oid at = MIP_OID(BINDING_COLUMN, 1), next;
	struct agentx_value value;
	uint32_t i;

	for (i = 0; i < 1000; i++)
		bind_node(f, 0x0a320000 + i, 0x0a010001);
	f->pages = 0;
	for (i = 0; i < 1000; i++) {
		assert_int_equal(mib_next(&f->mib, &at, &next, &value), 1);
		at = next;
	}
	assert_true(f->pages <= 1000 / 32 + 1);
}

static void next_of_any_oid_is_the_first_instance_above(void **state)
{
	struct fixture *f = *state;
	static const struct {
		uint32_t ids[12];
		size_t len;
		int found; /* 0: 10.50.0.7, 1: 10.50.0.9, 2: another column */
	} cases[] = {
		{ { 0 }, 0, 0 },
		{ { 9 }, 1, 0 },
		{ { 10 }, 1, 0 },
		{ { 11 }, 1, 2 },
		{ { 10, 50, 0, 7 }, 4, 0 },
		{ { 10, 50, 0, 7, 10, 1, 0, 10 }, 8, 1 },
		{ { 10, 50, 0, 7, 10, 1, 0, 9 }, 8, 0 },
		{ { 10, 50, 0, 7, 10, 1, 0, 9, 99 }, 9, 0 },
		{ { 10, 50, 0, 7, 10, 1, 0, 10, 0 }, 9, 1 },
		{ { 10, 50, 0, 7, 10, 1, 0, 256 }, 8, 1 },
		{ { 10, 50, 0, 7, 4294967295u }, 5, 1 },
		{ { 10, 50, 0, 256 }, 4, 2 },
		{ { 10, 50, 0, 8, 255, 255, 255, 255 }, 8, 1 },
		{ { 10, 50, 0, 9, 255, 255, 255, 255 }, 8, 2 },
		{ { 255, 255, 255, 255, 255, 255, 255, 255 }, 8, 2 },
		{ { 256 }, 1, 2 },
		{ { 4294967295u }, 1, 2 },
	};
	struct agentx_oid at, next;
	struct agentx_value value;
	size_t i;

	bind_node(f, 0x0a320007, 0x0a01000a);
	bind_node(f, 0x0a320009, 0x0a01000a);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		at = MIP_OID(BINDING_COLUMN, 1);
		memcpy(at.ids + at.len, cases[i].ids, cases[i].len * sizeof(uint32_t));
		at.len += cases[i].len;
		assert_int_equal(mib_next(&f->mib, &at, &next, &value), 1);
		assert_int_equal(next.ids[12], cases[i].found == 2 ? 2 : 1);
		assert_int_equal(next.ids[16], cases[i].found == 1 ? 9 : 7);
	}
}

static void get_wants_the_instance_to_the_letter(void **state)
{
	struct fixture *f = *state;
	struct agentx_oid good = MIP_OID(BINDING_COLUMN, 7, 10, 50, 0, 7, 10, 1, 0, 10), bad;
	struct agentx_value value;

	bind_node(f, 0x0a320007, 0x0a01000a);
	assert_int_equal(mib_get(&f->mib, &good, &value), 1);
	assert_int_equal(value.number, 60);
	bad = good;
	bad.len--;
	assert_int_equal(mib_get(&f->mib, &bad, &value), 0);
	bad.len += 2;
	assert_int_equal(mib_get(&f->mib, &bad, &value), 0);
	bad = good;
	bad.ids[bad.len - 1] += 256;
	assert_int_equal(mib_get(&f->mib, &bad, &value), 0);
	bad = MIP_OID(1, 1); /* mipEntities without its .0 */
	assert_int_equal(mib_get(&f->mib, &bad, &value), 0);
	bad = MIP_OID(1, 1, 1);
	assert_int_equal(mib_get(&f->mib, &bad, &value), 0);
	good = MIP_OID(1, 1, 0);
	assert_int_equal(mib_get(&f->mib, &good, &value), 1);
	assert_int_equal(value.octets[0], 0x20);
}

static void halves_of_an_identification_are_signed_and_the_whole_is_octets(void **state)
{
	struct fixture *f = *state;
	const struct agentx_oid high = MIP_OID(BINDING_COLUMN, 6, 10, 50, 0, 7, 10, 1, 0, 10);
	const struct agentx_oid whole = OID(1, 3, 6, 1, 4, 1, 32473, 5265, 1, 3, 10, 1, 23, 1, 4,
					    10, 50, 0, 7, 1, 4, 10, 1, 0, 10);
	struct agentx_value value;

	bind_node(f, 0x0a320007, 0x0a01000a);
	assert_int_equal(mib_get(&f->mib, &high, &value), 1);
	assert_int_equal(value.type, AGENTX_INTEGER);
	assert_true((int32_t)value.number == (int32_t)0xee123456);
	assert_int_equal(mib_get(&f->mib, &whole, &value), 1);
	assert_memory_equal(value.octets, "\xee\x12\x34\x56\x78\x9a\xbc\xde", 8);
	assert_int_equal(value.len, 8);
}

static void keys_are_never_shown(void **state)
{
	struct fixture *f = *state;
	const struct agentx_oid key = MIP_OID(2, 1, 1, 5, 10, 50, 0, 7, 300);
	struct agentx_value value;

	add_node(f, 0x0a320007, 300, MAC_HMAC_MD5);
	assert_int_equal(mib_get(&f->mib, &key, &value), 1);
	assert_int_equal(value.type, AGENTX_OCTETS);
	assert_int_equal(value.len, 0);
}

static void associations_of_one_peer_are_in_the_order_of_their_spis(void **state)
{
	struct fixture *f = *state;
	struct agentx_oid at = MIP_OID(2, 1, 1, 4), next;
	struct agentx_value value;
	static const uint32_t spis[] = { 256, 300, 4294967295u };
	static const uint32_t modes[] = { 1, 2, 1 };
	size_t i;

	add_node(f, 0x0a320007, 4294967295u, MAC_HMAC_SHA256);
	add_node(f, 0x0a320007, 256, MAC_HMAC_MD5);
	add_node(f, 0x0a320007, 300, MAC_KEYED_MD5);
	for (i = 0; i < 3; i++) {
		assert_int_equal(mib_next(&f->mib, &at, &next, &value), 1);
		assert_int_equal(next.ids[next.len - 1], spis[i]);
		assert_int_equal(value.number, modes[i]);
		at = next;
	}
}

/* Each page begins anew: so does one in the middle of a node. */
static void bindings_of_one_node_are_in_the_order_of_their_care_of_addresses(void **state)
{
	struct fixture *f = *state;
	static const struct {
		uint32_t home_addr, care_of;
	} rows[] = { { 0x0a320007, 0x0a010003 },
		     { 0x0a320007, 0x0a01000a },
		     { 0x0a320007, 0xc6336401 },
		     { 0x0a320009, 0x0a010002 } };
	struct snmp_page page;
	uint64_t from = 0;
	size_t i, len;

	bind_node(f, 0x0a320009, 0x0a010002);
	bind_node(f, 0x0a320007, 0x0a01000a);
	bind_node(f, 0x0a320007, 0xc6336401);
	bind_node(f, 0x0a320007, 0x0a010003);
	for (i = 0; i < 4; i++) {
		const uint64_t key = (uint64_t)rows[i].home_addr << 32 | rows[i].care_of;
		uint64_t first;

		len = snmp_source_page(&f->source, SNMP_BINDINGS, from, NOW_MS, &page);
		assert_int_equal(page.cnt, 4 - i);
		assert_int_equal(len, page.cnt * snmp_row_size(SNMP_BINDINGS));
		memcpy(&first, page.rows, sizeof(first));
		assert_true(first == key);
		from = key + 1;
	}
	assert_int_equal(snmp_source_page(&f->source, SNMP_BINDINGS, from, NOW_MS, &page), 0);
}

static void a_trusted_network_counts_its_use_and_a_reload_keeps_the_count(void **state)
{
	struct fixture *f = *state;
	struct addr_set set = { 0 };
	struct addr_prefix ten, other;

	assert_int_equal(addr_prefix_parse("192.168.0.0/16", &other), 0);
	assert_int_equal(addr_prefix_parse("10.1.0.0/16", &ten), 0);
	assert_int_equal(addr_set_add(&set, other), 0);
	assert_int_equal(addr_set_add(&set, ten), 0);
	assert_int_equal(snmp_source_set_trusted(&f->source, &set), 0);
	snmp_source_trusted_used(&f->source, addr("10.1.255.255"), NOW_MS);
	snmp_source_trusted_used(&f->source, addr("192.168.2.3"), NOW_MS);
	snmp_source_trusted_used(&f->source, addr("10.1.0.0"), NOW_MS);
	snmp_source_trusted_used(&f->source, addr("10.2.0.0"), NOW_MS);
	snmp_source_trusted_used(&f->source, addr("10.0.255.255"), NOW_MS);
	assert_int_equal(f->source.trusted[0].requests, 2);
	assert_int_equal(f->source.trusted[1].requests, 1);
	addr_set_done(&set);
	assert_int_equal(addr_set_add(&set, ten), 0);
	assert_int_equal(snmp_source_set_trusted(&f->source, &set), 0);
	addr_set_done(&set);
	assert_int_equal(f->source.trusted_cnt, 1);
	assert_int_equal(f->source.trusted[0].requests, 2);
	assert_int_equal(f->source.trusted[0].used_cs, NOW_MS / 10);
}

static void notices_name_objects_that_there_are(void **state)
{
	struct fixture *f = *state;
	struct agentx_object objects[MIB_NOTICE_OBJECTS];
	struct agentx_oid notification;
	struct agentx_value value;
	struct snmp_notice n = { .kind = SNMP_NOTICE };
	size_t cnt, i;

	for (n.what = 0; n.what < SNMP_NOTICE_AUTH_FAILURE; n.what++) {
		cnt = home_agent_mib_notice(&n, &notification, objects);
		assert_int_equal(notification.ids[notification.len - 2], 0);
		assert_int_equal(notification.ids[notification.len - 1], n.what + 1);
		for (i = 0; i < cnt; i++) /* those of heNotifying from 3 on are for notify only */
			if (objects[i].oid.ids[9] != 7)
				assert_int_equal(mib_get(&f->mib, &objects[i].oid, &value), 1);
	}
	/* Its own five, and whose it is. */
	assert_int_equal(mip_mib_notice(&n, &notification, objects), 6);
	assert_int_equal(mib_get(&f->mib, &objects[5].oid, &value), 1);
}

/* --- every counter --- */

/* Counters that no object shows, and why not. */
static const struct {
	const char *name, *why;
} left_out[] = {
	{ NULL, "there is none" },
};

/* Each counter has a value of its own: its place, and a thousand. */
#define COUNTER_VALUE(member) (1000 + offsetof(struct stats, member) / sizeof(uint64_t))

/* Is it a scalar of ours? */
static bool is_scalar(size_t offset)
{
	const struct mib_group *group;
	size_t g, c;

	for (g = 0; g < home_agent_mib_group_cnt; g++) {
		group = home_agent_mib_groups[g];
		for (c = 0; group->table == SNMP_AGENT && c < group->column_cnt; c++)
			if (group->columns[c].offset == offset &&
			    group->columns[c].kind == MIB_COUNTER64)
				return true;
	}
	return false;
}

/* Is it a row of heReplyCodeTable? */
static bool is_code(const struct fixture *f, uint64_t value)
{
	struct snmp_row_code row;
	size_t i;

	for (i = 0; i < f->page.cnt; i++) {
		memcpy(&row, f->page.rows + i * sizeof(row), sizeof(row));
		if (row.cnt == value)
			return true;
	}
	return false;
}

static bool is_left_out(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (left_out[i].name && strcmp(left_out[i].name, name) == 0)
			return true;
	return false;
}

/* A new row of stats.h needs an object, or a line in left_out. */
static void every_counter_has_an_object(void **state)
{
	struct fixture *f = *state;

#define X(member, name) f->engine.stats.member = COUNTER_VALUE(member);
	STATS_COUNTERS(X)
#undef X
	(void)snmp_source_page(&f->source, SNMP_CODES, 0, NOW_MS, &f->page);
#define X(member, name)                                                  \
	if (!is_scalar(offsetof(struct snmp_row_agent, stats.member)) && \
	    !is_code(f, COUNTER_VALUE(member)) && !is_left_out(name))    \
		fail_msg("%s has no object in HOME-AGENT-MIB, nor a reason for it", name);
	STATS_COUNTERS(X)
#undef X
}

/* --- the store --- */

static void failing_store(void *ctx, struct snmp_store *out)
{
	(void)ctx;
	out->state = SNMP_STORE_FAILING;
	out->octets = 77;
	snmp_text_set(&out->error, "full", 4);
}

static void the_store_is_none_unless_there_is_one(void **state)
{
	struct fixture *f = *state;
	const struct agentx_oid store_state = OID(1, 3, 6, 1, 4, 1, 32473, 5265, 1, 8, 1, 0);
	const struct agentx_oid octets = OID(1, 3, 6, 1, 4, 1, 32473, 5265, 1, 8, 4, 0);
	struct agentx_value value;

	assert_int_equal(mib_get(&f->mib, &store_state, &value), 1);
	assert_int_equal(value.number, SNMP_STORE_NONE);
	f->source.store = failing_store;
	f->pages = 0;
	assert_int_equal(mib_get(&f->mib, &store_state, &value), 1);
	assert_int_equal(value.number, SNMP_STORE_FAILING);
	assert_int_equal(mib_get(&f->mib, &octets, &value), 1);
	assert_int_equal(value.number, 77);
}

static void a_faster_tier_has_the_higher_number(void **state)
{
	(void)state;
	assert_true(snmp_source_tier("xdp") > snmp_source_tier("tc"));
	assert_true(snmp_source_tier("tc") > snmp_source_tier("kernel"));
	assert_true(snmp_source_tier("kernel") > snmp_source_tier("tun"));
	assert_true(snmp_source_tier("tun") > snmp_source_tier("what is this"));
}

/* For test/lint/mibs.sh: every column of HOME-AGENT-MIB. */
static void print_columns(void)
{
	size_t g, c, i;

	for (g = 0; g < home_agent_mib_group_cnt; g++)
		for (c = 0; c < home_agent_mib_groups[g]->column_cnt; c++) {
			const struct mib_group *group = home_agent_mib_groups[g];

			for (i = 0; i < group->entry.len; i++)
				printf("%s%u", i ? "." : "", group->entry.ids[i]);
			printf(".%u\n", group->columns[c].arc);
		}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(groups_are_in_the_order_of_their_oids),
		TEST(tables_without_rows_are_walked_over),
		TEST(a_walk_finds_every_row_of_each_column_in_order),
		TEST(a_walk_asks_for_a_page_of_rows_at_a_time),
		TEST(next_of_any_oid_is_the_first_instance_above),
		TEST(get_wants_the_instance_to_the_letter),
		TEST(halves_of_an_identification_are_signed_and_the_whole_is_octets),
		TEST(keys_are_never_shown),
		TEST(associations_of_one_peer_are_in_the_order_of_their_spis),
		TEST(bindings_of_one_node_are_in_the_order_of_their_care_of_addresses),
		TEST(a_trusted_network_counts_its_use_and_a_reload_keeps_the_count),
		TEST(notices_name_objects_that_there_are),
		TEST(every_counter_has_an_object),
		TEST(the_store_is_none_unless_there_is_one),
		TEST(a_faster_tier_has_the_higher_number),
	};

	if (argc > 1 && strcmp(argv[1], "--columns") == 0) {
		print_columns();
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
