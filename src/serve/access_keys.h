/* access_keys - the access log's keys of the configuration. */
#ifndef SERVE_ACCESS_KEYS_H
#define SERVE_ACCESS_KEYS_H

#include "config/config_value.h"
#include "door/access_log.h"

struct plan;

struct access_settings {
	char *path; /* first: what access_target_kind fills begins here; NULL: no file */
	struct access_options options;
};

extern const struct value_kind access_target_kind; /* struct access_settings: "stderr", "off", a path */
extern const struct value_kind access_with_kind;   /* unsigned (list): "query", "agent" */
extern const struct value_choice access_formats[];

/* The file and who opens it: the owner of the configuration at `config`. */
void access_keys_plan(const struct access_settings *settings, const char *config, struct plan *out);

#endif
