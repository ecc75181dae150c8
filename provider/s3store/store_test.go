package s3store_test

import (
	"testing"

	"postern/provider"
	"postern/provider/storetest"
)

func TestBucketIsAMediaStore(t *testing.T) {
	storetest.Check(t, func(t *testing.T) func() provider.MediaStore {
		bucket := newBucket(t)
		return func() provider.MediaStore { return bucket.store(t) }
	})
}
