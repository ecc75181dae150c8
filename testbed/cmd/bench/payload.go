package main

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// errDamaged is returned for a file that did not arrive as it was sent.
var errDamaged = errors.New("the file is not the one that was sent")

// payload is a file that is carried. Its lines begin with the same mark, so that any part of it is recognized where it must
// not be, and then have their number, so that it counts as arrived only as a whole.
type payload struct {
	mark string
	size int64 // in bytes
	sum  [sha256.Size]byte
}

func newPayload(size int64) (*payload, error) {
	p := &payload{mark: rand.Text(), size: size}
	var err error
	p.sum, err = sumOf(p.open())
	return p, err
}

// open returns the file from its beginning. It is in memory nowhere.
func (p *payload) open() io.Reader { return io.LimitReader(&lines{mark: p.mark}, p.size) }

// check holds what arrived to the file.
func (p *payload) check(arrived io.Reader) error {
	sum, err := sumOf(arrived)
	if err == nil && sum != p.sum {
		err = errDamaged
	}
	return err
}

func sumOf(content io.Reader) (sum [sha256.Size]byte, err error) {
	hash := sha256.New()
	if _, err = io.Copy(hash, content); err == nil {
		hash.Sum(sum[:0])
	}
	return sum, err
}

// lines is an endless text.
type lines struct {
	mark   string
	number int
	buffer []byte
	rest   []byte // of buffer
}

func (l *lines) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(l.rest) == 0 {
			l.buffer = fmt.Appendf(l.buffer[:0], "%s %d\n", l.mark, l.number)
			l.rest = l.buffer
			l.number++
		}
		copied := copy(p[n:], l.rest)
		l.rest = l.rest[copied:]
		n += copied
	}
	return n, nil
}
