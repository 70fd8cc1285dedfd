/* house_files - what lies where in a state folder, and reading it. For authority/ only. */
#ifndef AUTHORITY_HOUSE_FILES_H
#define AUTHORITY_HOUSE_FILES_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/secret.h"
#include "base/span.h"
#include "pki/certificate.h"
#include "pki/signer.h"

#define REGISTRY_FILE "registry.db"
#define REVOKED_LIST_FILE "revoked.list" /* registry/revoked_list.h */
#define TRUST_DOMAIN_FILE "trust-domain" /* for who must not open the registry */
#define ROOT_CERTIFICATE_FILE "root.pem"
#define ROOT_KEY_FILE "root.key"
#define ISSUING_CERTIFICATE_FILE "issuing.pem"
#define ISSUING_KEY_FILE "issuing.key"
#define NEXT_CERTIFICATE_FILE "next.pem"
#define NEXT_KEY_FILE "next.key"
#define ROW_KEY_FILE "row.key"
#define TOKEN_FILE "cli.token"
#define SERVER_FOLDER "server"

enum { TOKEN_SIZE = 32, SMALL_FILE_MOST = 65536 };

/* STATE/NAME. REFUSED: too long. */
MUST_CHECK enum status house_path(const char *state, const char *name, char out[static PATH_MAX],
				  struct error *err);
MUST_CHECK enum status house_load_certificate(const char *state, const char *name, struct certificate **out,
					      struct error *err);
MUST_CHECK enum status house_load_signer(const char *state, const char *certificate_name,
					 const char *key_name, struct signer **out, struct error *err);
/* `size` bytes written as hex and a line end. */
MUST_CHECK enum status house_load_hex(const char *state, const char *name, size_t size, struct secret **out,
				      struct error *err);

#endif
