-- v8 -> v9: Prekeys of retry receipts are forgotten when nobody uses them

ALTER TABLE postern_prekey ADD COLUMN sent BIGINT NOT NULL DEFAULT 0;
