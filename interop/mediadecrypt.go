package interop

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
)

// DecryptMedia returns a reader of the plain file, given the encrypted one and what its message tells. Memory does not
// grow with the file.
//
// What comes out is not verified before the end. But the last bytes, up to 64 KiB and at least one unless the file is
// empty, come only once length, MAC and both hashes were found right: nobody who waits for all of media.Length bytes,
// or for io.EOF, gets them of a damaged file. Of r at most EncryptedLength(media.Length)+1 bytes are read.
//
// Errors of Read: ErrMediaBroken with what is wrong, ErrMediaInvalid for a kind or length that cannot be, and those of
// r, wrapped.
func DecryptMedia(r io.Reader, media *Media) io.Reader {
	keys, err := deriveMediaKeys(media.Key, media.Kind)
	if err == nil && (media.Length < 0 || media.Length > maxMediaLength) {
		err = fmt.Errorf("%w: impossible length", ErrMediaInvalid)
	}
	if err != nil {
		return &mediaReader{err: err}
	}
	return &mediaReader{
		source: r, media: *media, left: ciphertextLength(media.Length), decrypter: cipher.NewCBCDecrypter(keys.block, keys.iv),
		mac: keys.newMAC(), plainHash: sha256.New(), encryptedHash: sha256.New(),
	}
}

// mediaReader is what DecryptMedia returns.
type mediaReader struct {
	source    io.Reader
	media     Media
	decrypter cipher.BlockMode

	mac, plainHash, encryptedHash hash.Hash

	// left is how much of the ciphertext was not read yet, without the MAC.
	left   int64
	buffer []byte
	// ready is the part of buffer that is to be handed out before err.
	ready []byte
	err   error
}

func (m *mediaReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(m.ready) == 0 {
		if m.err != nil {
			return 0, m.err
		}
		m.ready, m.err = m.next()
	}
	n := copy(p, m.ready)
	m.ready = m.ready[n:]
	return n, nil
}

// next decrypts another chunk. The last one, which is larger than the padding, is returned with io.EOF, and only if all
// is well.
func (m *mediaReader) next() ([]byte, error) {
	const most = mediaChunk + aes.BlockSize
	if m.buffer == nil {
		m.buffer = make([]byte, min(m.left, most)+mediaMAC+1)
	}
	size, last := int64(mediaChunk), m.left <= most
	if last {
		size = m.left
	}
	yield()
	chunk := m.buffer[:size]
	if _, err := fill(m.source, chunk); err != nil {
		return nil, readFailure(err)
	}
	m.left -= size
	m.mac.Write(chunk)
	m.encryptedHash.Write(chunk)
	if last {
		if err := m.checkTail(); err != nil {
			return nil, err
		}
	}
	m.decrypter.CryptBlocks(chunk, chunk)
	if !last {
		m.plainHash.Write(chunk)
		return chunk, nil
	}
	return m.finish(chunk)
}

// checkTail reads what follows the ciphertext and verifies the MAC and the hash of the encrypted file.
func (m *mediaReader) checkTail() error {
	tail := m.buffer[len(m.buffer)-mediaMAC-1:]
	n, err := fill(m.source, tail)
	if err == nil {
		return fmt.Errorf("%w: longer than it should be", ErrMediaBroken)
	} else if n < mediaMAC || !isEnd(err) {
		return readFailure(err)
	}
	tag := tail[:mediaMAC]
	m.encryptedHash.Write(tag)
	if !hmac.Equal(tag, m.mac.Sum(nil)[:mediaMAC]) {
		return fmt.Errorf("%w: wrong MAC", ErrMediaBroken)
	} else if !bytes.Equal(m.encryptedHash.Sum(nil), m.media.EncSHA256[:]) {
		return fmt.Errorf("%w: wrong hash of the encrypted file", ErrMediaBroken)
	}
	return nil
}

// finish takes the padding off the last chunk and verifies the hash of the plain file.
func (m *mediaReader) finish(chunk []byte) ([]byte, error) {
	count := aes.BlockSize - int(m.media.Length%aes.BlockSize)
	plain, padding := chunk[:len(chunk)-count], chunk[len(chunk)-count:]
	m.plainHash.Write(plain)
	if bytes.Count(padding, []byte{byte(count)}) != count {
		return nil, fmt.Errorf("%w: not of the length that the message tells", ErrMediaBroken)
	} else if !bytes.Equal(m.plainHash.Sum(nil), m.media.SHA256[:]) {
		return nil, fmt.Errorf("%w: wrong hash of the plain file", ErrMediaBroken)
	}
	return plain, io.EOF
}

// readFailure tells an end that comes too early from a source that is in trouble.
func readFailure(err error) error {
	if isEnd(err) {
		return fmt.Errorf("%w: cut off", ErrMediaBroken)
	}
	return fmt.Errorf("failed to read the encrypted file: %w", err)
}
