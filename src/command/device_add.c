#include "command/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/random.h"
#include "command/asking.h"
#include "command/options.h"

enum { FILE_MOST = 65536 };

struct add_options {
	const char *label, *kind, *p12, *pem, *csr, *out, *profile, *password_file;
	bool encrypt;
};

static const char *check_options(const struct add_options *given)
{
	int forms = !!given->p12 + !!given->pem + !!given->csr;

	if (!given->label)
		return "--label is needed, like \"phone\" or \"laptop\": it names the device beside its person";
	if (forms != 1)
		return "exactly one of --p12 FILE, --pem FOLDER or --csr FILE says what to make";
	if (given->csr && !given->out)
		return "--csr needs --out FILE, where the certificate goes";
	if (given->out && !given->csr)
		return "--out goes with --csr";
	if (given->profile && !given->p12)
		return "--profile goes with --p12 (compatible: phones, macOS, old Windows; modern: the rest)";
	if (given->encrypt && !given->pem)
		return "--encrypt goes with --pem; a .p12 is always encrypted";
	if (given->password_file && !given->p12 && !given->encrypt)
		return "--password-file goes with --p12 or with --pem --encrypt";
	return NULL;
}

/* What we are about to write must not be there: found out before anything is issued. */
static enum status check_targets(const struct add_options *given, struct error *err)
{
	const char *path = given->p12 ? given->p12 : given->pem ? given->pem : given->out;
	char folder[4096];
	const char *slash = strrchr(path, '/');
	struct stat facts;

	if (lstat(path, &facts) == 0)
		return error_refuse(err, "%s is there already; remove it or choose another name", path);
	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash == path ? 1 : slash - path) : 1, slash ? path : ".");
	if (stat(folder, &facts) || !S_ISDIR(facts.st_mode))
		return error_refuse(err, "%s: there is no folder %s", path, folder);
	if (access(folder, W_OK)) {
		(void)error_fail_errno(err, "%s: cannot write into folder %s", path, folder);
		return REFUSED;
	}
	return OK;
}

/* The first line of the file, without its end. */
static enum status load_password(const char *path, struct buffer *password, struct error *err)
{
	enum status status = file_load(path, password, err);
	char *end;

	if (status != OK)
		return status;
	end = memchr(buffer_text(password), '\n', password->size);
	if (end) {
		if (end > password->at && end[-1] == '\r')
			end--;
		password->size = (size_t)(end - password->at);
		password->at[password->size] = 0;
	}
	if (password->size == 0)
		return error_refuse(err, "%s: its first line is empty; a password has at least one character", path);
	return OK;
}

/* NULL: not UTF-8, or with a NUL, which the channel to the authority does not carry. */
static json_t *text_word(const struct buffer *text)
{
	return memchr(buffer_text(text), 0, text->size) ? NULL : json_stringn(buffer_text(text), text->size);
}

static enum status gather_words(const struct add_options *given, json_t *words, struct error *err)
{
	struct buffer text;
	enum status status = OK;
	char key[33], bytes[16];

	/* The same deed if the question is repeated after a restart of the authority. */
	random_bytes(bytes, sizeof bytes);
	hex_write(bytes, sizeof bytes, key);
	json_object_set_new(words, "key", json_string(key));
	buffer_init(&text, FILE_MOST);
	if (given->csr) {
		status = file_load(given->csr, &text, err);
		if (status == OK && json_object_set_new(words, "csr", text_word(&text)))
			status = error_refuse(err, "%s is not a CSR in PEM form; make one with "
					      "\"openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256\"",
					      given->csr);
	} else if (given->password_file) {
		status = load_password(given->password_file, &text, err);
		if (status == OK && json_object_set_new(words, "password", text_word(&text)))
			status = error_refuse(err, "%s: the password is not UTF-8 text", given->password_file);
	}
	buffer_wipe(&text);
	return status;
}

static enum status save_text(const char *folder, const char *name, mode_t mode, const char *text, struct error *err)
{
	char path[4200];

	snprintf(path, sizeof path, "%s%s%s", folder ? folder : "", folder ? "/" : "", name);
	return file_save_new(path, mode, span_of(text), err);
}

static enum status save_answer(const struct add_options *given, const json_t *answer, struct error *err)
{
	struct buffer bytes;
	enum status status;

	if (given->csr) {
		buffer_init(&bytes, FILE_MOST);
		buffer_add_text(&bytes, asking_text(answer, "certificate"));
		buffer_add_text(&bytes, asking_text(answer, "chain"));
		status = file_save_new(given->out, 0644, buffer_span(&bytes), err);
		buffer_release(&bytes);
		return status;
	}
	if (given->pem) {
		if (mkdir(given->pem, 0700)) {
			(void)error_fail_errno(err, "cannot make folder %s", given->pem);
			return REFUSED;
		}
		TRY(save_text(given->pem, "key.pem", 0600, asking_text(answer, "private_key"), err));
		TRY(save_text(given->pem, "cert.pem", 0600, asking_text(answer, "certificate"), err));
		TRY(save_text(given->pem, "chain.pem", 0600, asking_text(answer, "chain"), err));
		return OK;
	}
	buffer_init(&bytes, FILE_MOST);
	if (base64_read(&bytes, span_of(asking_text(answer, "p12"))))
		status = file_save_new(given->p12, 0600, buffer_span(&bytes), err);
	else
		status = error_fail(err, "the authority's answer holds no PKCS#12 file");
	buffer_wipe(&bytes);
done:
	return status;
}

static int print_answer(const struct invocation *invocation, const struct add_options *given, json_t *answer)
{
	const char *password = asking_text(answer, "password");
	char day[DAY_TEXT_SIZE];

	if (invocation->json) {
		/* The files hold the rest; a key has no business on a terminal. */
		json_object_del(answer, "p12");
		json_object_del(answer, "private_key");
		json_object_del(answer, "certificate");
		json_object_del(answer, "chain");
		return asking_print_json(answer);
	}
	asking_day(asking_number(answer, "not_after"), day);
	printf("device    %s\nname      %s/%s\nserial    %s\nuntil     %s\n", asking_text(answer, "device"),
	       asking_text(answer, "person"), asking_text(answer, "label"), asking_text(answer, "serial"), day);
	printf("file      %s\n", given->p12 ? given->p12 : given->pem ? given->pem : given->out);
	if (*password && !given->password_file)
		printf("password  %s   (shown once, kept nowhere)\n", password);
	json_decref(answer);
	return EXIT_DONE;
}

int command_device_add(struct invocation *invocation)
{
	struct add_options given = {0};
	const struct option_row rows[] = {
		{"label", &given.label, NULL},     {"kind", &given.kind, NULL},
		{"p12", &given.p12, NULL},         {"pem", &given.pem, NULL},
		{"csr", &given.csr, NULL},         {"out", &given.out, NULL},
		{"profile", &given.profile, NULL}, {"password-file", &given.password_file, NULL},
		{"encrypt", NULL, &given.encrypt},
	};
	struct error err;
	json_t *words, *answer;
	const char *wrong;
	int outcome;

	if (options_parse(rows, sizeof rows / sizeof *rows, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (invocation->argc != 1)
		return command_usage(invocation, "one person is needed: whose device is it?");
	wrong = check_options(&given);
	if (wrong)
		return command_usage(invocation, "%s", wrong);
	if (check_targets(&given, &err) != OK)
		return command_fail(invocation, &err);
	words = json_pack("{s:s, s:s, s:s}", "person", invocation->argv[0], "label", given.label, "form",
			  given.p12 ? "p12" : given.pem ? "pem" : "csr");
	if (given.kind)
		json_object_set_new(words, "kind", json_string(given.kind));
	if (given.profile)
		json_object_set_new(words, "profile", json_string(given.profile));
	if (given.encrypt)
		json_object_set_new(words, "encrypt", json_true());
	if (gather_words(&given, words, &err) != OK) {
		json_decref(words);
		return command_fail(invocation, &err);
	}
	outcome = asking(invocation, "device-add", words, &answer);
	if (outcome != EXIT_DONE)
		return outcome;
	if (save_answer(&given, answer, &err) != OK) {
		/* Its key is lost with this process: say so, and how to go on. */
		error_context(&err, "device %s was recorded, but its file was not written; revoke it "
			      "(chatelaine device revoke %.8s) and add it again",
			      asking_text(answer, "device"), asking_text(answer, "device"));
		json_decref(answer);
		return command_fail(invocation, &err);
	}
	return print_answer(invocation, &given, answer);
}
