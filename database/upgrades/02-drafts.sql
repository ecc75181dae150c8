-- v1 -> v2: Drafts in the outbox, messages whose file could not be fetched

ALTER TABLE postern_outgoing ADD COLUMN draft BOOLEAN NOT NULL DEFAULT false;

CREATE TABLE postern_unfetched (
	account BIGINT NOT NULL REFERENCES postern_enlistment (account) ON DELETE CASCADE,
	id      TEXT   NOT NULL,
	message BYTEA  NOT NULL, -- sealed
	created BIGINT NOT NULL,

	PRIMARY KEY (account, id)
);
