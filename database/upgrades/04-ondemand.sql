-- v3 -> v4: When each account was connected last

ALTER TABLE postern_enlistment ADD COLUMN connected BIGINT NOT NULL DEFAULT 0;
