/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Service names are compared octet by octet: RFC 5446 §3 has the mobile node send them in UTF-8,
 * normalised to form KC, and the administrator writes them down as they are sent.
 */
#include "ha-core/auth/service.h"

#include "common/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int service_list_add(struct service **list, const char *name)
{
	size_t len = strlen(name);
	struct service *s;

	if (len == 0 || len > SERVICE_NAME_MAX)
		return ERR_INVALID;
	s = malloc(sizeof(*s) + len);
	if (!s)
		return -ENOMEM;
	s->len = (uint8_t)len;
	memcpy(s->name, name, len);
	s->next = *list;
	*list = s;
	return 0;
}

void service_list_free(struct service *list)
{
	struct service *next;

	for (; list; list = next) {
		next = list->next;
		free(list);
	}
}

bool service_list_has(const struct service *list, const uint8_t *name, size_t len)
{
	for (; list; list = list->next)
		if (list->len == len && memcmp(list->name, name, len) == 0)
			return true;
	return false;
}
