package doctor_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"

	"postern/bridge/config"
	"postern/bridge/doctor"
)

const (
	bucketAccess = "AKIDPOSTERN"
	bucketSecret = "hidden-S3-secret"
)

// bucket lets the installation keep files in an S3 server, which checks signatures. It has no rights, so allowed stands for the rules that an
// administrator gave the key.
func (i *installation) bucket(allowed func(r *http.Request) bool, options ...gofakes3.Option) {
	i.t.Helper()
	backend := s3mem.New()
	i.must(backend.CreateBucket(context.Background(), "files"))
	server := gofakes3.New(backend, append(options, gofakes3.WithV4Auth(map[string]string{bucketAccess: bucketSecret}))...).Server()
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allowed(r) {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte("<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"))
			return
		}
		server.ServeHTTP(w, r)
	}))
	i.t.Cleanup(listening.Close)
	i.cfg.Public.MediaStore = config.StoreS3
	i.cfg.Public.S3 = config.S3{
		Endpoint: strings.TrimPrefix(listening.URL, "http://"), Region: "us-east-1", Bucket: "files", AccessKey: bucketAccess, SecretKey: bucketSecret,
		Prefix: "postern/", Insecure: true,
	}
	i.t.Cleanup(func() {
		if left, err := backend.ListBucket(context.Background(), "files", nil, gofakes3.ListBucketPage{}); err != nil || len(left.Contents) > 0 && allowed(deletion) {
			i.t.Errorf("doctor left %d files in the bucket, %v", len(left.Contents), err)
		}
	})
}

var deletion = httptest.NewRequest(http.MethodDelete, "/files/postern/x", nil)

func everything(*http.Request) bool { return true }

// but allows everything else than a method, on the bucket itself or on what is in it.
func but(method string, onBucket bool) func(r *http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method != method || (strings.Trim(r.URL.Path, "/") == "files") != onBucket
	}
}

// withBucket makes an installation with a bucket, in which something is wrong.
func withBucket(allowed func(r *http.Request) bool, change func(s3 *config.S3)) func(i *installation) {
	return func(i *installation) {
		i.bucket(allowed)
		if change != nil {
			change(&i.cfg.Public.S3)
		}
	}
}

var bucketFaults = []provoked{
	{"a bucket that works", withBucket(everything, nil), "media.store", doctor.OK, "stored in the bucket, fetched and deleted", ""},
	{"a bucket that is away", withBucket(everything, func(s3 *config.S3) { s3.Endpoint = "127.0.0.1:9" }), "media.store", doctor.Fault, "failed to reach the bucket", "public.s3"},
	{"an endpoint that is none", withBucket(everything, func(s3 *config.S3) { s3.Endpoint = "not an endpoint/" }), "media.store", doctor.Fault, "cannot be used: failed to set up the bucket", "public.s3"},
	{"a bucket that is not there", withBucket(everything, func(s3 *config.S3) { s3.Bucket = "others" }), "media.store", doctor.Fault, "storing a file failed, the bucket refuses the request: NoSuchBucket (404)", "public.s3.bucket"},
	{"a wrong access key", withBucket(everything, func(s3 *config.S3) { s3.AccessKey = "OTHER" }), "media.store", doctor.Fault, "InvalidAccessKeyId (403)", "public.s3.access_key"},
	{"a wrong secret key of a bucket", withBucket(everything, func(s3 *config.S3) { s3.SecretKey = "other" }), "media.store", doctor.Fault, "SignatureDoesNotMatch (403)", "public.s3.secret_key"},
	{"a key that may only read", withBucket(but(http.MethodPut, false), nil), "media.store", doctor.Fault, "storing a file failed, the bucket refuses the request: AccessDenied (403)", "rights"},
	{"a key that may not read", withBucket(but(http.MethodGet, false), nil), "media.store", doctor.Fault, "fetching a file failed", "rights"},
	{"a key that may not list", withBucket(but(http.MethodGet, true), nil), "media.store", doctor.Fault, "listing the files failed", "rights"},
	{"a bucket's server with another clock", func(i *installation) {
		i.bucket(everything, gofakes3.WithTimeSource(gofakes3.FixedTimeSource(time.Now().Add(time.Hour))))
	}, "media.store", doctor.Fault, "RequestTimeTooSkewed (403)", "NTP"},
	{"a key that may not delete", withBucket(but(http.MethodDelete, false), nil), "media.store", doctor.Fault, "deleting a file failed", "rights"},
}
