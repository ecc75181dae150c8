-- v5 -> v6: What users decided about their contacts

CREATE TABLE postern_contact (
	account   BIGINT   NOT NULL REFERENCES postern_enlistment (account) ON DELETE CASCADE,
	contact   TEXT     NOT NULL,
	request   SMALLINT NOT NULL DEFAULT 0,
	blocked   BOOLEAN  NOT NULL DEFAULT false,
	listed    BOOLEAN  NOT NULL DEFAULT false,
	compared  BYTEA,
	held      BOOLEAN  NOT NULL DEFAULT false,
	pinged    BIGINT   NOT NULL DEFAULT 0,

	PRIMARY KEY (account, contact)
);
