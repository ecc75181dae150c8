PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE account (
	jid             TEXT    NOT NULL PRIMARY KEY, -- 4915112345678@s.whatsapp.net or 1-10853634039893@interop
	lid             TEXT    NOT NULL UNIQUE,      -- the LID that WhatsApp clients know the account by
	integrator      INTEGER NOT NULL,             -- 0 for WhatsApp users
	user_visible_id TEXT    NOT NULL,             -- the Matrix ID; '' for WhatsApp users
	name            TEXT    NOT NULL,
	third_party     BOOLEAN NOT NULL,             -- WhatsApp users: third-party chats are on
	last_login      BIGINT  NOT NULL,             -- unix seconds; the time of enlistment until the first login
	one_inbox       BOOLEAN NOT NULL DEFAULT false, -- WhatsApp users: third-party chats are between the others
	UNIQUE (integrator, user_visible_id, jid)
);
INSERT INTO account VALUES('4915112345678@s.whatsapp.net','11111111111111@lid',0,'','Bob',1,1760000000,1);
INSERT INTO account VALUES('1-10853634039893@interop','22222222222222@lid',1,'@alice:example.org','',0,1760000001,0);
CREATE TABLE device (
	account         TEXT    NOT NULL REFERENCES account (jid) ON DELETE CASCADE,
	number          INTEGER NOT NULL,
	noise           BLOB    NOT NULL,
	registration_id INTEGER NOT NULL DEFAULT 0,
	identity        BLOB,                         -- NULL until the device uploaded its keys
	signed_id       INTEGER NOT NULL DEFAULT 0,
	signed_key      BLOB,
	signed_sig      BLOB,
	PRIMARY KEY (account, number)
);
INSERT INTO device VALUES('4915112345678@s.whatsapp.net',2,X'0000000000000000000000000000000000000000000000000000000000000000',4711,X'0000000000000000000000000000000000000000000000000000000000000000',1,X'0000000000000000000000000000000000000000000000000000000000000000',X'00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO device VALUES('1-10853634039893@interop',0,X'0000000000000000000000000000000000000000000000000000000000000000',0,NULL,0,NULL,NULL);
CREATE TABLE prekey (
	account TEXT    NOT NULL,
	device  INTEGER NOT NULL,
	id      INTEGER NOT NULL,
	key     BLOB    NOT NULL,
	PRIMARY KEY (account, device, id),
	FOREIGN KEY (account, device) REFERENCES device (account, number) ON DELETE CASCADE
) WITHOUT ROWID;
INSERT INTO prekey VALUES('4915112345678@s.whatsapp.net',2,7,X'0000000000000000000000000000000000000000000000000000000000000000');
CREATE TABLE mailbox (
	seq     INTEGER PRIMARY KEY AUTOINCREMENT,    -- the order of delivery
	account TEXT    NOT NULL,
	device  INTEGER NOT NULL,
	class   TEXT    NOT NULL,                     -- message, receipt or notification
	id      TEXT    NOT NULL,
	sender  TEXT    NOT NULL,                     -- the sending device, under its account's JID; or the server
	stanza  BLOB    NOT NULL,                     -- encoded, without the offline attribute
	stored  BIGINT  NOT NULL,                     -- unix seconds
	FOREIGN KEY (account, device) REFERENCES device (account, number) ON DELETE CASCADE
);
INSERT INTO mailbox VALUES(1,'4915112345678@s.whatsapp.net',2,'message','A','1-10853634039893@interop',X'00ff',1760000002);
CREATE TABLE accepted (
	sender  TEXT    NOT NULL,                     -- the sending device
	id      TEXT    NOT NULL,
	account TEXT    NOT NULL,                     -- the receiving device
	device  INTEGER NOT NULL,
	stored  BIGINT  NOT NULL,
	PRIMARY KEY (sender, id, account, device)
) WITHOUT ROWID;
CREATE TABLE contact (
	account TEXT NOT NULL REFERENCES account (jid) ON DELETE CASCADE, -- who received a message
	contact TEXT NOT NULL,                                            -- who sent it
	PRIMARY KEY (account, contact)
) WITHOUT ROWID;
INSERT INTO contact VALUES('4915112345678@s.whatsapp.net','1-10853634039893@interop');
CREATE TABLE blocked (
	account TEXT NOT NULL REFERENCES account (jid) ON DELETE CASCADE,
	contact TEXT NOT NULL,
	PRIMARY KEY (account, contact)
) WITHOUT ROWID;
INSERT INTO blocked VALUES('4915112345678@s.whatsapp.net','1-10853634039893@interop');
CREATE TABLE refused_partner (
	account    TEXT    NOT NULL REFERENCES account (jid) ON DELETE CASCADE,
	integrator INTEGER NOT NULL,
	PRIMARY KEY (account, integrator)
) WITHOUT ROWID;
INSERT INTO refused_partner VALUES('4915112345678@s.whatsapp.net',9);
CREATE TABLE privacy (
	account  TEXT NOT NULL REFERENCES account (jid) ON DELETE CASCADE,
	category TEXT NOT NULL,
	value    TEXT NOT NULL,
	PRIMARY KEY (account, category)
) WITHOUT ROWID;
INSERT INTO privacy VALUES('4915112345678@s.whatsapp.net','readreceipts','none');
CREATE TABLE picture (
	account TEXT NOT NULL PRIMARY KEY REFERENCES account (jid) ON DELETE CASCADE,
	id      TEXT NOT NULL,
	content BLOB NOT NULL
);
CREATE TABLE ping (
	account TEXT    NOT NULL REFERENCES account (jid) ON DELETE CASCADE, -- who is asked
	sender  TEXT    NOT NULL REFERENCES account (jid) ON DELETE CASCADE, -- who asks
	sent    BIGINT  NOT NULL,                     -- unix seconds
	waiting BOOLEAN NOT NULL,                     -- there is no answer yet
	PRIMARY KEY (account, sender)
) WITHOUT ROWID;
INSERT INTO ping VALUES('4915112345678@s.whatsapp.net','1-10853634039893@interop',1760000003,1);
CREATE TABLE saw (
	seq    INTEGER PRIMARY KEY AUTOINCREMENT,
	time   BIGINT NOT NULL,                       -- unix milliseconds
	record TEXT   NOT NULL                        -- JSON, never content
);
CREATE TABLE version (version INTEGER, compat INTEGER);
INSERT INTO version VALUES(3,3);
CREATE TABLE database_owner (key INTEGER PRIMARY KEY DEFAULT 0, owner TEXT NOT NULL);
INSERT INTO database_owner VALUES(0,'postern gatekeeper');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('mailbox',1);
CREATE INDEX mailbox_device_idx ON mailbox (account, device, seq);
CREATE INDEX accepted_stored_idx ON accepted (stored);
CREATE INDEX contact_contact_idx ON contact (contact);
CREATE INDEX ping_sender_idx ON ping (sender, sent);
COMMIT;
