#include "access/pattern.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Text -> steps (Thompson's machine) -> sets of steps -> states (subset construction). The steps and sets go
 * when the table is made.
 */
enum {
	STEPS_MOST = 1024,
	WORDS = STEPS_MOST / 64,
	DEPTH_MOST = 10, /* each level may be read twice */
	REPEAT_MOST = 255,
	BUCKETS = 2048, /* > PATTERN_STATES_MOST, a power of two */
	NONE = 0xffff,
};

/* The first states of every table. */
enum { DEAD, MATCHED, FIRST_MADE };

struct pattern {
	uint16_t start, states;
	unsigned classes;
	uint8_t class_of[256];
	uint8_t *ends; /* of each state: it is a match when the path ends here */
	uint16_t next[]; /* states * classes */
};

enum step_kind { STEP_EMPTY, STEP_BYTE, STEP_SPLIT, STEP_JUMP, STEP_BEGIN, STEP_END, STEP_MATCH };

struct step {
	uint8_t kind;
	uint16_t to, other; /* JUMP: to; SPLIT: both; else the next one follows */
	uint64_t bytes[4];  /* of BYTE: which ones */
};

struct compiler {
	struct span text;
	size_t at;
	bool any_case;
	struct step *steps;
	unsigned count, depth;
	struct error *err;
};

/* -- text into steps -- */

static enum status refuse(struct compiler *in, const char *what)
{
	return error_refuse(in->err, "\"%.*s\", character %zu: %s", SPAN_PRINT(in->text), in->at + 1, what);
}

static bool is_at_end(const struct compiler *in)
{
	return in->at == in->text.size;
}

static int peek(const struct compiler *in)
{
	return is_at_end(in) ? -1 : (uint8_t)in->text.at[in->at];
}

static bool take(struct compiler *in, char c)
{
	if (peek(in) != (uint8_t)c)
		return false;
	in->at++;
	return true;
}

static enum status emit(struct compiler *in, enum step_kind kind, unsigned *index)
{
	if (in->count == STEPS_MOST)
		return refuse(in, "the expression is too long with its repetitions; write a simpler one");
	*index = in->count++;
	in->steps[*index] = (struct step){.kind = (uint8_t)kind, .to = NONE, .other = NONE};
	return OK;
}

static void add_byte(uint64_t set[4], unsigned c)
{
	set[c / 64] |= (uint64_t)1 << c % 64;
}

static bool has_byte(const uint64_t set[4], unsigned c)
{
	return set[c / 64] >> c % 64 & 1;
}

static void add_range(uint64_t set[4], unsigned from, unsigned to)
{
	for (; from <= to; from++)
		add_byte(set, from);
}

static void fold(uint64_t set[4])
{
	unsigned c;

	for (c = 'a'; c <= 'z'; c++)
		if (has_byte(set, c) || has_byte(set, c - 32)) {
			add_byte(set, c);
			add_byte(set, c - 32);
		}
}

static void invert(uint64_t set[4])
{
	unsigned i;

	for (i = 0; i < 4; i++)
		set[i] = ~set[i];
}

static bool is_word(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Behind a backslash. `single`: the character, when it means one; else -1. */
static enum status parse_escape(struct compiler *in, uint64_t set[4], int *single)
{
	uint64_t added[4] = {0};
	int c = peek(in);
	unsigned i;

	*single = -1;
	switch (c) {
	case 'd':
	case 'D':
		add_range(added, '0', '9');
		break;
	case 'w':
	case 'W':
		add_range(added, '0', '9');
		add_range(added, 'a', 'z');
		add_range(added, 'A', 'Z');
		add_byte(added, '_');
		break;
	case 's':
	case 'S':
		add_range(added, '\t', '\r');
		add_byte(added, ' ');
		break;
	case -1:
		return refuse(in, "nothing behind the \\");
	default:
		if (c >= '0' && c <= '9')
			return refuse(in, "references back to a group are not known; write out what may stand there");
		if (is_word(c))
			return refuse(in, "this \\ is not known; there are \\d \\w \\s \\D \\W \\S and \\ before signs");
		add_byte(added, (unsigned)c);
		*single = c;
	}
	in->at++;
	if (c == 'D' || c == 'W' || c == 'S')
		invert(added);
	for (i = 0; i < 4; i++)
		set[i] |= added[i];
	return OK;
}

/* One end of a range, or a character that stands alone. */
static enum status parse_member(struct compiler *in, uint64_t set[4], int *single)
{
	if (take(in, '\\'))
		return parse_escape(in, set, single);
	if (peek(in) == '[' && in->at + 1 < in->text.size && strchr(":.=", in->text.at[in->at + 1]))
		return refuse(in, "classes by name are not known; write [a-z], or \\[ for a bracket");
	*single = peek(in);
	if (*single < 0)
		return refuse(in, "the [ is not closed; write \\[ for a bracket");
	add_byte(set, (unsigned)*single);
	in->at++;
	return OK;
}

static enum status parse_class(struct compiler *in, uint64_t set[4])
{
	bool is_inverted = take(in, '^'), is_first = true;
	enum status status;

	for (; is_first || peek(in) != ']'; is_first = false) {
		int from, to;

		TRY(parse_member(in, set, &from));
		if (peek(in) != '-' || in->at + 1 >= in->text.size || in->text.at[in->at + 1] == ']')
			continue;
		in->at++;
		TRY(parse_member(in, set, &to));
		if (from < 0 || to < 0 || from > to)
			return refuse(in, "a range goes from a lower to a higher character, as a-z");
		add_range(set, (unsigned)from, (unsigned)to);
	}
	in->at++;
	/* Before turning it round: [^a] holds no A either. */
	if (in->any_case)
		fold(set);
	if (is_inverted)
		invert(set);
	status = OK;
done:
	return status;
}

static enum status parse_alternatives(struct compiler *in);

static enum status parse_group(struct compiler *in)
{
	enum status status;

	if (in->depth == DEPTH_MOST)
		return refuse(in, "groups within groups are too deep");
	if (take(in, '?') && !take(in, ':'))
		return refuse(in, "(? is only known as (?: here: no names, no looking ahead; for any case write ~*");
	in->depth++;
	TRY(parse_alternatives(in));
	in->depth--;
	if (!take(in, ')'))
		status = refuse(in, "the ( is not closed; write \\( for a parenthesis");
done:
	return status;
}

static enum status parse_single(struct compiler *in)
{
	int c = peek(in), single;
	uint64_t set[4] = {0};
	enum status status = OK;
	unsigned step = 0, i;

	in->at++;
	switch (c) {
	case '^':
		return emit(in, STEP_BEGIN, &step);
	case '$':
		return emit(in, STEP_END, &step);
	case '(':
		return parse_group(in);
	case '[':
		status = parse_class(in, set);
		break;
	case '.':
		invert(set);
		break;
	case '\\':
		status = parse_escape(in, set, &single);
		break;
	case '*':
	case '+':
	case '?':
	case '{':
		in->at--;
		return refuse(in, "nothing stands there that could be repeated; write \\ before a sign that means itself");
	default:
		add_byte(set, (unsigned)c);
	}
	if (status != OK)
		return status;
	if (in->any_case && c != '[')
		fold(set);
	TRY(emit(in, STEP_BYTE, &step));
	for (i = 0; i < 4; i++)
		in->steps[step].bytes[i] = set[i];
done:
	return status;
}

struct repetition {
	unsigned least, most; /* most 0: without end */
};

static bool parse_count(struct compiler *in, unsigned *out)
{
	size_t from = in->at;

	*out = 0;
	while (peek(in) >= '0' && peek(in) <= '9' && in->at - from < 4)
		*out = *out * 10 + (unsigned)(in->text.at[in->at++] - '0');
	return in->at > from && *out <= REPEAT_MOST;
}

/* AGAIN: there is none. */
static enum status parse_repetition(struct compiler *in, struct repetition *out)
{
	static const char what[] = "a count is {2}, {2,} or {2,4}, up to 255; write \\{ for a brace";

	if (take(in, '*')) {
		*out = (struct repetition){0, 0};
	} else if (take(in, '+')) {
		*out = (struct repetition){1, 0};
	} else if (take(in, '?')) {
		*out = (struct repetition){0, 1};
	} else if (take(in, '{')) {
		if (!parse_count(in, &out->least))
			return refuse(in, what);
		out->most = out->least;
		if (take(in, ',')) {
			out->most = 0;
			if (peek(in) != '}' && (!parse_count(in, &out->most) || out->most < out->least))
				return refuse(in, what);
		}
		if (!take(in, '}'))
			return refuse(in, what);
		if (out->most == 0 && in->text.at[in->at - 2] != ',')
			return refuse(in, "nothing at all is repeated no times");
	} else {
		return AGAIN;
	}
	(void)take(in, '?'); /* Short or long, the match is the same one to us. */
	if (peek(in) == '+')
		return refuse(in, "possessive repetition is not known");
	if (peek(in) == '*' || peek(in) == '?' || peek(in) == '{')
		return refuse(in, "a repetition of a repetition; put the first into ( )");
	return OK;
}

/* The same text once more, as a further copy. */
static enum status repeat_single(struct compiler *in, size_t from)
{
	in->at = from;
	return parse_single(in);
}

static enum status put_star(struct compiler *in, size_t from)
{
	unsigned split = 0, jump = 0;
	enum status status;

	TRY(emit(in, STEP_SPLIT, &split));
	TRY(repeat_single(in, from));
	TRY(emit(in, STEP_JUMP, &jump));
	in->steps[jump].to = (uint16_t)split;
	in->steps[split].to = (uint16_t)(split + 1);
	in->steps[split].other = (uint16_t)in->count;
done:
	return status;
}

static enum status put_options(struct compiler *in, size_t from, unsigned count)
{
	unsigned chain = NONE, split = 0, next;
	enum status status = OK;

	while (count-- > 0) {
		TRY(emit(in, STEP_SPLIT, &split));
		in->steps[split].to = (uint16_t)(split + 1);
		in->steps[split].other = (uint16_t)chain;
		chain = split;
		TRY(repeat_single(in, from));
	}
	for (; chain != NONE; chain = next) {
		next = in->steps[chain].other;
		in->steps[chain].other = (uint16_t)in->count;
	}
done:
	return status;
}

static enum status parse_repeated(struct compiler *in)
{
	size_t from = in->at, behind;
	unsigned first = in->count, i;
	struct repetition repetition = {1, 1};
	enum status status;

	TRY(parse_single(in));
	status = parse_repetition(in, &repetition);
	if (status == AGAIN)
		return OK;
	if (status != OK)
		return status;
	behind = in->at;
	in->count = first;
	/* Nothing, as (), has no step: without one, {255}{255} would cost time and never memory. */
	TRY(emit(in, STEP_EMPTY, &i));
	for (i = 0; i < repetition.least; i++)
		TRY(repeat_single(in, from));
	if (repetition.most == 0)
		TRY(put_star(in, from));
	else
		TRY(put_options(in, from, repetition.most - repetition.least));
	in->at = behind;
done:
	return status;
}

static enum status parse_sequence(struct compiler *in)
{
	enum status status = OK;

	while (!is_at_end(in) && peek(in) != '|' && peek(in) != ')')
		TRY(parse_repeated(in));
done:
	return status;
}

static enum status parse_alternatives(struct compiler *in)
{
	unsigned chain = NONE, start = 0, jump = 0, next;
	enum status status;

	for (;;) {
		TRY(emit(in, STEP_EMPTY, &start));
		TRY(parse_sequence(in));
		if (!take(in, '|'))
			break;
		TRY(emit(in, STEP_JUMP, &jump));
		in->steps[jump].to = (uint16_t)chain;
		chain = jump;
		in->steps[start].kind = STEP_SPLIT;
		in->steps[start].to = (uint16_t)(start + 1);
		in->steps[start].other = (uint16_t)in->count;
	}
	for (; chain != NONE; chain = next) {
		next = in->steps[chain].to;
		in->steps[chain].to = (uint16_t)in->count;
	}
done:
	return status;
}

static enum status parse(struct compiler *in)
{
	enum status status;
	unsigned match;

	if (in->text.size == 0 || in->text.size > PATTERN_TEXT_MOST)
		return error_refuse(in->err, "a regular expression has 1 to %d characters", PATTERN_TEXT_MOST);
	if (memchr(in->text.at, 0, in->text.size))
		return error_refuse(in->err, "a regular expression holds no byte 0");
	TRY(parse_alternatives(in));
	if (!is_at_end(in))
		return refuse(in, "this ) closes nothing; write \\) for a parenthesis");
	status = emit(in, STEP_MATCH, &match);
done:
	return status;
}

/* -- steps into states -- */

struct set {
	uint64_t words[WORDS];
};

struct builder {
	const struct step *steps;
	unsigned count;
	struct pattern *pattern;
	unsigned room; /* states that there is memory for */
	struct set *sets; /* of each state */
	uint16_t buckets[BUCKETS];
	uint8_t member[256]; /* a byte of each class */
	struct set start, again; /* at the path's first character; at any other */
};

static bool has_step(const struct set *set, unsigned step)
{
	return set->words[step / 64] >> step % 64 & 1;
}

/* All that can be reached without a character. */
static void reach(const struct builder *in, unsigned from, bool at_begin, bool at_end, struct set *into)
{
	uint16_t stack[STEPS_MOST + 1];
	unsigned depth = 0;

	if (has_step(into, from))
		return;
	into->words[from / 64] |= (uint64_t)1 << from % 64;
	stack[depth++] = (uint16_t)from;
	while (depth > 0) {
		unsigned at = stack[--depth], targets[2] = {NONE, NONE}, i;
		const struct step *step = &in->steps[at];

		if (step->kind == STEP_JUMP) {
			targets[0] = step->to;
		} else if (step->kind == STEP_SPLIT) {
			targets[0] = step->to;
			targets[1] = step->other;
		} else if (step->kind == STEP_EMPTY || (step->kind == STEP_BEGIN && at_begin) ||
			   (step->kind == STEP_END && at_end)) {
			targets[0] = at + 1;
		}
		for (i = 0; i < 2; i++) {
			unsigned to = targets[i];

			if (to == NONE || has_step(into, to))
				continue;
			into->words[to / 64] |= (uint64_t)1 << to % 64;
			stack[depth++] = (uint16_t)to;
		}
	}
}

/* Only what tells two sets apart: steps that take a character, or wait for the end. */
static void reduce(const struct builder *in, struct set *set)
{
	unsigned i;

	for (i = 0; i < in->count; i++) {
		uint8_t kind = in->steps[i].kind;

		if (kind != STEP_BYTE && kind != STEP_END && kind != STEP_MATCH)
			set->words[i / 64] &= ~((uint64_t)1 << i % 64);
	}
}

static bool is_empty(const struct set *set)
{
	static const struct set none;

	return memcmp(set, &none, sizeof none) == 0;
}

static bool matches_at_end(const struct builder *in, const struct set *set)
{
	struct set ended = {{0}};
	unsigned i;

	for (i = 0; i < in->count; i++)
		if (has_step(set, i))
			reach(in, i, false, true, &ended);
	return has_step(&ended, in->count - 1);
}

/* NONE: no room for another one. */
static unsigned state_of(struct builder *in, const struct set *set)
{
	struct pattern *pattern = in->pattern;
	uint64_t hash = 0;
	unsigned i;

	if (has_step(set, in->count - 1))
		return MATCHED;
	if (is_empty(set))
		return DEAD;
	for (i = 0; i < WORDS; i++)
		hash = (hash ^ set->words[i]) * UINT64_C(0x9e3779b97f4a7c15) ^ hash >> 29;
	for (i = (unsigned)(hash >> 40) % BUCKETS; in->buckets[i] != NONE; i = (i + 1) % BUCKETS)
		if (memcmp(&in->sets[in->buckets[i]], set, sizeof *set) == 0)
			return in->buckets[i];
	if (pattern->states == in->room)
		return NONE;
	in->buckets[i] = pattern->states;
	in->sets[pattern->states] = *set;
	pattern->ends[pattern->states] = matches_at_end(in, set);
	return pattern->states++;
}

/* Bytes that no step tells apart are one class. */
static void find_classes(struct builder *in)
{
	struct pattern *pattern = in->pattern;
	unsigned c, other, i;

	pattern->classes = 0;
	for (c = 0; c < 256; c++) {
		for (other = 0; other < pattern->classes; other++) {
			for (i = 0; i < in->count; i++)
				if (in->steps[i].kind == STEP_BYTE &&
				    has_byte(in->steps[i].bytes, c) !=
					    has_byte(in->steps[i].bytes, in->member[other]))
					break;
			if (i == in->count)
				break;
		}
		if (other == pattern->classes)
			in->member[pattern->classes++] = (uint8_t)c;
		pattern->class_of[c] = (uint8_t)other;
	}
}

static unsigned move(struct builder *in, unsigned state, unsigned c)
{
	struct set next = in->again;
	unsigned i;

	for (i = 0; i < in->count; i++)
		if (in->steps[i].kind == STEP_BYTE && has_step(&in->sets[state], i) &&
		    has_byte(in->steps[i].bytes, c))
			reach(in, i + 1, false, false, &next);
	reduce(in, &next);
	return state_of(in, &next);
}

static bool fill(struct builder *in)
{
	struct pattern *pattern = in->pattern;
	unsigned state, c, to;

	memset(in->buckets, 0xff, sizeof in->buckets);
	pattern->states = FIRST_MADE;
	pattern->ends[MATCHED] = 1;
	for (c = 0; c < pattern->classes; c++) {
		pattern->next[DEAD * pattern->classes + c] = DEAD;
		pattern->next[MATCHED * pattern->classes + c] = MATCHED;
	}
	reach(in, 0, true, false, &in->start);
	reduce(in, &in->start);
	reach(in, 0, false, false, &in->again);
	reduce(in, &in->again);
	to = state_of(in, &in->start);
	if (to == NONE)
		return false;
	pattern->start = (uint16_t)to;
	for (state = FIRST_MADE; state < pattern->states; state++) {
		for (c = 0; c < pattern->classes; c++) {
			to = move(in, state, in->member[c]);
			if (to == NONE)
				return false;
			pattern->next[state * pattern->classes + c] = (uint16_t)to;
		}
	}
	return true;
}

static struct pattern *pattern_alloc(unsigned states, unsigned classes)
{
	struct pattern *pattern =
		calloc(1, sizeof *pattern + (size_t)states * classes * sizeof pattern->next[0]);

	if (pattern)
		pattern->ends = calloc(states, 1);
	if (pattern && !pattern->ends) {
		free(pattern);
		pattern = NULL;
	}
	return pattern;
}

/* Only as large as it came out. */
static struct pattern *shrink(struct pattern *large)
{
	struct pattern *small = pattern_alloc(large->states, large->classes);

	if (small) {
		uint8_t *ends = small->ends;

		memcpy(small, large,
		       sizeof *small + (size_t)large->states * large->classes * sizeof small->next[0]);
		small->ends = ends;
		memcpy(ends, large->ends, large->states);
	}
	return small;
}

static enum status build(const struct compiler *from, struct pattern **out)
{
	struct builder *in = calloc(1, sizeof *in);
	enum status status = OK;

	if (in) {
		in->steps = from->steps;
		in->count = from->count;
		in->room = PATTERN_STATES_MOST;
		in->sets = calloc(PATTERN_STATES_MOST, sizeof *in->sets);
		in->pattern = pattern_alloc(PATTERN_STATES_MOST, 256);
	}
	if (!in || !in->sets || !in->pattern) {
		status = error_fail(from->err, "no memory for a regular expression");
	} else {
		find_classes(in);
		if (!fill(in))
			status = error_refuse(from->err,
					      "\"%.*s\" needs a table of more than %d states; write a simpler "
					      "expression, or two locations",
					      SPAN_PRINT(from->text), PATTERN_STATES_MOST);
	}
	if (status == OK) {
		*out = shrink(in->pattern);
		if (!*out)
			status = error_fail(from->err, "no memory for a regular expression");
	}
	if (in) {
		pattern_free(in->pattern);
		free(in->sets);
	}
	free(in);
	return status;
}

/* Paths begin with a slash: is there one that could match? */
static bool can_match(const struct pattern *pattern)
{
	unsigned first = pattern->next[pattern->start * pattern->classes + pattern->class_of['/']];

	return first != DEAD;
}

enum status pattern_new(struct span text, bool any_case, struct pattern **out, struct error *err)
{
	struct compiler in = {.text = text, .any_case = any_case, .err = err};
	struct pattern *made = NULL;
	enum status status;

	in.steps = calloc(STEPS_MOST, sizeof *in.steps);
	if (!in.steps)
		return error_fail(err, "no memory for a regular expression");
	TRY(parse(&in));
	TRY(build(&in, &made));
	if (!can_match(made)) {
		status = error_refuse(err, "\"%.*s\" matches no path: paths begin with /", SPAN_PRINT(text));
		goto done;
	}
	*out = made;
	made = NULL;
done:
	pattern_free(made);
	free(in.steps);
	return status;
}

void pattern_free(struct pattern *pattern)
{
	if (!pattern)
		return;
	free(pattern->ends);
	free(pattern);
}

bool pattern_matches(const struct pattern *pattern, struct span path, bool slash_behind)
{
	unsigned state = pattern->start;
	size_t i;

	for (i = 0; i < path.size && state > MATCHED; i++)
		state = pattern->next[state * pattern->classes + pattern->class_of[(uint8_t)path.at[i]]];
	if (slash_behind && state > MATCHED)
		state = pattern->next[state * pattern->classes + pattern->class_of['/']];
	return pattern->ends[state];
}

size_t pattern_bytes(const struct pattern *pattern)
{
	return sizeof *pattern + (size_t)pattern->states * (1 + pattern->classes * sizeof pattern->next[0]);
}
