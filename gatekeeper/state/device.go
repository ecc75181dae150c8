package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

// Device is one device of an account with its public keys.
type Device struct {
	JID            types.JID // with the device number
	Noise          [32]byte
	RegistrationID uint32
	Identity       []byte // 32 bytes; nil until the keys were uploaded
	SignedID       uint32
	SignedKey      []byte // 32 bytes
	SignedSig      []byte // 64 bytes
}

// PreKey is the public part of a one-time prekey.
type PreKey struct {
	ID  uint32
	Key []byte // 32 bytes
}

// AddDevice stores a device. With replace, a device of that number is replaced together with its keys and mailbox.
func (s *State) AddDevice(ctx context.Context, d *Device, replace bool) error {
	account, number := wire.FormatJID(d.JID.ToNonAD()), d.JID.Device
	return s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		if replace {
			if _, err := s.db.Exec(ctx, `DELETE FROM device WHERE account=$1 AND number=$2`, account, number); err != nil {
				return fmt.Errorf("failed to remove old device: %w", err)
			}
		}
		_, err := s.db.Exec(ctx, `INSERT INTO device (account, number, noise, registration_id, identity, signed_id,
			signed_key, signed_sig) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, account, number, d.Noise[:],
			d.RegistrationID, d.Identity, d.SignedID, d.SignedKey, d.SignedSig)
		if err != nil {
			return fmt.Errorf("failed to add device: %w", err)
		}
		return nil
	})
}

const deviceColumns = `account, number, noise, registration_id, identity, signed_id, signed_key, signed_sig`

func scanDevice(row dbutil.Scannable) (*Device, error) {
	var d Device
	var account string
	var number uint16
	var noise []byte
	err := row.Scan(&account, &number, &noise, &d.RegistrationID, &d.Identity, &d.SignedID, &d.SignedKey, &d.SignedSig)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrUnknown
	} else if err != nil {
		return nil, fmt.Errorf("failed to read device: %w", err)
	}
	if d.JID, err = wire.ParseJID(account); err != nil {
		return nil, fmt.Errorf("failed to read device: %w", err)
	}
	d.JID.Device = number
	copy(d.Noise[:], noise)
	return &d, nil
}

// Device returns the device that jid names, or ErrUnknown.
func (s *State) Device(ctx context.Context, jid types.JID) (*Device, error) {
	return scanDevice(s.db.QueryRow(ctx, `SELECT `+deviceColumns+` FROM device WHERE account=$1 AND number=$2`,
		wire.FormatJID(jid.ToNonAD()), jid.Device))
}

// Devices returns all devices of an account, lowest number first.
func (s *State) Devices(ctx context.Context, account types.JID) ([]*Device, error) {
	rows, err := s.db.Query(ctx, `SELECT `+deviceColumns+` FROM device WHERE account=$1 ORDER BY number`,
		wire.FormatJID(account.ToNonAD()))
	return dbutil.NewRowIterWithError(rows, scanDevice, err).AsList()
}

// SetKeys stores the identity and signed prekey of d and adds one-time prekeys. If the identity differs from the one
// stored before, the old one-time prekeys go; changed is then true unless there was none.
func (s *State) SetKeys(ctx context.Context, d *Device, oneTime []PreKey) (changed bool, err error) {
	account, number := wire.FormatJID(d.JID.ToNonAD()), d.JID.Device
	err = s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		old, err := s.Device(ctx, d.JID)
		if err != nil {
			return err
		}
		if string(old.Identity) != string(d.Identity) {
			changed = old.Identity != nil
			if _, err = s.db.Exec(ctx, `DELETE FROM prekey WHERE account=$1 AND device=$2`, account, number); err != nil {
				return err
			}
		}
		_, err = s.db.Exec(ctx, `UPDATE device SET registration_id=$3, identity=$4, signed_id=$5, signed_key=$6,
			signed_sig=$7 WHERE account=$1 AND number=$2`, account, number, d.RegistrationID, d.Identity, d.SignedID,
			d.SignedKey, d.SignedSig)
		if err != nil {
			return err
		}
		for _, key := range oneTime {
			_, err = s.db.Exec(ctx, `INSERT INTO prekey (account, device, id, key) VALUES ($1, $2, $3, $4)
				ON CONFLICT (account, device, id) DO UPDATE SET key=excluded.key`, account, number, key.ID, key.Key)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("failed to store keys: %w", err)
	}
	return changed, nil
}

// RotateSignedPreKey replaces the signed prekey alone.
func (s *State) RotateSignedPreKey(ctx context.Context, d *Device) error {
	result, err := s.db.Exec(ctx, `UPDATE device SET signed_id=$3, signed_key=$4, signed_sig=$5
		WHERE account=$1 AND number=$2`, wire.FormatJID(d.JID.ToNonAD()), d.JID.Device, d.SignedID, d.SignedKey, d.SignedSig)
	if err != nil {
		return fmt.Errorf("failed to rotate signed prekey: %w", err)
	} else if n, _ := result.RowsAffected(); n == 0 {
		return ErrUnknown
	}
	return nil
}

// TakePreKey removes and returns one one-time prekey, nil if none is left: it is handed out once.
func (s *State) TakePreKey(ctx context.Context, device types.JID) (*PreKey, error) {
	var key PreKey
	err := s.db.QueryRow(ctx, `DELETE FROM prekey WHERE (account, device, id) IN (
		SELECT account, device, id FROM prekey WHERE account=$1 AND device=$2 ORDER BY id LIMIT 1) RETURNING id, key`,
		wire.FormatJID(device.ToNonAD()), device.Device).Scan(&key.ID, &key.Key)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("failed to take prekey: %w", err)
	}
	return &key, nil
}

// PreKeys returns the one-time prekeys that are left, lowest id first.
func (s *State) PreKeys(ctx context.Context, device types.JID) ([]PreKey, error) {
	rows, err := s.db.Query(ctx, `SELECT id, key FROM prekey WHERE account=$1 AND device=$2 ORDER BY id`,
		wire.FormatJID(device.ToNonAD()), device.Device)
	return dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (key PreKey, err error) {
		err = row.Scan(&key.ID, &key.Key)
		return key, err
	}, err).AsList()
}

// RemoveDevice erases a device with its keys and mailbox. Fails with ErrUnknown.
func (s *State) RemoveDevice(ctx context.Context, device types.JID) error {
	result, err := s.db.Exec(ctx, `DELETE FROM device WHERE account=$1 AND number=$2`, wire.FormatJID(device.ToNonAD()), device.Device)
	if err != nil {
		return fmt.Errorf("failed to remove device: %w", err)
	} else if n, _ := result.RowsAffected(); n == 0 {
		return ErrUnknown
	}
	return nil
}

// PreKeyCount returns how many one-time prekeys are left.
func (s *State) PreKeyCount(ctx context.Context, device types.JID) (count int, err error) {
	err = s.db.QueryRow(ctx, `SELECT COUNT(*) FROM prekey WHERE account=$1 AND device=$2`,
		wire.FormatJID(device.ToNonAD()), device.Device).Scan(&count)
	return
}
