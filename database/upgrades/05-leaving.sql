-- v4 -> v5: How far a farewell got, declarations to be in the EEA

ALTER TABLE postern_enlistment ADD COLUMN told BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE postern_enlistment ADD COLUMN eea_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE postern_enlistment ADD COLUMN eea_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE postern_enlistment ADD COLUMN eea_withdrawn BIGINT NOT NULL DEFAULT 0;
