-- v7 -> v8: Keys of Matrix rooms that could not be delivered

CREATE TABLE postern_room_key (
	user_id  TEXT   NOT NULL,
	device   TEXT   NOT NULL,
	session  TEXT   NOT NULL,
	owner    TEXT   NOT NULL,
	room     TEXT   NOT NULL,
	room_key BYTEA  NOT NULL,
	created  BIGINT NOT NULL,

	PRIMARY KEY (user_id, device, session)
);
