/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The door to net-snmp. Each root is registered as one subtree with a handler that walks the
 * requests and asks get() or next(); net-snmp's own tables and caches are not used. All that it
 * reads from files and keeps in files is switched off: what a subagent needs is in our own
 * configuration.
 *
 * The loop is poll(2) by way of net-snmp's select information: its sessions, our descriptor, and
 * its alarms (pings, attempts to connect).
 *
 * A time stamp is in the master's sysUpTime, which net-snmp learns at each response; ours are
 * monotonic, and so converted here. One from before the master started is 0 (RFC 2579). What is
 * learnt is late by some hundredths of a second, and not always by as many. So when the master
 * started is found out once a session: what has happened keeps its time, however often it is read.
 */
#include "common/agentx.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
/* In the order that they need of one another. */
/* clang-format off */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>
#include <net-snmp/agent/agent_callbacks.h>
#include <net-snmp/agent/agent_sysORTable.h>
/* clang-format on */
#pragma GCC diagnostic pop

#define DEFAULT_PRIORITY 127 /* RFC 2741 §6.2.3 */
#define CALL_TIMEOUT_S   2   /* a master that does not answer for so long is taken for gone */

#define START_OFF_CS (100 * CALL_TIMEOUT_S) /* what is learnt is never so late: clocks drift */

#define REFUSAL     "registering pdu failed: 263"
#define UNREACHABLE "Warning: Failed to connect to the agentx master agent ("

static const struct agentx_conf *conf; /* as net-snmp is one a process, so are we */

static bool registers_default; /* what net-snmp registers now is for the default context */

/* When the master's sysUpTime was 0: monotonic, in hundredths of a second, modulo 2^32. */
static struct {
	bool known;
	uint32_t cs;
} master_start;

/* --- octets and numbers --- */

static bool oid_from(const oid *name, size_t len, struct agentx_oid *out)
{
	size_t i;

	out->len = len < AGENTX_OID_MAX ? len : AGENTX_OID_MAX;
	for (i = 0; i < out->len; i++)
		out->ids[i] = (uint32_t)name[i];
	return len <= AGENTX_OID_MAX;
}

static size_t oid_to(const struct agentx_oid *from, oid name[AGENTX_OID_MAX])
{
	size_t i;

	for (i = 0; i < from->len; i++)
		name[i] = from->ids[i];
	return from->len;
}

/* The same as long as the session, unless what the master says has gone away from it. */
static uint32_t master_start_cs(uint32_t now_cs)
{
	uint32_t said_cs = now_cs - (uint32_t)netsnmp_get_agent_uptime();
	uint32_t off_cs = said_cs - master_start.cs + START_OFF_CS;

	if (!master_start.known || off_cs > 2 * START_OFF_CS)
		master_start.cs = said_cs;
	master_start.known = true;
	return master_start.cs;
}

/* sysUpTime when it happened; 0: before the master started, or never. */
static uint32_t uptime_of(uint32_t when_cs)
{
	uint32_t now_cs = (uint32_t)(clock_read().mono_ms / 10);
	uint32_t start_cs = master_start_cs(now_cs);

	return when_cs == 0 || now_cs - when_cs > now_cs - start_cs ? 0 : when_cs - start_cs;
}

/* The value in net-snmp's form: its ASN.1 type, and octets that live until the next call. */
static u_char asn_of(const struct agentx_value *v, const void **out_data, size_t *out_len)
{
	static long number;
	static struct counter64 wide;

	*out_data = &number;
	*out_len = sizeof(number);
	switch (v->type) {
	case AGENTX_INTEGER:
		number = (int32_t)v->number;
		return ASN_INTEGER;
	case AGENTX_UNSIGNED:
		number = (long)(v->number > UINT32_MAX ? UINT32_MAX : v->number);
		return ASN_UNSIGNED;
	case AGENTX_COUNTER32:
		number = (long)(v->number & UINT32_MAX);
		return ASN_COUNTER;
	case AGENTX_COUNTER64:
		wide.high = (u_long)(v->number >> 32);
		wide.low = (u_long)(v->number & UINT32_MAX);
		*out_data = &wide;
		*out_len = sizeof(wide);
		return ASN_COUNTER64;
	case AGENTX_DURATION:
		number = (long)(v->number & UINT32_MAX);
		return ASN_TIMETICKS;
	case AGENTX_TICKS:
		number = uptime_of((uint32_t)v->number);
		return ASN_TIMETICKS;
	case AGENTX_ADDRESS:
		*out_data = &v->address;
		*out_len = sizeof(v->address);
		return ASN_IPADDRESS;
	case AGENTX_OCTETS:
		break;
	}
	*out_data = v->octets;
	*out_len = v->len;
	return ASN_OCTET_STR;
}

static void set_value(netsnmp_request_info *request, const struct agentx_value *value)
{
	const void *data;
	size_t len;
	u_char type = asn_of(value, &data, &len);

	(void)snmp_set_var_typed_value(request->requestvb, type, data, len);
}

/* --- requests --- */

static void answer_get(netsnmp_agent_request_info *info, netsnmp_request_info *request)
{
	struct agentx_value value;
	struct agentx_oid name;
	int rc = 0;

	if (oid_from(request->requestvb->name, request->requestvb->name_length, &name))
		rc = conf->get(conf->ctx, &name, &value);
	if (rc > 0)
		set_value(request, &value);
	else
		(void)netsnmp_set_request_error(info, request,
						rc < 0 ? SNMP_ERR_GENERR : SNMP_NOSUCHINSTANCE);
}

/* Nothing after it: the request is left alone, and net-snmp goes on to the next subtree. */
static void answer_next(netsnmp_agent_request_info *info, netsnmp_request_info *request)
{
	struct agentx_oid name, next;
	struct agentx_value value;
	oid ids[AGENTX_OID_MAX];
	int rc;

	/* One that is too long is cut: what comes after it comes after the cut one, or before. */
	(void)oid_from(request->requestvb->name, request->requestvb->name_length, &name);
	rc = conf->next(conf->ctx, &name, &next, &value);
	if (rc < 0)
		(void)netsnmp_set_request_error(info, request, SNMP_ERR_GENERR);
	if (rc <= 0)
		return;
	(void)snmp_set_var_objid(request->requestvb, ids, oid_to(&next, ids));
	set_value(request, &value);
}

static int handle(netsnmp_mib_handler *handler, netsnmp_handler_registration *registration,
		  netsnmp_agent_request_info *info, netsnmp_request_info *request)
{
	(void)handler;
	(void)registration;
	for (; request; request = request->next) {
		if (request->processed)
			continue;
		if (info->mode == MODE_GET)
			answer_get(info, request);
		else if (info->mode == MODE_GETNEXT)
			answer_next(info, request);
		else
			(void)netsnmp_set_request_error(info, request, SNMP_ERR_NOTWRITABLE);
	}
	return SNMP_ERR_NOERROR;
}

/* --- the session --- */

/*
 * AgentX runs over a stream (RFC 2741 §8): what was sent once arrives once, or the session is over.
 * net-snmp would send everything again five times, and a master that had hung would so pass on each
 * notification as often.
 */
static int on_session(int major, int minor, void *server, void *client)
{
	netsnmp_session *session = server;

	(void)major;
	(void)client;
	if (minor == SNMPD_CALLBACK_INDEX_START && session)
		session->retries = 0;
	if (minor == SNMPD_CALLBACK_INDEX_START)
		master_start.known = false;
	if (conf->connected)
		conf->connected(conf->ctx, minor == SNMPD_CALLBACK_INDEX_START);
	return 0;
}

/* It comes before the subagent of net-snmp, which is the one to send it to the master. */
static int on_registration(int major, int minor, void *server, void *client)
{
	const struct register_parameters *r = server;

	(void)major;
	(void)minor;
	(void)client;
	registers_default = !r->contextName || !r->contextName[0];
	return 0;
}

/*
 * net-snmp's own lines: for us, unless something is wrong. They are the only place where it lets go
 * of the master's answer to a registration, 263 being duplicateRegistration (RFC 2741 §6.2.16), and
 * of an attempt to connect that failed. errno is then still that of connect(2), or means nothing
 * where the name of a host was not found.
 */
static int on_log(int major, int minor, void *server, void *client)
{
	const struct snmp_log_message *line = server;
	const int error = errno;

	(void)major;
	(void)minor;
	(void)client;
	log_debug("net-snmp says", "event=net-snmp text=\"%s\"",
		  log_value(line->msg, strcspn(line->msg, "\n")).s);
	if (conf->refused && strncmp(line->msg, REFUSAL, strlen(REFUSAL)) == 0)
		conf->refused(conf->ctx, registers_default);
	if (conf->unreachable && strncmp(line->msg, UNREACHABLE, strlen(UNREACHABLE)) == 0)
		conf->unreachable(conf->ctx, error);
	return 0;
}

static int register_root(const struct agentx_oid *root, const char *context, int priority)
{
	netsnmp_handler_registration *r;
	oid name[AGENTX_OID_MAX];
	size_t len = oid_to(root, name);

	/* With SETs: they are to be refused by us, with the error that says so. */
	r = netsnmp_create_handler_registration(conf->name, handle, name, len, HANDLER_CAN_RWRITE);
	if (!r)
		return -EINVAL;
	r->priority = priority;
	if (context)
		r->contextName = strdup(context); /* unregistering frees it */
	return netsnmp_register_handler(r) == MIB_REGISTERED_OK ? 0 : -EINVAL;
}

static int register_roots(void)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < conf->root_cnt && rc == 0; i++) {
		rc = register_root(&conf->roots[i], conf->context, DEFAULT_PRIORITY);
		if (rc == 0 && conf->in_default_context)
			rc = register_root(&conf->roots[i], NULL, conf->priority);
	}
	return rc;
}

static void tell_capabilities(void)
{
	oid name[AGENTX_OID_MAX];

	if (conf->capabilities)
		(void)register_sysORTable(name, oid_to(conf->capabilities, name),
					  conf->capabilities_text);
}

static void set_options(void)
{
	const int lib = NETSNMP_DS_LIBRARY_ID, app = NETSNMP_DS_APPLICATION_ID;

	(void)netsnmp_ds_set_boolean(lib, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	(void)netsnmp_ds_set_boolean(lib, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	(void)netsnmp_ds_set_boolean(lib, NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD, 1);
	(void)netsnmp_ds_set_boolean(lib, NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE, 1);
	(void)setenv("MIBS", "", 1); /* no module's text: we speak in numbers */
	(void)netsnmp_ds_set_boolean(app, NETSNMP_DS_AGENT_NO_ROOT_ACCESS, 1);
	(void)netsnmp_ds_set_string(app, NETSNMP_DS_AGENT_X_SOCKET, conf->master);
	/* Of each attempt; NETSNMP_DS_AGENT_AGENTX_TIMEOUT is the master's. */
	(void)netsnmp_ds_set_int(lib, NETSNMP_DS_LIB_TIMEOUT, CALL_TIMEOUT_S);
}

static int start(void)
{
	snmp_disable_stderrlog();
	snmp_enable_calllog();
	(void)snmp_register_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_LOGGING, on_log, NULL);
	(void)netsnmp_register_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_REGISTER_OID,
					on_registration, NULL, NETSNMP_CALLBACK_HIGHEST_PRIORITY);
	(void)netsnmp_enable_subagent();
	set_options();
	if (init_agent(conf->name) != 0)
		return -EINVAL;
	/* init_agent() sets it to its own default. */
	(void)netsnmp_ds_set_int(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_PING_INTERVAL,
				 (int)conf->retry_s);
	(void)snmp_register_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_START,
				     on_session, NULL);
	(void)snmp_register_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_STOP,
				     on_session, NULL);
	if (register_roots() < 0)
		return -EINVAL;
	tell_capabilities();
	init_snmp(conf->name);
	return 0;
}

/* One wake-up. @return false: our own descriptor said that it is enough */
static bool turn(void)
{
	struct timeval wait = { .tv_sec = 3600 };
	int block = 0, max = conf->fd + 1, cnt;
	fd_set fds;

	FD_ZERO(&fds);
	FD_SET(conf->fd, &fds);
	(void)snmp_select_info(&max, &fds, &wait, &block);
	cnt = select(max, &fds, NULL, NULL, &wait);
	if (cnt > 0 && FD_ISSET(conf->fd, &fds)) {
		FD_CLR(conf->fd, &fds);
		if (!conf->readable(conf->ctx))
			return false;
	}
	if (cnt > 0)
		snmp_read(&fds);
	else if (cnt == 0)
		snmp_timeout();
	run_alarms();
	netsnmp_check_outstanding_agent_requests();
	conf->turn(conf->ctx);
	return true;
}

int agentx_run(const struct agentx_conf *c)
{
	int rc;

	conf = c;
	rc = start();
	if (rc < 0)
		return rc;
	while (turn())
		;
	snmp_shutdown(conf->name);
	shutdown_agent();
	return 0;
}

/* --- notifications --- */

void agentx_notify(const struct agentx_oid *notification, const struct agentx_object *objects,
		   size_t cnt)
{
	static const oid trap_oid[] = { 1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0 }; /* snmpTrapOID.0 */
	netsnmp_variable_list *vars = NULL;
	oid name[AGENTX_OID_MAX];
	const void *data;
	size_t i, len;
	u_char type;

	(void)snmp_varlist_add_variable(&vars, trap_oid, OID_LENGTH(trap_oid), ASN_OBJECT_ID, name,
					oid_to(notification, name) * sizeof(oid));
	for (i = 0; i < cnt; i++) {
		type = asn_of(&objects[i].value, &data, &len);
		(void)snmp_varlist_add_variable(&vars, name, oid_to(&objects[i].oid, name), type,
						data, len);
	}
	send_v2trap(vars);
	snmp_free_varbind(vars);
}
