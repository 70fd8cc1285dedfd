#include "registry/statement.h"

#define PERSON_COLUMNS "person.id, person.name, person.email, person.groups, person.role, person.state, " \
		       "person.created, person.changed, person.mac"
#define DEVICE_COLUMNS "device.id, device.person, device.label, device.kind, device.state, device.created, " \
		       "device.changed, device.reason, device.mac"
#define SEEN_COLUMN "(SELECT at FROM seen WHERE seen.device = device.id)"
#define CERTIFICATE_COLUMNS "certificate.fingerprint, certificate.serial, certificate.spki, certificate.device, " \
			    "certificate.profile, certificate.not_before, certificate.not_after, " \
			    "certificate.state, certificate.revoked, certificate.reason, certificate.created, " \
			    "certificate.subject, certificate.subject_slash, certificate.issuer, " \
			    "certificate.mac"
#define GRANT_FROM " FROM certificate JOIN device ON device.id = certificate.device " \
		   "LEFT JOIN person ON person.id = device.person "

static const char *const texts[STATEMENT_COUNT] = {
	[HOUSE_ADD] = "INSERT INTO house (name, value, mac) VALUES (?1, ?2, ?3)",
	[HOUSE_LOAD] = "SELECT value, mac FROM house WHERE name = ?1",

	[PERSON_ADD] = "INSERT INTO person (id, name, name_key, email, email_key, groups, role, state, created, "
		       "changed, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[PERSON_SAVE] = "UPDATE person SET name = ?2, name_key = ?3, email = ?4, email_key = ?5, groups = ?6, "
			"role = ?7, state = ?8, created = ?9, changed = ?10, mac = ?11 WHERE id = ?1",
	[PERSON_LOAD] = "SELECT " PERSON_COLUMNS " FROM person WHERE id = ?1",
	[PERSON_FIND_NAME] = "SELECT " PERSON_COLUMNS " FROM person WHERE name_key = ?1 AND state <> 'removed'",
	[PERSON_FIND_EMAIL] = "SELECT " PERSON_COLUMNS " FROM person WHERE email_key = ?1 AND state <> 'removed'",
	[PERSON_LIST] = "SELECT " PERSON_COLUMNS " FROM person WHERE name_key > ?1 AND state <> 'removed' "
			"ORDER BY name_key LIMIT ?2",
	[PERSON_REMOVED_ALREADY] = "SELECT " PERSON_COLUMNS " FROM person WHERE state = 'removed'",

	[DEVICE_ADD] = "INSERT INTO device (id, person, label, label_key, kind, state, created, changed, reason, "
		       "mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[DEVICE_SAVE] = "UPDATE device SET person = ?2, label = ?3, label_key = ?4, kind = ?5, state = ?6, "
			"created = ?7, changed = ?8, reason = ?9, mac = ?10 WHERE id = ?1",
	[DEVICE_LOAD] = "SELECT " DEVICE_COLUMNS ", " SEEN_COLUMN " FROM device WHERE id = ?1",
	[DEVICE_FIND_RANGE] = "SELECT " DEVICE_COLUMNS ", " SEEN_COLUMN " FROM device "
			      "WHERE id >= ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
	[DEVICE_FIND_LABEL] = "SELECT " DEVICE_COLUMNS ", " SEEN_COLUMN " FROM device "
			      "WHERE person = ?1 AND label_key = ?2 "
			      "ORDER BY CASE state WHEN 'revoked' THEN 1 ELSE 0 END, changed DESC LIMIT 1",
	[DEVICE_LIST] = "SELECT " DEVICE_COLUMNS ", " SEEN_COLUMN " FROM device WHERE id > ?1 ORDER BY id LIMIT ?2",
	[DEVICE_LIST_OF_PERSON] = "SELECT " DEVICE_COLUMNS ", " SEEN_COLUMN " FROM device "
				  "WHERE id > ?1 AND person = ?3 ORDER BY id LIMIT ?2",
	[DEVICE_REVOKED_ALREADY] = "SELECT " DEVICE_COLUMNS " FROM device WHERE state = 'revoked'",
	[SEEN_SET] = "INSERT INTO seen (device, at) SELECT id, ?2 FROM device WHERE id = ?1 "
		     "ON CONFLICT (device) DO UPDATE SET at = excluded.at",

	[CERTIFICATE_ADD] = "INSERT INTO certificate (fingerprint, serial, spki, device, profile, not_before, "
			    "not_after, state, revoked, reason, created, subject, subject_slash, issuer, mac, der) "
			    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
	[CERTIFICATE_SAVE] = "UPDATE certificate SET state = ?2, revoked = ?3, reason = ?4, mac = ?5 "
			     "WHERE fingerprint = ?1",
	[CERTIFICATE_LOAD] = "SELECT " CERTIFICATE_COLUMNS ", certificate.der FROM certificate "
			     "WHERE fingerprint = ?1",
	[CERTIFICATE_KEY_IS_USED] = "SELECT count(*) FROM certificate WHERE spki = ?1 "
				    "AND (device <> ?2 OR state = 'revoked')",
	[CERTIFICATE_EACH] = "SELECT " CERTIFICATE_COLUMNS ", certificate.der FROM certificate "
			     "WHERE device = ?1 ORDER BY created DESC, not_before DESC, fingerprint",
	[CERTIFICATE_REVOKED_ALREADY] = "SELECT " CERTIFICATE_COLUMNS " FROM certificate WHERE state = 'revoked'",
	[GRANT_EACH] = "SELECT " CERTIFICATE_COLUMNS ", " DEVICE_COLUMNS ", " PERSON_COLUMNS GRANT_FROM
		       "WHERE certificate.not_after > ?1 ORDER BY device.person, device.id",
	[GRANT_EACH_OF_DEVICE] = "SELECT " CERTIFICATE_COLUMNS ", " DEVICE_COLUMNS ", " PERSON_COLUMNS GRANT_FROM
				 "WHERE certificate.device = ?1",

	[AUDIT_ADD] = "INSERT INTO audit (authority, number, at, who, what, subject, detail, before, hash) "
		      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[AUDIT_HEAD] = "SELECT number, hash FROM audit WHERE authority = ?1 ORDER BY number DESC LIMIT 1",
	[AUDIT_EACH] = "SELECT number, at, who, what, subject, detail, before, hash FROM audit "
		       "WHERE authority = ?1 ORDER BY number",

	[DEED_ADD] = "INSERT INTO deed (key, asked, question, subject, at) VALUES (?1, ?2, ?3, ?4, ?5)",
	[DEED_FIND] = "SELECT asked, question, subject, at FROM deed WHERE key = ?1",
	[DEED_EXPIRE] = "DELETE FROM deed WHERE at < ?1",

	[WATCHED_ADD] = "INSERT INTO watched (key, site, location, path, source, client, code, device, times, first_at, "
			"last_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[WATCHED_COUNT] = "UPDATE watched SET times = times + ?2, last_at = CASE WHEN last_at > ?3 THEN last_at ELSE ?3 "
			  "END WHERE key = ?1",
	[WATCHED_OF_SOURCE] = "SELECT count(*) FROM watched WHERE site = ?1 AND source = ?2",
	[WATCHED_TOTAL] = "SELECT count(*) FROM watched",
	[WATCHED_TRIM] = "DELETE FROM watched WHERE key IN (SELECT key FROM watched ORDER BY last_at, key LIMIT ?1)",
	[WATCHED_LIST] = "SELECT key, site, location, path, source, client, code, device, times, first_at, last_at "
			 "FROM watched WHERE key > ?1 AND last_at >= ?2 AND (?3 = '' OR site = ?3) "
			 "ORDER BY key LIMIT ?4",
	[WATCHED_RESET] = "DELETE FROM watched WHERE ?1 = '' OR site = ?1",
	[ATTENDANCE_LIST] = "SELECT person.name, person.name_key, person.groups, "
			    "(SELECT count(*) FROM device WHERE device.person = person.id AND device.state = 'active'), "
			    "(SELECT max(seen.at) FROM device JOIN seen ON seen.device = device.id "
			    "WHERE device.person = person.id AND device.state = 'active') "
			    "FROM person WHERE person.name_key > ?1 AND person.state = 'active' "
			    "ORDER BY person.name_key LIMIT ?2",

	[AUDIT_NEWEST] = "SELECT max(at) FROM (SELECT at FROM audit ORDER BY number DESC LIMIT 1)",
	/* By the index on not_after: only devices with a certificate that ends in these days are looked at. */
	[CERTIFICATE_ENDING] = "SELECT device.id, coalesce(person.name, ''), device.label, max(certificate.not_after) AS ends "
			       "FROM certificate JOIN device ON device.id = certificate.device "
			       "LEFT JOIN person ON person.id = device.person "
			       "WHERE certificate.device IN (SELECT device FROM certificate WHERE not_after > ?1 AND not_after < ?2) "
			       "AND certificate.state = 'active' AND device.state = 'active' "
			       "GROUP BY device.id HAVING ends > ?1 AND ends < ?2 ORDER BY ends LIMIT ?3",

	[COUNT_ALL] = "SELECT (SELECT count(*) FROM person WHERE state <> 'removed'), "
		      "(SELECT count(*) FROM device WHERE state <> 'revoked'), "
		      "(SELECT count(*) FROM certificate WHERE state <> 'revoked'), "
		      "(SELECT count(*) FROM audit)",
	[DATA_VERSION] = "PRAGMA data_version",
};

const char *statement_text(enum statement which)
{
	return texts[which];
}
