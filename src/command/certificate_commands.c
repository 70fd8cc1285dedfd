#include "command/certificate_commands.h"

#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/file.h"
#include "command/asking.h"
#include "command/options.h"
#include "door/refusal.h"
#include "pki/certificate.h"
#include "pki/crypto_start.h"

int command_ca_cert(struct invocation *invocation)
{
	struct error err;
	json_t *answer;
	int outcome;

	if (options_parse(NULL, 0, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (invocation->argc)
		return command_usage(invocation, "\"%s\" is one word too many", invocation->argv[0]);
	outcome = asking(invocation, "ca-cert", json_object(), &answer);
	if (outcome != EXIT_DONE)
		return outcome;
	if (invocation->json)
		return asking_print_json(answer);
	fputs(asking_text(answer, "root"), stdout);
	json_decref(answer);
	return EXIT_DONE;
}

static json_t *facts_as_json(const struct certificate_facts *facts)
{
	char fingerprint[2 * SHA256_SIZE + 1];
	json_t *names = json_array();
	size_t i;

	hex_write(facts->fingerprint, SHA256_SIZE, fingerprint);
	for (i = 0; i < facts->name_count; i++) {
		static const char *const kinds[] = {"dns", "ip", "email", "uri", "other"};

		json_array_append_new(names, json_pack("{s:s%}", kinds[facts->names[i].kind], facts->names[i].text.at,
						       facts->names[i].text.size));
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:o, s:b}", "fingerprint", fingerprint, "serial",
			 facts->serial, "subject", facts->subject, "issuer", facts->issuer, "not_before",
			 (json_int_t)facts->not_before, "not_after", (json_int_t)facts->not_after, "key", facts->key,
			 "names", names, "is_authority", facts->is_authority);
}

/* PEM with any number of certificates, or one in DER. */
static enum status parse_any(struct span bytes, struct certificate_list *list, struct error *err)
{
	static struct certificate *one[1];
	enum status status;

	if (bytes.size && bytes.at[0] == 0x30) {
		status = certificate_parse_der(bytes, &one[0], err);
		*list = (struct certificate_list){one, 1};
		return status;
	}
	return certificate_list_parse(bytes, CERTIFICATE_BUNDLE_MAX, list, err);
}

static int print_certificates(const struct invocation *invocation, const struct certificate_list *list)
{
	json_t *all;
	struct buffer text;
	size_t i;

	if (invocation->json) {
		all = json_array();
		for (i = 0; i < list->count; i++)
			json_array_append_new(all, facts_as_json(certificate_facts(list->at[i])));
		return asking_print_json(json_pack("{s:o}", "certificates", all));
	}
	buffer_init(&text, 1 << 20);
	for (i = 0; i < list->count; i++) {
		if (i)
			buffer_add_char(&text, '\n');
		certificate_describe(list->at[i], &text);
	}
	fputs(buffer_text(&text), stdout);
	buffer_release(&text);
	return EXIT_DONE;
}

int command_cert_inspect(struct invocation *invocation)
{
	struct certificate_list list = {0};
	struct buffer bytes;
	struct error err;
	int outcome;

	if (options_parse(NULL, 0, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (invocation->argc != 1)
		return command_usage(invocation, "one FILE is needed: a certificate in PEM or DER form");
	buffer_init(&bytes, CERTIFICATE_TEXT_MAX);
	if (crypto_start(&err) != OK || file_load(invocation->argv[0], &bytes, &err) != OK) {
		outcome = command_fail(invocation, &err);
	} else if (parse_any(buffer_span(&bytes), &list, &err) != OK) {
		error_context(&err, "%s", invocation->argv[0]);
		outcome = command_fail(invocation, &err);
	} else {
		outcome = print_certificates(invocation, &list);
	}
	certificate_list_release(&list);
	buffer_release(&bytes);
	return outcome;
}

static bool is_request_id(const char *word)
{
	uint8_t bytes[8];

	return hex_read(span_of(word), bytes, sizeof bytes);
}

int command_explain(struct invocation *invocation)
{
	struct buffer text;
	struct error err;

	if (options_parse(NULL, 0, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (invocation->argc != 1)
		return command_usage(invocation, "one code is needed, like C01, as a refusal page or the log's why= shows it");
	if (is_request_id(invocation->argv[0])) {
		if (invocation->json)
			return asking_print_json(json_pack("{s:s, s:s+}", "request", invocation->argv[0], "search", "id=",
							   invocation->argv[0]));
		printf("%s is the id of one request. Its line in the log says why it was refused:\n\n"
		       "    grep id=%s LOGFILE      (or journalctl --grep id=...)\n\n"
		       "Then: chatelaine explain CODE, with the code behind why= on that line.\n",
		       invocation->argv[0], invocation->argv[0]);
		return EXIT_DONE;
	}
	buffer_init(&text, 8192);
	if (!refusal_explain(span_of(invocation->argv[0]), &text)) {
		(void)error_refuse(&err, "there is no code \"%s\"; codes look like C01 and stand on refusal pages and behind "
				   "why= in the log", invocation->argv[0]);
		buffer_release(&text);
		return command_fail(invocation, &err);
	}
	if (invocation->json) {
		json_t *answer = json_pack("{s:s, s:s}", "code", invocation->argv[0], "text", buffer_text(&text));

		buffer_release(&text);
		return asking_print_json(answer);
	}
	fputs(buffer_text(&text), stdout);
	if (text.size && buffer_text(&text)[text.size - 1] != '\n')
		putchar('\n');
	buffer_release(&text);
	return EXIT_DONE;
}
