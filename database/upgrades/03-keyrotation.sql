-- v2 -> v3: When signing keys were retired, and one next key at most

ALTER TABLE postern_provider_key ADD COLUMN retired BIGINT NOT NULL DEFAULT 0;

CREATE UNIQUE INDEX postern_provider_key_next ON postern_provider_key (state) WHERE state = 'next';
