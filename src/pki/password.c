#include "pki/password.h"

#include "base/random.h"

struct secret *password_make(void)
{
	/* Lower case and digits, because they are typed on phones; what looks alike left out. */
	static const char alphabet[] = "abcdefghjkmnpqrstuvwxyz23456789";
	struct secret *password = secret_new(PASSWORD_SIZE);
	int i;

	for (i = 0; i < PASSWORD_SIZE; i++)
		password->bytes[i] =
			i % 5 == 4 ? '-' : (uint8_t)alphabet[random_below(sizeof alphabet - 1)];
	return password;
}
