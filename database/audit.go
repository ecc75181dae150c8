package database

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
)

// AuditEntry says who did what. It holds ids, never content.
type AuditEntry struct {
	// Seq counts entries without a gap. Append sets it.
	Seq  int64     `json:"seq"`
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	// Actor is a Matrix ID, a word for the command line, or "" for the bridge itself.
	Actor string `json:"actor"`
	// UserID is the Matrix ID of whom it is about.
	UserID string `json:"user"`
	// Gatekeeper is "" for all or none.
	Gatekeeper string `json:"gatekeeper,omitempty"`
	// Subject is the id of what else it is about, such as a contact.
	Subject string `json:"subject,omitempty"`
}

// maxAuditField bounds each text of an entry, in bytes: a Matrix ID has at most 255.
const maxAuditField = 255

// ErrAuditBroken: the log is not what was written. Somebody changed or removed entries beside the program.
var ErrAuditBroken = errors.New("the audit log was changed or entries were removed")

// Audit is the log of who did what. Entries are added, and pruned at the old end; nothing else changes them. Each has a keyed hash
// over itself and the hash before, so that a change from outside is seen by Verify. Who has the database and the secret key can
// forge all of it, and who has only the database can bring an older state of it back.
type Audit struct {
	*core
	chain, pseudonyms [32]byte
}

// Audit returns the log. Keep it, it derives a key.
func (db *Database) Audit() Audit {
	return Audit{&db.core, db.key.Derive("database/audit"), db.key.Derive("database/audit-pseudonyms")}
}

// link is the hash of an entry. Lengths stand before texts, so that no two entries look the same.
func (a Audit) link(before []byte, entry *AuditEntry) []byte {
	mac := hmac.New(sha256.New, a.chain[:])
	data := append([]byte(nil), before...)
	data = binary.BigEndian.AppendUint64(data, uint64(entry.Seq))
	data = binary.BigEndian.AppendUint64(data, uint64(toUnix(entry.At)))
	for _, text := range []string{entry.Kind, entry.Actor, entry.UserID, entry.Gatekeeper, entry.Subject} {
		data = binary.BigEndian.AppendUint32(data, uint32(len(text)))
		data = append(data, text...)
	}
	mac.Write(data)
	return mac.Sum(nil)
}

// Append adds an entry, with one transaction, or as part of the one that ctx carries. Texts that are too long are cut.
func (a Audit) Append(ctx context.Context, entry AuditEntry) error {
	for _, text := range []*string{&entry.Kind, &entry.Actor, &entry.UserID, &entry.Gatekeeper, &entry.Subject} {
		*text = (*text)[:min(len(*text), maxAuditField)]
	}
	if entry.At.IsZero() {
		entry.At = a.now()
	}
	err := a.atomically(ctx, func(ctx context.Context) error {
		// Locks the row, so entries are added one after the other, by this process and others.
		var before []byte
		err := a.db.QueryRow(ctx, `
			INSERT INTO postern_audit_ends (id, first_seq, first_hash, last_seq, last_hash) VALUES (1, 1, $1, 1, $1)
			ON CONFLICT (id) DO UPDATE SET last_seq = postern_audit_ends.last_seq + 1
			RETURNING last_seq, last_hash`, make([]byte, sha256.Size)).Scan(&entry.Seq, &before)
		if err != nil {
			return err
		}
		hash := a.link(before, &entry)
		if _, err = a.db.Exec(ctx, `
			INSERT INTO postern_audit (seq, at, kind, actor, user_id, gatekeeper, subject, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			entry.Seq, toUnix(entry.At), entry.Kind, entry.Actor, entry.UserID, entry.Gatekeeper, entry.Subject, hash); err != nil {
			return err
		}
		_, err = a.db.Exec(ctx, "UPDATE postern_audit_ends SET last_hash = $1 WHERE id = 1", hash)
		return err
	})
	if err != nil {
		return fmt.Errorf("failed to add to the audit log: %w", err)
	}
	return nil
}

// Pseudonym is what an entry says in place of an id that must not outlive what it is about, such as a contact's with a phone number. It
// is always the same for the same id, and without the secret key nobody can tell whose it is.
func (a Audit) Pseudonym(name string) string {
	mac := hmac.New(sha256.New, a.pseudonyms[:])
	mac.Write([]byte(name))
	return fmt.Sprintf("contact-%x", mac.Sum(nil)[:8])
}

const selectAudit = "SELECT seq, at, kind, actor, user_id, gatekeeper, subject, hash FROM postern_audit "

type auditRow struct {
	AuditEntry
	hash []byte
}

func scanAuditRow(row dbutil.Scannable) (entry auditRow, err error) {
	var at int64
	err = row.Scan(&entry.Seq, &at, &entry.Kind, &entry.Actor, &entry.UserID, &entry.Gatekeeper, &entry.Subject, &entry.hash)
	entry.At = fromUnix(at)
	return entry, err
}

func scanAudit(row dbutil.Scannable) (AuditEntry, error) {
	entry, err := scanAuditRow(row)
	return entry.AuditEntry, err
}

// Page returns entries after one, oldest first: those since a time, at most limit.
func (a Audit) Page(ctx context.Context, after int64, since time.Time, limit int) ([]AuditEntry, error) {
	return queryAll(ctx, a.core, "read the audit log", scanAudit,
		selectAudit+"WHERE seq > $1 AND at >= $2 ORDER BY seq LIMIT $3", after, toUnix(since), limit)
}

// Newest returns the newest entries, newest first, at most limit.
func (a Audit) Newest(ctx context.Context, limit int) ([]AuditEntry, error) {
	return queryAll(ctx, a.core, "read the audit log", scanAudit, selectAudit+"ORDER BY seq DESC LIMIT $1", limit)
}

// OfUser returns the entries about a user or by them, oldest first; an empty list is not nil.
func (a Audit) OfUser(ctx context.Context, userID string) ([]AuditEntry, error) {
	all, err := queryAll(ctx, a.core, "read the audit log", scanAudit, selectAudit+"WHERE user_id = $1 OR actor = $1 ORDER BY seq", userID)
	if err == nil && all == nil {
		all = []AuditEntry{}
	}
	return all, err
}

// auditBatch is how many entries are loaded at a time to be verified.
const auditBatch = 1000

// Verify returns how many entries there are and the hash of the last one; who notes that sees later whether the end was cut off and
// an older state of the database brought back. Errors: [ErrAuditBroken].
func (a Audit) Verify(ctx context.Context) (count int64, head []byte, err error) {
	err = a.atomically(ctx, func(ctx context.Context) error {
		count, head, err = a.verify(ctx)
		return err
	})
	return count, head, err
}

func (a Audit) verify(ctx context.Context) (count int64, head []byte, err error) {
	var first, last int64
	var hash, end []byte
	// The update changes nothing but keeps others from adding or pruning meanwhile.
	ends, err := queryAll(ctx, a.core, "find the ends of the audit log", func(row dbutil.Scannable) (bool, error) {
		return true, row.Scan(&first, &hash, &last, &end)
	}, "UPDATE postern_audit_ends SET id = 1 RETURNING first_seq, first_hash, last_seq, last_hash")
	if err != nil {
		return 0, nil, err
	} else if len(ends) == 0 {
		first = 1
	}
	at := first - 1
	for {
		rows, err := queryAll(ctx, a.core, "read the audit log", scanAuditRow, selectAudit+"WHERE seq > $1 ORDER BY seq LIMIT $2", at, auditBatch)
		if err != nil {
			return 0, nil, err
		}
		for _, row := range rows {
			if row.Seq != at+1 {
				return 0, nil, fmt.Errorf("%w: entry %d is missing", ErrAuditBroken, at+1)
			}
			if hash = a.link(hash, &row.AuditEntry); !hmac.Equal(hash, row.hash) {
				return 0, nil, fmt.Errorf("%w: entry %d is not what was written, or the one before it", ErrAuditBroken, row.Seq)
			}
			at = row.Seq
		}
		if len(rows) < auditBatch {
			break
		}
	}
	if at != last || !hmac.Equal(hash, end) {
		return 0, nil, fmt.Errorf("%w: it ends with entry %d instead of %d", ErrAuditBroken, at, last)
	}
	return at - first + 1, hash, nil
}

// Prune removes what is older than a time, from the old end, and notes where the log begins now.
func (a Audit) Prune(ctx context.Context, before time.Time) error {
	err := a.atomically(ctx, func(ctx context.Context) error {
		// The first that stays. Clocks may have gone back, so it is not asked for each entry's own time.
		kept, err := queryAll(ctx, a.core, "find old entries", scanAuditRow, selectAudit+"WHERE at >= $1 ORDER BY seq LIMIT 1", toUnix(before))
		if err != nil {
			return err
		}
		query, args := selectAudit+"ORDER BY seq DESC LIMIT 1", []any(nil)
		if len(kept) > 0 {
			query, args = selectAudit+"WHERE seq < $1 ORDER BY seq DESC LIMIT 1", []any{kept[0].Seq}
		}
		old, err := queryAll(ctx, a.core, "find old entries", scanAuditRow, query, args...)
		if err != nil || len(old) == 0 {
			return err
		}
		if _, err = a.db.Exec(ctx, "UPDATE postern_audit_ends SET first_seq = $1, first_hash = $2 WHERE id = 1", old[0].Seq+1, old[0].hash); err != nil {
			return err
		}
		_, err = a.db.Exec(ctx, "DELETE FROM postern_audit WHERE seq <= $1", old[0].Seq)
		return err
	})
	if err != nil {
		return fmt.Errorf("failed to remove old entries of the audit log: %w", err)
	}
	return nil
}
