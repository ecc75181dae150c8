-- v1 -> v2: Partners' users who ask WhatsApp users to turn third-party chats on

CREATE TABLE ping (
	account TEXT    NOT NULL REFERENCES account (jid) ON DELETE CASCADE, -- who is asked
	sender  TEXT    NOT NULL REFERENCES account (jid) ON DELETE CASCADE, -- who asks
	sent    BIGINT  NOT NULL,                     -- unix seconds
	waiting BOOLEAN NOT NULL,                     -- there is no answer yet
	PRIMARY KEY (account, sender)
) WITHOUT ROWID;
CREATE INDEX ping_sender_idx ON ping (sender, sent);
