#include "config/config_scan.h"

#include <string.h>

#include "config/config_parse.h"

enum { KEY_MOST = 64 };
enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_SIGN };

struct token {
	enum token_kind kind;
	struct span text; /* as written; a sign is one character */
	unsigned line;
};

struct scan {
	const char *name;
	struct span rest;
	unsigned line;
	struct buffer *out;
	struct error *err;
	struct token token; /* the one under the eye */
	struct {
		struct span key;
		unsigned line;
	} open[CONFIG_DEPTH_MOST];
	unsigned depth;
};

static enum status complain(struct scan *scan, unsigned line, const char *what, struct span which)
{
	if (which.size > 60)
		which.size = 60;
	return which.at ? error_refuse(scan->err, "%s:%u: %.*s: %s", scan->name, line,
				       SPAN_PRINT(which), what)
			: error_refuse(scan->err, "%s:%u: %s", scan->name, line, what);
}

static const struct span nothing = {NULL, 0};

/* Tokens ---------------------------------------------------------------- */

static bool is_bare_character(char c)
{
	/* What libconfuse would drop, split or look up is left out: these are for quotes. */
	return c > ' ' && c < 0x7f && !strchr("#\"'{}()=,+*$\\|`;", c);
}

bool config_is_bare(struct span text)
{
	size_t i;

	for (i = 0; i < text.size; i++)
		if (!is_bare_character(text.at[i]))
			return false;
	return text.size > 0 && !span_starts(text, "//") && !span_starts(text, "/*");
}

static void take(struct scan *scan, size_t count)
{
	buffer_add(scan->out, span_make(scan->rest.at, count));
	span_skip(&scan->rest, count);
}

static void blank(struct scan *scan)
{
	bool is_end = scan->rest.at[0] == '\n';

	scan->line += is_end;
	buffer_add_char(scan->out, is_end ? '\n' : ' ');
	span_skip(&scan->rest, 1);
}

static enum status skip_block_comment(struct scan *scan)
{
	unsigned begun = scan->line;

	blank(scan);
	blank(scan);
	while (scan->rest.size && !span_starts(scan->rest, "*/"))
		blank(scan);
	if (!scan->rest.size)
		return complain(scan, begun, "the comment that begins here never ends", nothing);
	blank(scan);
	blank(scan);
	return OK;
}

static enum status skip_blanks(struct scan *scan)
{
	while (scan->rest.size) {
		char c = scan->rest.at[0];

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			blank(scan);
		} else if (c == '#' || span_starts(scan->rest, "//")) {
			while (scan->rest.size && scan->rest.at[0] != '\n')
				blank(scan);
		} else if (span_starts(scan->rest, "/*")) {
			enum status status = skip_block_comment(scan);

			if (status != OK)
				return status;
		} else {
			return OK;
		}
	}
	return OK;
}

/* One character of a quoted text, with its backslash; 0: it may not stand there. */
static size_t quoted_character(struct span rest, char quote, const char **why)
{
	unsigned char c = (unsigned char)rest.at[0];

	*why = NULL;
	if (c == '\n')
		*why = "the quote that opens here is not closed on its line";
	else if (c < ' ' || c == 0x7f)
		*why = "a control character stands between these quotes";
	else if (quote == '"' && c == '$' && rest.size > 1 && rest.at[1] == '{')
		*why = "${...} is not looked up in the environment; write the value, or \\${ for the signs";
	else if (c != '\\')
		return 1;
	else if (rest.size > 1 && (rest.at[1] == '\\' || rest.at[1] == quote))
		return 2;
	else if (quote == '\'')
		return 1;
	else if (rest.size > 1 && rest.at[1] == '$')
		return 2;
	else
		*why = "a backslash in double quotes stands before \", \\ or $ only";
	return 0;
}

static enum status read_quoted(struct scan *scan)
{
	char quote = scan->rest.at[0];
	const char *begin = scan->rest.at, *why;

	take(scan, 1);
	while (scan->rest.size && scan->rest.at[0] != quote) {
		size_t count = quoted_character(scan->rest, quote, &why);

		if (!count)
			return complain(scan, scan->line, why,
					span_make(begin, (size_t)(scan->rest.at - begin)));
		take(scan, count);
	}
	if (!scan->rest.size)
		return complain(scan, scan->line, "the quote that opens here is never closed", nothing);
	take(scan, 1);
	scan->token.kind = TOKEN_QUOTED;
	scan->token.text = span_make(begin, (size_t)(scan->rest.at - begin));
	return OK;
}

static bool ends_word(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '{' || c == '}' || c == '=' ||
	       c == ',' || c == '#';
}

/* For people: up to what they would see as its end. */
static struct span whole_word(struct span rest)
{
	size_t size = 0;

	while (size < rest.size && !ends_word(rest.at[size]) && (unsigned char)rest.at[size] > ' ')
		size++;
	return size ? span_make(rest.at, size) : SPAN("this byte");
}

static enum status next(struct scan *scan)
{
	enum status status = skip_blanks(scan);
	size_t size = 0;
	char c;

	if (status != OK)
		return status;
	scan->token = (struct token){.kind = TOKEN_END, .text = SPAN(""), .line = scan->line};
	if (!scan->rest.size)
		return OK;
	c = scan->rest.at[0];
	if (c == '"' || c == '\'')
		return read_quoted(scan);
	if (c == '{' || c == '}' || c == '=' || c == ',') {
		scan->token.kind = TOKEN_SIGN;
		size = 1;
	} else {
		scan->token.kind = TOKEN_WORD;
		while (size < scan->rest.size && is_bare_character(scan->rest.at[size]))
			size++;
	}
	/* What ends a word must be a blank, a sign or a comment. */
	if (size == 0 || (scan->token.kind == TOKEN_WORD && size < scan->rest.size &&
			  !ends_word(scan->rest.at[size])))
		return complain(scan, scan->line, "this needs quotes around it", whole_word(scan->rest));
	scan->token.text = span_make(scan->rest.at, size);
	take(scan, size);
	return OK;
}

/* Statements ------------------------------------------------------------ */

static bool is_sign(const struct scan *scan, char sign)
{
	return scan->token.kind == TOKEN_SIGN && scan->token.text.at[0] == sign;
}

static bool is_value(const struct scan *scan)
{
	return scan->token.kind == TOKEN_WORD || scan->token.kind == TOKEN_QUOTED;
}

static bool is_key(const struct token *token)
{
	size_t i;

	for (i = 0; i < token->text.size; i++) {
		char c = token->text.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
	}
	return token->kind == TOKEN_WORD && token->text.size <= KEY_MOST;
}

static enum status read_list(struct scan *scan, struct token key)
{
	unsigned begun = scan->token.line;
	enum status status;

	TRY(next(scan));
	if (is_sign(scan, '}'))
		return complain(scan, begun, "the list is empty; give a value or leave the key out",
				key.text);
	while (is_value(scan)) {
		TRY(next(scan));
		if (is_sign(scan, '}'))
			return next(scan);
		if (!is_sign(scan, ','))
			break;
		TRY(next(scan));
		if (is_sign(scan, '}'))
			return next(scan);
	}
	if (scan->token.kind == TOKEN_END)
		return complain(scan, begun, "the { that opens this list is never closed", key.text);
	return complain(scan, scan->token.line, "in a list stand values with a comma between them, then }",
			key.text);
done:
	return status;
}

static enum status read_value(struct scan *scan, struct token key)
{
	enum status status = next(scan);

	if (status != OK)
		return status;
	if (is_sign(scan, '{'))
		return read_list(scan, key);
	if (!is_value(scan))
		return complain(scan, key.line, "a value must stand behind the =", key.text);
	return next(scan);
}

static enum status open_section(struct scan *scan, struct token key)
{
	enum status status = next(scan);

	if (status != OK)
		return status;
	if (!is_sign(scan, '{'))
		return complain(scan, key.line, "a { must stand behind the section's title, or a = before a value",
				key.text);
	if (scan->depth == CONFIG_DEPTH_MOST)
		return complain(scan, key.line, "too many sections in one another", key.text);
	scan->open[scan->depth].key = key.text;
	scan->open[scan->depth++].line = key.line;
	return next(scan);
}

static enum status read_statement(struct scan *scan)
{
	struct token key = scan->token;
	enum status status;

	if (is_sign(scan, '}')) {
		if (scan->depth == 0)
			return complain(scan, key.line, "this } closes nothing", nothing);
		scan->depth--;
		return next(scan);
	}
	if (!is_key(&key))
		return complain(scan, key.line, "a key was expected: small letters, digits and dashes",
				key.text);
	status = next(scan);
	if (status != OK)
		return status;
	if (is_sign(scan, '='))
		return read_value(scan, key);
	if (is_value(scan) && scan->token.line == key.line)
		return open_section(scan, key);
	if (is_sign(scan, '{'))
		return complain(scan, key.line, "a title must stand before the {", key.text);
	return complain(scan, key.line, "a = must stand behind the key", key.text);
}

enum status config_scan(const char *name, struct span text, struct buffer *out, struct error *err)
{
	struct scan scan = {.name = name, .rest = text, .line = 1, .out = out, .err = err};
	enum status status;

	if (text.size > CONFIG_TEXT_MOST)
		return error_refuse(err, "%s: larger than %d bytes", name, CONFIG_TEXT_MOST);
	if (text.size && memchr(text.at, 0, text.size))
		return error_refuse(err, "%s: holds a zero byte: it is no text", name);
	if (span_starts(text, "\xef\xbb\xbf"))
		span_skip(&scan.rest, 3); /* some editors' mark of UTF-8 */
	TRY(next(&scan));
	while (scan.token.kind != TOKEN_END)
		TRY(read_statement(&scan));
	if (scan.depth)
		return complain(&scan, scan.open[scan.depth - 1].line,
				"the { of this section is never closed", scan.open[scan.depth - 1].key);
	buffer_add_char(out, '\n');
	if (!buffer_is_whole(out))
		status = error_fail(err, "%s: no memory", name);
done:
	return status;
}
