/*
 * file_trust - files that root reads because a configuration names them, when
 * parts of the way to them are in other hands.
 *
 * An entry is root's when its folder is, and nobody else may write there (or
 * may, but the folder is sticky and the entry root's own). Below the first
 * entry that is not root's no link is followed, and the file at the end must
 * be a plain one that belongs to whom the folder belongs to: what somebody
 * puts there can be his own files, never another's. Looked at on open
 * descriptors, so nothing can be exchanged behind the look.
 *
 * For processes of other users nothing is looked at: the kernel does it.
 */
#ifndef BASE_FILE_TRUST_H
#define BASE_FILE_TRUST_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

enum file_power {
	FILE_INFORMS,  /* a certificate, a list: may be its owner's */
	FILE_COMMANDS, /* a configuration: nobody but root may be able to write it */
};

/* As file_load; REFUSED also when `path` (absolute) is not to be trusted: who could have put something there, and what
 * to do about it. */
MUST_CHECK enum status file_load_trusted(const char *path, enum file_power power, struct buffer *out,
					 struct error *err);
/* The look without the bytes. */
MUST_CHECK enum status file_trust(const char *path, enum file_power power, struct error *err);

#endif
