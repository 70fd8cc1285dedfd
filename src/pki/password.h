/*
 * password - made up for a file that somebody imports: "k7mp-x3qd-9vha", 59 bits, no 0, o, 1, l
 * or i.
 */
#ifndef PKI_PASSWORD_H
#define PKI_PASSWORD_H

#include "base/secret.h"

enum { PASSWORD_SIZE = 14 };

struct secret *password_make(void); /* cannot fail */

#endif
