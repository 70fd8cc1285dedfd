/*
 * settings_keys - the structs that the configuration fills, and the one table
 * of keys: parser, default and help of each. For serve/settings and the
 * reference alone.
 */
#ifndef SERVE_SETTINGS_KEYS_H
#define SERVE_SETTINGS_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "access/limit.h"
#include "base/buffer.h"
#include "config/config_parse.h"
#include "config/config_value.h"
#include "door/route.h"
#include "serve/access_keys.h"

struct house_settings {
	struct door_options door; /* sites among them */
	struct value_addresses listen, listen_http, listen_metrics;
	bool metrics_for_all;
	struct access_settings access_log;
	char *state, *acme_folder;
	struct value_texts proxy_from;
	uint64_t workers;
	int64_t drain_time, stop_time;
	struct buffer fixed; /* all that running gateways cannot take a change of, as text */
	int64_t handshake_time, head_time, idle_time, connect_time, first_byte_time, quiet_time;
	uint64_t connections, reserve, least_rate;
	struct limit_options limits;
	bool http2;
	uint64_t http2_streams, http2_resets, http2_frames;
};

extern const struct config_rows settings_rows;
void settings_release(struct house_settings *house);

#endif
