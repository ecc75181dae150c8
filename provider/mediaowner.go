package provider

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
)

// MediaKeySize is the size of [Options.MediaKey], in bytes.
const MediaKeySize = 32

const (
	// referenceRandom is how many bytes of a reference are random: 192 bits, which nobody guesses.
	referenceRandom = len(MediaReference{}) - ownerSize
	// ownerSize is enough for two users not to share a quota by chance.
	ownerSize = 8
)

// mediaOwner stands for whom a file belongs to. It is a keyed hash, so it cannot be traced back.
type mediaOwner [ownerSize]byte

// mediaNamer puts the owner of a file into its reference, so that a store has to keep nothing but the files. The owner is
// masked by what is random in the same reference: without the key nobody can tell whose a file is, nor that two have one owner. A reference
// that was made with another key belongs to an owner who does not exist.
type mediaNamer struct{ key [MediaKeySize]byte }

func (n mediaNamer) owner(name string) mediaOwner { return n.hash("owner", []byte(name)) }

func (n mediaNamer) newReference(owner mediaOwner) (reference MediaReference) {
	rand.Read(reference[:referenceRandom])
	mask := n.mask(reference)
	subtle.XORBytes(reference[referenceRandom:], owner[:], mask[:])
	return reference
}

func (n mediaNamer) ownerOf(reference MediaReference) (owner mediaOwner) {
	mask := n.mask(reference)
	subtle.XORBytes(owner[:], reference[referenceRandom:], mask[:])
	return owner
}

func (n mediaNamer) mask(reference MediaReference) mediaOwner {
	return n.hash("mask", reference[:referenceRandom])
}

func (n mediaNamer) hash(purpose string, data []byte) mediaOwner {
	mac := hmac.New(sha256.New, n.key[:])
	mac.Write([]byte(purpose + "\x00"))
	mac.Write(data)
	return mediaOwner(mac.Sum(nil)[:ownerSize])
}
