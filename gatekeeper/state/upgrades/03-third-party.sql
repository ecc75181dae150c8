-- v2 -> v3: What users decided about third-party chats
ALTER TABLE account ADD COLUMN one_inbox BOOLEAN NOT NULL DEFAULT false;

CREATE TABLE refused_partner (
	account    TEXT    NOT NULL REFERENCES account (jid) ON DELETE CASCADE,
	integrator INTEGER NOT NULL,
	PRIMARY KEY (account, integrator)
) WITHOUT ROWID;
