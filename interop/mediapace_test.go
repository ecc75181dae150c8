package interop_test

import (
	"bytes"
	"io"
	"runtime"
	"sync/atomic"
	"testing"

	"postern/interop"
)

// chunksUntilOthersRan counts the reads of a file until a goroutine that was ready at the first of them has run.
type chunksUntilOthersRan struct {
	io.Reader
	started bool
	ran     atomic.Bool
	waited  int
}

func (c *chunksUntilOthersRan) Read(p []byte) (int, error) {
	if !c.started {
		c.started = true
		go c.ran.Store(true)
	} else if !c.ran.Load() {
		c.waited++
	}
	return c.Reader.Read(p)
}

func TestOthersGoOnWhileAFileIsCarried(t *testing.T) {
	const size = 1 << 20 // is carried in less than the time that Go lets a goroutine run
	plain := make([]byte, size)
	encrypted, media := otherEncrypt(t, plain, interop.MediaDocument)
	for name, carry := range map[string]func() (source *chunksUntilOthersRan, err error){
		"encrypted": func() (*chunksUntilOthersRan, error) {
			source := &chunksUntilOthersRan{Reader: bytes.NewReader(plain)}
			_, err := interop.EncryptMedia(io.Discard, source, interop.MediaDocument, size)
			return source, err
		},
		"decrypted": func() (*chunksUntilOthersRan, error) {
			source := &chunksUntilOthersRan{Reader: bytes.NewReader(encrypted)}
			_, err := io.Copy(io.Discard, interop.DecryptMedia(source, media))
			return source, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			for range 3 { // on a busy machine others may get their turn by chance
				source, err := carry()
				if err != nil {
					t.Fatal(err)
				}
				if source.waited > 1 {
					t.Errorf("others waited for %d chunks", source.waited)
				}
			}
		})
	}
}
