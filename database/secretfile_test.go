package database_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/database"
)

const keyText = "8f1d7c6b5a4938271605f4e3d2c1b0a98f1d7c6b5a4938271605f4e3d2c1b0a9"

func writeFile(t *testing.T, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret.key")
	check(t, os.WriteFile(path, []byte(text), 0o600))
	check(t, os.Chmod(path, mode))
	return path
}

func TestLoadSecretKeyRefuses(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "absent")
	for name, test := range map[string]struct {
		source database.SecretKeySource
		want   error
	}{
		"nothing configured":      {database.SecretKeySource{}, database.ErrNoSecretKey},
		"value and file":          {database.SecretKeySource{Value: keyText, File: writeFile(t, keyText, 0o600)}, database.ErrTwoSecretKeys},
		"bad value":               {database.SecretKeySource{Value: "secret"}, database.ErrSecretKeyFormat},
		"bad file":                {database.SecretKeySource{File: writeFile(t, "secret", 0o600)}, database.ErrSecretKeyFormat},
		"empty file":              {database.SecretKeySource{File: writeFile(t, "", 0o600), Create: true}, database.ErrSecretKeyFormat},
		"endless file":            {database.SecretKeySource{File: writeFile(t, strings.Repeat(" ", 1<<16)+keyText, 0o600)}, database.ErrSecretKeyFormat},
		"file that a group reads": {database.SecretKeySource{File: writeFile(t, keyText, 0o640), Create: true}, database.ErrSecretKeyExposed},
		"file that anyone reads":  {database.SecretKeySource{File: writeFile(t, keyText, 0o604)}, database.ErrSecretKeyExposed},
		"directory":               {database.SecretKeySource{File: t.TempDir()}, database.ErrSecretKeyExposed},
		"no file":                 {database.SecretKeySource{File: absent}, fs.ErrNotExist},
	} {
		key, err := database.LoadSecretKey(context.Background(), openSQLite(t, ""), test.source)
		if !errors.Is(err, test.want) || !key.IsZero() {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		} else if strings.Contains(err.Error(), keyText[:8]) {
			t.Errorf("%s: the error quotes the key", name)
		}
	}
	if _, err := os.Stat(absent); err == nil {
		t.Error("a file was made that nobody asked for")
	}
}

func TestLoadSecretKeyReads(t *testing.T) {
	want := must(database.ParseSecretKey(keyText))
	for name, source := range map[string]database.SecretKeySource{
		"value":          {Value: keyText},
		"file":           {File: writeFile(t, keyText+"\n", 0o600)},
		"read-only file": {File: writeFile(t, keyText, 0o400), Create: true},
	} {
		key, err := database.LoadSecretKey(context.Background(), openSQLite(t, ""), source)
		if err != nil || key != want {
			t.Errorf("%s: another key or %v", name, err)
		}
	}
}

func TestFirstStartMakesTheKeyFileOnce(t *testing.T) {
	raw, dir := openSQLite(t, ""), t.TempDir()
	source := database.SecretKeySource{File: filepath.Join(dir, "secret.key"), Create: true}
	// Several at once, as when two processes start: all must end with the same key.
	keys := make([]database.SecretKey, 8)
	var group sync.WaitGroup
	for i := range keys {
		group.Go(func() { keys[i] = must(database.LoadSecretKey(context.Background(), raw, source)) })
	}
	group.Wait()
	for _, key := range keys {
		if key != keys[0] || key.IsZero() {
			t.Fatal("two starts made two keys")
		}
	}
	entries, err := os.ReadDir(dir)
	check(t, err)
	if len(entries) != 1 {
		t.Errorf("%d files are left in the directory, want the key alone", len(entries))
	}
	info, err := entries[0].Info()
	check(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("key file has mode %v", info.Mode())
	}
}

func TestKeyFileIsNotMadeAnewForDataOfAnother(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		upgraded(t, raw)
		source := database.SecretKeySource{File: filepath.Join(t.TempDir(), "secret.key"), Create: true}
		_, err := database.LoadSecretKey(context.Background(), raw, source)
		if !errors.Is(err, database.ErrSecretKeyMissing) || !strings.Contains(err.Error(), source.File) {
			t.Errorf("got %v, want an error that names the file", err)
		}
		if _, err = os.Stat(source.File); err == nil {
			t.Error("the file was made all the same")
		}
	})
}

func TestWrongSecretKeyIsRefused(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		upgraded(t, raw)
		err := database.New(raw, database.NewSecretKey(), zerolog.Nop()).Upgrade(context.Background())
		if !errors.Is(err, database.ErrWrongSecretKey) {
			t.Errorf("got %v", err)
		}
		upgraded(t, raw) // the right one still works
		err = database.New(raw, database.SecretKey{}, zerolog.Nop()).Upgrade(context.Background())
		if !errors.Is(err, database.ErrNoSecretKey) {
			t.Errorf("no key at all: got %v", err)
		}
	})
}
