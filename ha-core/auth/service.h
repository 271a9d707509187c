/* SPDX-License-Identifier: BSD-2-Clause */
/** The named services that a mobile node may select (RFC 5446). */
#ifndef HA_CORE_AUTH_SERVICE_H
#define HA_CORE_AUTH_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERVICE_NAME_MAX 255 /* octets; the extension's Length is one octet */

struct service {
	struct service *next;
	uint8_t len;
	uint8_t name[];
};

/** Adds a name of 1 to SERVICE_NAME_MAX octets. @retval ERR_INVALID, -ENOMEM */
int service_list_add(struct service **list, const char *name);
void service_list_free(struct service *list);

bool service_list_has(const struct service *list, const uint8_t *name, size_t len);

#endif
