/*
 * renewal - who renews a public certificate, as certbot's files tell: one that
 * another web server renewed will not be renewed any more once Chatelaine has
 * port 80.
 */
#ifndef COMMAND_RENEWAL_H
#define COMMAND_RENEWAL_H

#include <stdbool.h>

#include "base/buffer.h"

/* True: the certificate at this path (/etc/letsencrypt/live/NAME/...) will not renew by itself, and why
 * and the command that mends it were added to `out`. False: it will, or nothing can be told. */
bool renewal_is_broken(const char *certificate, const char *acme_folder, struct buffer *out);

#endif
