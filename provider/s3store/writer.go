package s3store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/minio/minio-go/v7"
)

const (
	// partSize is how much of a file is in memory, in bytes, and the smallest part that S3 takes, apart from the last. Files of 2
	// GiB have 410 parts; S3 takes 10,000.
	partSize = 5 << 20
	// abortTimeout bounds how long it takes to give up an upload, whose own context may have ended.
	abortTimeout = 30 * time.Second
)

var errEnded = errors.New("the file is not being written any more")

// writer uploads a small file in one request, and a larger one in parts of which none is seen before all are there.
type writer struct {
	ctx   context.Context
	store *Store
	name  string
	part  []byte // not sent yet, at most partSize
	// upload is empty before the first part is sent.
	upload string
	parts  []minio.CompletePart
	// err is the first error, after which nothing is sent.
	err error
	// finishing is set once the object may be there, and committed once it is.
	finishing, committed bool
}

// Write sends a part when the next one begins, since only the last may be small.
func (w *writer) Write(data []byte) (written int, err error) {
	for len(data) > 0 && w.err == nil {
		if len(w.part) == partSize {
			w.err = w.sendPart()
			continue
		}
		piece := data[:min(len(data), partSize-len(w.part))]
		w.part = append(w.part, piece...)
		data, written = data[len(piece):], written+len(piece)
	}
	return written, w.err
}

func (w *writer) sendPart() (err error) {
	core, bucket := w.store.client, w.store.bucket
	if w.upload == "" {
		w.upload, err = core.NewMultipartUpload(w.ctx, bucket, w.name, minio.PutObjectOptions{})
		if err != nil {
			return plain(w.ctx, err)
		}
	}
	number := len(w.parts) + 1
	sent, err := core.PutObjectPart(w.ctx, bucket, w.name, w.upload, number, bytes.NewReader(w.part), int64(len(w.part)),
		minio.PutObjectPartOptions{Sha256Hex: hash(w.part), DisableContentSha256: true})
	if err != nil {
		return plain(w.ctx, err)
	}
	w.parts = append(w.parts, minio.CompletePart{PartNumber: number, ETag: sent.ETag})
	w.part = w.part[:0]
	return nil
}

// Commit returns when the server has said that it has the whole file.
func (w *writer) Commit() error {
	if w.err == nil {
		w.err = w.finish()
	}
	if w.err != nil {
		return w.err
	}
	w.committed, w.err = true, errEnded
	return nil
}

func (w *writer) finish() (err error) {
	core, bucket := w.store.client, w.store.bucket
	if w.upload == "" {
		w.finishing = true
		_, err = core.PutObject(w.ctx, bucket, w.name, bytes.NewReader(w.part), int64(len(w.part)), "", hash(w.part),
			minio.PutObjectOptions{DisableContentSha256: true})
		return plain(w.ctx, err)
	}
	if err = w.sendPart(); err != nil {
		return err
	}
	w.finishing = true
	_, err = core.CompleteMultipartUpload(w.ctx, bucket, w.name, w.upload, w.parts, minio.PutObjectOptions{})
	return plain(w.ctx, err)
}

// Abort can report nothing: of what it cannot remove, the parts are cleaned up after a day, and a whole object when it is
// too old.
func (w *writer) Abort() {
	if w.committed {
		return
	}
	w.part, w.err = nil, errEnded
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortTimeout)
	defer cancel()
	if w.upload != "" {
		_ = w.store.client.AbortMultipartUpload(ctx, w.store.bucket, w.name, w.upload)
	}
	if w.finishing { // the answer to it may have been lost
		_ = w.store.client.RemoveObject(ctx, w.store.bucket, w.name, minio.RemoveObjectOptions{})
	}
}

// hash lets the server notice bytes that changed on the way, and is part of what is signed.
func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
