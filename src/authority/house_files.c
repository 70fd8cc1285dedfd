#include "authority/house_files.h"

#include <stdio.h>

#include "base/encode.h"
#include "base/file.h"

enum status house_path(const char *state, const char *name, char out[static PATH_MAX], struct error *err)
{
	if (snprintf(out, PATH_MAX, "%s/%s", state, name) >= PATH_MAX)
		return error_refuse(err, "the path is too long: %s", state);
	return OK;
}

static enum status load(const char *state, const char *name, struct buffer *out, struct error *err)
{
	char path[PATH_MAX];
	enum status status;

	TRY(house_path(state, name, path, err));
	TRY(file_load(path, out, err));
done:
	return status;
}

enum status house_load_certificate(const char *state, const char *name, struct certificate **out,
				   struct error *err)
{
	struct buffer text;
	enum status status;

	buffer_init(&text, SMALL_FILE_MOST);
	TRY(load(state, name, &text, err));
	status = certificate_parse_pem(buffer_span(&text), out, err);
	if (status != OK)
		error_context(err, "%s/%s", state, name);
done:
	buffer_release(&text);
	return status;
}

enum status house_load_signer(const char *state, const char *certificate_name, const char *key_name,
			      struct signer **out, struct error *err)
{
	struct certificate *certificate = NULL;
	struct key *key = NULL;
	struct buffer text;
	enum status status;

	buffer_init(&text, SMALL_FILE_MOST);
	TRY(house_load_certificate(state, certificate_name, &certificate, err));
	TRY(load(state, key_name, &text, err));
	status = key_parse_pem(buffer_span(&text), SPAN(""), &key, err);
	if (status == OK)
		status = signer_new(key, certificate, out, err);
	if (status != OK) {
		error_context(err, "%s/%s", state, key_name);
		goto done;
	}
	key = NULL;
	certificate = NULL;
done:
	buffer_wipe(&text);
	key_free(key);
	certificate_free(certificate);
	return status;
}

enum status house_load_hex(const char *state, const char *name, size_t size, struct secret **out,
			   struct error *err)
{
	struct secret *secret = NULL;
	struct buffer text;
	struct span digits;
	enum status status;

	buffer_init(&text, SMALL_FILE_MOST);
	TRY(load(state, name, &text, err));
	secret = secret_new(size);
	digits = buffer_span(&text);
	if (digits.size && digits.at[digits.size - 1] == '\n')
		digits.size--;
	if (!hex_read(digits, secret->bytes, size)) {
		status = error_refuse(err, "%s/%s is damaged: it should hold %zu hex digits; restore it from a "
				      "backup", state, name, 2 * size);
		goto done;
	}
	*out = secret;
	secret = NULL;
done:
	secret_free(secret);
	buffer_wipe(&text);
	return status;
}
