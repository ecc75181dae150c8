// Package s3store keeps the files that the partner server hosts in a bucket of Amazon S3, or of another server that speaks
// its protocol.
//
// It needs the rights to get, put, list and delete objects below its prefix, and to list and abort multipart uploads. The
// bucket must not keep versions, or what was deleted stays.
package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"postern/provider"
)

const (
	// tries is how often a request is sent that fails for a reason that may pass. Who wants a file stored tries again later.
	tries = 3
	// listTimeout bounds one listing of the bucket, with what its caller does meanwhile.
	listTimeout = 30 * time.Minute
	// abandonedAfter is the age at which an upload belongs to a process that is gone.
	abandonedAfter = 24 * time.Hour
	// maxSize is the size of the largest object that S3 has, in bytes.
	maxSize = 5 << 40
)

// Options say where the bucket is. Region, Prefix and Transport may be empty.
type Options struct {
	// Endpoint is the server's host, with a port if it is not the usual one.
	Endpoint string
	// Region is asked for if it is empty.
	Region, Bucket       string
	AccessKey, SecretKey string
	// Prefix starts the names of all objects.
	Prefix string
	// Insecure is HTTP instead of HTTPS.
	Insecure bool
	// Transport carries the requests. The default one uses the proxy that the environment names.
	Transport http.RoundTripper
}

// Store is a [provider.MediaStore] in a bucket. An object's name is the prefix and the reference, its age the time since
// the server took it. It is safe for concurrent use, also by several processes.
//
// If the bucket cannot be used, errors say so without names or credentials; none of them is [provider.ErrNoMedia].
type Store struct {
	client         *minio.Core
	bucket, prefix string
}

var (
	_ provider.MediaStore   = (*Store)(nil)
	_ provider.MediaCleaner = (*Store)(nil)
)

// New checks the options. It sends nothing: the bridge starts also while the bucket is away.
func New(options Options) (*Store, error) {
	transport := options.Transport
	if transport == nil {
		own, err := minio.DefaultTransport(!options.Insecure)
		if err != nil {
			return nil, fmt.Errorf("failed to set up connections to the bucket: %w", err)
		}
		transport = own
	}
	client, err := minio.NewCore(options.Endpoint, &minio.Options{
		Creds:      credentials.NewStaticV4(options.AccessKey, options.SecretKey, ""),
		Secure:     !options.Insecure,
		Region:     options.Region,
		Transport:  boundedTransport{transport},
		MaxRetries: tries,
	})
	if err != nil {
		return nil, fmt.Errorf("failed to set up the bucket: %w", err)
	}
	return &Store{client: client, bucket: options.Bucket, prefix: options.Prefix}, nil
}

func (s *Store) name(reference provider.MediaReference) string { return s.prefix + reference.String() }

// reference is the opposite of name; ok is false for objects of others.
func (s *Store) reference(name string) (reference provider.MediaReference, ok bool) {
	text, ok := strings.CutPrefix(name, s.prefix)
	if !ok {
		return reference, false
	}
	reference, err := provider.ParseMediaReference(text)
	return reference, err == nil
}

// Create implements [provider.MediaStore]. Nothing is sent before a part is full or the file is committed. The writer holds
// one part in memory. ctx is that of all its requests.
func (s *Store) Create(ctx context.Context, reference provider.MediaReference) (provider.MediaWriter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &writer{ctx: ctx, store: s, name: s.name(reference)}, nil
}

// Open implements [provider.MediaStore].
func (s *Store) Open(ctx context.Context, reference provider.MediaReference) (io.ReadSeekCloser, error) {
	file := &reader{ctx: ctx, store: s, name: s.name(reference)}
	size, err := file.request(0)
	if err != nil {
		return nil, err
	}
	file.size = size
	return file, nil
}

// Each implements [provider.MediaStore]. It leaves alone what is not named like a file of the store.
func (s *Store) Each(ctx context.Context, do func(provider.MediaFile) error) error {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	for object := range s.client.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix}) {
		if object.Err != nil {
			return plain(ctx, object.Err)
		}
		reference, ok := s.reference(object.Key)
		if !ok {
			continue
		}
		if object.Size < 0 || object.Size > maxSize {
			return errUnclear
		}
		if err := do(provider.MediaFile{Reference: reference, Size: object.Size, Committed: object.LastModified}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Remove implements [provider.MediaStore].
func (s *Store) Remove(ctx context.Context, reference provider.MediaReference) error {
	return plain(ctx, s.client.RemoveObject(ctx, s.bucket, s.name(reference), minio.RemoveObjectOptions{}))
}

// Clean implements [provider.MediaCleaner]: it aborts uploads that were begun more than a day ago. Not every server lists
// them; those that do not have a rule for it, or can be given one.
func (s *Store) Clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	limit := time.Now().Add(-abandonedAfter)
	var troubles []error
	for upload := range s.client.ListIncompleteUploads(ctx, s.bucket, s.prefix, false) { // to its end, or it would hang
		if noUpload(upload.Err) {
			continue // some servers say so if there are none at all
		} else if upload.Err != nil {
			troubles = append(troubles, plain(ctx, upload.Err))
			continue
		}
		if _, ok := s.reference(upload.Key); !ok || !upload.Initiated.Before(limit) {
			continue
		}
		err := s.client.AbortMultipartUpload(ctx, s.bucket, upload.Key, upload.UploadID)
		if err != nil && !noUpload(err) && len(troubles) == 0 {
			troubles = append(troubles, plain(ctx, err))
		}
	}
	return errors.Join(troubles...)
}
