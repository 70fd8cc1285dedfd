/*
 * foreign_keys - the configuration's section foreign-ca: its object, the words
 * of its own, and what people should know of what it leads to.
 */
#ifndef SERVE_FOREIGN_KEYS_H
#define SERVE_FOREIGN_KEYS_H

#include "access/foreign_ca.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"
#include "config/config_value.h"

struct door_options;
struct settings;

extern const struct value_choice foreign_fields[];
extern const struct value_choice foreign_crl_expired[];

/* A new section in these options; struct config_row.add. */
void *foreign_keys_add(struct door_options *door, struct span name, struct error *err);
/* What settings_release frees of them: all but the values. */
void foreign_keys_free(struct door_options *door);

/* "status", "config check" and "serve" warn of these: one sentence a line. */
void foreign_keys_warnings(const struct settings *settings, struct buffer *out);
/* Each foreign CA: its name, a tab, its sites with ", " between, a tab, what it is made of; one a line. */
void foreign_keys_describe(const struct settings *settings, struct buffer *out);
/* Does a change of this file stand on its own, so that nobody need wait for another one to follow? */
bool foreign_keys_is_alone(const struct door_options *door, struct span path);

#endif
