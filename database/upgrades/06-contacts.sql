-- v5 -> v6: What users decided about their contacts, and their settings

CREATE TABLE postern_contact (
	account   BIGINT   NOT NULL REFERENCES postern_enlistment (account) ON DELETE CASCADE,
	contact   TEXT     NOT NULL,
	request   SMALLINT NOT NULL DEFAULT 0,
	asked     BIGINT   NOT NULL DEFAULT 0,
	shown     BOOLEAN  NOT NULL DEFAULT false,
	missed    INTEGER  NOT NULL DEFAULT 0,
	blocked   BOOLEAN  NOT NULL DEFAULT false,
	listed    BOOLEAN  NOT NULL DEFAULT false,
	ignored   BOOLEAN  NOT NULL DEFAULT false,
	compared  BYTEA,
	held      BOOLEAN  NOT NULL DEFAULT false,
	pinged    BIGINT   NOT NULL DEFAULT 0,
	wished    BOOLEAN  NOT NULL DEFAULT false,

	PRIMARY KEY (account, contact)
);

CREATE TABLE postern_kept (
	account  BIGINT  NOT NULL,
	contact  TEXT    NOT NULL,
	id       TEXT    NOT NULL,
	position BIGINT  NOT NULL,
	message  BYTEA   NOT NULL,
	whole    BOOLEAN NOT NULL,
	size     INTEGER NOT NULL,
	created  BIGINT  NOT NULL,

	PRIMARY KEY (account, contact, id),
	FOREIGN KEY (account, contact) REFERENCES postern_contact (account, contact) ON DELETE CASCADE ON UPDATE CASCADE
);

ALTER TABLE postern_enlistment ADD COLUMN settings TEXT NOT NULL DEFAULT '';
