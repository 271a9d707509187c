/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes what is written of the programs from the rows that the programs are made of: the manual
 * pages' lists of keys, commands and options, and the shells' completion. Runs while the project is
 * built: copies a template from stdin to stdout, and for each line "@NAME@" writes that list.
 *
 *	@VERSION@ within a line   the version
 *	@KEYS SHARED|IHAD|XHAD@   keys of the configuration, in troff
 *	@COMMANDS@ @OWN-COMMANDS@ @OPTIONS@   of hactl, in troff
 *	@COMMAND-ROWS@            of hactl, one a line, "WORDS|SYNOPSIS|DOC", for completion
 *	@OPTION-ROWS@             the same: "--NAME|-LETTER|ARGUMENT|DOC"
 */
#include "common/cli/cli_rows.h"
#include "common/conf.h"
#include "ha-core/ha_conf.h"
#include "ha-core/ha_ctl.h"
#include "ihad/conf.h"
#include "xhad/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- troff ---- */

static void put(const char *text)
{
	for (const char *p = text; *p; p++) {
		if ((p == text || p[-1] == '\n') && (*p == '.' || *p == '\''))
			fputs("\\&", stdout);
		if (*p == '\\')
			fputs("\\e", stdout);
		else if (*p == '-')
			fputs("\\-", stdout);
		else
			putchar(*p);
	}
}

static const char *type_words(const struct conf_key *row)
{
	switch (row->type) {
	case CONF_BOOL:
		return "true or false";
	case CONF_UINT:
	case CONF_SECONDS:
		return "a number";
	case CONF_ENUM:
		return "one of";
	case CONF_ENUM_LIST:
		return "a list of";
	case CONF_STRING:
	case CONF_CHARS:
		return "text";
	case CONF_ADDRESS:
		return "an IPv4 address";
	case CONF_PREFIX:
		return "an IPv4 prefix";
	case CONF_KEY:
		return "hex digits, two an octet";
	case CONF_STRING_LIST:
		return "a list of texts";
	case CONF_ADDRESS_SET:
		return "a list of IPv4 addresses";
	case CONF_PREFIX_SET:
		return "a list of IPv4 prefixes";
	case CONF_MAPPINGS:
		return "a list of mappings, with these keys";
	case CONF_INCLUDE:
		return "a directory";
	}
	return "";
}

static void put_range(const struct conf_key *row)
{
	const char *unit = conf_unit(row);
	unsigned long most = row->size == sizeof(uint16_t) ? UINT16_MAX : UINT32_MAX;

	if (row->max > 0)
		most = row->max;
	if (row->type == CONF_UINT || row->type == CONF_SECONDS) {
		printf(", %u to %lu", row->min, most);
		if (unit)
			printf(" %s", unit);
	} else if (row->type == CONF_KEY) {
		printf(", %u to %u octets", row->min, row->max);
	} else if ((row->type == CONF_STRING || row->type == CONF_CHARS) && row->max > 0) {
		printf(", at most %u octets", row->max);
	}
}

static void put_choices(const struct conf_key *row)
{
	for (size_t i = 0; row->choices && row->choices[i]; i++) {
		fputs(i > 0 ? ", " : " ", stdout);
		put(row->choices[i]);
	}
}

static void put_keys(const struct conf_key *rows)
{
	for (; rows->path; rows++) {
		fputs(".TP\n\\fB", stdout);
		put(rows->path);
		printf("\\fR\n(%s", type_words(rows));
		put_choices(rows);
		put_range(rows);
		if (rows->required) {
			fputs("; required", stdout);
		} else if (rows->dflt) {
			fputs("; default ", stdout);
			put(rows->dflt);
		}
		fputs(")\n.br\n", stdout);
		put(rows->doc);
		putchar('\n');
		if (rows->warn_empty) {
			fputs("Empty is warned of: ", stdout);
			put(rows->warn_empty);
			fputs(".\n", stdout);
		}
		if (rows->rows) {
			fputs(".RS\n", stdout);
			put_keys(rows->rows);
			fputs(".RE\n", stdout);
		}
	}
}

static void put_sentence(const char *doc)
{
	put(doc);
	puts(doc[strlen(doc) - 1] == '?' ? "" : ".");
}

static void put_command(const char *words, const char *synopsis, const char *doc)
{
	fputs(".TP\n\\fB", stdout);
	put(words);
	fputs("\\fR", stdout);
	if (*synopsis) {
		fputs(" \\fI", stdout);
		put(synopsis);
		fputs("\\fR", stdout);
	}
	putchar('\n');
	put_sentence(doc);
}

static void put_option(const struct cli_option *o)
{
	const bool optional = o->argument && *o->argument == '[';
	const char *argument = o->argument ? o->argument + optional : "";
	int len = (int)strcspn(argument, "]");

	printf(".TP\n\\fB\\-%c\\fR", o->letter);
	if (optional)
		printf("[\\fI%.*s\\fR]", len, argument);
	printf(", \\fB\\-\\-%s\\fR", o->name);
	if (o->argument)
		printf(optional ? "[=\\fI%.*s\\fR]" : " \\fI%.*s\\fR", len, argument);
	putchar('\n');
	put_sentence(o->doc);
}

/* ---- The lists ---- */

static void keys_shared(void)
{
	put_keys(ha_conf_rows);
}

static void keys_ihad(void)
{
	put_keys(ihad_conf_rows);
}

static void keys_xhad(void)
{
	put_keys(xhad_conf_rows);
}

static void commands(void)
{
	for (const struct ctl_command *c = ha_ctl_commands; c->words; c++)
		put_command(c->words, c->synopsis, c->doc);
	put_command("help", "", "list what can be asked");
}

static void own_commands(void)
{
	for (const struct cli_command *c = cli_commands; c->words; c++)
		put_command(c->words, c->synopsis, c->doc);
}

static void options(void)
{
	for (const struct cli_option *o = cli_options; o->name; o++)
		put_option(o);
}

static void command_rows(void)
{
	for (const struct ctl_command *c = ha_ctl_commands; c->words; c++)
		printf("%s|%s|%s\n", c->words, c->synopsis, c->doc);
	for (const struct cli_command *c = cli_commands; c->words; c++)
		printf("%s|%s|%s\n", c->words, c->synopsis, c->doc);
	puts("help||list what can be asked");
}

static void option_rows(void)
{
	for (const struct cli_option *o = cli_options; o->name; o++)
		printf("--%s|-%c|%s|%s\n", o->name, o->letter, o->argument ? o->argument : "",
		       o->doc);
}

static const struct {
	const char *line;
	void (*write)(void);
} lists[] = {
	{ "@KEYS SHARED@\n", keys_shared },   { "@KEYS IHAD@\n", keys_ihad },
	{ "@KEYS XHAD@\n", keys_xhad },       { "@COMMANDS@\n", commands },
	{ "@OWN-COMMANDS@\n", own_commands }, { "@OPTIONS@\n", options },
	{ "@COMMAND-ROWS@\n", command_rows }, { "@OPTION-ROWS@\n", option_rows },
};

static void copy_line(char *line)
{
	char *version;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (strcmp(line, lists[i].line) == 0) {
			lists[i].write();
			return;
		}
	}
	version = strstr(line, "@VERSION@");
	if (version)
		printf("%.*s%s%s", (int)(version - line), line, HOME_AGENT_VERSION,
		       version + strlen("@VERSION@"));
	else
		fputs(line, stdout);
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0)
		copy_line(line);
	free(line);
	return ferror(stdin) || fflush(stdout) != 0;
}
