package interop

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"sync"
	"time"
)

// encryptBuffers is how many chunks of one file are on their way: one is read, one encrypted and one written, and one
// waits.
const encryptBuffers = 4

// EncryptMedia reads a plain file from r and writes it to w, encrypted under a key that is made for it. Memory does not
// grow with the file. The caller gives the result its DirectPath. After an error, what was written is to be thrown away.
// Errors: ErrMediaTooLarge for a file over limit bytes, and those of r and w, wrapped.
//
// Reading, encrypting and writing run side by side, each with the hashes that belong to it: the encryption alone takes as long
// as two hashes, and cannot be divided. r and w are each used by a goroutine of their own; both have ended on return, so a
// Read that hangs holds the return up.
func EncryptMedia(w io.Writer, r io.Reader, kind MediaKind, limit int64) (*Media, error) {
	media := &Media{Kind: kind, Created: time.Now().Truncate(time.Second)}
	rand.Read(media.Key[:]) // never fails, see crypto/rand
	keys, err := deriveMediaKeys(media.Key, kind)
	if err != nil {
		return nil, err
	}
	line := newEncryptLine()
	var plain, encrypted error
	var stages sync.WaitGroup
	stages.Go(func() { plain = line.read(r, media, limit) })
	stages.Go(func() { encrypted = line.write(w, media, keys) })
	line.encrypt(cipher.NewCBCEncrypter(keys.block, keys.iv))
	stages.Wait()
	switch {
	case plain != nil:
		return nil, plain
	case encrypted != nil:
		return nil, fmt.Errorf("failed to write the encrypted file: %w", encrypted)
	default:
		return media, nil
	}
}

// encryptLine passes chunks from stage to stage. A chunk has room for one block of padding behind it.
type encryptLine struct {
	free, plain, encrypted chan []byte
	// complete is set by read, before it closes plain, if that was the whole file.
	complete bool
	// broken is closed by write when it cannot go on.
	broken chan struct{}
}

func newEncryptLine() *encryptLine {
	line := &encryptLine{
		free: make(chan []byte, encryptBuffers), plain: make(chan []byte, encryptBuffers), encrypted: make(chan []byte, encryptBuffers),
		broken: make(chan struct{}),
	}
	for range encryptBuffers {
		line.free <- make([]byte, mediaChunk+aes.BlockSize)
	}
	return line
}

// read fills chunks. All but the last are full; the last is padded, which makes it known.
func (l *encryptLine) read(r io.Reader, media *Media, limit int64) error {
	defer close(l.plain)
	hash := sha256.New()
	for !l.complete {
		var chunk []byte
		select {
		case chunk = <-l.free:
		case <-l.broken:
			return nil
		}
		yield()
		n, err := fill(r, chunk[:mediaChunk])
		if l.complete = isEnd(err); err != nil && !l.complete {
			return fmt.Errorf("failed to read the file: %w", err)
		}
		if media.Length += int64(n); media.Length > limit {
			l.complete = false
			return ErrMediaTooLarge
		}
		chunk = chunk[:n]
		hash.Write(chunk)
		if l.complete {
			chunk = padBlock(chunk)
		}
		l.plain <- chunk // has room for all chunks that there are
	}
	hash.Sum(media.SHA256[:0])
	return nil
}

func (l *encryptLine) encrypt(mode cipher.BlockMode) {
	defer close(l.encrypted)
	for chunk := range l.plain {
		yield()
		mode.CryptBlocks(chunk, chunk)
		l.encrypted <- chunk // has room for all chunks that there are
	}
}

// write writes the chunks and, if that was the whole file, the MAC.
func (l *encryptLine) write(w io.Writer, media *Media, keys mediaKeys) error {
	hash, mac := sha256.New(), keys.newMAC()
	for chunk := range l.encrypted {
		yield()
		mac.Write(chunk)
		hash.Write(chunk)
		if _, err := w.Write(chunk); err != nil {
			close(l.broken)
			return err
		}
		l.free <- chunk[:mediaChunk+aes.BlockSize]
	}
	if !l.complete {
		return nil
	}
	tag := mac.Sum(nil)[:mediaMAC]
	hash.Write(tag)
	hash.Sum(media.EncSHA256[:0])
	_, err := w.Write(tag)
	return err
}

// padBlock appends the padding of PKCS #7: 1 to 16 bytes that hold their number.
func padBlock(chunk []byte) []byte {
	count := aes.BlockSize - len(chunk)%aes.BlockSize
	for range count {
		chunk = append(chunk, byte(count))
	}
	return chunk
}
