-- v6 -> v7: Daily limits, suspended users, the audit log

CREATE TABLE postern_usage (
	user_id TEXT    NOT NULL,
	kind    TEXT    NOT NULL,
	day     INTEGER NOT NULL,
	used    BIGINT  NOT NULL,

	PRIMARY KEY (user_id, kind)
);

CREATE TABLE postern_suspension (
	user_id TEXT   PRIMARY KEY,
	reason  TEXT   NOT NULL,
	actor   TEXT   NOT NULL,
	at      BIGINT NOT NULL
);

CREATE TABLE postern_audit (
	seq        BIGINT PRIMARY KEY,
	at         BIGINT NOT NULL,
	kind       TEXT   NOT NULL,
	actor      TEXT   NOT NULL,
	user_id    TEXT   NOT NULL,
	gatekeeper TEXT   NOT NULL,
	subject    TEXT   NOT NULL,
	hash       BYTEA  NOT NULL CHECK (length(hash) = 32)
);
CREATE INDEX postern_audit_user ON postern_audit (user_id);

CREATE TABLE postern_audit_ends (
	id         SMALLINT PRIMARY KEY CHECK (id = 1),
	first_seq  BIGINT   NOT NULL,
	first_hash BYTEA    NOT NULL,
	last_seq   BIGINT   NOT NULL,
	last_hash  BYTEA    NOT NULL
);
