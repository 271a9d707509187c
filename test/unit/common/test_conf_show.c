/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration in force, back into words; no key among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/addr.h"
#include "common/conf.h"

#include <stdlib.h>
#include <string.h>

struct element {
	uint32_t spi;
	uint8_t *key;
	size_t key_len;
};

static const char *const colours[] = { "red", "green", NULL };

static struct sample {
	bool flag;
	uint16_t narrow;
	uint32_t wide;
	int colour;
	int list[2];
	size_t list_cnt;
	char *text;
	char name[16];
	struct in_addr addr;
	bool has_pool;
	struct addr_prefix pool;
	struct addr_set set;
	struct element *elements;
	size_t element_cnt;
} sample;

#define FIELD(m)     CONF_FIELD(struct sample, m)
#define FIELD2(m, n) CONF_FIELD2(struct sample, m, n)

static const struct conf_key element_rows[] = {
	{ "spi", CONF_UINT, CONF_FIELD(struct element, spi) },
	{ "key", CONF_KEY, CONF_FIELD2(struct element, key, key_len) },
	{ 0 },
};

static const struct conf_key rows[] = {
	{ "flag", CONF_BOOL, FIELD(flag) },
	{ "part.narrow", CONF_SECONDS, FIELD(narrow), .dflt = "7" },
	{ "part.wide", CONF_UINT, FIELD(wide), .unit = "octets" },
	{ "partial", CONF_ENUM, FIELD(colour), .choices = colours },
	{ "list", CONF_ENUM_LIST, FIELD2(list, list_cnt), .choices = colours },
	{ "text", CONF_STRING, FIELD(text) },
	{ "name", CONF_CHARS, FIELD(name) },
	{ "addr", CONF_ADDRESS, FIELD(addr) },
	{ "pool", CONF_PREFIX, FIELD2(pool, has_pool) },
	{ "set", CONF_PREFIX_SET, FIELD(set) },
	{ "elements", CONF_MAPPINGS, FIELD2(elements, element_cnt), .rows = element_rows,
	  .element_size = sizeof(struct element) },
	{ 0 },
};

static char shown[65536];

static void put(void *ctx, const char *key, const char *value, const struct conf_key *row)
{
	size_t len = strlen(shown);

	(void)ctx;
	(void)snprintf(shown + len, sizeof(shown) - len, "%s=%s%s%s\n", key, value ? value : "-",
		       conf_unit(row) ? " " : "", conf_unit(row) ? conf_unit(row) : "");
}

static const char *show(const char *under)
{
	const struct conf_section section = { rows, &sample };
	struct conf_cursor at = { 0 };

	shown[0] = '\0';
	while (conf_show_next(&section, under, &at, put, NULL))
		;
	return shown;
}

static void what_is_not_set_has_no_value(void **state)
{
	(void)state;
	sample = (struct sample){ 0 };
	assert_string_equal(show(""),
			    "flag=false\npart.narrow=0 seconds\npart.wide=0 octets\n"
			    "partial=red\nlist=[]\ntext=-\nname=-\naddr=-\npool=-\nset=[]\n"
			    "elements=(0)\n");
	sample.element_cnt = 7; /* let go */
	assert_string_equal(show("elements"), "elements=(7)\n");
}

static void each_type_is_shown_as_it_is_written_and_no_key(void **state)
{
	uint8_t key[] = { 0xde, 0xad };
	struct element elements[] = { { 256, key, sizeof(key) }, { 257, NULL, 0 } };
	struct addr_prefix p;

	(void)state;
	sample = (struct sample){ .flag = true,
				  .narrow = 65535,
				  .wide = UINT32_MAX,
				  .colour = 1,
				  .list = { 1, 0 },
				  .list_cnt = 2,
				  .text = (char *)"a text",
				  .name = "lan0",
				  .addr = { htonl(0x0a000002) },
				  .has_pool = true,
				  .elements = elements,
				  .element_cnt = 2 };
	assert_int_equal(addr_prefix_parse("10.0.0.0/8", &p), 0);
	sample.pool = p;
	assert_int_equal(addr_set_add(&sample.set, p), 0);
	assert_string_equal(
		show(""),
		"flag=true\npart.narrow=65535 seconds\npart.wide=4294967295 octets\n"
		"partial=green\nlist=[green, red]\ntext=a text\nname=lan0\naddr=10.0.0.2\n"
		"pool=10.0.0.0/8\nset=[10.0.0.0/8]\n"
		"elements[0].spi=256\nelements[0].key=(hidden, 2 octets)\n"
		"elements[1].spi=257\nelements[1].key=-\n");
	addr_set_done(&sample.set);
}

static void a_section_is_asked_for_by_its_name(void **state)
{
	struct element elements[2] = { { 256, NULL, 0 }, { 257, NULL, 0 } };

	(void)state;
	sample = (struct sample){ .elements = elements, .element_cnt = 2 };
	assert_string_equal(show("part"), "part.narrow=0 seconds\npart.wide=0 octets\n");
	assert_string_equal(show("part.wide"), "part.wide=0 octets\n");
	assert_string_equal(show("elements[1]"), "elements[1].spi=257\nelements[1].key=-\n");
	assert_string_equal(show("nothing"), "");
}

static void a_key_is_known_by_its_row_section_or_list(void **state)
{
	const struct conf_section section = { rows, &sample };

	(void)state;
	sample = (struct sample){ 0 };
	assert_true(conf_show_knows(&section, ""));
	assert_true(conf_show_knows(&section, "part"));
	assert_true(conf_show_knows(&section, "part.wide"));
	assert_true(conf_show_knows(&section, "elements"));
	assert_true(conf_show_knows(&section, "elements[1].spi"));
	assert_false(conf_show_knows(&section, "nothing"));
	assert_false(conf_show_knows(&section, "par"));
	assert_false(conf_show_knows(&section, "text[0]"));
	assert_false(conf_show_knows(&section, "[0]"));
}

static void of_a_long_list_the_number_is_told_unless_asked_for(void **state)
{
	struct element *many = calloc(1000, sizeof(*many));

	(void)state;
	assert_non_null(many);
	sample = (struct sample){ .elements = many, .element_cnt = 1000 };
	assert_non_null(strstr(show(""), "\nelements=(1000, see show config elements)\n"));
	assert_null(strstr(shown, "elements[0]"));
	assert_non_null(strstr(show("elements"), "\nelements[999].spi=0\n"));
	free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_set_has_no_value),
		cmocka_unit_test(each_type_is_shown_as_it_is_written_and_no_key),
		cmocka_unit_test(a_section_is_asked_for_by_its_name),
		cmocka_unit_test(a_key_is_known_by_its_row_section_or_list),
		cmocka_unit_test(of_a_long_list_the_number_is_told_unless_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
