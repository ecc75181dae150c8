// Package leak looks for secrets in files: message text, private keys and tokens that a program should have kept in
// memory or encrypted. It reads every file of a directory tree as it is, databases and their journals included.
package leak

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// minSecret is the shortest secret worth looking for, in bytes. A shorter one would be found by chance.
const minSecret = 8

// Secret is something that must not be found. What names it in reports, which never show the value.
type Secret struct {
	What  string
	Value []byte
}

// Finding is a secret in a file.
type Finding struct {
	What string
	File string
	// Form is how the value was written, such as "hex".
	Form string
}

func (f Finding) String() string { return fmt.Sprintf("%s as %s in %s", f.What, f.Form, f.File) }

// pattern is one form of one secret.
type pattern struct {
	secret Secret
	form   string
	bytes  []byte
}

// Scanner finds secrets in all forms that programs write them in.
type Scanner struct{ patterns []pattern }

// NewScanner prepares for the secrets. One that is too short to be looked for is an error.
func NewScanner(secrets ...Secret) (*Scanner, error) {
	s := &Scanner{}
	for _, secret := range secrets {
		if len(secret.Value) < minSecret {
			return nil, fmt.Errorf("%s has %d bytes, which may be found by chance", secret.What, len(secret.Value))
		}
		s.add(secret, "plain bytes", secret.Value)
		encoded := hex.EncodeToString(secret.Value)
		s.add(secret, "hex", []byte(encoded))
		s.add(secret, "upper case hex", []byte(strings.ToUpper(encoded)))
		// Base64 depends on where in its surroundings the value stands: there are three ways.
		for shift := range 3 {
			padded := append(make([]byte, shift), secret.Value...)
			// The first and last characters mix with what stands around the value, so they are left out.
			start := (shift*8 + 5) / 6
			end := len(padded) * 8 / 6
			s.add(secret, "base64", []byte(base64.StdEncoding.EncodeToString(padded)[start:end]))
			s.add(secret, "base64url", []byte(base64.URLEncoding.EncodeToString(padded)[start:end]))
		}
	}
	return s, nil
}

func (s *Scanner) add(secret Secret, form string, value []byte) {
	s.patterns = append(s.patterns, pattern{secret, form, value})
}

// Tree reads every file below the directories and returns what it found, and how many bytes it read. Files that
// disappear meanwhile are left out, as databases have them.
func (s *Scanner) Tree(dirs ...string) (findings []Finding, read int64, err error) {
	for _, dir := range dirs {
		err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || err == nil && !entry.Type().IsRegular() {
				return nil
			} else if err != nil {
				return err
			}
			content, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			} else if err != nil {
				return err
			}
			read += int64(len(content))
			findings = append(findings, s.Content(path, content)...)
			return nil
		})
		if err != nil {
			return nil, read, fmt.Errorf("failed to read %s: %w", dir, err)
		}
	}
	return findings, read, nil
}

// Content returns what is found in a file that was read already. Each secret is reported once.
func (s *Scanner) Content(path string, content []byte) []Finding {
	var findings []Finding
	reported := make(map[string]bool)
	for _, p := range s.patterns {
		if !reported[p.secret.What] && bytes.Contains(content, p.bytes) {
			reported[p.secret.What] = true
			findings = append(findings, Finding{What: p.secret.What, File: path, Form: p.form})
		}
	}
	return findings
}
