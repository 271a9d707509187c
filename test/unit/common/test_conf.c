/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration engine, on rows of its own: every type, every kind of fault with its place,
 * and input that is no configuration at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/addr.h"
#include "common/conf.h"
#include "common/err.h"
#include "test/unit/common/workdir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum colour { RED, GREEN, BLUE };

struct item {
	char *name;
	uint8_t *key;
	size_t key_len;
	uint32_t number;
};

struct thing {
	bool flag;
	uint16_t port;
	uint32_t wait_s;
	enum colour colour, colours[3];
	size_t colour_cnt;
	char *text;
	char name[8];
	struct in_addr address;
	struct addr_prefix prefix;
	bool has_prefix;
	char **words;
	size_t word_cnt;
	struct addr_set addresses, prefixes;
	struct item *items;
	size_t item_cnt;
};

static const char *const colours[] = { "red", "green", "blue", NULL };

static const char *check_even(const void *field)
{
	return *(const uint32_t *)field % 2 ? "must be even" : NULL;
}

static const struct conf_key item_rows[] = {
	{ "name", CONF_STRING, CONF_FIELD(struct item, name), .min = 1, .max = 5,
	  .required = true },
	{ "key", CONF_KEY, CONF_FIELD2(struct item, key, key_len), .min = 2, .max = 20 },
	{ "number", CONF_UINT, CONF_FIELD(struct item, number), .dflt = "12", .check = check_even },
	{ 0 }
};

#define FIELD(m)     CONF_FIELD(struct thing, m)
#define FIELD2(m, n) CONF_FIELD2(struct thing, m, n)

static const struct conf_key rows[] = {
	{ "flag", CONF_BOOL, FIELD(flag), .dflt = "yes" },
	{ "net.port", CONF_UINT, FIELD(port), .min = 1, .dflt = "434" },
	{ "net.deep.wait", CONF_SECONDS, FIELD(wait_s), .min = 2, .max = 100000, .dflt = "7" },
	{ "net.deep.colour", CONF_ENUM, FIELD(colour), .choices = colours, .dflt = "blue" },
	{ "colours", CONF_ENUM_LIST, FIELD2(colours, colour_cnt), .min = 1, .choices = colours,
	  .dflt = "[green, red]" },
	{ "text", CONF_STRING, FIELD(text), .max = 20, .dflt = "/run/{program}.sock" },
	{ "name", CONF_CHARS, FIELD(name) },
	{ "address", CONF_ADDRESS, FIELD(address), .required = true },
	{ "prefix", CONF_PREFIX, FIELD2(prefix, has_prefix) },
	{ "words", CONF_STRING_LIST, FIELD2(words, word_cnt) },
	{ "addresses", CONF_ADDRESS_SET, FIELD(addresses) },
	{ "prefixes", CONF_PREFIX_SET, FIELD(prefixes) },
	{ "items", CONF_MAPPINGS, FIELD2(items, item_cnt), .rows = item_rows,
	  .element_size = sizeof(struct item) },
	{ 0 }
};

static int read_octets(const char *text, size_t len, struct thing *thing,
		       struct conf_faults *faults, struct conf_doc **ret_doc)
{
	const struct conf_section section = { rows, thing };

	*thing = (struct thing){ 0 };
	workdir_write("f", text, len, 0600);
	return conf_read("f", "prog", &section, 1, faults, ret_doc);
}

/** Reads a text; the faults as they are printed must be these. */
static void expect_faults(const char *text, size_t len, int expect_err, const char *expect)
{
	static struct conf_faults faults;
	struct conf_doc *doc = NULL;
	struct thing thing;
	char *printed = NULL;
	size_t printed_len;
	FILE *out = open_memstream(&printed, &printed_len);

	assert_non_null(out);
	assert_int_equal(read_octets(text, len, &thing, &faults, &doc), expect_err);
	assert_int_equal(expect_err < 0, doc == NULL);
	conf_faults_print(&faults, out);
	fclose(out);
	assert_string_equal(printed, expect);
	free(printed);
	conf_doc_free(doc);
	conf_done(rows, &thing);
	conf_faults_done(&faults);
	assert_false(conf_faults_any(&faults));
}

#define FAULTS(text, expect) expect_faults(text, strlen(text), 0, expect)
#define BROKEN(text, expect) expect_faults(text, strlen(text), ERR_CONFIG, expect)
#define A                    "address: 10.0.0.1\n"

static void every_type_is_read_into_its_field(void **state)
{
	static const char text[] = "%YAML 1.1\n---\n"
				   "flag: off\n"
				   "net: {port: 0x1ff, deep: {wait: 99999, colour: red}}\n"
				   "colours: [blue, green, red]\n"
				   "text: 'a: b # c'\n"
				   "name: \"seven77\"\n"
				   "address: 192.0.2.1\n"
				   "prefix: 10.0.0.0/8\n"
				   "words:\n- eth0\n- \"eth1\"\n"
				   "addresses: [10.0.0.2, 10.0.0.1]\n"
				   "prefixes: [10.0.0.0/8, 172.16.0.0/12]\n"
				   "items:\n"
				   "  - name: one\n"
				   "    key: 0aFf00\n"
				   "  - {name: two, number: 0}\n"
				   "  - {name: three}\n";
	struct conf_faults faults = { 0 };
	struct conf_doc *doc;
	struct thing t;

	(void)state;
	assert_int_equal(read_octets(text, strlen(text), &t, &faults, &doc), 0);
	conf_faults_print(&faults, stderr);
	assert_false(conf_faults_any(&faults));
	assert_false(t.flag);
	assert_int_equal(t.port, 0x1ff);
	assert_int_equal(t.wait_s, 99999);
	assert_int_equal(t.colour, RED);
	assert_int_equal(t.colour_cnt, 3);
	assert_int_equal(t.colours[0], BLUE);
	assert_int_equal(t.colours[1], GREEN);
	assert_int_equal(t.colours[2], RED);
	assert_string_equal(t.text, "a: b # c");
	assert_string_equal(t.name, "seven77");
	assert_string_equal(addr_text(t.address).s, "192.0.2.1");
	assert_true(t.has_prefix);
	assert_string_equal(addr_prefix_text(t.prefix).s, "10.0.0.0/8");
	assert_int_equal(t.word_cnt, 2);
	assert_string_equal(t.words[1], "eth1");
	assert_int_equal(t.addresses.cnt, 2);
	assert_int_equal(t.addresses.prefixes[0].len, 32);
	assert_int_equal(t.prefixes.cnt, 2);
	assert_int_equal(t.item_cnt, 3);
	assert_int_equal(t.items[0].key_len, 3);
	assert_memory_equal(t.items[0].key, "\x0a\xff\x00", 3);
	assert_int_equal(t.items[0].number, 12);
	assert_int_equal(t.items[1].number, 0);
	assert_null(t.items[1].key);
	assert_string_equal(t.items[2].name, "three");
	assert_int_equal(conf_doc_file(doc, 0)->mode & S_IFMT, S_IFREG);
	assert_true(conf_is_given(doc, "net.port"));
	assert_int_equal(conf_where(doc, "net.port").line, 4);
	assert_int_equal(conf_where(doc, "net.port").column, 13);
	assert_int_equal(conf_where_in(doc, "items", 0, "key").line, 17);
	assert_int_equal(conf_where_in(doc, "items", 0, "key").column, 10);
	assert_int_equal(conf_where_in(doc, "items", 1, NULL).column, 5);
	assert_int_equal(conf_where_in(doc, "items", 2, "number").line, 19);
	conf_doc_free(doc);
	conf_done(rows, &t);
	assert_null(t.items);
	assert_null(t.text);
}

static void what_is_not_given_has_its_default(void **state)
{
	struct conf_faults faults = { 0 };
	struct conf_doc *doc;
	struct thing t;

	(void)state;
	assert_int_equal(
		read_octets(A "net:\nitems:\n", strlen(A "net:\nitems:\n"), &t, &faults, &doc), 0);
	assert_false(conf_faults_any(&faults));
	assert_true(t.flag);
	assert_int_equal(t.port, 434);
	assert_int_equal(t.wait_s, 7);
	assert_int_equal(t.colour, BLUE);
	assert_int_equal(t.colour_cnt, 2);
	assert_int_equal(t.colours[0], GREEN);
	assert_int_equal(t.colours[1], RED);
	assert_string_equal(t.text, "/run/prog.sock");
	assert_string_equal(t.name, "");
	assert_false(t.has_prefix);
	assert_int_equal(t.item_cnt, 0);
	assert_false(conf_is_given(doc, "flag"));
	assert_int_equal(conf_where(doc, "net.port").line, 2);
	conf_doc_free(doc);
	conf_done(rows, &t);
}

static void an_unknown_key_is_told_with_the_nearest_one(void **state)
{
	(void)state;
	FAULTS(A "falg: true\n", "f:2:1: error: unknown key \"falg\"; did you mean \"flag\"?\n");
	FAULTS(A "net:\n  deep:\n    colour: red\n    weit: 3\n",
	       "f:5:5: error: unknown key \"weit\" in \"net.deep\"; did you mean \"wait\"?\n");
	FAULTS(A "items:\n- name: a\n  nmae: b\n",
	       "f:4:3: error: unknown key \"nmae\" in \"items\"; did you mean \"name\"?\n");
	FAULTS(A "net:\n  zzzzzz: [1, {a: b}]\n",
	       "f:3:3: error: unknown key \"zzzzzz\" in \"net\"; known here: port, deep\n");
	FAULTS(A "net.port: 3\n",
	       "f:2:1: error: unknown key \"net.port\"; \"port\" stands below \"net\"\n");
	FAULTS(A "wait: 3\n",
	       "f:2:1: error: unknown key \"wait\"; \"wait\" stands below \"net.deep\"\n");
	FAULTS(A "\"\": 3\n", "f:2:1: error: unknown key \"\"; known here: flag, net, colours, "
			      "text, name, address, "
			      "prefix, words, addresses, prefixes, items\n");
}

static void a_key_or_section_is_given_once(void **state)
{
	(void)state;
	FAULTS(A "flag: on\nflag: off\n",
	       "f:3:7: error: flag: given a second time; the first is in line 2\n");
	FAULTS(A "net: {port: 1}\nflag: on\nnet:\n  port: 2\n",
	       "f:5:3: error: net: given a second time; the first is in line 2\n");
	FAULTS(A "net:\n  deep: {wait: 5}\n  port: 1\n  deep: {wait: 5}\n",
	       "f:5:9: error: net.deep: given a second time; the first is in line 3\n");
	FAULTS(A "items:\n- name: a\n  name: b\n",
	       "f:4:9: error: name: given a second time; the first is in line 3\n");
}

static void a_number_is_whole_and_in_range(void **state)
{
	(void)state;
	FAULTS(A "net: {port: 0}\n",
	       "f:2:13: error: net.port: \"0\" is out of range: 1 to 65535\n");
	FAULTS(A "net: {port: 65536}\n",
	       "f:2:13: error: net.port: \"65536\" is out of range: 1 to 65535\n");
	FAULTS(A "net: {deep: {wait: 100001}}\n",
	       "f:2:20: error: net.deep.wait: \"100001\" is out of range: 2 to 100000 seconds\n");
	FAULTS(A "net: {port: 99999999999}\n",
	       "f:2:13: error: net.port: \"99999999999\" is out of range: 1 to 65535\n");
	FAULTS(A "net: {port: -1}\n",
	       "f:2:13: error: net.port: \"-1\" is not a whole number: 1 to 65535 is wanted\n");
	FAULTS(A "net: {port: 1.5}\n",
	       "f:2:13: error: net.port: \"1.5\" is not a whole number: 1 to 65535 is wanted\n");
	FAULTS(A "net: {port: 0x}\n",
	       "f:2:13: error: net.port: \"0x\" is not a whole number: 1 to 65535 is wanted\n");
	FAULTS(A "net: {port: 010}\n",
	       "f:2:13: error: net.port: \"010\" begins with 0, which YAML takes for octal: leave "
	       "the 0 out\n");
	FAULTS(A "net: {port: '434'}\n",
	       "f:2:13: error: net.port: a number is wanted, without quotes\n");
	FAULTS(A "items: [{name: a, number: 3}]\n", "f:2:27: error: number: must be even\n");
}

static void a_value_is_of_its_type(void **state)
{
	(void)state;
	FAULTS(A "flag: 1\n", "f:2:7: error: flag: \"1\" is neither true nor false\n");
	FAULTS(A "flag: \"true\"\n",
	       "f:2:7: error: flag: true or false is wanted, without quotes\n");
	FAULTS(A "flag: [on]\n", "f:2:7: error: flag: one value is wanted here, not a list\n");
	FAULTS(A "flag: {a: b}\n", "f:2:7: error: flag: one value is wanted here, not a mapping\n");
	FAULTS(A "flag:\n",
	       "f:2:6: error: flag: a value is missing: give one, or leave the key out\n");
	FAULTS(A "text: ~\n",
	       "f:2:7: error: text: a value is missing: give one, or leave the key out\n");
	FAULTS(A "text: 123456789012345678901\n",
	       "f:2:7: error: text: 21 octets are too many: at most 20\n");
	FAULTS(A "text: \"a\\tb\"\n", "f:2:7: error: text: control characters are not allowed\n");
	FAULTS(A "text: \"a\\0b\"\n", "f:2:7: error: text: control characters are not allowed\n");
	FAULTS(A "name: eight888\n", "f:2:7: error: name: 8 octets are too many: at most 7\n");
	FAULTS(A "net: 3\n",
	       "f:2:6: error: net: a mapping is wanted here: keys below it, further indented\n");
	FAULTS(A "words: eth0\n",
	       "f:2:8: error: words: a list is wanted here: [A, B], or one a line "
	       "after \"- \"\n");
	FAULTS(A "words: [a, [b]]\n",
	       "f:2:12: error: words: one value is wanted here, not a list\n");
	FAULTS(A "items: {name: a}\n",
	       "f:2:8: error: items: a list is wanted here: one element after each \"- \"\n");
	FAULTS(A "items: [a]\n",
	       "f:2:9: error: items: each element is a mapping: \"- name: ...\"\n");
	FAULTS(A "? [a, b]\n: c\n", "f:2:3: error: a key is a word\n");
	FAULTS(A "\"flag\\0\": on\n", "f:2:1: error: a key is a word\n");
}

static void a_key_is_near_within_a_third_of_its_letters_and_one(void **state)
{
	(void)state;
	FAULTS(A "fl: true\n", "f:2:1: error: unknown key \"fl\"; did you mean \"flag\"?\n");
	FAULTS(A "adding: 1\n", "f:2:1: error: unknown key \"adding\"; known here: flag, net, "
				"colours, text, name, address, prefix, words, addresses, prefixes, "
				"items\n");
	FAULTS(A "addressed: 1\n",
	       "f:2:1: error: unknown key \"addressed\"; did you mean \"addresses\"?\n");
}

static void a_choice_is_one_of_its_row(void **state)
{
	(void)state;
	FAULTS(A "net: {deep: {colour: gren}}\n", "f:2:22: error: net.deep.colour: \"gren\" is not "
						  "one of red, green, blue; did you mean "
						  "\"green\"?\n");
	FAULTS(A "colours: [red, mauve, red]\n",
	       "f:2:16: error: colours: \"mauve\" is not one of red, green, blue\n"
	       "f:2:23: error: colours: \"red\" is in this list already\n");
	FAULTS(A "colours:\n", "f:2:9: error: colours: an empty list: at least 1 wanted\n");
	FAULTS(A "colours: red\n",
	       "f:2:10: error: colours: a list is wanted here: [A, B], or one a "
	       "line after \"- \"\n");
	FAULTS(A "colours: []\n", "f:2:10: error: colours: an empty list: at least 1 wanted\n");
}

static void an_address_or_prefix_is_told_with_a_remedy(void **state)
{
	(void)state;
	FAULTS("address: 10.0.0\n", "f:1:10: error: address: \"10.0.0\" is not an IPv4 address\n");
	FAULTS(A "addresses: [10.0.0.1, 10.0.0.0/8]\n",
	       "f:2:23: error: addresses: \"10.0.0.0/8\" is not an IPv4 address\n");
	FAULTS(A "prefix: 10.1.2.3/8\n", "f:2:9: error: prefix: \"10.1.2.3/8\" has bits behind its "
					 "prefix length; did you mean "
					 "10.0.0.0/8?\n");
	FAULTS(A "prefix: 10.1.2.3/0\n", "f:2:9: error: prefix: \"10.1.2.3/0\" has bits behind its "
					 "prefix length; did you mean "
					 "0.0.0.0/0?\n");
	FAULTS(A "prefix: 10.1.2.3\n", "f:2:9: error: prefix: \"10.1.2.3\" has no prefix length: "
				       "10.1.2.3/32 is this address "
				       "alone\n");
	FAULTS(A "prefixes: [10.0.0.0/33, x]\n",
	       "f:2:12: error: prefixes: \"10.0.0.0/33\" is not an IPv4 prefix, ADDRESS/LENGTH\n"
	       "f:2:25: error: prefixes: \"x\" is not an IPv4 prefix, ADDRESS/LENGTH\n");
}

static void a_required_key_must_be_given(void **state)
{
	(void)state;
	FAULTS("flag: on\n", "f:1:1: error: address: required, and not given\n");
	FAULTS(A "items:\n- number: 2\n", "f:3:3: error: name: required, and not given\n");
}

static void a_fault_never_repeats_a_key(void **state)
{
	(void)state;
	FAULTS(A "items: [{name: a, key: 00112z}]\n",
	       "f:2:24: error: key: a key is written in hex digits, two an octet; character 6 is "
	       "none\n");
	FAULTS(A "items: [{name: a, key: 001}]\n",
	       "f:2:24: error: key: the key has an odd number of hex digits (3)\n");
	FAULTS(A "items: [{name: a, key: ''}]\n",
	       "f:2:24: error: key: the key is empty: 2 to 20 octets are wanted\n");
	FAULTS(A "items: [{name: a, key: 00}]\n",
	       "f:2:24: error: key: the key has 1 octets: 2 to 20 are wanted\n");
	/* In another's place: hex digits of a key's length are not repeated either. */
	FAULTS(A "net: {deep: {colour: 00112233445566778899aabbccddeeff}}\n",
	       "f:2:22: error: net.deep.colour: this (not repeated: it may be a key) is not one of "
	       "red, green, blue\n");
	FAULTS(A "00112233445566778899: x\nnet: {port: 00112233445566778899}\n",
	       "f:2:1: error: unknown key this (not repeated: it may be a key); known here: flag, "
	       "net, "
	       "colours, text, name, address, prefix, words, addresses, prefixes, items\n"
	       "f:3:13: error: net.port: this (not repeated: it may be a key) begins with 0, which "
	       "YAML takes for octal: leave the 0 out\n");
}

static void a_faulty_value_is_quoted_printable_and_short(void **state)
{
	(void)state;
	FAULTS(A "address2: x\nnet: {deep: {colour: \"\\e[31m\\u00e9\"}}\n",
	       "f:2:1: error: unknown key \"address2\"; did you mean \"address\"?\n"
	       "f:3:22: error: net.deep.colour: \"\\x1b[31m\\xc3\\xa9\" is not one of red, green, "
	       "blue\n");
	FAULTS(A "prefix: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
	       "f:2:9: error: prefix: "
	       "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."
	       "\" is not an IPv4 prefix, ADDRESS/LENGTH\n");
}

static void aliases_and_tags_are_refused(void **state)
{
	(void)state;
	FAULTS("address: &a 10.0.0.1\ntext: *a\nwords: *a\nitems: [*a, {name: *a}]\nnet: *a\n",
	       "f:2:7: error: aliases (*name) are not allowed: write the value out\n"
	       "f:3:8: error: aliases (*name) are not allowed: write the value out\n"
	       "f:4:9: error: aliases (*name) are not allowed: write the value out\n"
	       "f:4:20: error: aliases (*name) are not allowed: write the value out\n"
	       "f:5:6: error: aliases (*name) are not allowed: write the value out\n");
	FAULTS(A "text: !!str x\n",
	       "f:2:7: error: tags (!name) are not allowed: write the value alone\n");
}

static void a_refused_value_gives_way_to_its_default(void **state)
{
	static const char text[] =
		"address: &a 10.0.0.1\nnet: {port: *a}\ntext: !x y\nflag: nope\n"
		"colours: [blue, x]\nitems: [{name: a}, {name: *a}, {name: b}]\n";
	struct conf_faults faults = { 0 };
	struct conf_doc *doc;
	struct thing t;

	(void)state;
	assert_int_equal(read_octets(text, strlen(text), &t, &faults, &doc), 0);
	assert_int_equal(faults.cnt, 5);
	assert_int_equal(t.port, 434);
	assert_string_equal(t.text, "/run/prog.sock");
	assert_true(t.flag);
	assert_int_equal(t.colour_cnt, 2);
	assert_int_equal(t.colours[0], GREEN);
	/* Sound elements stay. */
	assert_int_equal(t.item_cnt, 2);
	assert_string_equal(t.items[1].name, "b");
	assert_int_equal(conf_where_in(doc, "items", 1, "name").column, 39);
	assert_false(conf_is_sound(doc, "items"));
	assert_true(conf_is_sound(doc, "words"));
	conf_doc_free(doc);
	conf_done(rows, &t);
	conf_faults_done(&faults);
}

static void broken_yaml_ends_the_reading_where_it_breaks(void **state)
{
	(void)state;
	BROKEN("flag: on\n\taddress: 10.0.0.1\n",
	       "f:2:1: error: found a tab character that violates indentation: a tab cannot indent "
	       "YAML, use spaces\n");
	BROKEN("falg: on\nnet: {port: 1\n",
	       "f:1:1: error: unknown key \"falg\"; did you mean \"flag\"?\n"
	       "f:3:1: error: did not find expected ',' or '}', while parsing a flow mapping of "
	       "line "
	       "2\n");
	BROKEN("text: \"abc\n",
	       "f:2:1: error: found unexpected end of stream, while scanning a quoted "
	       "scalar of line 1\n");
	BROKEN(A "text: \xff\n",
	       "f:2:7: error: invalid leading UTF-8 octet: a configuration is UTF-8 "
	       "text\n");
	BROKEN("text: *nobody\nnet:\n\tport: 1\n",
	       "f:1:7: error: aliases (*name) are not allowed: write the value out\n"
	       "f:3:1: error: found character that cannot start any token: a tab cannot indent "
	       "YAML, "
	       "use spaces\n");
}

static void a_file_is_one_mapping(void **state)
{
	(void)state;
	BROKEN("", "f:1:1: error: nothing is configured in this file\n");
	BROKEN("# only a comment\n", "f:1:1: error: nothing is configured in this file\n");
	BROKEN("---\n", "f:1:1: error: nothing is configured in this file\n");
	BROKEN("\n- a\n", "f:2:1: error: a configuration is a mapping: lines of \"key: value\"\n");
	BROKEN("word\n", "f:1:1: error: a configuration is a mapping: lines of \"key: value\"\n");
	BROKEN(A "---\n" A,
	       "f:2:1: error: a second document begins here: a configuration is one\n");
}

static void nesting_is_limited(void **state)
{
	char text[4096] = "q: ";

	(void)state;
	memset(text + 3, '[', 4000);
	BROKEN(text, "f:1:1: error: unknown key \"q\"; known here: flag, net, colours, text, name, "
		     "address, prefix, words, addresses, prefixes, items\n"
		     "f:1:35: error: nested more than 32 deep\n");
}

static void a_file_that_cannot_be_read_is_a_fault_of_its_own(void **state)
{
	struct conf_faults faults = { 0 };
	struct conf_doc *doc;
	struct thing t = { 0 };
	const struct conf_section section = { rows, &t };

	(void)state;
	assert_int_equal(conf_read("absent", "prog", &section, 1, &faults, &doc), ERR_CONFIG);
	assert_int_equal(conf_read("/", "prog", &section, 1, &faults, &doc), ERR_CONFIG);
	assert_int_equal(mkfifo("nodes", 0600), 0); /* nobody writes to it: nobody waits for that */
	assert_int_equal(conf_read("nodes", "prog", &section, 1, &faults, &doc), ERR_CONFIG);
	assert_int_equal(faults.cnt, 3);
	assert_string_equal(faults.list[2].text, "cannot read this file: not a regular file");
	assert_string_equal(faults.list[0].text,
			    "cannot read this file: No such file or directory");
	assert_string_equal(faults.list[1].text, "cannot read this file: Is a directory");
	assert_string_equal(faults.list[1].file, "/");
	assert_int_equal(faults.list[1].at.line, 1);
	conf_faults_done(&faults);
	conf_done(rows, &t);
}

static void faults_are_ordered_by_file_and_position(void **state)
{
	static struct conf_faults faults;
	const struct conf_mark at[] = { { 5, 1 }, { 2, 9 }, { 2, 3 }, { 5, 1 }, { 1, 1 } };
	static const char *const file[] = { "b", "b", "b", "b", "a" };
	char *printed = NULL;
	size_t len, i;
	FILE *out = open_memstream(&printed, &len);

	(void)state;
	for (i = 0; i < 5; i++)
		conf_faults_add(&faults, file[i], at[i], "fault %zu", i);
	conf_faults_add(&faults, "b", (struct conf_mark){ 3, 1 }, "fault 5");
	conf_faults_print(&faults, out);
	fclose(out);
	assert_string_equal(printed, "b:2:3: error: fault 2\n"
				     "b:2:9: error: fault 1\n"
				     "b:3:1: error: fault 5\n"
				     "b:5:1: error: fault 0\n"
				     "b:5:1: error: fault 3\n"
				     "a:1:1: error: fault 4\n");
	free(printed);
	conf_faults_done(&faults);
}

static void faults_beyond_the_limit_are_counted(void **state)
{
	static struct conf_faults faults;
	char *printed = NULL;
	size_t len;
	uint32_t i;
	FILE *out = open_memstream(&printed, &len);

	(void)state;
	for (i = 1; i <= CONF_FAULTS_MAX + 7; i++)
		conf_faults_add(&faults, "f", (struct conf_mark){ i, 1 }, "x");
	assert_int_equal(faults.cnt, CONF_FAULTS_MAX);
	assert_int_equal(faults.dropped, 7);
	conf_faults_print(&faults, out);
	fclose(out);
	assert_non_null(strstr(printed, "f:100:1: error: x\nf:100:1: error: 7 more faults are not "
					"shown\n"));
	free(printed);
	conf_faults_done(&faults);
}

static void one_value_is_stored_by_its_row(void **state)
{
	struct thing t = { 0 };
	char why[100];

	(void)state;
	assert_int_equal(conf_value(conf_row(rows, "net.port"), "99", &t, why, sizeof(why)), 0);
	assert_int_equal(t.port, 99);
	assert_int_equal(conf_value(conf_row(rows, "net.port"), "x", &t, why, sizeof(why)),
			 ERR_INVALID);
	assert_string_equal(why, "\"x\" is not a whole number: 1 to 65535 is wanted");
	assert_int_equal(t.port, 99);
	assert_null(conf_row(rows, "nothing"));
}

static uint32_t random_next(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

/* Nothing to compare: the sanitizers, and the leak check at exit, are the judges. */
static void garbage_is_survived(void **state)
{
	static const char alphabet[] = "abfglnt :-[]{},#&*!|>'\"%@`\n\n\n  \t?.0123\\\x80\xc3\xff";
	static const char *const seeds[] = { "items:\n  - name: a\n    key: 0011\n",
					     "net: {port: 1}\n", A, "colours: [red, blue]\n",
					     "words:\n  - a\n" };
	static struct conf_faults faults;
	struct conf_doc *doc;
	struct thing t;
	char text[200];
	uint32_t x = 88172645u;
	size_t round, len, i;

	(void)state;
	for (round = 0; round < 4000; round++) {
		len = (size_t)snprintf(text, sizeof(text), "%s%s", seeds[random_next(&x) % 5],
				       seeds[random_next(&x) % 5]);
		for (i = random_next(&x) % 12; i > 0; i--)
			text[random_next(&x) % len] =
				alphabet[random_next(&x) % (sizeof(alphabet) - 1)];
		if (round % 3 == 0)
			len = random_next(&x) % len;
		doc = NULL;
		if (read_octets(text, len, &t, &faults, &doc) < 0)
			assert_true(conf_faults_any(&faults));
		conf_doc_free(doc);
		conf_done(rows, &t);
		conf_faults_done(&faults);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_read_into_its_field),
		cmocka_unit_test(what_is_not_given_has_its_default),
		cmocka_unit_test(an_unknown_key_is_told_with_the_nearest_one),
		cmocka_unit_test(a_key_is_near_within_a_third_of_its_letters_and_one),
		cmocka_unit_test(a_key_or_section_is_given_once),
		cmocka_unit_test(a_number_is_whole_and_in_range),
		cmocka_unit_test(a_value_is_of_its_type),
		cmocka_unit_test(a_choice_is_one_of_its_row),
		cmocka_unit_test(an_address_or_prefix_is_told_with_a_remedy),
		cmocka_unit_test(a_required_key_must_be_given),
		cmocka_unit_test(a_fault_never_repeats_a_key),
		cmocka_unit_test(a_faulty_value_is_quoted_printable_and_short),
		cmocka_unit_test(aliases_and_tags_are_refused),
		cmocka_unit_test(a_refused_value_gives_way_to_its_default),
		cmocka_unit_test(broken_yaml_ends_the_reading_where_it_breaks),
		cmocka_unit_test(a_file_is_one_mapping),
		cmocka_unit_test(nesting_is_limited),
		cmocka_unit_test(a_file_that_cannot_be_read_is_a_fault_of_its_own),
		cmocka_unit_test(faults_are_ordered_by_file_and_position),
		cmocka_unit_test(faults_beyond_the_limit_are_counted),
		cmocka_unit_test(one_value_is_stored_by_its_row),
		cmocka_unit_test(garbage_is_survived),
	};

	return cmocka_run_group_tests_name("conf", tests, workdir_setup, workdir_teardown);
}
