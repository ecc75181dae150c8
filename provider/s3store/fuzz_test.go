package s3store_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"postern/provider"
	"postern/provider/s3store"
)

// canned gives one and the same answer to the first requests, and refuses those after.
type canned struct {
	status  int
	header  http.Header
	body    string
	answers int
}

func (c *canned) RoundTrip(request *http.Request) (*http.Response, error) {
	if c.answers--; c.answers < 0 {
		return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: http.NoBody, Request: request}, nil
	}
	return &http.Response{
		StatusCode: c.status, Header: c.header.Clone(), ContentLength: int64(len(c.body)),
		Body: io.NopCloser(strings.NewReader(c.body)), Request: request,
	}, nil
}

func cannedStore(t *testing.T, transport *canned) *s3store.Store {
	t.Helper()
	return newStore(t, s3store.Options{
		Endpoint: "s3.example", Region: "r", Bucket: bucketName, Prefix: prefix, AccessKey: accessKey, SecretKey: secretKey, Transport: transport,
	})
}

func FuzzListing(f *testing.F) {
	const date = "2026-01-02T03:04:05.000Z"
	key := "<Key>" + prefix + someFile.String() + "</Key>"
	object := "<Contents>" + key + "<Size>5</Size><LastModified>" + date + "</LastModified></Contents>"
	f.Add(200, "<ListBucketResult><IsTruncated>false</IsTruncated>"+object+"</ListBucketResult>")
	f.Add(200, "<ListBucketResult><IsTruncated>true</IsTruncated>"+
		"<NextContinuationToken>x</NextContinuationToken>"+object+"</ListBucketResult>")
	f.Add(200, "<ListBucketResult>"+strings.Replace(object, "5", "-5", 1)+"</ListBucketResult>")
	f.Add(200, "<ListMultipartUploadsResult><Upload>"+key+"<UploadId>u</UploadId>"+
		"<Initiated>"+date+"</Initiated></Upload></ListMultipartUploadsResult>")
	f.Add(403, "<Error><Code>AccessDenied</Code>"+key+"</Error>")
	f.Add(200, "<ListBucketResult><Contents><Key>%zz</Key></Contents><EncodingType>url</EncodingType></ListBucketResult>")
	f.Fuzz(func(t *testing.T, status int, body string) {
		synctest.Test(t, func(t *testing.T) { // some answers make the library pause and try again
			err := cannedStore(t, &canned{status: status, body: body, answers: 3}).Each(context.Background(), func(file provider.MediaFile) error {
				if file.Size < 0 {
					t.Errorf("a file of %d bytes", file.Size)
				}
				return nil
			})
			harmless(t, body, err)
			harmless(t, body, cannedStore(t, &canned{status: status, body: body, answers: 3}).Clean(context.Background()))
		})
	})
}

// harmless wants an error that shows nothing of what the server said but a code.
func harmless(t *testing.T, said string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if text := err.Error(); strings.Contains(text, someFile.String()) || strings.ContainsAny(text, "<>%") || len(text) > 1000 {
		t.Errorf("%q became %q", said, text)
	}
}

func FuzzObject(f *testing.F) {
	const date = "Fri, 02 Jan 2026 03:04:05 GMT"
	f.Add(200, "5", date, "", "12345")
	f.Add(206, "5", date, "bytes 3-7/8", "12345")
	f.Add(200, "-5", date, "", "12345")
	f.Add(200, "1", date, "", "12345")
	f.Add(200, "9223372036854775807", date, "", "12345")
	f.Add(404, "", "", "", "<Error><Code>NoSuchKey</Code></Error>")
	f.Add(404, "", "", "", "<Error><Code>NoSuchBucket</Code></Error>")
	f.Fuzz(func(t *testing.T, status int, length, modified, ranges, body string) {
		synctest.Test(t, func(t *testing.T) { openCanned(t, status, length, modified, ranges, body) })
	})
}

func openCanned(t *testing.T, status int, length, modified, ranges, body string) {
	header := http.Header{"Content-Length": {length}, "Last-Modified": {modified}, "Content-Range": {ranges}}
	file, err := cannedStore(t, &canned{status, header, body, 1}).Open(context.Background(), someFile)
	if err != nil {
		if !errors.Is(err, provider.ErrNoMedia) {
			harmless(t, body, err)
		}
		return
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	check(t, err)
	_, err = file.Seek(0, io.SeekStart)
	check(t, err)
	read, err := io.ReadAll(file)
	if err == nil && int64(len(read)) != size {
		t.Errorf("%d of %d bytes are taken for all", len(read), size)
	}
	harmless(t, body, err)
}
