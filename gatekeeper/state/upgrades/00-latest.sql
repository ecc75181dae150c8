-- v0 -> v3: Latest schema
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

CREATE TABLE prekey (
	account TEXT    NOT NULL,
	device  INTEGER NOT NULL,
	id      INTEGER NOT NULL,
	key     BLOB    NOT NULL,
	PRIMARY KEY (account, device, id),
	FOREIGN KEY (account, device) REFERENCES device (account, number) ON DELETE CASCADE
) WITHOUT ROWID;

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
CREATE INDEX mailbox_device_idx ON mailbox (account, device, seq);

CREATE TABLE accepted (
	sender  TEXT    NOT NULL,                     -- the sending device
	id      TEXT    NOT NULL,
	account TEXT    NOT NULL,                     -- the receiving device
	device  INTEGER NOT NULL,
	stored  BIGINT  NOT NULL,
	PRIMARY KEY (sender, id, account, device)
) WITHOUT ROWID;
CREATE INDEX accepted_stored_idx ON accepted (stored);

-- Who exchanged messages: they hear of each other's new keys, devices and pictures.
CREATE TABLE contact (
	account TEXT NOT NULL REFERENCES account (jid) ON DELETE CASCADE, -- who received a message
	contact TEXT NOT NULL,                                            -- who sent it
	PRIMARY KEY (account, contact)
) WITHOUT ROWID;
CREATE INDEX contact_contact_idx ON contact (contact);

CREATE TABLE blocked (
	account TEXT NOT NULL REFERENCES account (jid) ON DELETE CASCADE,
	contact TEXT NOT NULL,
	PRIMARY KEY (account, contact)
) WITHOUT ROWID;

-- The partners that a WhatsApp user did not choose.
CREATE TABLE refused_partner (
	account    TEXT    NOT NULL REFERENCES account (jid) ON DELETE CASCADE,
	integrator INTEGER NOT NULL,
	PRIMARY KEY (account, integrator)
) WITHOUT ROWID;

CREATE TABLE privacy (
	account  TEXT NOT NULL REFERENCES account (jid) ON DELETE CASCADE,
	category TEXT NOT NULL,
	value    TEXT NOT NULL,
	PRIMARY KEY (account, category)
) WITHOUT ROWID;

CREATE TABLE picture (
	account TEXT NOT NULL PRIMARY KEY REFERENCES account (jid) ON DELETE CASCADE,
	id      TEXT NOT NULL,
	content BLOB NOT NULL
);

-- Partners' users who ask WhatsApp users to turn third-party chats on.
CREATE TABLE ping (
	account TEXT    NOT NULL REFERENCES account (jid) ON DELETE CASCADE, -- who is asked
	sender  TEXT    NOT NULL REFERENCES account (jid) ON DELETE CASCADE, -- who asks
	sent    BIGINT  NOT NULL,                     -- unix seconds
	waiting BOOLEAN NOT NULL,                     -- there is no answer yet
	PRIMARY KEY (account, sender)
) WITHOUT ROWID;
CREATE INDEX ping_sender_idx ON ping (sender, sent);

CREATE TABLE saw (
	seq    INTEGER PRIMARY KEY AUTOINCREMENT,
	time   BIGINT NOT NULL,                       -- unix milliseconds
	record TEXT   NOT NULL                        -- JSON, never content
);
