package interop

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"runtime"
)

// mediaKeyInfo separates the keys of one kind of file from those of another [W].
var mediaKeyInfo = map[MediaKind]string{
	MediaImage:    "WhatsApp Image Keys",
	MediaVideo:    "WhatsApp Video Keys",
	MediaAudio:    "WhatsApp Audio Keys",
	MediaDocument: "WhatsApp Document Keys",
}

// mediaKeys are derived from a media key and good for one file [W]. The last 32 of the 112 derived bytes are for
// references that we do not use.
type mediaKeys struct {
	iv    []byte
	block cipher.Block
	mac   []byte
}

func deriveMediaKeys(key [32]byte, kind MediaKind) (mediaKeys, error) {
	info, known := mediaKeyInfo[kind]
	if !known {
		return mediaKeys{}, fmt.Errorf("%w: unknown kind of file", ErrMediaInvalid)
	}
	derived, err := hkdf.Key(sha256.New, key[:], nil, info, 112)
	if err != nil {
		return mediaKeys{}, fmt.Errorf("failed to derive the keys of a file: %w", err)
	}
	block, err := aes.NewCipher(derived[16:48])
	if err != nil {
		return mediaKeys{}, fmt.Errorf("failed to make the cipher of a file: %w", err)
	}
	return mediaKeys{iv: derived[:16], block: block, mac: derived[48:80]}, nil
}

// newMAC returns the HMAC over what is written to it, which is the ciphertext, after the IV.
func (k *mediaKeys) newMAC() hash.Hash {
	mac := hmac.New(sha256.New, k.mac)
	mac.Write(k.iv)
	return mac
}

// fill reads until p is full. n is under len(p) only with an error, which is the reader's own: io.ReadFull would make
// io.ErrUnexpectedEOF of a proper end, and then a connection that breaks could not be told from it.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var read int
		read, err = r.Read(p[n:])
		n += read
	}
	if n == len(p) && isEnd(err) {
		err = nil // comes again
	}
	return n, err
}

// yield lets everything go first that is ready to run. Both ways call it for every chunk, because a file would keep a processor
// for 10 ms at a time otherwise, which is how long Go lets it, and a text is handed from goroutine to goroutine several times.
func yield() { runtime.Gosched() }

// isEnd tells the proper end of a reader: io.EOF itself. An error around it is one.
func isEnd(err error) bool { return err == io.EOF } //nolint:errorlint // that is the point
