-- v0 -> v9: Latest schema

-- Columns marked "sealed" hold AES-256-GCM of the database package's Sealer. All else is in the clear.
-- Times are Unix nanoseconds, 0 for none. JIDs are written as server/integrator/agent/device/user.

-- One row, made with the first start: a value derived from the secret key, to know a wrong key by.
CREATE TABLE postern_secret_check (
	id          SMALLINT PRIMARY KEY CHECK (id = 1),
	check_value BYTEA    NOT NULL
);

CREATE TABLE postern_enlistment (
	-- only: postgres
	account         BIGINT  PRIMARY KEY, -- random, never used again
	-- only: sqlite
	account         INTEGER PRIMARY KEY, -- the same; this very type makes it the row id
	gatekeeper      TEXT    NOT NULL,
	user_id         TEXT    NOT NULL,    -- Matrix ID
	login           TEXT,                -- id of the bridge's login, NULL before the gatekeeper said yes
	jid             TEXT    NOT NULL DEFAULT '',
	state           TEXT    NOT NULL CHECK (state IN ('enlisting', 'enlisted', 'leaving', 'lapsed')),
	account_keys    BYTEA   NOT NULL,    -- sealed
	consent_version INTEGER NOT NULL,
	consent_at      BIGINT  NOT NULL,
	created         BIGINT  NOT NULL,
	last_prekey_id  BIGINT  NOT NULL DEFAULT 0,
	last_outgoing   BIGINT  NOT NULL DEFAULT 0, -- highest postern_outgoing.seq ever given
	told            BOOLEAN NOT NULL DEFAULT false, -- of one who leaves: the gatekeeper knows
	eea_version     INTEGER NOT NULL DEFAULT 0,  -- of the declaration to be in the EEA, 0 if there is none
	eea_at          BIGINT  NOT NULL DEFAULT 0,
	eea_withdrawn   BIGINT  NOT NULL DEFAULT 0,
	connected       BIGINT  NOT NULL DEFAULT 0, -- when the login to the gatekeeper last succeeded, to the hour
	settings        TEXT    NOT NULL DEFAULT '', -- JSON: what the user set, by name; '' is nothing

	UNIQUE (gatekeeper, user_id),
	UNIQUE (login)
);

CREATE TABLE postern_session (
	account BIGINT NOT NULL REFERENCES postern_enlistment (account) ON DELETE CASCADE,
	address TEXT   NOT NULL,
	record  BYTEA  NOT NULL, -- sealed

	PRIMARY KEY (account, address)
);

CREATE TABLE postern_identity (
	account    BIGINT NOT NULL REFERENCES postern_enlistment (account) ON DELETE CASCADE,
	address    TEXT   NOT NULL,
	public_key BYTEA  NOT NULL CHECK (length(public_key) = 32),
	told       BOOLEAN NOT NULL DEFAULT true, -- the user knows of this key

	PRIMARY KEY (account, address)
);

CREATE TABLE postern_prekey (
	account  BIGINT  NOT NULL REFERENCES postern_enlistment (account) ON DELETE CASCADE,
	id       BIGINT  NOT NULL,
	key_pair BYTEA   NOT NULL, -- sealed
	uploaded BOOLEAN NOT NULL DEFAULT false,
	sent     BIGINT  NOT NULL DEFAULT 0, -- when it was made for a retry receipt, 0 of those that the gatekeeper hands out

	PRIMARY KEY (account, id)
);

CREATE TABLE postern_signed_prekey (
	account   BIGINT NOT NULL REFERENCES postern_enlistment (account) ON DELETE CASCADE,
	id        BIGINT NOT NULL,
	key_pair  BYTEA  NOT NULL, -- sealed
	signature BYTEA  NOT NULL CHECK (length(signature) = 64),
	created   BIGINT NOT NULL,

	PRIMARY KEY (account, id)
);

-- seq is the order of Enqueue. It is counted in postern_enlistment, whose row lock makes the order of commits the same:
-- a sequence of PostgreSQL would let a later number be seen before an earlier one.
CREATE TABLE postern_outgoing (
	account   BIGINT   NOT NULL REFERENCES postern_enlistment (account) ON DELETE CASCADE,
	seq       BIGINT   NOT NULL,
	id        TEXT     NOT NULL,
	chat      TEXT     NOT NULL,
	plaintext BYTEA,             -- sealed, NULL once failed
	ref       TEXT     NOT NULL,
	state     SMALLINT NOT NULL, -- 0 pending, 1 sent, 2 failed
	devices   BYTEA,             -- who it was encrypted for, 2 bytes each; NULL unless sent
	failure   TEXT     NOT NULL DEFAULT '',
	created   BIGINT   NOT NULL,
	draft     BOOLEAN  NOT NULL DEFAULT false, -- plaintext is not a message yet but what the bridge makes one from

	PRIMARY KEY (account, seq),
	UNIQUE (account, id)
);
CREATE INDEX postern_outgoing_pending ON postern_outgoing (account, seq) WHERE state = 0;

-- plaintext is NULL once delivered.
CREATE TABLE postern_received (
	account   BIGINT NOT NULL REFERENCES postern_enlistment (account) ON DELETE CASCADE,
	hash      BYTEA  NOT NULL CHECK (length(hash) = 32),
	plaintext BYTEA, -- sealed
	delivered BIGINT NOT NULL DEFAULT 0,

	PRIMARY KEY (account, hash)
-- only: postgres
);
-- only: sqlite
) WITHOUT ROWID;

-- Messages of contacts whose file could not be fetched, to be tried again.
CREATE TABLE postern_unfetched (
	account BIGINT NOT NULL REFERENCES postern_enlistment (account) ON DELETE CASCADE,
	id      TEXT   NOT NULL,
	message BYTEA  NOT NULL, -- sealed
	created BIGINT NOT NULL,

	PRIMARY KEY (account, id)
);

-- What the user decided about a contact. No row: nothing yet.
CREATE TABLE postern_contact (
	account   BIGINT   NOT NULL REFERENCES postern_enlistment (account) ON DELETE CASCADE,
	contact   TEXT     NOT NULL,               -- JID
	request   SMALLINT NOT NULL DEFAULT 0,     -- 0 never asked, 1 asks, 2 accepted, 3 declined
	asked     BIGINT   NOT NULL DEFAULT 0,     -- when the contact first asked
	shown     BOOLEAN  NOT NULL DEFAULT false, -- there is a room that was made for the request, not for a chat
	missed    INTEGER  NOT NULL DEFAULT 0,     -- messages that came while the contact asked and were not kept
	blocked   BOOLEAN  NOT NULL DEFAULT false, -- the user wants it
	listed    BOOLEAN  NOT NULL DEFAULT false, -- on the gatekeeper's blocklist, as far as we know
	ignored   BOOLEAN  NOT NULL DEFAULT false, -- on the ignore list of the user's Matrix account, when it was last read
	compared  BYTEA,                           -- a hash of the identity keys whose security code the user compared
	held      BOOLEAN  NOT NULL DEFAULT false, -- messages to the contact wait until the user agrees to a new key
	pinged    BIGINT   NOT NULL DEFAULT 0,     -- when the user last asked the contact to turn third-party chats on
	wished    BOOLEAN  NOT NULL DEFAULT false, -- the user waits for the answer

	PRIMARY KEY (account, contact)
);

-- Messages of contacts whom the user has not accepted yet, or was accepting when the bridge stopped.
CREATE TABLE postern_kept (
	account  BIGINT  NOT NULL,
	contact  TEXT    NOT NULL, -- JID
	id       TEXT    NOT NULL, -- the message's
	position BIGINT  NOT NULL, -- the order in which they came
	message  BYTEA   NOT NULL, -- sealed
	whole    BOOLEAN NOT NULL, -- false: it could not be decrypted, and may come again
	size     INTEGER NOT NULL, -- bytes of message
	created  BIGINT  NOT NULL,

	PRIMARY KEY (account, contact, id),
	FOREIGN KEY (account, contact) REFERENCES postern_contact (account, contact) ON DELETE CASCADE ON UPDATE CASCADE
);

-- Keys of Matrix rooms that a device of a user did not get, since the homeserver had no one-time key of it left.
CREATE TABLE postern_room_key (
	user_id  TEXT   NOT NULL, -- Matrix ID, whose device lacks the key
	device   TEXT   NOT NULL,
	session  TEXT   NOT NULL,
	owner    TEXT   NOT NULL, -- Matrix ID, whose messages the key is for
	room     TEXT   NOT NULL,
	room_key BYTEA  NOT NULL, -- sealed
	created  BIGINT NOT NULL,

	PRIMARY KEY (user_id, device, session)
);

-- The partner server's signing keys. The index allows one active key: of two first starts, one wins.
CREATE TABLE postern_provider_key (
	kid         TEXT   PRIMARY KEY,
	state       TEXT   NOT NULL CHECK (state IN ('next', 'active', 'retired')),
	private_key BYTEA  NOT NULL, -- sealed PKCS #8
	created     BIGINT NOT NULL,
	published   BIGINT NOT NULL,
	retired     BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX postern_provider_key_active ON postern_provider_key (state) WHERE state = 'active';
CREATE UNIQUE INDEX postern_provider_key_next ON postern_provider_key (state) WHERE state = 'next';

-- How much of a daily limit a user took. One row for each kind of limit, which the next day overwrites.
CREATE TABLE postern_usage (
	user_id TEXT    NOT NULL, -- Matrix ID: who enlists anew begins nothing anew
	kind    TEXT    NOT NULL,
	day     INTEGER NOT NULL, -- days since 1970, UTC
	used    BIGINT  NOT NULL, -- at least what was taken, see package bridge

	PRIMARY KEY (user_id, kind)
);

-- Users whom an admin took off for a while. It outlives their enlistments.
CREATE TABLE postern_suspension (
	user_id TEXT   PRIMARY KEY, -- Matrix ID
	reason  TEXT   NOT NULL,    -- as the user reads it
	actor   TEXT   NOT NULL,    -- Matrix ID of the admin, "" for the command line
	at      BIGINT NOT NULL
);

-- Who did what. Rows are only added, and removed from the old end when they are old enough.
CREATE TABLE postern_audit (
	seq        BIGINT PRIMARY KEY,
	at         BIGINT NOT NULL,
	kind       TEXT   NOT NULL,
	actor      TEXT   NOT NULL, -- Matrix ID, "" for the bridge itself, "command line"
	user_id    TEXT   NOT NULL, -- Matrix ID of whom it is about
	gatekeeper TEXT   NOT NULL, -- "" for all or none
	subject    TEXT   NOT NULL, -- what else it is about: an id, such as a contact's; never content
	hash       BYTEA  NOT NULL CHECK (length(hash) = 32) -- keyed, over this row and the hash before
);
CREATE INDEX postern_audit_user ON postern_audit (user_id);

-- One row: where the log begins and ends. first_hash is that of the row before the first.
CREATE TABLE postern_audit_ends (
	id         SMALLINT PRIMARY KEY CHECK (id = 1),
	first_seq  BIGINT   NOT NULL,
	first_hash BYTEA    NOT NULL,
	last_seq   BIGINT   NOT NULL,
	last_hash  BYTEA    NOT NULL
);

CREATE TABLE postern_kv (
	name  TEXT  PRIMARY KEY,
	value BYTEA NOT NULL -- sealed
);
