package waclient

import (
	"errors"
	"sync"

	"go.mau.fi/whatsmeow"
)

// ErrOtherRoot is returned when two sandboxes of one process have different root keys.
var ErrOtherRoot = errors.New("another root key is trusted already: all sandboxes of a process must share one")

var trusted struct {
	lock sync.Mutex
	root [32]byte
	set  bool
}

// Trust makes all clients of this process accept servers whose certificates lead to the root key. whatsmeow keeps that
// key in a global variable, so the first one stays for the life of the process.
func Trust(root [32]byte) error {
	trusted.lock.Lock()
	defer trusted.lock.Unlock()
	if trusted.set && trusted.root != root {
		return ErrOtherRoot
	}
	if !trusted.set {
		whatsmeow.WACertPubKey = root
		trusted.root, trusted.set = root, true
	}
	return nil
}
