/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An instance is a number in a mixed radix: each sub-identifier that varies is a digit, of 8 or 32
 * bits, and the key is what they add up to. Instances of one shape are all of one length, so the
 * lexicographic order of the OIDs is the order of the keys, and "the instance after this OID" is
 * "the smallest key at or above a bound", whatever OID a manager thinks up. That bound is what
 * after() finds; the rest is a walk over the columns, a few hundred at most.
 */
#include "ha-core/snmp/mib.h"

#include "common/addr.h"

#include <string.h>

/* --- instances --- */

/* Bits of the key in one place of the shape; 0: a number that is always the same. */
static unsigned int digit_bits(char shape)
{
	return shape == 'o' ? 8 : shape == 'n' ? 32 : 0;
}

static unsigned int key_bits(const char *index)
{
	unsigned int bits = 0;

	for (; *index; index++)
		bits += digit_bits(*index);
	return bits;
}

static uint64_t shift(uint64_t key, unsigned int bits)
{
	return bits < 64 ? key << bits : 0;
}

/* The key of exactly this instance. */
static bool decode(const char *index, const uint32_t *ids, size_t len, uint64_t *ret_key)
{
	uint64_t key = 0;
	size_t i;

	if (len != strlen(index))
		return false;
	for (i = 0; i < len; i++) {
		if (digit_bits(index[i]) == 0 ? ids[i] != (uint32_t)(index[i] - '0')
					      : index[i] == 'o' && ids[i] > UINT8_MAX)
			return false;
		key = shift(key, digit_bits(index[i])) | (digit_bits(index[i]) ? ids[i] : 0);
	}
	*ret_key = key;
	return true;
}

/* The number behind this one, of so many bits. @return false: there is none */
static bool increment(uint64_t key, unsigned int bits, uint64_t *ret_key)
{
	if (bits == 0 || key == (bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX))
		return false;
	*ret_key = key + 1;
	return true;
}

/* The smallest key whose instance comes after these sub-identifiers. @return false: none */
static bool after(const char *index, const uint32_t *ids, size_t len, uint64_t *ret_key)
{
	unsigned int left = key_bits(index), had = 0, bits;
	uint64_t key = 0, max;
	size_t i;

	for (i = 0; index[i]; i++) {
		bits = digit_bits(index[i]);
		max = bits ? (UINT64_C(1) << bits) - 1 : (uint64_t)(index[i] - '0');
		if (i == len || (bits == 0 && ids[i] < max))
			break; /* it comes before all that begin so */
		if (ids[i] > max) {
			/* ... or behind them all. */
			if (!increment(key, had, &key))
				return false;
			break;
		}
		left -= bits;
		had += bits;
		if (bits)
			key = shift(key, bits) | ids[i];
	}
	if (!index[i] && !increment(key, had, &key)) /* the instance itself, or below it */
		return false;
	*ret_key = shift(key, left);
	return true;
}

static void encode(const char *index, uint64_t key, struct agentx_oid *oid)
{
	unsigned int left = key_bits(index), bits;

	for (; *index && oid->len < AGENTX_OID_MAX; index++) {
		bits = digit_bits(*index);
		left -= bits;
		if (bits == 0)
			oid->ids[oid->len++] = (uint32_t)(*index - '0');
		else
			oid->ids[oid->len++] =
				(uint32_t)(key >> left & ((UINT64_C(1) << bits) - 1));
	}
}

void mib_instance(const struct mib_group *group, const struct mib_column *column, uint64_t key,
		  struct agentx_oid *out_oid)
{
	*out_oid = group->entry;
	out_oid->ids[out_oid->len++] = column->arc;
	encode(group->index, key, out_oid);
}

/* --- values --- */

static uint64_t number_of(const void *field, uint16_t size)
{
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;

	switch (size) {
	case sizeof(u64):
		memcpy(&u64, field, sizeof(u64));
		return u64;
	case sizeof(u32):
		memcpy(&u32, field, sizeof(u32));
		return u32;
	case sizeof(u16):
		memcpy(&u16, field, sizeof(u16));
		return u16;
	default:
		return *(const uint8_t *)field;
	}
}

static void set_octets(struct agentx_value *v, const void *octets, size_t len)
{
	v->type = AGENTX_OCTETS;
	v->len = len < AGENTX_OCTETS_MAX ? len : AGENTX_OCTETS_MAX;
	memcpy(v->octets, octets, v->len);
}

void mib_value(const struct mib_column *column, const void *row, struct agentx_value *out_value)
{
	const void *field = (const char *)row + column->offset;
	struct agentx_value *v = out_value;
	const struct mib_text *text;

	v->number = 0;
	v->len = 0;
	switch (column->kind) {
	case MIB_INTEGER:
		v->type = AGENTX_INTEGER;
		v->number = number_of(field, column->size);
		break;
	case MIB_UNSIGNED:
		v->type = AGENTX_UNSIGNED;
		v->number = number_of(field, column->size);
		break;
	case MIB_COUNTER32:
		v->type = AGENTX_COUNTER32;
		v->number = number_of(field, column->size);
		break;
	case MIB_COUNTER64:
		v->type = AGENTX_COUNTER64;
		v->number = number_of(field, column->size);
		break;
	case MIB_TRUTH:
		v->type = AGENTX_INTEGER;
		v->number = number_of(field, column->size) ? 1 : 2;
		break;
	case MIB_DURATION:
		v->type = AGENTX_DURATION;
		v->number = number_of(field, column->size);
		break;
	case MIB_TICKS:
		v->type = AGENTX_TICKS;
		v->number = number_of(field, column->size);
		break;
	case MIB_ADDRESS:
		v->type = AGENTX_ADDRESS;
		memcpy(&v->address, field, sizeof(v->address));
		break;
	case MIB_INET_TYPE:
		v->type = AGENTX_INTEGER;
		v->number = 1;
		break;
	case MIB_INET:
	case MIB_OCTETS:
		set_octets(v, field, column->size);
		break;
	case MIB_TEXT:
		text = field;
		set_octets(v, text->octets, text->len);
		break;
	case MIB_SECRET:
		v->type = AGENTX_OCTETS;
		break;
	}
}

/* --- the walk --- */

static int compare_ids(const uint32_t *a, size_t a_len, const uint32_t *b, size_t b_len)
{
	size_t i;

	for (i = 0; i < a_len && i < b_len; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return a_len < b_len ? -1 : a_len > b_len;
}

int mib_compare(const struct agentx_oid *a, const struct agentx_oid *b)
{
	return compare_ids(a->ids, a->len, b->ids, b->len);
}

static bool begins_with(const struct agentx_oid *oid, const struct agentx_oid *prefix)
{
	return oid->len >= prefix->len &&
	       memcmp(oid->ids, prefix->ids, prefix->len * sizeof(oid->ids[0])) == 0;
}

int mib_get(const struct mib *mib, const struct agentx_oid *oid, struct agentx_value *out_value)
{
	const struct mib_group *group;
	uint64_t key, found;
	const void *row;
	size_t g, c, at;
	int rc;

	for (g = 0; g < mib->group_cnt; g++) {
		group = mib->groups[g];
		at = group->entry.len;
		if (!begins_with(oid, &group->entry) || oid->len == at)
			continue;
		for (c = 0; c < group->column_cnt; c++)
			if (group->columns[c].arc == oid->ids[at])
				break;
		if (c == group->column_cnt)
			continue;
		if (!decode(group->index, &oid->ids[at + 1], oid->len - at - 1, &key))
			return 0;
		rc = mib->seek(mib->ctx, group->table, key, &found, &row);
		if (rc <= 0 || found != key)
			return rc < 0 ? rc : 0;
		mib_value(&group->columns[c], row, out_value);
		return 1;
	}
	return 0;
}

/* The first instance of a column that comes after the OID. */
static int next_of(const struct mib *mib, const struct mib_group *group,
		   const struct mib_column *column, const struct agentx_oid *oid,
		   struct agentx_oid *out_oid, struct agentx_value *out_value)
{
	struct agentx_oid leaf = group->entry;
	uint64_t from = 0, key;
	const void *row;
	int rc;

	leaf.ids[leaf.len++] = column->arc;
	if (begins_with(oid, &leaf)) {
		if (!after(group->index, &oid->ids[leaf.len], oid->len - leaf.len, &from))
			return 0;
	} else if (mib_compare(oid, &leaf) > 0) {
		return 0;
	}
	rc = mib->seek(mib->ctx, group->table, from, &key, &row);
	if (rc <= 0)
		return rc;
	mib_instance(group, column, key, out_oid);
	mib_value(column, row, out_value);
	return 1;
}

int mib_next(const struct mib *mib, const struct agentx_oid *oid, struct agentx_oid *out_oid,
	     struct agentx_value *out_value)
{
	const struct mib_group *group;
	size_t g, c;
	int rc;

	for (g = 0; g < mib->group_cnt; g++) {
		group = mib->groups[g];
		for (c = 0; c < group->column_cnt; c++) {
			rc = next_of(mib, group, &group->columns[c], oid, out_oid, out_value);
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}
