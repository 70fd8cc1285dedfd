#include "bridge/question.h"

#include <string.h>

#include "base/encode.h"

/* C0 but for what `allowed` names, DEL, and C1 in its UTF-8 form. jansson has seen to the UTF-8. */
static bool has_control(const char *text, size_t size, const char *allowed)
{
	size_t i;

	for (i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == 0x7f || (c < ' ' && (c == 0 || !strchr(allowed, c))))
			return true;
		if (c == 0xc2 && i + 1 < size && (unsigned char)text[i + 1] < 0xa0)
			return true;
	}
	return false;
}

static enum status read_text(const json_t *words, const char *field, size_t most,
			     const char *allowed, const char **out, struct error *err)
{
	const json_t *value = json_object_get(words, field);
	size_t size = json_string_length(value);

	*out = NULL;
	if (!value || json_is_null(value))
		return OK;
	if (!json_is_string(value))
		return error_refuse(err, "\"%s\" must be a text", field);
	if (size > most)
		return error_refuse(err, "\"%s\" has %zu bytes, at most %zu are allowed", field, size,
				    most);
	if (has_control(json_string_value(value), size, allowed))
		return error_refuse(err, "\"%s\" holds a control character", field);
	if (size > 0)
		*out = json_string_value(value);
	return OK;
}

static enum status require(enum status status, const char *field, const char *found,
			   const char **out, struct error *err)
{
	if (status != OK)
		return status;
	if (!found)
		return error_refuse(err, "\"%s\" is missing", field);
	*out = found;
	return OK;
}

enum status words_text(const json_t *words, const char *field, size_t most, const char **out,
		       struct error *err)
{
	const char *found;
	enum status status = read_text(words, field, most, "", &found, err);

	return require(status, field, found, out, err);
}

enum status words_block(const json_t *words, const char *field, size_t most, const char **out,
			struct error *err)
{
	const char *found;
	enum status status = read_text(words, field, most, "\t\r\n", &found, err);

	return require(status, field, found, out, err);
}

enum status words_text_maybe(const json_t *words, const char *field, size_t most, const char **out,
			     struct error *err)
{
	return read_text(words, field, most, "", out, err);
}

enum status words_number(const json_t *words, const char *field, int64_t least, int64_t most,
			 int64_t *out, struct error *err)
{
	const json_t *value = json_object_get(words, field);
	int64_t number = json_integer_value(value);

	if (!value)
		return error_refuse(err, "\"%s\" is missing", field);
	if (!json_is_integer(value) || number < least || number > most)
		return error_refuse(err, "\"%s\" must be a whole number from %lld to %lld", field,
				    (long long)least, (long long)most);
	*out = number;
	return OK;
}

enum status words_flag(const json_t *words, const char *field, bool *out, struct error *err)
{
	const json_t *value = json_object_get(words, field);

	if (value && !json_is_null(value) && !json_is_boolean(value))
		return error_refuse(err, "\"%s\" must be true or false", field);
	*out = json_is_true(value);
	return OK;
}

enum status words_hex(const json_t *words, const char *field, void *out, size_t size,
		      struct error *err)
{
	const char *text = json_string_value(json_object_get(words, field));

	if (!text)
		return error_refuse(err, "\"%s\" is missing", field);
	if (!hex_read(span_of(text), out, size))
		return error_refuse(err, "\"%s\" must be %zu hexadecimal digits", field, 2 * size);
	return OK;
}
