package state

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

// SetBlocked puts a contact on an account's blocklist or takes it off.
func (s *State) SetBlocked(ctx context.Context, account, contact types.JID, blocked bool) error {
	query := `DELETE FROM blocked WHERE account=$1 AND contact=$2`
	if blocked {
		query = `INSERT INTO blocked (account, contact) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	}
	if _, err := s.db.Exec(ctx, query, wire.FormatJID(account.ToNonAD()), wire.FormatJID(contact.ToNonAD())); err != nil {
		return fmt.Errorf("failed to change blocklist: %w", err)
	}
	return nil
}

// Blocklist returns the contacts that an account blocked.
func (s *State) Blocklist(ctx context.Context, account types.JID) ([]types.JID, error) {
	rows, err := s.db.Query(ctx, `SELECT contact FROM blocked WHERE account=$1 ORDER BY contact`, wire.FormatJID(account.ToNonAD()))
	return dbutil.NewRowIterWithError(rows, scanJID, err).AsList()
}

// IsBlocked tells whether account blocked contact.
func (s *State) IsBlocked(ctx context.Context, account, contact types.JID) (blocked bool, err error) {
	err = s.db.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM blocked WHERE account=$1 AND contact=$2)`,
		wire.FormatJID(account.ToNonAD()), wire.FormatJID(contact.ToNonAD())).Scan(&blocked)
	return
}

// ThirdPartyChoices are what a WhatsApp user decided about third-party chats, beyond whether they are on.
type ThirdPartyChoices struct {
	// OneInbox shows them between the user's other chats.
	OneInbox bool
	// Refused are the integrators of the partners that the user did not choose.
	Refused []uint16
}

// SetChoices replaces what the user decided.
func (s *State) SetChoices(ctx context.Context, account types.JID, choices ThirdPartyChoices) error {
	return s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		if err := s.update(ctx, `UPDATE account SET one_inbox=$2 WHERE jid=$1`, account, choices.OneInbox); err != nil {
			return err
		}
		name := wire.FormatJID(account.ToNonAD())
		if _, err := s.db.Exec(ctx, `DELETE FROM refused_partner WHERE account=$1`, name); err != nil {
			return fmt.Errorf("failed to change partners: %w", err)
		}
		for _, integrator := range choices.Refused {
			_, err := s.db.Exec(ctx, `INSERT INTO refused_partner (account, integrator) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, integrator)
			if err != nil {
				return fmt.Errorf("failed to change partners: %w", err)
			}
		}
		return nil
	})
}

// Choices returns what the user decided.
func (s *State) Choices(ctx context.Context, account types.JID) (choices ThirdPartyChoices, err error) {
	name := wire.FormatJID(account.ToNonAD())
	err = s.db.QueryRow(ctx, `SELECT one_inbox FROM account WHERE jid=$1`, name).Scan(&choices.OneInbox)
	if errors.Is(err, sql.ErrNoRows) {
		return choices, ErrUnknown
	} else if err != nil {
		return choices, fmt.Errorf("failed to read choices: %w", err)
	}
	rows, err := s.db.Query(ctx, `SELECT integrator FROM refused_partner WHERE account=$1 ORDER BY integrator`, name)
	choices.Refused, err = dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[uint16], err).AsList()
	return choices, err
}

// SetPrivacy stores one privacy setting, such as "readreceipts" = "all".
func (s *State) SetPrivacy(ctx context.Context, account types.JID, category, value string) error {
	_, err := s.db.Exec(ctx, `INSERT INTO privacy (account, category, value) VALUES ($1, $2, $3)
		ON CONFLICT (account, category) DO UPDATE SET value=excluded.value`, wire.FormatJID(account.ToNonAD()), category, value)
	if err != nil {
		return fmt.Errorf("failed to store privacy setting: %w", err)
	}
	return nil
}

// Privacy returns the settings that were stored.
func (s *State) Privacy(ctx context.Context, account types.JID) (map[string]string, error) {
	settings := make(map[string]string)
	rows, err := s.db.Query(ctx, `SELECT category, value FROM privacy WHERE account=$1`, wire.FormatJID(account.ToNonAD()))
	return settings, dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (struct{}, error) {
		var category, value string
		err := row.Scan(&category, &value)
		settings[category] = value
		return struct{}{}, err
	}, err).Iter(func(struct{}) (bool, error) { return true, nil })
}

// SetPicture stores an account's profile picture and returns its id.
func (s *State) SetPicture(ctx context.Context, account types.JID, content []byte) (id string, err error) {
	hash := sha256.Sum256(content)
	id = hex.EncodeToString(hash[:8])
	_, err = s.db.Exec(ctx, `INSERT INTO picture (account, id, content) VALUES ($1, $2, $3)
		ON CONFLICT (account) DO UPDATE SET id=excluded.id, content=excluded.content`, wire.FormatJID(account.ToNonAD()), id, content)
	if err != nil {
		return "", fmt.Errorf("failed to store picture: %w", err)
	}
	return id, nil
}

// RemovePicture takes an account's picture away, if it has one.
func (s *State) RemovePicture(ctx context.Context, account types.JID) error {
	if _, err := s.db.Exec(ctx, `DELETE FROM picture WHERE account=$1`, wire.FormatJID(account.ToNonAD())); err != nil {
		return fmt.Errorf("failed to remove picture: %w", err)
	}
	return nil
}

// PictureID returns the id of an account's picture without its content, or ErrUnknown if it has none.
func (s *State) PictureID(ctx context.Context, account types.JID) (id string, err error) {
	err = s.db.QueryRow(ctx, `SELECT id FROM picture WHERE account=$1`, wire.FormatJID(account.ToNonAD())).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrUnknown
	}
	return
}

// PictureByID returns the content of the picture with that id, for the media host, or ErrUnknown.
func (s *State) PictureByID(ctx context.Context, id string) (content []byte, err error) {
	err = s.db.QueryRow(ctx, `SELECT content FROM picture WHERE id=$1 LIMIT 1`, id).Scan(&content)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrUnknown
	}
	return
}
