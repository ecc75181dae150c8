package interop

import (
	"crypto/aes"
	"errors"
	"fmt"
	"time"
)

// MediaKind selects how the keys of a file are derived from its media key: the HKDF info is "WhatsApp Image Keys" and
// so on [W]. Stickers are images, GIFs are videos, voice messages are audio.
type MediaKind string

const (
	MediaImage    MediaKind = "image"
	MediaVideo    MediaKind = "video"
	MediaAudio    MediaKind = "audio"
	MediaDocument MediaKind = "document"
)

// Media is what a message tells about its file: where the encrypted bytes are, the key, and what has to come out. None of
// it may be logged but Kind and Length.
type Media struct {
	Kind MediaKind
	// DirectPath is where the file is below the gatekeeper's media host. It begins with a slash.
	DirectPath string
	// Key is the media key that the others are derived from.
	Key [32]byte
	// SHA256 and EncSHA256 are the hashes of the plain and of the encrypted file.
	SHA256, EncSHA256 [32]byte
	// Length is the size of the plain file, in bytes.
	Length int64
	// Created is when the key was made, to the second; zero if the message does not tell.
	Created time.Time
}

var (
	// ErrMediaInvalid: what the message tells about its file cannot be right; trying again does not help.
	ErrMediaInvalid = errors.New("the message does not describe its file properly")
	// ErrMediaMissing: the media host does not have the file, or not any more.
	ErrMediaMissing = errors.New("the file is not there")
	// ErrMediaBroken: the bytes are not those that were sent: cut off, changed, or of another length.
	ErrMediaBroken = errors.New("the file is damaged")
	// ErrMediaTooLarge: the file is over the limit of the caller.
	ErrMediaTooLarge = errors.New("the file is too large")
	// ErrMediaUnavailable: the media host does not answer, or not with the file. It may later.
	ErrMediaUnavailable = errors.New("the media host does not answer")
)

const (
	// mediaChunk is how much of a file is worked on at once, in bytes: all the memory that a file takes, whatever its size.
	mediaChunk = 64 << 10
	// mediaMAC is how much of the HMAC follows an encrypted file, in bytes [W].
	mediaMAC = 10
	// maxMediaLength keeps the arithmetic from overflowing. What is sensible is the callers' business.
	maxMediaLength = 1 << 60
)

// EncryptedLength returns the size of an encrypted file, given that of the plain one: with padding and MAC.
func EncryptedLength(length int64) int64 { return ciphertextLength(length) + mediaMAC }

// ciphertextLength rounds up to whole blocks; there always is padding.
func ciphertextLength(length int64) int64 { return length - length%aes.BlockSize + aes.BlockSize }

// MediaPath returns the direct path under which a gatekeeper's media host serves a file of this partner's: it fetches
// the file from the partner server by the reference. The form is published for WhatsApp; for Messenger it is our guess.
func MediaPath(gatekeeper *Gatekeeper, reference string) string {
	return fmt.Sprintf("/interop/%s/download/%d/%s/", gatekeeper.Product, gatekeeper.Integrator, reference)
}
