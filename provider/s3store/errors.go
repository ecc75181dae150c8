package s3store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"

	"github.com/minio/minio-go/v7"

	"postern/provider"
)

var errUnclear = errors.New("the bucket's answer is not understood")

// codeShape is that of S3's error codes. Anything else in their place is not shown.
var codeShape = regexp.MustCompile(`^[A-Za-z.]{1,64}$`)

// missing is plain for a request for a file: if there is none, it is [provider.ErrNoMedia]. If there is no bucket, it is not.
func missing(ctx context.Context, err error) error {
	if answer, ok := errors.AsType[minio.ErrorResponse](err); ok && answer.Code == minio.NoSuchKey {
		return provider.ErrNoMedia
	}
	return plain(ctx, err)
}

// noUpload tells that a multipart upload is not there, or not any more.
func noUpload(err error) bool {
	answer, ok := errors.AsType[minio.ErrorResponse](err)
	return ok && answer.Code == minio.NoSuchUpload
}

// plain makes an error of which nothing can be logged that must not be: those of the library hold the names of objects,
// in addresses and in what the server said. ctx is that of the request.
func plain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if answer, ok := errors.AsType[minio.ErrorResponse](err); ok {
		if !codeShape.MatchString(answer.Code) {
			return fmt.Errorf("the bucket refuses the request with status %d", answer.StatusCode)
		}
		return fmt.Errorf("the bucket refuses the request: %s (%d)", answer.Code, answer.StatusCode)
	}
	if address, ok := errors.AsType[*url.Error](err); ok {
		err = address.Err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // nobody must take it for the end of a file
	}
	for _, known := range []error{errSlow, io.ErrUnexpectedEOF, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, known) {
			return fmt.Errorf("the connection to the bucket ended: %w", known)
		}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errUnclear
	}
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("the bucket's server cannot be trusted: %w", untrusted)
	}
	if network, ok := errors.AsType[net.Error](err); ok {
		return fmt.Errorf("failed to reach the bucket: %w", network)
	}
	return fmt.Errorf("the connection to the bucket ended, or its answer is not understood (%T)", err)
}
