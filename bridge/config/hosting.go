package config

import (
	"fmt"
	"regexp"
	"strings"
)

// maxRoomMiB bounds the room for hosted files: a pebibyte, so that it fits into an int64 in bytes.
const maxRoomMiB = 1 << 30

// checkHosting checks what becomes of the files that users send.
func (c *Config) checkHosting(check *checker) {
	switch c.Public.MediaStore {
	case StoreDirectory:
		check.required("public.media_dir", c.Public.MediaDir, "write the name of a folder, such as media")
		for _, key := range []struct{ name, value string }{{"endpoint", c.Public.S3.Endpoint}, {"bucket", c.Public.S3.Bucket}} {
			if key.value != "" {
				check.add("public.s3."+key.name, "is set, but files are kept in a directory", "set public.media_store to s3, or leave it empty")
			}
		}
	case StoreS3:
		c.Public.S3.check(check)
	default:
		check.add("public.media_store", "is unknown", "write directory or s3")
	}
	check.between("public.media_days", c.Public.MediaDays, 1, 90)
	limits := c.Limits
	for _, room := range []struct {
		key   string
		value int
	}{
		{"limits.media_user_mib", limits.MediaUserMiB}, {"limits.media_total_mib", limits.MediaTotalMiB},
	} {
		check.between(room.key, room.value, 0, maxRoomMiB)
		if room.value > 0 && room.value < limits.FileMiB {
			check.add(room.key, fmt.Sprintf("is %d, less than one file may have", room.value),
				fmt.Sprintf("write at least %d, as limits.file_mib says, or 0 for no limit", limits.FileMiB))
		}
	}
	if limits.MediaTotalMiB > 0 && limits.MediaUserMiB > limits.MediaTotalMiB {
		check.add("limits.media_user_mib", "is more than limits.media_total_mib", "write what one user may take of it")
	}
}

var (
	// bucketShape is S3's own rule, but for some rare cases that the server refuses.
	bucketShape = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	prefixShape = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*/?$`)
)

// maxPrefix keeps the names of objects below S3's 1,024 bytes.
const maxPrefix = 512

func (s S3) check(check *checker) {
	if strings.Contains(s.Endpoint, "://") {
		check.add("public.s3.endpoint", "is a URL", "write the host only, and set public.s3.insecure for http")
	} else if check.required("public.s3.endpoint", s.Endpoint, "write the server's host, such as s3.eu-central-1.amazonaws.com") &&
		!domainShape.MatchString(s.Endpoint) {
		check.add("public.s3.endpoint", "is not a host", "write a host, or host:port")
	}
	if check.required("public.s3.bucket", s.Bucket, "write the bucket's name") && !bucketShape.MatchString(s.Bucket) {
		check.add("public.s3.bucket", "is not a bucket's name", "write 3 to 63 lower case letters, digits, dots and dashes")
	}
	check.required("public.s3.access_key", s.AccessKey, "write it, or set POSTERN_PUBLIC_S3_ACCESS_KEY")
	check.required("public.s3.secret_key", s.SecretKey, "write it, or set POSTERN_PUBLIC_S3_SECRET_KEY")
	if s.Prefix != "" && (len(s.Prefix) > maxPrefix || !prefixShape.MatchString(s.Prefix)) {
		check.add("public.s3.prefix", "is not usable", "write letters, digits and . _ - with slashes in between, such as postern/")
	}
}
