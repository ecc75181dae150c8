package state

import (
	"context"
	"encoding/json"
	"fmt"

	"go.mau.fi/util/dbutil"
)

// Saw is what the gatekeeper noted of one stanza: never content, which it does not have.
type Saw struct {
	Seq  int64    `json:"seq"`
	Time int64    `json:"time"` // unix milliseconds
	Kind string   `json:"kind"` // the stanza's tag, with its type: "message", "receipt read", "enlist" ...
	ID   string   `json:"id,omitempty"`
	From string   `json:"from,omitempty"`
	To   string   `json:"to,omitempty"`
	Enc  []string `json:"enc,omitempty"`  // the types of the enc nodes: pkmsg, msg
	Size int      `json:"size,omitempty"` // ciphertext bytes, or the stanza's if it has none
}

// Note keeps a record, soon and without waiting.
func (s *State) Note(record Saw) { _ = s.writer.submit(operation{saw: &record}) }

// DropOldNotes keeps the newest records only.
func (s *State) DropOldNotes(ctx context.Context, keep int) error {
	_, err := s.db.Exec(ctx, `DELETE FROM saw WHERE seq <= (SELECT MAX(seq) FROM saw) - $1`, keep)
	if err != nil {
		return fmt.Errorf("failed to drop old records: %w", err)
	}
	return nil
}

// Noted returns up to limit records with a Seq above after, in order.
func (s *State) Noted(ctx context.Context, after int64, limit int) ([]Saw, error) {
	rows, err := s.db.Query(ctx, `SELECT seq, record FROM saw WHERE seq>$1 ORDER BY seq LIMIT $2`, after, limit)
	return dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (record Saw, err error) {
		var seq int64
		var text string
		if err = row.Scan(&seq, &text); err == nil {
			err = json.Unmarshal([]byte(text), &record)
		}
		record.Seq = seq
		return
	}, err).AsList()
}

// NotedChange returns a channel that is closed when the next record is stored. Take it before calling Noted.
func (s *State) NotedChange() <-chan struct{} {
	s.sawMu.Lock()
	defer s.sawMu.Unlock()
	return s.sawChange
}

func (s *State) sawStored() {
	s.sawMu.Lock()
	close(s.sawChange)
	s.sawChange = make(chan struct{})
	s.sawMu.Unlock()
}
