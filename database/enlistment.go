package database

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

const enlistmentKeys = "postern_enlistment.account_keys"

// EnlistmentState is where a user stands with a gatekeeper.
type EnlistmentState string

const (
	// Enlisting: the keys are stored, and the gatekeeper may or may not have them. Enlisting again with them is safe.
	Enlisting EnlistmentState = "enlisting"
	// Enlisted: the gatekeeper said yes.
	Enlisted EnlistmentState = "enlisted"
	// Leaving: the user wants out, and the gatekeeper may not know yet.
	Leaving EnlistmentState = "leaving"
	// Lapsed: the gatekeeper does not know the account any more.
	Lapsed EnlistmentState = "lapsed"
)

var (
	// ErrEnlistmentExists: the user has an enlistment with this gatekeeper, in whatever state. Go on with it or delete it.
	ErrEnlistmentExists = errors.New("the user has an enlistment with this gatekeeper already")
	// ErrNoEnlistment: there is no such account.
	ErrNoEnlistment = errors.New("no such enlistment")
)

// Enlistment is what we know of one Matrix user at one gatekeeper.
type Enlistment struct {
	// Account is given by Create.
	Account AccountID
	// Gatekeeper is interop.Gatekeeper.ID. A user has at most one enlistment with each gatekeeper.
	Gatekeeper string
	// UserID is the Matrix ID.
	UserID string
	// Login is the id of the bridge's login, "" while Enlisting.
	Login string
	// JID is the internal identifier that the gatekeeper gave, empty while Enlisting.
	JID   types.JID
	Keys  interop.Keys
	State EnlistmentState
	// ConsentVersion and ConsentAt say to which text the user said yes, and when.
	ConsentVersion int
	ConsentAt      time.Time
	// EEAVersion and EEAAt are the same for the declaration to be in the EEA, 0 if there is none. EEAWithdrawn is when it was
	// withdrawn, zero if it was not.
	EEAVersion          int
	EEAAt, EEAWithdrawn time.Time
	// Told is set while [Leaving]: the gatekeeper knows.
	Told bool
	// Settings is what the user set, by name. A new enlistment has none; see [Enlistments.Renew].
	Settings map[string]string
	// Created is set by Create if it is zero.
	Created time.Time
	// Connected is about when the login last succeeded, zero if it never did. See MarkConnected.
	Connected time.Time
}

// DeclaredEEA tells whether the user declared to be in the EEA, and did not withdraw that.
func (e *Enlistment) DeclaredEEA() bool { return e.EEAVersion > 0 && e.EEAWithdrawn.IsZero() }

// Enlistments is the table of all enlistments. Keys are sealed in it.
type Enlistments struct{ *core }

// Enlistments returns the table of all enlistments.
func (db *Database) Enlistments() Enlistments { return Enlistments{&db.core} }

// Create stores a new enlistment and gives it its Account. State may be left empty for [Enlisting]. Errors:
// [ErrEnlistmentExists].
func (e Enlistments) Create(ctx context.Context, enlistment *Enlistment) error {
	var random [8]byte
	rand.Read(random[:])                                            // never fails, see crypto/rand
	account := AccountID(binary.BigEndian.Uint64(random[:])>>1) | 1 // positive
	created, state := enlistment.Created, enlistment.State
	if created.IsZero() {
		created = e.now()
	}
	if state == "" {
		state = Enlisting
	}
	keys, err := enlistment.Keys.MarshalBinary()
	if err != nil {
		return fmt.Errorf("failed to store an enlistment: %w", err)
	}
	result, err := e.db.Exec(ctx, `
		INSERT INTO postern_enlistment (
			account, gatekeeper, user_id, login, jid, state, account_keys, consent_version, consent_at, created, eea_version, eea_at
		) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (gatekeeper, user_id) DO NOTHING`,
		account, enlistment.Gatekeeper, enlistment.UserID, dbutil.StrPtr(enlistment.Login), formatJID(enlistment.JID), state,
		e.accountSealer(account).Seal(keys, enlistmentKeys), enlistment.ConsentVersion, toUnix(enlistment.ConsentAt),
		toUnix(created), enlistment.EEAVersion, toUnix(enlistment.EEAAt))
	if err != nil {
		return fmt.Errorf("failed to store an enlistment: %w", err)
	}
	if rows, err := result.RowsAffected(); err != nil {
		return fmt.Errorf("failed to store an enlistment: %w", err)
	} else if rows == 0 {
		return ErrEnlistmentExists
	}
	enlistment.Account, enlistment.Created, enlistment.State = account, created, state
	return nil
}

// MarkEnlisted notes the gatekeeper's yes: the state becomes [Enlisted]. Errors: [ErrNoEnlistment].
func (e Enlistments) MarkEnlisted(ctx context.Context, account AccountID, jid types.JID, login string) error {
	return e.update(ctx, "UPDATE postern_enlistment SET state = $2, jid = $3, login = $4 WHERE account = $1",
		account, Enlisted, formatJID(jid), login)
}

// Delete erases the enlistment with all that is kept for the account, in one transaction. Deleting what is not there is
// no error.
func (e Enlistments) Delete(ctx context.Context, account AccountID) error {
	return e.exec(ctx, "delete an enlistment", "DELETE FROM postern_enlistment WHERE account = $1", account)
}

func (e Enlistments) update(ctx context.Context, query string, args ...any) error {
	result, err := e.db.Exec(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("failed to update an enlistment: %w", err)
	}
	if rows, err := result.RowsAffected(); err != nil {
		return fmt.Errorf("failed to update an enlistment: %w", err)
	} else if rows == 0 {
		return ErrNoEnlistment
	}
	return nil
}

const selectEnlistment = `
	SELECT account, gatekeeper, user_id, login, jid, state, account_keys, consent_version, consent_at, created,
		eea_version, eea_at, eea_withdrawn, told, connected, settings
	FROM postern_enlistment `

// Find returns the user's enlistment with a gatekeeper, in whatever state. Errors: [ErrNoEnlistment].
func (e Enlistments) Find(ctx context.Context, gatekeeper, userID string) (*Enlistment, error) {
	return e.one(ctx, selectEnlistment+"WHERE gatekeeper = $1 AND user_id = $2", gatekeeper, userID)
}

// ByLogin returns the enlistment behind one of the bridge's logins. Errors: [ErrNoEnlistment].
func (e Enlistments) ByLogin(ctx context.Context, login string) (*Enlistment, error) {
	return e.one(ctx, selectEnlistment+"WHERE login = $1", login)
}

// OfUser returns the user's enlistments with all gatekeepers, oldest first.
func (e Enlistments) OfUser(ctx context.Context, userID string) ([]*Enlistment, error) {
	return queryAll(ctx, e.core, "list enlistments", e.scan, selectEnlistment+"WHERE user_id = $1 ORDER BY created, account", userID)
}

// List returns all enlistments, oldest first, with one query. Opening the keys takes most of the time: about a fifth of
// a millisecond each. Those whose keys are damaged are left out.
func (e Enlistments) List(ctx context.Context) ([]*Enlistment, error) {
	return queryAll(ctx, e.core, "list enlistments", e.scanOthers, selectEnlistment+"ORDER BY created, account")
}

// scanOthers is scan for lists of many users', of whom the others go on if the keys of one are damaged.
func (e Enlistments) scanOthers(row dbutil.Scannable) (*Enlistment, error) {
	enlistment, err := e.scan(row)
	if errors.Is(err, ErrSealBroken) {
		err = e.missingIfDamaged(err, enlistment.Account, enlistmentKeys)
	}
	return enlistment, err
}

func (e Enlistments) one(ctx context.Context, query string, args ...any) (*Enlistment, error) {
	enlistment, err := e.scan(e.db.QueryRow(ctx, query, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNoEnlistment
	} else if err != nil {
		return nil, fmt.Errorf("failed to load an enlistment: %w", err)
	}
	return enlistment, nil
}

// scan returns an enlistment without its keys if those are damaged, with [ErrSealBroken].
func (e Enlistments) scan(row dbutil.Scannable) (*Enlistment, error) {
	var enlistment Enlistment
	var login sql.NullString
	var jid, settings string
	var sealed []byte
	var consentAt, created, eeaAt, eeaWithdrawn, connected int64
	err := row.Scan(&enlistment.Account, &enlistment.Gatekeeper, &enlistment.UserID, &login, &jid, &enlistment.State,
		&sealed, &enlistment.ConsentVersion, &consentAt, &created, &enlistment.EEAVersion, &eeaAt, &eeaWithdrawn, &enlistment.Told, &connected,
		&settings)
	if err != nil {
		return nil, err
	}
	enlistment.Login = login.String
	enlistment.ConsentAt, enlistment.Created = fromUnix(consentAt), fromUnix(created)
	enlistment.EEAAt, enlistment.EEAWithdrawn = fromUnix(eeaAt), fromUnix(eeaWithdrawn)
	enlistment.Connected = fromUnix(connected)
	if enlistment.JID, err = parseJID(jid); err != nil {
		return nil, err
	}
	if enlistment.Settings, err = parseSettings(settings); err != nil {
		return nil, err
	}
	keys, err := e.accountSealer(enlistment.Account).Open(sealed, enlistmentKeys)
	if err != nil {
		return &enlistment, err
	}
	if err = enlistment.Keys.UnmarshalBinary(keys); err != nil {
		return nil, err
	}
	return &enlistment, nil
}
