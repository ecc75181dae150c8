package gatekeeper

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"postern/interop/wire"
)

// LoadRootKey returns the key that signs the chat server's certificates, from a file with the private key in hex. If
// there is none it makes one, readable by its owner only.
func LoadRootKey(path string) (wire.KeyPair, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeRootKey(path)
	} else if err != nil {
		return wire.KeyPair{}, fmt.Errorf("failed to read the root key: %w", err)
	}
	private, err := hex.DecodeString(strings.TrimSpace(string(content)))
	if err != nil || len(private) != 32 {
		return wire.KeyPair{}, fmt.Errorf("%s does not hold a key of 64 hexadecimal digits; remove it to get a new one", path)
	}
	return wire.KeyPairFrom([32]byte(private)), nil
}

// makeRootKey writes the file whole or not at all, and never over another one.
func makeRootKey(path string) (wire.KeyPair, error) {
	key := wire.NewKeyPair()
	file, err := os.CreateTemp(filepath.Dir(path), ".gatekeeper-key-*") // with mode 0600
	if err != nil {
		return key, fmt.Errorf("failed to make the root key: %w", err)
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(hex.EncodeToString(key.Priv[:]) + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Link(file.Name(), path)
	}
	if errors.Is(err, fs.ErrExist) {
		return LoadRootKey(path) // somebody else was faster
	} else if err != nil {
		return key, fmt.Errorf("failed to write the root key: %w", err)
	}
	return key, nil
}
