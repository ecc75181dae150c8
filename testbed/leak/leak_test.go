package leak_test

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/testbed/leak"
)

var key = []byte("\x07\x81 not for anyone's eyes \xf0\x0e")

func scan(t *testing.T, content string) []leak.Finding {
	t.Helper()
	scanner, err := leak.NewScanner(leak.Secret{What: "key", Value: key})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "deep", "down")
	if err = os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err = os.WriteFile(filepath.Join(dir, "file"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	findings, read, err := scanner.Tree(filepath.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	if read != int64(len(content)) {
		t.Errorf("read %d of %d bytes", read, len(content))
	}
	return findings
}

func TestEveryFormIsFound(t *testing.T) {
	forms := map[string]string{
		"plain":     string(key),
		"hex":       hex.EncodeToString(key),
		"upper hex": strings.ToUpper(hex.EncodeToString(key)),
		"raw url":   base64.RawURLEncoding.EncodeToString(key),
	}
	for shift, before := range []string{"", "a", "ab", "abc"} {
		forms["base64 after "+before] = base64.StdEncoding.EncodeToString([]byte(before + string(key) + "rest"[shift:]))
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			findings := scan(t, "something before "+form+" and after")
			if len(findings) != 1 || findings[0].What != "key" {
				t.Errorf("found %v", findings)
			}
		})
	}
}

func TestNothingIsFoundWhereNothingIs(t *testing.T) {
	if findings := scan(t, "a log line without secrets, and "+string(key[:len(key)-1])); len(findings) != 0 {
		t.Errorf("found %v", findings)
	}
}

func TestShortSecretsAreRefused(t *testing.T) {
	if _, err := leak.NewScanner(leak.Secret{What: "pin", Value: []byte("1234")}); err == nil {
		t.Error("a secret of four bytes was taken")
	}
}

func TestReportsDoNotShowTheSecret(t *testing.T) {
	for _, finding := range scan(t, string(key)) {
		if strings.Contains(finding.String(), "eyes") {
			t.Errorf("the report shows it: %s", finding)
		}
	}
}
