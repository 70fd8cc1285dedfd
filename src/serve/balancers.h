/*
 * balancers - the addresses in front of this door that say, by a PROXY
 * header, whose connections they pass on (key proxy-from). A connection from
 * one of them must begin so; from anybody else it must not.
 */
#ifndef SERVE_BALANCERS_H
#define SERVE_BALANCERS_H

#include <stdbool.h>

#include "base/address.h"
#include "base/error.h"
#include "config/config_value.h"

struct balancers;

/* A text of the key: an address or a network. */
extern const struct value_kind balancer_kind;
/* The texts were checked by the kind. */
MUST_CHECK enum status balancers_new(const struct value_texts *texts, struct balancers **out, struct error *err);
void balancers_free(struct balancers *balancers); /* NULL is fine */
bool balancers_have(const struct balancers *balancers, const struct address *peer);

#endif
