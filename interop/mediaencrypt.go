package interop

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"time"
)

// EncryptMedia reads a plain file from r and writes it to w, encrypted under a key that is made for it. Memory does not
// grow with the file. The caller gives the result its DirectPath. After an error, what was written is to be thrown away.
// Errors: ErrMediaTooLarge for a file over limit bytes, and those of r and w, wrapped.
func EncryptMedia(w io.Writer, r io.Reader, kind MediaKind, limit int64) (*Media, error) {
	media := &Media{Kind: kind, Created: time.Now().Truncate(time.Second)}
	rand.Read(media.Key[:]) // never fails, see crypto/rand
	keys, err := deriveMediaKeys(media.Key, kind)
	if err != nil {
		return nil, err
	}
	encrypter := cipher.NewCBCEncrypter(keys.block, keys.iv)
	plainHash, encryptedHash, mac := sha256.New(), sha256.New(), keys.newMAC()
	buffer := make([]byte, mediaChunk+aes.BlockSize)
	for ended := false; !ended; {
		n, err := fill(r, buffer[:mediaChunk])
		if ended = isEnd(err); err != nil && !ended {
			return nil, fmt.Errorf("failed to read the file: %w", err)
		}
		if media.Length += int64(n); media.Length > limit {
			return nil, ErrMediaTooLarge
		}
		yield()
		chunk := buffer[:n]
		plainHash.Write(chunk)
		if ended {
			chunk = padBlock(chunk)
		}
		encrypter.CryptBlocks(chunk, chunk)
		mac.Write(chunk)
		encryptedHash.Write(chunk)
		if _, err = w.Write(chunk); err != nil {
			return nil, fmt.Errorf("failed to write the encrypted file: %w", err)
		}
	}
	tag := mac.Sum(buffer[:0])[:mediaMAC]
	encryptedHash.Write(tag)
	if _, err = w.Write(tag); err != nil {
		return nil, fmt.Errorf("failed to write the encrypted file: %w", err)
	}
	plainHash.Sum(media.SHA256[:0])
	encryptedHash.Sum(media.EncSHA256[:0])
	return media, nil
}

// padBlock appends the padding of PKCS #7: 1 to 16 bytes that hold their number.
func padBlock(chunk []byte) []byte {
	count := aes.BlockSize - len(chunk)%aes.BlockSize
	for range count {
		chunk = append(chunk, byte(count))
	}
	return chunk
}
