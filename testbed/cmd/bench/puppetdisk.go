package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	_ "github.com/mattn/go-sqlite3" // the bridge's database

	"postern/testbed/cmd/bench/report"
	"postern/testbed/stack"
)

// measurePuppetDisk stops the bridge and looks how much smaller its database becomes without what belongs to contacts' devices.
func measurePuppetDisk(ctx context.Context, s *stack.Stack) (figure report.Figure, err error) {
	if err = s.Bridge.Stop(ctx); err != nil {
		return figure, err
	}
	db, err := sql.Open("sqlite3", filepath.Join(s.Dir("bridge"), "postern.db"))
	if err != nil {
		return figure, fmt.Errorf("failed to open the bridge's database: %w", err)
	}
	defer db.Close()
	var puppets, rooms int
	if err = db.QueryRowContext(ctx, "SELECT count(*) FROM crypto_account WHERE account_id<>''").Scan(&puppets); err != nil {
		return figure, fmt.Errorf("failed to count devices: %w", err)
	}
	if err = db.QueryRowContext(ctx, "SELECT count(*) FROM crypto_megolm_outbound_session WHERE account_id=''").Scan(&rooms); err != nil {
		return figure, fmt.Errorf("failed to count the bot's sessions: %w", err)
	}
	sizes := []int64{0, 0, 0}
	for i, without := range [][]string{nil, {
		"crypto_account WHERE account_id<>''", "crypto_olm_session WHERE account_id<>''", "crypto_device WHERE user_id LIKE '@postern\\_%' ESCAPE '\\'",
		"crypto_megolm_inbound_session WHERE source_user LIKE '@postern\\_%' ESCAPE '\\'", "crypto_megolm_outbound_session WHERE account_id<>''",
	}, {
		"crypto_megolm_inbound_session WHERE source_user LIKE '@postern:%'", "crypto_megolm_outbound_session",
	}} {
		for _, rows := range without {
			if _, err = db.ExecContext(ctx, "DELETE FROM "+rows); err != nil {
				return figure, fmt.Errorf("failed to delete from the bridge's database: %w", err)
			}
		}
		if sizes[i], err = compactSize(ctx, db, filepath.Join(s.Dir("bridge"), fmt.Sprintf("size%d.db", i))); err != nil {
			return figure, err
		}
	}
	return report.Figure{
		Name: fmt.Sprintf("database of a contact's device, at %d", puppets), Unit: "KiB",
		Value: float64(sizes[0]-sizes[1]) / float64(puppets) / 1024, Baseline: float64(sizes[1]-sizes[2]) / float64(rooms) / 1024,
		BaselineName: "the bot's sessions of a room",
		Target:       &report.Target{Subject: report.Value, Number: puppetDiskTarget},
	}, nil
}

// compactSize is the size of the database without free pages.
func compactSize(ctx context.Context, db *sql.DB, path string) (int64, error) {
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return 0, fmt.Errorf("failed to copy the bridge's database: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, fmt.Errorf("failed to look at a copy of the bridge's database: %w", err)
	}
	return info.Size(), nil
}
