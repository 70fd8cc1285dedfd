#include "wire/chunked.h"

#include "base/encode.h"

#include "wire/http_head.h"

enum state {
	SIZE,      /* in the digits */
	EXTENSION, /* behind them, before CR */
	SIZE_LF,   /* CR was read */
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER,
	DONE,
};

enum { DIGITS_MAX = 16 };

void chunked_init(struct chunked *chunked)
{
	memset(chunked, 0, sizeof *chunked);
	chunked->trailers = SPAN("");
}

bool chunked_is_done(const struct chunked *chunked)
{
	return chunked->state == DONE;
}

static enum status read_size(struct chunked *chunked, char c, struct error *err)
{
	int digit = hex_digit(c);

	if (digit >= 0) {
		if (chunked->digits++ == DIGITS_MAX)
			return error_refuse(err, "a chunk's size has more than 16 digits");
		chunked->left = chunked->left << 4 | (unsigned)digit;
		return OK;
	}
	if (chunked->digits == 0 || (c != '\r' && c != ';'))
		return error_refuse(err, "a chunk's size is not a hexadecimal number");
	if (chunked->left > INT64_MAX)
		return error_refuse(err, "a chunk's size is too large");
	chunked->state = c == ';' ? EXTENSION : SIZE_LF;
	return OK;
}

static enum status read_extension(struct chunked *chunked, char c, struct error *err)
{
	if (c == '\r') {
		chunked->state = SIZE_LF;
		return OK;
	}
	if (((uint8_t)c < ' ' && c != '\t') || c == 0x7f)
		return error_refuse(err, "a chunk's extension holds a control character");
	if (++chunked->line > CHUNKED_LINE_MAX || ++chunked->extensions > CHUNKED_EXTENSIONS_MAX)
		return error_refuse(err, "the chunks' extensions are too long");
	return OK;
}

/* One byte of framing. */
static enum status read_framing(struct chunked *chunked, char c, struct error *err)
{
	switch (chunked->state) {
	case SIZE:
		return read_size(chunked, c, err);
	case EXTENSION:
		return read_extension(chunked, c, err);
	case SIZE_LF:
		if (c != '\n')
			return error_refuse(err, "a chunk's size does not end in CRLF");
		chunked->state = chunked->left ? DATA : TRAILER;
		chunked->digits = 0;
		chunked->line = 0;
		return OK;
	case DATA_CR:
		if (c != '\r')
			return error_refuse(err, "a chunk is longer than its size");
		chunked->state = DATA_LF;
		return OK;
	default: /* DATA_LF */
		if (c != '\n')
			return error_refuse(err, "a chunk does not end in CRLF");
		chunked->state = SIZE;
		return OK;
	}
}

static void take_data(struct chunked *chunked, struct span in, size_t *used, struct span *data)
{
	size_t most = in.size - *used;

	*data = span_make(in.at + *used, chunked->left < most ? (size_t)chunked->left : most);
	*used += data->size;
	chunked->left -= data->size;
	if (chunked->left == 0)
		chunked->state = DATA_CR;
}

static enum status read_trailers(struct chunked *chunked, struct span in, size_t *used,
				 struct error *err)
{
	struct span rest = {in.at + *used, in.size - *used};
	struct head fields;
	enum status status;
	size_t size;

	/* The common end, without a parser. */
	if (chunked->scanned == 0 && rest.size >= 2 && rest.at[0] == '\r' && rest.at[1] == '\n') {
		chunked->state = DONE;
		*used += 2;
		return OK;
	}
	if (rest.size == 0)
		return AGAIN;
	head_init(&fields);
	fields.scanned = chunked->scanned;
	status = head_parse_trailers(rest, &trailer_limits, &fields, &size, err);
	chunked->scanned = fields.scanned;
	if (status != OK)
		return status;
	if (size > 2)
		chunked->trailers = span_make(rest.at, size);
	chunked->state = DONE;
	*used += size;
	return OK;
}

enum status chunked_read(struct chunked *chunked, struct span in, size_t *used, struct span *data,
			 struct error *err)
{
	enum status status;

	*used = 0;
	*data = span_make(in.at, 0);
	while (chunked->state != DONE) {
		if (chunked->state == TRAILER)
			return read_trailers(chunked, in, used, err);
		if (*used == in.size)
			return AGAIN;
		if (chunked->state == DATA) {
			take_data(chunked, in, used, data);
			return OK;
		}
		status = read_framing(chunked, in.at[*used], err);
		if (status != OK)
			return status;
		++*used;
	}
	return OK;
}

size_t chunked_write_head(char out[static CHUNKED_HEAD_SIZE], uint64_t size)
{
	static const char digits[] = "0123456789abcdef";
	size_t count = 1, i;

	while (count < DIGITS_MAX && size >> (4 * count))
		count++;
	for (i = 0; i < count; i++)
		out[i] = digits[size >> (4 * (count - 1 - i)) & 15];
	out[count] = '\r';
	out[count + 1] = '\n';
	return count + 2;
}
