package database_test

import (
	"bytes"
	"errors"
	"testing"

	"postern/database"
)

func TestSealedValueOpensInItsPlaceOnly(t *testing.T) {
	sealer := testKey.Sealer("test")
	plaintext := []byte("plain text")
	sealed := sealer.Seal(plaintext, "table", "row")
	if bytes.Contains(sealed, plaintext[:5]) {
		t.Error("the plain text shows")
	}
	if want := len(plaintext) + database.SealOverhead; len(sealed) != want {
		t.Errorf("sealing made %d bytes, want %d", len(sealed), want)
	}
	if bytes.Equal(sealed, sealer.Seal(plaintext, "table", "row")) {
		t.Error("the same value seals the same twice")
	}
	opened, err := sealer.Open(sealed, "table", "row")
	check(t, err)
	if !bytes.Equal(opened, plaintext) {
		t.Errorf("opened %q", opened)
	}
	for name, open := range map[string]func() ([]byte, error){
		"another row":     func() ([]byte, error) { return sealer.Open(sealed, "table", "rov") },
		"another split":   func() ([]byte, error) { return sealer.Open(sealed, "tabler", "ow") },
		"less context":    func() ([]byte, error) { return sealer.Open(sealed, "table") },
		"more context":    func() ([]byte, error) { return sealer.Open(sealed, "table", "row", "") },
		"another purpose": func() ([]byte, error) { return testKey.Sealer("tesu").Open(sealed, "table", "row") },
		"another key":     func() ([]byte, error) { return database.NewSecretKey().Sealer("test").Open(sealed, "table", "row") },
	} {
		if got, err := open(); !errors.Is(err, database.ErrSealBroken) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func TestSealedValueMayBeEmpty(t *testing.T) {
	sealer := testKey.Sealer("test")
	opened, err := sealer.Open(sealer.Seal(nil))
	if err != nil || opened == nil || len(opened) != 0 {
		t.Errorf("got %v, %v: an empty value must not be taken for none", opened, err)
	}
}

func TestEveryChangedBitIsNoticed(t *testing.T) {
	sealer := testKey.Sealer("test")
	sealed := sealer.Seal([]byte("plain text"), "row")
	for i := range sealed {
		for bit := range 8 {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1 << bit
			if _, err := sealer.Open(changed, "row"); !errors.Is(err, database.ErrSealBroken) {
				t.Errorf("bit %d of byte %d: got %v", bit, i, err)
			}
		}
		if _, err := sealer.Open(sealed[:i], "row"); !errors.Is(err, database.ErrSealBroken) {
			t.Errorf("cut to %d bytes: got %v", i, err)
		}
	}
}

func FuzzOpenSealed(f *testing.F) {
	sealer := testKey.Sealer("test")
	f.Add(sealer.Seal([]byte("plain text"), "row"), "row")
	f.Add([]byte{}, "")
	f.Add(make([]byte, database.SealOverhead), "row")
	f.Fuzz(func(t *testing.T, sealed []byte, row string) {
		plaintext, err := sealer.Open(sealed, row)
		if (err == nil) != (plaintext != nil) {
			t.Errorf("got %v and %v", plaintext, err)
		}
		again, err := sealer.Open(sealer.Seal(sealed, row), row)
		if err != nil || !bytes.Equal(again, sealed) {
			t.Errorf("what was sealed does not open: %v", err)
		}
	})
}
